"""Rules about what protects less than before: backups, protection of data, encryption, policies of pods."""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.diff.likeness import identity
from tierstack.diff.marks import EXPOSED
from tierstack.diff.model import Change, Operation, Property, at
from tierstack.diff.noise import STACK
from tierstack.diff.risk import Look, Risk, Rule, becomes, leaves, may_be, removed, replaced, smaller
from tierstack.diff.rules.data import DATABASE, GOES

_WORKLOADS = ("kubernetes:apps/*:*", "kubernetes:batch/*:*", "kubernetes:core/v1:Pod")
_CONTAINER = ("docker:index/container:Container",)
_BACKUP = ("kubernetes:postgresql.cnpg.io/*:ScheduledBackup",)
_NEW_OR_CHANGED = frozenset({Operation.CREATE, Operation.UPDATE, Operation.REPLACE})
_PROTECTION = {"none": 0, "protect": 1, "retain": 2}


def _less_protection(old: Any, new: Any) -> bool:
    before, after = (_PROTECTION.get(str(one), 0) for one in (old, new))
    return after < before


def _of_database(look: Look, _: Sequence[Property]) -> Mapping[str, object]:
    name = look.old("spec cluster name")
    return {"database": name if isinstance(name, str) else "the database"}


def _database_stays(look: Look) -> bool:
    """Whether the database is still there, and nothing else backs it up: without it, nothing is to be backed up."""
    name = look.old("spec cluster name")
    gone = [
        identity(one)[-1] for one in look.plan.changes if one.operation is Operation.DELETE and one.kind == "Cluster"
    ]
    others = [at(one.new, "spec cluster name") for one in look.stays(_BACKUP[0])]
    return name not in others and name not in gone


def _is_backup(change: Change) -> bool:
    """Whether a scheduled job makes backups, by its name: nothing else says so."""
    names = f"{change.type} {change.name} {at(change.state, 'metadata name')}".lower()
    return any(word in names for word in ("backup", "dump", "snapshot", "velero", "k8up", "restic"))


_KEEP_BACKUPS = "Keep them, or make sure that something else backs it up, and that a restore from it works."

