"""Three nodes and three Sentinels: their names, and the files that make them one store.

Who is primary is known by the Sentinels alone, and every start asks them; the rules:

- A node asks until two Sentinels agree, and then joins the primary that they name, or is it.
- A Sentinel without a memory asks the others, then the nodes for one that is primary already (which is so when a
  single node has grown to three, or when the Sentinels lost their volumes), and only then names the first node.
- HAProxy asks each node for its role, and passes clients on to the one that is primary.

Sources: valkey.io/topics/sentinel, valkey.io/topics/replication, HAProxy's configuration manual (tcp-check, resolvers).
"""

from dataclasses import dataclass

from tierstack.redis_cluster.node import CLIENT, CONFIG_DIR, DATA_DIR, PASSWORD_FILE, PORT, RUN_CONFIG, SERVER

COUNT = 3
"""Nodes, and Sentinels: with fewer there is no majority when one is lost."""
SENTINEL_PORT = 26379
SENTINEL_MEMORY_MB = 64
SENTINEL_CPU_AT_MOST = 0.25
"""Cores. One that spins (`sentinel_health_script`) takes no more from its machine until it is started anew. One
that works takes a tenth of it, and is not slowed: it may run 25 ms in each 100 ms (CFS quota), and counts time as lost
(TILT) only from 2 s on."""
MASTER = "primary"
"""What the Sentinels call the group of nodes."""
QUORUM = 2
"""Sentinels of three that must agree that the primary is gone; as many elect who replaces it."""
FAILOVER_TIMEOUT_MS = 6000
"""After a failover that came to nothing, such as a vote for three different Sentinels, the next one waits for twice
this time (sentinel.conf, failover-timeout). Sentinel's own is 180000."""
PREFERRED = 10
"""replica-priority of the node that an update replaces last: lower is preferred, and 100 is the default. A handover
leads to it, so that no node copies from one that has a newer server than itself."""


@dataclass(frozen=True, kw_only=True)
class Topology:
    """The full host names of the nodes and their Sentinels, in the order of their ordinals."""

    nodes: tuple[str, ...]
    sentinels: tuple[str, ...]
    failover_after_ms: int
    last: int = 0
    """Ordinal of the node that an update replaces last."""
    sentinel_password: str = PASSWORD_FILE
    """File in a node with the password of the Sentinels."""
    name_pattern: str = "^[a-z0-9.-]+[.][a-z0-9.-]+$"
    """What the name of a node matches, for grep -E."""
    watcher: str = ""
    """ACL user as whom the Sentinels log in to the nodes. Empty: the default user."""

    @property
    def as_sentinels_ask(self) -> str:
        """Shell: what stands before the client in a node that asks a Sentinel, whose REDISCLI_AUTH has the node's own
        password."""
        if self.sentinel_password == PASSWORD_FILE:
            return ""
        return f'REDISCLI_AUTH="$(cat {CONFIG_DIR}/{self.sentinel_password})" '

    @staticmethod
    def of_stateful_sets(nodes: str, sentinels: str, domain: str, failover_after_ms: int) -> "Topology":
        """The names of pods of two StatefulSets, each with a headless Service of the same name, below `domain`."""
        return Topology(
            nodes=tuple(f"{nodes}-{index}.{nodes}.{domain}" for index in range(COUNT)),
            sentinels=tuple(f"{sentinels}-{index}.{sentinels}.{domain}" for index in range(COUNT)),
            failover_after_ms=failover_after_ms,
        )


def find_primary(topology: Topology, before: str = "") -> str:
    """Shell functions: `agreed N` prints the primary that at least N Sentinels name, else fails. `before`: see
    `Topology.as_sentinels_ask`."""
    return f"""\
# The Sentinels' own answer: the name of the primary, once for each that answers.
named() {{
    for sentinel in {" ".join(topology.sentinels)}; do
        {before}timeout 2 {CLIENT} -h "$sentinel" -p {SENTINEL_PORT} --raw sentinel get-master-addr-by-name {MASTER} \\
            2>/dev/null | grep -E '{topology.name_pattern}' | head -n 1 || true
    done
}}
agreed() {{
    named | sort | uniq -c | sort -rn | head -n 1 | {{
        read -r count primary || return 1
        [ "$count" -ge "$1" ] && printf '%s' "$primary"
    }}
}}
"""


