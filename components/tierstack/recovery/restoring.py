"""A restore: what it will do, and its steps."""

import contextlib
import re
import shlex
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.engine import Goal, Step
from tierstack.core.gtids import Gtid, parse_gtid
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError, Host

_MIB = 2**20
Tell = Callable[[str], None]
To = datetime | Gtid | None
"""Where a restore ends: at a moment, with a transaction of MySQL, or with the last write that was received."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a restore will do, before it does it."""

    to: To
    base: Mapping[str, Any] | None
    """The newest base backup that the agent knows. None: it does not run, so nobody knows before the restore."""
    restorable_from: datetime | None
    seconds: float | None
    """How long it will take, by the last good drill. None: there was none."""

    def lines(self, now: datetime, into: str) -> list[str]:
        """The plan for people."""
        size = f", {self.base['size_bytes'] / _MIB:,.0f} MiB" if self.base else ""
        said = [f"restore to {_described(self.to)}{size}, {into}"]
        if isinstance(self.to, Gtid):
            said.append("missing in it: every transaction after that one")
        elif self.to:
            gap = (now - self.to).total_seconds()
            said.append(f"missing in it: every write after that moment, {span(gap)} until now")
        return [*said, time_line(self.seconds)]


def _described(to: To) -> str:
    if to is None:
        return "the last write that the backups received"
    return f"transaction {to}" if isinstance(to, Gtid) else f"{to:%Y-%m-%d %H:%M:%S} UTC"


def planned(to: To, status: Mapping[str, Any], drills: Sequence[Mapping[str, Any]], now: datetime) -> Plan:
    """The plan of a restore. Raises UsageError where the moment cannot be restored."""
    earliest = (status.get("store") or status).get("restorable_from")
    begin = datetime.fromisoformat(earliest) if earliest else None
    at = to if isinstance(to, datetime) else None
    if at and at > now:
        raise UsageError(f"--to = {at.isoformat()}: is in the future. Leave it out to restore everything received")
    if at and begin and at < begin:
        raise UsageError(f"--to = {at.isoformat()}: is before {begin.isoformat()}, the earliest moment in the backups")
    base = status.get("last_backup")
    speed = ledger.bytes_per_second(drills)
    seconds = base["size_bytes"] / speed if base and speed else None
    return Plan(to=to, base=base, restorable_from=begin, seconds=seconds)


def goal(text: str) -> datetime | Gtid:
    """A GTID, or a moment in RFC 3339 with its zone. Raises ValueError where it is neither."""
    with contextlib.suppress(ValueError):
        return parse_gtid(text)
    return moment(text)


def moment(text: str) -> datetime:
    """A moment in RFC 3339, with its zone. Raises ValueError where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError("it is no moment") from None
    if found.tzinfo is None:
        raise ValueError("it has no time zone")
    return found.astimezone(UTC)


def time_line(seconds: float | None) -> str:
    """How long a restore will take, for people. None: it is not known."""
    return (
        f"time: about {span(seconds)}, by the last good drill" if seconds else "time: not known: no drill was good yet"
    )


def span(seconds: float) -> str:
    """A duration for people."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def run(host: Host, steps: Sequence[Step], tell: Tell) -> dict[str, str]:
    """Carry out steps in their order; what each printed."""
    said: dict[str, str] = {}
    for number, (what, command) in enumerate(steps, 1):
        began = time.monotonic()
        said[what] = host.run(command)
        tell(f"  {number}/{len(steps)} {what}: {time.monotonic() - began:.1f} s")
    return said


def await_ready(backups: Backups, aside: str) -> None:
    """Wait until the restored server has replayed everything and takes writes. Raises CommandError where it ended."""
    asks, answer = backups.dialect.ready(aside)
    host = backups.host
    while True:
        try:
            if host.run(asks).strip() == answer:
                return
        except CommandError:
            if not runs(host, aside):
                log = host.run(["docker", "logs", "--tail", "20", aside])
                raise CommandError(
                    f"the restored {backups.dialect.title} ended: {log or 'see `docker logs`'}"
                ) from None
        time.sleep(0.2)


