"""Three nodes on a Docker host become a single one: what must have happened before the first of them is replaced.

A resource of the single form. Where there were three, it is made before the node, and fails the update where the first
node cannot have everything; a store that is new, or was single already, has nothing to do.
"""

from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider

from tierstack.platform.daemon import client, state
from tierstack.redis_cluster.node import CLIENT, CONFIG_DIR, PORT
from tierstack.redis_cluster.topology import MASTER, QUORUM, SENTINEL_PORT, Topology, find_primary

LABEL = "tierstack.dev/redis-nodes"
"""Label of the containers of three nodes, with their number."""


_TRIES = 150
"""Seconds that two Sentinels may take to agree. Those that a try before this one has stopped start anew within 120."""
_FAILOVER_SECONDS = 20


def script(topology: Topology) -> str:
    """Run in the first node: it ends well only when that one is primary, has everything and takes writes without
    replicas, and no Sentinel will ever promote another.

    The server itself changes places, because the Sentinels have another preference: the old primary holds writes back
    until the first node has everything (valkey.io/commands/failover).
    """
    first, before = topology.nodes[0], topology.as_sentinels_ask
    return f"""\
#!/bin/sh
export REDISCLI_AUTH="$(cat {CONFIG_DIR}/password)"
ask() {{ timeout 5 {CLIENT} "$@" 2>&1; }}
{find_primary(topology, before)}
tries=0
until primary=$(agreed {QUORUM}); do
    tries=$((tries + 1))
    if [ $tries -ge {_TRIES} ]; then
        echo "{QUORUM} Sentinels do not agree on the primary: start those that do not run"
        exit 1
    fi
    sleep 1
done
# From here on the Sentinels do nothing. One alone that is told nothing has no majority.
told=0
for sentinel in {" ".join(topology.sentinels)}; do
    {before}timeout 5 {CLIENT} -h "$sentinel" -p {SENTINEL_PORT} sentinel remove {MASTER} 2>&1 \\
        | grep -qE 'OK|No such (master|primary)' && told=$((told + 1))
done
if [ $told -lt {QUORUM} ]; then
    echo "only $told of {len(topology.sentinels)} Sentinels answer, and the others may promote another node"
    exit 1
fi
if [ "$primary" != {first} ]; then
    said=$(ask -h "$primary" failover to {first} {PORT} timeout {_FAILOVER_SECONDS * 1000})
    [ "$said" = OK ] || {{ echo "$primary does not hand over to {first}: $said"; exit 1; }}
fi
tries=0
until ask role | head -n 1 | grep -q master; do
    tries=$((tries + 1))
    if [ $tries -ge {2 * _FAILOVER_SECONDS} ]; then
        echo "{first} did not become primary"
        exit 1
    fi
    sleep 1
done
ask config set min-replicas-to-write 0
"""


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _make_alone(props)
        return CreateResult(props["container"], state(props))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=False)


def _make_alone(props: dict[str, Any]) -> None:
    from docker.errors import NotFound

    daemon, name = client(props.get("docker_host")), props["container"]
    try:
        first = daemon.containers.get(name)
    except NotFound:
        return
    if LABEL not in first.labels:
        return
    if first.status != "running":
        raise RuntimeError(
            f"container {name} is {first.status}, and the other nodes may hold what it lacks; "
            f"nothing was changed: start it by `docker start {name}`, then update again"
        )
    done = first.exec_run(["/bin/sh", "-c", props["script"]])
    if done.exit_code != 0:
        said = done.output.decode(errors="replace").strip()
        raise RuntimeError(f"three Redis nodes did not become one, and go on as three; mend this: {said}")
    try:
        # Its name is that of the single node, which clients shall find alone.
        daemon.containers.get(props["proxy"]).stop(timeout=5)
    except NotFound:
        return


class Alone(Resource, module="docker", name="RedisAlone"):
    """Made once the first of three nodes has everything and the endpoint of three has stopped."""

    def __init__(
        self,
        name: str,
        *,
        container: str,
        proxy: str,
        script: str,
        docker_host: str | None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """`container` and `proxy` are names on the host; `script` is run in the former."""
        props: dict[str, Any] = {"container": container, "proxy": proxy, "script": script, "docker_host": docker_host}
        super().__init__(_Provider(), name, props, opts)
