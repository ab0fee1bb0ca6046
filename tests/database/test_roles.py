"""Which role logs in with the password of which generation, and for how long that is valid."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.database.roles import Logins, last_generation, logins

pytestmark = pytest.mark.pure

OLD = {"database": "app", "user": "app"}
"""Outputs of a database that was made before there were login roles."""


@given(st.integers(1, 999))
def test_a_rotation_leaves_the_login_in_use_alone(generation: int) -> None:
    before, after = (logins("app", one, {}) for one in (generation, generation + 1))
    assert after.active != before.active
    assert after.generations[before.active] == before.generations[before.active] == generation
    assert after.generations[after.active] == generation + 1


@given(st.integers(2, 1000))
def test_two_passwords_are_valid(generation: int) -> None:
    known = logins("app", generation, {})
    assert sorted(known.generations) == ["app_a", "app_b"]
    assert sorted(known.generations.values()) == [generation - 1, generation]
    assert not known.owner_logs_in


@pytest.mark.parametrize(
    ("generation", "made", "expected"),
    [
        (1, {}, ("app_a", {"app_a": 1}, False)),
        (0, {}, ("app", {}, True)),
        # Applications still have the owner's password when the first login is made.
        (1, OLD, ("app_a", {"app_a": 1}, True)),
        (1, {"user": "app", "owner": "app", "password_generation": 0.0}, ("app_a", {"app_a": 1}, True)),
        (1, None, ("app_a", {"app_a": 1}, True)),
        (2, None, ("app_b", {"app_b": 2, "app_a": 1}, False)),
        # The same update again, and every later preview, says the same.
        (1, {"user": "app_a", "password_generation": 1, "owner_logs_in": True}, ("app_a", {"app_a": 1}, True)),
        (1, {"user": "app_a", "password_generation": 1, "owner_logs_in": False}, ("app_a", {"app_a": 1}, False)),
        (
            2,
            {"user": "app_a", "password_generation": 1, "owner_logs_in": True},
            ("app_b", {"app_b": 2, "app_a": 1}, False),
        ),
        (
            2,
            {"user": "app_b", "password_generation": 2, "owner_logs_in": False},
            ("app_b", {"app_b": 2, "app_a": 1}, False),
        ),
    ],
)
def test_the_owner_logs_in_as_long_as_applications_may_have_its_password(
    generation: int, made: dict[str, object] | None, expected: tuple[str, dict[str, int], bool]
) -> None:
    found = logins("app", generation, made)
    assert (found.active, found.generations, found.owner_logs_in) == expected


def test_the_last_generation() -> None:
    assert last_generation({}) is None
    assert last_generation(OLD) == 0
    assert last_generation({**OLD, "password_generation": 3.0}) == 3


def test_generation_0_is_the_owner() -> None:
    assert Logins(owner="web", generation=0, owner_logs_in=True).active == "web"
