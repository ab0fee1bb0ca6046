"""Modules that the command runs only when something of them is used, so that an answer without an engine comes at once.

`tierstack check` needs the arguments of every component and none of what builds it. Yet a package's `__init__` has the
component, which needs Pulumi, its providers and gRPC: three quarters of the time. Only the command does this; programs
import everything as ever.
"""

import importlib
import importlib.util
import sys
import threading
from collections.abc import Awaitable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Union

if TYPE_CHECKING:
    from importlib.abc import Loader, MetaPathFinder
else:
    Loader = MetaPathFinder = object  # these classes need not be the bases, and bring along what handles archives

T = TypeVar("T")

PACKAGES = frozenset(f"tierstack.{file.parent.name}" for file in Path(__file__).parents[1].glob("*/args.py"))
"""Packages with a component in their `__init__`: those that have its arguments."""
LIBRARIES = frozenset(
    {"importlib.metadata", "pulumi", "dns.resolver", "tierstack.platform.claim", "tierstack.platform.ready"}
)
"""What takes long to import, and is asked for by modules that mostly do without."""


class Output(Generic[T]):
    """In annotations, `pulumi.Output` while nothing has needed Pulumi itself: no value is of this type."""


class Resource:
    """The same of `pulumi.Resource`."""


class RunError(Exception):
    """What `ArgumentError` is derived from, in place of `pulumi.RunError`: only the engine cares for the difference."""


Input = Union[T, Awaitable[T], Output[T]]  # noqa: UP007
"""The same as `Output` of `pulumi.Input`."""


def version(package: str) -> str:
    """`importlib.metadata.version`, which needs the parsers of mails and archives, for the one package that dnspython
    asks for whenever it is imported; of any other package the module itself tells."""
    if package == "idna":
        import idna

        return idna.__version__
    return importlib.import_module("importlib.metadata").distribution(package).version


STAND_INS: dict[str, dict[str, Any]] = {
    "importlib.metadata": {"version": version},
    "pulumi": {"Input": Input, "Output": Output, "Resource": Resource, "RunError": RunError},
}
"""What is used of a library by what only loads it, and what stands there until the library runs."""

_PATH = "_path_of_deferred"
_running = threading.RLock()


class _Deferred(ModuleType):
    """A module that has not run: the first attribute that it lacks runs it."""

    def __getattr__(self, name: str) -> Any:
        path = self.__dict__.get(_PATH)
        if name.startswith("__") and not (name == "__path__" and path is not None):  # the import system asks for these
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        if self.__name__ in PACKAGES and (spec := importlib.util.find_spec(f"{self.__name__}.{name}")):
            return importlib.import_module(spec.name)
        with _running:
            if type(self) is _Deferred:
                object.__setattr__(self, "__class__", ModuleType)  # before it runs: it may import what imports it
                for stand_in in STAND_INS.get(self.__name__, ()):
                    delattr(self, stand_in)
                if path is not None:
                    self.__path__ = path
                loader: Any = self.__loader__
                loader.loader.exec_module(self)
        return getattr(self, name)


class _Deferring(Loader):
    """Makes a module without running it."""

    def __init__(self, loader: Loader) -> None:
        self.loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__.update(STAND_INS.get(module.__name__, {}))
        if module.__name__ in LIBRARIES and hasattr(module, "__path__"):
            # A library's own modules rely on its `__init__`: whoever imports one asks for this first.
            module.__dict__[_PATH] = module.__dict__.pop("__path__")
        module.__class__ = _Deferred


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in PACKAGES and fullname not in LIBRARIES:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec and spec.loader:
            spec.loader = _Deferring(spec.loader)
        return spec


def install() -> None:
    """From now on the packages above are imported without being run."""
    sys.meta_path.insert(0, _Finder())
