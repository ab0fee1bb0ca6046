"""A promotion on a Docker host: what its servers are, and the steps, each of which a second call finds done or does
again."""

import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.database.standby import (
    Lost,
    Plan,
    RefusedError,
    Seen,
    Server,
    Servers,
    StandbyEngine,
    Steps,
    judged,
    named,
    plan,
)
from tierstack.database.standbys import STANDBY_ENGINES
from tierstack.engine.project import UsageError
from tierstack.recovery import in_state, signals
from tierstack.recovery.host import CommandError, Host

TYPE = "tierstack:index:DatabaseWithReplicas"
STOP_SECONDS = 60
"""How long a server may take to shut down in order; it writes a checkpoint then."""
LEAVE_SECONDS = 10
"""How long transactions under way may take to end; then they are ended."""
HOLD_SECONDS = 120
"""After how long waiting clients go on, whatever became of the command."""
CATCH_UP_SECONDS = 60
"""How long a standby may take to receive the rest of the log of a primary that was shut down."""
PROMOTE_SECONDS = 600
"""How long it may take to replay what it received; then the command says so, and the server goes on."""
REJOIN_SECONDS = 7200
"""How long a server may take to copy the primary."""
Tell = Callable[[str], None]


def servers_of(held: Sequence[Mapping[str, Any]], stack: str, name: str | None) -> tuple[str, Servers]:
    """Name and servers of the database that is meant: that called `name`, else the only one.

    Raises UsageError where there is none whose standbys can be promoted.
    """
    found = {called: str(outputs.get("servers") or "") for called, outputs in in_state.components(held, TYPE).items()}
    if not found:
        raise UsageError(f"{stack} has no database")
    if name is None and len(found) > 1:
        raise UsageError(f"{stack} has several databases: {in_state.listed(found)}. Name one")
    chosen = name or next(iter(found))
    in_state.refuse_unknown(stack, "database", chosen, found)
    if not found[chosen]:
        raise UsageError(
            f"`{chosen}` has no standby that this command can promote. On a Docker host, write the tier `1M`, "
            "`replicas` and an image of HAProxy (`images.haproxy` in a stack, `proxy_image` in a program), and run "
            "`tierstack up`. On Kubernetes the operator promotes"
        )
    return chosen, Servers.parsed(found[chosen])


@dataclass(frozen=True)
class Database:
    """The servers of a database on their host."""

    servers: Servers
    host: Host

    @property
    def engine(self) -> StandbyEngine:
        """How they are asked."""
        return STANDBY_ENGINES[self.servers.engine]

    def image(self) -> str:
        """The image of a server, with which its files are looked at."""
        for one in self.servers.servers:
            with contextlib.suppress(CommandError):
                return self.host.run(["docker", "inspect", "--format", "{{.Image}}", one.container]).strip()
        raise CommandError("no container of the database is there: `tierstack up` makes them")

    def look(self) -> list[Seen]:
        """What each server is now."""
        return self.engine.compared([self.see(one) for one in self.servers.servers])

    def see(self, server: Server) -> Seen:
        """What a server is now: it says so itself, or its files do."""
        seen = Seen(server=server, running=self._runs(server))
        if seen.running:
            with contextlib.suppress(CommandError):
                return self.engine.answer(self.host.run(self.engine.ask(server.container)), seen)
        if not self.host.succeeds(["docker", "volume", "inspect", server.volume]):
            return Seen(server=server, running=seen.running, holds_data=False)
        return self.engine.found(self.host.run(self.engine.look(self.image(), server.volume)), seen)

    def _runs(self, server: Server) -> bool:
        inspect = ["docker", "inspect", "--format", "{{.State.Status}}", server.container]
        with contextlib.suppress(CommandError):
            return self.host.run(inspect).strip() in ("running", "restarting", "paused")
        return False

    def exists(self, server: Server) -> bool:
        """Whether its container is there."""
        return self.host.succeeds(["docker", "inspect", server.container])

    def loss(self, old: Seen | None, target: Seen) -> Lost:
        """What the old primary's log has and the target lacks."""
        if old is None or not old.holds_data:
            return Lost(transactions=None)
        return self.engine.lost(self.host.run(self.engine.read_log(self.image(), old, target)), target)


@dataclass(kw_only=True)
class Result:
    """What a promotion did."""

    primary: str
    lost: Lost
    paused_seconds: float | None = None
    """How long nothing could be written, from the moment the old primary was told to stop. None: it was gone before."""
    seconds: float = 0
    following: list[str]
    """Standbys that stream from the new primary."""
    left: list[str]
    """Servers that do not, and need `tierstack database rejoin`."""


