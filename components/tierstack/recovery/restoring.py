"""A restore: what it will do, and its steps."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tierstack.backup_schedule import ledger, restore
from tierstack.engine.project import UsageError
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError, Host

_MIB = 2**20
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a restore will do, before it does it."""

    to: datetime | None
    """The moment. None: everything that was received."""
    base: Mapping[str, Any] | None
    """The newest base backup that the agent knows. None: it does not run, so nobody knows before the restore."""
    restorable_from: datetime | None
    seconds: float | None
    """How long it will take, by the last good drill. None: there was none."""

    def lines(self, now: datetime, into: str) -> list[str]:
        """The plan for people."""
        size = f", {self.base['size_bytes'] / _MIB:,.0f} MiB" if self.base else ""
        until = f"{self.to:%Y-%m-%d %H:%M:%S} UTC" if self.to else "the last write that the backups received"
        said = [f"restore to {until}{size}, {into}"]
        if self.to:
            gap = (now - self.to).total_seconds()
            said.append(f"missing in it: every write after that moment, {span(gap)} until now")
        took = (
            f"about {span(self.seconds)}, by the last good drill"
            if self.seconds
            else "not known: no drill was good yet"
        )
        return [*said, f"time: {took}"]


def planned(to: datetime | None, status: Mapping[str, Any], drills: Sequence[Mapping[str, Any]], now: datetime) -> Plan:
    """The plan of a restore. Raises UsageError where the moment cannot be restored."""
    earliest = status.get("restorable_from")
    begin = datetime.fromisoformat(earliest) if earliest else None
    if to and to > now:
        raise UsageError(f"--to = {to.isoformat()}: is in the future. Leave it out to restore everything received")
    if to and begin and to < begin:
        raise UsageError(f"--to = {to.isoformat()}: is before {begin.isoformat()}, the earliest moment in the backups")
    base = status.get("last_backup")
    speed = ledger.bytes_per_second(drills)
    seconds = base["size_bytes"] / speed if base and speed else None
    return Plan(to=to, base=base, restorable_from=begin, seconds=seconds)


def moment(text: str) -> datetime:
    """A moment in RFC 3339, with its zone. Raises ValueError where it is none."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has no time zone")
    return found.astimezone(UTC)


def span(seconds: float) -> str:
    """A duration for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def run(host: Host, steps: Sequence[restore.Step], tell: Tell) -> dict[str, str]:
    """Carry out steps in their order; what each printed."""
    said: dict[str, str] = {}
    for number, (what, command) in enumerate(steps, 1):
        began = time.monotonic()
        said[what] = host.run(command)
        tell(f"  {number}/{len(steps)} {what}: {time.monotonic() - began:.1f} s")
    return said


def await_promotion(host: Host, aside: str, database: str) -> None:
    """Wait until the restored server has replayed everything and takes writes. Raises CommandError where it ended."""
    asks = restore.query(aside, database, "SELECT pg_is_in_recovery()")
    while True:
        try:
            if host.run(asks).strip() == "f":
                return
        except CommandError:
            if not runs(host, aside):
                log = host.run(["docker", "logs", "--tail", "20", aside])
                raise CommandError(f"the restored PostgreSQL ended: {log or 'see `docker logs`'}") from None
        time.sleep(0.2)


def runs(host: Host, container: str) -> bool:
    """Whether a container is there and runs."""
    try:
        return host.run(["docker", "inspect", "--format", "{{.State.Running}}", container]).strip() == "true"
    except CommandError:
        return False


def remove(host: Host, aside: str) -> None:
    """Take away what stood aside, whatever of it is there."""
    host.succeeds(["docker", "rm", "--force", aside])
    host.succeeds(["docker", "volume", "rm", aside])


def put_aside(backups: Backups, aside: str, to: datetime | None, tell: Tell) -> dict[str, str]:
    """Restore into a new volume and a container of the same name; what the steps printed. The running database is not
    touched."""
    steps = restore.commands(backups.at.source, aside=aside, postgres_image=backups.postgres_image(), time=_text(to))
    said = run(backups.host, steps, tell)
    began = time.monotonic()
    await_promotion(backups.host, aside, backups.at.database)
    tell(f"  replay the write-ahead log: {time.monotonic() - began:.1f} s")
    return said


def put_in_place(backups: Backups, aside: str, to: datetime | None, tell: Tell) -> None:
    """Restore in the place of the database. Where that fails, its own data is put back, and it is started again."""
    at = backups.at
    names = {"volume": backups.data_volume(), "container": backups.server, "aside": aside}
    steps = restore.in_place_commands(at.source, **names, postgres_image=backups.postgres_image(), time=_text(to))
    try:
        run(backups.host, steps, tell)
    except BaseException:  # an interrupt too: a database that stays stopped is worse than one that was not restored
        tell("  it failed: the old data goes back")
        for command in restore.undo_in_place(at.source, **names):
            backups.host.succeeds(command)
        raise


def _text(to: datetime | None) -> str | None:
    return to.isoformat().replace("+00:00", "Z") if to else None
