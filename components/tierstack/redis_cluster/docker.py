"""One node on a Docker host."""

import hashlib

import pulumi
import pulumi_random as random

from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.redis_cluster import node
from tierstack.redis_cluster.args import RedisClusterArgs, RedisPurpose
from tierstack.wiring import RedisConnection, SecretRef

PASSWORD_LENGTH = 32
_OWNER = (node.UID, node.UID)


def files(args: RedisClusterArgs) -> dict[str, str]:
    """The files of the node, without the password."""
    return dict(node.files(node.config(args.purpose, args.size.memory_mb, replicated=False)))


def service(
    name: str,
    args: RedisClusterArgs,
    network: pulumi.Input[str],
    data: pulumi.Input[str],
    config: pulumi.Input[str],
) -> Service:
    """The container of the node."""
    content = "".join(f"{path}\n{text}" for path, text in sorted(files(args).items()))
    return Service(
        image=args.image,
        command=["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        user=f"{node.UID}:{node.UID}",
        networks=[Attachment(network=network, aliases=[name])],
        memory_mb=node.container_memory_mb(args.size.memory_mb),
        mounts=[
            Mount(volume=data, path=node.DATA_DIR),
            Mount(volume=config, path=node.CONFIG_DIR, read_only=True),
        ],
        health=Health(command=["/bin/sh", f"{node.CONFIG_DIR}/health.sh"]),
        # The server reads its configuration only when it starts, so that a change of it must restart the container.
        labels={"tierstack.dev/configuration": hashlib.sha256(content.encode()).hexdigest()[:12]},
        stop_seconds=30,
    )


def build(name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> RedisConnection:
    """A node in a network of its own, its data in a protected volume and its password in a file of another one."""
    on = host(args.platform)
    password = random.RandomPassword(
        f"{name}-password", length=PASSWORD_LENGTH, special=False, opts=pulumi.ResourceOptions(parent=parent)
    ).result
    network = on.network(f"{name}-network", parent, internal=True)
    data = on.volume(f"{name}-data", parent, data=args.purpose is RedisPurpose.QUEUE)
    config = on.volume(f"{name}-config", parent, data=False)
    written = on.files(
        f"{name}-files",
        parent,
        volume=config,
        files={**files(args), "password": password},
        image=args.image,
        owner=_OWNER,
    )
    container = on.container(name, parent, service(name, args, network.name, data.name, written.volume))
    return RedisConnection(
        # Known when the container is healthy, so that what uses it starts after it.
        host=on.after([container])[0].urn.apply(lambda _: name),
        port=str(node.PORT),
        password=SecretRef(value=pulumi.Output.secret(password)),
        network=network.name,
    )
