"""A plan as data: what changes, in which properties, and of which component it is a part."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, cast

from tierstack.diff.marks import ABSENT
from tierstack.diff.texts import Text


class Operation(StrEnum):
    """What an update does to a resource."""

    CREATE = "create"
    IMPORT = "import"
    UPDATE = "update"
    REPLACE = "replace"
    DELETE = "delete"
    SAME = "same"


class Item(str):
    """A step of a path into a list: the element's name where it has one, else its position."""

    __slots__ = ()


Path = tuple[str, ...]
"""The way to a property: keys of maps, and `Item` for elements of lists."""


@dataclass(frozen=True)
class Component:
    """What a resource is a part of, as the program calls it."""

    name: str
    kind: str = ""
    """`AppCluster`; empty where it is known by its name only."""


@dataclass(frozen=True)
class Property:
    """One property that changes, as deep inside as the change is."""

    path: Path
    old: Any = ABSENT
    new: Any = ABSENT
    replaces: bool = False
    """Whether the provider replaces the resource because of it."""
    lines: tuple[str, ...] = ()
    """Of a text of several lines: those that change, each after `-` or `+`."""
    hidden: bool = False
    """Whether it is inside of a list or map that is secret as a whole, so that nothing is known of it but its path."""
    derived: bool = False
    """Whether it only follows from other changes: left out where there are others."""


@dataclass(frozen=True)
class Change:
    """What happens to one resource."""

    operation: Operation
    type: str
    """The type token: `kubernetes:apps/v1:Deployment`, `docker:index/container:Container`."""
    name: str
    component: Component
    old: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Its inputs before. Empty: it is new."""
    new: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Its inputs afterwards, secrets and unknown values marked. Empty: it goes."""
    properties: tuple[Property, ...] = ()
    """Of what is updated or replaced: what changes."""
    reasons: tuple[str, ...] = ()
    """Of what is replaced: the properties that the provider names, which the plan may not show."""
    previous: str = ""
    """The name of the resource that it takes the place of, where names carry a version."""
    protected: bool = False
    """Whether the engine refuses to delete it."""
    retained: bool = False
    """Whether the thing itself stays when the engine forgets it."""
    stops_first: bool | None = None
    """Of what is replaced: whether the old one goes before the new one is there. None: the plan does not say."""

    @property
    def kind(self) -> str:
        """The last part of the type: `Deployment`."""
        return self.type.rpartition(":")[2]

    @property
    def state(self) -> Mapping[str, Any]:
        """Its inputs afterwards, or before where it goes."""
        return self.new or self.old


@dataclass(frozen=True)
class Plan:
    """What an update would do."""

    changes: tuple[Change, ...]
    unchanged: tuple[Change, ...] = ()
    """The resources that stay as they are, where the plan lists them."""
    unchanged_count: int = 0
    complete: bool = False
    """Whether every resource that stays is in `unchanged`, so that sums are those of the whole stack."""
    project: str = ""
    stack: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict[str, int])
    """What is no change to a reader, and how often."""
    errors: tuple[str, ...] = ()
    """Why the preview failed. Empty: it succeeded."""
    warnings: tuple[str, ...] = ()
    notes: tuple[Text, ...] = ()
    """What a reader must know of how the plan was made."""
    beside: tuple[Change, ...] = ()
    """What changes and is no resource of the program: outputs of the stack, versions of providers that the engine makes
    itself. Not counted."""
    readers: tuple[str, ...] = ()
    """Other stacks that are known to read the outputs of this one."""
    has_outputs: bool = True
    """Whether it says what becomes of the outputs of the stack."""
    tier: tuple[str, str] | None = None
    """The size of the stack before and afterwards, where it changes."""
    files: bool = False
    """Whether it compares rendered manifests, which a GitOps tool applies."""


_STORES = ("Cluster", "Namespace", "PersistentVolumeClaim", "StatefulSet", "Volume")


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Changes by component and name, what holds data first: the engine's order is another one in each run."""

    def place(one: Change) -> tuple[bool, str, int, str, str]:
        rank = _STORES.index(one.kind) if one.kind in _STORES else len(_STORES)
        return not one.component.name, one.component.name, rank, one.name, one.type

    return tuple(sorted(changes, key=place))


def at(state: Mapping[str, Any], pattern: str) -> Any:
    """The value at a path of keys, `spec strategy type`; ABSENT where there is none."""
    value: Any = state
    for key in pattern.split():
        value = cast(Mapping[str, Any], value).get(key, ABSENT) if isinstance(value, Mapping) else ABSENT
    return value


def mapping(value: Any) -> Mapping[str, Any]:
    """A map; an empty one in the place of anything else."""
    return cast(Mapping[str, Any], value) if isinstance(value, Mapping) else {}


def elements(value: Any) -> list[Any]:
    """The elements of a list; none of anything else."""
    return cast(list[Any], value) if isinstance(value, list) else []


def shown_path(path: Path) -> str:
    """`spec.template.spec.containers[web].image`."""
    parts: list[str] = []
    for step in path:
        if isinstance(step, Item):
            parts.append(f"[{step}]")
        elif step.replace("-", "").replace("_", "").replace("$", "").isalnum():
            parts.append(f".{step}")
        else:
            parts.append(f'["{step}"]')
    return "".join(parts).removeprefix(".")
