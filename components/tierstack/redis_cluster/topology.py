"""Three nodes and three Sentinels: their names, and the files that make them one store.

Who is primary is known by the Sentinels alone, and every start asks them; the rules:

- A node asks until two Sentinels agree, and then joins the primary that they name, or is it.
- A Sentinel without a memory asks the others, then the nodes for one that is primary already (which is so when a
  single node has grown to three, or when the Sentinels lost their volumes), and only then names the first node.
- HAProxy asks each node for its role, and passes clients on to the one that is primary.

Sources: valkey.io/topics/sentinel, valkey.io/topics/replication, HAProxy's configuration manual (tcp-check, resolvers).
"""

from dataclasses import dataclass

from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster.node import CLIENT, CONFIG_DIR, DATA_DIR, PORT, RUN_CONFIG, SERVER, TLS_PORT

COUNT = 3
"""Nodes, and Sentinels: with fewer there is no majority when one is lost."""
SENTINEL_PORT = 26379
MASTER = "primary"
"""What the Sentinels call the group of nodes."""
QUORUM = 2
"""Sentinels of three that must agree that the primary is gone; as many elect who replaces it."""
FAILOVER_TIMEOUT_MS = 6000
"""After a failover that came to nothing, such as a vote for three different Sentinels, the next one waits for twice
this time (sentinel.conf, failover-timeout). Sentinel's own is 180000."""
PREFERRED = 10
"""replica-priority of the first node: lower is preferred, and 100 is the default. An ordered handover leads to it."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The full host names of the nodes and their Sentinels, in the order of their ordinals."""

    nodes: tuple[str, ...]
    sentinels: tuple[str, ...]
    failover_after_ms: int

    @staticmethod
    def of_stateful_sets(nodes: str, sentinels: str, domain: str, failover_after_ms: int) -> "Topology":
        """The names of pods of two StatefulSets, each with a headless Service of the same name, below `domain`."""
        return Topology(
            nodes=tuple(f"{nodes}-{index}.{nodes}.{domain}" for index in range(COUNT)),
            sentinels=tuple(f"{sentinels}-{index}.{sentinels}.{domain}" for index in range(COUNT)),
            failover_after_ms=failover_after_ms,
        )


def find_primary(topology: Topology) -> str:
    """Shell functions: `agreed N` prints the primary that at least N Sentinels name, else fails."""
    return f"""\
# The Sentinels' own answer: the name of the primary, once for each that answers.
named() {{
    for sentinel in {" ".join(topology.sentinels)}; do
        timeout 2 {CLIENT} -h "$sentinel" -p {SENTINEL_PORT} --raw sentinel get-master-addr-by-name {MASTER} \\
            2>/dev/null | grep -E '^[a-z0-9.-]+[.][a-z0-9.-]+$' | head -n 1 || true
    done
}}
agreed() {{
    named | sort | uniq -c | sort -rn | head -n 1 | {{
        read -r count primary || return 1
        [ "$count" -ge "$1" ] && printf '%s' "$primary"
    }}
}}
"""


def join(topology: Topology) -> str:
    """The part of a node's start that makes it one of three; appends to its configuration."""
    priorities = "\n".join(f"    {name}) priority={PREFERRED + index} ;;" for index, name in enumerate(topology.nodes))
    return f"""\
{find_primary(topology)}
for me in {" ".join(topology.nodes)}; do [ "${{me%%.*}}" = "$(hostname)" ] && break; done
case "$me" in
{priorities}
esac
until primary=$(agreed {QUORUM}); do
    echo "waiting for {QUORUM} Sentinels to agree on the primary"
    sleep 0.5
done
{{
    echo "replica-announce-ip $me"
    echo "replica-announce-port {PORT}"
    echo "replica-priority $priority"
    [ "$primary" = "$me" ] || echo "replicaof $primary {PORT}"
}} >>{RUN_CONFIG}
echo "starting as $([ "$primary" = "$me" ] && echo primary || echo "replica of $primary")"
"""


