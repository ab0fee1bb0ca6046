"""Rules about what the cluster will refuse: fields that are fixed, and volumes that would shrink."""

from tierstack.diff.model import Operation
from tierstack.diff.risk import Risk, Rule, smaller
from tierstack.diff.rules.data import DATABASE

_UPDATED = frozenset({Operation.UPDATE})


def _shrinks(id_: str, types: tuple[str, ...], path: str, instead: str) -> Rule:
    return Rule(
        id=id_,
        risk=Risk.REFUSED,
        types=types,
        operations=_UPDATED,
        path=path,
        test=smaller,
        what="would shrink: volumes grow, and never shrink",
        instead=instead,
    )


def _fixed(id_: str, kind: str, path: str, instead: str) -> Rule:
    # The engine knows these fields, and would replace the object; a GitOps tool applies the file, and fails.
    return Rule(
        id=id_,
        risk=Risk.REFUSED,
        types=(f"kubernetes:*:{kind}",),
        operations=_UPDATED | {Operation.REPLACE},
        path=path,
        what="changes a field that is fixed once the object exists",
        instead=instead,
        condition=lambda look: look.plan.files and look.old("metadata name") == look.new("metadata name"),
    )


_MOVE = "Keep the size. To go back, restore a backup into a new database with smaller volumes, and switch over."
_ORPHAN = "Delete it with `--cascade=orphan` first: its pods go on running, and the new one takes them over."
_DELETE_JOB = "Run `kubectl delete job` on it first. Argo CD does that by itself where the Job is a hook."
_AGAIN = "Take the change back, or delete the object first."

# Kubernetes: "Persistent Volumes", "StatefulSet Basics" and the validation of each kind; CloudNativePG: "Storage".
RULES = (
    _shrinks("database-shrinks", DATABASE, "spec storage size", _MOVE),
    _shrinks("database-wal-shrinks", DATABASE, "spec walStorage size", _MOVE),
    _shrinks(
        "claim-shrinks",
        ("kubernetes:core/v1:PersistentVolumeClaim",),
        "spec resources requests storage",
        "Keep the size, or copy the files to a new claim.",
    ),
    _fixed("claim-fixed", "PersistentVolumeClaim", "spec storageClassName", "Move the data to a new claim."),
    _fixed("claim-fixed", "PersistentVolumeClaim", "spec accessModes **", "Move the data to a new claim."),
    _fixed("statefulset-fixed", "StatefulSet", "spec serviceName", _ORPHAN),
    _fixed("statefulset-fixed", "StatefulSet", "spec selector **", _ORPHAN),
    _fixed("statefulset-fixed", "StatefulSet", "spec podManagementPolicy", _ORPHAN),
    _fixed("statefulset-fixed", "StatefulSet", "spec volumeClaimTemplates **", _ORPHAN),
    _fixed("deployment-fixed", "Deployment", "spec selector **", _AGAIN),
    _fixed("job-fixed", "Job", "spec template **", _DELETE_JOB),
    _fixed("database-fixed", "Cluster", "spec storage storageClass", "Restore a backup into a new database."),
    _fixed("database-fixed", "Cluster", "spec walStorage storageClass", "Restore a backup into a new database."),
    _fixed("pooler-fixed", "Pooler", "spec cluster name", _AGAIN),
)