def begun(host: Host, container: str) -> bool:
    """Whether a container is there and has not ended: a busy daemon takes seconds from making it to running it."""
    return _state(host, container) in ("created", "running")


def runs(host: Host, container: str) -> bool:
    """Whether a container is there and runs."""
    return _state(host, container) == "running"


def _state(host: Host, container: str) -> str | None:
    """`created`, `running`, `exited` and so on (Docker Engine API). None: there is no such container."""
    try:
        return host.run(["docker", "inspect", "--format", "{{.State.Status}}", container]).strip()
    except CommandError:
        return None


def refuse_beside_another_drill(host: Host, aside: str) -> None:
    """Raise UsageError where another drill runs; remove what an interrupted one left."""
    if begun(host, aside):
        raise UsageError(f"another drill of these backups runs: container {aside}. To end it: docker rm -f {aside}")
    remove(host, aside)


def remove(host: Host, aside: str) -> None:
    """Take away what stood aside, whatever of it is there."""
    host.succeeds(["docker", "rm", "--force", aside])
    host.succeeds(["docker", "volume", "rm", aside])


def put_aside(backups: Backups, aside: str, to: To, tell: Tell) -> dict[str, str]:
    """Restore into a new volume and a container of the same name; what the steps printed. The running database is not
    touched. Raises UsageError where the backups do not reach `to`, CommandError where a step fails: nothing is left
    then. A server that ended while it replayed is left, to be looked at."""
    image, goal_ = backups.server_image(), _goal(to)
    steps = backups.engine.aside_commands(backups.at.source, aside=aside, server_image=image, goal=goal_)
    try:
        with signals.ending_as_interrupts():
            try:
                said = run(backups.host, steps, tell)
            except CommandError as error:
                remove(backups.host, aside)
                raise _unreached(error) or error from None
            began = time.monotonic()
            await_ready(backups, aside)
    except KeyboardInterrupt:  # a step goes on when the client that began it is killed
        with signals.held_back():
            remove(backups.host, aside)
        raise
    tell(f"  {backups.dialect.waiting}: {time.monotonic() - began:.1f} s")
    return said


def in_options(said: str) -> str:
    """What an agent says, whose option for a moment is `--time`, as the command calls it."""
    return said.replace("--time", "--to")


def _unreached(error: CommandError) -> UsageError | None:
    """What the agent says of a goal that it cannot restore. None: it failed otherwise."""
    said = re.search(r"(?:^|: )(--to = .+)$", in_options(str(error)), re.MULTILINE)
    return UsageError(said[1]) if said else None


def put_in_place(backups: Backups, aside: str, to: To, tell: Tell) -> None:
    """Restore in the place of the database. Where that fails, or is interrupted, its own data is put back, and it is
    started again. Raises UsageError, with nothing touched, where an earlier restore left what it replaced."""
    at, host = backups.at, backups.host
    names = {"volume": backups.data_volume(), "container": backups.server, "aside": aside}
    image = backups.server_image()
    engine, volume = backups.engine, names["volume"]
    steps = engine.in_place_commands(at.source, **names, server_image=image, goal=_goal(to))
    reserve = engine.reserve_in_place(at.source, volume=volume, aside=aside)
    with replacing(host, aside, reserve, _occupied(backups), lambda: _undo(backups, names, tell)):
        run(host, steps, tell)


