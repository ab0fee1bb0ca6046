"""A program for the engine: a host with a network, volumes, files, a run to the end and one container with every
feature. What varies stands in environment variables, so that a test changes one thing at a time."""

import json
import os

import pulumi

from tierstack import DataProtection, DockerHost
from tierstack.platform import docker

given = os.environ
platform = DockerHost(
    name=given["NAME"],
    environment=given.get("ENVIRONMENT", "local"),
    data_protection=DataProtection(given.get("PROTECTION", "none")),
)
image = given["IMAGE"]
host = docker.host(platform)
root = pulumi.ComponentResource("test:index:Everything", "all")

front = host.network("front", root)
back = host.network("back", root, internal=True)
data = host.volume("data", root, data=True)
config = host.volume("config", root, data=False)
files = host.files(
    "config-files",
    root,
    volume=config,
    files={**json.loads(given.get("FILES", "{}")), "secret/pass word": pulumi.Output.secret(given["SECRET"])},
    image=image,
    owner=(10001, 10002),
    mode=0o440,
)
service = docker.Service(
    image=image,
    command=["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"],
    user="10001:10002",
    networks=[
        docker.Attachment(network=front.name, aliases=["shop", "www"]),
        docker.Attachment(network=back.name),
    ],
    memory_mb=64,
    environment={"B": "2", "A": pulumi.Output.concat("1-", front.name)},
    mounts=[
        docker.Mount(volume=data.name, path="/data"),
        docker.Mount(volume=files.volume, path="/config", read_only=True),
    ],
    ports=[(int(given["PORT"]), 8080)],
    tmpfs={"/tmp": "rw,noexec,nosuid,size=16m", "/run": "rw,size=1m"},
    health=docker.Health(
        command=["/bin/sh", "-c", given.get("HEALTH", "test -d /config/secret")], interval=1, start_period=1
    ),
    wait_seconds=int(given.get("WAIT", "60")),
    cpu_shares=512,
    capabilities=["NET_BIND_SERVICE", "CHOWN"],
    stop_signal="SIGINT",
    stop_seconds=2,
    shm_mb=32,
    labels={"release": given.get("RELEASE", "one")},
)
for field, value in json.loads(given.get("CHANGE", "{}")).items():
    setattr(service, field, value)
ran = host.run_once(
    "migrate",
    root,
    docker.Service(
        image=image,
        command=["/bin/sh", "-c", given.get("ONCE", "cat '/config/secret/pass word' >/dev/null; echo done")],
        user="10001:10002",
        networks=[docker.Attachment(network=back.name), docker.Attachment(network=front.name)],
        memory_mb=64,
        mounts=[docker.Mount(volume=files.volume, path="/config")],
    ),
    triggers={"release": given.get("RELEASE", "one")},
    timeout_seconds=int(given.get("ONCE_SECONDS", "60")),
)
host.container("full", root, service, depends_on=[ran])
bare = docker.Service(image=image, command=["sleep", "600"], user="10001:10002", networks=[], memory_mb=32)
# Its name says all that may replace it, so that the new one starts beside the old one.
host.container("bare", root, bare, single=False, called=["bare", platform.environment])
pulumi.export("volume", files.volume)
