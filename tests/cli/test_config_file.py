"""A stack's file as people write it: misspelled namespaces, keys given twice, tabs, keys in the wrong place."""

import json
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command
from tests.projects import Checkout
from tierstack.engine.project import UsageError, find
from tierstack.stack import namespaces
from tierstack.stack.settings import names


def renamed(project: Checkout, old: str, new: str) -> None:
    file = project.folder / "Pulumi.local.yaml"
    document = yaml.safe_load(file.read_text())
    assert old in document["config"]
    document["config"] = {new if key == old else key: value for key, value in document["config"].items()}
    file.write_text(yaml.safe_dump(document))


@pytest.mark.parametrize(
    ("old", "new"),
    [("shop:backups", "shp:backups"), ("shop:tier", "Shop:tier"), ("shop:app", "elsewhere:app")],
)
def test_a_section_in_a_wrong_namespace_is_one_problem(
    tierstack: Command, project: Checkout, old: str, new: str
) -> None:
    renamed(project, old, new)
    done = tierstack("check", "-s", "local", "--json")
    (found,) = json.loads(done.stdout)["diagnostics"]
    assert (done.exit_code, found["code"], found["path"]) == (1, "unknown-namespace", new)
    assert f"`{old}`" in found["hint"]


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("shp:backup", "write `shop:backups`"),
        ("shoop:zzz", "write `shop:zzz`"),
        ("docker:app", "write `shop:docker` with `app` in it, or `shop:app`"),
        ("shp:config:tier", "write `shop:tier`"),
    ],
)
def test_the_hint_says_the_whole_key(key: str, hint: str) -> None:
    assert [one.hint for one in namespaces.problems([key], "shop", names())] == [hint]


@pytest.mark.parametrize(
    "key",
    [
        *("docker:host", "kubernetes:namespace", "kubernetes:renderYamlToDirectory", "aws:region", "pulumi:tags"),
        *("postgresql:database", "tls:proxy", "gcp:project", "billing:key", "webshop:key", "shop:config:tier"),
    ],
)
def test_keys_of_others_raise_no_alarm(key: str) -> None:
    assert namespaces.problems([key], "shop", names()) == []
    assert namespaces.problems([key.replace("shop:", "dockr:")], "dockr", names()) == []


def test_the_older_spelling_of_a_key_is_read(tierstack: Command, project: Checkout) -> None:
    renamed(project, "shop:tier", "shop:config:tier")
    assert tierstack("check", "-s", "local").exit_code == 0


def refused(project: Checkout, text: str) -> str:
    (project.folder / "Pulumi.bad.yaml").write_text(text)
    with pytest.raises(UsageError) as told:
        find(project.folder).config("bad")
    return str(told.value)


def test_a_key_given_twice_is_told_with_its_lines(project: Checkout) -> None:
    text = "config:\n  shop:tier: 100k\n  shop:app:\n    web: 1\n    x:\n      - {a: 1, a: 2}\n    web: 2\n  shop:tier: 1M\n"
    assert refused(project, text).splitlines() == [
        "Pulumi.bad.yaml: `shop:tier` is given 2 times, in lines 2 and 8; remove all but one",
        "Pulumi.bad.yaml: `shop:app.web` is given 2 times, in lines 4 and 7; remove all but one",
        "Pulumi.bad.yaml: `shop:app.x[0].a` is given 2 times, in lines 6 and 6; remove all but one",
    ]
    assert "`shop:tier` and `tier` are the same key" in refused(project, "config: {'shop:tier': 1M, tier: 1M}\n")


def test_merge_keys_and_aliases_are_no_duplicates(project: Checkout) -> None:
    text = "config:\n  shop:a: &a {x: 1}\n  shop:b: {<<: *a, x: 2}\n  shop:c: *a\n"
    (project.folder / "Pulumi.good.yaml").write_text(text)
    assert find(project.folder).config("good").values == {"a": {"x": 1}, "b": {"x": 2}, "c": {"x": 1}}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("shop:tier: 1M\n", "`shop:tier` at the top level of the file; keys belong below `config:`"),
        ("tier: 1M\nplatform: {}\n", "`tier`, `platform` at the top level of the file; keys belong below `config:`"),
        ("config:\n  shop:tier: 1M\nshop:app: {}\n", "`shop:app` at the top level"),
        ("config:\n  shop:app:\n\t  web: 1\n", "line 3 begins with a tab; indent with spaces, not tabs"),
        ("config:\n  shop:app: [a, b\n", "is not YAML: line 2: `[` has no `]`; add it"),
        ("config:\n  shop:app: {a: 1\n", "line 2: `{` has no `}`"),
        ("config:\n  shop:tier: 'a\n  b: 1\n", "line 2: a quotation mark has no other half"),
        ("config:\n  a:\n    memory_mb:512\n    b: 1\n", "line 3 has no space after a colon; write `memory_mb: 512`"),
        (
            "config:\n  a:\n    - https://shop.example\n    b: 1\n",
            "line 4 is a key in the column of the list of line 3",
        ),
        ("config:\n  a:\n    b\n    c: 1\n", "line 3 has no colon; write `key: value`"),
        ("config:\n  a: 1\n    b: 2\n", "line 3 is indented below line 2, which has a value"),
        ("config:\n  a: [*.shop.example]\n", "line 2: a value that begins with * must stand in quotes"),
        ("config:\n  a: @daily\n", "line 2: a value that begins with @ must stand in quotes"),
        ("config:\n  a:\n     b: 1\n    c: 2\n", "line 4 is indented otherwise than the keys that it stands among"),
        ("config:\n  a:\n    - b: 1\n    c: 2\n", "line 4 is a key in the column of the list of line 3"),
        ("config:\n  shop:tier: 1M\n    b: 2\n", "line 3 is indented below line 2, which has a value"),
        ("config:\n  # nothing\n  a: b: c\n", "line 3: a second `: ` in one line"),
        ("config:\n  a: b: c\n", "line 2: a second `: ` in one line"),
        ("config:\n  a: !x\n", "line 2, column 6: could not determine a constructor for the tag"),
        (
            "environments: [shop/prod]\nconfig: {}\n",
            "nobody reads a key at the top level of the file: `environments`: did you mean `environment`?",
        ),
        ("- a\n", "is not a map"),
    ],
)
def test_what_is_wrong_is_one_line(project: Checkout, text: str, said: str) -> None:
    told = refused(project, text)
    assert said in told
    assert told.startswith("Pulumi.bad.yaml")
    assert "\n" not in told