@contextlib.contextmanager
def replacing(
    host: Host, aside: str, reserve: Sequence[str], occupied: str, undo: Callable[[], None]
) -> Generator[None]:
    """A restore in place, made within. Where it fails, or is interrupted, `undo` puts everything back: what stays taken
    apart is worse than what was not restored.

    `reserve` makes the place of what is replaced, so that what `undo` puts back is never that of an earlier restore.
    Raises UsageError, with nothing touched: `occupied` where the place is taken, or where another restore runs.
    """
    with signals.ending_as_interrupts():
        with signals.held_back():
            _reserve(host, aside, reserve, occupied)
        try:
            yield
        except BaseException:
            with signals.held_back():
                undo()
            raise


def refuse_existing(host: Host, aside: str) -> None:
    """Raise UsageError where the name of a restore aside is taken: asked before its plan is shown."""
    if host.succeeds(["docker", "volume", "inspect", aside]) or host.succeeds(["docker", "inspect", aside]):
        raise UsageError(
            f"there is a volume or container {aside} already. Remove it (docker rm -f {aside} && docker volume rm "
            f"{aside}), or give another name with --aside"
        )


def refuse_in_place(backups: Backups, aside: str) -> None:
    """Raise UsageError where a restore in place would be refused: asked before its plan is shown. Nothing is changed. A
    server that does not run is asked by the restore itself."""
    engine, host = backups.engine, backups.host
    if _state(host, backups.server) is None:
        raise UsageError(
            f"container {backups.server} is not on the Docker host, so there is no place to restore into. Nothing was "
            "changed. `tierstack up` makes it anew, on a volume that is empty where that is gone too; restore then, as "
            "soon as it is healthy (docs/runbooks/database-lost.md)"
        )
    kept = f"{engine.data_directory}/{engine.before}"
    held = host.succeeds(["docker", "exec", backups.server, "test", "-e", kept])
    refuse_occupied(host, aside, held=held, occupied=_occupied(backups) if held else "")


def refuse_occupied(host: Host, aside: str, *, held: bool, occupied: str) -> None:
    """Raise UsageError where another restore in place runs, or what an earlier one replaced is still `held`."""
    _refuse_running(host, aside)
    if held:
        raise UsageError(occupied)


def _occupied(backups: Backups) -> str:
    engine = backups.engine
    return (
        f"volume {backups.data_volume()} holds `{engine.before}`, the data that an earlier restore replaced. Nothing "
        f"was changed. When nobody needs it: docker exec {backups.server} rm -r {engine.data_directory}/{engine.before}"
    )


def _refuse_running(host: Host, aside: str) -> None:
    if host.succeeds(["docker", "inspect", aside]):
        raise UsageError(
            f"another restore in place runs, or was killed: container {aside}. If none runs: docker rm -f {aside}"
        )


def _reserve(host: Host, aside: str, reserve: Sequence[str], occupied: str) -> None:
    _refuse_running(host, aside)
    try:
        host.run(reserve)
    except CommandError as error:
        if "File exists" not in str(error):
            raise
        raise UsageError(occupied) from None


def _undo(backups: Backups, names: Mapping[str, str], tell: Tell) -> None:
    """Put the old data back, and say whether that worked; who listens may be gone already."""
    commands = backups.engine.undo_in_place(backups.at.source, **names)
    failed = [command for command in commands if not backups.host.succeeds(command)]
    server = names["container"]
    lines = ["  it failed: the old data goes back"]
    # Only the first may fail: there may be no container to remove.
    if failed[:1] == commands[:1]:
        failed = failed[1:]
    if failed or not runs(backups.host, server):
        before = backups.engine.before
        kept = f"as {before} or {before.removesuffix('.before')}"
        lines.append(f"  {server} was not brought back. Its data is in {names['volume']}, {kept}.")
        lines += [f"  by hand: {shlex.join(command)}" for command in commands]
    with contextlib.suppress(OSError):  # a pipe that Ctrl-C ended too, a terminal that was closed
        for line in lines:
            tell(line)


def _goal(to: To) -> Goal:
    if isinstance(to, Gtid):
        return Goal(gtid=str(to))
    return Goal(time=to.isoformat().replace("+00:00", "Z") if to else None)
