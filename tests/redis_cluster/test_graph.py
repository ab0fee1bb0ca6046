"""What RedisCluster registers, as golden files, and what growing from one node to three may change."""

from typing import Any

import pytest

from tests.support import Recorder, Secret, golden, run_program
from tierstack.core.tier import Tier
from tierstack.links import SecretRef
from tierstack.platform import DataProtection, DockerHost, Kubernetes, Platform
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes import plan
from tierstack.platform.kubernetes.plan import Planned
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs, RedisPurpose, kubernetes

pytestmark = pytest.mark.graph

DIGEST = "@sha256:" + "a" * 64
DOCKER = DockerHost(name="shop")
CLUSTER = Kubernetes(name="shop")


def args(platform: Platform = CLUSTER, tier: Tier = Tier.USERS_100K, **changes: Any) -> RedisClusterArgs:
    images = {"image": f"valkey{DIGEST}", "proxy_image": f"haproxy{DIGEST}"}
    return RedisClusterArgs(platform=platform, tier=tier, **images, **changes)


def registered(one: RedisClusterArgs) -> Recorder:
    return run_program(lambda: RedisCluster("redis", one))


def planned(one: RedisClusterArgs) -> list[Planned]:
    return kubernetes.plan("redis", one, SecretRef(secret_name="redis-password", key="password"))


def manifests(one: RedisClusterArgs) -> dict[str, Any]:
    return plan.manifests(planned(one))


@pytest.mark.parametrize(
    ("name", "one"),
    [
        ("redis-cluster-docker-100k", args(DOCKER)),
        ("redis-cluster-docker-1M", args(DOCKER, Tier.USERS_1M)),
        ("redis-cluster-kubernetes-100k", args()),
        ("redis-cluster-kubernetes-1M", args(tier=Tier.USERS_1M, tls=TLSMode.DISABLE)),
        ("redis-cluster-kubernetes-1M-tls", args(tier=Tier.USERS_1M)),
    ],
)
def test_what_is_registered(name: str, one: RedisClusterArgs) -> None:
    golden(f"{name}.json", registered(one).summary())


@pytest.mark.parametrize(
    ("tls", "ports", "given"),
    [
        (TLSMode.REQUIRE, {"port 0", "tls-port 6380"}, "6380"),
        (TLSMode.ALLOW, {"port 6379", "tls-port 6380"}, "6380"),
        (TLSMode.DISABLE, {"port 6379"}, "6379"),
    ],
)
def test_ports_of_each_mode(tls: TLSMode, ports: set[str], given: str) -> None:
    found: list[Any] = []
    recorder = run_program(lambda: found.append(RedisCluster("redis", args(DOCKER, tls=tls)).connection))
    files = recorder.named("redis-files").inputs["files"].value
    assert {line for line in files["redis.conf"].splitlines() if line.split()[0].endswith("port")} == ports
    assert found[0].port == given
    assert (found[0].ca is None) is (tls is TLSMode.DISABLE)
    assert ("--tls" in files["health.sh"]) is (tls is not TLSMode.DISABLE)


def test_clients_on_kubernetes_have_the_ports_of_the_mode() -> None:
    """Endpoint, HAProxy and both policies say the same; the store's own traffic stays on its port."""
    clients = kubernetes.client_labels("redis")
    for tls, ports in ((TLSMode.DISABLE, [6379]), (TLSMode.ALLOW, [6379, 6380]), (TLSMode.REQUIRE, [6380])):
        made = manifests(args(tier=Tier.USERS_1M, tls=tls))
        assert [one["port"] for one in made["redis"]["spec"]["ports"]] == ports
        for policy in ("redis-proxy-network-policy", "redis-node-network-policy"):
            rules = made[policy]["spec"]["ingress"]
            admitted = [
                one["port"]
                for rule in rules
                if {"podSelector": {"matchLabels": clients}} in rule["from"]
                for one in rule["ports"]
            ]
            assert admitted == ports, policy
        haproxy = made["redis-proxy-config"]["data"]["haproxy.cfg"].splitlines()
        assert [int(line.split(":")[1]) for line in haproxy if "bind :63" in line] == ports
        for part in ("node", "proxy"):
            (container,) = made[f"redis-{part}"]["spec"]["template"]["spec"]["containers"]
            opened = [one["containerPort"] for one in container["ports"] if one["name"] != "health"]
            assert opened == (ports if part == "proxy" or tls is TLSMode.DISABLE else [6379, 6380])


