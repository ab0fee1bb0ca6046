"""Three nodes, three Sentinels and HAProxy by the real engine, and what tests ask of them."""

import itertools
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from threading import Event, Thread
from typing import Any

from docker.errors import DockerException, NotFound

from tests.redis_cluster.docker.stand import Client, TLSClient
from tests.support import Stack, docker_client, image
from tests.waiting import until
from tierstack.redis_cluster import topology

PROGRAM = """
import pulumi
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform import DataProtection, DockerHost
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs

redis = RedisCluster("redis", RedisClusterArgs(
    platform=DockerHost(name="{platform}", data_protection=DataProtection.NONE),
    image="{image}", proxy_image="{proxy}", nodes={nodes}, memory_mb={memory}, tls=TLSMode("{tls}"),
    ca_generation={generation},
))
pulumi.export("user", redis.connection.user)
pulumi.export("password", redis.connection.password.value)
"""
CA = "/run/tierstack/ca/redis/ca.crt"
NODES = ("redis", "redis-node-1", "redis-node-2")
"""The containers of the nodes, after the platform's name, by ordinal."""


class Application(TLSClient):
    """A client of the endpoint: the application's user, through TLS."""

    def __init__(self, host: str, ca: str, user: str, password: str, timeout: float = 2.0) -> None:
        super().__init__(host, ca, timeout, password="")
        self("AUTH", user, password)


class Three:
    """A stack, and the containers that it has made."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.platform, self.daemon = stack, stack.name, docker_client()
        self.shape: dict[str, object] = {"nodes": 3, "memory": 64, "tls": "require", "generation": 1}
        self.outputs: Mapping[str, Any] = {}

    def up(self, *arguments: str, **changes: object) -> None:
        self.shape |= changes
        images = {"image": image("valkey:8.1"), "proxy": image("haproxy:3.0")}
        self.stack.write(PROGRAM.format(platform=self.platform, **images, **self.shape))
        self.stack.up(*arguments)
        self.outputs = self.stack.outputs()

    def container(self, name: str) -> Any:
        return self.daemon.containers.get(f"{self.platform}-{name}")

    def address(self, name: str = "redis-proxy", network: str = "redis-network") -> str:
        networks = self.container(name).attrs["NetworkSettings"]["Networks"]
        return networks[f"{self.platform}-{network}"]["IPAddress"]

    def client(self, timeout: float = 2.0) -> Application:
        """Of the endpoint: HAProxy, or the one node."""
        address = self.address(self.endpoint)
        return Application(address, self.trusted(), self.outputs["user"], self.outputs["password"], timeout)

    @property
    def endpoint(self) -> str:
        """The container that has the name of clients."""
        with suppress(NotFound):
            if self.container("redis-proxy").status == "running":
                return "redis-proxy"
        return "redis"

    def trusted(self) -> str:
        return self.execute(self.endpoint, f"cat {CA}")

    def execute(self, name: str, command: str) -> str:
        return self.container(name).exec_run(["/bin/sh", "-c", command]).output.decode().strip()

    def ask(self, name: str, command: str) -> str:
        """What a node answers to its own command-line client, as the default user."""
        return self.execute(name, f'REDISCLI_AUTH="$(cat /etc/redis/password)" valkey-cli --raw {command}')

    def ask_sentinel(self, index: int, command: str) -> str:
        return self.ask(f"redis-sentinel-{index}", f"-p {topology.SENTINEL_PORT} {command}")

    def primaries(self) -> list[str]:
        """Nodes that say that they are primary; one that is paused or stopped says nothing."""
        running = [name for name in NODES if self.container(name).status == "running"]
        return [name for name in running if self.ask(name, "role").startswith("master")]

    def settled(self, after: str) -> str:
        """The primary, once it has two replicas in step, and all Sentinels know that."""

        def well() -> bool:
            told = [self.ask_sentinel(index, "info sentinel") for index in range(3)]
            known = all("status=ok" in one and "slaves=2,sentinels=3" in one for one in told)
            return known and len(self.primaries()) == 1 and len(self.in_step()) == 2

        until(f"one primary, two replicas in step and three Sentinels after {after}", well, 90, every=0.5)
        (primary,) = self.primaries()
        return primary

    def in_step(self) -> list[str]:
        return [name for name in NODES if "master_link_status:up" in self.ask(name, "info replication")]

    def sentinels_name(self) -> set[str]:
        """Who is primary, by the Sentinels: one name where they agree."""
        said = {self.ask_sentinel(index, "sentinel get-master-addr-by-name primary") for index in range(3)}
        return {NODES[replicated_nodes().index(one.splitlines()[0])] for one in said}

    def logs(self) -> str:
        shown: list[str] = []
        for one in self.daemon.containers.list(all=True, filters={"name": self.platform}):
            lines = one.logs(tail=200).decode(errors="replace").splitlines()
            shown += [
                f"--- {one.name} {one.status}",
                *[line for line in lines if "Failed to resolve" not in line][-40:],
            ]
        return "\n".join(shown)


def replicated_nodes() -> list[str]:
    return [f"node-{index}" for index in range(3)]


class Writer:
    """A client that writes numbers through the endpoint, one each 10 ms, in a thread. A write that fails is tried again
    through new connections for `patience` seconds, as an application does that retries; what then is not acknowledged
    counts as failed."""

    def __init__(self, connect: Callable[[], Client], patience: float) -> None:
        self.connect, self.patience = connect, patience
        self.acknowledged: list[tuple[float, int]] = []
        self.retried: list[str] = []
        """Why first tries failed."""
        self.failed: list[str] = []
        self._client: Client | None = None
        self._stop = Event()
        self._thread = Thread(target=self._run)

    def __enter__(self) -> "Writer":
        self._thread.start()
        until("writes before", lambda: len(self.acknowledged) >= 100)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def goes_on(self, seconds: float = 60) -> None:
        """Wait for a hundred more acknowledged writes."""
        enough = len(self.acknowledged) + 100
        until(lambda: f"writes after: {self.retried[-3:]}", lambda: len(self.acknowledged) >= enough, seconds)

    def _run(self) -> None:
        for number in itertools.count(1):
            if self._stop.wait(0.01):
                return
            self._write(number)

    def _write(self, number: int) -> None:
        begun, said = time.monotonic(), ""
        while True:
            try:
                self._client = self._client or self.connect()
                self._client("SET", f"written:{number}", str(number))
                self.acknowledged.append((time.monotonic(), number))
                return
            except (OSError, RuntimeError, ValueError, KeyError, DockerException) as error:
                if not said:
                    said = f"{type(error).__name__}: {error}"
                    self.retried.append(said)
                if self._client:
                    with suppress(OSError):
                        self._client.close()
                self._client = None
            if time.monotonic() >= begun + self.patience:
                self.failed.append(said)
                return
            if self._stop.wait(0.05):
                return

    def longest_pause(self) -> float:
        times = [moment for moment, _ in self.acknowledged]
        return max((later - before for before, later in itertools.pairwise(times)), default=0.0)

    def lost(self, read: Client) -> list[int]:
        """Acknowledged writes that are not there."""
        return [number for _, number in self.acknowledged if read("GET", f"written:{number}") != str(number)]
