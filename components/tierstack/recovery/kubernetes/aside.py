"""A restore beside the running database: a Cluster of its own, in the same namespace, that nobody reaches."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from tierstack.backup_schedule import restore
from tierstack.core.before import at
from tierstack.database.restore import DatabaseRestoreArgs, written
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import found as found_
from tierstack.recovery.kubernetes.found import CLUSTER, ClusterBackups
from tierstack.recovery.kubernetes.kubectl import condition

Tell = Callable[[str], None]
_PENDING_SECONDS = 120
"""How long a pod may find no node: an autoscaler of nodes takes a minute or two."""
_SHOWN = 600  # characters of a log that a message repeats
_CAUSES = {
    "no target backup found": "there is no base backup of `{server}` in the bucket that was complete before the moment",
    "recovery ended before configured recovery target was reached": "the log in the bucket ends before the moment: "
    "nothing was committed after it, or it did not arrive. Leave --to out to restore everything that was archived",
    "first needed WAL in the archive": "the log that the base backup begins with is not in the bucket",
    "Expected empty archive": "the folder that it would archive into is in use",
    "database files are incompatible with server": "the image has another major version than the base backup",
}
"""What CloudNativePG, its plugin and PostgreSQL say, and what it means."""


def put_aside(
    backups: ClusterBackups,
    aside: str,
    to: datetime | None,
    tell: Tell,
    given: DatabaseRestoreArgs | None = None,
) -> None:
    """Restore into the new Cluster `aside`, to a moment or as `given` by a configuration. The running database is not
    touched. Whatever ends it early, nothing of it is left. Raises CommandError with the cause, and UsageError where
    there is such a Cluster already."""
    like = backups.live()["spec"]
    refuse_existing(backups, aside)
    source, kubectl = backups.at, backups.kubectl
    server = given.server_name if given else source.server_name
    policy = restore.recovery_policy(
        aside=aside, operator_namespace=source.operator_namespace, bucket_port=source.bucket_port
    )
    cluster = restore.recovery_cluster(
        aside=aside,
        cluster=server,
        object_store=source.read_store,
        time=written(to) if to else None,
        target=given.target() if given else None,
        like=like,
    )
    try:
        with signals.ending_as_interrupts():
            kubectl.apply([policy, cluster])
            tell(f"  1/2 make Cluster {aside} and its NetworkPolicy")
            began = time.monotonic()
            await_ready(backups, aside, server)
    except BaseException:  # an interrupt too: the operator would try again for ever
        with signals.held_back(), suppress(CommandError):
            remove(backups, aside)
        raise
    tell(f"  2/2 copy base backup, replay the write-ahead log, start: {time.monotonic() - began:.1f} s")


def refuse_existing(backups: ClusterBackups, aside: str) -> None:
    """Raise UsageError where there is a Cluster of the name."""
    if aside == backups.at.cluster:
        raise UsageError(f"--aside = {aside}: is the database itself; give another name")
    if backups.kubectl.get(CLUSTER, aside):
        raise UsageError(
            f"there is a Cluster {aside} already. Remove it ({removing(backups, aside)}), or give another name with "
            "--aside"
        )


def removing(backups: ClusterBackups, aside: str) -> str:
    """The command by which people remove what stands aside."""
    return " ".join(backups.kubectl.command("delete", f"{CLUSTER}/{aside}", f"networkpolicy/{aside}"))


def remove(backups: ClusterBackups, aside: str) -> None:
    """Take away what stood aside, whatever of it is there; its policy goes last, so that nothing is open meanwhile."""
    backups.delete(aside)
    backups.kubectl.delete("networkpolicy", aside)


def await_ready(backups: ClusterBackups, aside: str, server: str) -> None:
    """Wait until the server that is restored from the folder `server` takes writes. Raises CommandError where it never
    will."""
    pending_since: float | None = None
    while True:
        found = backups.kubectl.get(CLUSTER, aside)
        if found is None:
            raise CommandError(f"Cluster {aside} was removed meanwhile")
        if condition(found, "Ready").get("status") == "True":
            return
        pods = backups.kubectl.all("pods", f"cnpg.io/cluster={aside}")
        for pod in pods:
            if at(pod, "status", "phase") == "Failed":
                raise CommandError(_failure(backups, pod["metadata"]["name"], server))
        why = next(filter(None, map(_unschedulable, pods)), None)
        pending_since = (pending_since or time.monotonic()) if why else None
        if pending_since is not None and time.monotonic() - pending_since > _PENDING_SECONDS:
            raise CommandError(f"no node has enough free resources for the restored database: {why}")
        time.sleep(found_.LOOK_SECONDS)


def _unschedulable(pod: Mapping[str, Any]) -> str | None:
    placed = condition(pod, "PodScheduled")
    if placed.get("status") != "False":
        return None
    return f"pod {pod['metadata']['name']}: {placed.get('message') or placed.get('reason')}"


def _failure(backups: ClusterBackups, pod: str, server: str) -> str:
    """Why a pod of the restored Cluster failed, by its logs."""
    try:
        logs = backups.kubectl.run("logs", pod, "--all-containers", "--tail=200")
    except CommandError as error:
        return f"the restore failed, and the log of pod {pod} cannot be read: {error}"
    return explained(logs, server)


def explained(logs: str, server: str) -> str:
    """What the logs of a restore say of its failure."""
    for said, meaning in _CAUSES.items():
        if said in logs:
            return f"the restore failed: {meaning.format(server=server)} ({said})"
    errors = list(dict.fromkeys(_errors(logs)))
    return f"the restore failed: {'; '.join(errors)[-_SHOWN:] if errors else logs.strip()[-_SHOWN:] or 'no log'}"


def _errors(logs: str) -> Iterator[str]:
    """What the lines of a log of the operator's programs, JSON each, call an error."""
    for line in logs.splitlines():
        with suppress(ValueError, AttributeError):
            entry: dict[str, Any] = json.loads(line)
            if at(entry, "record", "error_severity") in ("FATAL", "PANIC"):
                yield str(at(entry, "record", "message"))
            elif entry.get("level") == "error":
                yield f"{entry.get('msg')}: {entry.get('error') or entry.get('err') or ''}".rstrip(": ")