def join(topology: Topology, *, wary: bool = False) -> str:
    """The part of a node's start that makes it one of three; appends to its configuration. `wary`: see `_wary`."""
    priorities = "\n".join(
        f"    {name}) priority={PREFERRED + abs(index - topology.last)} ;;" for index, name in enumerate(topology.nodes)
    )
    return f"""\
{find_primary(topology, topology.as_sentinels_ask)}
for me in {" ".join(topology.nodes)}; do [ "${{me%%.*}}" = "$(hostname)" ] && break; done
case "$me" in
{priorities}
esac
until primary=$(agreed {QUORUM}); do
    echo "waiting for {QUORUM} Sentinels to agree on the primary"
    sleep 0.5
done
{_wary(topology) if wary else ""}{{
    echo "replica-announce-ip $me"
    echo "replica-announce-port {PORT}"
    echo "replica-priority $priority"
    [ "$primary" = "$me" ] || echo "replicaof $primary {PORT}"
}} >>{RUN_CONFIG}
echo "starting as $([ "$primary" = "$me" ] && echo primary || echo "replica of $primary")"
"""


def _wary(topology: Topology) -> str:
    """A primary that comes back with nothing, before the Sentinels have replaced it, would empty its replicas: it waits
    for them to do so (redis/redis#1297). A new store has no node that holds anything."""
    return f"""\
holding() {{
    for node in {" ".join(topology.nodes)}; do
        [ "$node" = "$me" ] && continue
        timeout 2 {CLIENT} -h "$node" -p {PORT} dbsize 2>/dev/null | grep -q '^[1-9]' && return 0
    done
    return 1
}}
tries=0
while [ "$primary" = "$me" ] && [ $tries -lt {_WARY_TRIES} ] \\
    && [ -z "$(ls {DATA_DIR}/dump.rdb {DATA_DIR}/appendonlydir/*.rdb 2>/dev/null)" ] && holding; do
    echo "has no data, and replicas have: waiting for the Sentinels to promote one of them"
    sleep 1
    primary=$(agreed {QUORUM} || printf '%s' "$me")
    tries=$((tries + 1))
done
"""


_WARY_TRIES = 120
"""Seconds, at least: the longest `failover_after_ms` and as long again for the election."""


def sentinel_config() -> str:
    """What stands in a Sentinel's configuration before anything that it remembers."""
    return f"""\
port {SENTINEL_PORT}
dir /tmp
sentinel resolve-hostnames yes
sentinel announce-hostnames yes
"""


def sentinel_script(topology: Topology, watch: str = "") -> str:
    """Start of a Sentinel: its configuration is written anew, and what it remembers is taken over from its volume.
    `watch`: what is started beside it."""
    ask = f'timeout 2 {CLIENT}{topology.watcher and f" --user {topology.watcher}"} -h "$node" -p {PORT}'
    auth_user = f'    echo "sentinel auth-user {MASTER} {topology.watcher}"\n' if topology.watcher else ""
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
        state=$({ask} --raw info replication 2>/dev/null | tr -d '\\r') || continue
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
{auth_user}    echo "sentinel auth-pass {MASTER} $password"
    echo "sentinel sentinel-pass $password"
    echo "requirepass $password"
}} >"$memory.new"
mv "$memory.new" "$memory"
unset REDISCLI_AUTH password
{watch}exec {SERVER} "$memory" --sentinel
"""


def sentinel_health_script(pid: str = "1") -> str:
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
{spinning(SPINNING_PERCENT, pid)}
"""


SPINNING_PERCENT = 15
"""Share of a core above which a Sentinel does nothing useful; three nodes and Sentinels cost it 1 to 3 %. Below what it
may take at most (SENTINEL_CPU_AT_MOST), which one that spins takes."""


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