def planned(database: Database, to: str | None, *, accept_loss: bool) -> Plan:
    """What a promotion would do. Raises UsageError where it would do harm."""
    try:
        found = plan(database.look(), to, database.engine.unit)
        if found.planned or found.finishing:
            return found
        return judged(found, database.loss(found.old, found.target), accept_loss=accept_loss)
    except RefusedError as error:
        raise UsageError(str(error)) from None


def promote(database: Database, found: Plan, tell: Tell, *, accept_loss: bool) -> Result:
    """Carry the plan out. What fails or is interrupted before the promotion is taken back; after it, it goes on."""
    began = time.monotonic()
    steps = _Steps(database, found, tell, accept_loss)
    lost, paused = found.lost, None
    if not found.finishing:
        with signals.ending_as_interrupts():
            try:
                lost = steps.before()
            except BaseException:
                with signals.held_back():
                    steps.take_back()
                raise
        with signals.held_back():
            steps.promote()
    with signals.held_back():
        steps.after()
    paused = None if found.finishing or not found.planned else steps.paused()
    with signals.ending_as_interrupts():
        following, left = steps.follow(lost)
    seconds = round(time.monotonic() - began, 1)
    name = found.target.name
    return Result(primary=name, lost=lost, paused_seconds=paused, seconds=seconds, following=following, left=left)


class _Steps:
    def __init__(self, database: Database, found: Plan, tell: Tell, accept_loss: bool) -> None:
        self.database, self.found, self.tell, self.accept_loss = database, found, tell, accept_loss
        self.host, self.engine, self.image = database.host, database.engine, database.image()
        self.target, self.old = found.target.server, found.old
        self._others = [one for one in database.servers.servers if one != self.target]
        self._stopped_at = self._writes_at = 0.0
        self._fenced = self._stopped = False

    def before(self) -> Lost:
        """All that is done before the promotion, and can be taken back; what it will lose."""
        self._all(self.engine.prepare(self.target, self._others))
        self.host.run(self.engine.forget_fence(self.target.container))
        if self.found.planned:
            self._hold()
        lost = self._fence() if self.old else self.found.lost
        if lost.transactions != 0:
            judged(self.found, lost, accept_loss=self.accept_loss)
        return lost

    def _hold(self) -> None:
        """Clients wait in the pooler, so that no transaction of theirs is ended in the middle."""
        assert self.old
        pooler = self.database.servers.pooler
        self._stopped_at = time.monotonic()
        for what, command in self.engine.hold(pooler, self.old.server, HOLD_SECONDS):
            with contextlib.suppress(CommandError):  # without a pooler nobody waits
                self._do(what, command)
        counted = self.engine.clients(self.old.server.container)
        deadline = time.monotonic() + LEAVE_SECONDS
        while int(self.host.run(counted)) and time.monotonic() < deadline:
            time.sleep(0.1)
        self._all(self.engine.quiesce(self.old.server, self.target))

    def _fence(self) -> Lost:
        old = self.old
        assert old
        if self.database.exists(old.server):
            self._stopped = self.found.planned
            stop = ["docker", "stop", "--time", str(STOP_SECONDS), old.name]
            self._do(f"{old.name} is stopped", stop)
        if not old.holds_data:
            return self.found.lost
        lost = self._lacking()
        self._fenced = True
        self._do(f"{old.name} is fenced", self.engine.fence(self.image, old.server, self.target))
        return lost

    def _lacking(self) -> Lost:
        """What the target lacks once the old primary is down; of one that was shut down in order, nothing."""
        assert self.old
        old = self.database.see(self.old.server)
        if old.running:
            raise CommandError(f"{old.name} runs again: something else has started it")
        self.old = old
        deadline = time.monotonic() + (CATCH_UP_SECONDS if self.found.planned else 0)
        while True:
            lost = self.database.loss(old, self.database.see(self.target))
            if lost.transactions == 0 or time.monotonic() >= deadline:
                break
            time.sleep(0.2)
        if self.found.planned and lost.transactions != 0:
            raise CommandError(
                f"{self.target.container} did not receive the rest of the log within {CATCH_UP_SECONDS} s, so nothing "
                "was promoted. See its log, and try again"
            )
        return lost

    def take_back(self) -> None:
        """Bring the old primary back; who listens may be gone already."""
        with contextlib.suppress(OSError):
            self.tell("  it failed before the promotion: everything goes back")
        old, host = self.old, self.host
        if old and self.found.planned:
            if self._fenced and not host.succeeds(self.engine.unfence(self.image, old.server)):
                self.tell(f"  {old.name} is still fenced: run `tierstack database promote` again")
            if self._stopped:
                host.succeeds(["docker", "start", old.name])
        for _, command in self.engine.unprepare(self.target, self._others):
            host.succeeds(command)
        self._go_on()

    def promote(self) -> None:
        """Promote, and wait until it is the primary."""
        self._do(f"{self.target.container} is promoted", self.engine.promote(self.target))
        self._until(
            lambda: self.database.see(self.target).primary,
            PROMOTE_SECONDS,
            f"{self.target.container} still replays its log. Run `tierstack database promote` again later: it goes on",
        )

    def after(self) -> None:
        """Wait until the endpoint leads to the new primary and takes writes, then do what clients need not wait for."""
        write = self.engine.write(self.database.servers, self.target)

        def reached() -> bool:
            with contextlib.suppress(CommandError):
                return self.host.run(write).strip() == self.target.name
            return False

        began = time.monotonic()
        self._until(reached, 60, f"the endpoint {self.database.servers.endpoint} does not lead to the new primary yet")
        self.tell(f"  writes are accepted: {time.monotonic() - began:.1f} s")
        self._go_on()
        self._writes_at = time.monotonic()
        self._do("roles are brought up to date", self.engine.settle(self.target))
        for _, command in self.engine.prepare(self.target, self._others):
            self.host.run(command)

    def paused(self) -> float:
        """For how long clients waited."""
        return round(self._writes_at - self._stopped_at, 1)

    def follow(self, lost: Lost) -> tuple[list[str], list[str]]:
        """Start the old primary, which is fenced; who streams then, and who does not."""
        if self.old and self.database.exists(self.old.server) and not self.database.see(self.old.server).running:
            self._do(f"{self.old.name} is started as a standby", ["docker", "start", self.old.name])
        began = time.monotonic()
        waiting, following = list(self._others), list[Server]()
        while waiting and time.monotonic() - began < CATCH_UP_SECONDS:
            for one in [one for one in waiting if self.database.see(one).streams]:
                self.host.run(self.engine.forget_fence(one.container))
                waiting.remove(one)
                following.append(one)
            # What only it has keeps the old primary from following; others that do not run are not started.
            diverged = lost.transactions != 0
            if all(not self.database.see(one).running or (diverged and self._is_old(one)) for one in waiting):
                break
            time.sleep(0.5)
        return [one.container for one in following], [one.container for one in waiting]

    def _is_old(self, server: Server) -> bool:
        return self.old is not None and server == self.old.server

    def _go_on(self) -> None:
        # Always: a command that was killed may have left clients waiting.
        for _, command in self.engine.let_go(self.database.servers.pooler, self.old.server if self.old else None):
            self.host.succeeds(command)

    def _all(self, steps: Steps) -> None:
        for what, command in steps:
            self._do(what, command)

    def _do(self, what: str, command: Sequence[str]) -> None:
        began = time.monotonic()
        self.host.run(command)
        self.tell(f"  {what}: {time.monotonic() - began:.1f} s")

    def _until(self, done: Callable[[], bool], seconds: float, otherwise: str) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            if time.monotonic() >= deadline:
                raise CommandError(otherwise)
            time.sleep(0.1)


