"""Servers of a database on a Docker host of which one is the primary: what is known of them, and what a promotion is
allowed to do. Pure, and alike for every engine."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Any

from tierstack.database.args import DatabaseWithReplicasArgs


@dataclass(frozen=True, kw_only=True)
class Server:
    """A server: its name as a standby, its container and the volume of its data, all of which stay the same whoever is
    the primary."""

    name: str
    container: str
    volume: str


@dataclass(frozen=True, kw_only=True)
class Servers:
    """What `tierstack database` needs to know of a database, as its component's output `servers` has it."""

    docker_host: str | None
    """Address of the daemon. None: that of the environment."""
    engine: str
    """The value of a `DatabaseEngine`."""
    database: str
    endpoint: str
    """Host that follows the primary."""
    pooler: str
    """Container of the pooler."""
    tls: str
    synchronous: bool
    servers: list[Server]

    @staticmethod
    def described(name: str, args: DatabaseWithReplicasArgs) -> str:
        """Those of the database `name`, as text. Empty where no standby can be promoted."""
        if not args.proxied:
            return ""
        first, platform = f"{args.platform.name}-{name}", args.platform
        servers = [Server(name="primary", container=f"{first}-primary", volume=f"{first}-data")]
        for number in range(1, args.size().replicas + 1):
            container = f"{first}-replica-{number}"
            servers.append(Server(name=f"replica_{number}", container=container, volume=f"{container}-data"))
        return json.dumps(
            asdict(
                Servers(
                    docker_host=platform.docker_host,
                    engine=args.engine.value,
                    database=args.database,
                    endpoint=f"{name}-rw",
                    pooler=f"{first}-pooler",
                    tls=args.tls.value,
                    synchronous=args.synchronous,
                    servers=servers,
                )
            ),
            sort_keys=True,
        )

    @staticmethod
    def parsed(text: str) -> "Servers":
        """The output, read again."""
        values: dict[str, Any] = json.loads(text)
        values["servers"] = [Server(**one) for one in values["servers"]]
        return Servers(**values)


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What is known of a server at a moment."""

    server: Server
    running: bool = False
    """Whether its container runs."""
    answers: bool = False
    """Whether the server in it answers."""
    holds_data: bool = True
    primary: bool = False
    """Whether it is the primary: one that runs says so, of one that does not its files do."""
    at: int = 0
    """Where its log ends, in the engine's `unit`: what it has on disk of it."""
    replayed: int = 0
    timeline: int = 0
    """Grows by one with each promotion that it knows of."""
    history: str = ""
    """Each transaction that it has on disk, where the engine gives them names: a set of GTIDs."""
    identity: str = ""
    """By what those that it made itself are known."""
    own: str = ""
    """Transactions that it has and the primary lacks, where the engine gives them names."""
    streams: bool = False
    """Whether it receives the primary's log."""
    lag_seconds: float = 0.0
    paused: bool = False
    """Whether its replay is paused."""
    clean: bool = False
    """Whether it was stopped in order, so that its log has an end that is known."""
    fenced_for: str = ""
    """Who was promoted in its place, while it does not follow yet. Empty: nobody."""

    @property
    def name(self) -> str:
        """What people call it: its container."""
        return self.server.container


@dataclass(frozen=True, kw_only=True)
class Lost:
    """Transactions that a server has and the one that is promoted lacks."""

    transactions: int | None
    """None: nobody can say."""
    first: datetime | None = None
    last: datetime | None = None
    names: str = ""
    """Where the engine gives them names: a set of GTIDs."""

    @property
    def described(self) -> str:
        """For people."""
        if self.transactions is None:
            return "not known, because the log of the old primary cannot be read"
        if not self.transactions:
            return "nothing"
        when = f", committed {self.first:%H:%M:%S} to {self.last:%H:%M:%S} UTC" if self.first and self.last else ""
        named = f" ({self.names})" if self.names else ""
        return f"{self.transactions} {'transaction' if self.transactions == 1 else 'transactions'}{when}{named}"


NOTHING = Lost(transactions=0)


class RefusedError(Exception):
    """A promotion that would do harm; the text says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A promotion before it is carried out."""

    target: Seen
    """Who is promoted."""
    old: Seen | None
    """The primary of before, which is fenced. None: it is fenced, or its data is gone."""
    seen: Sequence[Seen]
    unit: str
    """In which a log is measured."""
    planned: bool
    """Whether the old primary answers, so that it can be shut down in order and nothing is lost."""
    finishing: bool = False
    """Whether the target is the primary already, and only the rest of an interrupted promotion is to be done."""
    lost: Lost = field(default=NOTHING)

    def lines(self) -> list[str]:
        """The plan for people."""
        shown = state_lines(self.seen, self.unit)
        if self.finishing:
            return [*shown, f"{self.target.name} is the primary; what an interrupted promotion left is finished"]
        stopped = f"{self.old.name} is stopped, and can come back only as a standby" if self.old else ""
        how = "writes wait meanwhile, for some seconds" if self.planned else "there are no writes until then"
        after = f"{self.old.name} follows it" if self.old and self.planned else ""
        return [
            *shown,
            f"promote {self.target.name}: {how}",
            *([stopped] if stopped else []),
            f"lost: {self.lost.described}",
            *([f"afterwards: {after}"] if after else []),
        ]


