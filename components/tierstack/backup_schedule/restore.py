"""PostgreSQL: the commands of a restore, as data: for the `tierstack` command, for drills and for the documentation."""

import math
from collections.abc import Mapping
from typing import Any

from tierstack.backup_schedule import agent
from tierstack.backup_schedule.engine import (
    CONFINED,
    Source,
    Step,
    from_store,
    step_in,
    unprivileged,
    variables,
)
from tierstack.core.quantities import GIB, quantity
from tierstack.platform.kubernetes import network, operators
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.quantities import gibibytes

PYTHON = ["python3", "-m", agent.__name__]
FETCH = ["python3", "-m", "tierstack.backup_schedule.fetch"]
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{agent.CONFIG}/lib", "TZ": "UTC"}
"""What every run of the agent needs. Barman names backups by local time, so that is UTC."""
TARGET = "/restore"
"""Where the volume is mounted: at the same place while it is filled and while PostgreSQL replays into it."""
RESTORE = "copy base backup and write-ahead log"
"""The step in which the agent restores; it prints the moment as of which."""
PLUGIN = "barman-cloud.cloudnative-pg.io"
"""Name of CloudNativePG's barman-cloud plugin."""


def catalog_of(source: Source) -> list[str]:
    """The command that runs the agent on the catalog alone; its verb follows."""
    return ["docker", "run", "--rm", "-i", *_UNPRIVILEGED, *CONFINED, *_agent(source), source.image, *PYTHON]


def commands(source: Source, *, aside: str, postgres_image: str, time: str | None = None) -> list[Step]:
    """The commands that restore to `time` (RFC 3339 with a zone; None: the last WAL received) in a new volume and
    start PostgreSQL on it, as the container `aside`, without a network.

    The running database, its volume and the catalog are left as they are; `docker rm -f` and `docker volume rm` of
    `aside` remove the restored one.
    """
    as_root = [*step_in(aside), "--user", "0:0", *CONFINED, "--cap-add", "CHOWN", *mounted(aside)]
    return [
        Step("make a new volume", ["docker", "volume", "create", aside]),
        # A new volume belongs to root.
        Step("give it to PostgreSQL", [*as_root, source.image, "chown", "26:26", TARGET]),
        *restored(source, volume=aside, data=f"{TARGET}/data", aside=aside, image=postgres_image, time=time),
    ]


def in_place_commands(
    source: Source, *, volume: str, container: str, aside: str, postgres_image: str, time: str | None = None
) -> list[Step]:
    """The commands that put a restore in the place of the database `container` with the data volume `volume`.

    What it held stays beside it as `pgdata.before`, until somebody removes it. PostgreSQL replays as `aside`, without a
    network, so that no application sees a database that is not there yet.
    """
    data, before = f"{TARGET}/pgdata", f"{TARGET}/pgdata.before"
    in_volume = shell(source, volume, aside)
    promoted = 'psql -h /tmp -U postgres -d postgres -qAtc "SELECT pg_is_in_recovery()"'
    return [
        Step("stop the database", ["docker", "stop", container]),
        # -T: into an older `pgdata.before` it would be moved, and nobody would find it.
        Step("put its data beside, as pgdata.before", [*in_volume, "mv", "-T", data, before]),
        *restored(source, volume=volume, data=data, aside=aside, image=postgres_image, time=time),
        Step(
            "replay the write-ahead log",
            ["docker", "exec", aside, "sh", "-c", f'until [ "$({promoted} 2>&1)" = f ]; do sleep 1; done'],
        ),
        Step("stop the restored PostgreSQL", ["docker", "stop", aside]),
        Step("remove its container", ["docker", "rm", aside]),
        Step(
            "remove what the restore needed",
            [*in_volume, "rm", "-r", f"{data}/barman_wal", f"{data}/restore.conf", f"{data}/restore_hba.conf"],
        ),
        Step("start the database", ["docker", "start", container]),
    ]


def reserve_in_place(source: Source, *, volume: str, aside: str) -> list[str]:
    """The command before `in_place_commands`: an empty `pgdata.before`, onto which the data is then moved.

    It fails where there is one, so that what `undo_in_place` puts back is never the data of an earlier restore, and so
    that of two restores at once only one goes on.
    """
    return [*shell(source, volume, aside), "mkdir", f"{TARGET}/pgdata.before"]


def undo_in_place(source: Source, *, volume: str, container: str, aside: str) -> list[list[str]]:
    """The commands after an `in_place_commands` that failed or was interrupted: the old data back in its place, and the
    database started. Only after a `reserve_in_place` that succeeded.

    First whatever still writes into the volume is ended: a step goes on when the client that began it is killed, and so
    does a stop.
    """
    data = f"{TARGET}/pgdata"
    put_back = f"rm -rf {data} {data}.open && mv -T {data}.before {data}"
    # Empty: the data was not moved yet.
    back = f"rmdir {data}.before 2>/dev/null || if [ -d {data}.before ]; then {put_back}; fi"
    return [
        ["docker", "rm", "--force", aside],
        ["docker", "stop", container],
        [*shell(source, volume, aside), "sh", "-c", back],
        ["docker", "start", container],
    ]


_UNPRIVILEGED = unprivileged("26:26")


def shell(source: Source, volume: str, aside: str) -> list[str]:
    """A container of the server's user on a volume, without a network; its command follows."""
    return [*step_in(aside), *_UNPRIVILEGED, *CONFINED, *mounted(volume), source.image]


