"""The comment: its first screen is whole at any size, and nothing from the plan is markup."""

import re
from typing import Any

import pytest

from tests.diff import plans
from tierstack.diff.html import page
from tierstack.diff.markdown import LIMIT, block, code, comment, marker
from tierstack.diff.model import Plan
from tierstack.diff.report import report

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "@everyone",
    "[click](https://evil.example)",
    "`ticks` and ``more``",
    "```\nout of the fence",
    "</details></summary>",
    "-->",
    "# heading",
    "| a | b |",
    "#123 and shop/shop#1",
    "line\nbreak\r\nand\ttab",
    "\u202eright to left",
    "~~~",
    "&lt;b&gt;",
    "'\"quotes\"'",
]


def outside_code(text: str) -> str:
    """A comment without its code: what a site would read as Markdown or HTML."""
    text = re.sub(r"^(`{3,})[a-z]*\n.*?\n\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    text = re.sub(r"(`+)(?!`)(.+?)(?<!`)\1(?!`)", "", text)
    return re.sub(r"<code>[^<>`]*</code>", "", text)  # neither site makes a mention of what is in code


def hostile(text: str) -> Plan:
    """A plan in which everything that can be named is named `text`."""
    component = f"shop:index:Shop::{text}"
    return plans.plan(
        plans.steps("aws:x/thing:Thing", text, old={text: text}, new={text: f"{text}!"}, parent=component),
        plans.steps("aws:s3/bucket:Bucket", text, "delete", {"a": text}, parent=component),
        plans.steps(
            "aws:rds/instance:Instance",
            f"{text}2",
            old={"backupRetentionPeriod": 9, "tags": [text]},
            new={"tags": [f"{text}."], "backupRetentionPeriod": 2},
        ),
        plans.steps("kubernetes:core/v1:Service", text, "create", new={"spec": {"type": "LoadBalancer", "note": text}}),
        plans.steps(
            "pulumi-python:dynamic/tierstack:ZoneRecords",
            text,
            old={"records": {f"{text} A": [f"1 {text}"]}},
            new={"records": {f"{text} A": [f"1 {text}."]}},
        ),
        diagnostics=[{"severity": "error", "message": text}, {"severity": "warning", "message": text}],
    )


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_the_plan_is_markup(text: str) -> None:
    said = comment(report(hostile(text), title=text))
    rest = outside_code(said)
    allowed = r"<!-- tierstack-diff: [\w./-]+ -->|</?details>|</?summary>|</?sub>"
    assert not re.search(r"[<>@]|\]\(|~~~|#\d", re.sub(allowed, "", rest).replace("### ", "").replace("> ", "")), rest
    assert rest.count("<details>") == rest.count("</details>") > 0
    assert "\u202e" not in said


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_from_the_plan_is_html(text: str) -> None:
    said = page(report(hostile(text), title=text))
    tags = set(re.findall(r"<(/?[a-z0-9]+)", said.partition("<body>")[2]))
    assert tags <= {
        f"{slash}{tag}"
        for tag in [
            "h1",
            "h2",
            "p",
            "ul",
            "li",
            "code",
            "pre",
            "span",
            "b",
            "details",
            "summary",
            "footer",
            "body",
            "html",
        ]
        for slash in ("", "/")
    }
    assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", said)
    assert set(re.findall(r"<[a-z0-9]+ ([a-z]+)=", said)) == {"lang", "charset", "name", "class"}


@pytest.mark.parametrize("text", ["a", "a`b", "`", "``", "` `", " ", "", "a``b```c", "`a", "a`"])
def test_inline_code_holds_any_text(text: str) -> None:
    made = code(text)
    fence = re.match("`+", made)
    assert fence
    inner = made[len(fence[0]) : -len(fence[0])]
    assert fence[0] not in re.findall("`+", inner)
    assert inner.strip() == (text or " ").strip()


def test_a_block_is_fenced_by_more_than_it_has() -> None:
    assert block(["a", "````", "b"]).startswith("`````diff\n")


def many(count: int, value: str) -> Plan:
    """A plan that risks as much as it can, in as many components."""
    groups: list[list[dict[str, Any]]] = []
    for n in range(count):
        parent = f"shop:index:Shop::{'c' * 60}{n % 90}"
        name = f"{'n' * 60}{n}"
        groups.append(plans.steps("aws:s3/bucket:Bucket", name, "delete", {"a": value}, parent=parent))
        groups.append(
            plans.steps(
                "aws:rds/instance:Instance",
                f"{name}-db",
                old={
                    "storageEncrypted": True,
                    "publiclyAccessible": False,
                    "kmsKeyId": value,
                    "iops": 1,
                    "v": value,
                    "instanceClass": value,
                },
                new={
                    "storageEncrypted": False,
                    "publiclyAccessible": True,
                    "kmsKeyId": f"{value}2",
                    "iops": 2,
                    "v": f"{value}3",
                    "instanceClass": f"{value}4",
                },
                parent=parent,
            )
        )
    return plans.plan(*groups, diagnostics=[])


@pytest.mark.parametrize(
    "value", ["short", "`@" * 2000, "€" * 2000, "😀" * 2000], ids=["short", "ticks", "wide", "pairs"]
)
def test_the_first_screen_is_whole_at_900_resources(value: str) -> None:
    found = report(many(450, value))
    said = comment(found)
    assert len(said.encode("utf-16-le")) // 2 <= LIMIT
    whole = comment(found, limit=10**9)
    first = whole.partition("\n<details>")[0]
    assert said.startswith(first)
    assert re.search(r"\d+ more resources in the full report", said)
    assert said.count("<details>") == said.count("</details>")
    fences = re.findall(r"^`{3,}(?:diff)?$", said, re.MULTILINE)
    assert len(fences) % 2 == 0
    assert all(one.names[-1] in whole or f"{len(one.names) - 3} more" in whole for one in found.findings)


def test_no_change_is_one_line() -> None:
    said = comment(report(plans.plan(same=40, outputs=({"url": "a"}, {"url": "a"}))))
    assert said == "<!-- tierstack-diff: shop/prod -->\n### ✅ `prod`: no changes\n"


def test_each_stack_has_its_own_marker() -> None:
    names = ["prod", "staging", "a--b", "x-->y", "../é"]
    made = [marker(report(Plan((), project="shop", stack=name))) for name in names]
    assert len(set(made)) == len(names)
    assert all(re.fullmatch(r"<!-- tierstack-diff: [A-Za-z0-9._/-]+ -->", one) for one in made)
    assert all("--" not in one[4:-3] for one in made)


def test_a_failed_preview_says_so_first() -> None:
    said = comment(report(plans.plan(diagnostics=[{"severity": "error", "message": "tier = '2M': is not a choice"}])))
    assert said.splitlines()[1] == "### 🛑 `prod`: the preview failed"
    assert "tier = '2M': is not a choice" in said
    assert "no changes" not in said


def test_what_the_plan_does_not_know_is_said() -> None:
    known_later = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    plan = plans.plan(plans.steps("aws:x/thing:Thing", old={"a": 1, "b": 1}, new={"a": known_later, "b": 2}))
    assert "> 1 value is known only during the update" in comment(report(plan))
