"""What Kubernetes does for a container and a Docker host does not, as scripts inside of it. Pure.

A node hands over before it stops (there, a hook), and a Sentinel that does nothing useful is started anew (there, a
liveness probe).
"""

from tierstack.redis_cluster import handover
from tierstack.redis_cluster.node import CONFIG_DIR, RUN_CONFIG, SERVER
from tierstack.redis_cluster.topology import Topology

STOP_SECONDS = 60
"""How long a node may take to stop: its tries to hand over, and 10 s in which the server waits for its replicas."""
_HANDOVERS = 10
"""Tries to hand over, 2 s apart. A Sentinel asks for replicas every 10 s, and promotes none that it does not know."""
_FAILURES = 12
"""Checks, 10 s apart, after which a Sentinel is started anew, as on Kubernetes."""
_PID = "/tmp/server"
SENTINEL_PID = f"$(cat {_PID})"
"""Shell: the process of the Sentinel."""

NODE_RUN = f"""\
{SERVER} {RUN_CONFIG} &
server=$!
stop() {{
    trap '' TERM
    /bin/sh {CONFIG_DIR}/stop.sh || true
    kill -TERM "$server"
}}
trap stop TERM
# A signal ends the wait, and not the server.
code=0
while kill -0 "$server" 2>/dev/null; do
    code=0
    wait "$server" || code=$?
done
exit "$code"
"""
"""The end of a node's start: the server runs beside a shell, which hands over when it is told to stop."""

_LEFT = """\
            # HAProxy closes what clients have here as soon as it sees that this is no primary; then they find the new
            # one. Closed earlier, they would come back here.
            waited=0
            while [ $waited -lt 15 ] && ask -h "$1" client list type normal \\
                | grep -vE 'name=sentinel-|user=(proxy|sentinel) |addr=127[.]0[.]0[.]1:|cmd=client' | grep -q .; do
                sleep 0.2
                waited=$((waited + 1))
            done
"""


def stop_script(topology: Topology) -> str:
    """Run before the server of a node is told to stop. It succeeds within STOP_SECONDS: a node that cannot hand over is
    replaced when it is gone. Where no Sentinel watches the store, the host stops, or the store becomes a single node.
    """
    return f"""\
#!/bin/sh
{handover.functions(topology, _LEFT)}
ask role | head -n 1 | grep -q master || exit 0
tries=0
while [ $tries -lt {_HANDOVERS} ] && [ -n "$(named)" ]; do
    handover 127.0.0.1 && exit 0
    sleep 2
    tries=$((tries + 1))
done
exit 0
"""


SENTINEL_WATCH = f"echo $$ >{_PID}\n/bin/sh {CONFIG_DIR}/watch.sh &\n"
"""What a Sentinel's start starts beside it."""

WATCH_SCRIPT = f"""\
#!/bin/sh
# Starts the Sentinel anew when for two minutes it watched nothing, or spun.
failures=0
while sleep 10; do
    if timeout 5 /bin/sh {CONFIG_DIR}/health.sh alive; then failures=0; else failures=$((failures + 1)); fi
    [ $failures -lt {_FAILURES} ] || kill -KILL "{SENTINEL_PID}"
done
"""