def test_the_key_is_mounted_in_the_nodes_and_nowhere_else() -> None:
    made = manifests(args(tier=Tier.USERS_1M, tls=TLSMode.REQUIRE))
    mounted = {
        name: [volume["secret"] for volume in one["spec"]["template"]["spec"]["volumes"] if "secret" in volume]
        for name, one in made.items()
        if "template" in one.get("spec", {})
    }
    assert {name for name, secrets in mounted.items() if secrets} == {"redis-node"}
    assert mounted["redis-node"][0]["secretName"] == made["redis-server-tls"]["spec"]["secretName"]
    names = made["redis-server-tls"]["spec"]["dnsNames"]
    assert names == ["redis", "redis.shop", "redis.shop.svc", "redis.shop.svc.cluster.local"]


def test_growing_replaces_nothing_that_holds_data() -> None:
    one, three = manifests(args()), manifests(args(tier=Tier.USERS_1M))
    fixed = ("serviceName", "selector", "podManagementPolicy")  # immutable in a StatefulSet
    before, after = one["redis-node"]["spec"], three["redis-node"]["spec"]
    assert {key: before[key] for key in fixed} == {key: after[key] for key in fixed}
    assert one["redis-node"]["metadata"] == three["redis-node"]["metadata"]
    claim, grown = one["redis-data-0"], three["redis-data-0"]
    assert claim["metadata"] == grown["metadata"]
    assert (claim["spec"]["resources"]["requests"], grown["spec"]["resources"]["requests"]) == (
        {"storage": "5Gi"},
        {"storage": "20Gi"},
    )
    # The template of the claims is immutable too; the engine leaves it as it was made.
    options = registered(args(tier=Tier.USERS_1M)).named("redis-node").options
    assert options["ignoreChanges"] == ["spec.volumeClaimTemplates"]
    only_config = {
        key for key in one.keys() & three.keys() if one[key]["metadata"]["name"] != three[key]["metadata"]["name"]
    }
    assert only_config == {"redis-node-config"}


def test_the_claims_have_the_names_that_the_stateful_set_looks_for() -> None:
    three = manifests(args(tier=Tier.USERS_1M))
    (template,) = three["redis-node"]["spec"]["volumeClaimTemplates"]
    expected = [f"{template['metadata']['name']}-{three['redis-node']['metadata']['name']}-{i}" for i in range(3)]
    assert [three[f"redis-data-{i}"]["metadata"]["name"] for i in range(3)] == expected


@pytest.mark.parametrize("changes", [{}, {"storage_gb": 64}, {"tier": Tier.USERS_1M}])
@pytest.mark.parametrize("storage_class", [None, "fast"])
def test_the_stateful_set_can_make_no_other_claim(changes: dict[str, Any], storage_class: str | None) -> None:
    """Whoever applies it before the claims gets the same ones: one that is smaller cannot be mended by the claims."""
    made = manifests(args(Kubernetes(name="shop", storage_class=storage_class), **changes))
    (template,) = made["redis-node"]["spec"]["volumeClaimTemplates"]
    assert template["spec"] == made["redis-data-0"]["spec"]


def test_no_two_of_three_share_a_node_and_zones_are_spread() -> None:
    three = manifests(args(tier=Tier.USERS_1M))
    for part in ("node", "sentinel", "proxy"):
        pod = three[f"redis-{part}"]["spec"]["template"]["spec"]
        keys = [one["topologyKey"] for one in pod["topologySpreadConstraints"]]
        assert keys == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        required = (
            pod.get("affinity", {}).get("podAntiAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", [])
        )
        # The proxies hold nothing: two on one node are better than one.
        assert [one["topologyKey"] for one in required] == ([] if part == "proxy" else ["kubernetes.io/hostname"])


