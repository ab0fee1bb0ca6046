"""What a drill makes of what it saw, without a database."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.kubernetes.conftest import AT as ON_CLUSTER
from tests.waiting import until
from tierstack.backup_schedule import ledger, metrics
from tierstack.backup_schedule.recovery import OnDocker, parsed
from tierstack.engine.project import UsageError
from tierstack.recovery import drill, restoring
from tierstack.recovery.found import DATABASE, backups
from tierstack.recovery.host import Host
from tierstack.recovery.writer import Writer

pytestmark = pytest.mark.pure

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
AT = OnDocker(
    docker_host=None,
    agent="shop-backups-barman",
    catalog="shop-backups-catalog",
    config="shop-backups-config",
    image="barman",
    server="shop-db-primary",
    database="app",
    max_lost_seconds=60,
    max_minutes=60,
)


def result(**changes: Any) -> drill.Result:
    given: dict[str, Any] = {
        "result": ledger.NOT_VERIFIED,
        "began_at": "2026-11-26T12:00:00Z",
        "ended_at": "2026-11-26T12:01:00Z",
        "backups": "backups",
        "database": "app",
        "rows_acknowledged": 10,
        "rows_lost": 0,
        "rpo_seconds": 0.0,
        "rto_seconds": 8.5,
    }
    return drill.Result(**{**given, **changes})


def rows(count: int) -> list[drill.Row]:
    """One each tenth of a second, from a second before noon on."""
    return [drill.Row(number, NOON.timestamp() - 1 + number / 10) for number in range(1, count + 1)]


def test_only_whole_lines_were_acknowledged() -> None:
    said = "1|1795694400.25\n2|1795694400.50\n3|17956"
    assert drill.acknowledged(said) == [drill.Row(1, 1795694400.25), drill.Row(2, 1795694400.5)]
    assert drill.acknowledged("") == []


def test_the_writer_ends_with_its_drill(tmp_path: Path) -> None:
    """`tee` stands for the database's client: it prints what it was given, until its input ends."""
    given, ended = tmp_path / "given", tmp_path / "ended"
    client = ("/bin/sh", "-c", f"tee {given} && echo > {ended}")
    with Writer(Host(None), client, "row {}\n") as writer:
        until("three rows", lambda: given.exists() and given.read_text().count("\n") >= 3)
        said = writer.stop()
    assert said.splitlines()[:3] == ["row 1", "row 2", "row 3"]
    assert said == given.read_text()
    assert ended.exists(), "it was not killed"


def test_rows_after_the_moment_do_not_count() -> None:
    found = result()
    drill.measure(found, rows(20), rows(20), NOON)
    assert (found.rows_acknowledged, found.rows_lost, found.rpo_seconds) == (10, 0, 0)


def test_what_is_lost_is_told_in_rows_and_seconds() -> None:
    found = result()
    drill.measure(found, rows(20), rows(6), NOON)
    assert not found.hole
    assert (found.rows_acknowledged, found.rows_lost) == (10, 4)
    assert found.rpo_seconds == pytest.approx(0.4)  # pyright: ignore[reportUnknownMemberType]


def test_nothing_that_came_back_is_a_loss_of_all_that_was_written() -> None:
    found = result()
    drill.measure(found, rows(20), [], NOON)
    assert (found.rows_lost, found.rpo_seconds) == (10, 0.9)


def test_rows_of_the_drill_before_have_the_same_ids_and_are_not_back() -> None:
    found = result()
    yesterday = [drill.Row(row.id, row.at - 86400) for row in rows(20)]
    drill.measure(found, rows(20), yesterday, NOON)
    assert found.rows_lost == 10


def test_a_row_that_is_missing_before_others_is_a_hole() -> None:
    found = result()
    drill.measure(found, rows(20), [row for row in rows(20) if row.id != 5], NOON)
    assert (found.rows_lost, found.rpo_seconds, found.hole) == (1, 0, True)
    assert drill.faults(found, AT) == [
        "a row is missing before one that came back: the log that was replayed has a hole"
    ]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, []),
        ({"checks": {"orders": True}}, []),
        ({"checks": {"orders": False}}, ["check `orders` is not true"]),
        ({"rows_acknowledged": 0}, ["no row was written before the restore began: nothing says what would be lost"]),
        (
            {"rows_lost": 10, "rpo_seconds": 3.5},
            ["no row of this drill came back: the log does not arrive, and the loss reaches further back than the RPO"],
        ),
        ({"unreadable": "invalid page"}, ["a table cannot be read: invalid page"]),
        ({"rpo_seconds": 60.0}, []),
        ({"rpo_seconds": 61.5}, ["writes of 61.5 s are lost; at most 60 s may be"]),
        ({"rto_seconds": 3600.0}, []),
        ({"rto_seconds": 3601.0}, ["the restore took 3601 s; at most 3600 s may pass"]),
    ],
)
def test_a_drill_is_good_where_nothing_is_wrong(changes: dict[str, Any], says: list[str]) -> None:
    assert drill.faults(result(**changes), AT) == says


