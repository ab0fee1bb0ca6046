"""What runs in the backup container: Barman at the right times, a status for others, and restores.

    python3 -m tierstack.backup_schedule.agent \\
        run | prepare | forget | backup | health | restore --to … [--time …] | record | drills

It needs Barman, psycopg2 (which Barman needs itself) and the standard library. Settings are read anew every minute, so
that a changed schedule needs no restart, which would interrupt the stream of WAL.
"""

import argparse
import contextlib
import gzip
import json
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tierstack.backup_schedule import cron, keeping, layout, metrics, replay, status, target
from tierstack.backup_schedule.choice import Choice, choose, no_base
from tierstack.backup_schedule.keeping import HELD, PREPARE_SECONDS, moment
from tierstack.backup_schedule.output import publish, say

if TYPE_CHECKING:
    from tierstack.backup_schedule.shipping import Shipping

SERVER = "tierstack"
SLOT = "tierstack_backups"
CONFIG = Path("/etc/tierstack")
CATALOG = Path("/var/lib/barman")
STATUS = CATALOG / "status.json"
"""A link to `HELD`."""
UNBROKEN = CATALOG / "unbroken-since"
DRILLS = CATALOG / "drills.jsonl"
"""The ledger of drills, a line each."""
LOG = CATALOG / "barman.log"
LOG_BYTES = 10_000_000
RECOVERY = re.compile(r"\s*(recovery_target\w*|restore_command|recovery_end_command|archive_command)\s*=")
"""Settings that Barman writes into `postgresql.auto.conf` for a recovery."""
GRANTS = """\
GRANT pg_read_all_settings, pg_read_all_stats TO {user};
GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean), pg_backup_stop(boolean) TO {user};
GRANT EXECUTE ON FUNCTION pg_switch_wal(), pg_create_restore_point(text) TO {user};"""


def settings() -> dict[str, Any]:
    """The settings as the component wrote them."""
    return json.loads((CONFIG / "settings.json").read_text())


def barman(*arguments: str, timeout: float | None = None) -> "subprocess.CompletedProcess[str]":
    """Run Barman; its exit code and output are the caller's to judge."""
    command = ["barman", "-c", str(CONFIG / "barman.conf"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout)


def asked(*arguments: str) -> Any:
    """Barman's answer as a document, or an empty one where it has none."""
    answer = barman("-f", "json", *arguments, timeout=120).stdout.strip()
    try:
        return json.loads(answer)[SERVER]
    except (ValueError, KeyError):
        return {}


def query(statement: str, *values: str) -> Any:
    """The first value that PostgreSQL answers, in a transaction of its own."""
    import psycopg2  # pyright: ignore[reportMissingModuleSource]  # only in the container

    connection = psycopg2.connect(settings()["conninfo"])
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement, values)
            return (cursor.fetchone() or (None,))[0]
    finally:
        connection.close()


def unbroken_since() -> datetime | None:
    """Since when WAL has arrived without a gap; starts it anew where the primary no longer keeps what comes next.

    The slot is gone after the component was removed, or the primary restored; it is lost where the stream stood still
    for longer than `max_slot_wal_keep_size` allows. Either way a new base backup has to follow.
    """
    kept = query("SELECT wal_status FROM pg_replication_slots WHERE slot_name = %s", SLOT)
    if kept in (None, "lost"):
        say(f"the slot {SLOT} is {kept or 'absent'}: a new stream of WAL begins, and a base backup")
        if kept:
            query("SELECT pg_drop_replication_slot(%s)", SLOT)
        received = CATALOG / SERVER / "streaming"
        if received.is_dir() and any(received.iterdir()):
            complete(received, int(query("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")[:8], 16))
            barman("archive-wal", SERVER)
            barman("receive-wal", "--reset", SERVER)  # else it asks for the WAL that follows what it has
        UNBROKEN.write_text(status.stamp(datetime.now(UTC)) + "\n")
    return datetime.fromisoformat(UNBROKEN.read_text().strip()) if UNBROKEN.exists() else None


