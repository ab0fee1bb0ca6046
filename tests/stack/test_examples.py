"""The examples of rules: each wrong one breaks its rule, and each right one does not."""

import copy
from typing import Any, cast

import pytest
import yaml

from tests.stack.test_settings import BASE
from tierstack.core.diagnostics import Rule
from tierstack.stack import rulebook
from tierstack.stack.check import judge
from tierstack.stack.settings import names


def parsed(text: str) -> dict[str, Any] | None:
    """An example as keys of a stack. None: it is none, but a part of a section, a command, or a change of what runs."""
    try:
        given = yaml.safe_load(f"{{{text}}}")
    except yaml.YAMLError:
        return None
    return given if "…" not in text and set(given) <= names() else None


def laid_over(base: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    made = dict(base)
    for key, value in given.items():
        below = made.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        made[key] = laid_over(cast(dict[str, Any], below), cast(dict[str, Any], value)) if both else value
    return made


def codes(given: dict[str, Any]) -> set[str]:
    """The rules that a stack breaks with these keys."""
    base = copy.deepcopy(BASE)
    for one, several in (("database", "databases"), ("app", "apps")):
        if several in given:
            shared = base.pop(one, {})
            given = {**given, several: {name: laid_over(shared, part) for name, part in given[several].items()}}
    if given.get("database", {}).get("engine") == "mysql":
        base["images"] |= {"mysql": f"registry.example/mysql:8.4@sha256:{'8' * 64}"}
        base.pop("backups", None)  # BackupSchedule backs up PostgreSQL alone
    report = judge(laid_over(base, given), frozenset(), "test", "shop", lookup=lambda _: lambda _: None)  # no image
    return {one.code for one in report.problems} or {one.code for one in report.findings()[0]}


WHOLE = [one for _, one in sorted(rulebook.rules().items()) if parsed(one.wrong or "x") is not None]


@pytest.mark.parametrize("rule", WHOLE, ids=lambda rule: rule.code)
def test_the_wrong_example_breaks_the_rule(rule: Rule) -> None:
    given = parsed(rule.wrong)
    assert given is not None
    assert rule.code in codes(given)


@pytest.mark.parametrize("rule", WHOLE, ids=lambda rule: rule.code)
def test_the_right_example_does_not(rule: Rule) -> None:
    given = parsed(rule.right)  # None: a command
    assert given is None or rule.code not in codes(given)


def test_most_examples_are_run() -> None:
    assert len(WHOLE) >= 50
