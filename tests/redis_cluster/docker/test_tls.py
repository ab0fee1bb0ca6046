"""Encryption by the real engine on a real daemon: who is refused, and what clients notice of another certificate or CA.

The tests of this file are steps of one run, in their order; they begin with a stack that has no certificates.
"""

import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from tests.redis_cluster.docker.stand import Client, TLSClient
from tests.support import Stack, docker_client, image
from tests.waiting import until
from tierstack.redis_cluster import node

PLATFORM = "t-redis-tls"
CA = "/run/tierstack/ca/redis/ca.crt"
PROGRAM = """
import pulumi
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform import DataProtection, DockerHost
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs

redis = RedisCluster("redis", RedisClusterArgs(
    platform=DockerHost(name="{platform}", data_protection=DataProtection.NONE), image="{image}", memory_mb=64,
    tls=TLSMode("{tls}"), ca_generation={generation},
))
pulumi.export("password", redis.connection.password.value)
"""


class Redis:
    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.shape: dict[str, object] = {"tls": "disable", "generation": 1}
        self.password = ""

    def up(self, *arguments: str, **changes: object) -> None:
        self.shape |= changes
        self.stack.write(PROGRAM.format(platform=PLATFORM, image=image("valkey:8.1"), **self.shape))
        self.stack.up(*arguments)
        self.password = str(self.stack.outputs()["password"])

    @property
    def container(self) -> Any:
        return docker_client().containers.get(f"{PLATFORM}-redis")

    def address(self) -> str:
        return self.container.attrs["NetworkSettings"]["Networks"][f"{PLATFORM}-redis-network"]["IPAddress"]

    def client(self, ca: str | None = None, name: str = "redis") -> TLSClient:
        """A client that reads what it trusts anew, as PHP does."""
        return TLSClient(self.address(), ca or self.trusted(), 5, name, self.password)

    def trusted(self) -> str:
        return self.container.exec_run(["cat", CA]).output.decode()

    def certificate(self) -> dict[str, Any]:
        """The certificate that a new connection sees."""
        client = self.client()
        try:
            return client.encrypted.getpeercert() or {}
        finally:
            client.close()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    docker_client()
    made = Redis(Stack(tmp_path_factory.mktemp("redis"), "t-redis-tls"))
    try:
        made.up()
        yield made
    finally:
        made.stack.destroy()


# A connection for each write, so that each of them meets the certificate of its moment and reads what it trusts anew.
LOOP = f"""
while :; do
    said=$(valkey-cli -h redis -p {node.TLS_PORT} --tls --cacert {CA} incr each 2>&1)
    case "$said" in [0-9]*) echo "ok $said" ;; *) echo "failed $said" ;; esac
done
"""


def under_load(redis: Redis, act: Callable[[], None]) -> tuple[int, list[str]]:
    """Writes by connections of their own and by one that stays, while `act` runs; how many, and what failed."""
    loop = docker_client().containers.run(
        image("valkey:8.1"),
        entrypoint=["sh", "-c", LOOP],
        network=f"{PLATFORM}-redis-network",
        volumes={f"{PLATFORM}-redis-ca": {"bind": "/run/tierstack/ca/redis", "mode": "ro"}},
        environment={"REDISCLI_AUTH": redis.password},
        init=True,
        detach=True,
    )
    staying = redis.client()
    writes = 0

    def lines() -> list[str]:
        nonlocal writes
        staying("INCR", "staying")
        writes += 1
        return loop.logs().decode().splitlines()

    try:
        until("writes before", lambda: len(lines()) >= 100)
        act()
        enough = len(lines()) + 100
        until("writes after", lambda: len(lines()) >= enough)
        loop.stop(timeout=5)
        said = lines()
    finally:
        loop.remove(force=True)
    written = [line for line in said if line.startswith("ok ")]
    assert int(staying("GETDEL", "each")) >= len(written)
    assert int(staying("GETDEL", "staying")) == writes
    staying.close()
    return len(written), [line for line in said if not line.startswith("ok ")]


