"""A promotion that is cut off before or after each of its commands: at no moment are there two primaries, and a second
call ends it. The servers are made up; the commands are those of a made-up engine, and of each real one."""

import contextlib
import signal
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tierstack.database.standby import Command, Lost, Seen, Server, Servers, StandbyEngine, Steps
from tierstack.database.standbys import STANDBY_ENGINES
from tierstack.engine.project import UsageError
from tierstack.recovery import promoting
from tierstack.recovery.host import CommandError, Host

pytestmark = pytest.mark.pure

OLD, NEW, THIRD = (Server(name=name, container=f"c-{name}", volume=f"v-{name}") for name in ("old", "new", "third"))


class KilledError(BaseException):
    """The command is gone: nothing of it runs any more."""


@dataclass
class Node:
    """A server of the world."""

    primary: bool
    running: bool = True
    answers: bool = True
    fenced: str = ""
    commits: int = 5
    writable: bool = True


class World(Host):
    """A host with servers, and a command on it that ends at one of its calls."""

    def __init__(self, nodes: dict[str, Node], ends_at: int | None, after: bool, error: type[BaseException]) -> None:
        """`ends_at`: the call at which the command ends; `after`: whether that call was still carried out."""
        state = {"nodes": nodes, "held": False, "calls": 0, "ends_at": ends_at, "after": after, "error": error}
        self.__dict__.update(meaning={})
        self.__dict__.update(state, dead=False, address=None)

    def __setattr__(self, name: str, value: Any) -> None:
        self.__dict__[name] = value

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        if self.dead:
            raise KilledError
        self.calls += 1
        ends = self.calls == self.ends_at
        self.dead = ends and self.error is KilledError
        if ends and not self.after:
            self._end()
        answer = self._carry_out(*self.meaning.get(tuple(command), command))
        assert sum(one.primary and one.running for one in self.nodes.values()) <= 1
        if ends:
            self._end()
        return answer

    def _end(self) -> None:
        if self.error is KilledError:
            raise KilledError
        signal.raise_signal(signal.SIGINT)  # which means nothing where it is held back

    def succeeds(self, command: Sequence[str]) -> bool:
        try:
            self.run(command)
        except CommandError:
            return False
        return True

    def _carry_out(self, verb: str, *words: str) -> str:
        if verb == "docker":
            return self._docker(*words)
        if verb == "hold":
            self.held = words[0] == "on"
            return ""
        if verb == "let":
            self.held = False
            if words[0] and (node := self.nodes[words[0]]).running and node.primary:
                node.writable = True
            return ""
        if verb == "nothing":
            return ""
        node = self.nodes[words[0]]
        if verb in ("ask", "promote", "write", "settle", "forget", "prepare", "clients") and not (
            node.running and node.answers
        ):
            raise CommandError("no answer")
        if verb == "fence":
            assert not node.running
            node.primary, node.fenced = False, words[1]
        elif verb == "quiet":
            node.writable = False
        elif verb == "loud":
            node.writable = True
        elif verb == "unfence":
            node.primary, node.fenced = True, ""
        elif verb == "forget":
            node.fenced = ""
        elif verb == "promote":
            node.primary = True
        elif verb == "clients":
            return "0"
        elif verb == "write":
            assert node.primary
            return "new" if words[0] == NEW.container else words[0].removeprefix("c-")
        return words[0]

    def _docker(self, *words: str) -> str:
        node = self.nodes.get(words[-1])
        if words[0] == "stop" and node:
            node.running = False
        elif words[0] == "start" and node:
            node.running = node.answers = node.writable = True
        elif "{{.State.Status}}" in words and node:
            return "running" if node.running else "exited"
        return "image"


