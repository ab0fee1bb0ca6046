"""One node on a Docker host."""

import hashlib
from collections.abc import Sequence

import pulumi
import pulumi_random as random

from tierstack.links import RedisConnection, SecretRef
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.platform.internal_ca import SERVER_DIRECTORY, TLSMode, ca_directory
from tierstack.platform.internal_ca.docker import Authority, ServerCertificate
from tierstack.platform.revision import ANNOTATION, revision_of
from tierstack.redis_cluster import node
from tierstack.redis_cluster.args import APPLICATION_USER, RedisClusterArgs, RedisPurpose

PASSWORD_LENGTH = 32
_OWNER = (node.UID, node.UID)


def files(args: RedisClusterArgs) -> dict[str, str]:
    """The files of the node, without the password."""
    tls = args.tls
    given = dict(node.files(node.config(args.purpose, args.size.memory_mb, replicated=False, tls=tls)))
    if tls is TLSMode.DISABLE:
        return given
    return {**given, "health.sh": node.health_script(tls), "reload.sh": node.reload_script(tls)}


def service(
    name: str,
    args: RedisClusterArgs,
    network: pulumi.Input[str],
    data: pulumi.Input[str],
    config: pulumi.Input[str],
    certificates: Sequence[Mount] = (),
    revision: pulumi.Input[str] = "",
) -> Service:
    """The container of the node. `revision`: that of its passwords."""
    content = "".join(f"{path}\n{text}" for path, text in sorted(files(args).items()))
    return Service(
        image=args.image,
        command=["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        user=f"{node.UID}:{node.UID}",
        networks=[Attachment(network=network, aliases=[name])],
        memory_mb=node.container_memory_mb(args.size.memory_mb),
        cpu_shares=int((1 if args.cpu is None else args.cpu) * 1024),
        mounts=[
            Mount(volume=data, path=node.DATA_DIR),
            Mount(volume=config, path=node.CONFIG_DIR, read_only=True),
            *certificates,
        ],
        # A healthy answer ends the period at once.
        health=Health(command=["/bin/sh", f"{node.CONFIG_DIR}/health.sh"], start_period=node.LOAD_SECONDS),
        wait_seconds=node.LOAD_SECONDS + 60,
        # The server reads its configuration only when it starts, so that a change of it must restart the container.
        labels={
            "tierstack.dev/configuration": hashlib.sha256(content.encode()).hexdigest()[:12],
            ANNOTATION: revision,
        },
        stop_seconds=30,
    )


def build(name: str, parent: pulumi.Resource, args: RedisClusterArgs) -> RedisConnection:
    """A node in a network of its own, its data in a protected volume and its password in a file of another one."""
    on = host(args.platform, parent)
    passwords = {node.PASSWORD_FILE: _password(f"{name}-password", parent)}
    if args.application_user:
        passwords[node.APPLICATION_FILE] = _password(f"{name}-app-password", parent)
    network = on.network(f"{name}-network", parent, internal=True)
    data = on.volume(f"{name}-data", parent, data=args.purpose.is_durable)
    config = on.volume(f"{name}-config", parent, data=False)
    written = on.files(
        f"{name}-files",
        parent,
        volume=config,
        files={**files(args), **passwords},
        image=args.image,
        owner=_OWNER,
    )
    authority = certificate = None
    if args.tls is not TLSMode.DISABLE:
        authority = Authority(name, parent, on, generation=args.ca_generation, image=args.image, owner=_OWNER)
        certificate = authority.server(f"{name}-server-tls", [name], _OWNER)
    mounts = _certificates(authority, certificate)
    digits = revision_of(passwords)
    made = service(name, args, network.name, data.name, written.volume, mounts, digits)
    container = on.container(name, parent, made)
    if certificate:
        reload = ["/bin/sh", f"{node.CONFIG_DIR}/reload.sh"]
        shown: dict[str, pulumi.Input[str]] = {"certificate": certificate.fingerprint}
        on.reload(f"{name}-reload", parent, container=name, command=reload, triggers=shown, depends_on=[container])
    return RedisConnection(
        evicts=args.purpose is RedisPurpose.CACHE,
        # Known when the container is healthy, so that what uses it starts after it.
        host=on.after([container])[0].urn.apply(lambda _: name),
        port=str(node.TLS_PORT if authority else node.PORT),
        ca=authority.trusted if authority else None,
        user=APPLICATION_USER if args.application_user else None,
        password=SecretRef(value=pulumi.Output.secret(list(passwords.values())[-1]), revision=digits),
        network=network.name,
        place=args.platform.place,
    )


def _password(name: str, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Letters and digits, made once."""
    opts = pulumi.ResourceOptions(parent=parent)
    return random.RandomPassword(name, length=PASSWORD_LENGTH, special=False, opts=opts).result


def _certificates(authority: Authority | None, certificate: ServerCertificate | None) -> list[Mount]:
    """What the server shows, and what its own command-line client trusts."""
    if authority is None or certificate is None:
        return []
    return [
        Mount(volume=certificate.volume, path=SERVER_DIRECTORY, read_only=True),
        Mount(volume=authority.written.volume, path=ca_directory("redis"), read_only=True),
    ]