def rejoin(database: Database, server: str, tell: Tell) -> float:
    """Let a server follow the primary, with the primary's data in the place of its own; the seconds it took.

    Raises UsageError where there is no primary to follow, or the server is it.
    """
    try:
        one = named(database.servers.servers, server)
    except RefusedError as error:
        raise UsageError(str(error)) from None
    primary = next((seen for seen in database.look() if seen.primary and seen.answers and seen.server != one), None)
    if primary is None:
        raise UsageError(f"no other server than {one.container} is the primary, so there is nothing it could follow")
    began = time.monotonic()
    host, engine = database.host, database.engine
    host.run(["docker", "stop", "--time", str(STOP_SECONDS), one.container])
    host.run(engine.rejoin(database.image(), one))
    for _, command in engine.prepare(primary.server, [one]):
        host.run(command)
    host.run(["docker", "start", one.container])
    tell(f"{one.container} gives up its data for that of {primary.name}")
    while not database.see(one).streams:
        if time.monotonic() - began > REJOIN_SECONDS:
            raise CommandError(f"{one.container} does not stream after {REJOIN_SECONDS} s: see `docker logs`")
        time.sleep(0.5)
    return round(time.monotonic() - began, 1)


def as_entry(stack: str, name: str, result: Result) -> dict[str, Any]:
    """A result for machines."""
    lost = result.lost
    return {
        "stack": stack,
        "database": name,
        "result": "promoted",
        "primary": result.primary,
        "lost_transactions": lost.transactions,
        "lost_from": lost.first.isoformat() if lost.first else None,
        "lost_to": lost.last.isoformat() if lost.last else None,
        "lost_gtids": lost.names or None,
        "paused_seconds": result.paused_seconds,
        "seconds": result.seconds,
        "following": result.following,
        "left": result.left,
    }
