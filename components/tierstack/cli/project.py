"""The project that a command works on: its Pulumi.yaml, the configuration of a stack, and its program's own check."""

import copy
import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, cast

import typer
import yaml

from tierstack.cluster_addons.required import Needs
from tierstack.errors import Problem, nearest
from tierstack.platform import Platform, PlatformKind
from tierstack.tier import Limit

SECRET = "(secret)"
"""What stands for a secret value that only the engine can decrypt."""

Stack = Annotated[str, typer.Option("--stack", "-s", help="Name of the stack: the part of Pulumi.NAME.yaml.")]
Folder = Annotated[Path, typer.Option("--cwd", "-C", help="A directory in the project.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on standard output, for machines.")]


class UsageError(Exception):
    """The command cannot be carried out as it was given."""

    code = 2
    """Exit code."""


class LockedError(UsageError):
    """Another run holds the stack."""

    code = 1


class Verdict(Protocol):
    """What the program's own check says of a configuration."""

    problems: list[Problem]
    advice: list[str]
    capacity: list[Limit]
    notes: list[str]

    @property
    def platform(self) -> Platform | None: ...
    @property
    def needs(self) -> Needs | None: ...
    def topology(self) -> Any: ...
    def warnings(self) -> list[dict[str, str]]: ...


@dataclass(frozen=True)
class StackConfig:
    """The configuration of one stack, as it stands in its file."""

    document: dict[str, Any]
    """The whole file."""
    values: dict[str, Any]
    """The keys of the project's namespace, without it; secrets as `SECRET`."""
    secret_keys: frozenset[str]
    """The keys that hold a secret."""

    def on(self, kind: PlatformKind, render_to: str | None) -> "StackConfig":
        """The same configuration on another kind of platform; with `render_to`, written to files."""
        values = copy.deepcopy(self.values)
        places = [values.setdefault("platform", {})]
        places += [values[one].get("platform") for one in ("docker", "kubernetes") if isinstance(values.get(one), dict)]
        for place in places:
            if isinstance(place, dict):
                place.pop("kind", None)  # pyright: ignore[reportUnknownMemberType]
                place.pop("render_to", None)  # pyright: ignore[reportUnknownMemberType]
        if isinstance(values["platform"], dict):
            values["platform"] |= {"kind": kind.value, **({"render_to": render_to} if render_to else {})}
        return StackConfig(self.document, values, self.secret_keys)


@dataclass(frozen=True)
class Project:
    """A Pulumi project on the disk."""

    root: Path
    name: str
    main: str | None

    def stacks(self) -> list[str]:
        """The stacks that have a configuration file."""
        return sorted(path.name.split(".")[1] for path in self.root.glob("Pulumi.*.yaml"))

    def config(self, stack: str) -> StackConfig:
        """The configuration of `stack`. Raises UsageError where there is no such file or it is not YAML."""
        path = self.root / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            guess = nearest(stack, self.stacks())
            hint = f"did you mean `{guess}`?" if guess else f"there are: {', '.join(self.stacks()) or 'none'}"
            raise UsageError(f"no stack `{stack}`: {path.name} does not exist; {hint}")
        try:
            document: Any = yaml.safe_load(path.read_text()) or {}
        except yaml.YAMLError as error:
            raise UsageError(f"{path.name} is not YAML: {error}") from None
        given: Any = cast(dict[str, Any], document).get("config") or {} if isinstance(document, dict) else None
        if not isinstance(given, dict):
            raise UsageError(f"{path.name}: `config` is not a map")
        values: dict[str, Any] = {}
        secret: set[str] = set()
        for full, value in cast(dict[str, Any], given).items():
            namespace, _, key = full.rpartition(":")
            if namespace in ("", self.name):
                values[key], hides = _masked(value)
                if hides:
                    secret.add(key)
        return StackConfig(cast(dict[str, Any], document), values, frozenset(secret))

    def judge(self, stack: str, config: StackConfig) -> Verdict:
        """What the program's `check.py` says of a configuration."""
        judge = self._check().judge
        return cast(Verdict, judge(config.values, config.secret_keys, stack, self.name))

    def _check(self) -> Any:
        package = (self.main or "").strip("./").replace("/", ".")
        if not package or not (self.root / package.replace(".", "/") / "check.py").is_file():
            raise UsageError(
                f"the program of {self.name} has no check.py, which judges a configuration; `pulumi preview` works"
            )
        if str(self.root) not in sys.path:
            sys.path.insert(0, str(self.root))
        return importlib.import_module(f"{package}.check")


def find(folder: Path) -> Project:
    """The project that `folder` is in. Raises UsageError where there is none."""
    start = folder.resolve()
    for candidate in (start, *start.parents):
        path = candidate / "Pulumi.yaml"
        if path.is_file():
            document: Mapping[str, Any] = yaml.safe_load(path.read_text()) or {}
            return Project(candidate, str(document.get("name", candidate.name)), document.get("main"))
    raise UsageError(f"no Pulumi.yaml in {start} or above it; name a project with -C")


def _masked(value: Any) -> tuple[Any, bool]:
    """`value` with every encrypted part masked, and whether there was one."""
    if isinstance(value, dict):
        if set(cast(dict[str, Any], value)) == {"secure"}:
            return SECRET, True
        parts = {key: _masked(one) for key, one in cast(dict[str, Any], value).items()}
        return {key: one for key, (one, _) in parts.items()}, any(hides for _, hides in parts.values())
    if isinstance(value, list):
        items = [_masked(one) for one in cast(list[Any], value)]
        return [one for one, _ in items], any(hides for _, hides in items)
    return value, False