def sentinel_config() -> str:
    """What stands in a Sentinel's configuration before anything that it remembers."""
    return f"""\
port {SENTINEL_PORT}
dir /tmp
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
"""


def sentinel_script(topology: Topology) -> str:
    """Start of a Sentinel: its configuration is written anew, and what it remembers is taken over from its volume."""
    return f"""\
#!/bin/sh
# Sentinel rewrites its configuration with what it learns; the file of the last run is its memory.
set -eu
umask 077
password=$(cat {CONFIG_DIR}/password)
export REDISCLI_AUTH="$password"
memory={DATA_DIR}/sentinel.conf
touch "$memory"
{find_primary(topology)}
for me in {" ".join(topology.sentinels)}; do [ "${{me%%.*}}" = "$(hostname)" ] && break; done

# A node that is primary: the one with most replicas, where several say so.
serving() {{
    for node in {" ".join(topology.nodes)}; do
        state=$(timeout 2 {CLIENT} -h "$node" -p {PORT} --raw info replication 2>/dev/null | tr -d '\\r') || continue
        case "$state" in
        *role:master*) echo "$(echo "$state" | sed -n 's/^connected_slaves://p') $node" ;;
        esac
    done | sort -rn | head -n 1 | cut -d ' ' -f 2
}}
remembered() {{ sed -n 's/^sentinel monitor {MASTER} \\([^ ]*\\) .*/\\1/p' "$memory"; }}

primary=$(remembered)
# A pod that the network's policies do not know yet is refused by ICMP on kube-router, and a Sentinel that begins with
# such refusals spins (health.sh). So one that asks nobody for the primary begins once somebody answers, or after five
# seconds: where all start at the same time, the nodes wait for the Sentinels.
tries=0
while [ -n "$primary" ] && [ $tries -lt 5 ] && [ -z "$(agreed 1 || serving)" ]; do
    sleep 1
    tries=$((tries + 1))
done
tries=0
while [ -z "$primary" ]; do
    primary=$(agreed 1 || true)
    [ -n "$primary" ] || primary=$(serving)
    # Nobody knows and nobody serves: the store is new, and begins with its first node.
    if [ -z "$primary" ] && [ $tries -ge 5 ]; then primary={topology.nodes[0]}; fi
    [ -n "$primary" ] || sleep 1
    tries=$((tries + 1))
done
echo "watching $primary"
{{
    cat {CONFIG_DIR}/sentinel.conf
    echo "sentinel announce-ip $me"
    grep -E '^sentinel (myid|current-epoch) ' "$memory" || true
    echo "sentinel monitor {MASTER} $primary {PORT} {QUORUM}"
    grep -E '^sentinel (config-epoch|leader-epoch|known-replica|known-sentinel) ' "$memory" || true
    echo "sentinel down-after-milliseconds {MASTER} {topology.failover_after_ms}"
    echo "sentinel failover-timeout {MASTER} {FAILOVER_TIMEOUT_MS}"
    echo "sentinel parallel-syncs {MASTER} 1"
    echo "sentinel auth-pass {MASTER} $password"
    echo "sentinel sentinel-pass $password"
    echo "requirepass $password"
}} >"$memory.new"
mv "$memory.new" "$memory"
unset REDISCLI_AUTH password
exec {SERVER} "$memory" --sentinel
"""


def sentinel_health_script() -> str:
    """A Sentinel is ready when it watches the group; asked with `alive`, it must not be spinning either.

    A connection that was refused by ICMP before it was made, as kube-router's network policies refuse a pod that they
    do not know yet, keeps an error that Sentinel never reads: its event loop turns without end on a whole core, until
    it is started anew (redis/redis#15107).
    """
    return f"""\
#!/bin/sh
export REDISCLI_AUTH="$(cat {CONFIG_DIR}/password)"
timeout 2 {CLIENT} -p {SENTINEL_PORT} sentinel masters 2>/dev/null | grep -qx '.*{MASTER}' || exit 1
[ "${{1-}}" = alive ] || exit 0
{spinning(SPINNING_PERCENT)}
"""


