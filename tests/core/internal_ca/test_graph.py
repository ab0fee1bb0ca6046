"""In which order a certificate or a CA arrives, who gets keys, and what no container shows."""

from typing import Any

import pytest

from tests.database.test_args import args as database_args
from tests.support import COMPUTED, Recorder, Secret, run_program, secret
from tierstack.core.tier import Tier
from tierstack.database import DatabaseWithReplicas
from tierstack.platform import DockerHost
from tierstack.platform.internal_ca import TLSMode, kubernetes
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs

pytestmark = pytest.mark.graph

IMAGE = "sha256:" + "a" * 64


def database(**changes: Any) -> Recorder:
    return run_program(lambda: DatabaseWithReplicas("db", database_args("docker", tier=Tier.USERS_1M, **changes)))


def redis(**changes: Any) -> Recorder:
    one = RedisClusterArgs(platform=DockerHost(name="shop"), image=IMAGE, **changes)
    return run_program(lambda: RedisCluster("redis", one))


def test_what_is_trusted_comes_before_what_is_shown() -> None:
    """A pooler that has not read a new CA yet would refuse a server that shows a certificate of it."""
    made = database()
    assert "db-ca-files" in made.named("db-pooler-trust-reload").depends_on
    for server in ("db-server-tls", "db-pooler-tls"):
        assert {"db-ca-files", "db-pooler-trust-reload"} <= set(made.named(f"{server}-files").depends_on)
    assert "redis-ca-files" in redis().named("redis-server-tls-files").depends_on


def test_every_server_that_shows_a_certificate_reads_it_again() -> None:
    made = database()
    reloads = {
        one.inputs["container"]: one.inputs["triggers"]
        for one in made.of_type(":Reload")
        if "ca" not in one.inputs["triggers"]
    }
    assert reloads.keys() == {f"shop-db-{name}" for name in ("primary", "replica-1", "replica-2", "pooler")}
    assert reloads["shop-db-primary"] == reloads["shop-db-replica-1"] != reloads["shop-db-pooler"]


def test_another_certificate_replaces_no_container(monkeypatch: pytest.MonkeyPatch) -> None:
    before = [database(), redis()]
    monkeypatch.setitem(COMPUTED, "tls:index/locallySignedCert:LocallySignedCert", lambda _: {"certPem": "another\n"})
    monkeypatch.setitem(COMPUTED, "tls:index/privateKey:PrivateKey", lambda _: {"privateKeyPem": secret("another")})
    for old, new in zip(before, [database(), redis()], strict=True):
        for one in old.of_type(":Container"):
            assert one.inputs == new.named(one.name, "Container").inputs
        changed = [one for one in old.of_type(":Reload") if one.inputs != new.named(one.name, "Reload").inputs]
        assert changed


def test_keys_reach_only_the_volume_of_their_server() -> None:
    for made in (database(), redis()):
        with_key = {}
        for one in made.of_type(":VolumeFiles"):
            assert isinstance(one.inputs["files"], Secret)
            keys = [text for text in one.inputs["files"].value.values() if "private key" in text]
            if keys:
                with_key[one.inputs["volume"]] = (keys, one.inputs["mode"])
        assert all(volume.endswith("-tls") and mode == 0o400 for volume, (_, mode) in with_key.items())
        assert len({keys[0] for keys, _ in with_key.values()}) == len(with_key)
        assert not any("-ca-" in keys[0] for keys, _ in with_key.values())
        for one in (*made.of_type(":Container"), *made.of_type(":RunOnce"), *made.of_type(":Reload")):
            assert "private key" not in str(one.inputs)


@pytest.mark.parametrize(("generation", "trusted"), [(1, [1]), (2, [1, 2]), (3, [2, 3])])
def test_the_ca_before_stays_trusted(generation: int, trusted: list[int]) -> None:
    made = redis(ca_generation=generation)
    text = made.named("redis-ca-files").inputs["files"].value["ca.crt"]
    assert text == "".join(f"certificate redis-ca-{number}\n" for number in trusted)
    signed = made.named("redis-server-tls-certificate").inputs
    assert signed["caCertPem"] == f"certificate redis-ca-{generation}\n"
    assert signed["caPrivateKeyPem"] == Secret(f"private key redis-ca-{generation}-key")


def test_nothing_of_it_is_made_where_it_is_disabled() -> None:
    for made in (database(tls=TLSMode.DISABLE), redis(tls=TLSMode.DISABLE)):
        assert not [one.name for one in made.made if "tls" in one.type or "tls" in one.name or "-ca" in one.name]


def test_on_kubernetes_a_renewed_ca_keeps_its_key_and_a_certificate_does_not() -> None:
    made = kubernetes.manifests("redis", "shop", ["redis"])
    rotation = {name: one["spec"].get("privateKey", {}).get("rotationPolicy") for name, one in made.items()}
    assert (rotation["redis-ca-certificate"], rotation["redis-server-tls"]) == ("Never", "Always")
    assert made["redis-ca-certificate"]["spec"]["secretName"] == kubernetes.ca_secret("redis")
    assert made["redis-ca"]["spec"]["ca"]["secretName"] == kubernetes.ca_secret("redis")
