"""HAProxy before three nodes: its configuration on both platforms. Pure.

Sources: HAProxy's configuration manual (tcp-check, resolvers, nbsrv); valkey.io/topics/replication.
"""

from dataclasses import dataclass

from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster.node import PORT, TLS_PORT
from tierstack.redis_cluster.topology import Topology

HEALTH_PORT = 8404
MEMORY_MB = 128
UID = 99
"""User and group of the official images of HAProxy and of ours."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """How HAProxy asks each node for its role."""

    user: str = ""
    """ACL user as whom it logs in. Empty: the default user."""
    timeout: str = "1s"
    times: str = "inter 500ms fastinter 200ms fall 2 rise 1"
    encryption: str = ""
    """Options of a server by which it is asked through TLS, which a rule that connects must ask for (`default`). Empty:
    in plaintext."""
    ambiguous: str = ""
    """Rules of a frontend for the moment in which not one node alone is known to be primary."""
    health_address: str = ""
    """Where it answers whether it works. Empty: at all addresses."""


def haproxy_config(
    topology: Topology,
    *,
    replica_required: bool,
    tls: TLSMode = TLSMode.DISABLE,
    check: Check = Check(),
) -> str:
    """HAProxy that passes clients on to the primary; the password comes from REDIS_PASSWORD of its environment.

    The check logs in, asks for the role, and takes nothing else for an answer. A node that is no longer primary loses
    its clients at once, so that they come back to the new one. `replica_required`: a primary that insists on a replica
    (`min-replicas-to-write`) and has none does not count. It refuses writes anyway, and may be an old one that has not
    heard yet of the new. The last node of a store that shrinks does not insist. TLS is passed on as it is, to the node
    that has the key.
    """
    # A node that insists on replicas tells how many are in step in the line after their count: min_slaves_good_slaves.
    replicas = "connected_slaves:([1-9]|0\\r\\n([^m]|m[^i]))" if replica_required else "connected_slaves:"
    asked = f"check{check.encryption and f' port {TLS_PORT} {check.encryption}'}"
    servers = "\n".join(f"    server node-{index} {name}:{PORT} {asked}" for index, name in enumerate(topology.nodes))
    login = f"{check.user} ${{REDIS_PASSWORD}}" if check.user else "${REDIS_PASSWORD}"
    frontends = _frontend("redis", PORT, "primary", check.ambiguous) if tls is not TLSMode.REQUIRE else ""
    if tls is not TLSMode.DISABLE:
        frontends += _encrypted(topology, check.ambiguous)
    return f"""\
global
    log stdout format raw local0 notice
    # As many connections as the limit of files allows, up to the 10,000 clients that a node admits.
    fd-hard-limit 20100
    hard-stop-after 30s

resolvers cluster
    parse-resolv-conf
    timeout resolve 1s
    timeout retry 500ms
    # A name that vanishes has lost its pod; an answer that fails is only a fault of the DNS.
    hold nx 2s
    hold valid 1s
    hold timeout 30s
    hold refused 30s
    hold other 30s

defaults
    mode tcp
    log global
    timeout connect 2s
    timeout check {check.timeout}
    # As long as a queue worker may wait for a job: the server, not the proxy, ends idle clients.
    timeout client 1h
    timeout server 1h
    option clitcpka
    option srvtcpka
    option redispatch
    retries 3

{frontends}backend primary
    option tcp-check
    tcp-check connect{check.encryption and " default"}
    tcp-check send "AUTH {login}\\r\\n"
    tcp-check expect string +OK
    tcp-check send "INFO replication\\r\\n"
    tcp-check expect rstring "role:master\\r\\n{replicas}"
    tcp-check send "QUIT\\r\\n"
    tcp-check expect string +OK
    default-server {check.times} {_SERVERS}
{servers}

frontend health
    mode http
    bind {check.health_address}:{HEALTH_PORT}
    timeout client 5s
    # Ready when there is a primary to pass clients on to.
    monitor-uri /ready
    monitor fail if {{ nbsrv(primary) eq 0 }}
    http-request return status 200 if {{ path /live }}
"""


_SERVERS = "on-marked-down shutdown-sessions resolvers cluster resolve-prefer ipv4 init-addr last,libc,none"


def _frontend(name: str, port: int, backend: str, rules: str) -> str:
    return f"""\
frontend {name}
    bind :{port}
{rules}    default_backend {backend}

"""


def _encrypted(topology: Topology, rules: str) -> str:
    """Which of the nodes is primary is known from the other backend."""
    servers = "\n".join(
        f"    server node-{index} {name}:{TLS_PORT} track primary/node-{index}"
        for index, name in enumerate(topology.nodes)
    )
    return f"""\
{_frontend("redis-tls", TLS_PORT, "primary-tls", rules)}backend primary-tls
    default-server {_SERVERS}
{servers}

"""
