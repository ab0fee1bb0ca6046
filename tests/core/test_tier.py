"""The tiers and their arithmetic: formulas against figures worked out by hand, and what must hold for any size."""

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.core import tier as t
from tierstack.core.tier import CEILING, TIERS, Tier
from tierstack.database.engines import ENGINES
from tierstack.database.postgresql.engine import POSTGRESQL

COUNTS = st.integers(1, 1000)
COST = POSTGRESQL.pooler_cost


@pytest.mark.parametrize("tier", Tier)
class TestTable:
    """What every tier must satisfy by its own arithmetic."""

    def test_the_poolers_fit_into_the_server(self, tier: Tier) -> None:
        size = TIERS[tier].database
        opened = t.server_connections(t.poolers_in_rollout(size.poolers), size.pool_size)
        for engine in ENGINES.values():
            assert opened + engine.reserved_connections <= size.max_connections

    def test_every_client_is_admitted_when_scaled_out(self, tier: Tier) -> None:
        app, database = TIERS[tier].app, TIERS[tier].database
        opened = t.client_connections(app.max_replicas, app.children, app.max_workers + 1)
        assert opened <= database.poolers * database.max_client_connections

    def test_the_peak_is_carried_when_scaled_out(self, tier: Tier) -> None:
        size = TIERS[tier]
        binding = t.limits(size.app, size.database, size.app.max_replicas, COST)[0]
        assert binding.requests_per_second >= size.requests_per_second, binding

    def test_ceilings_are_not_below_what_runs_at_rest(self, tier: Tier) -> None:
        app = TIERS[tier].app
        assert app.replicas <= app.max_replicas
        assert app.workers <= app.max_workers

    def test_every_number_is_positive(self, tier: Tier) -> None:
        size = TIERS[tier]
        for part in (size.app, size.database, size.redis):
            for field, value in dataclasses.asdict(part).items():
                assert value > 0 or field == "replicas", field


def test_a_tier_is_named_as_people_write_it() -> None:
    assert [tier.value for tier in Tier] == ["100k", "1M"]


def test_the_larger_tier_is_larger_in_everything_that_grows() -> None:
    small, large = dataclasses.asdict(TIERS[Tier.USERS_100K]), dataclasses.asdict(TIERS[Tier.USERS_1M])
    for part in ("app", "database", "redis"):
        for field, value in small[part].items():
            assert large[part][field] >= value, f"{part}.{field}"
    assert large["requests_per_second"] > small["requests_per_second"]
    assert large["api_p95_ms"] < small["api_p95_ms"]
    assert large["database_p95_ms"] < small["database_p95_ms"]


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (t.cpu_requests_per_second(3, 1370), 1532.8467),
        # 24 children × 64 MiB + 64 MiB
        (t.web_memory_mb(24, 64), 1600),
        # 48 children at 15 ms are busy to the full at 3200/s
        (t.requests_per_second(2, 24, 15), 2240),
        (t.requests_per_second(1, 1, 1000), 0.7),
        (t.server_connections(3, 80), 240),
        # 2 × 24 children, 3 workers, 1 scheduler
        (t.client_connections(2, 24, 3 + 1), 52),
        (t.queries_per_second(40, 2), 14000),
        # (40 + 2 × 12) × 1.3 = 83.2
        (t.disk_gb(40, 2, 12), 84),
        (t.disk_gb(0, 0, 12), 0),
        (t.disk_gb(10, 0, 0, headroom=0), 10),
    ],
)
def test_formulas_by_hand(found: float, wanted: float) -> None:
    assert math.isclose(found, wanted, rel_tol=1e-6)


@given(COUNTS, COUNTS, st.floats(0.1, 10_000))
def test_littles_law_holds(replicas: int, children: int, service_ms: float) -> None:
    """Busy children = arrival rate × service time, and that is the ceiling's share of all children."""
    rate = t.requests_per_second(replicas, children, service_ms)
    assert math.isclose(rate * service_ms / 1000, CEILING * replicas * children)


@given(COUNTS, COUNTS, st.floats(0.1, 10_000))
def test_twice_the_replicas_carry_twice_as_much(replicas: int, children: int, service_ms: float) -> None:
    once, twice = (t.requests_per_second(n, children, service_ms) for n in (replicas, 2 * replicas))
    assert math.isclose(twice, 2 * once)


