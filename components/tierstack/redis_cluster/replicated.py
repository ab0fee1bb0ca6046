"""Three nodes, three Sentinels and HAProxy on a Docker host (pure): their names, files and containers.

Clients meet HAProxy in a network of their own; the store is in another one, in which nobody else is. Names in there are
aliases that stay, because a container has another address after a restart.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pulumi

from tierstack.platform.docker import Attachment, Health, Mount, Service
from tierstack.platform.http_probe import http_probe
from tierstack.platform.internal_ca import TLSMode, ca_path
from tierstack.platform.revision import ANNOTATION
from tierstack.redis_cluster import alone, node, proxy, supervise, topology
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.redis_cluster.topology import COUNT, Topology

PROXY_DIR = "/etc/haproxy"
SENTINEL = node.User(
    name="sentinel",
    file="sentinel-password",
    rights=(
        "resetchannels &__sentinel__:hello -@all +multi +exec +slaveof +replicaof +failover +ping +subscribe +publish "
        "+info +role +config|rewrite +client|setname +client|kill +script|kill"
    ),
)
"""Whom the Sentinels log in as: the rights of valkey.io/topics/sentinel, with one channel, and FAILOVER, which those of
Valkey 9 send (valkey-io/valkey#2779)."""
PROXY = node.User(name="proxy", file="proxy-password", rights="resetkeys resetchannels -@all +info")
"""Whom HAProxy logs in as to ask for the role."""
USERS = SENTINEL, PROXY
_APPLICATION_RIGHTS = f"{node.APPLICATION_RIGHTS} -publish -spublish (+publish +spublish &[^_]* &_[^_]* &__[^s]*)"
"""Sentinels believe whatever comes by the channel `__sentinel__:hello`, and follow it to another primary. So
applications publish in all channels but those that begin with `__s`, and subscribe to any (ACL selectors)."""
_PID = "/tmp/haproxy.pid"


def topology_of(args: RedisClusterArgs) -> Topology:
    """The names in the network of the store: without a dot, so that one that is gone is unknown at once. A Sentinel
    stands still while it looks up a name, and would not replace a primary that is gone (redis/redis#12753)."""
    return Topology(
        nodes=tuple(f"node-{index}" for index in range(COUNT)),
        sentinels=tuple(f"sentinel-{index}" for index in range(COUNT)),
        failover_after_ms=args.failover_after_ms,
        last=COUNT - 1,
        name_pattern="^node-[0-9]$",
        sentinel_password=SENTINEL.file,
        watcher=SENTINEL.name,
    )


def node_files(args: RedisClusterArgs) -> dict[str, str]:
    """The files of all nodes, without passwords."""
    among, encrypted = topology_of(args), args.tls is not TLSMode.DISABLE
    ports = TLSMode.ALLOW if encrypted else TLSMode.DISABLE
    start = node.start_script(
        topology.join(among, wary=True),
        users=USERS,
        application_rights=_APPLICATION_RIGHTS,
        run=supervise.NODE_RUN,
    )
    return {
        "redis.conf": node.config(args.purpose, args.size.memory_mb, replicated=True, tls=ports),
        "start.sh": start,
        "health.sh": node.health_script(),
        "stop.sh": supervise.stop_script(among),
        **({"reload.sh": node.reload_script(args.tls)} if encrypted else {}),
    }


def sentinel_files(args: RedisClusterArgs) -> dict[str, str]:
    """The files of all Sentinels, without the password."""
    return {
        "sentinel.conf": topology.sentinel_config(),
        "start.sh": topology.sentinel_script(topology_of(args), supervise.SENTINEL_WATCH),
        "health.sh": topology.sentinel_health_script(supervise.SENTINEL_PID),
        "watch.sh": supervise.WATCH_SCRIPT,
    }


_AMBIGUOUS = """\
    # Not one node alone is known to be primary: HAProxy has just begun, nodes change places, or an old primary is back.
    # A client waits for the next answers, and is sent away where they say the same.
    tcp-request inspect-delay 500ms
    tcp-request content accept if { nbsrv(primary) eq 1 }
    tcp-request content reject if WAIT_END
"""


def proxy_files(name: str, args: RedisClusterArgs) -> dict[str, str]:
    """The files of HAProxy, without the password. `name`: of the endpoint, which is in the certificate of the nodes."""
    verified = f"check-ssl verify required ca-file {ca_path('redis')} verifyhost {name}"
    check = proxy.Check(
        user=PROXY.name,
        # `inter` is also how long a connection and its handshake may take, so that it is no shorter. A node that gives
        # no answer has 2 s; one that gives another is asked once more at once.
        times="inter 1s fastinter 200ms downinter 300ms fall 2 rise 1",
        encryption="" if args.tls is TLSMode.DISABLE else verified,
        ambiguous=_AMBIGUOUS,
        health_address="127.0.0.1",
    )
    config = proxy.haproxy_config(
        topology_of(args), replica_required=args.purpose.is_durable, tls=args.tls, check=check
    )
    start = f"""\
#!/bin/sh
# The password is in the environment of the process alone, not in that of the container.
set -eu
REDIS_PASSWORD=$(cat {PROXY_DIR}/password)
export REDIS_PASSWORD
echo $$ >{_PID}
exec haproxy -W -db -f {PROXY_DIR}/haproxy.cfg
"""
    return {"haproxy.cfg": config, "start.sh": start}


RELOAD_PROXY = ["/bin/sh", "-c", f'kill -USR2 "$(cat {_PID})"']
"""Command in HAProxy's container that lets it read its files again: new connections meet a new process, those that
exist stay with the old one for `hard-stop-after`."""


def node_service(
    index: int, args: RedisClusterArgs, network: pulumi.Input[str], mounts: Sequence[Mount], revision: pulumi.Input[str]
) -> Service:
    """The container of a node."""
    return replace(
        _member(topology_of(args).nodes[index], args, network, mounts, node.container_memory_mb(args.size.memory_mb)),
        cpu_shares=int((1 if args.cpu is None else args.cpu) * 1024),
        health=Health(command=_HEALTH, timeout=5, start_period=node.LOAD_SECONDS),
        wait_seconds=node.LOAD_SECONDS + 60,
        labels=_labels(node_files(args), revision) | {alone.LABEL: str(COUNT)},
        stop_seconds=supervise.STOP_SECONDS,
    )


def sentinel_service(
    index: int, args: RedisClusterArgs, network: pulumi.Input[str], mounts: Sequence[Mount], revision: pulumi.Input[str]
) -> Service:
    """The container of a Sentinel."""
    return replace(
        _member(topology_of(args).sentinels[index], args, network, mounts, topology.SENTINEL_MEMORY_MB),
        cpu_limit=topology.SENTINEL_CPU_AT_MOST,
        health=Health(command=_HEALTH, timeout=5),
        labels=_labels(sentinel_files(args), revision),
        stop_seconds=10,
    )


_HEALTH = ["/bin/sh", f"{node.CONFIG_DIR}/health.sh"]


def _member(
    name: str, args: RedisClusterArgs, network: pulumi.Input[str], mounts: Sequence[Mount], memory_mb: int
) -> Service:
    """What a node and a Sentinel have in common. `name`: in the network of the store."""
    return Service(
        image=args.image,
        command=["/bin/sh", f"{node.CONFIG_DIR}/start.sh"],
        user=f"{node.UID}:{node.UID}",
        hostname=name,
        local_names=True,
        networks=[Attachment(network=network, aliases=[name])],
        mounts=mounts,
        memory_mb=memory_mb,
    )


def proxy_service(
    name: str,
    args: RedisClusterArgs,
    networks: tuple[pulumi.Input[str], pulumi.Input[str]],
    mounts: Sequence[Mount],
    revision: pulumi.Input[str],
) -> Service:
    """The container of HAProxy. `networks`: that of clients, and that of the store."""
    clients, store = networks
    return Service(
        image=args.proxy_image or "",
        command=["/bin/sh", f"{PROXY_DIR}/start.sh"],
        user=f"{proxy.UID}:{proxy.UID}",
        networks=[Attachment(network=clients, aliases=[name]), Attachment(network=store)],
        local_names=True,
        memory_mb=proxy.MEMORY_MB,
        mounts=mounts,
        # Well when there is a primary to pass clients on to.
        health=Health(command=http_probe(proxy.HEALTH_PORT, "/ready"), start_period=60),
        labels=_labels(proxy_files(name, args), revision),
        stop_seconds=10,
    )


def _labels(files: Mapping[str, str], revision: pulumi.Input[str]) -> dict[str, pulumi.Input[str]]:
    """All files are read at a start alone, or by scripts beside one."""
    content = "".join(f"{path}\n{text}" for path, text in sorted(files.items()))
    return {"tierstack.dev/configuration": hashlib.sha256(content.encode()).hexdigest()[:12], ANNOTATION: revision}
