"""Sets of GTIDs, against sets of Python."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.backup_schedule.mysql.logs import OTHER, SERVER
from tierstack.core.gtids import Gtid, GtidSet, parse_gtid, parse_set, union

pytestmark = pytest.mark.pure

Numbers = st.sets(st.tuples(st.sampled_from([SERVER, OTHER]), st.integers(1, 12)))


def made(members: set[tuple[str, int]]) -> GtidSet:
    found = GtidSet()
    for server, number in members:
        found.add(server, number, number)
    return found


def members(found: GtidSet) -> set[tuple[str, int]]:
    return {(server, number) for server, first, last in found for number in range(first, last + 1)}


@given(Numbers, Numbers)
def test_they_behave_as_sets(one: set[tuple[str, int]], other: set[tuple[str, int]]) -> None:
    left, right = made(one), made(other)
    assert members(left | right) == one | other
    assert members(left - right) == one - other
    assert (left <= right) == (one <= other)
    assert len(left) == len(one)
    assert bool(left) == bool(one)
    assert (left == right) == (one == other)
    assert all((Gtid(server, number) in left) == ((server, number) in one) for server, number in one | other)
    assert parse_set(str(left)) == left
    assert members(union([left, right])) == one | other


def test_they_are_written_as_mysql_does() -> None:
    text = f"{SERVER}:1-5:7,\n{OTHER}:3"
    assert str(parse_set(text)) == f"{SERVER}:1-5:7,{OTHER}:3"
    assert str(parse_set("")) == ""
    assert parse_gtid(f" {SERVER.upper()}:23 ") == Gtid(SERVER, 23)


@pytest.mark.parametrize("text", ["", "23", f"{SERVER}:0", f"{SERVER}:1-2", f"{SERVER}:tag:1", "2026-01-31T12:00:00Z"])
def test_what_is_no_gtid(text: str) -> None:
    with pytest.raises(ValueError, match="is not a GTID"):
        parse_gtid(text)


def test_tags_are_refused() -> None:
    with pytest.raises(ValueError, match="without tags"):
        parse_set(f"{SERVER}:tag:1-5")
