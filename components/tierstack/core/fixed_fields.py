"""The fields that a cluster never changes once an object exists, and the sizes that only grow. Pure.

One table for whoever compares two states: `tierstack render` with two folders, `tierstack diff` with two plans.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tierstack.core.quantities import quantity

Path = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class FixedFields:
    """What cannot change in objects of one kind. Paths are below `spec`."""

    rule: str
    """What begins the ids of the rules about it: `claim-fixed`, `claim-shrinks`."""
    group: str
    """API group, without version. Empty: the core group."""
    kind: str
    fixed: tuple[Path, ...]
    """The fields, each with all that is below it."""
    instead: str
    """What to do, as a sentence."""
    delete: str = ""
    """What `kubectl delete` is given, before the name, where the object may go first without loss of data. Empty: it
    may not."""
    defaults: Mapping[Path, object] = field(default_factory=dict[Path, object])
    """What the API server writes where a manifest says nothing: to write it out is no change."""
    growing: Mapping[str, Path] = field(default_factory=dict[str, Path])
    """Sizes that may become larger and never smaller, by what tells their rules apart: `claim-shrinks` for an empty
    one, `database-wal-shrinks` for `wal`."""
    keep_size: str = ""
    """What to do where one would shrink, as a sentence."""

    def is_changed(self, path: Path, old: object, new: object) -> bool:
        """Whether a fixed field has another value; None stands for one that is not written."""
        default = self.defaults.get(path)
        return (default if old is None else old) != (default if new is None else new)


def shrinks(old: Any, new: Any) -> bool:
    """Whether an amount is smaller than before; one that is no longer written is smaller than any."""
    before, after = quantity(old), quantity(new)
    return before is not None and ((after is not None and after < before) or new is None)


# Kubernetes: "Persistent Volumes", "StatefulSet Basics" and the validation of each kind; CloudNativePG: "Storage".
FIXED_FIELDS = (
    FixedFields(
        rule="claim",
        group="",
        kind="PersistentVolumeClaim",
        fixed=(("storageClassName",), ("accessModes",), ("volumeMode",)),
        defaults={("volumeMode",): "Filesystem"},
        instead="Move the data to a new claim.",
        growing={"": ("resources", "requests", "storage")},
        keep_size="Keep the size, or copy the files to a new claim.",
    ),
    FixedFields(
        rule="statefulset",
        group="apps",
        kind="StatefulSet",
        fixed=(("serviceName",), ("selector",), ("podManagementPolicy",), ("volumeClaimTemplates",)),
        defaults={("podManagementPolicy",): "OrderedReady"},
        instead="Delete it with `--cascade=orphan` first: its pods go on running, and the new one takes them over.",
        delete="statefulset --cascade=orphan",
    ),
    FixedFields(
        rule="deployment",
        group="apps",
        kind="Deployment",
        fixed=(("selector",),),
        instead="Take the change back, or delete the object first: its pods stop until the new one starts its own.",
        delete="deployment",
    ),
    FixedFields(
        rule="job",
        group="batch",
        kind="Job",
        fixed=(("template",), ("selector",), ("completions",)),
        defaults={("completions",): 1},
        instead="Delete it first: the new one runs again. Argo CD does that by itself where the Job is a hook.",
        delete="job",
    ),
    FixedFields(
        rule="database",
        group="postgresql.cnpg.io",
        kind="Cluster",
        fixed=(("storage", "storageClass"), ("walStorage", "storageClass")),
        instead="Restore a backup into a new database.",
        growing={"": ("storage", "size"), "wal": ("walStorage", "size")},
        keep_size="Keep the size. To go back, restore a backup into a new database with smaller volumes, and switch "
        "over.",
    ),
    FixedFields(
        rule="pooler",
        group="postgresql.cnpg.io",
        kind="Pooler",
        fixed=(("cluster", "name"), ("type",)),
        defaults={("type",): "rw"},
        instead="Take the change back, or delete the object first: connections through it end.",
        delete="pooler.postgresql.cnpg.io",
    ),
)
