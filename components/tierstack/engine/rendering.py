"""Manifests of a stack in a directory, made by the engine on a backend that is thrown away."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import yaml

from tierstack.engine import manifests
from tierstack.engine.aim import Aim
from tierstack.engine.output import work_directory
from tierstack.engine.project import Project, StackConfig, UsageError
from tierstack.engine.run import Engine, RunFailedError, engine
from tierstack.platform import RENDER_TO, PlatformKind

_STATE_ONLY = ("pulumi:pulumi:", "pulumi:providers:", "random:", "tls:")
"""Types of resources that exist in the state only: making them on a backend that is thrown away changes nothing."""
_DNS = "pulumi-python:dynamic/tierstack:"
"""Records and keys of DNSRecords: in the state only as well, unless they are published."""
_SETTING = "kubernetes:renderYamlToDirectory"


@dataclass(frozen=True)
class Rendering:
    """A folder of manifests, and what differs from the one before it."""

    folder: Path
    count: int
    """Manifests in it."""
    kept: list[str]
    """Objects with data whose manifests the configuration no longer makes, and which stay in the folder."""
    gone: list[str]
    """Those that left it, by `--delete-data`."""
    refused: list[str]
    """Changes that the cluster will refuse, with what to do."""
    before: list[str]
    """What to run before the folder is applied."""

    @property
    def shown(self) -> str:
        """The folder as a reader would write it."""
        return _shown(self.folder)


def rendered(
    project: Project, stack: str, found: Aim, output: Path | None = None, *, delete_data: bool = False
) -> Rendering:
    """Render into a new directory and put it in the place of the old one.

    Raises UsageError where the directory holds other files or cannot be written, or the program makes what cannot be
    rendered, LockedError where another run is writing it, and RunFailedError where the engine fails.
    """
    final = (output or project.root / "rendered" / stack).resolve()
    if final.is_file():
        raise UsageError(f"{final} is a file; name a directory with --output")
    if final.exists() and not _is_ours(final):
        raise UsageError(f"{final} holds other files than rendered manifests; name an empty directory with --output")
    with work_directory(final) as fresh:
        _write(project, stack, found, fresh)
        if plaintext := _plaintext_secrets(fresh):
            raise RunFailedError([f"not written: Secrets would be in plaintext: {', '.join(plaintext)}"])
        made = _arranged(fresh, final, delete_data=delete_data)
        _swap(fresh, final)
    return made


def _write(project: Project, stack: str, found: Aim, folder: Path) -> None:
    if found.report:
        config, environment = found.config.on(PlatformKind.KUBERNETES, str(folder)), None
    else:
        config, environment = to_files(found.config, folder), {RENDER_TO: str(folder)}
    with engine(project, stack, config, throwaway=True, environment=environment) as pulumi:
        pulumi.create_stack()
        if not found.report:
            refuse_real(project, pulumi, folder)
        folder.parent.mkdir(parents=True, exist_ok=True)
        flags = ("--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress")
        outcome = pulumi.run("up", *flags, quiet=True)
    if not outcome.ok:
        raise RunFailedError(outcome.messages)


def to_files(config: StackConfig, folder: Path) -> StackConfig:
    """`config` with the default Kubernetes provider writing manifests."""
    given = cast(dict[str, Any], config.document.get("config") or {})
    return replace(config, document={**config.document, "config": {**given, _SETTING: str(folder)}})


def refuse_real(project: Project, pulumi: Engine, folder: Path) -> None:
    """Raise UsageError where an update of a plain program would make anything but manifests: it would be real."""
    planned = pulumi.run("preview", "--suppress-outputs", "--suppress-progress", quiet=True)
    real = real_resources(planned.resources, str(folder))
    if real:
        shown = "".join(f"\n  {one}" for one in real[:10]) + (f"\n  and {len(real) - 10} more" if real[10:] else "")
        raise UsageError(
            f"the program of {project.name} makes resources that are no manifests, so nothing was rendered:{shown}\n"
            "`render` writes Kubernetes manifests only. Give components a `Kubernetes(…)` platform, leave a Kubernetes "
            f"provider of your own out where {RENDER_TO} is set, and make everything else in another project"
        )
    if not planned.ok:  # also where a daemon or a cluster does not answer, which a rendered stack needs not
        raise RunFailedError(planned.messages)
    if not any(str(one["type"]).startswith("kubernetes:") for one in planned.resources):
        raise UsageError(f"the program of {project.name} makes no Kubernetes objects, so there is nothing to render")


def real_resources(resources: Sequence[Mapping[str, Any]], folder: str) -> list[str]:
    """What of planned resources would be more than a file in `folder`, each as `type name`."""
    rendering = {
        str(one["urn"])
        for one in resources
        if one["type"] == "pulumi:providers:kubernetes"
        and str(cast(dict[str, Any], one.get("inputs") or {}).get("renderYamlToDirectory")) == folder
    }

    def is_harmless(one: Mapping[str, Any]) -> bool:
        type_ = str(one["type"])
        if not one.get("custom") or type_.startswith(_STATE_ONLY):
            return True
        if type_.startswith(_DNS):
            return "publish" not in cast(dict[str, Any], one.get("inputs") or {})
        return type_.startswith("kubernetes:") and str(one.get("provider")).rpartition("::")[0] in rendering

    return [f"{one['type']} {str(one['urn']).rpartition('::')[2]}" for one in resources if not is_harmless(one)]


def _arranged(fresh: Path, final: Path, *, delete_data: bool) -> Rendering:
    """The new folder put in order, with what it keeps of the one that it replaces."""
    before, now = manifests.read(final), manifests.read(fresh)
    leaving = manifests.leaving(before, now)
    kept = {} if delete_data else leaving
    manifests.arrange(fresh, kept)
    manifests.write_kustomization(fresh, _shown(final))
    return Rendering(
        folder=final,
        count=len(now) + len(kept),
        kept=[str(one) for one in kept],
        gone=[str(one) for one in leaving if one not in kept],
        refused=list(manifests.advice(manifests.refused(before, now))),
        before=manifests.scale_ins(before, now),
    )


def _shown(folder: Path) -> str:
    shown = os.path.relpath(folder)
    return shown if not shown.startswith("..") else str(folder)


def _plaintext_secrets(folder: Path) -> list[str]:
    """The Secrets with values among the manifests in `folder`, which must be none: files go into repositories."""
    found: list[str] = []
    for file in sorted(folder.rglob("*.yaml")):
        text = file.read_text()
        if "Secret" not in text:
            continue  # parsing is the slow part
        for document in yaml.safe_load_all(text):
            one = cast(dict[str, Any], document) if isinstance(document, dict) else {}
            if one.get("kind") == "Secret" and (one.get("data") or one.get("stringData")):
                found.append(str(one.get("metadata", {}).get("name", file.name)))
    return found


def _is_ours(folder: Path) -> bool:
    return folder.is_dir() and all(path.suffix in (".yaml", ".json") for path in folder.rglob("*") if path.is_file())


def _swap(fresh: Path, final: Path) -> None:
    old = final.with_name(f".{final.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if final.exists():
        final.rename(old)
    fresh.rename(final)
    shutil.rmtree(old, ignore_errors=True)
