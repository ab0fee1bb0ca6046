"""The driver on a platform that is made up: each strategy to its end, bad versions taken back, and a process that is
killed before, in and after each of its calls: the next call ends what it began."""

from collections import Counter
from typing import Any

import pytest

from tests.release.world import BEGAN, NEW, OLD, KilledError, Process, World
from tierstack.app_cluster.release_options import AnalysisArgs, ReleaseArgs, ReleaseStep, ReleaseStrategy
from tierstack.engine.project import LockedError, UsageError
from tierstack.release import conduct, ledger
from tierstack.release.conduct import Way
from tierstack.release.driver import Request, Result
from tierstack.release.lock import Holder

pytestmark = pytest.mark.pure

ARGS = ReleaseArgs(
    steps=[ReleaseStep(weight=5, pause_seconds=60), ReleaseStep(weight=50, pause_seconds=60)],
    watch_seconds=60,
    analysis=AnalysisArgs(min_requests=50),
)


def request(args: ReleaseArgs = ARGS, **given: Any) -> Request:
    return Request(
        **{"stack": "prod", "by": "ada", "args": args, "configuration": "c0ffee", "paths": ["/", "/health"], **given}
    )


def of(strategy: ReleaseStrategy) -> ReleaseArgs:
    return ReleaseArgs(strategy=strategy, watch_seconds=30, analysis=AnalysisArgs(min_requests=50))


def quiet(_text: str) -> None:
    """Nobody reads it."""


def release(on: Process, way: Way = Way.NEW, args: ReleaseArgs = ARGS) -> Result:
    return conduct.carry_out(on, request(args), way, quiet)


def weights(world: World) -> list[tuple[int, bool]]:
    """The weight of the new release in each update, and whether its roles ran."""
    return [(100, True) if one is None else (one["weight"], one["current"]) for one in world.updates]


@pytest.mark.parametrize(
    ("strategy", "updates"),
    [
        (ReleaseStrategy.ROLLING, [(100, True), (100, True)]),
        (ReleaseStrategy.BLUE_GREEN, [(0, False), (100, True), (100, True)]),
        (ReleaseStrategy.CANARY, [(0, False), (5, True), (25, True), (50, True), (100, True), (100, True)]),
        (ReleaseStrategy.SHADOW, [(0, False), (0, False), (100, True), (100, True)]),
    ],
)
def test_each_strategy_to_its_end(strategy: ReleaseStrategy, updates: list[tuple[int, bool]]) -> None:
    world = World()
    result = release(Process(world), args=of(strategy))
    assert (result.outcome, result.release) == (ledger.FINISHED, NEW)
    assert weights(world) == updates
    assert world.updates[-1] is None, "the last update is that of the plain configuration"
    assert (world.served, world.progress, world.holder) == ({NEW: 100}, None, None)
    assert world.scheduler == [OLD, NEW]
    assert world.migrations == [NEW]
    assert [one["event"] for one in world.lines] == ["began", *["step"] * (len(updates) - 1), "ended"]
    assert [bool(one and one.get("mirror") is not None) for one in world.updates].count(True) == (
        strategy is ReleaseStrategy.SHADOW
    )


BAD: dict[str, dict[str, Any]] = {
    "6 % of requests fail": {"errors": {OLD: 0.001, NEW: 0.06}},
    "slow": {"mean": {OLD: 0.02, NEW: 0.2}},
    "wrong inside": {"wrong_inside": {NEW}},
    "wrong in public": {"wrong_in_public": {NEW}},
    "dies": {"dies": {NEW}},
    "the second update fails": {"fails": {2: "never healthy"}},
    "the first update fails": {"fails": {1: "the migration failed"}},
    "the last update fails": {"fails": {5: "no disk"}},
}


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_version_is_taken_back(bad: str) -> None:
    world = World(**BAD[bad])
    result = release(Process(world))
    assert (result.outcome, result.release) == (ledger.TAKEN_BACK, OLD)
    assert result.reason
    assert world.served == {OLD: 100}
    assert [one["name"] for one in world.releases] == [OLD]
    assert world.scheduler[-1] == OLD
    assert world.migrations in ([NEW], []), "a rollback runs no migration"
    assert world.progress
    assert world.progress["phase"] == "taken back"
    (told,) = ledger.releases(world.lines)
    assert (told["end"]["outcome"], told["end"]["reason"]) == (ledger.TAKEN_BACK, result.reason)
    assert told["end"]["seconds"] < 60


def test_what_is_bad_is_said_with_figures() -> None:
    failing = release(Process(World(**BAD["6 % of requests fail"]))).reason
    assert failing == "16 of 275 requests failed (5.8 %), of the old release 0.1 % of 5,700; the limit is 5.0 %"
    slow = release(Process(World(**BAD["slow"]))).reason
    assert slow.startswith("200.0 ms on average, the old release 20.0 ms: 10.0 times as long over ")