@given(st.floats(0, 10_000), st.floats(0, 100), st.integers(0, 60), st.floats(0, 2))
def test_the_disk_holds_what_comes(now: float, growth: float, months: int, headroom: float) -> None:
    found = t.disk_gb(now, growth, months, headroom)
    assert found >= (now + growth * months) * (1 + headroom)
    assert found - 1 < (now + growth * months) * (1 + headroom)


class TestLimits:
    """What limits a configuration, the bottleneck first."""

    app = TIERS[Tier.USERS_100K].app
    database = TIERS[Tier.USERS_100K].database

    def test_the_small_tier(self) -> None:
        found = {one.name: one for one in t.limits(self.app, self.database, 2, COST)}
        assert {name: round(one.requests_per_second) for name, one in found.items()} == {
            "CPU of the web containers": 1400,  # 0.7 × 2 cores ÷ 1 ms
            "PHP-FPM children": 2240,
            "pooler clients": 2240,
            "CPU of the poolers": 5469,  # 0.7 × 1 core ÷ 128 µs
            "database connections": 14000,
        }
        assert found["PHP-FPM children"].formula == "48 children at 70%, 15 ms per request"
        assert found["database connections"].formula == "40 connections at 70%, 2 ms per request"
        assert found["CPU of the web containers"].formula == "2 cores at 70%, 1 ms per request"

    def test_an_application_that_connects_for_each_request_is_limited_by_the_poolers(self) -> None:
        size = TIERS[Tier.USERS_1M]
        anew = t.Assumptions(persistent_connections=False)
        found = t.limits(size.app, size.database, size.app.max_replicas, COST, anew)[0]
        assert found.name == "CPU of the poolers"
        assert round(found.requests_per_second) == 1533  # 0.7 × 3 cores ÷ 1,370 µs, far below the tier's 10,000
        assert "connects anew" in found.formula

    def test_a_request_that_computes_more_is_limited_by_cpu(self) -> None:
        heavy = dataclasses.replace(self.app, cpu_time_ms=10)
        found = t.limits(heavy, self.database, 2, COST, t.Assumptions(web_cpu=4))
        assert (found[0].name, round(found[0].requests_per_second)) == ("CPU of the web containers", 560)

    def test_the_proxy_counts_where_its_cores_are_known(self) -> None:
        found = t.limits(self.app, self.database, 2, COST, t.Assumptions(gateway_cores=0.25))
        assert found[0].name == "CPU of the gateway"
        assert math.isclose(found[0].requests_per_second, 0.7 * 0.25 * 1e6 / t.GATEWAY_US)

    def test_slow_queries_make_connections_the_bottleneck(self) -> None:
        found = t.limits(self.app, self.database, 2, COST, t.Assumptions(query_time_ms=50))
        assert found[0].name == "database connections"
        assert math.isclose(found[0].requests_per_second, 0.7 * 40 * 1000 / 50)

    def test_a_connection_without_transaction_pooling_is_held_for_the_whole_request(self) -> None:
        held = t.Assumptions(transaction_pooling=False, background=4)
        found = {one.name: one for one in t.limits(self.app, self.database, 2, COST, held)}["database connections"]
        assert found.formula == "36 connections at 70%, 15 ms per request"
        assert math.isclose(found.requests_per_second, 0.7 * 36 * 1000 / 15)

    def test_a_pooler_that_turns_clients_away_is_the_bottleneck(self) -> None:
        tight = dataclasses.replace(self.database, max_client_connections=26)
        found = t.limits(self.app, tight, 2, COST)
        assert found[0].name == "pooler clients"
        assert found[0].formula == "26 clients admitted, 52 connections opened"
        assert math.isclose(found[0].requests_per_second, 2240 / 2)

    @given(st.integers(1, 50), st.floats(0.1, 100), st.booleans())
    def test_tightest_first(self, replicas: int, query_ms: float, kept: bool) -> None:
        assumed = t.Assumptions(query_time_ms=query_ms, persistent_connections=kept)
        rates = [one.requests_per_second for one in t.limits(self.app, self.database, replicas, COST, assumed)]
        assert rates == sorted(rates)
