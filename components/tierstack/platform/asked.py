"""The names on a host or in a cluster that the components of a program ask for, and what is wrong with them (pure).

Two components that ask for one name would each make or change the object of the other. They are told in one error with
every other name that cannot be had, before anything is registered: see `shared.held`.
"""

import weakref
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any

_SHOWN = 3  # names that an error shows of two components; one is enough to see what is meant


@dataclass(frozen=True)
class PhysicalName:
    """The name of an object outside the program."""

    place: Hashable
    """The host or the cluster: equal for names that exclude each other."""
    kind: str
    """`volume`, `Service`, `Cluster.postgresql.cnpg.io`."""
    name: str
    """With `*` for digits that are known only during the update."""
    namespace: str = ""
    """Of a Kubernetes object."""

    def __str__(self) -> str:
        return f"{self.kind} {self.name}" + (f" in namespace {self.namespace}" if self.namespace else "")


_OF_OPERATOR = ("ServiceAccount", "Role.rbac.authorization.k8s.io", "RoleBinding.rbac.authorization.k8s.io")
"""What CloudNativePG makes under the name of a Cluster, and of a Pooler: the second would change that of the first."""
_NUMBERED = ("Pod", "PersistentVolumeClaim")
"""What it makes under that name and a number."""


def names_of(manifest: Mapping[str, Any], place: Hashable) -> list[PhysicalName]:
    """The names that a Kubernetes object takes in its namespace: its own, and those of what operators make for it."""
    group = str(manifest["apiVersion"]).rpartition("/")[0]
    kind, metadata = manifest["kind"], manifest["metadata"]
    spec: Mapping[str, Any] = manifest.get("spec") or {}
    own = metadata.get("name")
    taken = [(f"{kind}.{group}" if "." in group else kind, own)]
    match (group, kind):
        case ("external-secrets.io", "ExternalSecret"):  # API reference, spec.target.name
            taken.append(("Secret", spec["target"]["name"]))
        case ("cert-manager.io", "Certificate"):  # API reference, spec.secretName
            taken.append(("Secret", spec["secretName"]))
        case ("postgresql.cnpg.io", "Cluster"):  # CloudNativePG, "Service Management"
            taken += [("Service", f"{own}-{role}") for role in ("rw", "ro", "r")]
            taken += [("Secret", f"{own}-{what}") for what in ("ca", "server", "replication")]
            taken += [(of, str(own)) for of in _OF_OPERATOR] + [(of, f"{own}-*") for of in _NUMBERED]
        case ("postgresql.cnpg.io", "Pooler"):  # CloudNativePG, "Connection Pooling"
            taken += [(of, own) for of in ("Service", "Deployment", *_OF_OPERATOR)]
        case ("apps", "StatefulSet"):
            taken.append(("Pod", f"{own}-*"))
        case ("keda.sh", "ScaledObject"):  # KEDA, "Scaling Deployments"
            taken.append(("HorizontalPodAutoscaler", f"keda-hpa-{own}"))
        case _:
            pass
    namespace = metadata.get("namespace", "")
    return [PhysicalName(place, of, name, namespace) for of, name in taken if isinstance(name, str)]


@dataclass
class Asked:
    """What the components of a run have asked for."""

    many_programs: bool = False
    """Whether the run may be that of many programs, one after another, as the mocks of a module of tests are."""
    judged: bool = False
    owners: dict[PhysicalName, tuple[Hashable, str]] = field(default_factory=dict[PhysicalName, tuple[Hashable, str]])
    """Who asked first: its identity, and how errors name it."""
    clashes: dict[tuple[str, str], list[PhysicalName]] = field(
        default_factory=dict[tuple[str, str], list[PhysicalName]]
    )
    refused: list[str] = field(default_factory=list[str])
    """Names that somebody outside the program has, as sentences."""
    wrong: "weakref.ref[BaseException] | None" = None
    """The error that a component raised last."""

    def add(self, name: PhysicalName, owner: Hashable, subject: str) -> None:
        """Ask for `name`; `subject` is how errors name `owner`. The same owner may ask twice."""
        if self.many_programs and self.judged:
            self._forget()
        first, first_subject = self.owners.setdefault(name, (owner, subject))
        if first != owner:
            self.clashes.setdefault((first_subject, subject), []).append(name)

    def _forget(self) -> None:
        self.judged = False
        self.owners.clear()
        self.clashes.clear()
        self.refused.clear()

    def verdict(self) -> str | None:
        """Why nothing can be registered; None where everything can."""
        self.judged = True
        error = self.wrong() if self.wrong else None
        if error is not None and _has_left_the_program(error):
            return str(error)
        found = [*(_clash(*pair, names) for pair, names in self.clashes.items()), *self.refused]
        if len(found) < 2:
            return f"{found[0]} Nothing was changed." if found else None
        return "\n".join([f"{len(found)} problems. Nothing was changed.", *(f"  {one}" for one in found)])


def _clash(first: str, second: str, names: list[PhysicalName]) -> str:
    shown = ", ".join(map(str, names[:_SHOWN]))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (
        f"{first} and {second} use the same names: {shown}{more}. "
        "Give one of them another name: in Pulumi.<stack>.yaml its key or that of a role, in a program its name or "
        "`physical_name`."
    )


def _has_left_the_program(error: BaseException) -> bool:
    """Whether nobody in the program has caught `error`: the last frame that it went through is then the SDK's.

    Where a later SDK has another, what was made before the error is registered as by any program that ends early.
    """
    traceback = error.__traceback__
    module = traceback.tb_frame.f_globals.get("__name__", "") if traceback else ""
    return str(module).startswith("pulumi.")