def test_the_ledger_is_read_line_by_line_and_a_line_cut_short_is_left_out() -> None:
    lines = ledger.text([result(result=ledger.GOOD, size_bytes=850).as_entry()]) + '{"result": "go'
    (one,) = ledger.parsed(lines)
    assert drill.history([one]) == [
        "2026-11-26T12:01:00Z  good          RPO 0 s  RTO 8.5 s  lost 0 of 10 rows",
    ]
    assert ledger.bytes_per_second([one]) == 100
    failed = result(rows_lost=None, rows_acknowledged=None, rpo_seconds=None, rto_seconds=None, why=["no backup"])
    assert drill.history([failed.as_entry()]) == [
        "2026-11-26T12:01:00Z  not verified  RPO ?  RTO ?  lost ? of ? rows  no backup",
    ]
    assert ledger.bytes_per_second([failed.as_entry()]) is None


def test_metrics_are_those_of_the_last_good_drill_and_say_whether_the_last_was() -> None:
    document: dict[str, Any] = {
        "healthy": True,
        "wal_streaming": True,
        "base_backup_late": False,
        "last_backup": None,
        "restorable_from": None,
        "wal_lag_bytes": 0,
        "catalog": {"free_bytes": 1, "size_bytes": 2},
        "checked_at": "2026-11-26T12:00:00Z",
    }
    assert not [name for name in metrics.values(document) if name.startswith("drill")]
    good = result(result=ledger.GOOD, rpo_seconds=0.2).as_entry()
    bad = result(result=ledger.BAD, ended_at="2026-11-27T12:01:00Z").as_entry()
    seen = metrics.values({**document, "drills": [good, bad]})
    assert seen["drill_good"] == 0
    assert seen["drill_good_timestamp_seconds"] == (NOON + timedelta(minutes=1)).timestamp()
    assert (seen["drill_rpo_seconds"], seen["drill_rto_seconds"], seen["drill_rows_lost"]) == (0.2, 8.5, 0)
    page = metrics.text({**document, "drills": [good, bad]}, {"name": "backups"})
    assert 'tierstack_backups_drill_good{name="backups"} 0' in page


STATUS = {
    "restorable_from": "2026-11-26T06:00:00Z",
    "last_backup": {"id": "x", "begin": "2026-11-26T06:00:00Z", "size_bytes": 300 * 2**20},
}


def test_the_plan_says_what_comes_back_what_is_missing_and_how_long_it_takes() -> None:
    speed = result(result=ledger.GOOD, size_bytes=100 * 2**20, rto_seconds=10).as_entry()
    plan = restoring.planned(NOON - timedelta(hours=3), STATUS, [speed], NOON)
    assert plan.lines(NOON, "into the new volume aside") == [
        "restore to 2026-11-26 09:00:00 UTC, 300 MiB, into the new volume aside",
        "missing in it: every write after that moment, 3.0 h until now",
        "time: about 30 s, by the last good drill",
    ]
    plain = restoring.planned(None, {}, [], NOON)
    assert plain.lines(NOON, "into the new volume aside") == [
        "restore to the last write that the backups received, into the new volume aside",
        "time: not known: no drill was good yet",
    ]


@pytest.mark.parametrize(
    ("to", "says"),
    [
        (NOON + timedelta(seconds=1), "is in the future"),
        (NOON - timedelta(hours=7), "is before 2026-11-26T06:00:00+00:00, the earliest moment in the backups"),
    ],
)
def test_a_moment_that_cannot_be_restored_is_refused(to: datetime, says: str) -> None:
    with pytest.raises(UsageError, match=says.replace("+", r"\+")):
        restoring.planned(to, STATUS, [], NOON)


@pytest.mark.parametrize("text", ["2026-01-31T12:00:00", "yesterday", "2026-13-01T00:00:00Z"])
def test_a_moment_needs_a_date_and_a_zone(text: str) -> None:
    with pytest.raises(ValueError, match=r"it has no time zone|it is no moment"):
        restoring.moment(text)


def component(name: str, text: str | None) -> dict[str, Any]:
    urn = f"urn:pulumi:prod::shop::{DATABASE}::{name}"
    return {"type": DATABASE, "urn": urn, "outputs": {"recovery": text} if text else {}}


def test_the_only_backups_are_meant_and_several_need_a_name() -> None:
    one, other = component("backups", AT.text()), component("stats-backups", AT.text())
    assert backups([one], "prod", None) == ("backups", AT)
    assert backups([one, other], "prod", "stats-backups") == ("stats-backups", AT)
    assert parsed(ON_CLUSTER.text()) == ON_CLUSTER
    assert backups([component("backups", ON_CLUSTER.text())], "prod", None) == ("backups", ON_CLUSTER)
    older = '{"kind": "kubernetes", "namespace": "shop", "cluster": "db", "object_store": "db-archive"}'
    cases: list[tuple[list[dict[str, Any]], str | None, str]] = [
        ([], None, "prod has no backups"),
        ([one, other], None, "several backups: `backups`, `stats-backups`"),
        ([one], "backup", "did you mean `backups`"),
        ([component("backups", None)], None, "`tierstack up -s prod` first"),
        ([component("backups", older)], None, "`tierstack up -s prod` first"),
        ([{**one, "delete": True}], None, "prod has no backups"),
    ]
    for held, name, says in cases:
        with pytest.raises(UsageError, match=says):
            backups(held, "prod", name)