def state_lines(seen: Sequence[Seen], unit: str) -> list[str]:
    """What each server is, for people. `unit`: in which its log is measured."""
    primary = next((one for one in seen if one.primary and one.answers), None)
    return [f"{one.name}: {_described(one, primary, unit)}" for one in seen]


def _described(one: Seen, primary: Seen | None, unit: str) -> str:
    if not one.holds_data:
        return "has no data"
    role = "primary" if one.primary else "standby"
    if not one.running:
        return f"{role}, not running" + (f", fenced when {one.fenced_for} was promoted" if one.fenced_for else "")
    if not one.answers:
        return f"{role}, runs and does not answer"
    if one.primary:
        return "primary"
    behind = f", {max(0, primary.at - one.at):,} {unit} and {one.lag_seconds:.1f} s behind" if primary else ""
    own = f", has transactions that {primary.name} lacks: {one.own}" if primary and one.own else ""
    paused = ", replay paused" if one.paused else ""
    return f"standby, {'streams' if one.streams else 'does not stream'}{behind}{paused}{own}"


def named(servers: Sequence[Server], name: str) -> Server:
    """The server that is called `name`: by its container, or the end of its name. Raises RefusedError."""
    for one in servers:
        if name in (one.container, one.name) or one.container.endswith(f"-{name}"):
            return one
    names = ", ".join(f"`{one.container}`" for one in servers)
    raise RefusedError(f"there is no server `{name}`: write one of {names}")


def plan(seen: Sequence[Seen], to: str | None, unit: str = "bytes") -> Plan:
    """Who is to be promoted, and what happens to the others. What would be lost is not known yet. `unit`: in which a
    log is measured.

    Raises RefusedError where there is nobody to promote, or more than one primary.
    """
    primaries = [one for one in seen if one.primary and one.answers]
    if len(primaries) > 1:
        shown = ", ".join(f"{one.name} (timeline {one.timeline})" for one in primaries)
        newest = max(primaries, key=lambda one: one.timeline)
        others = " ".join(one.name for one in primaries if one is not newest)
        raise RefusedError(
            f"several servers are primary: {shown}. No write is let through until one is left. Stop the others "
            f"(`docker stop {others}`), and run this again with `--to {newest.name}`"
        )
    by_server = {one.server: one for one in seen}
    wanted = by_server[named([one.server for one in seen], to)] if to else None
    current = primaries[0] if primaries else None
    waiting = [one for one in seen if one.fenced_for]
    begun = current and any(one.fenced_for == current.server.name for one in waiting)
    if current and (wanted is current or (wanted is None and begun)):
        old = _waiting(waiting, current)
        return Plan(target=current, old=old, seen=seen, unit=unit, planned=True, finishing=True)
    standbys = [one for one in seen if one.answers and not one.primary]
    target = wanted or _best(standbys, waiting, running=current is not None)
    if target is None:
        raise RefusedError(_nobody(seen))
    if not target.answers:
        raise RefusedError(f"{target.name} does not run, or does not answer. Start it: docker start {target.name}")
    if current:
        if not target.streams:
            raise RefusedError(
                f"{target.name} does not stream from {current.name}, so it lacks what that has. See `docker logs "
                f"{target.name}`; `tierstack database rejoin --server {target.name}` copies the primary anew"
            )
        if target.own:
            raise RefusedError(
                f"{target.name} has transactions that {current.name} lacks ({target.own}), so its data is another. "
                f"To give them up: tierstack database rejoin --server {target.name} --replace-data"
            )
        return Plan(target=target, old=current, seen=seen, unit=unit, planned=True)
    best = max(standbys, key=_progress)
    if _progress(best) > _progress(target):
        raise RefusedError(
            f"{best.name} (timeline {best.timeline}, {best.at:,} {unit}) has more of the log than {target.name} "
            f"(timeline {target.timeline}, {target.at:,} {unit}). Promote it: --to {best.name}"
        )
    old = next((one for one in seen if one.primary and one is not target), None) or _waiting(waiting, target)
    return Plan(target=target, old=old, seen=seen, unit=unit, planned=False)


def _waiting(waiting: Sequence[Seen], current: Seen) -> Seen | None:
    return next((one for one in waiting if one.server != current.server), None)


