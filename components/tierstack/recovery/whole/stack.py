"""The recovery of a whole stack: what holds data, a plan, the data, everything else. Each step looks first at what is
there, so that a run which was killed goes on where it was."""

import time
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from tierstack.backup_schedule import ledger
from tierstack.engine.project import UsageError
from tierstack.recovery import drill, files, signals
from tierstack.recovery.found import DATABASE, FILES, Backups, now
from tierstack.recovery.host import CommandError, Host
from tierstack.recovery.restoring import Tell
from tierstack.recovery.whole import database, holders, uploads
from tierstack.recovery.whole.database import refuse_other_writer
from tierstack.recovery.whole.lost import Lost, LostDatabase, docker_host, lost, volumes
from tierstack.recovery.whole.survey import Survey


class Engine(holders.Updates, Protocol):
    """The engine, as far as a recovery asks it."""

    def resources(self) -> list[dict[str, Any]]:
        """What the state has."""
        ...


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What was asked for."""

    stack: str
    to: datetime | None = None
    """The moment. None: the last write in the bucket."""
    replace: bool = False
    """Data that is there may be replaced."""
    without: Collection[str] = ()
    """Backups of which nothing comes back."""


@dataclass(kw_only=True)
class Verified:
    """What the running database was found to have after the recovery."""

    name: str
    tables: int | None
    rows: int | None
    rows_in_last_drill: int | None
    """Rows that the last good drill had read."""
    checks: dict[str, bool]
    wrong: list[str]


@dataclass(kw_only=True)
class Result:
    """How a recovery went."""

    steps: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Each with what it did and its seconds."""
    databases: list[database.Recovered] = field(default_factory=list[database.Recovered])
    files: list[uploads.Recovered] = field(default_factory=list[uploads.Recovered])
    empty: list[str] = field(default_factory=list[str])
    verified: list[Verified] = field(default_factory=list[Verified])


