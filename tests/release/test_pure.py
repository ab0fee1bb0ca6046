"""Strategies, verdicts, ledger, lock and the proxy's answers: pure modules."""

import json
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.release.world import NEW, OLD, World, description
from tierstack.app_cluster.release_options import (
    AnalysisArgs,
    ExperimentArgs,
    MirrorArgs,
    ReleaseArgs,
    ReleaseStep,
    ReleaseStrategy,
)
from tierstack.engine.project import StackConfig, UsageError
from tierstack.release import analysis, ledger, overlay, proxy, strategy, words
from tierstack.release.analysis import Counters, Finding, Series, judge
from tierstack.release.lock import Holder
from tierstack.release.running import Phase, Progress, RunningRelease

pytestmark = pytest.mark.pure

# Strategies ---------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(5, 99), min_size=1, max_size=8, unique=True), st.integers(1, 50))
def test_a_release_is_scaled_before_it_gets_its_share(shares: list[int], full: int) -> None:
    args = ReleaseArgs(steps=[ReleaseStep(weight=one) for one in sorted(shares)])
    for state in strategy.states(args):
        count = strategy.replicas(state, full)
        assert (full if count is None else count) * 100 >= state.weight * full
        assert count is None or 1 <= count <= full


@pytest.mark.parametrize("kind", ReleaseStrategy)
def test_roles_move_with_the_first_visitor(kind: ReleaseStrategy) -> None:
    found = strategy.states(ReleaseArgs(strategy=kind))
    assert all(one.roles == (one.weight > 0) for one in found)
    assert found[0].smoke
    assert [one.smoke for one in found[1:]] == [False] * (len(found) - 1)
    assert found[-1].weight == 100
    assert strategy.from_text(strategy.as_text(found)) == found


def test_the_default_is_a_canary_of_eight_minutes() -> None:
    found = strategy.states(ReleaseArgs())
    assert [(one.weight, one.watch_seconds) for one in found] == [(0, 0), (5, 120), (25, 120), (50, 120), (100, 120)]
    assert strategy.seconds(found) == 480


# Verdicts -----------------------------------------------------------------------------------------------------------

GOOD_OLD = Counters(1000, 1, 20.0)


@pytest.mark.parametrize(
    ("new", "old", "final", "finding", "text"),
    [
        (Counters(12, 12), GOOD_OLD, True, Finding.OPEN, "no verdict: 12 of 100 requests"),
        (Counters(100, 5, 2), GOOD_OLD, True, Finding.GOOD, "5 of 100 requests failed (5.0 %), of the old release 0.1 % of 1,000"),
        (Counters(100, 6, 2), GOOD_OLD, True, Finding.BAD, "6 of 100 requests failed (6.0 %)"),
        (Counters(100, 6, 2), GOOD_OLD, False, Finding.OPEN, "may be chance of so few"),
        (Counters(100, 12, 2), GOOD_OLD, False, Finding.BAD, "12 of 100 requests failed (12.0 %)"),
        (Counters(100, 0, 7), GOOD_OLD, True, Finding.BAD, "70.0 ms on average, the old release 20.0 ms: 3.5 times"),
        (Counters(100, 0, 7), GOOD_OLD, False, Finding.GOOD, "70.0 ms on average"),
        (Counters(100, 0, 13), GOOD_OLD, False, Finding.BAD, "6.5 times"),
        (Counters(100, 0, 0.9), Counters(1000, 0, 2.0), True, Finding.GOOD, "9.0 ms on average, the old release 2.0 ms"),
        (Counters(100, 0, 7), Counters(99, 0, 2.0), True, Finding.GOOD, "the time was not compared"),
        (Counters(100, 0, 7), None, True, Finding.GOOD, "the time was not compared"),
    ],
)  # fmt: skip
def test_a_verdict(new: Counters, old: Counters | None, final: bool, finding: Finding, text: str) -> None:
    verdict = judge(AnalysisArgs(), new, old, final=final)
    assert verdict.finding is finding
    assert text in verdict.text


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_the_least_rate_is_below_what_was_counted(requests: int, share: float) -> None:
    errors = round(requests * share)
    assert -1e-9 <= analysis.least_rate(errors, requests) <= errors / requests + 1e-9


