"""Three nodes, three Sentinels and HAProxy as containers, from the files that the Kubernetes form generates."""

import io
import itertools
import secrets
import socket
import ssl
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.support import docker_client, image
from tests.waiting import until
from tierstack.platform import Kubernetes
from tierstack.platform.internal_ca import CA_FILE, CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode
from tierstack.redis_cluster import RedisClusterArgs, kubernetes, node, topology

PASSWORD = "a-password-of-the-tests"
BY_DIGEST = f"registry.example/image@sha256:{'0' * 64}"


class Client:
    """A connection that speaks just enough of the protocol."""

    def __init__(self, host: str, password: str = PASSWORD, timeout: float = 1.0) -> None:
        self.socket = socket.create_connection((host, node.PORT), timeout)
        self.reader = self.socket.makefile("rb")
        if password:
            self("AUTH", password)

    def __call__(self, *words: str) -> str:
        parts = "".join(f"${len(word.encode())}\r\n{word}\r\n" for word in words)
        self.socket.sendall(f"*{len(words)}\r\n{parts}".encode())
        return self.read()

    def read(self) -> str:
        line = self.reader.readline().decode().rstrip("\r\n")
        if line.startswith("-"):
            raise RuntimeError(line)
        if line.startswith("*"):
            return " ".join(self.read() for _ in range(int(line[1:])))
        if not line.startswith("$"):
            if not line:
                raise ConnectionError("closed")
            return line[1:]
        size = int(line[1:])
        return self.reader.read(size + 2).decode()[:-2] if size >= 0 else ""

    def close(self) -> None:
        self.reader.close()
        self.socket.close()


class TLSClient(Client):
    """A connection that verifies chain and name."""

    def __init__(self, host: str, ca: str, timeout: float = 1.0, name: str = "redis", password: str = PASSWORD) -> None:
        context = ssl.create_default_context(cadata=ca)
        plain = socket.create_connection((host, node.TLS_PORT), timeout)
        self.socket = self.encrypted = context.wrap_socket(plain, server_hostname=name)
        self.reader = self.socket.makefile("rb")
        if password:
            self("AUTH", password)


def authority() -> dict[str, str]:
    """What cert-manager would put into the Secret: a certificate of a new CA for the endpoint's name, and its key."""
    with tempfile.TemporaryDirectory() as folder:

        def openssl(*words: str) -> None:
            subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True)

        new = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
        openssl("req", "-x509", *new, "-keyout", "ca.key", "-out", CA_FILE, "-subj", "/CN=tests", "-days", "1")
        openssl("req", "-x509", *new, "-keyout", KEY, "-out", CERTIFICATE, "-subj", "/CN=redis", "-days", "1",
                "-addext", "subjectAltName=DNS:redis", "-CA", CA_FILE, "-CAkey", "ca.key")  # fmt: skip
        return {name: (Path(folder) / name).read_text() for name in (CA_FILE, CERTIFICATE, KEY)}


