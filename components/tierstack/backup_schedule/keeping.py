"""What the agents of all engines do alike: their minute, their status, the base backup beside it, their command line.

It runs in the container, with Python's standard library alone.
"""

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from tierstack.backup_schedule import ledger, metrics, status
from tierstack.backup_schedule.output import say

Answer = TypeVar("Answer")

TICK_SECONDS = 60
FIRST_TICK_SECONDS = 5  # until the first healthy state, which an update waits for
PREPARE_SECONDS = 300  # for the primary's first answer: it may be restarting, and a busy host takes minutes
HELD = Path("/tmp/status.json")
"""Where the status is: in memory, so that a full catalog can still be told. The catalog has a link to it."""


def disk_of(catalog: Path) -> status.Disk:
    """Free and total bytes of the catalog's disk."""
    used = shutil.disk_usage(catalog)
    return status.Disk(used.free, used.total)


def link(path: Path, held: Path) -> None:
    """Let the status be read at `path`, in the catalog. On a full disk a link fits where a file was."""
    if not path.is_symlink():
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            path.symlink_to(held)


Text = Callable[[Mapping[str, Any], Mapping[str, str]], str]
"""Makes a page of metrics from a status document, and labels."""


def page(held: Path, drills: Path, labels: dict[str, str], text: Text = metrics.text) -> str | None:
    """The metrics; None before the first look."""
    if not held.exists():
        return None
    return text(json.loads(held.read_text()) | {"drills": ledger.read(drills)}, labels)


def health(held: Path) -> int:
    """For the container's health check: 0 where the status says so and is fresh."""
    if not held.exists():
        print("no status yet")
        return 1
    document = json.loads(held.read_text())
    print("; ".join(document["faults"]) or "all is well")
    return 0 if status.well(document, datetime.now(UTC)) else 1


class Backups:
    """The base backups, each a process of its own, one at a time."""

    def __init__(self) -> None:
        self.job: subprocess.Popen[bytes] | None = None
        self.since: datetime | None = None
        """Since when one is being made."""
        self.failed_at: datetime | None = None
        """When the last one ended, where it failed."""

    @property
    def job_ended(self) -> bool:
        """Whether the one that was begun is over."""
        return self.job is not None and self.job.poll() is not None

    def collect(self) -> None:
        """Take note of one that has ended."""
        if self.job and self.job_ended:
            self.failed_at = datetime.now(UTC) if self.job.returncode else None
            self.job, self.since = None, None

    def begin(self, module: str, verb: str = "backup") -> None:
        """Make one, by a verb of a module."""
        self.job, self.since = subprocess.Popen([sys.executable, "-m", module, verb]), datetime.now(UTC)


def watch(tick: Callable[[], list[str]], backups: Backups, meanwhile: Callable[[], object] = lambda: None) -> None:
    """A tick each minute, sooner while there are faults or when a base backup has ended; says when the faults change.
    Each second: `meanwhile`. Never returns."""
    told: list[str] | None = None
    while True:
        began = time.monotonic()
        wrong = tick()
        if wrong != told:
            say("not well: " + "; ".join(wrong) if wrong else "all is well")
            told = wrong
        seconds = FIRST_TICK_SECONDS if wrong else TICK_SECONDS
        while time.monotonic() - began < seconds and not backups.job_ended:
            meanwhile()
            time.sleep(1)


class SilentError(Exception):
    """The primary took no login; the message says what to do."""


def first_answer(ask: Callable[[], Answer], refusal: type[Exception], seconds: float) -> Answer:
    """What the primary answers, tried for a while. Raises SilentError."""
    deadline, tries = time.monotonic() + seconds, 0
    while True:
        tries += 1
        try:
            return ask()
        except refusal as error:
            if time.monotonic() > deadline:
                raise SilentError(
                    f"the primary took none of {tries} logins in {seconds:g} s. The last answer: {error}\n"
                    "If it is still starting, or the host is busy, update again; else compare user and password."
                ) from None
            time.sleep(1)


def moment(text: str) -> datetime:
    """A moment of the command line, with or without a zone."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a time; write one such as 2026-01-31T12:00:00Z") from None


Verbs = dict[str, Callable[[], int | None]]


def command_line(
    description: str | None,
    verbs: Verbs,
    drills: Path,
    arguments: Callable[[argparse.ArgumentParser], object] | None = None,
    restore: Callable[[argparse.Namespace], int] | None = None,
) -> int:
    """Carry out one verb: its exit code. Of all agents alike are `record` and `drills`, the ledger; and of those that
    restore `restore --to`, to which `arguments` adds the engine's own."""
    parser = argparse.ArgumentParser(prog="agent", description=description)
    known = parser.add_subparsers(dest="verb", required=True)
    for verb in verbs:
        known.add_parser(verb)
    known.add_parser("record", help="append the drill on standard input, a line of JSON, to the ledger")
    known.add_parser("drills", help="print the ledger")
    if arguments:
        restoring = known.add_parser("restore")
        restoring.add_argument("--to", type=Path, required=True, help="the data directory to make: new or empty")
        arguments(restoring)
    options = parser.parse_args()
    if options.verb == "drills":
        print(ledger.text(ledger.read(drills)), end="")
        return 0
    if restore and options.verb == "restore":
        return restore(options)
    os.umask(0o077)
    if options.verb == "record":
        ledger.append(drills, json.loads(sys.stdin.readline()))
        return 0
    return verbs[options.verb]() or 0
