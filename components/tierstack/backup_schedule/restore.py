"""The commands of a restore aside, as data: for the `tierstack` command, for drills and for the documentation."""

from dataclasses import dataclass
from typing import Any

from tierstack.backup_schedule import agent

PYTHON = ["python3", "-m", agent.__name__]
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{agent.CONFIG}/lib", "TZ": "UTC"}
"""What every run of the agent needs. Barman names backups by local time, so that is UTC."""
TARGET = "/restore"
"""Where the new volume is mounted: at the same place while it is filled and while PostgreSQL replays into it."""
PLUGIN = "barman-cloud.cloudnative-pg.io"
"""Name of CloudNativePG's barman-cloud plugin."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a Docker host keeps the backups."""

    catalog: str
    """Volume with Barman's catalog."""
    config: str
    """Volume with its configuration."""
    image: str
    """The Barman image."""


def commands(source: Source, *, aside: str, postgres_image: str, time: str | None = None) -> list[list[str]]:
    """The commands that restore to `time` (RFC 3339 with a zone; None: the last WAL received) in a new volume and
    start PostgreSQL on it, as the container `aside`, without a network.

    The running database, its volume and the catalog are left as they are; `docker rm -f` and `docker volume rm` of
    `aside` remove the restored one.
    """
    confined = ["--network", "none", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    unprivileged = ["--user", "26:26", "--read-only", "--tmpfs", "/tmp", "--init"]
    environment = [part for key, value in ENVIRONMENT.items() for part in ("-e", f"{key}={value}")]
    catalog = ["-v", f"{source.catalog}:{agent.CATALOG}", "-v", f"{source.config}:{agent.CONFIG}:ro"]
    volume = ["-v", f"{aside}:{TARGET}"]
    data = f"{TARGET}/data"
    as_root = ["docker", "run", "--rm", "--user", "0:0", *confined, "--cap-add", "CHOWN", *volume, source.image]
    restoring = ["docker", "run", "--rm", *unprivileged, *confined, *environment, *catalog, *volume, source.image]
    running = ["docker", "run", "--detach", "--name", aside, *unprivileged, *confined, *volume, postgres_image]
    return [
        ["docker", "volume", "create", aside],
        [*as_root, "chown", "26:26", TARGET],  # a new volume belongs to root
        [*restoring, *PYTHON, "restore", "--to", data, *(["--time", time] if time else [])],
        [*running, "postgres", "-D", data, "-c", f"config_file={data}/restore.conf"],
    ]


def query(aside: str, database: str, statement: str, superuser: str = "postgres") -> list[str]:
    """The command that asks the restored PostgreSQL one thing."""
    return ["docker", "exec", aside, "psql", "-h", "/tmp", "-U", superuser, "-d", database, "-qAtc", statement]


def recovery_cluster(
    *, aside: str, cluster: str, object_store: str, storage_gb: int, time: str | None = None
) -> dict[str, Any]:
    """The manifest of a CloudNativePG Cluster `aside` with the backups of `cluster` replayed to `time`.

    CloudNativePG manual, "Recovery", and the plugin's manual, "Restoring a Cluster".
    """
    origin = "origin"
    target = {"recoveryTarget": {"targetTime": time}} if time else {}
    plugin = {"name": PLUGIN, "parameters": {"barmanObjectName": object_store, "serverName": cluster}}
    return {
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Cluster",
        "metadata": {"name": aside},
        "spec": {
            "instances": 1,
            "storage": {"size": f"{storage_gb}Gi"},
            "bootstrap": {"recovery": {"source": origin, **target}},
            "externalClusters": [{"name": origin, "plugin": plugin}],
        },
    }
