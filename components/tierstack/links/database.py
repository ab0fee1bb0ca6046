"""A database that a component hands on: endpoints and credentials."""

from dataclasses import dataclass
from enum import Enum

import pulumi

from tierstack.links.certificate import TrustedCA
from tierstack.links.secrets import SecretRef

RETENTION_DAYS, LONGEST_RETENTION_DAYS = 14, 3650
"""Recovery window where none is given, and the longest: ten years, beyond which a number is more likely a slip."""


class DatabaseEngine(Enum):
    """The server that holds the data, and whose protocol clients speak."""

    POSTGRESQL = "postgresql"
    """PostgreSQL behind PgBouncer; on Kubernetes by CloudNativePG."""
    MYSQL = "mysql"
    """MySQL behind HAProxy; on Docker."""


@dataclass(kw_only=True)
class DatabaseArchive:
    """Where a database on Kubernetes archives its write-ahead log, beside which base backups can be restored."""

    cluster: str
    """Name of the CloudNativePG Cluster."""
    object_store: str
    """Name of the ObjectStore (barman-cloud plugin) that the Cluster archives to."""
    location: str
    """Where that is: `s3://bucket/prefix`."""
    retention_days: int
    """Length of the recovery window in days."""
    server_name: str | None = None
    """Folder in it that base backups and log go into. None: the Cluster's name."""
    read_store: str | None = None
    """Name of an ObjectStore of the same bucket with credentials that can only read. None: there is none."""
    port: int = 443
    """TCP port of the S3 API. Default: 443."""
    operator_namespace: str = "cnpg-system"
    """Namespace of the operator, which must reach a Cluster that is restored beside. Default: `cnpg-system`."""


@dataclass(kw_only=True)
class DatabaseConnection:
    """How to reach the database of a DatabaseWithReplicas, and in which words."""

    source = "`connection` of a DatabaseWithReplicas"

    engine: str
    """What answers there: the value of a `DatabaseEngine`. It is a string, because Pulumi YAML hands no choice from one
    component to another."""
    environment: dict[str, str]
    """Variables that a client of this engine needs besides host, port, database, user and password: the name of its
    driver, and with `ca` how it verifies the server. They are not secret."""
    host: pulumi.Input[str]
    """Host of the pooler: what an application uses."""
    port: pulumi.Input[str]
    """Port of the pooler, as text."""
    direct_host: pulumi.Input[str]
    """Host of the primary itself: migrations, advisory locks, LISTEN."""
    direct_port: pulumi.Input[str]
    """Port of the primary, as text."""
    database: str
    """Name of the database."""
    user: str
    """User of the application, who may change the database's tables too. Of a DatabaseWithReplicas: the login role of
    its password generation."""
    password: SecretRef
    """Its password."""
    read_host: pulumi.Input[str] | None = None
    """Host of a pooler in front of the standbys, for statements that only read and may see the data of a moment ago.
    None: reads go to `host`."""
    read_port: pulumi.Input[str] | None = None
    """Its port, as text. None: that of `host`."""
    network: pulumi.Input[str] | None = None
    """Docker: network in which the pooler answers."""
    direct_network: pulumi.Input[str] | None = None
    """Docker: network in which the primary answers."""
    container: str | None = None
    """Docker: the primary's container, in which `tierstack restore` and `tierstack drill` ask. None on Kubernetes."""
    client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through to the pooler."""
    direct_client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through to the primary itself."""
    transaction_pooling: bool = True
    """Whether a client holds a connection of the server only during a transaction. False: it holds one for as long as
    it is connected, so an application keeps none between requests."""
    read_user: str | None = None
    """User that may only read the owner's tables. None: there is no such user."""
    read_password: SecretRef | None = None
    """Its password."""
    monitor_user: str | None = None
    """User that sees statistics and settings, and no table. None: there is no such user."""
    monitor_password: SecretRef | None = None
    """Its password."""
    backup_user: str | None = None
    """Docker: user that backups connect as. None on Kubernetes, where the operator does it."""
    backup_password: SecretRef | None = None
    """Docker: its password."""
    archive: DatabaseArchive | None = None
    """Kubernetes: what a BackupSchedule needs. None: the database archives nothing, or runs on Docker."""
    client_image: pulumi.Input[str] | None = None
    """Kubernetes: image with a client of the engine, by which a migration waits. None: it waits by trying."""
    ready_command: str | None = None
    """Kubernetes: shell command for that image. It succeeds once the server at `$DB_HOST:$DB_PORT` accepts connections.
    None: there is no such image."""
    ca: TrustedCA | None = None
    """What clients verify chain and name of both endpoints by. None: they verify nothing."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
