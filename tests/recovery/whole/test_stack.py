"""A whole stack that is recovered on a made-up machine: whatever ends it, the next run brings everything back, and
nothing that was there is lost."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.whole.machine import LOOK, STATE, Machine, MadeUpEngine, PowerCutError
from tierstack.backup_schedule.restic import files as inside
from tierstack.engine.project import UsageError
from tierstack.engine.run import Outcome, RunFailedError
from tierstack.recovery.host import CommandError
from tierstack.recovery.whole import holders, uploads
from tierstack.recovery.whole.stack import StackRecovery, Wanted

pytestmark = pytest.mark.pure
AT = datetime(2026, 11, 27, 6, 30, tzinfo=UTC)


def recovery(machine: Machine, engine: MadeUpEngine | None = None, **wanted: Any) -> StackRecovery:
    made = engine or MadeUpEngine()
    return StackRecovery(made, Wanted(stack="prod", **wanted), lambda _: None, lambda _: machine)


def recover(machine: Machine, **wanted: Any) -> list[str]:
    """One run of the command as far as the update of everything else; its plan."""
    one = recovery(machine, **wanted)
    one.make(is_new=True)
    lines = one.look()
    one.restore()
    return lines


def tree(root: Path) -> dict[str, str]:
    """The files below a directory but our marks."""
    return {
        str(one.relative_to(root)): one.read_text()
        for one in sorted(root.rglob("*"))
        if one.is_file() and "recovered.json" not in one.name
    }


NEW = {
    "shop-db-data/pgdata/base": "restored",
    "shop-web-uploads/gone": "then",
    "shop-web-uploads/kept": "then",
    "shop-backups-catalog/drills.jsonl": LOOK["drills"],
}


def test_data_comes_back_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    machine = Machine(None, root=tmp_path)
    recover(machine)
    assert tree(tmp_path) == NEW
    assert sorted(one.name for one in (tmp_path / "shop-db-data").iterdir()) == ["pgdata"]
    assert sorted(one.name for one in (tmp_path / "shop-web-uploads").iterdir()) == [uploads.MARK, "gone", "kept"]


def count(tmp_path: Path, prepare: Any, **wanted: Any) -> int:
    (tmp_path / "count").mkdir()
    machine = Machine(None, root=tmp_path / "count")
    prepare(machine.root)
    recover(machine, **wanted)
    return len(machine.ran)


def nothing(_root: Path) -> None:
    return


def live(root: Path) -> None:
    """What a plain update made before somebody thought of the backups."""
    (root / "shop-db-data/pgdata").mkdir(parents=True)
    (root / "shop-db-data/pgdata/base").write_text("live")
    (root / "shop-web-uploads").mkdir()
    (root / "shop-web-uploads/kept").write_text("now")
    (root / "shop-backups-catalog/tierstack").mkdir(parents=True)
    (root / "shop-backups-catalog/tierstack/identity.json").write_text("another")
    (root / "shop-backups-catalog/unbroken-since").write_text("2026")


REPLACED = {
    **NEW,
    "shop-db-data/pgdata.before/base": "live",
    f"shop-web-uploads/{inside.BEFORE}/kept": "now",
    "shop-backups-catalog/other/tierstack/identity.json": "another",
}


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize(("prepare", "replace", "expected"), [(nothing, False, NEW), (live, True, REPLACED)])
def test_after_a_power_cut_at_any_command_the_next_run_goes_on(
    tmp_path: Path, prepare: Any, replace: bool, expected: dict[str, str], after: bool
) -> None:
    commands = count(tmp_path, prepare, replace=replace)
    assert commands > 15
    for number in range(1, commands + 1):
        root = tmp_path / str(number)
        root.mkdir()
        prepare(root)
        with pytest.raises(PowerCutError):
            recover(Machine(None, root=root, off=(number, after)), replace=replace)
        held = tree(root)
        assert held.get("shop-db-data/pgdata/base") in (None, "live", "restored"), "nothing that is half there starts"
        assert prepare is nothing or "live" in held.values()
        recover(Machine(None, root=root), replace=replace)
        assert tree(root) == expected, f"power cut {'after' if after else 'before'} command {number}"


def test_two_power_cuts_in_the_exchange_of_files(tmp_path: Path) -> None:
    """After each step of the exchange itself, which are renames in the container."""
    for steps in range(1, 6):
        root = tmp_path / str(steps)
        root.mkdir()
        live(root)
        (root / "shop-web-uploads" / inside.BEFORE).mkdir()
        incoming = root / "shop-web-uploads" / inside.INCOMING
        incoming.mkdir()
        (incoming / uploads.MARK).write_text('{"snapshot": "a", "to": null}')
        (incoming / "gone").write_text("then")
        moves = [
            lambda v: (v / "kept").rename(v / inside.BEFORE / "kept"),
            lambda v: (v / inside.SWAPPING).touch(),
            lambda v: (v / inside.INCOMING / uploads.MARK).rename(v / uploads.MARK),
            lambda v: (v / inside.INCOMING / "gone").rename(v / "gone"),
            lambda v: (v / inside.INCOMING).rmdir(),
        ]
        for move in moves[:steps]:
            move(root / "shop-web-uploads")
        recover(Machine(None, root=root), replace=True)
        assert tree(root) == REPLACED, steps


def test_a_run_after_one_that_succeeded_restores_nothing(tmp_path: Path) -> None:
    recover(Machine(None, root=tmp_path))
    (tmp_path / "shop-db-data/pgdata/base").write_text("went on")
    (tmp_path / "shop-web-uploads/new").write_text("now")
    machine = Machine(None, root=tmp_path, seen={**LOOK, "newest_of": {"00000001": "0" * 24, "00000002": "F" * 24}})
    lines = recover(machine, replace=True)
    assert lines[0].startswith("backups: was recovered at ")
    assert "files: its files were recovered already" in lines
    assert tree(tmp_path)["shop-db-data/pgdata/base"] == "went on"
    assert not [one for one in machine.ran if "schedule.fetch" in one]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            "shop-db-data/pgdata",
            r"backups: the volume shop-db-data holds a database\. Nothing was changed.*--replace-data",
        ),
        (
            "shop-web-uploads/new",
            r"files: the volume shop-web-uploads holds files\. Nothing was changed.*--replace-data",
        ),
    ],
)
def test_data_that_is_there_is_never_replaced_unless_told(tmp_path: Path, make: str, says: str) -> None:
    (tmp_path / make).mkdir(parents=True)
    with pytest.raises(UsageError, match=says):
        recover(Machine(None, root=tmp_path))
    assert (tmp_path / make).exists()


def test_another_moment_is_another_recovery(tmp_path: Path) -> None:
    recover(Machine(None, root=tmp_path))
    with pytest.raises(UsageError, match=r"was recovered to the last write at .*--replace-data"):
        recover(Machine(None, root=tmp_path), to=AT)
    recover(Machine(None, root=tmp_path, restored="then"), to=AT, replace=True)
    assert tree(tmp_path)["shop-db-data/pgdata/base"] == "then"
    with pytest.raises(UsageError, match=r"holds `pgdata\.before`, what an earlier restore replaced"):
        recover(Machine(None, root=tmp_path), to=AT - timedelta(hours=1), replace=True)


def test_servers_go_before_their_data_and_copies_are_made_anew(tmp_path: Path) -> None:
    copy = {**STATE[1], "outputs": {"name": "shop-db-replica-1-data"}}
    live(tmp_path)
    (tmp_path / "shop-db-replica-1-data/pgdata").mkdir(parents=True)
    machine = Machine(None, root=tmp_path)
    one = recovery(machine, MadeUpEngine([*STATE, copy]), replace=True)
    one.make(is_new=True)
    one.look()
    one.restore()
    assert (tmp_path / "shop-db-replica-1-data/pgdata.before").exists()
    removed = [machine.ran.index(f"docker rm --force {name}") for name in ("shop-db-primary", "shop-db-replica-1")]
    assert max(removed) < min(at for at, said in enumerate(machine.ran) if "schedule.fetch" in said)


def test_a_state_that_outlived_its_host_is_compared_with_it_first(tmp_path: Path) -> None:
    engine, machine = MadeUpEngine(), Machine(None, root=tmp_path)
    (tmp_path / "shop-web-uploads").mkdir()
    recovery(machine, engine).make(is_new=False)
    # The provider fails at a volume that is gone.
    made = [one for one in machine.ran if "volume create" in one]
    assert made == ["docker volume create --label tierstack.dev/environment=prod shop-db-data"]
    assert [one[0] for one in engine.asked] == ["refresh", "up"]
    root, running = tmp_path / "running", MadeUpEngine()
    root.mkdir()
    live(root)
    with pytest.raises(UsageError, match=r"holds a database\. Nothing was changed"):
        recovery(Machine(None, root=root), running).make(is_new=False)
    assert [one[0] for one in running.asked] == ["refresh"], "a stack that runs is not even updated"
    assert all(f"--target={one}" in engine.asked[1] for one in holders.TARGETS)


# What is in the way -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        ({"problems": ["--time = x: is in the future"]}, "backups: --to = x: is in the future"),
        ({"free_bytes": 300 * 2**20}, r"has 300 MiB free, and the recovery needs about 328 MiB: add disk"),
        ({"base": {**LOOK["base"], "version": "160004"}}, r"is of PostgreSQL 16, and the image .* has PostgreSQL 17"),
    ],
)
def test_what_the_bucket_cannot_give_is_told_before_anything_is_written(
    tmp_path: Path, seen: dict[str, Any], says: str
) -> None:
    machine = Machine(None, root=tmp_path, seen={**LOOK, **seen})
    with pytest.raises(UsageError, match=says):
        recover(machine)
    assert tree(tmp_path) == {}


def test_missing_extensions_keep_the_data_out(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"has extensions that the image of the configuration has not: postgis, vector"
    ):
        recover(Machine(None, root=tmp_path, extensions="vector\npostgis\n"))
    assert not (tmp_path / "shop-db-data/pgdata").exists()


def test_a_host_that_still_writes_is_found_before_anything_starts(tmp_path: Path) -> None:
    machine = Machine(None, root=tmp_path)
    one = recovery(machine)
    one.make(is_new=True)
    one.look()
    machine.seen["newest_of"] = {"00000001": "00000001000000000000000A"}
    with pytest.raises(UsageError, match=r"segment 00000001000000000000000A arrived .* the lost host still runs"):
        one.restore()
    with pytest.raises(UsageError, match="the lost host still runs"):
        recover(Machine(None, root=tmp_path, seen=machine.seen))


def test_a_moment_after_the_last_write(tmp_path: Path) -> None:
    ended = "recovery ended before configured recovery target was reached"

    class Ending(Machine):
        def _asked(self, statement: str) -> str:
            raise CommandError(ended)

        def run(self, command: Any, stdin: str | None = None) -> str:
            return ended if command[1] == "logs" else super().run(command, stdin)

    with pytest.raises(UsageError, match="nothing was written after 2026-11-27T06:30:00Z: recover without --to"):
        recover(Ending(None, root=tmp_path), to=AT)
    assert not (tmp_path / "shop-db-data/pgdata").exists()


def test_what_the_plan_says(tmp_path: Path) -> None:
    soon = datetime.now(UTC) - timedelta(seconds=20)
    seen = {**LOOK, "ahead_seconds": -3600, "newest_at": soon.isoformat()}
    one = recovery(Machine(None, root=tmp_path, seen=seen))
    one.make(is_new=True)
    said = "\n".join(one.look())
    for line in (
        "backups: database `app` to the last write in the bucket, from s3://backups/prod/shop-backups",
        "base backup 20261127T030000: 200 MiB, ",
        "4 files of the write-ahead log; 264 MiB on the disk, 10,240 MiB free",
        "time: about 20 s, at 10.0 MiB/s, as in the last good drill",
        "the clock of the host is 60 min behind that of the store",
        "files: restore the backup of 2026-11-27 02:15:00 UTC: 2 files, 2.0 MiB, into the volume shop-web-uploads",
        "comes back empty: Redis `redis`: queues, sessions, caches",
    ):
        assert line in said


# What holds data ----------------------------------------------------------------------------------------------------

LEFT_OUT = "error: Resource 'urn:x' depends on 'urn:pulumi:p::s::{}::{}' which was was not specified in --target list."


def test_components_around_ours_are_made_too_and_nothing_that_runs() -> None:
    outer = LEFT_OUT.format("my:shop:Data$my:shop:Inner", "inner")
    engine = MadeUpEngine(answers=[Outcome(ok=False, messages=[outer]), Outcome(ok=True)])
    holders.make(engine)
    assert "--target=urn:pulumi:p::s::my:shop:Data$my:shop:Inner::inner" in engine.asked[1]
    runs = LEFT_OUT.format("tierstack:index:Other$docker:index/container:Container", "gateway")
    with pytest.raises(UsageError, match="are read by means of Container `gateway`"):
        holders.make(MadeUpEngine(answers=[Outcome(ok=False, messages=[runs])]))
    with pytest.raises(RunFailedError, match="belong to another state"):
        holders.make(MadeUpEngine(answers=[Outcome(ok=False, messages=["they belong to another state"])]))
