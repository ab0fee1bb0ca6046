"""Images of a registry that asks for a password come onto a host that has none of them: files, runs and containers."""

import base64
import json
import socket
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import free_port, until

USER, PASSWORD = "puller", "4711-geheim"
HASH = "$2y$05$F9Ff6fFYYc/0sLYs4sJUWudXk.KtWemRLyn1lge4NU83SXdTO4Awi"
"""The password in bcrypt, cost 5: `htpasswd -nbB -C 5 puller 4711-geheim`."""
PROGRAM = """
import os
import pulumi
from tierstack import DataProtection, DockerHost
from tierstack.platform import docker
image = os.environ["IMAGE"]
host = docker.host(DockerHost(name=os.environ["NAME"], data_protection=DataProtection.NONE))
root = pulumi.ComponentResource("test:index:Small", "all")
config = host.volume("config", root, data=False)
files = host.files("files", root, volume=config, files={"a": "1"}, image=os.environ["TOOLS"], owner=(1, 1), mode=0o444)
wait = ["/bin/sh", "-c", "while :; do sleep 1; done"]
mounts = [docker.Mount(volume=files.volume, path="/c")]
network = docker.Attachment(network=host.network("net", root).name)
common = {"image": image, "user": "1:1", "networks": [network], "memory_mb": 32, "mounts": mounts, "stop_seconds": 1}
ran = host.run_once("migrate", root, docker.Service(command=["/bin/sh", "-c", "test $(cat /c/a) = 1"], **common))
host.container("web", root, docker.Service(command=wait, **common), depends_on=[ran])
"""


@dataclass
class Registry:
    """A registry with one image under two names, and the folder of a user who is logged in."""

    address: str
    image: str
    tools: str
    config: Path


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    client, address = docker_client(), f"127.0.0.1:{free_port()}"
    config = tmp_path / "registry.yml"
    users = tmp_path / "htpasswd"
    users.write_text(f"{USER}:{HASH}\n")
    config.write_text(
        json.dumps(
            {
                "version": 0.1,
                "storage": {"filesystem": {"rootdirectory": str(tmp_path / "data")}},
                "http": {"addr": address, "secret": "x"},
                "auth": {"htpasswd": {"realm": "test", "path": str(users)}},
            }
        )
    )
    log = (tmp_path / "registry.log").open("wb")
    process = subprocess.Popen(["registry", "serve", str(config)], stdout=log, stderr=log)
    auth = {"username": USER, "password": PASSWORD}
    names = []
    try:
        until("the registry listens, or has ended", lambda: process.poll() is not None or listens(address))
        assert process.poll() is None, (tmp_path / "registry.log").read_text()
        for name, local in (("shop", "php:8.4"), ("tools", "valkey:8.1")):
            repository = f"{address}/{name}"
            # An image of its own, which nothing else keeps on the host.
            base = client.images.get(image(local))
            container = client.containers.create(base.id, ["true"])
            own = container.commit(repository, "1", conf={"Labels": {"test": uuid.uuid4().hex}})
            container.remove()
            pushed = list(client.images.push(repository, "1", auth_config=auth, stream=True, decode=True))
            digests = [line["aux"]["Digest"] for line in pushed if "aux" in line]
            assert digests, f"{repository} was not pushed: {pushed[-1]}"
            digest = digests[0]
            names.append(f"{repository}:1@{digest}")
            client.images.remove(own.id, force=True)
        folder = tmp_path / "docker"
        folder.mkdir()
        token = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        (folder / "config.json").write_text(json.dumps({"auths": {address: {"auth": token}}}))
        yield Registry(address, names[0], names[1], folder)
    finally:
        process.terminate()
        process.wait()
        log.close()


def listens(address: str) -> bool:
    host, _, port = address.partition(":")
    with suppress(OSError), socket.create_connection((host, int(port)), 1):
        return True
    return False


@pytest.mark.needs("registry")
def test_private_images_that_are_not_on_the_host(registry: Registry, tmp_path: Path) -> None:
    name = f"t-{uuid.uuid4().hex[:8]}"
    stack = Stack(tmp_path / "stack", name="pull", environment={"NAME": name, "IMAGE": registry.image, "TOOLS": registry.tools})  # fmt: skip
    stack.folder.mkdir()
    try:
        stack.write(PROGRAM)
        nobody = tmp_path / "nobody"
        nobody.mkdir()
        stack.environment["DOCKER_CONFIG"] = str(nobody)
        said = stack.up(check=False)
        assert f"run `docker login {registry.address}` on the machine that runs the update" in said
        stack.environment["DOCKER_CONFIG"] = str(registry.config)
        stack.up()
        web = docker_client().containers.get(f"{name}-web")
        assert web.status == "running"
        stack.unchanged()
        assert docker_client().containers.get(f"{name}-web").id == web.id
        state = stack.state()
        assert PASSWORD not in state
        assert base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode() not in state
        stack.destroy()
    finally:
        for one in containers_of(name):
            one.remove(force=True)
        client = docker_client()
        for found in [*client.networks.list(names=[name]), *client.volumes.list(filters={"name": name})]:
            found.remove()
        for reference in (registry.image, registry.tools):
            repository, _, digest = reference.partition(":1@")
            for one in client.images.list():
                if f"{repository}@{digest}" in one.attrs["RepoDigests"]:
                    client.images.remove(one.id, force=True)
