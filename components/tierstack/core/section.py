"""What a component tells a stack about itself, once: a stack is a loop over these declarations.

Each component's package has a module `section` with its `SECTION`; `tierstack.stack.sections` lists them. What a
component is handed by others (which link goes into which argument) is code of the stack: `tierstack.stack.wiring`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from tierstack.core.before import Before
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.memory import Reserved

A = TypeVar("A")


@dataclass(frozen=True)
class Node:
    """One box of a picture: something that runs, once or several times."""

    id: str
    title: str
    detail: str
    kind: str
    """`outside`, `proxy`, `app`, `data` or `backup`."""
    column: int
    """From left to right, in the direction of a request."""
    count: int = 1


@dataclass(frozen=True)
class Edge:
    """Who calls whom."""

    source: str
    target: str
    label: str = ""


@dataclass(frozen=True)
class Drawing:
    """Boxes and arrows of one component."""

    nodes: Sequence[Node] = ()
    edges: Sequence[Edge] = ()


@dataclass(frozen=True)
class Surroundings:
    """What is around a component in the picture of a stack."""

    hostnames: Sequence[str]
    """The first name of each of the stack's applications."""
    box: Callable[[str], str]
    """The id of one of the component's own boxes, by its name."""
    linked: Callable[[str], Sequence[str]]
    """The ids of the boxes that answer at a link which the component is given: of `database`, or of
    `database.direct`. Empty: it is given none."""

    def edges(self, source: str, link: str, label: str = "") -> list[Edge]:
        """Arrows from the component's box `source` to what answers at `link`."""
        return [Edge(self.box(source), target, label) for target in self.linked(link)]


class Presence(Enum):
    """Whether a stack has the component where the settings do not name it."""

    REQUIRED = "required"
    """The settings must name it."""
    DEFAULT = "default"
    """It has it, with its defaults."""
    OPTIONAL = "optional"
    """It has none."""


@dataclass(frozen=True, kw_only=True)
class ImageKey:
    """A key of `images`, and the arguments that it gives."""

    key: str
    text: str
    """What the image must be."""
    docker: str | None = None
    """The argument on a Docker host. None: there it gives none."""
    kubernetes: str | None = None
    """The argument on Kubernetes. None: there it gives none."""
    required: bool = False
    otherwise: str | None = None
    """The key whose image is used where this one is left out. None: the argument is left out, too."""
    only: tuple[str, object] | None = None
    """A key of the section, and the value with which the image counts: `("engine", DatabaseEngine.MYSQL)`. A key of the
    component that this one is there for (`per`) stands after its section: `database.engine`. None: with every
    value."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Section(Generic[A]):
    """A component as a part of stacks."""

    key: str
    """Its key in the settings: `app`."""
    text: str
    """What it is, for the reference of the settings: one sentence."""
    args: type[A]
    """Its arguments, which the keys of the section are made from."""
    component: str
    """Its class, `package:name`, which is imported only where it is made."""
    name: str
    """Name of the component in the program where there is one, of which names of resources are made."""
    several: str | None = None
    """The key by which a stack has several of them, a map from their names: `apps`. None: it has one at most."""
    longest_name: int = 63
    """Characters that the name of one of several may have, on either platform."""
    per: str | None = None
    """The key of another section: there is one of these for each of those. None: there is one."""
    presence: Presence = Presence.DEFAULT
    only: str | None = None
    """The one kind of platform that it is for: `docker` or `kubernetes`. None: for both."""
    wired: Sequence[str] = ()
    """Arguments that the program gives, so that the settings have no key for them: `database`, `archive.store`.
    Images, `platform`, `tier` and `physical_name` are not listed."""
    own: type[Any] | None = None
    """A dataclass of keys that the settings have beside the arguments, or in the place of a wired one."""
    texts: Mapping[str, str] = field(default_factory=dict[str, str])
    """Texts of keys where that of the argument does not fit a stack."""
    images: Sequence[ImageKey] = ()
    given_by: Mapping[str, str] = field(default_factory=dict[str, str])
    """Arguments that a key of another section gives, with that key: where their problems are told."""
    link: str | None = None
    """The attribute of the component that it hands to others. None: it hands out nothing."""
    placeholder: Callable[[A], object] | None = None
    """What it hands to others, in its shape, where nothing is made. None: nothing stands for it."""
    reserved: Callable[[A], list[Reserved]] | None = None
    """The memory of its containers on a Docker host. None: it has none."""
    largest: Callable[[A], tuple[str, str]] | None = None
    """The argument that its memory on a Docker host depends on most, and its value. None: no argument stands out."""
    needs: Callable[[A], Sequence[str]] | None = None
    """Operators that must be in the cluster, by their names in the catalog of ClusterAddons. None: it needs none."""
    drawing: Callable[[A, Surroundings], Drawing] | None = None
    """Its boxes in a picture, and the arrows from them. None: it is not drawn."""
    changes: Callable[[A, str, Before], list[Diagnostic]] | None = None
    """What is wrong with the change from what the component of a name made. None: it may become anything."""
    ends: Mapping[str, str] = field(default_factory=dict[str, str])
    """Which of its boxes answers: at its link (key ``), or at a part of it (`direct`)."""