def mounted(volume: str) -> list[str]:
    """The volume of the server, as an option."""
    return ["-v", f"{volume}:{TARGET}"]


def restored(source: Source, *, volume: str, data: str, aside: str, image: str, time: str | None) -> list[Step]:
    """Restore into `data` of a volume, and start PostgreSQL on it."""
    confined = [*_UNPRIVILEGED, *CONFINED]
    reading = from_store(source.store, agent.CONFIG, ENVIRONMENT) if source.store else [*CONFINED, *_agent(source)]
    restoring = [*step_in(aside), *_UNPRIVILEGED, *reading, *mounted(volume), source.image]
    program = [*FETCH] if source.store else [*PYTHON, "restore"]
    running = ["docker", "run", "--detach", "--name", aside, *confined, *mounted(volume), image]
    return [
        Step(RESTORE, [*restoring, *program, "--to", data, *(["--time", time] if time else [])]),
        Step(
            "start PostgreSQL on it, without a network",
            [*running, "postgres", "-D", data, "-c", f"config_file={data}/restore.conf"],
        ),
    ]


def _agent(source: Source) -> list[str]:
    return [
        *variables(ENVIRONMENT),
        "-v",
        f"{source.catalog}:{agent.CATALOG}",
        "-v",
        f"{source.config}:{agent.CONFIG}:ro",
    ]


def query(aside: str, database: str, statement: str, superuser: str = "postgres") -> list[str]:
    """The command that asks the restored PostgreSQL one thing."""
    return ["docker", "exec", aside, "psql", "-h", "/tmp", "-U", superuser, "-d", database, "-qAtc", statement]


def recovery_cluster(
    *,
    aside: str,
    cluster: str,
    object_store: str,
    storage_gb: int | None = None,
    time: str | None = None,
    image: str | None = None,
    like: Mapping[str, Any] | None = None,
    target: Mapping[str, str | bool] | None = None,
) -> Manifest:
    """The manifest of a CloudNativePG Cluster `aside` with the backups of `cluster` replayed to `time`, or to another
    `target` (its `recoveryTarget`). It archives nothing itself.

    `cluster`: the folder in the bucket. `image` is that of `cluster`: a base backup starts under its own major version
    only. None: the operator's default. `like`: the spec of the running Cluster, whose image, storage and memory it
    gets. CloudNativePG manual, "Recovery", and the plugin's manual, "Restoring a Cluster".
    """
    origin = "origin"
    stop = {"targetTime": time} if time else dict(target or {})
    plugin = {"name": PLUGIN, "parameters": {"barmanObjectName": object_store, "serverName": cluster}}
    spec = {
        "instances": 1,
        **({"imageName": image} if image else {}),
        **({"storage": {"size": gibibytes(storage_gb)}} if storage_gb is not None else {}),
        **(_like(like) if like else {}),
        "bootstrap": {"recovery": {"source": origin, **({"recoveryTarget": stop} if stop else {})}},
        "externalClusters": [{"name": origin, "plugin": plugin}],
    }
    return manifest("postgresql.cnpg.io/v1", "Cluster", aside, spec)


def _like(spec: Mapping[str, Any]) -> dict[str, Any]:
    """What a Cluster aside has as the running one. Of the processor it takes what is left: its pod must find a node
    beside the others. It stops soon, and copies nothing from elsewhere (`CREATE SUBSCRIPTION`)."""
    memory = spec["resources"]["limits"]["memory"]
    volumes = [spec[one]["size"] for one in ("storage", "walStorage") if one in spec]
    sizes = [size for one in volumes if (size := quantity(one)) is not None]
    storage = {**spec["storage"], "size": gibibytes(math.ceil(sum(sizes) / GIB))}
    return {
        "imageName": spec["imageName"],
        "storage": storage,
        "resources": {"requests": {"cpu": "100m", "memory": memory}, "limits": {"memory": memory}},
        "enablePDB": False,
        "smartShutdownTimeout": 1,
        "stopDelay": 30,
        "postgresql": {"parameters": {"max_logical_replication_workers": "0"}},
    }


def backup(name: str, cluster: str) -> Manifest:
    """The manifest of a base backup now, from a standby where there is one."""
    spec = {
        "method": "plugin",
        "pluginConfiguration": {"name": PLUGIN},
        "target": "prefer-standby",
        "cluster": {"name": cluster},
    }
    return manifest("postgresql.cnpg.io/v1", "Backup", name, spec)


def recovery_policy(
    *, aside: str, operator_namespace: str = operators.CLOUDNATIVE_PG, bucket_port: int | None = None
) -> Manifest:
    """The NetworkPolicy of the Cluster `aside`: its operator reaches it, and it reaches the API server, DNS and the
    bucket at its port; without a port everything. In a closed namespace (`platform.default_deny`) no policy of the
    stack lets it do that."""
    egress: list[Manifest] = [{}]
    if bucket_port is not None:
        bucket = [network.egress(peers, bucket_port) for peers in (network.anywhere(), [network.CLUSTER])]
        egress = [network.DNS, network.API_SERVER, *bucket]
    return network.policy(
        aside,
        {"cnpg.io/cluster": aside},
        ingress=[network.ingress([network.namespace(operator_namespace)], 5432, 8000)],
        egress=egress,
    )