class StackRecovery:
    """The recovery of one stack. `make` comes first."""

    def __init__(self, pulumi: Engine, wanted: Wanted, tell: Tell, host: Callable[[str | None], Host] = Host) -> None:
        self.pulumi, self.wanted, self.tell, self._host = pulumi, wanted, tell, host
        self.result = Result()

    @contextmanager
    def step(self, what: str) -> Generator[None]:
        """One step, told with its time when it is over."""
        began = time.monotonic()
        yield
        seconds = round(time.monotonic() - began, 1)
        self.result.steps.append({"what": what, "seconds": seconds})
        self.tell(f"{what}: {seconds:g} s")

    def make(self, *, is_new: bool) -> None:
        """Make what holds and reads data, and find out what there is to recover. Raises UsageError and RunFailedError.

        A state that outlived its host has everything that the host has lost: it is compared with the host first.
        """
        if not is_new:
            with self.step("compare the state with the host"):
                self._make_volumes()
                holders.refresh(self.pulumi)
                self._refuse_data()
        with self.step("make volumes, networks and keys; nothing runs yet"):
            holders.make(self.pulumi)
        self._find()
        self.result.empty = self.lost.empty

    def _make_volumes(self) -> None:
        """Make the volumes of a state that outlived its host, empty: the provider cannot look up one that is gone."""
        held = self.pulumi.resources()
        if not (known := volumes(held)):
            return
        host = self._host(docker_host(held))
        host.check()
        for name, command in known.items():
            if not host.succeeds(["docker", "volume", "inspect", name]):
                host.run(command)

    def _find(self) -> None:
        self.lost: Lost = lost(self.pulumi.resources(), self.wanted.stack, self.wanted.without)
        self.host = self._host(self.lost.docker_host)
        self.host.check()
        to, replace = self.wanted.to, self.wanted.replace
        self.databases = [database.Recovery(one, self.host, to, replace=replace) for one in self.lost.databases]
        self.files = [uploads.Recovery(one, self.host, to, replace=replace) for one in self.lost.files]

    def _refuse_data(self) -> None:
        """Raise UsageError where a stack that runs has data, before even an update touches it."""
        if not any(one["type"] in (DATABASE, FILES) for one in self.pulumi.resources()):
            return
        try:
            self._find()
        except UsageError:  # the state has only a part of it: what is missing is made
            return
        for one in (*self.databases, *self.files):
            one.is_done()

    def look(self) -> list[str]:
        """Look at the backups and at what the host has; the plan in lines. Raises UsageError where it cannot be carried
        out, with nothing changed."""
        self.surveys: dict[str, Survey] = {}
        self.to_do: dict[str, database.Held] = {}
        self.file_plans: dict[str, files.Plan] = {}
        self.files_to_do: set[str] = set()
        at, lines = now(), list[str]()
        with self.step("look at the backups"):
            for one in self.databases:
                done, held = one.is_done()
                self.surveys[one.of.name] = survey = one.look()
                if done:
                    assert held.mark
                    lines.append(f"{one.of.name}: was recovered at {held.mark.at} already")
                    self.result.databases.append(database.Recovered(name=one.of.name, mark=held.mark, seconds=None))
                    continue
                lines += one.planned(survey).lines(at)
                self.to_do[one.of.name] = held
            for one in self.files:
                plan = self.file_plans[one.of.name] = one.planned(at)
                if one.is_done():
                    lines.append(f"{one.of.name}: its files were recovered already")
                    self.result.files.append(one.recovered(plan, None))
                    continue
                lines += one.lines(plan, at)
                self.files_to_do.add(one.of.name)
        lines += [f"comes back empty: {one}" for one in self.lost.empty]
        return lines + [f"comes back empty, as you said: what `{one}` backs up" for one in self.wanted.without]

    def restore(self) -> None:
        """Bring all data back. Raises UsageError and CommandError; what is complete by then stays."""
        with signals.ending_as_interrupts():
            try:
                self._restore()
            except BaseException:  # a step goes on when the client that began it is killed
                with signals.held_back():
                    for one in (*self.databases, *self.files):
                        self.host.succeeds(["docker", "rm", "--force", one.of.aside])
                raise

    def _restore(self) -> None:
        for one in self.databases:
            if one.of.name in self.to_do:
                with self.step(f"recover the database of {one.of.name}"):
                    held = self.to_do[one.of.name]
                    self.result.databases.append(one.carry_out(self.surveys[one.of.name], held, self.tell))
        for one in self.files:
            if one.of.name in self.files_to_do:
                with self.step(f"recover the files of {one.of.name}"):
                    self.result.files.append(one.carry_out(self.file_plans[one.of.name], self.tell))
        with self.step("make sure that nobody else writes to the bucket"):
            marks = {one.name: one.mark for one in self.result.databases}
            for one in self.databases:
                refuse_other_writer(one.of.name, one.look(), marks[one.of.name])

    def verify(self) -> None:
        """Read every table of the databases that run now, and ask what the drills ask."""
        with self.step("read every table"):
            self.result.verified = [self._verified(one.of) for one in self.databases]

    def _verified(self, of: LostDatabase) -> Verified:
        backups = Backups(of.at, self.host)
        found = drill.Result(backups=of.name, database=of.at.database)

        def ask(statement: str) -> str:
            return self.host.run(backups.dialect.client(backups.server, of.at.database), statement)

        try:
            drill.look(found, backups.dialect, ask, of.at, lambda _: True, self.tell)
        except CommandError as error:
            found.unreadable = str(error)
        wrong = [f"check `{name}` is not true" for name, ok in found.checks.items() if not ok]
        wrong += [f"a table cannot be read: {found.unreadable}"] if found.unreadable else []
        drills = [one for one in ledger.parsed(self.surveys[of.name].drills) if one["result"] == ledger.GOOD]
        return Verified(
            name=of.name,
            tables=found.tables,
            rows=found.rows,
            rows_in_last_drill=drills[-1].get("rows") if drills else None,
            checks=found.checks,
            wrong=wrong,
        )
