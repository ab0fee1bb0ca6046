"""How many connections fit into the proxy's memory, and what Go's runtime is told."""

from hypothesis import given
from hypothesis import strategies as st

from tests.gateway.test_graph import made
from tierstack.platform.proxy import sizing


def test_connections_by_hand() -> None:
    assert sizing.connections(512) == (512 - 96) * 1024 // 40 == 10649
    assert sizing.connections(64) == 0


@given(st.integers(64, 65536))
def test_the_runtime_stays_below_the_hard_limit(memory_mb: int) -> None:
    told = int(sizing.runtime(memory_mb)["GOMEMLIMIT"].removesuffix("MiB"))
    assert memory_mb * 0.85 < told < memory_mb


def test_the_container_has_it() -> None:
    found = made("docker", memory_mb=1000).named("gateway", "Container").inputs
    assert "GOMEMLIMIT=900MiB" in str(found)