class Stand:
    """The containers, by the names of the pods."""

    def __init__(self, name: str, tls: TLSMode = TLSMode.DISABLE) -> None:
        self.daemon = docker_client()
        self.name = name
        self.tls = tls
        self.certificates = {} if tls is TLSMode.DISABLE else authority()
        self.network = self.daemon.networks.create(name, labels={"tierstack.test": "redis"})
        self.containers: dict[str, Any] = {}

    def args(self, nodes: int = 3) -> RedisClusterArgs:
        return RedisClusterArgs(
            platform=Kubernetes(name=self.name),
            image=BY_DIGEST,
            proxy_image=BY_DIGEST,
            nodes=nodes,
            memory_mb=64,
            storage_gb=1,
            tls=self.tls,
        )

    def topology(self) -> topology.Topology:
        return kubernetes.topology_of("redis", self.args())

    def start_node(self, index: int, nodes: int = 3) -> None:
        shown = {
            f"{SERVER_DIRECTORY}/{name}"[1:]: self.certificates[name] for name in self.certificates if name != CA_FILE
        }
        self._run(self.topology().nodes[index], kubernetes.node_files("redis", self.args(nodes)), shown)

    def start_sentinel(self, index: int) -> None:
        self._run(self.topology().sentinels[index], kubernetes.sentinel_files(self.topology()))

    def start_proxy(self) -> None:
        files = kubernetes.proxy_files(self.args().purpose, self.topology(), self.tls)
        command = ["haproxy", "-W", "-db", "-f", "/etc/haproxy/haproxy.cfg"]
        environment = {"REDIS_PASSWORD": PASSWORD}
        files = {f"etc/haproxy/{path}": text for path, text in files.items()}
        self._create("haproxy:3.0", "proxy", command, files, 99, environment=environment)

    def start_all(self) -> None:
        """Everything at once, in no order, as Kubernetes does."""
        for index in (2, 0, 1):
            self.start_node(index)
            self.start_sentinel(index)
        self.start_proxy()

    def _run(self, full_name: str, files: dict[str, str], more: dict[str, str] | None = None) -> None:
        files = {f"etc/redis/{path}": text for path, text in {**files, "password": PASSWORD}.items()} | (more or {})
        self._create("valkey:8.1", full_name, ["/bin/sh", "/etc/redis/start.sh"], files, node.UID)

    def _create(
        self, of: str, full_name: str, command: list[str], files: dict[str, str], uid: int, **more: Any
    ) -> None:
        short = full_name.split(".")[0]
        api = self.daemon.api
        made = api.create_container(
            image(of),
            entrypoint=command[:1],
            command=command[1:],
            hostname=short,
            name=f"{self.name}-{short}",
            user=f"{uid}:{uid}",
            labels={"tierstack.test": "redis"},
            host_config=api.create_host_config(
                network_mode=self.name,
                cap_drop=["ALL"],
                tmpfs={"/tmp": "rw,mode=1777"},
                mem_limit="256m",
                init=True,
                binds=[f"{self.name}-{short}:/data"] if uid == node.UID else None,
            ),
            networking_config=api.create_networking_config(
                {self.name: api.create_endpoint_config(aliases=[full_name])}
            ),
            **more,
        )
        container = self.daemon.containers.get(made["Id"])
        self.containers[short] = container
        container.put_archive("/", _archive(files, uid))
        container.start()

    def remove(self, short: str, *, volume: bool = False) -> None:
        self.containers.pop(short).remove(force=True, v=True)
        if volume:
            self.daemon.volumes.get(f"{self.name}-{short}").remove()

    def address(self, short: str) -> str:
        container = self.containers[short]
        container.reload()
        return container.attrs["NetworkSettings"]["Networks"][self.name]["IPAddress"]

    def execute(self, short: str, command: str) -> str:
        return self.containers[short].exec_run(["/bin/sh", "-c", command]).output.decode()

    def healthy(self, short: str) -> bool:
        return self.containers[short].exec_run(["/bin/sh", "/etc/redis/health.sh"]).exit_code == 0

    def role(self, index: int) -> str:
        with suppress(OSError, RuntimeError, KeyError):
            client = Client(self.address(f"redis-node-{index}"))
            try:
                return client("ROLE").split()[0]
            finally:
                client.close()
        return "gone"

    def primaries(self) -> list[int]:
        return [index for index in range(3) if self.role(index) == "master"]

    def sentinel_knows_all(self, index: int) -> bool:
        """Whether a Sentinel finds the primary well, and knows two replicas and two other Sentinels."""
        ask = f"REDISCLI_AUTH={PASSWORD} valkey-cli -p {topology.SENTINEL_PORT} --raw info sentinel"
        told = self.execute(f"redis-sentinel-{index}", ask)
        return "status=ok" in told and "slaves=2,sentinels=3" in told

    def client(self, address: str = "") -> Client:
        """A client of the endpoint, as the mode asks for."""
        address = address or self.address("proxy")
        return TLSClient(address, self.certificates[CA_FILE]) if self.certificates else Client(address)

    def renew(self, index: int) -> None:
        """Another certificate in the files of a node, as the kubelet brings it."""
        files = {f"{SERVER_DIRECTORY}/{name}"[1:]: self.certificates[name] for name in (CERTIFICATE, KEY)}
        self.containers[f"redis-node-{index}"].put_archive("/", _archive(files, node.UID))

    def writes(self) -> bool:
        """Whether a client gets a write acknowledged through the one endpoint."""
        with suppress(OSError, RuntimeError):
            client = self.client()
            try:
                return client("SET", "probe", "1") == "OK"
            finally:
                client.close()
        return False

    def logs(self) -> str:
        """The ends of all logs, without the line that a Sentinel repeats while a name is gone."""
        shown: list[str] = []
        for name, container in self.containers.items():
            lines = container.logs(tail=400).decode(errors="replace").splitlines()
            shown += [f"--- {name}", *[line for line in lines if "Failed to resolve" not in line][-60:]]
        return "\n".join(shown)

    def close(self) -> None:
        for short in list(self.containers):
            self.remove(short, volume=short != "proxy")
        self.network.remove()


def _archive(files: dict[str, str], uid: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, text in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.uid, entry.gid = len(text.encode()), 0o400, uid, uid
            tar.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


@contextmanager
def stand(tls: TLSMode = TLSMode.DISABLE) -> Iterator[Stand]:
    """An empty stand; its logs are printed, for pytest to show if the test fails, and everything is removed."""
    made = Stand(f"t-redis-{secrets.token_hex(3)}", tls)
    try:
        yield made
    finally:
        print(made.logs())
        made.close()


class Writer:
    """A client that writes numbers, one after the other, through the endpoint; it reconnects as an application does."""

    def __init__(self, host: str, connect: Callable[[str], Client] = Client) -> None:
        self.host = host
        self.connect = connect
        self.acknowledged: list[tuple[float, int]] = []
        self.failures: list[str] = []
        self.client: Client | None = None
        self.next = 0

    def step(self) -> None:
        self.next += 1
        try:
            self.client = self.client or self.connect(self.host)
            self.client("SET", f"written:{self.next}", str(self.next))
            self.acknowledged.append((time.monotonic(), self.next))
        except (OSError, RuntimeError) as error:
            self.failures.append(str(error))
            if self.client:
                self.client.close()
            self.client = None

    def write(self, until_true: Callable[[], bool], what: str, seconds: float = 60) -> None:
        until(what, lambda: until_true() or self.step(), seconds, every=0.01)

    def longest_pause(self) -> float:
        """Seconds between the two acknowledged writes that are furthest apart."""
        times = [moment for moment, _ in self.acknowledged]
        return max((later - before for before, later in itertools.pairwise(times)), default=0.0)

    def lost(self, read: Client) -> list[int]:
        """Acknowledged writes that are not there."""
        return [number for _, number in self.acknowledged if read("GET", f"written:{number}") != str(number)]