def complete(received: Path, timeline: int) -> None:
    """Take the open segments of timelines before the server's for complete: nothing more comes, and the last writes
    before a promotion or a restore in place are in them. One of the server's own timeline has more to it there."""
    for segment in received.glob("*.partial"):
        if layout.SEGMENT.fullmatch(segment.stem) and int(segment.stem[:8], 16) < timeline:
            segment.replace(segment.with_suffix(""))


# The first WAL, and the end of every backup: a segment reaches the archive only when the next one has begun.
CLOSE_SEGMENT = (
    "SELECT pg_create_restore_point('tierstack')",  # so that there is something to switch away from
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('tierstack')",
)


def archive_now(seconds: float = 60) -> bool:
    """Bring everything written so far into the archive; whether that worked in time."""
    wanted = query("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
    for statement in CLOSE_SEGMENT:
        query(statement)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        barman("archive-wal", SERVER)
        if any((CATALOG / SERVER / "wals").glob(f"*/{wanted}")):
            return True
        time.sleep(0.5)
    return False


def tidied() -> list[status.Backup]:
    """The backups, without what earlier attempts left behind: only one runs at a time, and this is called beside it."""
    found = status.backups(asked("list-backups", SERVER) or [])
    remains = [backup for backup in found if backup.status in ("FAILED", "STARTED", "EMPTY")]
    for backup in remains:
        say(f"removing {backup.id}, which never completed")
        barman("delete", SERVER, backup.id)
    return [backup for backup in found if backup not in remains]


def backup() -> int:
    """One base backup, from nothing to a state that a restore can start from."""
    found = tidied()
    # A later one spreads its checkpoint over minutes, so that the shop does not feel it; here every minute counts.
    urgent = not status.continuous(found, unbroken_since())
    if urgent and not archive_now():
        say("no WAL has arrived yet; trying again later")
        return 1
    done = barman("backup", *(["--immediate-checkpoint"] if urgent else []), SERVER)
    if done.returncode != 0:
        say(f"base backup failed:\n{done.stdout}{done.stderr}")
        return 1
    archive_now()
    barman("check-backup", SERVER, "latest")
    last = status.newest(tidied())
    say(f"base backup {last.id}: {last.size_bytes / 2**20:.1f} MiB" if last else "base backup waits for its WAL")
    return 0


def run() -> None:
    """Keep WAL streaming, make base backups when due, and say once a minute how things are."""
    link_status()
    metrics.serve(page)
    state = State()
    state.send()
    keeping.watch(state.tick, state)


class State(keeping.Backups):
    """What one minute has to know of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.unbroken: datetime | None = None
        self.found: list[status.Backup] = []
        self.shipping: Shipping | None = None

    def send(self) -> None:
        """Begin to send what arrives to the bucket, where there is one."""
        store = settings().get("store")
        if store:
            from tierstack.backup_schedule import barman_outgoing  # it needs boto3, which is slow to import

            self.shipping = barman_outgoing.of_agent(store, CONFIG, CATALOG / SERVER, lambda: self.found, query, say)
            self.shipping.start()

    def tick(self) -> list[str]:
        """One look at everything; the faults. Never raises: an agent that is gone could not say what is wrong."""
        self.collect()
        with contextlib.suppress(OSError):  # the log goes on where it is
            rotate(LOG)
        with contextlib.suppress(Exception):  # a primary that does not answer is among Barman's own checks
            self.unbroken = unbroken_since()
        barman("cron")
        when = cron.parse(settings()["schedule"])
        listed, disk = asked("list-backups", SERVER), catalog_disk()
        if isinstance(listed, list):  # on a full disk Barman may give no answer: what it said last still holds
            self.found = status.backups(cast("list[dict[str, Any]]", listed))
        found = self.found
        due = status.due(when, found, datetime.now(UTC), self.failed_at, self.unbroken)
        # On a full disk none can succeed, and what it leaves behind would take the last room.
        if self.job is None and due and not disk.full:
            self.begin(__spec__.name)
        return self._judge(when, found, disk)

    def _judge(self, when: cron.Cron, found: list[status.Backup], disk: status.Disk) -> list[str]:
        """Put the state of things where the health check and others read it."""
        checks = asked("check", SERVER)
        senders = asked("replication-status", "--target", "wal-streamer", SERVER)
        streamers: list[dict[str, Any]] = senders.get("wal_streamers", [])
        now = datetime.now(UTC)
        wrong = status.faults(when, checks, streamers, found, now, self.since, self.unbroken, disk)
        wrong += self.shipping.faults() if self.shipping else []
        document = status.report(when, found, streamers, wrong, now, self.since, self.unbroken, disk)
        document["store"] = self.shipping.document() if self.shipping else None
        publish(HELD, document)
        return wrong


def catalog_disk() -> status.Disk:
    """Free and total bytes of the catalog's disk."""
    return keeping.disk_of(CATALOG)


def link_status() -> None:
    """Let the status be read in the catalog."""
    keeping.link(STATUS, HELD)


def page() -> str | None:
    """The metrics; None before the first look."""
    return keeping.page(HELD, DRILLS, settings()["labels"])


def rotate(log: Path) -> None:
    """Keep Barman's log and the one before it; Barman opens it anew when it is moved."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


_MAY_BACK_UP = (
    "SELECT (pg_has_role('pg_monitor', 'USAGE') OR (pg_has_role('pg_read_all_settings', 'USAGE')"
    " AND pg_has_role('pg_read_all_stats', 'USAGE')))"
    " AND has_function_privilege('pg_backup_start(text, boolean)', 'EXECUTE')"
    " AND has_function_privilege('pg_backup_stop(boolean)', 'EXECUTE')"
    " AND has_function_privilege('pg_switch_wal()', 'EXECUTE')"
    " AND has_function_privilege('pg_create_restore_point(text)', 'EXECUTE')"
    " AND (SELECT rolreplication FROM pg_roles WHERE rolname = current_user)"
)


def prepare(seconds: float = PREPARE_SECONDS) -> int:
    """Before the first run: the primary answers, and the role may do what a backup needs."""
    try:
        allowed = keeping.first_answer(lambda: query(_MAY_BACK_UP), Exception, seconds)
    except keeping.SilentError as error:
        print(error)
        return 1
    if not allowed:
        user = query("SELECT quote_ident(current_user)")
        print(f"role {user} may not make backups. As a superuser, in the database that it connects to, run:")
        print(f"ALTER ROLE {user} REPLICATION;\n" + GRANTS.format(user=user))
        return 1
    return 0


def forget(seconds: float = 30) -> int:
    """After the last run: drop the slot, which would keep WAL on the primary's disk for a reader that is gone."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            query("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = %s", SLOT)
            return 0
        except Exception as error:
            if time.monotonic() > deadline:
                # A primary that is gone has no disk to fill; one that answers must not keep the slot.
                print(f"the slot {SLOT} was not dropped: {error}")
                return 1 if "is active" in str(error) else 0
            time.sleep(1)


def restore(to: Path, at: datetime | None) -> int:
    """A data directory in `to` that PostgreSQL replays to the moment `at`, or to the last WAL received, and promotes.

    Needs no running primary, and refuses a directory that holds anything, and a moment that no WAL reaches. In it stand
    `restore.conf` and `restore_hba.conf`, with which PostgreSQL answers on a local socket only.
    """
    received_at = target.last_received(CATALOG / SERVER)
    problems = target.directory_problems(to, CATALOG) + target.time_problems(at, datetime.now(UTC), received_at)
    if problems:
        print("\n".join(problems))
        return 2
    until = ["--target-time", at.astimezone(UTC).isoformat(sep=" "), "--target-action", "promote"] if at else []
    still_open = to.parent / f"{to.name}.open"
    copied_at = copy_received(still_open)
    listed: list[dict[str, Any]] = asked("list-backups", SERVER) or []
    choice = chosen(CATALOG / SERVER, listed, at)
    if choice is None:
        shutil.rmtree(still_open)
        print(no_base(listed, at))
        return 1
    problems = target.room_problems(to, choice.base.size_bytes, len(choice.wals)) + choice.problems(at)
    if problems:
        shutil.rmtree(still_open)
        print("\n".join(problems))
        return 2
    say(f"what was received by now is restored: {copied_at}")
    until += ["--target-tli", choice.timeline]
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    done = barman("restore", "--no-get-wal", *until, SERVER, choice.base.id, str(to))
    print(done.stdout + done.stderr, end="")
    if done.returncode != 0:
        return done.returncode
    received = to / "barman_wal"
    received.mkdir(mode=0o700, exist_ok=True)
    for segment in still_open.iterdir():
        if not (received / segment.name).exists():
            segment.replace(received / segment.name)
    shutil.rmtree(still_open)
    replay.prepare(to, received, recovery_settings(to / "postgresql.auto.conf"))
    return 0


def chosen(catalog: Path, listed: list[dict[str, Any]], at: datetime | None) -> Choice | None:
    """What a restore to the moment `at` reads of the catalog. `listed`: its base backups as Barman lists them. None: no
    base backup leads there."""
    places = (*catalog.glob("wals/*"), *catalog.glob("wals/*/*"), *catalog.glob("streaming/*"))
    files = {one.name.removesuffix(".partial"): one for one in places if one.is_file()}
    stored = [
        layout.StoredWal(name, str(file), file.stat().st_mtime)
        for name, file in sorted(files.items())
        if layout.is_wal(name)
    ]
    histories = {name: _text(file) for name, file in files.items() if layout.HISTORY.fullmatch(name)}
    complete = [one for one in listed if one["status"] == "DONE"]
    return choose(
        stored,
        [one | layout.about(layout.information_file(catalog, one["backup_id"]).read_text()) for one in complete],
        histories,
        at,
    )


def _text(file: Path) -> str:
    content = file.read_bytes()
    return (gzip.decompress(content) if content[:2] == layout.GZIP else content).decode()


def copy_received(into: Path) -> str:
    """Copy the segments that are received and not archived yet, and say when that was.

    Barman copies archived ones; the last moments are in these. They are copied first, so that the moment of a restore
    is the one in which it was asked for, and a drill can say what a loss then would have cost.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir(mode=0o700)
    now = datetime.now(UTC)
    for segment in (CATALOG / SERVER / "streaming").iterdir():
        name = segment.name.removesuffix(".partial")
        if len(name) == 24:
            shutil.copyfile(segment, into / name)
    return now.isoformat()


def recovery_settings(automatic: Path) -> str:
    """Take out of a restored directory what Barman wrote there for this recovery alone, and give the target.

    Left behind, `recovery_target_time` would end the recovery of every replica that is copied from the server.
    """
    lines = automatic.read_text().splitlines(keepends=True) if automatic.exists() else []
    ours = [line for line in lines if RECOVERY.match(line)]
    automatic.write_text("".join(line for line in lines if line not in ours))
    return "".join(line for line in ours if line.lstrip().startswith("recovery_target"))


def main() -> int:
    """One verb, its exit code."""
    verbs: keeping.Verbs = {
        "run": run,
        "prepare": prepare,
        "forget": forget,
        "backup": backup,
        "health": lambda: keeping.health(HELD),
    }

    def arguments(parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one received"
        )

    return keeping.command_line(__doc__, verbs, DRILLS, arguments, lambda given: restore(given.to, given.time))


if __name__ == "__main__":
    sys.exit(main())
