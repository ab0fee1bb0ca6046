"""One shop for all tests of this folder, on a real Docker daemon."""

import socket
import threading
from collections.abc import Iterator
from typing import TextIO

import docker
import docker.errors
import pytest

from tests.shop.stand import Site, Stand, images


@pytest.fixture(scope="session")
def stand() -> Iterator[Stand]:
    """Data stores and schema; tests start the processes they look at."""
    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        pytest.skip(f"no Docker daemon answers: {error}")
    stand = Stand(images())
    try:
        stand.data_stores()
        yield stand
    finally:
        stand.close()


@pytest.fixture(scope="session")
def unmigrated(stand: Stand) -> dict[str, object]:
    """What readiness says before any migration ran; asked once, before `site` migrates."""
    site = stand.web("early")
    answer = site.get("/api/monitoring/health")
    stand.remove(site.container)
    return {"status": answer.status_code, "checks": answer.json()["checks"]}


@pytest.fixture(scope="session")
def site(stand: Stand, unmigrated: dict[str, object]) -> Site:
    """A migrated shop with one web replica and no worker or scheduler."""
    code, output = stand.migrate()
    assert code == 0, output
    return stand.web()


@pytest.fixture
def fresh(stand: Stand, site: Site) -> Iterator[Stand]:
    """Nothing queued or counted from before; processes started by the test end with it."""
    stand.redis("FLUSHALL")
    stand.sql("DELETE FROM orders")
    before = {container.id for container in stand.containers}
    yield stand
    for container in [entry for entry in stand.containers if entry.id not in before]:
        stand.remove(container)


class MailRelay:
    """A relay that keeps what it gets (RFC 5321, the few commands that the shop uses)."""

    def __init__(self, address: str) -> None:
        self.listener = socket.create_server((address, 0))
        self.address, self.port = self.listener.getsockname()[:2]
        self.mails: list[str] = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rw", newline="\r\n") as stream:
                self.converse(stream)

    def converse(self, stream: TextIO) -> None:
        def say(line: str) -> None:
            stream.write(line + "\r\n")
            stream.flush()

        say("220 relay")
        for line in stream:
            command = line.strip().upper()
            if command == "DATA":
                say("354 go on")
                body: list[str] = []
                while (text := stream.readline().rstrip("\r\n")) != ".":
                    body.append(text)
                self.mails.append("\n".join(body))
                say("250 kept")
            elif command == "QUIT":
                say("221 bye")
                return
            else:
                say("250 ok")


@pytest.fixture
def relay(stand: Stand) -> Iterator[MailRelay]:
    stand.network.reload()
    gateway = stand.network.attrs["IPAM"]["Config"][0]["Gateway"]
    try:
        relay = MailRelay(gateway)
    except OSError as error:
        pytest.skip(f"containers cannot reach this machine at their gateway {gateway}: {error}")
    yield relay
    relay.listener.close()
