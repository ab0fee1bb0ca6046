"""The project that a command works on: its Pulumi.yaml, a stack's configuration, and what its program exports."""

import ast
import copy
import functools
import os
import runpy
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from tierstack.core.before import Before
from tierstack.core.errors import nearest
from tierstack.core.places import path_text
from tierstack.core.written import Written
from tierstack.engine import state_file, yaml_file
from tierstack.engine.project_config import Given, given_to_all
from tierstack.engine.usage import ConfigurationError, LockedError, UnreachableError, UsageError
from tierstack.platform import PlatformKind
from tierstack.stack.namespaces import split
from tierstack.stack.protocol import CheckReport, Configuration, ExportedStack

__all__ = [
    "SECRET",
    "ConfigurationError",
    "LockedError",
    "Project",
    "StackConfig",
    "UnreachableError",
    "UsageError",
    "find",
    "masked",
]

SECRET = "(secret)"
"""What stands for a secret value that only the engine can decrypt."""


@dataclass(frozen=True)
class StackConfig:
    """The configuration of one stack, as it stands in its file."""

    document: dict[str, Any]
    """The whole file."""
    values: dict[str, Any]
    """The keys of the project's namespace, without it; secrets as `SECRET`."""
    secret_keys: frozenset[str]
    """The keys that hold a secret."""
    other_keys: tuple[str, ...] = ()
    """The keys of other namespaces, in full."""
    written: Mapping[str, Written] = field(default_factory=dict[str, Written])
    """Values that are no text to YAML, as they stand in the file, by their paths in `values`."""

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
        return replace(self, values=values)


@dataclass(frozen=True)
class Project:
    """A Pulumi project on the disk."""

    root: Path
    name: str
    main: str | None = None
    """The program, relative to the root: a directory or a file. None: the root itself."""
    python: bool = True
    """Whether the program is written in Python."""
    virtualenv: str | None = None
    """The virtual environment of the program (`runtime.options.virtualenv`), from the root. None: it names none."""
    to_all: Mapping[str, Given] = field(default_factory=dict[str, Given])
    """What Pulumi.yaml gives to each stack that has no value of its own, by the keys as they are written."""
    written: Mapping[tuple[str | int, ...], Written] = field(default_factory=dict[tuple[str | int, ...], Written])
    """Values in Pulumi.yaml that are no text to YAML, as they stand there."""
    config_folder: Path | None = None
    """Where `Pulumi.<stack>.yaml` files are (`stackConfigDir`), relative to the root. None: in the root."""

    def stacks(self) -> list[str]:
        """The stacks that have a configuration file."""
        return sorted(path.name.split(".")[1] for path in self._configs.glob("Pulumi.*.yaml"))

    def config(self, stack: str) -> StackConfig:
        """The configuration of `stack`.

        A plain Pulumi project needs no file: without any, the configuration is empty. Raises UsageError where the file
        is missing beside others, which is most likely a slip of the name, and ConfigurationError where it is not YAML.
        """
        path = self._configs / f"Pulumi.{stack}.yaml"
        if not path.is_file():
            if not self.stacks() and self.exported is None:
                return self._with_those_of_all(StackConfig({}, {}, frozenset()))
            guess = nearest(stack, self.stacks())
            hint = f"did you mean `{guess}`?" if guess else f"there are: {', '.join(self.stacks()) or 'none'}"
            raise UsageError(f"no stack `{stack}`: {path.name} does not exist; {hint}")
        document, plain = yaml_file.read(path)
        if stray := [key for key in document if ":" in key or ("config" not in document and key not in _BESIDE)]:
            shown = ", ".join(f"`{key}`" for key in stray[:3]) + (f" and {len(stray) - 3} more" if stray[3:] else "")
            raise ConfigurationError(
                f"{path.name}: {shown} at the top level of the file; keys belong below `config:`, indented"
            )
        # The engine reads nothing else, and says nothing of a slip. `x-…` holds anchors.
        others_read = {
            key: nearest(key, _BESIDE) for key in document if key not in _BESIDE and not key.startswith("x-")
        }
        if slips := {key: guess for key, guess in others_read.items() if guess}:
            shown = "; ".join(f"`{key}`: did you mean `{guess}`?" for key, guess in slips.items())
            raise ConfigurationError(f"{path.name}: nobody reads a key at the top level of the file: {shown}")
        given: Any = {} if document.get("config") is None else document["config"]
        if not isinstance(given, dict):
            raise ConfigurationError(f"{path.name}: `config` is not a map")
        values: dict[str, Any] = {}
        secret: set[str] = set()
        others: list[str] = []
        spelled: dict[str, str] = {}
        for full, value in ((str(key), value) for key, value in cast(dict[Any, Any], given).items()):
            namespace, key = split(full)
            if namespace not in ("", self.name):
                others.append(full)
                continue
            if key in spelled:
                raise ConfigurationError(
                    f"{path.name}: `{spelled[key]}` and `{full}` are the same key; remove one of them"
                )
            spelled[key] = full
            values[key], hides = masked(value)
            if hides:
                secret.add(key)
        written = {
            path_text((key, *place[2:])): one
            for key, full in spelled.items()
            for place, one in plain.items()
            if place[:2] == ("config", full)
        }
        return self._with_those_of_all(StackConfig(document, values, frozenset(secret), tuple(others), written))

    def _with_those_of_all(self, own: StackConfig) -> StackConfig:
        """The configuration of a stack with what Pulumi.yaml gives to all: a key of its own replaces it whole."""
        values, secret, written, others = dict(own.values), set(own.secret_keys), dict(own.written), [*own.other_keys]
        for full, given in self.to_all.items():
            namespace, key = split(full)
            if namespace not in ("", self.name):
                others += [full] if full not in others else []
            elif key not in values:
                values[key] = SECRET if given.secret else given.value
                if given.secret:
                    secret.add(key)
                depth = len(given.place)
                for place, one in self.written.items():
                    if place[:depth] == given.place:
                        written[path_text((key, *place[depth:]))] = one
        return replace(own, values=values, secret_keys=frozenset(secret), other_keys=tuple(others), written=written)

    @property
    def _configs(self) -> Path:
        return self.root / self.config_folder if self.config_folder else self.root

    @functools.cached_property
    def exported(self) -> ExportedStack | None:
        """The stack that the program exports, as `tierstack.stack.protocol` describes it; None where it exports none.

        Only a program that says so is loaded: any other one may do anything when it runs. Raises UsageError where
        loading it fails.
        """
        if not self.python:
            return None
        folder = self.root / (self.main or "")
        file = folder / "__main__.py" if folder.is_dir() else folder
        if not file.is_file() or not _says_that_it_exports(file.read_text()):
            return None
        try:
            found = runpy.run_path(str(folder), run_name="tierstack_program").get("stack")
        except Exception as error:
            raise UsageError(
                f"{os.path.relpath(file)} cannot be loaded: {type(error).__name__}: {error}. Run the command in the "
                "program's own Python environment, and build resources only where `__name__` is `__main__`"
            ) from None
        return cast(ExportedStack, found) if callable(getattr(found, "check", None)) else None

    def check(self, stack: str, config: StackConfig, before: Before | None = None) -> CheckReport:
        """What the stack that the program exports says of a configuration. Raises UsageError where there is none.

        `before`: what the stack has made. None: as far as that can be read without the engine."""
        exported = self.exported
        if exported is None:
            raise UsageError(
                f"the program of {self.name} exports no stack, so there is no configuration to check. Export one: "
                "`from tierstack.stack import Stack`, `stack = Stack()` in its main file (docs/cli.md, Your own "
                "program). `preview`, `up`, `render`, `status` and `down` work without"
            )
        made = Before(state_file.resources(self.root, self.name, stack)) if before is None else before
        return exported.check(
            Configuration(
                config.values,
                config.secret_keys,
                stack,
                self.name,
                self.root,
                config.other_keys,
                config.written,
                made,
            )
        )


