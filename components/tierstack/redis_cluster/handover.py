"""How a primary hands over before it stops, and how a store of three nodes becomes a single one."""

from tierstack.redis_cluster.node import CLIENT, CONFIG_DIR, PORT
from tierstack.redis_cluster.topology import MASTER, SENTINEL_PORT, Topology, find_primary

SCRIPT = "alone.sh"
DEADLINE_SECONDS = 300
"""After which three nodes are left as they are."""
_TRIES = 90


def functions(topology: Topology, left: str = "") -> str:
    """Shell functions. `handover HOST`: the primary at HOST gives its place to the node that the Sentinels choose. It
    fails where they choose none.

    Writes are held back before the Sentinels promote another node, so that none is acknowledged that the other does not
    have; then the old one steps down, because Sentinel demotes an old primary only after 8 seconds. `left`: what waits
    until its clients have gone, before what is still there is closed.
    """
    before = topology.as_sentinels_ask
    ask_sentinel = f'{f"{before}timeout 2 {CLIENT}" if before else "ask"} -h "$sentinel" -p {SENTINEL_PORT}'
    return f"""\
export REDISCLI_AUTH="$(cat {CONFIG_DIR}/password)"
ask() {{ timeout 2 {CLIENT} "$@" 2>/dev/null; }}
{find_primary(topology, before)}
handover() {{
    before=$(agreed 1) || return 1
    ask -h "$1" client pause 10000 write >&2
    begun=
    for sentinel in {" ".join(topology.sentinels)}; do
        {ask_sentinel} sentinel failover {MASTER} | grep -qE 'OK|INPROG' && begun=yes && break
    done
    tries=0
    while [ -n "$begun" ] && [ $tries -lt 40 ]; do
        # The Sentinel that leads the failover knows first; the others follow within two seconds.
        now=$(named | grep -vxF "$before" | head -n 1)
        if [ -n "$now" ] && ask -h "$now" role | head -n 1 | grep -q master; then
            ask -h "$1" replicaof "$now" {PORT} >&2
{left}            # What still waits there must come back through the endpoint, which leads elsewhere now.
            ask -h "$1" client unpause >&2
            ask -h "$1" client kill type normal skipme yes >&2
            return 0
        fi
        sleep 0.2
        tries=$((tries + 1))
    done
    ask -h "$1" client unpause >&2
    return 1
}}
"""


def stop_script(topology: Topology) -> str:
    """Run before a node stops: a primary hands over first, so that clients wait for an instant and not for a timeout.

    It always succeeds, within 10 seconds: a node that cannot hand over is replaced when it is gone. A single node has
    nobody to hand over to.
    """
    return f"""\
#!/bin/sh
{functions(topology)}
ask role | head -n 1 | grep -q master || exit 0
handover 127.0.0.1
exit 0
"""


def alone_script(topology: Topology) -> str:
    """Run before a store becomes a single node, the first: it ends well only when that one is primary, has everything
    and takes writes without replicas, and no Sentinel will ever promote another.

    A store that is new, or single already, has no other nodes: their names do not exist.
    """
    first, *others = topology.nodes
    ask_sentinel = f'{topology.as_sentinels_ask}timeout 5 {CLIENT} -h "$sentinel" -p {SENTINEL_PORT}'
    return f"""\
#!/bin/sh
{functions(topology)}
present=
for node in {" ".join(others)}; do
    tries=0
    while :; do
        said=$(timeout 5 {CLIENT} -h "$node" ping 2>&1)
        case "$said" in
        PONG) present="$present $node"; break ;;
        *"not known"* | *"does not resolve"*) break ;;
        esac
        tries=$((tries + 1))
        if [ $tries -ge {_TRIES} ]; then
            echo "$node does not answer, and may hold what {first} lacks: $said"
            exit 1
        fi
        sleep 1
    done
done
if [ -z "$present" ]; then
    echo "there are no other nodes"
    exit 0
fi
tries=0
until ask -h {first} role | head -n 1 | grep -q master; do
    primary=$(agreed 2) && [ "$primary" != {first} ] && handover "$primary"
    tries=$((tries + 1))
    if [ $tries -ge {_TRIES} ]; then
        echo "{first} did not become primary"
        exit 1
    fi
    sleep 1
done
ask -h {first} config set min-replicas-to-write 0 >&2
# From here on the Sentinels do nothing: one that looks for a node that is gone might find the first at its address.
for sentinel in {" ".join(topology.sentinels)}; do
    tries=0
    until {ask_sentinel} sentinel remove {MASTER} 2>&1 \\
        | grep -qE 'OK|No such (master|primary)|not known|does not resolve'; do
        tries=$((tries + 1))
        if [ $tries -ge {_TRIES} ]; then
            echo "$sentinel does not answer, and may still promote another node than {first}"
            exit 1
        fi
        sleep 1
    done
done
echo "{first} has everything and can go on alone"
"""
