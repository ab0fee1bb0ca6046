"""How a database on Kubernetes archives its write-ahead log: arguments and rules."""

import re
from dataclasses import dataclass, field

from tierstack.core.errors import Diagnostic, rule
from tierstack.core.keys import within
from tierstack.links import ObjectStore
from tierstack.links.database import LONGEST_RETENTION_DAYS, RETENTION_DAYS


@dataclass(kw_only=True)
class DatabaseArchiveArgs:
    """Kubernetes: continuous archiving of the write-ahead log by the barman-cloud plugin. Together with the base
    backups of a BackupSchedule, any point in time can be restored."""

    store: ObjectStore
    """The bucket: `store` of an ObjectStorage."""
    server_name: str | None = None
    """Folder in the bucket that base backups and log go into. It stays what it was when the database was made. A
    database that is restored needs another one than the database that made the backups. None: the database's name."""
    read_store: ObjectStore | None = None
    """The same bucket with credentials that can only read: `tierstack restore` and `tierstack drill` use them. None:
    those of `store`."""
    retention_days: int = field(default=RETENTION_DAYS, metadata=within(1, LONGEST_RETENTION_DAYS, "days"))
    """Length of the recovery window in days: every moment in it can be restored. 1 to 3650. Default: 14."""
    memory_mb: int = field(default=512, metadata=within(256, 65536, "MiB"))
    """MiB of the sidecar beside each server that ships the log, request and limit. 256 to 65536. Default: 512."""
    cpu: float | None = field(default=None, metadata=within(0.05, 16, "cores"))
    """Cores of that sidecar, request and limit, so that the server's pod stays in the quality of service class
    Guaranteed. With a core of its own it ships more than 16 MiB of log per second. A promotion asks the archive about
    ten times, and writes wait for the answers: half a core makes that about 4 s longer. 0.05 to 16. None: 1 where the
    database has replicas, else 0.5."""
    parallel: int = field(default=1, metadata=within(1, 16))
    """Segments of 16 MiB that are archived at a time, and that a standby fetches at a time. Raise it together with
    `cpu` if a busy server must catch up after the bucket was unreachable. More than one takes CPU from a promotion,
    which asks the archive. 1 to 16. Default: 1."""

    def cores(self, replicas: int) -> float:
        """Cores of the sidecar of a database with so many replicas."""
        if self.cpu is not None:
            return self.cpu
        return 1.0 if replicas else 0.5

    def problems(self, path: str) -> list[Diagnostic]:
        """Everything that is wrong with it, beside ranges."""
        found = server_name_problems(f"{path}.server_name", self.server_name) if self.server_name is not None else []
        return found + (_other_bucket(f"{path}.read_store", self.store, self.read_store) if self.read_store else [])


@rule(
    "archive-server-name",
    "The name of a server in an archive must be one plain folder.",
    wrong="archive: {server_name: shop/db}",
    right="archive: {server_name: shop-db}",
)
def server_name_problems(path: str, value: str) -> list[Diagnostic]:
    """The rules of a folder in a bucket that Barman calls a server."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", value):
        return []
    hint = "write 1 to 63 letters, digits, `-`, `_` and `.`, beginning with a letter or digit, such as `db-2`"
    return [Diagnostic(path, value, "is not the name of a folder in the archive", hint)]


@rule("archive-read-store", "What restores read must be the bucket that the database archives to.")
def _other_bucket(path: str, store: ObjectStore, reader: ObjectStore) -> list[Diagnostic]:
    if (store.endpoint_url, store.location) == (reader.endpoint_url, reader.location):
        return []
    wrong = f"is another bucket or folder than `store`, {store.location}"
    return [Diagnostic(path, reader.location, wrong, "give the same one, with other credentials")]
