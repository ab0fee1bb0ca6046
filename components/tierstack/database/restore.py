"""A database on Kubernetes that is made from backups instead of empty: arguments, targets and rules. Pure."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime

from tierstack.core.errors import MISSING, Diagnostic, declare, rule
from tierstack.core.keys import within
from tierstack.database.archive import DatabaseArchiveArgs, server_name_problems
from tierstack.links import ObjectStore

LATEST = "latest"
_LSN = re.compile(r"lsn:([0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8})")
_TRANSACTION = re.compile(r"xid:([0-9]{1,10})")
_LARGEST_TRANSACTION = 2**32 - 1  # CloudNativePG refuses more: PostgreSQL would cut it off

declare(
    "restore-archive",
    "A database that is restored must have a bucket that the backups are read from.",
    wrong="database: {restore: {server_name: db}} without backups",
    right="backups: {}, object_storage: {bucket: shop-backups}, database: {restore: {server_name: db}}",
)


@dataclass(kw_only=True)
class DatabaseRestoreArgs:
    """Kubernetes: the database is made from the backups of another one, or of one that was lost, instead of empty. It
    counts once, when the database is made; afterwards it may stay or be removed."""

    server_name: str
    """Folder in the bucket with the backups: `archive.server_name` of the database that made them, which is its name
    unless it was given. The new database needs another `archive.server_name`."""
    to: str = LATEST
    """The moment: a time with its zone (RFC 3339: `2026-01-31T12:00:00Z`), `lsn:0/3000060`, `xid:1234` (a transaction;
    needs `backup`), or `latest` (default): everything that was archived."""
    exclusive: bool = False
    """Whether to stop just before `to`, without the transaction that is there. Default: just after it."""
    backup: str | None = None
    """Id of the base backup to begin with, such as `20260131T033000`. Required with `xid:`. None: the newest one that
    was complete before `to`."""
    store: ObjectStore | None = None
    """The bucket with the backups, where it is another one, or to read it with other credentials. None: that of
    `archive`."""
    wait_minutes: int = field(default=60, metadata=within(5, 10080, "minutes"))
    """How long an update waits for the restored database. 5 to 10080. Default: 60. Raise it for a large one: 100 GB at
    100 MB/s take 17 minutes, and the log since the base backup takes its own time."""

    def target(self) -> dict[str, str | bool]:
        """The `recoveryTarget` of CloudNativePG; empty for everything that was archived. Only of a `to` that the rules
        accept."""
        found: dict[str, str | bool] = {}
        if lsn := _LSN.fullmatch(self.to):
            found["targetLSN"] = lsn[1].upper()
        elif transaction := _TRANSACTION.fullmatch(self.to):
            found["targetXID"] = transaction[1]
        elif self.to != LATEST:
            found["targetTime"] = written(moment(self.to))
        if self.backup is not None:
            found["backupID"] = self.backup
        return {**found, **({"exclusive": True} if self.exclusive else {})}

    def problems(self, path: str, archive: DatabaseArchiveArgs | None, now: datetime) -> list[Diagnostic]:
        """Everything that is wrong with it, beside the archive of the same database."""
        return [
            *server_name_problems(f"{path}.server_name", self.server_name),
            *_target_problems(path, self, now),
            *_backup_problems(path, self),
            *self._bucket_problems(path, archive),
        ]

    def _bucket_problems(self, path: str, archive: DatabaseArchiveArgs | None) -> list[Diagnostic]:
        if archive is not None and self.reads(archive):
            return _overwritten(self.server_name, archive.server_name)
        if archive is None and self.store is None:
            wrong = "has no bucket to read from: the database has no `archive`"
            hint = "give it one (in a stack: `backups` and `object_storage`), or give `restore.store`"
            return [Diagnostic(path, MISSING, wrong, hint, "restore-archive")]
        return []

    def reads(self, archive: DatabaseArchiveArgs) -> bool:
        """Whether the backups are in the same bucket and folder that the database archives to."""
        own, store = archive.store, self.store
        return store is None or (store.endpoint_url, store.location) == (own.endpoint_url, own.location)


def moment(text: str) -> datetime:
    """A time in RFC 3339, in UTC. Raises ValueError where it is none or has no zone."""
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError("it has no time zone")
    return found.astimezone(UTC)


def written(at: datetime) -> str:
    """A time as CloudNativePG reads it: RFC 3339, with microseconds where it has some."""
    return at.isoformat(timespec="microseconds" if at.microsecond else "seconds").replace("+00:00", "Z")


@rule(
    "restore-target",
    "A restore needs a moment that PostgreSQL can stop at.",
    "PostgreSQL: Recovery Target",
    wrong='restore: {server_name: db, to: "2026-01-31 12:00"}',
    right='restore: {server_name: db, to: "2026-01-31T12:00:00Z"}',
)
def _target_problems(path: str, given: DatabaseRestoreArgs, now: datetime) -> list[Diagnostic]:
    to, at = given.to, f"{path}.to"
    hint = "write one such as `2026-01-31T12:00:00Z`, `lsn:0/3000060`, `xid:1234` or `latest`"
    if to == LATEST:
        if not given.exclusive:
            return []
        wrong = f"means nothing with `to` = `{LATEST}`: there is no transaction to stop before"
        return [Diagnostic(f"{path}.exclusive", given.exclusive, wrong, "remove it, or write a moment as `to`")]
    if _LSN.fullmatch(to):
        return []
    if transaction := _TRANSACTION.fullmatch(to):
        if int(transaction[1]) <= _LARGEST_TRANSACTION:
            return []
        return [Diagnostic(at, to, "is not the number of a transaction", f"write one up to {_LARGEST_TRANSACTION}")]
    try:
        moment_ = moment(to)
    except ValueError as error:
        zone = "has no time zone" if "zone" in str(error) else "is not a moment to restore to"
        return [Diagnostic(at, to, zone, hint)]
    if moment_ > now:
        wrong = f"is in the future: it is {written(now.replace(microsecond=0))} now"
        return [Diagnostic(at, to, wrong, f"write an earlier time, or `{LATEST}` for everything that was archived")]
    return []


@rule(
    "restore-backup",
    "A restore to a transaction must say with which base backup it begins.",
    "CloudNativePG: Recovery, Additional considerations",
    why="Nothing in the catalog of backups says when a transaction was: one after it would never reach it.",
    wrong="restore: {server_name: db, to: xid:1234}",
    right="restore: {server_name: db, to: xid:1234, backup: 20260131T033000}",
)
def _backup_problems(path: str, given: DatabaseRestoreArgs) -> list[Diagnostic]:
    at, backup = f"{path}.backup", given.backup
    how = "write the id that `kubectl get backups -o wide` shows, such as `20260131T033000`"
    if backup is None:
        if not _TRANSACTION.fullmatch(given.to):
            return []
        wrong = f"is missing: with `to` = `{given.to}` nothing says which base backup is older than the transaction"
        return [Diagnostic(at, MISSING, wrong, how)]
    return [] if re.fullmatch(r"[0-9]{8}T[0-9]{6}", backup) else [Diagnostic(at, backup, "is not a backup's id", how)]


@rule(
    "restore-overwrites",
    "A restored database must archive under another name than the one that it is restored from.",
    "CloudNativePG, Barman Cloud plugin: Restoring a Cluster",
    why="CloudNativePG refuses a folder in use, so that two logs never mix, and the database would not start.",
    wrong="archive: {…}, restore: {server_name: db}",
    right="archive: {server_name: db-2, …}, restore: {server_name: db}",
)
def _overwritten(source: str, own: str | None) -> list[Diagnostic]:
    numbered = re.fullmatch(r"(.*)-([0-9]+)", source)
    other = f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{source}-2"
    if own is None:
        wrong = "is missing: a restored database must not archive into the folder of the one that made the backups"
        return [Diagnostic("archive.server_name", MISSING, wrong, f"write a name that is new, such as `{other}`")]
    if own == source:
        wrong = "is the folder that the database is restored from: its log would get among the old one's"
        return [Diagnostic("archive.server_name", own, wrong, f"write a name that is new, such as `{other}`")]
    return []
