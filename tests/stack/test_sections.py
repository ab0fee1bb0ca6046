"""A component declares itself once: one line in the list of sections puts it into everything that a stack does."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.mail_catcher.section import SECTION
from tests.support import run_program
from tierstack import Addon
from tierstack.stack.check import StackReport, judge
from tierstack.stack.memory import host_memory
from tierstack.stack.program import build
from tierstack.stack.reference import markdown
from tierstack.stack.sections import SECTIONS
from tierstack.stack.settings import names

pytestmark = pytest.mark.graph

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "cases/settings/base.yaml").read_text())
IMAGE = "registry.example/mailpit@sha256:" + "8" * 64


@pytest.fixture
def listed() -> Iterator[None]:
    SECTIONS.append(SECTION)
    yield
    SECTIONS.remove(SECTION)


def judged(given: dict[str, Any] | None, image: str = IMAGE, **platform: Any) -> StackReport:
    config = copy.deepcopy(BASE)
    config["images"]["mailpit"] = image
    config["platform"] |= platform
    del config["kubernetes"], config["backups"]  # a cluster that is applied to would need credentials for its bucket
    if given is not None:
        config["mail_catcher"] = given
    return judge(config, frozenset(), "test", "shop")


def problems(given: dict[str, Any] | None, image: str = IMAGE) -> list[str]:
    return [str(one) for one in judged(given, image).problems]


def test_a_component_that_is_not_listed_is_unknown() -> None:
    assert any(line.startswith("mail_catcher: is not a known key") for line in problems({}))


@pytest.mark.usefixtures("listed")
def test_settings_and_reference_have_its_keys() -> None:
    assert "mail_catcher" in names()
    page = markdown()
    assert "| `mailpit` | text | – | Mailpit. |" in page
    assert "## `shop:mail_catcher`\n\nA mailbox for mail that must not leave.\n" in page
    assert "| `port` | whole number | `1025` | Port for SMTP. |" in page
    assert "### `mail_catcher.mailboxes[]`" in page


@pytest.mark.usefixtures("listed")
@pytest.mark.parametrize(
    ("given", "image", "expected"),
    [
        ({}, IMAGE, []),
        ({"prot": 1}, IMAGE, ["mail_catcher.prot: is not a known key; did you mean `port`?"]),
        ({"port": 25}, IMAGE, ["mail_catcher.port = 25: must be at least 1024; write a number from 1024 to 65535"]),
        ({}, "wrong", ["images.mailpit = 'wrong': is refused; write another"]),
        (
            {"mailboxes": [{"password": "(secret)"}, {"password": "abc"}]},
            IMAGE,
            [
                "mail_catcher.mailboxes[1].password = (hidden): is a secret that stands in plaintext in the "
                "configuration; write it with `pulumi config set --secret --path 'mail_catcher.mailboxes[1].password'`,"
                " and change the secret itself"
            ],
        ),
    ],
    ids=["right", "unknown", "rule", "image", "secret"],
)
def test_its_problems_are_told_at_its_keys(given: dict[str, Any], image: str, expected: list[str]) -> None:
    assert problems(given, image) == expected


@pytest.mark.usefixtures("listed")
def test_memory_picture_and_needs_count_it() -> None:
    without, report = judged(None), judged({"memory_mb": 60, "port": 2525})
    assert without.plan
    assert report.plan
    assert host_memory(report.plan).rest == host_memory(without.plan).rest + 60
    (box,) = [node for node in report.topology().nodes if node.id == "mail"]
    assert (box.title, box.detail) == ("mail catcher", "port 2525")
    applied = judged({}, kind="kubernetes").plan
    assert applied
    assert applied.needs
    assert Addon.EXTERNAL_SECRETS in applied.needs.addons


@pytest.mark.usefixtures("listed")
def test_it_is_built_where_the_settings_name_it() -> None:
    for given, made in ((None, False), ({}, True)):
        plan = judged(given).plan
        assert plan
        program = run_program(lambda plan=plan: build(plan.components))
        assert any(one.type == "tierstack:index:MailCatcher" for one in program.made) is made
