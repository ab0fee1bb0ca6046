"""Dumps of a database: found in the state of a stack, and restored aside, whole or some of their tables."""

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.dumps import restore
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.restic.repository import Snapshot, entries
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.dialect import Contents, Dialect
from tierstack.recovery.dialects import DIALECTS
from tierstack.recovery.files import share
from tierstack.recovery.host import CommandError, Host
from tierstack.recovery.restoring import Tell, remove, span, time_line

_MIB = 2**20
_SHORTEST_ID = 6
_LISTED = 20


@dataclass(frozen=True)
class Dump:
    """A dump in the repository."""

    job: str
    snapshot: Snapshot


@dataclass(frozen=True)
class StoredDumps:
    """The dumps of a database on a Docker host."""

    at: DumpsOnDocker
    host: Host

    @property
    def dialect(self) -> Dialect:
        """How its server is asked."""
        return DIALECTS[self.at.engine]

    def drills(self) -> list[dict[str, Any]]:
        """The ledger, the oldest drill first."""
        return ledger.parsed(self.host.run([*restore.ledger_of(self.at), "drills"]))

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append a drill to the ledger."""
        self.host.run([*restore.ledger_of(self.at), "record"], json.dumps(entry) + "\n")

    def dumps(self) -> list[Dump]:
        """The dumps that a restore can read now, the oldest first."""
        listed: list[dict[str, Any]] = json.loads(self.host.run(restore.listing(self.at)))["dumps"]
        return [Dump(one["job"], snapshot) for one, snapshot in zip(listed, entries(listed), strict=True)]

    def server_image(self) -> str:
        """The image of the database's server. Raises UsageError where nobody knows it."""
        if self.at.server is None:
            raise UsageError("the database connection of these dumps names no `container`: give it that of the primary")
        return self.host.run(["docker", "inspect", "--format", "{{.Image}}", self.at.server]).strip()


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a restore of a dump will do, before it does it."""

    dump: Dump
    tables: tuple[str, ...]
    """The tables whose rows are restored. Empty: all of the dump."""
    seconds: float | None
    """How long it will take, by the last good drill. None: there was none."""
    stored: tuple[Dump, ...]
    """All dumps that a restore can read, the oldest first."""

    def lines(self, now: datetime, into: str) -> list[str]:
        """The plan for people."""
        what = f"tables {', '.join(self.tables)} of dump" if self.tables else "dump"
        age = span((now - self.dump.snapshot.began).total_seconds())
        return [
            f"restore {what} {_described(self.dump)}, {into}",
            f"missing in it: every write after that moment, {age} until now",
            time_line(self.seconds),
        ]

    def listing(self) -> list[str]:
        """The newest dumps for people, the newest first."""
        newest = self.stored[: -_LISTED - 1 : -1]
        more = len(self.stored) - len(newest)
        head = f"dumps, the newest first{f' ({more} older ones are not shown)' if more else ''}:"
        return [head, *(f"  {_described(one)}" for one in newest)]


def _described(dump: Dump) -> str:
    one = dump.snapshot
    return f"`{dump.job}` {one.id[:8]} of {one.began:%Y-%m-%d %H:%M:%S} UTC, {one.size_bytes / _MIB:,.1f} MiB"


def planned(
    backups: StoredDumps, wanted: str | None, to: datetime | None, tables: tuple[str, ...], now: datetime
) -> Plan:
    """The plan of a restore. `wanted`: the name of a dump, or the id of one. Raises UsageError where there is none."""
    stored = backups.dumps()
    chosen = choose(backups.at, stored, wanted, to, now)
    speed = ledger.bytes_per_second(backups.drills())
    seconds = chosen.snapshot.size_bytes / speed if speed else None
    return Plan(dump=chosen, tables=tables, seconds=seconds, stored=tuple(stored))


def choose(at: DumpsOnDocker, found: Sequence[Dump], wanted: str | None, to: datetime | None, now: datetime) -> Dump:
    """The dump that is meant: by its id, else the newest of a name by a moment. Raises UsageError where there is
    none."""
    if wanted is not None and wanted not in at.jobs:
        return _by_id(at, found, wanted, to)
    name = wanted or at.usual
    of = [one for one in found if one.job == name]
    if not of:
        raise UsageError(f"there is no dump `{name}` yet: see `tierstack status`")
    if to and to > now:
        raise UsageError(f"--to = {to.isoformat()}: is in the future. Leave it out to restore the newest dump")
    before = [one for one in of if to is None or one.snapshot.began <= to]
    if not before:
        oldest = of[0].snapshot.began.isoformat()
        raise UsageError(f"--to = {to and to.isoformat()}: is before {oldest}, the oldest dump `{name}`")
    return before[-1]


def _by_id(at: DumpsOnDocker, found: Sequence[Dump], wanted: str, to: datetime | None) -> Dump:
    matching = [one for one in found if len(wanted) >= _SHORTEST_ID and one.snapshot.id.startswith(wanted)]
    if len(matching) != 1:
        names = ", ".join(f"`{name}`" for name in at.jobs)
        raise UsageError(f"--dump = {wanted}: is neither one of {names} nor the id of a dump (6 characters or more)")
    if to:
        raise UsageError("--to chooses among the dumps of a name, and --dump names one by its id: leave one out")
    return matching[0]


@dataclass(frozen=True, kw_only=True)
class Restored:
    """A dump that stands aside."""

    seconds: float
    tables: list[str]
    """The tables whose rows came back."""
    errors: str | None
    """What the server refused of the dump. None: nothing."""


def put_aside(
    backups: StoredDumps, aside: str, dump: Dump, tables: tuple[str, ...], image: str, tell: Tell
) -> Restored:
    """Restore into a new volume and a container of the same name. The running database is not touched. Raises
    CommandError, with nothing left, where no database came out of it, and UsageError where the dump lacks a table."""
    at, host, began, errors = backups.at, backups.host, time.monotonic(), None
    steps = restore.aside_commands(at, aside=aside, server_image=image, dump=dump.snapshot.id, tables=tables)
    try:
        with signals.ending_as_interrupts():
            for number, (what, command) in enumerate(steps, 1):
                started, show = time.monotonic(), f"  {number}/{len(steps)} {what}"
                try:
                    host.follow(command, lambda line, show=show: _progress(line, show, tell))
                except CommandError as error:
                    if what != restore.RESTORE or not _holds(backups, aside):
                        raise
                    errors = str(error)  # what did come back may be what somebody needs
                tell(f"{show}: {time.monotonic() - started:.1f} s")
            summary = json.loads(host.run(restore.summary(aside)))
            host.run(restore.tidy(aside))
    except BaseException as error:  # a step goes on when the client that began it is killed
        with signals.held_back():
            remove(host, aside)
        lacks = re.search(r"the dump has no table (.+)$", str(error), re.MULTILINE)
        if isinstance(error, CommandError) and lacks:
            table, _, hint = lacks[1].partition("; ")
            raise UsageError(f"--table = {table}: is not in dump {_described(dump)}; {hint}") from None
        raise
    return Restored(seconds=time.monotonic() - began, tables=summary["tables"], errors=errors)


def _holds(backups: StoredDumps, aside: str) -> bool:
    """Whether any table came back."""
    try:
        return bool(contents(backups, aside).rows)
    except CommandError:
        return False


def contents(backups: StoredDumps, aside: str) -> Contents:
    """Every table of the restored database, read from one end to the other."""
    database = backups.at.database
    client = backups.dialect.client(aside, database)
    return backups.dialect.contents(lambda statement: backups.host.run(client, statement), database)


def _progress(line: str, show: str, tell: Tell) -> None:
    if shown := share(line):
        tell(f"{show}: {shown}")
