"""What is accepted is set aside by code and place, and what `ignore` gets wrong is said."""

import pytest

from tierstack.core import ignores
from tierstack.core.diagnostics import MISSING, Diagnostic, Rule, Severity, declared

RULES: dict[str, Rule] = {
    "missing-key": declared()["missing-key"],
    "ignore-unused": declared()["ignore-unused"],
}
FOUND = [
    Diagnostic("apps.admin.replicas", MISSING, "is odd", "write 2", "ignore-unused", Severity.ADVICE),
    Diagnostic("apps.shop.replicas", MISSING, "is odd", "write 2", "ignore-unused", Severity.ADVICE),
    Diagnostic("apps", MISSING, "is required", "write one", "missing-key"),
]


def places(one: Diagnostic) -> list[str]:
    return [one.path, one.path.rpartition(".")[0]]


@pytest.mark.parametrize(
    ("key", "paths"),
    [
        ("ignore-unused", ["apps.admin.replicas", "apps.shop.replicas"]),
        ("ignore-unused@apps.admin", ["apps.admin.replicas"]),
        ("ignore-unused@apps.shop.replicas", ["apps.shop.replicas"]),
        ("ignore-unused@apps.web", []),
        ("missing-key", []),  # an error that cannot be ignored stays, whatever somebody writes
    ],
)
def test_what_is_accepted(key: str, paths: list[str]) -> None:
    kept, ignored = ignores.set_aside(FOUND, {key: "meant"}, places)
    assert [one.diagnostic.path for one in ignored] == paths
    assert {(one.reason, one.key) for one in ignored} <= {("meant", key)}
    assert [one.path for one in kept] == [one.path for one in FOUND if one.path not in paths]
    assert [one.path for one in ignores.unused({key: "meant"}, ignored)] == ([] if paths else [f"ignore.{key}"])


def test_the_closest_key_gives_the_reason() -> None:
    both = {"ignore-unused": "all", "ignore-unused@apps.admin": "this one"}
    _, ignored = ignores.set_aside(FOUND, both, places)
    assert [one.reason for one in ignored] == ["this one", "all"]


@pytest.mark.parametrize(
    ("ignore", "code", "said"),
    [
        ({"ignore-unusd@x": "a"}, "unknown-rule", "there is no rule `ignore-unusd`; did you mean `ignore-unused`?"),
        ({"qqqq": "a"}, "unknown-rule", "write the code in brackets at the end of a finding"),
        ({"missing-key": "a"}, "ignore-refused", "is an error that cannot be ignored"),
        ({"ignore-unused": " "}, "ignore-reason", "has no reason; write why the finding is accepted"),
    ],
)
def test_mistakes_are_said_with_what_to_write(ignore: dict[str, str], code: str, said: str) -> None:
    (problem,) = ignores.problems(ignore, RULES)
    assert (problem.code, problem.path) == (code, f"ignore.{next(iter(ignore))}")
    assert said in str(problem)
