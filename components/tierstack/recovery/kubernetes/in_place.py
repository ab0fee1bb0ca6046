"""A restore in the place of the database on Kubernetes. The configuration says where the new one comes from, and the
next update makes it; here the old one is taken away, once everything is known that could go wrong."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any, cast

from tierstack.backup_schedule import restore
from tierstack.core.arguments import load
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import ArgumentError
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.engine.project import UsageError
from tierstack.recovery.found import now
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import aside as beside
from tierstack.recovery.kubernetes import found as found_
from tierstack.recovery.kubernetes.found import CLUSTER, ClusterBackups

RESTORED, MOVED = "database-restored-once", "archive-moved"
"""What a check says of a configuration that asks for such a restore: the database is there, and archives elsewhere."""
_ARCHIVE_SECONDS = 120
"""How long the last writes may take to the archive: a segment is tried again each minute."""
_SWITCH = "SELECT pg_walfile_name(pg_switch_wal())"


def asked(
    values: Mapping[str, Any], problems: Sequence[Diagnostic], stack: str, backups: ClusterBackups
) -> DatabaseRestoreArgs:
    """The restore that a configuration asks for, by what its check says against it. Raises ArgumentError with
    everything else that is wrong, and UsageError where it asks for none."""
    if others := [one for one in problems if one.code not in (RESTORED, MOVED)]:
        raise ArgumentError(f"configuration of stack {stack}", others)
    cluster = backups.at.cluster
    for one in problems:
        *place, _, _ = one.path.split(".")
        if one.code == RESTORED and (place[-1] == "database" or place[-2:] == ["databases", cluster]):
            written = [key for key in place if key != "kubernetes"]
            given = {**_inside(values, *written, "restore"), **_inside(values, "kubernetes", *written, "restore")}
            found, wrong = load(DatabaseRestoreArgs, given)
            if wrong:
                raise ArgumentError(f"configuration of stack {stack}", wrong)
            return cast(DatabaseRestoreArgs, found)
    raise UsageError(
        f"--in-place: the configuration of {stack} asks for no restore of {cluster} that was not made yet. Write it "
        f"there, so that the next update keeps it: `database: {{restore: {{server_name: {backups.at.server_name}, to: "
        f'"2026-01-31T12:00:00Z"}}, archive: {{server_name: {_following(backups.at.server_name)}}}}}` '
        "(docs/how-to/restore-on-kubernetes.md)"
    )


def lines(given: DatabaseRestoreArgs, backups: ClusterBackups) -> list[str]:
    """What will be done, for people."""
    at = backups.at
    until = "the last write that was archived" if given.to == "latest" else f"{given.to}"
    return [
        f"restore {given.server_name} to {until}, in the place of Cluster {at.cluster} of namespace {at.namespace}",
        f"first beside it, as Cluster {backups.name('rehearsal')}: if that fails, nothing is replaced",
        f"its volumes are deleted; what it holds now stays in the archive as {at.server_name}, and can be restored",
        "the application has no database from then until the update ends",
    ]


def take_away(given: DatabaseRestoreArgs, backups: ClusterBackups, tell: beside.Tell) -> None:
    """Prove that the restore works, save the last writes, and delete the Cluster. Raises CommandError, with the
    database as it was, where one of the first two fails."""
    rehearsal = backups.name("rehearsal")
    tell(f"rehearsal as Cluster {rehearsal}:")
    beside.put_aside(backups, rehearsal, None, tell, given)
    beside.remove(backups, rehearsal)
    began = time.monotonic()
    _save_last_writes(backups)
    tell(f"last writes archived: {time.monotonic() - began:.1f} s")
    backups.delete(backups.at.cluster)
    # The new folder has no base backup until the schedule's next time. The operator waits for the Cluster.
    name = f"{backups.at.cluster}-restored-{now():%Y%m%d%H%M%S}"
    backups.kubectl.write("create", restore.backup(name, backups.at.cluster))
    tell(f"Cluster {backups.at.cluster} deleted: `tierstack up --refresh` makes it anew, and runs now")


def _save_last_writes(backups: ClusterBackups) -> None:
    """Wait until everything that the database holds is in the archive."""
    primary = backups.primary(backups.at.cluster)
    segment = backups.ask(primary, _SWITCH).strip()
    until = time.monotonic() + _ARCHIVE_SECONDS
    while not backups.archived(primary, segment):
        if time.monotonic() > until:
            raise CommandError(
                f"the last writes did not reach the archive in {_ARCHIVE_SECONDS} s, and would be lost. Nothing was "
                f"replaced. See the condition ContinuousArchiving: kubectl -n {backups.at.namespace} describe "
                f"{CLUSTER} {backups.at.cluster}"
            )
        time.sleep(found_.LOOK_SECONDS)


def _inside(values: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    found: Any = values
    for key in path:
        found = cast(Mapping[str, Any], found).get(key) if isinstance(found, Mapping) else None
    return cast(Mapping[str, Any], found) if isinstance(found, Mapping) else {}


def _following(name: str) -> str:
    numbered = re.fullmatch(r"(.*)-([0-9]+)", name)
    return f"{numbered[1]}-{int(numbered[2]) + 1}" if numbered else f"{name}-2"
