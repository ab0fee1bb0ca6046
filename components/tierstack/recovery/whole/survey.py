"""What the bucket has of a database, and what a plan says of it. Pure."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.status import FULL_BYTES, stamp
from tierstack.engine.project import UsageError
from tierstack.recovery.restoring import in_options, span

_MIB = 2**20
_SKEW_SECONDS = 60
"""Difference of two clocks from which on moments, and what is called new, are doubtful. From 15 minutes on S3 refuses
signatures."""
_FRESH_SECONDS = 120
"""Age of the newest segment below which its writer may still run: it sends one at least each half minute while anything
is written."""


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What `look.py` saw."""

    location: str
    ahead_seconds: int
    """How much the clock of the host is ahead of the store's."""
    system: str | None
    """Identifier of the database system that the backups are of. None: nobody noted it."""
    bases: int
    """Base backups that a restore can begin with."""
    newest_at: datetime | None
    """When the log last arrived."""
    newest_of: Mapping[str, str]
    """The newest segment of each timeline."""
    drills: str
    """The ledger of drills."""
    free_bytes: int
    """Of the disk of the database."""
    base: Mapping[str, Any] | None
    segments: int
    """Files of the log that are replayed."""
    needed_bytes: int
    problems: list[str]

    @classmethod
    def parsed(cls, text: str) -> "Survey":
        """What the command printed."""
        values: dict[str, Any] = json.loads(text)
        at: str | None = values.pop("newest_at")
        found: dict[str, Any] = {"segments": 0, "needed_bytes": 0, **values}
        return cls(newest_at=datetime.fromisoformat(at) if at else None, **found)

    @property
    def major(self) -> int | None:
        """Major version of the server that made the base backup. None: not known."""
        version = str((self.base or {}).get("version") or "")
        return int(version) // 10000 if version.isdigit() else None

    def later_than(self, newest_of: Mapping[str, str], own_timeline: int) -> str | None:
        """A segment that another server wrote since `newest_of`: one of a timeline before `own_timeline`, which is that
        of the recovered database. None: there is none."""
        others = {timeline: one for timeline, one in self.newest_of.items() if int(timeline, 16) < own_timeline}
        return next((one for timeline, one in sorted(others.items()) if one > newest_of.get(timeline, "")), None)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The recovery of one database."""

    name: str
    database: str
    to: datetime | None
    survey: Survey
    seconds: float | None
    """How long it will take, by the last good drill. None: there was none."""
    speed: float | None
    """Bytes of a base backup per second of that drill."""

    def lines(self, now: datetime) -> list[str]:
        """The plan for people."""
        of, base = self.survey, self.survey.base or {}
        ended = datetime.fromisoformat(base["ended_at"])
        until = f"to {stamp(self.to)}" if self.to else "to the last write in the bucket"
        found = [
            f"{self.name}: database `{self.database}` {until}, from {of.location}",
            f"  base backup {base['id']}: {base['size_bytes'] / _MIB:,.0f} MiB, {_age(ended, now)} old; and "
            f"{of.segments} files of the write-ahead log; {of.needed_bytes / _MIB:,.0f} MiB on the disk, "
            f"{of.free_bytes / _MIB:,.0f} MiB free",
        ]
        if self.to:
            found.append(f"  missing in it: every write after that moment, {_age(self.to, now)} until now")
        elif of.newest_at:
            found.append(
                f"  missing in it: every write after the last segment, which arrived {_age(of.newest_at, now)} ago "
                f"({stamp(of.newest_at)})"
            )
        found.append(self._time())
        return found + [f"  warning: {one}" for one in self.warnings(now)]

    def _time(self) -> str:
        if self.seconds is None or self.speed is None:
            return "  time: not known: no drill was good yet"
        return f"  time: about {span(self.seconds)}, at {self.speed / _MIB:,.1f} MiB/s, as in the last good drill"

    def warnings(self, now: datetime) -> list[str]:
        """What people should know before they agree."""
        of, found = self.survey, list[str]()
        if of.newest_at and (now - of.newest_at).total_seconds() - of.ahead_seconds < _FRESH_SECONDS:
            found.append(
                "a segment arrived within the last two minutes. If the lost host still runs, stop it: two servers that "
                "write one history make it worthless"
            )
        if abs(of.ahead_seconds) > _SKEW_SECONDS:
            which = "ahead of" if of.ahead_seconds > 0 else "behind"
            found.append(
                f"the clock of the host is {span(abs(of.ahead_seconds))} {which} that of the store: set it before you "
                "name a moment"
            )
        if of.system is None:
            found.append("nothing in the bucket says of which database it is: its first backup was never completed")
        return found


def planned(name: str, database: str, to: datetime | None, survey: Survey) -> Plan:
    """The plan of one database. Raises UsageError where the bucket cannot give it."""
    if survey.problems:
        raise UsageError(*(f"{name}: {in_options(one)}" for one in survey.problems))
    if survey.free_bytes < survey.needed_bytes + FULL_BYTES:
        needed = (survey.needed_bytes + FULL_BYTES) // _MIB
        raise UsageError(
            f"{name}: the disk of the database has {survey.free_bytes // _MIB:,} MiB free, and the recovery needs "
            f"about {needed:,} MiB: add disk. Nothing was restored"
        )
    drills = ledger.parsed(survey.drills)
    speed = ledger.bytes_per_second(drills)
    size = (survey.base or {}).get("size_bytes") or 0
    seconds = size / speed if speed else None
    return Plan(name=name, database=database, to=to, survey=survey, seconds=seconds, speed=speed)


def refuse_other_major(name: str, survey: Survey, printed: str) -> None:
    """Raise UsageError where the server's image (what `postgres --version` printed in it) has another major version
    than the server that made the base backup: its files would not start."""
    has = re.search(r"\b(\d+)(?:\.\d+|beta|rc|devel)", printed)
    if has and survey.major and int(has[1]) != survey.major:
        raise UsageError(
            f"{name}: the base backup is of PostgreSQL {survey.major}, and the image of the configuration has "
            f"PostgreSQL {has[1]}, which does not start on its files. Recover with an image of {survey.major}, and "
            "upgrade afterwards. Nothing was restored"
        )


def _age(since: datetime, now: datetime) -> str:
    return span(max(0.0, (now - since).total_seconds()))
