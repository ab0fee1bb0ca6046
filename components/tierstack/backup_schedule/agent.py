"""What runs in the backup container: Barman at the right times, a status for others, and restores.

    python3 -m tierstack.backup_schedule.agent \\
        run | prepare | forget | backup | health | restore --to … [--time …] | record | drills

It needs Barman, psycopg2 (which Barman needs itself) and the standard library. Settings are read anew every minute, so
that a changed schedule needs no restart, which would interrupt the stream of WAL.
"""

import argparse
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from tierstack.backup_schedule import cron, ledger, metrics, replay, status, target

if TYPE_CHECKING:
    from tierstack.backup_schedule.shipping import Shipping

SERVER = "tierstack"
SLOT = "tierstack_backups"
CONFIG = Path("/etc/tierstack")
CATALOG = Path("/var/lib/barman")
STATUS = CATALOG / "status.json"
HELD = Path("/tmp/status.json")
"""Where the status really is: in memory, so that a full catalog can still be told. `STATUS` is a link to it."""
UNBROKEN = CATALOG / "unbroken-since"
DRILLS = CATALOG / "drills.jsonl"
"""The ledger of drills, a line each."""
LOG = CATALOG / "barman.log"
LOG_BYTES = 10_000_000
TICK_SECONDS = 60
FIRST_TICK_SECONDS = 5  # until the first healthy state, which an update waits for
PREPARE_SECONDS = 300  # for the primary's first answer: it may be restarting, and a busy host takes minutes
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


def say(text: str) -> None:
    """A line in the container's log."""
    print(f"{status.stamp(datetime.now(UTC))} {text}", flush=True)


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
            barman("archive-wal", SERVER)
            barman("receive-wal", "--reset", SERVER)  # else it asks for the WAL that follows what it has
        UNBROKEN.write_text(status.stamp(datetime.now(UTC)) + "\n")
    return datetime.fromisoformat(UNBROKEN.read_text().strip()) if UNBROKEN.exists() else None


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
    state, told = State(), None
    state.send()
    while True:
        began = time.monotonic()
        wrong = state.tick()
        if wrong != told:
            say("not well: " + "; ".join(wrong) if wrong else "all is well")
            told = wrong
        seconds = FIRST_TICK_SECONDS if wrong else TICK_SECONDS
        while time.monotonic() - began < seconds and not state.job_ended:
            time.sleep(1)


class State:
    """What one minute has to know of the one before."""

    def __init__(self) -> None:
        self.job: subprocess.Popen[bytes] | None = None
        self.since: datetime | None = None
        self.failed_at: datetime | None = None
        self.unbroken: datetime | None = None
        self.found: list[status.Backup] = []
        self.shipping: Shipping | None = None

    def send(self) -> None:
        """Begin to send what arrives to the bucket, where there is one."""
        store = settings().get("store")
        if store:
            from tierstack.backup_schedule import shipping  # it needs boto3, which is slow to import

            self.shipping = shipping.of_agent(store, CONFIG, CATALOG / SERVER, lambda: self.found, query, say)
            self.shipping.start()

    @property
    def job_ended(self) -> bool:
        """Whether the base backup that was begun is over."""
        return self.job is not None and self.job.poll() is not None

    def tick(self) -> list[str]:
        """One look at everything; the faults. Never raises: an agent that is gone could not say what is wrong."""
        if self.job and self.job_ended:
            self.failed_at = datetime.now(UTC) if self.job.returncode else None
            self.job, self.since = None, None
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
            command = [sys.executable, "-m", __spec__.name, "backup"]
            self.job, self.since = subprocess.Popen(command), datetime.now(UTC)
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
        staged = HELD.with_suffix(".new")
        staged.write_text(json.dumps(document, indent=2) + "\n")
        staged.replace(HELD)
        return wrong


def catalog_disk() -> status.Disk:
    """The room on the catalog's disk."""
    used = shutil.disk_usage(CATALOG)
    return status.Disk(used.free, used.total)


