"""The backups of a database on Kubernetes, and how they are."""

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tierstack.backup_schedule import ledger, recovery
from tierstack.core.before import at
from tierstack.engine.project import UsageError
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes.kubectl import Kubectl
from tierstack.recovery.postgresql import OPTIONS

CLUSTER = "cluster.postgresql.cnpg.io"
LOOK_SECONDS = 1.0
"""How often the cluster is asked while something is waited for."""
_ARCHIVED = "SELECT coalesce(left(last_archived_wal, 24), '') >= '{}' FROM pg_stat_archiver"
_DELETION_SECONDS = 300
_KEPT_DRILLS = 500
"""Drills that a ledger keeps: at less than a KiB each, half of what a ConfigMap holds (1 MiB)."""
_LEDGER = "drills.jsonl"
_TRIES = 5
_LONGEST_NAME = 50  # of a Cluster (CloudNativePG)
_SIZE = "SELECT sum(pg_database_size(oid))::bigint FROM pg_database"


@dataclass(frozen=True)
class ClusterBackups:
    """The backups of a Cluster of CloudNativePG."""

    at: recovery.OnKubernetes
    kubectl: Kubectl

    def name(self, what: str) -> str:
        """Name of a Cluster beside the running one: `db-aside`."""
        return f"{self.at.cluster[: _LONGEST_NAME - len(what) - 1]}-{what}"

    def live(self) -> dict[str, Any]:
        """The running Cluster. Raises UsageError where it is gone."""
        found = self.kubectl.get(CLUSTER, self.at.cluster)
        if found is None:
            raise UsageError(
                f"there is no Cluster {self.at.cluster} in namespace {self.at.namespace}, after which one beside it is "
                "made. A database that is lost is restored by configuration (docs/how-to/restore-on-kubernetes.md)"
            )
        return found

    def primary(self, cluster: str) -> str:
        """The pod that takes the writes of a Cluster. Raises CommandError where there is none."""
        if pod := at(self.kubectl.get(CLUSTER, cluster), "status", "currentPrimary"):
            return str(pod)
        raise CommandError(f"Cluster {cluster} has no primary: kubectl -n {self.at.namespace} get cluster {cluster}")

    def delete(self, cluster: str) -> None:
        """Delete a Cluster, and wait until its volumes are gone: one of the same name would take them over. Raises
        CommandError where they stay."""
        self.kubectl.delete(CLUSTER, cluster)
        until = time.monotonic() + _DELETION_SECONDS
        while self.kubectl.all("pvc", f"cnpg.io/cluster={cluster}"):
            if time.monotonic() > until:
                listed = " ".join(self.kubectl.command("get", "pvc,pods", "-l", f"cnpg.io/cluster={cluster}"))
                raise CommandError(
                    f"the volumes of Cluster {cluster} are not gone after {_DELETION_SECONDS} s: {listed}"
                )
            time.sleep(LOOK_SECONDS)

    def client(self, pod: str) -> list[str]:
        """PostgreSQL's client in a server's pod, as the superuser over its socket; it reads statements."""
        target = f"dbname={self.at.database} options='{OPTIONS}'"
        psql = ["psql", target, "-qAt", "-v", "ON_ERROR_STOP=1"]
        return self.kubectl.command("exec", "-i", pod, "-c", "postgres", "--", *psql)

    def ask(self, pod: str, statement: str) -> str:
        """What a server answers."""
        return self.kubectl.host.run(self.client(pod), statement)

    def archived(self, pod: str, segment: str) -> bool:
        """Whether a segment of the log is in the bucket, by the server that writes it."""
        return self.ask(pod, _ARCHIVED.format(segment)).strip() == "t"

    def status(self) -> dict[str, Any]:
        """What can be restored, in the words of the agent on a Docker host; what is not known is left out."""
        found: dict[str, Any] = {}
        store = self.kubectl.get("objectstore.barmancloud.cnpg.io", self.at.object_store)
        window = ("status", "serverRecoveryWindow", self.at.server_name)
        if begin := at(store, *window, "firstRecoverabilityPoint"):
            found["restorable_from"] = begin
        with suppress(CommandError, ValueError):  # the plan is for the case that the database is away, too
            base, size = self._newest(), int(self.ask(self.primary(self.at.cluster), _SIZE))
            found["last_backup"] = {"id": base, "size_bytes": size}
        return found

    def _newest(self) -> str | None:
        """Id of the newest base backup, by Barman."""
        made = [
            one["status"]
            for one in self.kubectl.all("backup.postgresql.cnpg.io")
            if one["spec"]["cluster"]["name"] == self.at.cluster and at(one, "status", "phase") == "completed"
        ]
        return max(made, key=lambda one: str(one.get("stoppedAt")))["backupId"] if made else None

    @property
    def ledger(self) -> str:
        """Name of the ConfigMap with the drills."""
        return f"{self.at.cluster}-drills"

    def drills(self) -> list[dict[str, Any]]:
        """The ledger, the oldest drill first."""
        return _entries(self.kubectl.get("configmap", self.ledger))

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append a drill to the ledger. Raises CommandError where that cannot be done."""
        for last in (*[False] * (_TRIES - 1), True):
            held = self.kubectl.get("configmap", self.ledger)
            lines = ledger.text([*_entries(held), entry][-_KEPT_DRILLS:])
            try:
                self.kubectl.write("replace" if held else "create", self._ledger(lines, held))
                return
            except CommandError:  # somebody else wrote it meanwhile
                if last:
                    raise

    def _ledger(self, lines: str, held: Mapping[str, Any] | None) -> Manifest:
        labels = {"app.kubernetes.io/name": self.at.cluster, "app.kubernetes.io/component": "drills"}
        one = manifest("v1", "ConfigMap", self.ledger, labels=labels, data={_LEDGER: lines})
        if held:  # what was read: another writer in between is refused
            one["metadata"]["resourceVersion"] = held["metadata"]["resourceVersion"]
        return one


def _entries(held: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    return ledger.parsed(str(at(held, "data", _LEDGER) or ""))
