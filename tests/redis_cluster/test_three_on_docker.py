"""Three nodes on a Docker host: what is registered, in which order, and what its scripts are."""

import subprocess
from itertools import pairwise

import pytest

from tests.redis_cluster.test_graph import DOCKER, args, registered
from tests.support import Recorder
from tierstack.core.tier import Tier
from tierstack.platform import DataProtection, DockerHost
from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster import RedisPurpose, alone, memory, replicated, topology

pytestmark = pytest.mark.graph

CHAIN = ["redis-sentinel-0", "redis-sentinel-1", "redis-sentinel-2", "redis", "redis-node-1", "redis-node-2"]
CONTAINER = "docker:index/container:Container"


@pytest.fixture(scope="module")
def three() -> Recorder:
    return registered(args(DOCKER, Tier.USERS_1M))


def test_each_container_waits_for_the_one_before_it(three: Recorder) -> None:
    for before, after in pairwise(CHAIN):
        assert f"{before}-ready" in three.named(after, CONTAINER).depends_on
    assert "redis-ready" in three.named("redis-proxy", CONTAINER).depends_on
    assert all(three.named(name, CONTAINER).options["deleteBeforeReplace"] for name in CHAIN)


def test_the_first_of_three_is_what_a_single_node_was(three: Recorder) -> None:
    """The same container name and volumes: growing replaces it, and nothing else that exists."""
    single = registered(args(DOCKER))
    kept = ("redis-data", "redis-config", "redis-network", "redis-ca", "redis-server-tls")
    for name in kept:
        assert single.named(name, "docker:").inputs == three.named(name, "docker:").inputs
    assert single.named("redis", CONTAINER).inputs["name"] == three.named("redis", CONTAINER).inputs["name"]
    gone = {one.name for one in single.made} - {one.name for one in three.made}
    assert gone == {"redis-alone"}


def test_clients_share_a_network_with_haproxy_alone(three: Recorder) -> None:
    members = {
        one.name: {joined["name"] for joined in one.inputs["networksAdvanced"]} for one in three.of_type(CONTAINER)
    }
    assert {name for name, joined in members.items() if "shop-redis-network" in joined} == {"redis-proxy"}
    assert all("shop-redis-store" in joined for joined in members.values())


def test_the_name_of_a_node_is_its_own_and_no_address(three: Recorder) -> None:
    among = replicated.topology_of(args(DOCKER, Tier.USERS_1M))
    for name, full in zip(CHAIN, [*among.sentinels, *among.nodes], strict=True):
        container = three.named(name, CONTAINER).inputs
        assert container["hostname"] == full.split(".")[0]
        assert container["networksAdvanced"][0]["aliases"] == [full]


def test_a_sentinel_gets_a_limit_of_cpu_and_a_node_none(three: Recorder) -> None:
    limits = {one.name: one.inputs.get("cpu_limit") for one in three.of_type("docker:Ready")}
    assert {name for name, limit in limits.items() if limit} == {f"redis-sentinel-{i}-ready" for i in range(3)}
    assert limits["redis-sentinel-0-ready"] == topology.SENTINEL_CPU_AT_MOST


def test_memory_is_that_of_all_containers(three: Recorder) -> None:
    told = [one.memory_mb for one in memory.reserved(args(DOCKER, Tier.USERS_1M)) for _ in range(one.count)]
    assert sorted(told) == sorted(one.inputs["memory"] for one in three.of_type(CONTAINER))


@pytest.mark.parametrize("protection", list(DataProtection))
@pytest.mark.parametrize("purpose", list(RedisPurpose))
def test_the_data_of_each_node_is_protected(protection: DataProtection, purpose: RedisPurpose) -> None:
    """Any of them may have been primary last. What a Sentinel remembers, it learns again."""
    made = registered(args(DockerHost(name="shop", data_protection=protection), Tier.USERS_1M, purpose=purpose))
    keep = purpose.is_durable and protection is not DataProtection.NONE
    for volume in ("redis-data", "redis-node-1-data", "redis-node-2-data"):
        assert made.named(volume).options.get("protect", False) is keep
    assert not made.named("redis-sentinel-0-data").options.get("protect", False)


@pytest.mark.parametrize("tls", list(TLSMode))
def test_haproxy_asks_as_its_own_user_and_through_tls(tls: TLSMode) -> None:
    lines = replicated.proxy_files("redis", args(DOCKER, Tier.USERS_1M, tls=tls))["haproxy.cfg"].splitlines()
    config = [line.strip() for line in lines]
    assert 'tcp-check send "AUTH proxy ${REDIS_PASSWORD}\\r\\n"' in config
    encrypted = tls is not TLSMode.DISABLE
    # Without `default` a rule that connects ignores that the server is to be asked through TLS.
    assert ("tcp-check connect default" in config) is encrypted
    asked = [line for line in config if line.startswith("server") and " check" in line]
    assert len(asked) == 3
    assert all(("check-ssl verify required" in line and "verifyhost redis" in line) is encrypted for line in asked)
    assert any("on-marked-down shutdown-sessions" in line for line in config)
    # In front of each place where clients come in.
    opened = sum(line.startswith("bind :63") for line in config)
    assert opened == (2 if tls is TLSMode.ALLOW else 1)
    assert config.count("tcp-request content accept if { nbsrv(primary) eq 1 }") == opened


def test_applications_cannot_speak_to_sentinels() -> None:
    start = replicated.node_files(args(DOCKER, Tier.USERS_1M))["start.sh"]
    (application,) = [line for line in start.splitlines() if 'echo "user app' in line]
    assert "-publish -spublish (+publish +spublish &[^_]* &_[^_]* &__[^s]*)" in application
    (proxy,) = [line for line in start.splitlines() if 'echo "user proxy' in line]
    assert proxy.endswith(' resetkeys resetchannels -@all +info"')


@pytest.mark.parametrize("tls", list(TLSMode))
def test_every_script_is_one_that_a_shell_can_read(tls: TLSMode) -> None:
    one = args(DOCKER, Tier.USERS_1M, tls=tls)
    files = {
        **{f"node {name}": text for name, text in replicated.node_files(one).items()},
        **{f"sentinel {name}": text for name, text in replicated.sentinel_files(one).items()},
        **{f"proxy {name}": text for name, text in replicated.proxy_files("redis", one).items()},
        "alone.sh": alone.script(replicated.topology_of(one)),
    }
    for name, text in files.items():
        if name.endswith(".sh"):
            done = subprocess.run(["/bin/sh", "-n", "-c", text], capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{name}: {done.stderr}"


def test_a_handover_leads_to_the_node_that_is_replaced_last() -> None:
    start = replicated.node_files(args(DOCKER, Tier.USERS_1M))["start.sh"]
    wanted = {f"node-{index}) priority={12 - index} ;;" for index in range(3)}
    assert wanted <= {line.strip() for line in start.splitlines()}