def test_what_holds_anchors_or_is_the_engines_is_no_slip(project: Checkout) -> None:
    text = "x-config: &a {b: 1}\nmine: 1\nenvironment: [shop/prod]\nencryptionsalt: v1:x\nconfig:\n  shop:a: *a\n"
    (project.folder / "Pulumi.good.yaml").write_text(text)
    assert find(project.folder).config("good").values == {"a": {"b": 1}}


def test_a_file_that_is_not_text(project: Checkout) -> None:
    (project.folder / "Pulumi.bad.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match="not text in UTF-8"):
        find(project.folder).config("bad")


def test_check_answers_machines_also_about_a_file_that_is_not_yaml(tierstack: Command, project: Checkout) -> None:
    (project.folder / "Pulumi.bad.yaml").write_text("config:\n\tx: 1\n")
    done = tierstack("check", "-s", "bad", "--json")
    found: dict[str, Any] = json.loads(done.stdout)
    assert (found["ok"], found["diagnostics"][0]["code"]) == (False, "unreadable")
    assert "indent with spaces" in found["diagnostics"][0]["message"]
    assert isinstance(done.exception, UsageError)
    missing: dict[str, Any] = json.loads(tierstack("check", "-s", "bd", "--json").stdout)
    assert "did you mean `bad`" in missing["diagnostics"][0]["message"]


def test_project_files_are_read_the_same_way(project: Checkout) -> None:
    (project.folder / "Pulumi.yaml").write_text("name: a\nname: b\nruntime: python\n")
    with pytest.raises(UsageError, match=r"Pulumi\.yaml: `name` is given 2 times, in lines 1 and 2"):
        find(project.folder)


# --- What Pulumi.yaml gives to all stacks. The shapes are those that `pulumi config` of the engine takes (3.2xx).


def given_to_all(project: Checkout, text: str) -> None:
    file = project.folder / "Pulumi.yaml"
    document = yaml.safe_load(file.read_text())
    file.write_text(yaml.safe_dump({**document, "config": yaml.safe_load(text)}, sort_keys=False))


def values(project: Checkout) -> dict[str, Any]:
    return find(project.folder).config("local").values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("shop:ignore: {value: {a-rule: because}}", {"a-rule": "because"}),
        ("ignore: {default: {a-rule: because}}", {"a-rule": "because"}),
        ("ignore: {type: object, default: {a-rule: because}, description: accepted}", {"a-rule": "because"}),
        ("shop:config:ignore: [1, 2]", [1, 2]),
        ("ignore: word", "word"),
        ("ignore: {type: object}", None),
        ("ignore: {value: secret, secret: true}", "(secret)"),
    ],
)
def test_a_stack_has_what_pulumi_yaml_gives(project: Checkout, text: str, value: object) -> None:
    given_to_all(project, text)
    config = find(project.folder).config("local")
    assert config.values.get("ignore") == value
    assert ("ignore" in config.secret_keys) is (value == "(secret)")


def test_a_key_of_the_stack_replaces_it_whole(project: Checkout) -> None:
    before = values(project)
    given_to_all(
        project, "{tier: 1m, app: {value: {replicas: 9}}, shop:dns: {value: {domain: x.example}}, aws:region: eu}"
    )
    assert values(project) == before | {"dns": values(project)["dns"]}
    assert find(project.folder).config("local").other_keys == ("aws:region",)


def test_check_judges_what_pulumi_yaml_gives(tierstack: Command, project: Checkout) -> None:
    given_to_all(project, "shop:ignore: {value: {no-such-rule: because}}")
    done = tierstack("check", "-s", "local", "--json")
    assert done.exit_code == 1
    assert any(one["path"] == "ignore.no-such-rule" for one in json.loads(done.stdout)["diagnostics"]), done.stdout


def test_what_the_engine_refuses_in_pulumi_yaml_is_told_together(project: Checkout) -> None:
    given_to_all(project, "{app: {replicas: 2}, tier: , memory: 0.5, dns: {value: 1, default: 2}}")
    with pytest.raises(UsageError) as caught:
        find(project.folder)
    assert [one.partition("; ")[0] for one in caught.value.messages] == [
        "Pulumi.yaml: `app` is a map with `replicas`",
        "Pulumi.yaml: `tier` is empty",
        "Pulumi.yaml: `memory` is a fraction",
        "Pulumi.yaml: `dns` has a `value` and a `default`",
    ]
