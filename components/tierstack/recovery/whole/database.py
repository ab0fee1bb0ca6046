"""The recovery of one database: what its volume has, and the steps from there. It goes on wherever it was killed."""

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from tierstack.backup_schedule import recover, restore
from tierstack.backup_schedule.status import stamp
from tierstack.engine.project import UsageError
from tierstack.recovery import restoring
from tierstack.recovery.files import follow
from tierstack.recovery.found import Backups, now
from tierstack.recovery.host import CommandError, Host
from tierstack.recovery.restoring import Tell
from tierstack.recovery.whole.lost import LostDatabase
from tierstack.recovery.whole.survey import Plan, Survey, planned, refuse_other_major

_NEVER_REACHED = "recovery ended before configured recovery target was reached"
"""What PostgreSQL says where no commit follows the moment: then it does not know whether that is all."""
_FACTS = (
    "SELECT json_build_object('system', (SELECT system_identifier::text FROM pg_control_system()), "
    "'timeline', (SELECT timeline_id FROM pg_control_checkpoint()), "
    "'size_bytes', (SELECT sum(pg_database_size(oid)) FROM pg_database))"
)
_EXTENSIONS = (
    "SELECT extname FROM pg_extension WHERE extname NOT IN (SELECT name FROM pg_available_extensions) ORDER BY extname"
)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """What the recovery notes beside the data that it brought."""

    to: str | None
    """The moment that was asked for."""
    base: str
    """The base backup."""
    newest_of: dict[str, str]
    """The newest segment of each timeline that the bucket had."""
    newest_at: str | None
    """When the log had last arrived there."""
    timeline: int
    """That of the recovered database."""
    at: str
    """When it was recovered."""
    size_bytes: int
    """Of all its databases."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """What the volume of a database has."""

    data: bool
    before: bool
    mark: Mark | None


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """How the recovery of a database went."""

    name: str
    mark: Mark
    seconds: float | None
    """From the first command to the data in its place. None: an earlier run had done it."""

    def as_entry(self) -> dict[str, Any]:
        """For machines."""
        size, seconds = self.mark.size_bytes, self.seconds
        speed = round(size / seconds) if seconds else None
        return {"name": self.name, "seconds": seconds, "bytes_per_second": speed, **asdict(self.mark)}


class Recovery:
    """The recovery of one database on a host."""

    def __init__(self, of: LostDatabase, host: Host, to: datetime | None, *, replace: bool) -> None:
        """`replace`: data that is there may be replaced."""
        self.of, self.host, self.to, self.replace = of, host, to, replace

    @property
    def time(self) -> str | None:
        """The moment as the commands take it."""
        return self.to.isoformat().replace("+00:00", "Z") if self.to else None

    def held(self) -> Held:
        """What the volume has now."""
        self._end_containers()
        said = self.host.run(recover.held(self.of.source, volume=self.of.volume, aside=self.of.aside)).splitlines()
        mark = next((Mark(**json.loads(one)) for one in said if one.startswith("{")), None)
        return Held(data="pgdata" in said, before="before" in said, mark=mark)

    def _end_containers(self) -> None:
        """What an interrupted run left goes on when its client is killed."""
        self.host.succeeds(["docker", "rm", "--force", self.of.aside, f"{self.of.aside}-ledger"])

    def look(self) -> Survey:
        """What the bucket has."""
        command = recover.look(self.of.source, volume=self.of.volume, aside=self.of.aside, time=self.time)
        return Survey.parsed(self.host.run(command))

    def planned(self, survey: Survey) -> Plan:
        """What will be done. Raises UsageError where it cannot be."""
        plan = planned(self.of.name, self.of.at.database, self.to, survey)
        version = self.host.run(["docker", "run", "--rm", "--network", "none", self.of.image, "postgres", "--version"])
        refuse_other_major(self.of.name, survey, version)
        return plan

    def is_done(self) -> tuple[bool, Held]:
        """Whether an earlier run has brought the data back, and what the volume has. Raises UsageError where that is
        other data, or that of another moment, which is only replaced when told."""
        held = self.held()
        if self.replace and held.before and held.data and not self._same(held):
            raise UsageError(
                f"{self.of.name}: the volume {self.of.volume} holds `pgdata.before`, what an earlier restore replaced. "
                f"Nothing was changed. When nobody needs it: docker run --rm -v {self.of.volume}:/data --user 26:26 "
                f"{self.of.image} rm -r /data/pgdata.before"
            )
        if not held.data or (self.replace and not self._same(held)):
            return False, held
        if held.mark is None:
            raise UsageError(
                f"{self.of.name}: the volume {self.of.volume} holds a database. Nothing was changed. To replace its "
                "data: --replace-data. It is kept as `pgdata.before`"
            )
        if not self._same(held):
            was = f"to {held.mark.to}" if held.mark.to else "to the last write"
            raise UsageError(
                f"{self.of.name}: was recovered {was} at {held.mark.at}. Nothing was changed. To recover it again, to "
                "another moment: --replace-data"
            )
        return True, held

    def _same(self, held: Held) -> bool:
        return held.mark is not None and held.mark.to == self.time

    def carry_out(self, survey: Survey, held: Held, tell: Tell) -> Recovered:
        """Bring the data back. Raises CommandError, and UsageError where the server lacks what the data needs."""
        began, of = time.monotonic(), self.of
        self._end_containers()
        steps = recover.restoring(of.source, volume=of.volume, aside=of.aside, image=of.image, time=self.time)
        count = len(steps) + 5 + held.data
        number = 0

        def step(what: str, work: Callable[[], object]) -> None:
            nonlocal number
            number, begun = number + 1, time.monotonic()
            work()
            tell(f"  {number}/{count} {what}: {time.monotonic() - begun:.1f} s")

        if held.data:
            step("remove the containers of the database that is replaced", self._stop_servers)
        for one in steps:
            before = "      " if one.what == restore.RESTORE else None
            step(one.what, lambda one=one, before=before: follow(self.host, one.command, before, tell))
        beside = Backups(of.at, self.host)
        step("replay the write-ahead log", lambda: self._replay(beside))
        self._refuse_missing_extensions()
        facts = json.loads(self._asked(_FACTS))
        if survey.system and facts["system"] != survey.system:
            raise UsageError(
                f"{of.name}: the base backup is of the database system {facts['system']}, and the bucket says that its "
                f"backups are of {survey.system}. Nothing was put in place"
            )
        assert survey.base is not None  # else it was not planned
        mark = Mark(
            to=self.time,
            base=survey.base["id"],
            newest_of=dict(survey.newest_of),
            newest_at=stamp(survey.newest_at) if survey.newest_at else None,
            timeline=facts["timeline"],
            at=stamp(now()),
            size_bytes=int(facts["size_bytes"]),
        )
        catalog = recover.catalog(of.source, aside=f"{of.aside}-ledger")
        step("bring the ledger of drills back", lambda: self.host.run(catalog, survey.drills))
        for one in recover.putting(of.source, volume=of.volume, aside=of.aside, mark=json.dumps(asdict(mark))):
            step(one.what, lambda one=one: self.host.run(one.command))
        return Recovered(name=of.name, mark=mark, seconds=round(time.monotonic() - began, 1))

    def _replay(self, beside: Backups) -> None:
        try:
            restoring.await_ready(beside, self.of.aside)
        except CommandError as error:
            if _NEVER_REACHED not in str(error):
                raise
            raise UsageError(
                f"{self.of.name}: nothing was written after {self.time}: recover without --to, which brings back the "
                "same. Nothing was put in place"
            ) from None

    def _stop_servers(self) -> None:
        """Remove what runs on the data that is replaced, and on copies of it; the update makes it again."""
        of = self.of
        prefix = of.volume.removesuffix("-data")
        copies = {one: f"{one}-recover" for one in of.copies}
        for name in (of.at.agent, *(one.removesuffix("-data") for one in of.copies), f"{prefix}-primary"):
            self.host.succeeds(["docker", "stop", name])
            self.host.succeeds(["docker", "rm", "--force", name])
        for volume, aside in copies.items():
            self.host.run(recover.setting_aside(of.source, volume=volume, aside=aside))

    def _asked(self, statement: str, database: str = "postgres") -> str:
        return self.host.run(restore.query(self.of.aside, database, statement))

    def _refuse_missing_extensions(self) -> None:
        """Raise UsageError where the data has extensions that the image has not: whatever uses them would fail, and
        the server may not even start with them in `shared_preload_libraries`."""
        there = self._asked("SELECT datname FROM pg_database WHERE datallowconn AND datname <> 'template1'").split("\n")
        found = {one for name in there if name for one in self._asked(_EXTENSIONS, name).split()}
        if found:
            raise UsageError(
                f"{self.of.name}: the database has extensions that the image of the configuration has not: "
                f"{', '.join(sorted(found))}. Recover with an image that has them. Nothing was put in place"
            )


def refuse_other_writer(name: str, survey: Survey, mark: Mark) -> None:
    """Raise UsageError where the lost host still writes: its agent has sent a segment since, and nothing of the new
    host does yet."""
    if later := survey.later_than(mark.newest_of, mark.timeline):
        raise UsageError(
            f"{name}: segment {later} arrived in the bucket while it was recovered, and nothing here writes there: the "
            "lost host still runs. Stop it, and recover again with --replace-data. Nothing was started"
        )