SPINNING_PERCENT = 15
"""Share of a core above which a Sentinel does nothing useful; three nodes and Sentinels cost it 1 to 3 %. Below what it
may take at most (`workloads`), which one that spins takes."""


def spinning(percent: int, pid: str = "1") -> str:
    """The part of a check that fails when process `pid` has used more than `percent` of a core since the last check.

    Both figures of the kernel are in hundredths of a second (proc(5): /proc/uptime, and `utime` and `stime` in
    /proc/PID/stat, whose second field, the name in brackets, may hold spaces).
    """
    return f"""\
read -r now _ </proc/uptime
now=${{now%.*}}${{now#*.}}
read -r used </proc/{pid}/stat
set -- ${{used##*) }}
used=$((${{12}} + ${{13}}))
set -- $(cat /tmp/used 2>/dev/null || echo "$now $used")
echo "$now $used" >/tmp/used
[ $(((used - $2) * 100)) -le $(((now - $1) * {percent})) ]"""


_CLEAR = f"""\
frontend redis
    bind :{PORT}
    default_backend primary

"""


def _encrypted(topology: Topology) -> str:
    """Which of the nodes is primary is asked on their other port."""
    servers = "\n".join(
        f"    server node-{index} {name}:{TLS_PORT} track primary/node-{index}"
        for index, name in enumerate(topology.nodes)
    )
    return f"""\
frontend redis-tls
    bind :{TLS_PORT}
    default_backend primary-tls

backend primary-tls
    default-server {_SERVERS}
{servers}

"""


_SERVERS = "on-marked-down shutdown-sessions resolvers cluster resolve-prefer ipv4 init-addr last,libc,none"


def haproxy_config(topology: Topology, *, replica_required: bool, tls: TLSMode = TLSMode.DISABLE) -> str:
    """HAProxy that passes clients on to the primary; the password comes from REDIS_PASSWORD of its environment.

    The check logs in, asks for the role, and takes nothing else for an answer. A node that is no longer primary loses
    its clients at once, so that they come back to the new one. `replica_required`: a primary that insists on a replica
    (`min-replicas-to-write`) and has none does not count. It refuses writes anyway, and may be an old one that has not
    heard yet of the new. The last node of a store that shrinks does not insist. TLS is passed on as it is, to the node
    that has the key.
    """
    # A node that insists on replicas tells how many are in step in the line after their count: min_slaves_good_slaves.
    replicas = "connected_slaves:([1-9]|0\\r\\n([^m]|m[^i]))" if replica_required else "connected_slaves:"
    servers = "\n".join(f"    server node-{index} {name}:{PORT} check" for index, name in enumerate(topology.nodes))
    frontends = _CLEAR if tls is not TLSMode.REQUIRE else ""
    if tls is not TLSMode.DISABLE:
        frontends += _encrypted(topology)
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
    timeout check 1s
    # As long as a queue worker may wait for a job: the server, not the proxy, ends idle clients.
    timeout client 1h
    timeout server 1h
    option clitcpka
    option srvtcpka
    option redispatch
    retries 3

{frontends}backend primary
    option tcp-check
    tcp-check connect
    tcp-check send "AUTH ${{REDIS_PASSWORD}}\\r\\n"
    tcp-check expect string +OK
    tcp-check send "INFO replication\\r\\n"
    tcp-check expect rstring "role:master\\r\\n{replicas}"
    tcp-check send "QUIT\\r\\n"
    tcp-check expect string +OK
    default-server inter 500ms fastinter 200ms fall 2 rise 1 {_SERVERS}
{servers}

frontend health
    mode http
    bind :8404
    timeout client 5s
    # Ready when there is a primary to pass clients on to.
    monitor-uri /ready
    monitor fail if {{ nbsrv(primary) eq 0 }}
    http-request return status 200 if {{ path /live }}
"""
