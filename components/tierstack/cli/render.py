"""`tierstack render`: the manifests of a stack, without any cluster or credentials."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from tierstack.cli import show
from tierstack.engine import manifests
from tierstack.engine.project import Folder, Json, Project, Stack, UsageError, find
from tierstack.engine.run import Outcome, engine
from tierstack.engine.target import Aim, Target, aim
from tierstack.platform import PlatformKind

EXAMPLES = "Examples: [bold]tierstack render -s prod[/bold]; [bold]tierstack render -s prod --output deploy/prod[/bold]"


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

    @property
    def shown(self) -> str:
        """The folder as a reader would write it."""
        return _shown(self.folder)


def run(
    stack: Stack,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: rendered/STACK.")] = None,
    delete_data: Annotated[
        bool,
        typer.Option("--delete-data", help="Also remove manifests of data that is no longer in the configuration."),
    ] = False,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Write a stack's Kubernetes manifests, and a kustomization.yaml that applies them in order.

    Files of earlier runs that are no longer made are removed. Manifests of protected data (volumes, databases) are kept
    without --delete-data, because a GitOps tool deletes what leaves the folder; they are named, and the exit code is 1.
    """
    project = find(cwd)
    made = rendered(project, stack, aim(project, stack, Target.RENDER), output, delete_data=delete_data, quiet=json)
    tell(made, stack, json=json)


def tell(made: Rendering, stack: str, *, json: bool) -> None:
    """Say what was written. Raises typer.Exit with 1 where data is kept that the configuration no longer has."""
    if json:
        changes = {"kept": made.kept, "gone": made.gone, "refused": made.refused}
        about = {"stack": stack, "platform": "render", "result": "failed" if made.kept else "succeeded"}
        show.as_json({**about, "directory": str(made.folder), "manifests": made.count, **changes})
    else:
        show.out.print(f"[bold green]{made.count} manifests[/] in {made.shown}")
        for line in made.gone:
            show.err.print(f"[yellow]removed:[/] {line}", markup=True)
        for line in made.refused:
            show.err.print(f"[yellow]the cluster will refuse:[/] {line}")
        if made.kept:
            names = "\n".join(f"  {line}" for line in made.kept)
            show.err.print(
                f"These hold data and are no longer in the configuration of {stack}:\n{names}\n"
                f"Their manifests are kept in {made.shown}. To remove them:\n"
                f"  tierstack render --stack {stack} --delete-data",
                markup=False,
            )
    if made.kept:
        raise typer.Exit(1)


def rendered(
    project: Project, stack: str, found: Aim, output: Path | None = None, *, delete_data: bool = False, quiet: bool
) -> Rendering:
    """Render into a new directory and put it in the place of the old one; raises typer.Exit where that fails."""
    final = (output or project.root / "rendered" / stack).resolve()
    if final.exists() and not _is_ours(final):
        raise UsageError(f"{final} holds other files than rendered manifests; name an empty directory with --output")
    final.parent.mkdir(parents=True, exist_ok=True)
    fresh = final.with_name(f".{final.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    config = found.config.on(PlatformKind.KUBERNETES, str(fresh))
    try:
        with engine(project, stack, config, throwaway=True) as pulumi:
            pulumi.create_stack()
            outcome = pulumi.run(
                "up", "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", quiet=True
            )
        if not outcome.ok:
            fail(stack, outcome, json=quiet)
        if clear := secrets_in_clear(fresh):
            show.err.print(f"[bold red]not written:[/] Secrets would stand in clear: {', '.join(clear)}")
            raise typer.Exit(1)
        made = _arranged(fresh, final, delete_data=delete_data)
        _swap(fresh, final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return made


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
    )


def _shown(folder: Path) -> str:
    shown = os.path.relpath(folder)
    return shown if not shown.startswith("..") else str(folder)


def fail(stack: str, outcome: Outcome, *, json: bool) -> None:
    """Tell why the engine failed, and end with exit code 1."""
    if json:
        show.as_json({"stack": stack, "result": "failed", "messages": outcome.messages})
    else:
        for message in outcome.messages:
            show.err.print(message, markup=False)
    raise typer.Exit(1)


def secrets_in_clear(folder: Path) -> list[str]:
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
