"""A restore from wherever the backups are: what it refuses, and what stands beside the restored directory.

The agent in the container runs this very file. It imports the standard library only.
"""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tierstack.backup_schedule import target
from tierstack.backup_schedule.keeping import moment
from tierstack.backup_schedule.mysql import copies, replay, server
from tierstack.backup_schedule.mysql.catalog import Catalog, Copy
from tierstack.backup_schedule.output import say
from tierstack.core.gtids import Gtid, parse_gtid

LAYOUT = target.Layout(title="MySQL", mark="mysql.ibd", running=None)
"""How a directory of the server is known."""
RESTORED = "restore.cnf"
"""Beside a restored directory: the options for a server on it that nobody reaches over a network."""


@dataclass(frozen=True, kw_only=True)
class Received:
    """What a restore reads."""

    catalog: Catalog
    """With base backups, whose files it may lack, and with binary logs."""
    bring: Callable[[Copy, Path], None]
    """Brings the files of a base backup into a directory. Raises CopyError."""
    lengths: replay.Lengths | None = None
    """How much of the logs counts. None: all of it."""
    holes: Mapping[str, str] = field(default_factory=dict[str, str])
    """What is missing after the end of a log, by its name."""


def restore(to: Path, goal: replay.Goal, held: Path, receive: Callable[[], Received]) -> int:
    """A data directory in `to` with everything until the goal, on which a server of the same version starts: the exit
    code.

    Needs no running primary, and refuses a directory that holds anything or is inside of `held`, and a moment that no
    binary log reaches. Beside it stands `restore.cnf`, with which MySQL answers on a local socket only. What is there
    when `receive` is called is restored, and that moment is printed.
    """
    now = datetime.now(UTC)
    problems = target.directory_problems(to, held, LAYOUT) + target.time_problems(goal.at, now, None)
    if problems:
        print("\n".join(problems))
        return 2
    say(f"what was received by now is restored: {now.isoformat()}")
    try:
        received = receive()
        found = replay.choose(received.catalog, goal, received.lengths, received.holes)
    except replay.RestoreError as error:
        print(error)
        return 1
    if too_small := target.free_problems(to, replay.needed_bytes(found)):
        print("\n".join(too_small))
        return 2
    if found.cut:
        say(f"left out: {found.cut}")
    last = found.last
    say(f"from base backup {found.copy.id} until " + (f"transaction {last.gtid}" if last else "its own end"))
    try:
        replay.carry_out(found, to, received.bring, say)
    except (replay.RestoreError, copies.CopyError, server.ServerError) as error:
        print(error)
        return 1
    temporary = to.parent / f"{to.name}.tmp"
    temporary.mkdir(mode=0o700, exist_ok=True)
    given = server.options(to, temporary, found.copy.settings) | {"socket": "/tmp/mysqld.sock", "pid-file": "/tmp/pid"}
    lines = "".join(f"{name} = {server.quoted(value)}\n" for name, value in given.items())
    (to.parent / RESTORED).write_text(f"[mysqld]\n{lines}")
    return 0


def arguments(parser: argparse.ArgumentParser) -> None:
    """Where a restore ends, as the command line takes it."""
    until = parser.add_mutually_exclusive_group()
    until.add_argument("--time", type=moment, help="the moment, RFC 3339 with a zone; left out: the last one received")
    until.add_argument("--gtid", type=transaction, help="the last transaction: a server's UUID, a colon and a number")


def transaction(text: str) -> Gtid:
    """A GTID of the command line."""
    try:
        return parse_gtid(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text} {error}; write a server's UUID and a number") from None