class Made(StandbyEngine):
    """An engine whose commands are words."""

    title = "Otter"
    unit = "fish"
    world: World

    def question(self) -> Command:
        return []

    def ask(self, container: str) -> Command:
        return ["ask", container]

    def _seen(self, container: str, seen: Seen) -> Seen:
        node = self.world.nodes[container]
        lead = any(one.primary and one.running and one.answers for one in self.world.nodes.values())
        return replace(seen, primary=node.primary, at=node.commits, fenced_for=node.fenced, clean=node.answers,
                       streams=lead and not node.primary and node.running)  # fmt: skip

    def answer(self, printed: str, seen: Seen) -> Seen:
        return replace(self._seen(printed, seen), answers=True, fenced_for="")

    def look(self, image: str, volume: str) -> Command:
        return ["look", volume.replace("v-", "c-")]

    def found(self, printed: str, seen: Seen) -> Seen:
        return self._seen(printed, seen)

    def read_log(self, image: str, old: Seen, target: Seen) -> Command:
        return ["read", old.name]

    def lost(self, printed: str, target: Seen) -> Lost:
        return Lost(transactions=max(0, self.world.nodes[printed].commits - target.at))

    def fence(self, image: str, old: Server, target: Server) -> Command:
        return ["fence", old.container, target.name]

    def unfence(self, image: str, old: Server) -> Command:
        return ["unfence", old.container]

    def forget_fence(self, container: str) -> Command:
        return ["forget", container]

    def prepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return [("prepared", ["prepare", target.container])]

    def unprepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return [("unprepared", ["unprepare", target.container])]

    def promote(self, target: Server) -> Command:
        return ["promote", target.container]

    def settle(self, target: Server) -> Command:
        return ["settle", target.container]

    def write(self, servers: Servers, target: Server) -> Command:
        return ["write", target.container]

    def clients(self, container: str) -> Command:
        return ["clients", container]

    def rejoin(self, image: str, server: Server) -> Command:
        return ["rejoin", server.container]

    def hold(self, pooler: str, old: Server, seconds: int) -> Steps:
        return [("clients wait", ["hold", "on"])]

    def quiesce(self, old: Server, target: Server) -> Steps:
        return [("quiet", ["quiet", old.container]), ("received", ["received", target.container])]

    def let_go(self, pooler: str, old: Server | None) -> Steps:
        return [("clients go on", ["hold", "off"]), *([("writable", ["loud", old.container])] if old else [])]


class Told(Made):
    """The commands of a real engine, each of which means to the world what the word of the made-up one does."""

    def __init__(self, real: StandbyEngine) -> None:
        self.real = real

    def _meant(self, command: Command, words: Command) -> Command:
        self.world.meaning[tuple(command)] = words
        return command

    def _steps(self, steps: Steps, meant: Steps) -> Steps:
        """The last ones mean something; what a real engine has besides leads there."""
        words = [command for _, command in meant][-len(steps) :] if steps else []
        words = [["nothing"]] * (len(steps) - len(words)) + words
        return [(what, self._meant(real, word)) for (what, real), word in zip(steps, words, strict=True)]

    def ask(self, container: str) -> Command:
        return self._meant(self.real.ask(container), super().ask(container))

    def look(self, image: str, volume: str) -> Command:
        return self._meant(self.real.look(image, volume), super().look(image, volume))

    def read_log(self, image: str, old: Seen, target: Seen) -> Command:
        return self._meant(self.real.read_log(image, old, target), super().read_log(image, old, target))

    def fence(self, image: str, old: Server, target: Server) -> Command:
        return self._meant(self.real.fence(image, old, target), super().fence(image, old, target))

    def unfence(self, image: str, old: Server) -> Command:
        return self._meant(self.real.unfence(image, old), super().unfence(image, old))

    def forget_fence(self, container: str) -> Command:
        return self._meant(self.real.forget_fence(container), super().forget_fence(container))

    def prepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return self._steps(self.real.prepare(target, others), super().prepare(target, others))

    def unprepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return self._steps(self.real.unprepare(target, others), super().unprepare(target, others))

    def promote(self, target: Server) -> Command:
        return self._meant(self.real.promote(target), super().promote(target))

    def settle(self, target: Server) -> Command:
        return self._meant(self.real.settle(target), super().settle(target))

    def write(self, servers: Servers, target: Server) -> Command:
        return self._meant(self.real.write(servers, target), super().write(servers, target))

    def clients(self, container: str) -> Command:
        return self._meant(self.real.clients(container), super().clients(container))

    def rejoin(self, image: str, server: Server) -> Command:
        return self._meant(self.real.rejoin(image, server), super().rejoin(image, server))

    def hold(self, pooler: str, old: Server, seconds: int) -> Steps:
        return self._steps(self.real.hold(pooler, old, seconds), super().hold(pooler, old, seconds))

    def quiesce(self, old: Server, target: Server) -> Steps:
        real = self.real.quiesce(old, target)
        return self._steps(real, [*super().quiesce(old, target), *[("ends", ["nothing"])] * (len(real) - 2)])

    def let_go(self, pooler: str, old: Server | None) -> Steps:
        real = self.real.let_go(pooler, old)
        # One command of a real engine does both.
        return self._steps(real, [("go on", ["let", old.container if old else ""])])


