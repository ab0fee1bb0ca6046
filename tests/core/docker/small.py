"""A program for the engine: one network, one volume with data, one with a secret file, and a container that reads it."""

import os

import pulumi

from tierstack import DataProtection, DockerHost
from tierstack.platform import docker

given = os.environ
platform = DockerHost(name=given["NAME"], data_protection=DataProtection.PROTECT, adopt=given.get("ADOPT") == "yes")
host = docker.host(platform)
root = pulumi.ComponentResource("test:index:Small", "all")
network = host.network("net", root)
data = host.volume("data", root, data=True)
config = host.volume("config", root, data=False)
content = {"password": pulumi.Output.secret(given["SECRET"])}
files = host.files("config-files", root, volume=config, files=content, image=given["IMAGE"], owner=(10001, 10001))
service = docker.Service(
    image=given["IMAGE"],
    command=["/bin/sh", "-c", "cp /config/password /tmp/password; while :; do sleep 1; done"],
    user="10001:10001",
    networks=[docker.Attachment(network=network.name)],
    memory_mb=32,
    mounts=[docker.Mount(volume=data.name, path="/data"), docker.Mount(volume=files.volume, path="/config")],
    health=docker.Health(command=["cmp", "/config/password", "/tmp/password"], interval=1, retries=2, start_period=0),
    wait_seconds=20,
    stop_seconds=1,
)
host.container("web", root, service)