def _best(standbys: Sequence[Seen], waiting: Sequence[Seen], *, running: bool) -> Seen | None:
    """`running`: whether there is a primary; without one a stream is what is left of it."""
    begun = [one for one in standbys if any(fenced.fenced_for == one.server.name for fenced in waiting)]
    streaming = [one for one in standbys if one.streams and not one.own and running]
    return max(begun or streaming or standbys, key=_progress, default=None)


def _progress(one: Seen) -> tuple[int, int]:
    """Each promotion begins a timeline; a server that stayed on an older one may have more bytes, and lacks data."""
    return one.timeline, one.at


def _nobody(seen: Sequence[Seen]) -> str:
    stopped = [one.name for one in seen if not one.running and not one.primary and one.holds_data]
    hint = f"Start one: docker start {' '.join(stopped)}" if stopped else "A restore is left: `tierstack restore`"
    return f"no standby answers, so none can be promoted. {hint}"


def judged(plan: Plan, lost: Lost, *, accept_loss: bool) -> Plan:
    """The plan with what would be lost. Raises RefusedError where that is something, and nobody has accepted it."""
    if lost.transactions != 0 and not accept_loss:
        old = f" `docker start {plan.old.name}` brings them back, if it starts." if plan.old else ""
        raise RefusedError(
            f"{plan.target.name} lacks data that was acknowledged. Lost would be: {lost.described}.{old} To promote it "
            "all the same: --accept-loss"
        )
    return replace(plan, lost=lost)


Command = list[str]
Steps = Sequence[tuple[str, Command]]


class StandbyEngine(ABC):
    """How an engine is asked and told. The methods return commands for the host of the database."""

    title: str
    unit: str
    """In which `Seen.at` is measured."""

    @abstractmethod
    def question(self) -> Command:
        """Command in the container of a running server; what it prints is for `answer`."""

    def ask(self, container: str) -> Command:
        """Ask a running server."""
        return ["docker", "exec", container, *self.question()]

    @abstractmethod
    def answer(self, printed: str, seen: Seen) -> Seen:
        """What a running server has said."""

    def compared(self, seen: Sequence[Seen]) -> list[Seen]:
        """The servers, with what each has and the primary lacks (`Seen.own`), where the engine can say."""
        return list(seen)

    @abstractmethod
    def look(self, image: str, volume: str) -> Command:
        """Look at the files of a server that does not answer."""

    @abstractmethod
    def found(self, printed: str, seen: Seen) -> Seen:
        """What its files say."""

    @abstractmethod
    def read_log(self, image: str, old: Seen, target: Seen) -> Command:
        """Read what the old primary's log has and the target may lack."""

    @abstractmethod
    def lost(self, printed: str, target: Seen) -> Lost:
        """What the target lacks of it."""

    @abstractmethod
    def fence(self, image: str, old: Server, target: Server) -> Command:
        """Make sure that a server which is stopped comes back as a standby only, and say for whom."""

    @abstractmethod
    def unfence(self, image: str, old: Server) -> Command:
        """Let it be the primary again."""

    @abstractmethod
    def forget_fence(self, container: str) -> Command:
        """Take the marker from a server that runs."""

    @abstractmethod
    def prepare(self, target: Server, others: Sequence[Server]) -> Steps:
        """Let the server that is to be promoted keep its log for the others."""

    @abstractmethod
    def unprepare(self, target: Server, others: Sequence[Server]) -> Steps:
        """Let it keep no log for them any more: it was not promoted."""

    @abstractmethod
    def promote(self, target: Server) -> Command:
        """Promote a standby; it need not be the primary at once."""

    @abstractmethod
    def settle(self, target: Server) -> Command:
        """Bring what updates change beside the data, such as roles, up to date on the new primary."""

    @abstractmethod
    def write(self, servers: Servers, target: Server) -> Command:
        """Write something on the target, and print who answers at the endpoint of the primary."""

    @abstractmethod
    def clients(self, container: str) -> Command:
        """Print how many clients are connected, without those that tierstack has itself."""

    @abstractmethod
    def rejoin(self, image: str, server: Server) -> Command:
        """Let a stopped server give up its data for the primary's when it starts."""

    @abstractmethod
    def hold(self, pooler: str, old: Server, seconds: int) -> Steps:
        """Let clients wait, in the pooler or before the primary `old`; after `seconds` they go on by themselves."""

    @abstractmethod
    def quiesce(self, old: Server, target: Server) -> Steps:
        """Let the primary take no writes, and wait until the target has received its log; undone by `let_go`, and by
        itself as `hold` is. None where a shutdown in order does the same."""

    @abstractmethod
    def let_go(self, pooler: str, old: Server | None) -> Steps:
        """Let clients go on, and `old` take writes where it is still the primary. None: there was none."""


def from_mapping(values: Mapping[str, Any], seen: Seen) -> Seen:
    """`seen` with what a server said of itself, by the names of the fields."""
    return replace(seen, answers=True, **values)
