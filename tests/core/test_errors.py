"""How problems read."""

from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.core.arguments import load
from tierstack.core.diagnostics import HIDDEN, MISSING, Diagnostic, Severity, shorten
from tierstack.core.errors import ArgumentError, nearest, out_of_range, rule
from tierstack.core.hostnames import hostname_problems
from tierstack.core.suggestions import unknown_key


class _Mode(StrEnum):
    ONE = "one"


@dataclass(kw_only=True)
class _Shapes:
    name: str
    count: int = 1
    mode: _Mode = _Mode.ONE


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Diagnostic("a.b", 3, "is odd", "write 4"), "a.b = 3: is odd; write 4"),
        (Diagnostic("a[0]", "x", "is odd", "write y"), "a[0] = 'x': is odd; write y"),
        (Diagnostic("a", MISSING, "is required", "give it"), "a: is required; give it"),
        (Diagnostic("a", HIDDEN, "is short", "write more"), "a = (hidden): is short; write more"),
    ],
)
def test_a_problem_is_one_line(problem: Diagnostic, line: str) -> None:
    assert str(problem) == line


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (Diagnostic("a", 1, "is odd", "write 2"), "a = 1: is odd; write 2 [invalid-value]"),
        (Diagnostic("a", 1, "is odd", "write 2", "odd"), "a = 1: is odd; write 2 [odd]"),
        (Diagnostic("a", 1, "is odd", "write 2", "odd", source="RFC 1"), "a = 1: is odd; write 2 [odd, RFC 1]"),
    ],
)
def test_a_line_of_output_ends_with_the_rule(problem: Diagnostic, line: str) -> None:
    assert problem.line == line


def test_the_source_is_that_of_the_rule_where_none_is_given() -> None:
    (empty,) = hostname_problems("hostnames", [], public=False)
    assert empty.source == "RFC 1123 §2.1, RFC 6125 §6.4.3"
    assert empty.line.endswith(f"[hostname, {empty.source}]")


def test_every_command_shows_machines_the_same_fields() -> None:
    assert Diagnostic("a", 3, "is odd", "write 4", "odd", Severity.WARNING, "RFC 1").as_dict() == {
        "code": "odd",
        "severity": "warning",
        "path": "a",
        "value": 3,
        "message": "is odd",
        "hint": "write 4",
        "source": "RFC 1",
    }
    assert [Diagnostic("a", value, "m", "h").as_dict()["value"] for value in (HIDDEN, MISSING, None, [1])] == [
        *(None, None, None),
        [1],
    ]


def test_the_codes_of_shapes_are_pinned() -> None:
    assert Diagnostic("a", 1, "m", "h").code == "invalid-value"
    assert unknown_key("a", "b", ["c"]).code == "unknown-key"
    assert [one.code for one in out_of_range("a", 1, 2, 3)] == ["out-of-range"]
    _, problems = load(_Shapes, {"mode": "three", "count": "x"})
    assert {one.path: one.code for one in problems} == {
        "mode": "not-a-choice",
        "count": "wrong-type",
        "name": "missing-key",
    }


def test_what_a_rule_says_carries_its_code() -> None:
    """What has a code already keeps it."""

    @rule("odd")
    def judged(value: int) -> list[Diagnostic]:
        return [Diagnostic("a", value, "is odd", "write 2"), *out_of_range("a", value, 4, 5)]

    assert [one.code for one in judged(3)] == ["odd", "out-of-range"]


def test_one_error_holds_all_problems() -> None:
    problems = [Diagnostic("a", 1, "is odd", "write 2", "odd"), Diagnostic("b", 3, "is odd", "write 4", "odd")]
    error = ArgumentError('AppCluster "web"', problems)
    assert error.problems == problems
    assert error.subject == 'AppCluster "web"'
    assert str(error) == (
        'AppCluster "web": 2 problems\n  a = 1: is odd; write 2 [odd]\n  b = 3: is odd; write 4 [odd]'
    )
    assert str(ArgumentError("x", problems[:1])).startswith("x: 1 problem\n")
    assert isinstance(error, ValueError)


@given(st.text())
def test_a_long_value_is_cut(text: str) -> None:
    assert len(shorten(text)) <= 60
    if len(repr(text)) <= 60:
        assert shorten(text) == repr(text)
    else:
        assert shorten(text).endswith("…")


@pytest.mark.parametrize(
    ("word", "guess"),
    [
        ("hostname", "hostnames"),
        ("maxConnections", "max_connections"),
        ("max-connections", "max_connections"),
        ("MAX_CONNECTION", "max_connections"),
        ("replicsa", "replicas"),
        ("zzz", None),
        ("", None),
    ],
)
def test_the_nearest_key(word: str, guess: str | None) -> None:
    assert nearest(word, ["hostnames", "max_connections", "replicas"]) == guess


def test_an_unknown_key_without_a_near_one_lists_them_all() -> None:
    assert str(unknown_key("database", "zzz", ["b", "a"])) == ("database.zzz: is not a known key; known keys: a, b")
    assert unknown_key("", "zzz", ["b"]).path == "zzz"


GROUPS = {"acme": ["email", "server"], "local_ca": ["lifetime_days"], "given": ["server"]}


@pytest.mark.parametrize(
    ("key", "value", "guess"),
    [
        ("acme_email", "x", "acme.email"),
        ("acmeEmail", "x", "acme.email"),
        ("email", "x", "acme.email"),
        ("lifetime-days", 1, "local_ca.lifetime_days"),
        ("given_server", "x", "given.server"),
        ("issuer", "local-ca", "local_ca"),
        ("hostname", "x", "hostnames"),
    ],
)
def test_an_unknown_key_that_a_group_has(key: str, value: object, guess: str) -> None:
    known = ["hostnames", *GROUPS]
    assert unknown_key("", key, known, GROUPS, value).hint == f"did you mean `{guess}`?"


def test_a_key_that_several_groups_have_names_them() -> None:
    hint = unknown_key("", "server", ["hostnames", *GROUPS], GROUPS).hint
    assert hint == "did you mean `acme.server` or `given.server`?"


ROLES = {"http": ["command", "rate_limit"], "migration": ["command"], "roles.worker": ["command", "count"]}


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("worker_command", "did you mean `roles.worker.command`?"),
        ("workers", "did you mean `roles.worker`?"),
        ("migrate_command", "did you mean `migration.command`?"),
        ("fpm_command", "did you mean `http.command`, `migration.command` or `roles.worker.command`?"),
        ("role", "did you mean `roles`?"),
        ("hostname", "did you mean `hostnames`?"),
        ("zzz", "known keys: hostnames, http, migration, roles"),
    ],
)
def test_an_unknown_key_may_be_meant_for_a_role(key: str, hint: str) -> None:
    assert unknown_key("", key, ["roles", "http", "migration", "hostnames"], ROLES).hint == hint


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "", []),
        (1, "", []),
        (50, "", []),
        (0, "", ["x = 0: must be at least 1; write a number from 1 to 50"]),
        (51, "MiB", ["x = 51: must be at most 50; write a number from 1 to 50 MiB"]),
        (0.5, "s", ["x = 0.5: must be at least 1; write a number from 1 to 50 s"]),
    ],
)
def test_ranges(value: float | None, unit: str, said: list[str]) -> None:
    assert [str(one) for one in out_of_range("x", value, 1, 50, unit)] == said