_BESIDE = frozenset({"config", "encryptionsalt", "encryptedkey", "secretsprovider", "environment"})
"""What the engine reads at the top level of a stack's file."""
_FILES = ("Pulumi.yaml", "Pulumi.yml")


def find(folder: Path) -> Project:
    """The project that `folder` is in. Raises UsageError where there is none."""
    start = folder.resolve()
    for candidate in (start, *start.parents):
        for path in (candidate / name for name in _FILES):
            if path.is_file():
                return _read(path)
    raise UsageError(f"no Pulumi.yaml in {start} or above it; name a project with -C")


def _read(path: Path) -> Project:
    document, written = yaml_file.read(path, "write at least `name` and `runtime`")
    runtime: Any = document.get("runtime")
    settings = cast(dict[str, Any], runtime) if isinstance(runtime, dict) else {"name": runtime}
    options: Any = settings.get("options")
    virtualenv = cast(dict[str, Any], options).get("virtualenv") if isinstance(options, dict) else None
    folder = document.get("stackConfigDir") or document.get("config")
    return Project(
        root=path.parent,
        name=str(document.get("name", path.parent.name)),
        main=document.get("main"),
        python=settings.get("name") == "python",
        virtualenv=virtualenv if isinstance(virtualenv, str) else None,
        to_all=given_to_all(document, path.name),
        written=written,
        config_folder=Path(folder) if isinstance(folder, str) else None,
    )


def _says_that_it_exports(source: str) -> bool:
    """Whether a program imports `tierstack.stack`, and binds `stack` at its top level."""
    try:
        lines = ast.parse(source).body
    except SyntaxError:
        return False  # the engine says where
    imported = any(
        (isinstance(one, ast.ImportFrom) and (one.module or "").split(".")[:2] == ["tierstack", "stack"])
        or (isinstance(one, ast.Import) and any(name.name.startswith("tierstack.stack") for name in one.names))
        for one in lines
    )
    targets = [target for one in lines if isinstance(one, ast.Assign) for target in one.targets]
    targets += [one.target for one in lines if isinstance(one, ast.AnnAssign)]
    return imported and any(isinstance(one, ast.Name) and one.id == "stack" for one in targets)


def masked(value: Any) -> tuple[Any, bool]:
    """`value` with every encrypted part masked, and whether there was one."""
    if isinstance(value, dict):
        if set(cast(dict[str, Any], value)) == {"secure"}:
            return SECRET, True
        parts = {key: masked(one) for key, one in cast(dict[str, Any], value).items()}
        return {key: one for key, (one, _) in parts.items()}, any(hides for _, hides in parts.values())
    if isinstance(value, list):
        items = [masked(one) for one in cast(list[Any], value)]
        return [one for one, _ in items], any(hides for _, hides in items)
    return value, False