def test_a_stack_without_certificates(redis: Redis) -> None:
    client = Client(redis.address(), redis.password)
    assert client("SET", "kept", "yes") == "OK"
    client.close()


def test_both_ways_are_open_on_the_way_to_encryption(redis: Redis) -> None:
    redis.up(tls="allow")
    for client in (Client(redis.address(), redis.password), redis.client()):
        assert client("GET", "kept") == "yes"
        client.close()


def test_then_only_encrypted_connections_are_accepted(redis: Redis) -> None:
    redis.up(tls="require")
    client = redis.client()
    assert client("GET", "kept") == "yes"
    assert client.encrypted.version() == "TLSv1.3"
    client.close()
    with pytest.raises(ConnectionRefusedError):
        Client(redis.address(), redis.password)
    with socket.create_connection((redis.address(), node.TLS_PORT), 5) as plain, suppress(ConnectionResetError):
        plain.sendall(b"PING\r\n")
        assert b"PONG" not in plain.recv(100)
    redis.stack.unchanged()


def test_older_protocols_are_refused(redis: Redis) -> None:
    for option, spoken in (("-tls1_1", False), ("-tls1_2", True)):
        command = ["openssl", "s_client", option, "-cipher", "DEFAULT@SECLEVEL=0"]
        command += ["-connect", f"{redis.address()}:{node.TLS_PORT}"]
        done = subprocess.run(command, input="", capture_output=True, text=True)
        assert ("BEGIN CERTIFICATE" in done.stdout) is spoken, option


def test_who_shows_another_certificate_is_not_believed(redis: Redis) -> None:
    key = subprocess.run(["openssl", "genrsa"], capture_output=True, text=True, check=True).stdout
    made = ["openssl", "req", "-x509", "-new", "-key", "/dev/stdin", "-subj", "/CN=other", "-days", "1"]
    other = subprocess.run(made, input=key, capture_output=True, text=True, check=True).stdout
    for wrong in ({"ca": other}, {"name": "db-pooler"}):
        with pytest.raises(ssl.SSLCertVerificationError):
            redis.client(**wrong)


def test_another_certificate_and_key_under_load(redis: Redis, record_property: Callable[[str, object], None]) -> None:
    shown, before = redis.certificate(), redis.container.id
    text = redis.stack.run("stack", "export").stdout
    urn = next(word for word in text.split('"') if word.endswith("::redis-server-tls-key"))
    written, failed = under_load(redis, lambda: redis.up(f"--replace={urn}"))
    print(f"another certificate: {written} connections, {len(failed)} failed {failed[:3]}")
    record_property("another certificate: connections", written)
    assert failed == []
    assert redis.certificate()["serialNumber"] != shown["serialNumber"]
    assert redis.container.id == before
    redis.stack.unchanged()


def test_another_ca_under_load(redis: Redis, record_property: Callable[[str, object], None]) -> None:
    old, before = redis.trusted(), redis.container.id
    written, failed = under_load(redis, lambda: redis.up(generation=2))
    print(f"another CA: {written} connections, {len(failed)} failed {failed[:3]}")
    record_property("another CA: connections", written)
    assert failed == []
    assert redis.container.id == before
    with pytest.raises(ssl.SSLCertVerificationError):
        redis.client(ca=old)
    assert old in redis.trusted()
    redis.up(generation=3)
    assert old not in redis.trusted()
    assert redis.certificate()["issuer"][-1] == (("commonName", f"{PLATFORM}-redis-ca-3"),)


def test_keys_are_nowhere_in_clear(redis: Redis) -> None:
    container = redis.container
    shown = [redis.stack.state(), str(container.attrs), container.logs().decode()]
    shown.append(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)
    assert not any("PRIVATE KEY" in text for text in shown)
    stat = container.exec_run(["stat", "-c", "%a %u", "/etc/tierstack/tls/tls.key"]).output.decode().split()
    assert stat == ["400", "999"]
    assert container.exec_run(["ls", "-A", "/run/tierstack/ca/redis"]).output.decode().split() == ["ca.crt"]