RULES = (
    Rule(
        id="backups-end",
        risk=Risk.WEAKENS,
        types=_BACKUP,
        operations=GOES,
        condition=_database_stays,
        facts=_of_database,
        what="is deleted: no backups of {database} are made from now on",
        instead=_KEEP_BACKUPS,
    ),
    Rule(
        id="backups-suspended",
        risk=Risk.WEAKENS,
        types=(*_BACKUP, "kubernetes:batch/*:CronJob"),
        path="spec suspend",
        test=becomes(True),
        what="is suspended: nothing is made until somebody resumes it",
        instead="Write down until when, and watch the age of the last backup.",
    ),
    Rule(
        id="backup-container-removed",
        risk=Risk.WEAKENS,
        types=_CONTAINER,
        operations=GOES,
        condition=lambda look: look.change.component.kind in ("BackupSchedule", "FileBackups", "DatabaseDumps"),
        what="is removed: no backups are made from now on",
        instead=_KEEP_BACKUPS,
    ),
    Rule(
        id="archive-ends",
        risk=Risk.WEAKENS,
        types=DATABASE,
        path=("spec plugins * name", "spec plugins * isWALArchiver", "spec backup barmanObjectStore destinationPath"),
        test=may_be(removed, becomes(False)),
        what="no longer archives its WAL: what is written after the last base backup cannot be restored",
        instead="Keep the archive of the database (`object_storage` and `backups` in a stack).",
    ),
    Rule(
        id="archive-removed",
        risk=Risk.WEAKENS,
        types=("kubernetes:barmancloud.cnpg.io/*:ObjectStore",),
        operations=GOES,
        condition=lambda look: look.created_instead() is None,
        what="is removed: the way to the backups in the bucket, and to what deletes old ones there",
        instead="Keep it as long as the backups in the bucket may be needed.",
    ),
    Rule(
        id="data-protection-lower",
        risk=Risk.WEAKENS,
        types=("kubernetes:*",),
        path="metadata annotations tierstack.dev/data-protection",
        test=_less_protection,
        what="is data, and no longer protected ({old} → {new}): a GitOps tool deletes it once it leaves the files",
        instead="Keep `data_protection: retain` in production.",
    ),
    Rule(
        id="prune-protection-ends",
        risk=Risk.WEAKENS,
        types=("kubernetes:*",),
        path=(
            "metadata annotations kustomize.toolkit.fluxcd.io/prune",
            "metadata annotations helm.sh/resource-policy",
        ),
        test=leaves("disabled", "keep"),
        condition=lambda look: not any("tierstack.dev/data-protection" in one.path for one in look.change.properties),
        what="is deleted by GitOps tools once it leaves the files",
        instead="Keep the annotation on what holds data.",
    ),
    Rule(
        id="protect-ends",
        risk=Risk.WEAKENS,
        types=("*",),
        operations=frozenset({Operation.UPDATE, Operation.SAME}),
        path="options protect",
        test=becomes(False),
        what="is no longer protected: an update that leaves it out deletes it",
        instead="Keep `protect`, and take it away only in the change that deletes the resource.",
    ),
    Rule(
        id="retain-ends",
        risk=Risk.WEAKENS,
        types=("*",),
        operations=frozenset({Operation.UPDATE, Operation.SAME}),
        path="options retainOnDelete",
        test=becomes(False),
        condition=lambda look: not look.plan.files,
        what="is deleted, and no longer only forgotten, when it leaves the stack",
        instead="Keep `retain` for data in production.",
    ),
    Rule(
        id="synchronous-replication-ends",
        risk=Risk.WEAKENS,
        types=DATABASE,
        path=("spec synchronous **", "spec postgresql synchronous **", "spec minSyncReplicas", "spec maxSyncReplicas"),
        test=may_be(removed, smaller),
        what="waits for fewer replicas: a failover may lose the last transactions",
        instead="Keep at least one synchronous replica.",
    ),
    Rule(
        id="database-accepts-plaintext",
        risk=Risk.WEAKENS,
        types=DATABASE,
        path="spec postgresql pg_hba *",
        test=lambda old, new: (
            str(old).startswith("hostnossl") and "reject" in str(old) and not str(new).startswith("hostnossl")
        ),
        what="accepts connections without TLS again",
        instead="Keep `tls: require` once all clients use TLS.",
    ),
    Rule(
        id="superuser-access",
        risk=Risk.WEAKENS,
        types=DATABASE,
        path="spec enableSuperuserAccess",
        test=becomes(True),
        what="lets the superuser log in by a password",
        instead="Use `kubectl cnpg psql` for administration.",
    ),
    Rule(
        id="disruption-budget-removed",
        risk=Risk.WEAKENS,
        types=("kubernetes:policy/*:PodDisruptionBudget",),
        operations=GOES,
        condition=lambda look: look.created_instead() is None and not _component_goes(look),
        what="is deleted: draining a node may stop all its pods at once",
        instead="Keep it for what must stay up.",
    ),
    Rule(
        id="disruption-budget-lower",
        risk=Risk.WEAKENS,
        types=("kubernetes:policy/*:PodDisruptionBudget",),
        path="spec minAvailable",
        test=lambda old, new: smaller(old, new) and new in (0, "0", "0%"),
        what="protects no pod any more: draining a node may stop all of them at once",
        instead="Keep at least one available.",
    ),
    Rule(
        id="job-schedule-ends",
        risk=Risk.WEAKENS,
        types=("kubernetes:batch/*:CronJob", "kubernetes:velero.io/*:Schedule", "kubernetes:k8up.io/*:Schedule"),
        operations=GOES,
        condition=lambda look: look.created_instead() is None and _is_backup(look.change),
        what="is deleted: what it backed up is not backed up any more",
        instead=_KEEP_BACKUPS,
    ),
    Rule(
        id="secret-exposed",
        risk=Risk.WEAKENS,
        types=("*",),
        path="**",
        test=lambda old, new: new is EXPOSED,
        condition=lambda look: look.change.type != STACK,  # its outputs have a rule of their own
        what="is given {key} without the mark of a secret: it stands in plaintext in the state, and in previews",
        instead="Keep it a secret (`pulumi.Output.secret`, `--secret`), unless no secret is in it any more.",
    ),
    Rule(
        id="secret-in-files",
        risk=Risk.WEAKENS,
        types=("kubernetes:core/v1:Secret",),
        operations=frozenset({Operation.CREATE}),
        condition=lambda look: look.plan.files,
        what="is written into the rendered files, and its values can be read there",
        instead="Render an ExternalSecret. With tierstack: `render_to` and `secret_store` of the platform.",
    ),
    Rule(
        id="rights-of-an-administrator",
        risk=Risk.WEAKENS,
        types=("kubernetes:rbac.authorization.k8s.io/*:*RoleBinding",),
        operations=_NEW_OR_CHANGED,
        path="roleRef name",
        test=becomes("cluster-admin", "admin", "edit"),
        what="gives the rights of {new}",
        instead="Name a role that has only the verbs and resources that are needed.",
    ),
    Rule(
        id="rights-to-everything",
        risk=Risk.WEAKENS,
        types=("kubernetes:rbac.authorization.k8s.io/*:*Role",),
        operations=_NEW_OR_CHANGED,
        path=("rules * verbs *", "rules * resources *"),
        test=becomes("*"),
        what="gives a right to everything (`*`)",
        instead="Name the verbs and the resources that are needed.",
    ),
    Rule(
        id="pod-policy-lower",
        risk=Risk.WEAKENS,
        types=("kubernetes:core/v1:Namespace",),
        path="metadata labels pod-security.kubernetes.io/enforce",
        test=leaves("restricted", "baseline"),
        what="lets pods have more rights on the node ({old} → {new})",
        instead="Keep `restricted`, and run what needs more in a namespace of its own.",
    ),
    Rule(
        id="pod-less-confined",
        risk=Risk.WEAKENS,
        types=_WORKLOADS,
        operations=_NEW_OR_CHANGED,
        path=(
            *("** securityContext privileged", "** securityContext allowPrivilegeEscalation", "** hostNetwork"),
            *("** hostPID", "** hostIPC"),
        ),
        test=becomes(True),
        what="runs with more rights on its node",
        instead="Leave it out, or write down beside it why it is needed.",
    ),
    Rule(
        id="pod-less-confined",
        risk=Risk.WEAKENS,
        types=_WORKLOADS,
        path=("** securityContext runAsNonRoot", "** securityContext readOnlyRootFilesystem"),
        test=leaves(True),
        what="is less confined: it may run as root, or write to its image",
        instead="Keep it, and mount a volume where it has to write.",
    ),
    Rule(
        id="host-path-mounted",
        risk=Risk.WEAKENS,
        types=_WORKLOADS,
        operations=_NEW_OR_CHANGED,
        path="** volumes * hostPath path",
        test=lambda old, new: old != new and isinstance(new, str),
        what="sees the node's own files at {new}",
        instead="Use a claim, or a ConfigMap.",
    ),
    Rule(
        id="container-less-confined",
        risk=Risk.WEAKENS,
        types=_CONTAINER,
        operations=_NEW_OR_CHANGED,
        path=("privileged", "networkMode", "pidMode"),
        test=becomes(True, "host"),
        what="runs with more rights on the host",
        instead="Leave it out, or write down beside it why it is needed.",
    ),
    Rule(
        id="docker-socket-mounted",
        risk=Risk.WEAKENS,
        types=_CONTAINER,
        operations=_NEW_OR_CHANGED,
        path=("mounts * source", "volumes * hostPath"),
        test=lambda old, new: old != new and str(new).endswith("docker.sock"),
        what="sees the Docker socket, and so has root on the host",
        instead="Put a proxy before the socket that allows reading only.",
    ),
    Rule(
        id="image-not-pinned",
        risk=Risk.WEAKENS,
        types=(*_WORKLOADS, *_CONTAINER, *DATABASE),
        path=("** image", "** imageName"),
        test=lambda old, new: "sha256:" in str(old) and isinstance(new, str) and "sha256:" not in new,
        what="is no longer pinned by digest: another image may come under the same tag",
        instead="Write the digest after the tag: `image:tag@sha256:…`.",
    ),
    Rule(
        id="header-removed",
        risk=Risk.WEAKENS,
        types=("kubernetes:gateway.networking.k8s.io/*:HTTPRoute",),
        path="spec rules * filters * responseHeaderModifier set * value",
        test=removed,
        what="no longer sends a header that browsers are told to protect users by",
        instead="Keep it (`http.response_headers` of the application).",
    ),
    Rule(
        id="any-protection-off",
        risk=Risk.WEAKENS,
        types=("*",),
        path=tuple(
            f"** {name}"
            for name in (
                *("deletionProtection", "deletionProtectionEnabled", "enableDeletionProtection", "storageEncrypted"),
                *("encrypted", "enableEncryption", "encryptionEnabled", "backupEnabled", "enabledBackup", "multiAz"),
                *(
                    "pointInTimeRecovery",
                    "versioning",
                    "enableVersioning",
                    "sslEnforcement",
                    "requireSsl",
                    "enableHttpsOnly",
                ),
                *(
                    "enableLogging",
                    "auditLogging",
                    "enablePurgeProtection",
                    "highAvailability",
                    "requireTls",
                    "httpsOnly",
                ),
            )
        ),
        test=leaves(True, "Enabled", "enabled"),
        what="switches off {key}",
        instead="Keep it in production.",
    ),
    Rule(
        id="any-kept-shorter",
        risk=Risk.WEAKENS,
        types=("*",),
        path=(
            "** backupRetentionPeriod",
            "** backupRetentionDays",
            "** retentionInDays",
            "** retentionDays",
            "** softDeleteRetentionDays",
        ),
        test=smaller,
        what="keeps backups or logs for a shorter time ({old} → {new} days)",
        instead="Copy what must be kept first.",
    ),
    Rule(
        id="any-tls-older",
        risk=Risk.WEAKENS,
        types=("*",),
        path=(
            "** minTlsVersion",
            "** minimumTlsVersion",
            "** minimumProtocolVersion",
            "** sslPolicy",
            "** minimalTlsVersion",
        ),
        test=lambda old, new: replaced(old, new) and str(new) < str(old),
        what="accepts an older version of TLS ({old} → {new})",
        instead="Keep 1.2 or newer.",
    ),
)


def _component_goes(look: Look) -> bool:
    """Whether the workload that it protects goes as well."""
    name = look.change.component.name
    target = look.change.name.removesuffix("-budget")
    workloads = ("Deployment", "StatefulSet", "Pooler", "Cluster")
    gone = [one for one in look.plan.changes if one.operation is Operation.DELETE and one.kind in workloads]
    return any(one.component.name == name and one.name == target for one in gone)