def test_a_proxy_that_serves_something_else_stops_the_release() -> None:
    world = World()
    world.stuck = True
    result = release(Process(world))
    assert result.outcome == ledger.TAKEN_BACK
    assert result.reason == f"the proxy serves {OLD} 100 %, not {OLD} 100 %, {NEW} 0 %"


def test_a_proxy_that_is_away_for_a_moment_ends_no_release() -> None:
    world = World(away=20)
    assert release(Process(world)).outcome == ledger.FINISHED
    assert release(Process(World(away=200))).outcome == ledger.FAILED


def test_few_requests_give_no_verdict() -> None:
    world = World(per_second=0.1, errors={NEW: 1.0, OLD: 0.0})
    assert release(Process(world)).outcome == ledger.FINISHED, "a site that nobody visits gets its releases too"
    assert any("no verdict: " in one.get("verdict", "") for one in world.lines)


def test_a_step_waits_for_a_verdict_that_comes_soon() -> None:
    """100 requests/s of which 5 % are 5 a second: 500 are there after 100 s, not after the 60 s of the step."""
    world = World()
    args = ReleaseArgs(steps=[ReleaseStep(weight=5, pause_seconds=60)], analysis=AnalysisArgs(min_requests=500))
    assert release(Process(world), args=args).outcome == ledger.FINISHED
    first = next(one for one in world.lines if one.get("title") == "5 %")
    assert first["seconds"] > 100
    assert first["requests"] >= 500


# Killed -------------------------------------------------------------------------------------------------------------


def moments(bad: dict[str, Any]) -> list[tuple[int, str]]:
    """Every moment at which the process of a canary can be killed."""
    on = Process(World(**bad))
    release(on)
    return on.moments


def gone(world: World) -> None:
    """The killed process is gone: its lock can be seen to be stale."""
    if world.holder:
        world.holder = {**world.holder, "pid": 2**22 + 1, "since": BEGAN.isoformat()}


def ended(world: World, way: Way) -> str:
    """What a person does after a kill: `--resume` or `--abort`, or the same command where nothing is under way."""
    gone(world)
    on = Process(world)
    for _ in range(3):
        running = on.running()
        if not running.under_way and (running.current.name == NEW or running.taken_back):
            with conduct.locked(on, "ada", quiet):
                conduct.driver.settle(on, running)
            break
        release(on, way if running.under_way else Way.NEW)
    return on.running().current.name


KINDS: dict[str, dict[str, Any]] = {"good": {}, "bad": BAD["6 % of requests fail"]}
CASES = [
    (kind, way, number, when)
    for kind, bad in KINDS.items()
    for way in (Way.RESUME, Way.ABORT)
    for number, when in moments(bad)
]


def test_there_are_many_cases() -> None:
    """Every call of a canary's process, and each update in its middle as well."""
    assert len(CASES) > 300


@pytest.mark.parametrize(("kind", "way", "number", "when"), CASES)
def test_killed_at_each_call_the_next_one_ends_it(kind: str, way: Way, number: int, when: str) -> None:
    bad = KINDS[kind]
    world = World(**bad)
    on = Process(world, number, when)
    with pytest.raises(KilledError):
        release(on)
    assert sum(world.served.values()) == 100
    after = ended(world, way)
    assert world.holder is None
    assert world.served == {after: 100}
    assert [one["name"] for one in world.releases] == [after]
    assert world.scheduler[-1] == after
    if kind == "bad":
        assert after == OLD
    elif way is Way.RESUME:
        assert after == NEW
    told = ledger.releases(world.lines)
    assert all(one["end"] for one in told), "the ledger knows how each release ended"
    assert Counter(one["event"] for one in world.lines)["began"] == len(told)


@pytest.mark.parametrize("when", ["before", "middle", "after"])
@pytest.mark.parametrize("number", range(1, 12))
def test_a_rollback_that_is_killed_is_made_again(number: int, when: str) -> None:
    world = World()
    assert release(Process(world)).outcome == ledger.FINISHED
    on = Process(world, number, when)
    try:
        conduct.roll_back(on, request(), None, quiet)
    except KilledError:
        gone(world)
        running = Process(world).running()
        with conduct.locked(Process(world), "ada", quiet):
            conduct.driver.settle(Process(world), running)
        if running.current.name == NEW:
            conduct.roll_back(Process(world), request(), None, quiet)
    assert (world.served, world.scheduler[-1], world.holder) == ({OLD: 100}, OLD, None)
    assert all(one["end"] for one in ledger.releases(world.lines))


