"""The shop on a host that is lost while it takes orders over HTTPS, and comes back from a bucket elsewhere: no application
answers before orders and uploads are there, and what was pending is processed.

It has not passed yet, so no run of all tests collects it: its one run that reached `tierstack recover` recovered the
shop, and then ended at a mistake of the test, which took ids of orders for numbers.
"""

import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import status_of
from tests.projects import Checkout, apart
from tests.support import docker_client, image, run_command
from tests.waiting import free_port, until
from tierstack.backup_schedule import agent

NAME, STACK, HOST = "t-recvh", "lost", "shop.localhost"
GATEWAY, KEY = "t-recve-elsewhere", "elsewhere-for-tests"
DATABASE, AGENT, FILES = f"{NAME}-db-primary", f"{NAME}-backups-barman", f"{NAME}-files-restic"
SECRETS = {
    "docker.object_storage.access_key_id": KEY,
    "docker.object_storage.secret_access_key": KEY,
    "docker.file_backups.password": "a password of enough length",
}
PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """An S3 gateway that is no part of the stack, as one of a provider: reached by an address of the host."""
    docker_client()
    subprocess.run(["docker", "rm", "-f", GATEWAY], capture_output=True)
    address = run_command("docker", "network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}")
    port = free_port()
    # Its objects lie in memory, so that the disk is not shared with what is measured.
    command = ["docker", "run", "-d", "--name", GATEWAY, "--network", "host", "--tmpfs", "/data:uid=65532,size=1g"]
    command += ["-e", f"ROOT_ACCESS_KEY={KEY}", "-e", f"ROOT_SECRET_KEY={KEY}", image("versitygw:1.8"), "sh", "-c"]
    start = "mkdir /data/objects /data/meta; exec versitygw --port {}:{} --health /health posix --sidecar /data/meta {}"
    try:
        run_command(*command, start.format(address, port, "/data/objects"))
        url = f"http://{address}:{port}"
        healthy = ["docker", "exec", GATEWAY, "curl", "-fs", f"{url}/health"]
        until("the gateway answers", lambda: subprocess.run(healthy, capture_output=True).returncode == 0, 60)
        code = (
            f"import boto3; boto3.client('s3', endpoint_url='{url}', region_name='us-east-1', "
            f"aws_access_key_id='{KEY}', aws_secret_access_key='{KEY}').create_bucket(Bucket='shop-backups')"
        )
        run_command("docker", "run", "--rm", "--network", "host", image("barman:3"), "python3", "-c", code)
        yield url
    finally:
        subprocess.run(["docker", "rm", "-f", GATEWAY], capture_output=True)


def configure(config: dict[str, Any]) -> None:
    """All but name, ports, endpoint and secrets."""
    config["docker"]["platform"]["memory_mb"] = 8000
    config["images"]["restic"] = "local:restic:0.18"
    config["app"]["roles"]["worker"]["count"] = 1
    config["docker"]["object_storage"] = {
        "endpoint_url": "http://172.17.0.1:7070", "bucket": "shop-backups", "prefix": "prod", "region": "us-east-1",
    }  # fmt: skip
    config["docker"]["file_backups"] = {"first_backup_minutes": 5}
    config.pop("dns")


class Shop:
    """The shop of one checkout."""

    def __init__(self, folder: Path, port: int) -> None:
        self.checkout, self.port = Checkout.make(folder), port
        self.ca: ssl.SSLContext | None = None

    def configure(self, endpoint: str, http_port: int) -> None:
        """Write the configuration, its secrets encrypted."""

        def change(config: dict[str, Any]) -> None:
            configure(config)
            apart(config, NAME, self.port, http_port)
            config["docker"]["object_storage"]["endpoint_url"] = endpoint

        self.checkout.config(STACK, change, base="local")
        self.checkout.pulumi("stack", "init", STACK)
        for key, value in SECRETS.items():
            self.checkout.pulumi("config", "set", "--secret", "--path", f"shop:{key}", value, "--stack", STACK)

    def trusts(self) -> None:
        said = self.checkout.pulumi("stack", "output", "ca", "--stack", STACK).stdout
        self.ca = ssl.create_default_context(cadata=said)

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPSConnection(HOST, self.port, timeout=5, context=self.ca or blind())
        connection._create_connection = lambda address, *rest: socket.create_connection(
            ("127.0.0.1", address[1]), *rest
        )
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def order(self, key: str) -> str | None:
        """The id of an order that was acknowledged."""
        body = json.dumps({"sku": "tea", "quantity": 1}).encode()
        try:
            status, said = self.ask("POST", "/api/orders", body, Idempotency_Key=key)
        except OSError:
            return None
        return json.loads(said)["id"] if status == 201 else None