@pytest.mark.parametrize(("given", "cpu"), [({}, "250m"), ({"tier": Tier.USERS_1M}, "1"), ({"cpu": 0.5}, "500m")])
def test_each_node_is_reserved_a_processor(given: dict[str, Any], cpu: str) -> None:
    (container,) = manifests(args(**given))["redis-node"]["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == cpu
    assert "cpu" not in container["resources"]["limits"]


def test_the_endpoint_never_leads_to_a_replica() -> None:
    one, three = manifests(args())["redis"], manifests(args(tier=Tier.USERS_1M))["redis"]
    assert one["metadata"] == three["metadata"]
    assert one["spec"]["selector"]["statefulset.kubernetes.io/pod-name"] == "redis-node-0"
    assert three["spec"]["selector"]["app.kubernetes.io/component"] == "proxy"


def test_only_pods_of_clients_and_of_the_store_itself_come_in() -> None:
    three = manifests(args(tier=Tier.USERS_1M, tls=TLSMode.DISABLE))
    clients = kubernetes.client_labels("redis")
    let_in = {
        key: [peer["podSelector"]["matchLabels"] for rule in one["spec"]["ingress"] for peer in rule["from"]]
        for key, one in three.items()
        if one["kind"] == "NetworkPolicy" and "ingress" in one["spec"]
    }
    part = "app.kubernetes.io/component"
    assert let_in["redis-proxy-network-policy"] == [clients]
    assert [peer.get(part, peer) for peer in let_in["redis-node-network-policy"]] == [
        clients,
        "node",
        "sentinel",
        "proxy",
        "handover",
    ]
    assert [peer.get(part, peer) for peer in let_in["redis-sentinel-network-policy"]] == [
        "node",
        "sentinel",
        "handover",
    ]


def test_before_three_become_one_the_first_must_have_everything() -> None:
    """The StatefulSet tells all nodes to stop at once, so what makes that safe comes before it."""
    needed = {one.name: one.after for one in planned(args())}
    assert "redis-alone" in needed["redis-node"]
    assert "redis-alone" not in manifests(args(tier=Tier.USERS_1M))
    # Whoever applies rendered manifests has an order of their own: the three say what to run in one of them.
    rendered = Kubernetes(name="shop", render_to="rendered")
    assert "redis-alone" not in manifests(args(rendered))
    three = manifests(args(rendered, tier=Tier.USERS_1M))
    command = three["redis-node"]["metadata"]["annotations"]["tierstack.dev/before-scale-in"]
    assert command == "kubectl -n shop exec redis-node-0 -- sh /etc/redis/alone.sh"
    assert "alone.sh" in three["redis-node-config"]["data"]


@pytest.mark.parametrize("protection", list(DataProtection))
@pytest.mark.parametrize("purpose", list(RedisPurpose))
def test_data_is_protected_and_a_cache_is_not(protection: DataProtection, purpose: RedisPurpose) -> None:
    keep = purpose is not RedisPurpose.CACHE
    for platform, volume in ((DockerHost, "redis-data"), (Kubernetes, "redis-data-0")):
        one = args(platform(name="shop", data_protection=protection), purpose=purpose)
        options = registered(one).named(volume).options
        assert options.get("protect", False) is (keep and protection is not DataProtection.NONE)
        assert options.get("retainOnDelete", False) is (keep and protection is DataProtection.RETAIN)


@pytest.mark.parametrize("one", [args(DOCKER), args(DOCKER, Tier.USERS_1M), args(), args(tier=Tier.USERS_1M)])
def test_the_password_is_always_a_secret(one: RedisClusterArgs) -> None:
    plain = [
        made.name for made in registered(one).made if "generated-redis-password" in str(_without_secrets(made.inputs))
    ]
    assert plain == []


def _without_secrets(value: Any) -> Any:
    if isinstance(value, Secret):
        return None
    if isinstance(value, dict):
        return {key: _without_secrets(entry) for key, entry in value.items()}
    return [_without_secrets(entry) for entry in value] if isinstance(value, list) else value


def test_what_a_full_memory_and_a_stop_do_follows_from_the_purpose() -> None:
    queue, cache = (
        manifests(args(purpose=purpose))["redis-node-config"]["data"]["redis.conf"].splitlines()
        for purpose in (RedisPurpose.QUEUE, RedisPurpose.CACHE)
    )
    assert {"maxmemory-policy noeviction", "appendonly yes", "appendfsync everysec"} <= set(queue)
    assert {"maxmemory-policy allkeys-lru", "appendonly no"} <= set(cache)
    assert not any(line.startswith("min-replicas") for line in [*queue, *cache])
    three = manifests(args(tier=Tier.USERS_1M))["redis-node-config"]["data"]["redis.conf"].splitlines()
    assert "min-replicas-to-write 1" in three


def test_the_connection_of_both_platforms() -> None:
    found: list[Any] = []
    for platform in (DOCKER, CLUSTER):
        run_program(lambda platform=platform: found.append(RedisCluster("redis", args(platform)).connection))
    docker, cluster = found
    assert (docker.port, cluster.port) == ("6380", "6380")
    assert docker.ca.volume is not None
    assert cluster.ca.secret_name == "redis-ca"
    assert docker.network is not None
    assert docker.client_labels is None
    assert cluster.client_labels == {"tierstack.dev/redis-client.redis": "true"}
    assert cluster.password.key == "password"
    assert cluster.password.value is None
