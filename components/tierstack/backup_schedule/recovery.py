"""What a command needs to know of the backups of a stack, to restore from them: an output, as JSON. Pure."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from tierstack.backup_schedule.dumps.recovery import DUMPS, DumpsOnDocker
from tierstack.backup_schedule.engine import Source, StoreAt
from tierstack.backup_schedule.restic.recovery import FILES, FilesOnDocker
from tierstack.links import DatabaseEngine

DOCKER, KUBERNETES = "docker", "kubernetes"


@dataclass(frozen=True, kw_only=True)
class OnDocker:
    """Backups on a Docker host."""

    docker_host: str | None
    """Address of the daemon. None: that of the environment."""
    agent: str
    """Container of the agent."""
    catalog: str
    """Volume with the backups."""
    config: str
    """Volume with its configuration."""
    image: str
    """Its image."""
    server: str | None
    """Container of the primary. None: of a connection that was written by hand and names none."""
    database: str
    """Name of the database."""
    checks: dict[str, str] = field(default_factory=dict[str, str])
    """What a drill asks, by name."""
    max_lost_seconds: int
    """Seconds before the loss whose writes may be missing."""
    max_minutes: int
    """Minutes from the loss to an answering database."""
    engine: str = DatabaseEngine.POSTGRESQL.value
    """What is backed up: the value of a `DatabaseEngine`. States of before MySQL was backed up do not say it."""
    store: StoreAt | None = None
    """The bucket that restores read from. None: they read the catalog."""

    @property
    def source(self) -> Source:
        """Where the backups are."""
        return Source(catalog=self.catalog, config=self.config, image=self.image, store=self.store)

    def text(self) -> str:
        """As the output has it."""
        values = asdict(self)
        if self.store is None:
            del values["store"]  # a state of before there was one stays as it is
        return json.dumps({"kind": DOCKER, **values})


@dataclass(frozen=True, kw_only=True)
class OnKubernetes:
    """Backups of a Cluster of CloudNativePG."""

    context: str | None
    """Context of the kubeconfig. None: the current one."""
    namespace: str
    cluster: str
    object_store: str
    """Name of the ObjectStore (barman-cloud plugin) that the Cluster archives to. Its status says what can be
    restored."""
    read_store: str
    """Name of the one that restores read: with credentials of its own, or the same."""
    server_name: str
    """Folder in the bucket with the backups of this database."""
    bucket_port: int
    """TCP port of the S3 API."""
    operator_namespace: str
    """Namespace of CloudNativePG."""
    database: str
    """Name of the database."""
    checks: dict[str, str] = field(default_factory=dict[str, str])
    """What a drill asks, by name."""
    max_lost_seconds: int
    """Seconds before the loss whose writes may be missing."""
    max_minutes: int
    """Minutes from the loss to an answering database."""

    def text(self) -> str:
        """As the output has it."""
        return json.dumps({"kind": KUBERNETES, **asdict(self)})


def parsed(text: str) -> OnDocker | OnKubernetes | FilesOnDocker | DumpsOnDocker:
    """The output, read again. Raises TypeError where an older version wrote it, which said less."""
    values: dict[str, Any] = json.loads(text)
    kind = values.pop("kind")
    if kind == FILES:
        return FilesOnDocker(**values)
    if kind == DUMPS:
        return DumpsOnDocker(**values)
    if kind != DOCKER:
        return OnKubernetes(**values)
    store = values.pop("store", None)
    return OnDocker(**values, store=StoreAt(**store) if store else None)