def blind() -> ssl.SSLContext:
    """Before the new CA is known: whether anything answers."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def sql(statement: str) -> str:
    client = ["docker", "exec", DATABASE, "psql", "-h", "/tmp", "-U", "postgres", "-d", "app", "-qAtc"]
    return run_command(*client, statement)


def lose_the_host() -> None:
    if found := run_command("docker", "ps", "-aq", "--filter", f"name=^{NAME}-").split():
        run_command("docker", "rm", "-f", *found)
    for kind in ("volume", "network"):
        if named := run_command("docker", kind, "ls", "-q", "--filter", f"name=^{NAME}-").split():
            run_command("docker", kind, "rm", *named)


def sent() -> str:
    return run_command("docker", "exec", AGENT, "cat", f"{agent.CATALOG}/{agent.SERVER}/sent-wal")


def test_the_shop_comes_back_with_its_orders_and_uploads(
    tmp_path_factory: pytest.TempPathFactory, endpoint: str
) -> None:
    for one in ("shop:1", "postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "barman:3", "restic:0.18"):
        image(one)
    folder, ports = tmp_path_factory.mktemp("shop"), (free_port(), free_port())
    lose_the_host()
    try:
        lost = Shop(folder / "lost", ports[0])
        lost.configure(endpoint, ports[1])
        lost.checkout.json("up", "-s", STACK)
        lost.trusts()
        uploaded = [json.loads(lost.ask("POST", "/api/uploads", PNG + bytes([n]), Content_Type="image/png")[1])
                    for n in range(5)]  # fmt: skip
        run_command("docker", "exec", FILES, "python3", "-m", "tierstack.backup_schedule.restic.agent", "backup")
        until("a base backup is stored", lambda: status_of(AGENT, agent.STATUS)["store"]["base"], 300, every=1)
        began = sql("SELECT pg_walfile_name(pg_current_wal_insert_lsn())")
        acknowledged: dict[str, float] = {}
        over = threading.Event()

        def take_orders() -> None:
            number = 0
            while not over.is_set():
                number += 1
                if identifier := lost.order(f"lost-{number}"):
                    acknowledged[identifier] = time.time()
                over.wait(0.1)

        thread = threading.Thread(target=take_orders)
        thread.start()
        try:
            until("orders are in the bucket", lambda: sent() >= began, 120, every=0.5)
            time.sleep(10)  # a loss comes at any moment of the half minute between two segments
        finally:
            lost_at = time.time()
            lose_the_host()
            over.set()
            thread.join()
        before = {identifier: at for identifier, at in acknowledged.items() if at <= lost_at}

        new = Shop(folder / "new", ports[0])
        shutil.copy(lost.checkout.folder / f"Pulumi.{STACK}.yaml", new.checkout.folder)
        answered: list[float] = []
        over.clear()
        start = time.monotonic()

        def watch() -> None:
            while not over.wait(0.2):
                try:
                    if not answered and new.ask("GET", "/api/monitoring/health")[0] == 200:
                        answered.append(time.monotonic() - start)
                except OSError:
                    continue

        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            said = new.checkout.json("recover", "-s", STACK, "--yes")
        finally:
            over.set()
            watcher.join()
        total = time.monotonic() - start
        print(json.dumps({**said, "parts": len(said["parts"])}, indent=1))
        assert said["result"] == "recovered"
        new.trusts()
        back = set(sql("SELECT id FROM orders").split())
        gone = sorted(at for identifier, at in before.items() if identifier not in back)
        rpo = max(before.values()) - max(at for identifier, at in before.items() if identifier in back)
        print(f"\n{len(before)} orders acknowledged, {len(gone)} lost, RPO {rpo:.1f} s; the shop answered after "
              f"{answered[0]:.1f} s, and the command ended after {total:.1f} s")  # fmt: skip
        assert rpo <= 60
        assert not gone or min(gone) > max(at for identifier, at in before.items() if identifier in back)
        for one in uploaded:
            assert new.ask("GET", f"/uploads/{one['name']}")[0] == 200
        pending = "SELECT count(*) FROM orders WHERE status = 'pending'"
        until("what was pending is processed", lambda: sql(pending) == "0", 120, every=1)
        identifier = new.order("after")
        assert identifier is not None
        assert identifier not in before
        assert new.checkout.json("preview", "-s", STACK)["steps"] == []
    finally:
        lose_the_host()
        shutil.rmtree(folder)