@pytest.fixture(params=["made up", *STANDBY_ENGINES])
def made(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Made:
    engine = Made() if request.param == "made up" else Told(STANDBY_ENGINES[request.param])
    monkeypatch.setitem(promoting.STANDBY_ENGINES, "otter", engine)
    return engine


def database(
    made: Made,
    *,
    killed: bool = False,
    ends_at: int | None = None,
    after: bool = False,
    error: type[BaseException] = KilledError,
) -> promoting.Database:
    old = Node(primary=True, running=not killed, answers=not killed)
    nodes = {OLD.container: old, NEW.container: Node(primary=False), THIRD.container: Node(primary=False)}
    made.world = World(nodes, ends_at, after, error)
    given: dict[str, Any] = {"docker_host": None, "engine": "otter", "database": "app", "endpoint": "rw"}
    servers = Servers(**given, pooler="pooler", tls="require", synchronous=False, servers=[OLD, NEW, THIRD])
    return promoting.Database(servers, made.world)


def promote(of: promoting.Database, to: str | None) -> promoting.Result:
    found = promoting.planned(of, to, accept_loss=False)
    return promoting.promote(of, found, lambda _: None, accept_loss=False)


def calls(made: Made, *, killed: bool) -> int:
    of = database(made, killed=killed)
    assert promote(of, "new").primary == NEW.container
    return made.world.calls


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("killed", [False, True], ids=["planned", "primary killed"])
def test_killed_at_each_command_the_next_call_ends_it(made: Made, killed: bool, after: bool) -> None:
    for number in range(1, calls(made, killed=killed) + 1):
        of = database(made, killed=killed, ends_at=number, after=after)
        with pytest.raises(KilledError):
            promote(of, "new")
        world, world.ends_at, world.dead = made.world, None, False
        promote(of, "new")
        nodes = world.nodes
        assert [nodes[one.container].primary for one in (OLD, NEW, THIRD)] == [False, True, False], number
        assert nodes[OLD.container].running, number
        assert nodes[NEW.container].writable, number
        assert not nodes[OLD.container].fenced, number
        assert not world.held, number


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_interrupted_at_each_command_nothing_is_left_half_done(made: Made, after: bool) -> None:
    ended = set()
    for number in range(1, calls(made, killed=False) + 1):
        of = database(made, ends_at=number, after=after, error=KeyboardInterrupt)
        with contextlib.suppress(KeyboardInterrupt):
            promote(of, "new")
        nodes = made.world.nodes
        primary = next(one for one, node in nodes.items() if node.primary and node.running)
        assert not made.world.held, number
        assert nodes[primary].writable, number
        if primary == OLD.container:
            assert not nodes[OLD.container].fenced, number
        ended.add(primary)
    assert ended == {OLD.container, NEW.container}


def test_a_loss_is_refused_before_anything_is_touched(made: Made) -> None:
    of = database(made, killed=True)
    made.world.nodes[OLD.container].commits = 7
    with pytest.raises(UsageError, match="2 transactions"):
        promote(of, None)
    assert made.world.nodes[OLD.container].primary
    assert not made.world.nodes[OLD.container].fenced
    found = promoting.planned(of, None, accept_loss=True)
    result = promoting.promote(of, found, lambda _: None, accept_loss=True)
    assert result.lost.transactions == 2


def test_a_planned_one_that_would_lose_is_taken_back(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(promoting, "CATCH_UP_SECONDS", 0.1)
    of = database(made)
    made.world.nodes[OLD.container].commits = 7
    with pytest.raises(CommandError, match="did not receive the rest"):
        promote(of, "new")
    old = made.world.nodes[OLD.container]
    assert (old.primary, old.running, old.fenced, made.world.held) == (True, True, "", False)