# What is refused, and going back ------------------------------------------------------------------------------------


def refused(world: World, way: Way = Way.NEW, **given: Any) -> str:
    with pytest.raises(UsageError) as error:
        conduct.plan(Process(world), request(**given), way)
    return "\n".join(error.value.messages)


def interrupted_world() -> World:
    world = World()
    with pytest.raises(KilledError):
        release(Process(world, 30))
    gone(world)
    return world


def test_a_release_that_is_under_way_is_in_the_way() -> None:
    assert "is not finished" in refused(interrupted_world())


def test_what_was_taken_back_is_tried_again_only_on_purpose() -> None:
    world = World(**BAD["slow"])
    release(Process(world))
    assert "was taken back (200.0 ms on average" in refused(world)
    assert conduct.plan(Process(world), request(), Way.AGAIN).lines
    assert conduct.plan(Process(world), request(configuration="other"), Way.NEW).lines, (
        "another version is no second try"
    )
    world.mean = {OLD: 0.02, NEW: 0.02}
    assert release(Process(world), Way.AGAIN).outcome == ledger.FINISHED


def test_all_that_refuses_is_told_at_once() -> None:
    world = World(drift=["shop-01d-1 was removed"])
    args = ReleaseArgs(windows=["Sat 10:00-12:00"], approval=True)
    said = refused(world, args=args)
    assert "Sat 10:00-12:00 (UTC), not now" in said
    assert "--approved-by" in said
    assert "shop-01d-1 was removed" in said
    assert "cannot approve it" in refused(World(), args=args, approved_by="ada")
    assert world.updates == []


def test_an_update_that_would_replace_what_runs_is_refused() -> None:
    world = World(changes=[f"create   web-{NEW}-1", f"create   web-{NEW}-2", f"delete   web-{OLD}-1"])
    assert f"would replace what runs (delete web-{OLD}-1)" in refused(world)
    assert conduct.plan(Process(world), request(of(ReleaseStrategy.ROLLING)), Way.NEW).lines, (
        "which is what rolling does"
    )


def test_a_second_driver_is_told_who_makes_a_release() -> None:
    world = World()
    world.holder = Holder(by="bob", host="elsewhere", pid=7, since=BEGAN.isoformat()).as_dict()
    world.pass_time(300)
    with pytest.raises(LockedError, match="bob, process 7 on elsewhere, for 5 min"):
        release(Process(world))
    assert world.holder


def test_going_back_and_further_back() -> None:
    world = World()
    release(Process(world))
    on = Process(world)
    plan = conduct.rollback_plan(on, request(), None)
    assert f"there is {OLD}" in "\n".join(plan.lines)
    result = conduct.roll_back(on, request(), None, quiet)
    assert (result.outcome, result.release, world.served) == (ledger.ROLLED_BACK, OLD, {OLD: 100})
    assert world.migrations == [NEW]
    assert "was taken back (rolled back by ada)" in refused(world)
    assert conduct.roll_back(on, request(), NEW[:4], quiet).release == NEW, "and forward again"
    with pytest.raises(UsageError, match=f"no such version; there is {OLD}"):
        conduct.roll_back(on, request(), "f", quiet)
    assert [one["end"]["outcome"] for one in ledger.releases(world.lines)] == ["finished", "rolled back", "rolled back"]


def test_the_release_before_can_go_on_running() -> None:
    world, args = World(), ReleaseArgs(strategy=ReleaseStrategy.BLUE_GREEN, keep_running=True)
    assert release(Process(world), args=args).outcome == ledger.FINISHED
    assert [(one["name"], one["weight"]) for one in world.releases] == [(OLD, 0), (NEW, 100)]
    assert Process(world).running().under_way is None
    world.configured = "aaaaaaaaaaaa"
    conduct.plan(Process(world), request(args), Way.NEW)
    assert conduct.roll_back(Process(world), request(args), None, quiet).release == OLD


def test_a_rollback_takes_a_release_back_that_is_under_way() -> None:
    world = interrupted_world()
    result = conduct.roll_back(Process(world), request(), None, quiet)
    assert (result.outcome, result.release) == (ledger.TAKEN_BACK, OLD)


def test_what_cannot_be_taken_back_says_what_runs() -> None:
    world = World(**BAD["6 % of requests fail"])
    world.fails = {3: "the daemon is away"}
    result = release(Process(world))
    assert result.outcome == ledger.FAILED
    assert "it was not taken back: the daemon is away" in result.reason
    assert result.release == f"{OLD} 95 %, {NEW} 5 %"
    assert world.progress
    assert world.progress["phase"] == "under way", "and a later call can take it back"
    assert conduct.carry_out(Process(world), request(), Way.ABORT, quiet).outcome == ledger.TAKEN_BACK