def test_a_proxy_that_started_again_counts_from_zero() -> None:
    series = Series()
    for moment, count in enumerate([1000, 1100, 40, 90]):
        series.add(float(moment), Counters(count, count // 100, count / 50))
    assert series.within(0.5).requests == 100 + 40 + 50
    assert series.within(2.5).requests == 50


def test_quantiles_are_interpolated_in_their_bucket() -> None:
    found = Counters(100, 0, 1.0, {0.1: 50, 0.2: 90, float("inf"): 100})
    assert found.quantile(0.5) == pytest.approx(0.1)
    assert found.quantile(0.7) == pytest.approx(0.15)
    assert found.quantile(0.95) == pytest.approx(0.2), "more than the last bound is not known"
    assert Counters().quantile(0.5) is None


# What the proxy says ------------------------------------------------------------------------------------------------

SERVICES = [
    {"name": f"web-{OLD}@file", "loadBalancer": {}},
    {
        "name": "web@file",
        "weighted": {"services": [{"name": f"web-{OLD}", "weight": 95}, {"name": f"web-{NEW}@file", "weight": 5}]},
    },
    {"name": "web-admin@file", "weighted": {"services": [{"name": "web-admin-aaaaaaaaaaaa", "weight": 1}]}},
]
METRICS = f"""\
# HELP traefik_service_requests_total How many requests processed on a service
traefik_service_requests_total{{code="200",method="GET",protocol="http",service="web-{NEW}@file"}} 95
traefik_service_requests_total{{code="502",method="GET",protocol="http",service="web-{NEW}@file"}} 4
traefik_service_requests_total{{code="404",method="POST",protocol="http",service="web-{NEW}@file"}} 1
traefik_service_requests_total{{code="500",method="GET",protocol="http",service="web-admin-aaaaaaaaaaaa@file"}} 7
traefik_service_request_duration_seconds_sum{{code="200",method="GET",protocol="http",service="web-{NEW}@file"}} 1.5
traefik_service_request_duration_seconds_sum{{code="502",method="GET",protocol="http",service="web-{NEW}@file"}} 0.5
traefik_service_request_duration_seconds_bucket{{code="200",method="GET",protocol="http",service="web-{NEW}@file",le="0.1"}} 90
traefik_service_request_duration_seconds_bucket{{code="200",method="GET",protocol="http",service="web-{NEW}@file",le="+Inf"}} 95
traefik_router_requests_total{{code="200",method="GET",protocol="http",router="web@file",service="web@file"}} 100
"""


def test_what_the_proxy_serves() -> None:
    assert proxy.served(proxy.services(json.dumps(SERVICES)), "web") == {OLD: 95, NEW: 5}
    assert proxy.served(SERVICES, "web-admin") == {"aaaaaaaaaaaa": 100}
    assert proxy.served(SERVICES, "shop") is None
    assert proxy.known(SERVICES, "web") == {OLD}
    with pytest.raises(ValueError, match="no list"):
        proxy.services('{"error": 1}')


def test_what_the_proxy_has_counted() -> None:
    found = proxy.counted(METRICS, "web")
    assert found == {NEW: Counters(100, 4, 2.0, {0.1: 90, float("inf"): 95})}
    assert proxy.counted(METRICS, "web-admin")["aaaaaaaaaaaa"].errors == 7


# The configuration of an update ---------------------------------------------------------------------------------------

RUNS = RunningRelease(name=OLD, weight=100, current=True, replicas=4, description=description(OLD))
PROGRESS = Progress(id="x", phase=Phase.UNDER_WAY, step=2, plan="[]", by="ada")


def states_of(**given: Any) -> list[overlay.Traffic]:
    args = ReleaseArgs(**given)
    return [overlay.of_state(one, RUNS, args, 4, PROGRESS) for one in strategy.states(args)]


def test_the_updates_of_a_canary() -> None:
    prepared, first, *_, last = states_of(steps=[ReleaseStep(weight=30)], experiment=ExperimentArgs(header="X-Beta"))
    beside = {"description": description(OLD)}
    assert prepared == {
        "weight": 0,
        "current": False,
        "replicas": 2,
        "others": [{**beside, "weight": 100, "current": True}],
        "sticky": False,
        "progress": PROGRESS.as_dict(),
    }
    assert first == {
        "weight": 30,
        "current": True,
        "replicas": 2,
        "others": [{**beside, "weight": 70, "current": False}],
        "sticky": True,
        "experiment": {"header": "X-Beta"},
        "progress": PROGRESS.as_dict(),
    }
    assert "replicas" not in last
    assert last["others"] == [{**beside, "weight": 0, "current": False, "drain": True}]


def test_the_updates_of_other_strategies() -> None:
    (rolling,) = states_of(strategy=ReleaseStrategy.ROLLING)
    assert "others" not in rolling
    shadow = states_of(strategy=ReleaseStrategy.SHADOW, mirror=MirrorArgs(percent=50))
    assert [one.get("mirror") for one in shadow] == [
        None,
        {"percent": 50, "methods": ["GET", "HEAD"], "max_body_kb": 64},
        None,
    ]
    assert states_of(strategy=ReleaseStrategy.SHADOW)[1]["mirror"] == {}
    assert overlay.of_old(RUNS, PROGRESS)["replicas"] == 0


def test_a_section_with_a_secret_keeps_it_encrypted() -> None:
    document = {
        "config": {"shop:apps": {"web": {"image": "i", "secrets": {"A": {"secure": "v1:…"}}}}, "shop:tier": "100k"}
    }
    values = {"apps": {"web": {"image": "i", "secrets": {"A": "(secret)"}}}, "tier": "100k"}
    config = StackConfig(document, values, frozenset({"apps"}))
    path = overlay.section_of(values, "web")
    assert path == ["apps", "web"]
    made = overlay.with_traffic(config, path, {"weight": 5})
    assert made.document["config"]["shop:apps"]["web"] == {
        "image": "i",
        "secrets": {"A": {"secure": "v1:…"}},
        "traffic": {"weight": 5},
    }
    assert made.values["apps"]["web"]["traffic"] == {"weight": 5}
    assert "traffic" not in str(config), "the configuration itself stays"
    assert overlay.section_of({"app": {}}, "web") == ["app"]
    with pytest.raises(UsageError, match=r"needs `apps\.shop`"):
        overlay.section_of(values, "shop")


def test_how_a_release_is_made_is_no_part_of_it() -> None:
    def digest(**app: Any) -> str:
        return overlay.digest(StackConfig({}, {"app": {"image": "1", **app}}, frozenset()), ["app"])

    assert digest() == digest(release={"strategy": "rolling"}) == digest(traffic={})
    assert digest() != digest(image="2")
    args = overlay.release_args(StackConfig({}, {"app": {"release": {"strategy": "shadow"}}}, frozenset()), ["app"])
    assert args.strategy is ReleaseStrategy.SHADOW
    with pytest.raises(UsageError, match=r"app\.release"):
        overlay.release_args(StackConfig({}, {"app": {"release": {"strategi": "shadow"}}}, frozenset()), ["app"])


def test_progress_is_text_and_comes_back() -> None:
    kept = PROGRESS.as_dict()
    assert all(isinstance(value, str) for value in kept.values())
    assert Progress.parsed({**kept, "of_a_later_version": "1"}) == PROGRESS


# Ledger and lock ----------------------------------------------------------------------------------------------------


def entries() -> list[ledger.Entry]:
    old: dict[str, Any] = {"name": OLD, "image": "sha256:a", "description": "{}"}
    first: dict[str, Any] = {"at": "1", "by": "ada", "kind": "release", "strategy": "canary", "approved_by": None}
    return [
        ledger.began("a", **first, old={**old, "name": "f" * 12}, notes=[]),
        ledger.ended("a", at="2", outcome=ledger.FINISHED, new=old),
        ledger.began("b", **first, old=old, notes=["outside its windows"]),
        ledger.step("b", at="3", title="5 %", weight=5, seconds=61.23, verdict="good", figures={"requests": 10}),
    ]


def test_the_ledger_tells_each_release() -> None:
    text = "".join(ledger.as_line(one) for one in entries())
    found = ledger.releases(ledger.parsed(text + '{"event": "st'))
    assert [(one["id"], len(one["steps"]), bool(one["end"])) for one in found] == [("a", 0, True), ("b", 1, False)]
    assert found[1]["notes"] == ["outside its windows"]
    left = ledger.unended(entries())
    assert left
    assert left["id"] == "b"
    lines = ledger.lines(
        [*entries(), ledger.ended("b", at="4", outcome=ledger.TAKEN_BACK, new=None, reason="6 % failed")]
    )
    assert lines == [
        f"2  finished     canary      {'f' * 12} → {OLD}  by ada",
        f"4  taken back   canary      {OLD} stays  by ada, after its step 5 %: 6 % failed",
    ]


def test_versions_to_go_back_to() -> None:
    assert [one["name"] for one in ledger.versions(entries(), OLD, 5)] == ["f" * 12]
    assert ledger.versions(entries(), "f" * 12, 5) == []


def test_a_lock_tells_its_age_and_whether_it_is_stale() -> None:
    now = datetime.now(UTC)
    here = Holder.here("ada", now)
    assert Holder.parsed(json.loads(json.dumps(here.as_dict()))) == here
    assert (here.pid, here.is_stale()) == (os.getpid(), False)
    assert here.described(now + timedelta(seconds=61)).endswith("for 61 s")
    assert here.described(now + timedelta(hours=3)).endswith("for 3 h")
    assert Holder(**{**here.as_dict(), "pid": 2**22 + 1}).is_stale()
    assert not Holder(**{**here.as_dict(), "pid": 2**22 + 1, "host": "elsewhere"}).is_stale(), "not known from here"


def test_a_plan_says_what_happens_and_how_long() -> None:
    world = World()
    from tests.release.world import Process

    running = Process(world).running()
    args = ReleaseArgs()
    said = words.plan(running, strategy.states(args), args.analysis, ["/", "/cart"], ["create web"], 14.2)
    assert said == [
        f"shop: release {OLD} (sha256:{OLD}) is replaced by what the configuration describes",
        "the migration of the new release runs first, once",
        "  1. the new release starts, and gets no visitor, with 5 % of its web containers",
        "     smoke tests inside and through the public URL: /, /cart",
        "  2. the new release gets 5 % of the requests, with 5 % of its web containers; watched for 120 s",
        "  3. the new release gets 25 % of the requests, with 25 % of its web containers; watched for 120 s",
        "  4. the new release gets 50 % of the requests, with 50 % of its web containers; watched for 120 s",
        "  5. the new release gets 100 % of the requests; the old one stays ready; watched for 120 s",
        "  6. the old release is removed",
        "takes at least 8 min, and 6 updates of about 14 s",
        "taken back when more than 5.0 % of its requests fail, or they take more than 3 times as long as those of the old "
        "release (judged from 100 requests on)",
        "the first update changes:",
        "  create web",
    ]