def link_status() -> None:
    """Let the status be read in the catalog. A link takes no room that a file gave up."""
    if STATUS.is_symlink():
        return
    STATUS.unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        STATUS.symlink_to(HELD)


def page() -> str | None:
    """The metrics; None before the first look."""
    if not HELD.exists():
        return None
    return metrics.text(json.loads(HELD.read_text()) | {"drills": ledger.read(DRILLS)}, settings()["labels"])


def rotate(log: Path) -> None:
    """Keep Barman's log and the one before it; Barman opens it anew when it is moved."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_suffix(".log.1"))


def health() -> int:
    """For the container's health check: 0 where the status says so and is fresh."""
    if not HELD.exists():
        print("no status yet")
        return 1
    document = json.loads(HELD.read_text())
    print("; ".join(document["faults"]) or "all is well")
    return 0 if status.well(document, datetime.now(UTC)) else 1


def prepare(seconds: float = PREPARE_SECONDS) -> int:
    """Before the first run: the primary answers, and the role may do what a backup needs."""
    deadline = time.monotonic() + seconds
    tries = 0
    while True:
        tries += 1
        try:
            allowed = query(
                "SELECT (pg_has_role('pg_monitor', 'USAGE') OR (pg_has_role('pg_read_all_settings', 'USAGE')"
                " AND pg_has_role('pg_read_all_stats', 'USAGE')))"
                " AND has_function_privilege('pg_backup_start(text, boolean)', 'EXECUTE')"
                " AND has_function_privilege('pg_backup_stop(boolean)', 'EXECUTE')"
                " AND has_function_privilege('pg_switch_wal()', 'EXECUTE')"
                " AND has_function_privilege('pg_create_restore_point(text)', 'EXECUTE')"
                " AND (SELECT rolreplication FROM pg_roles WHERE rolname = current_user)"
            )
            break
        except Exception as error:
            if time.monotonic() > deadline:
                print(f"the primary took none of {tries} logins in {seconds:g} s. The last answer: {error}")
                print("If it is still starting, or the host is busy, update again; else compare user and password.")
                return 1
            time.sleep(1)
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
    found = status.backups(asked("list-backups", SERVER) or [])
    start = status.starting(found, at)
    if start is None:
        ends = ", ".join(status.stamp(b.end) for b in found if b.good and b.end) or "none"
        when = f"--time = {status.stamp(at)}: no base backup had ended by then" if at else "there is no base backup"
        print(f"{when}; base backups ended at: {ends}")
        return 1
    if too_small := target.room_problems(to, start.size_bytes, target.segments_since(CATALOG / SERVER, start.begin)):
        print("\n".join(too_small))
        return 2
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    still_open = to.parent / f"{to.name}.open"
    say(f"what was received by now is restored: {copy_received(still_open)}")
    done = barman("restore", "--no-get-wal", *until, SERVER, start.id, str(to))
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


def moment(text: str) -> datetime:
    """A moment of the command line, with or without a zone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a time; write one such as 2026-01-31T12:00:00Z") from None


def main() -> int:
    """One verb, its exit code."""
    parser = argparse.ArgumentParser(prog="agent", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb in ("run", "prepare", "forget", "backup", "health"):
        verbs.add_parser(verb)
    verbs.add_parser("record", help="append the drill on standard input, a line of JSON, to the ledger")
    verbs.add_parser("drills", help="print the ledger")
    restoring = verbs.add_parser("restore")
    restoring.add_argument("--to", type=Path, required=True, help="the data directory to make: new or empty")
    restoring.add_argument(
        "--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one received"
    )
    options = parser.parse_args()
    if options.verb == "restore":
        return restore(options.to, options.time)
    if options.verb == "drills":
        print(ledger.text(ledger.read(DRILLS)), end="")
        return 0
    os.umask(0o077)
    if options.verb == "record":
        ledger.append(DRILLS, json.loads(sys.stdin.readline()))
        return 0
    return {"run": run, "prepare": prepare, "forget": forget, "backup": backup, "health": health}[options.verb]() or 0


if __name__ == "__main__":
    sys.exit(main())
