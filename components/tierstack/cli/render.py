"""`tierstack render`: the manifests of a stack, without any cluster or credentials."""

import os
import shutil
from pathlib import Path
from typing import Annotated, Any, cast

import typer
import yaml

from tierstack.cli import show
from tierstack.cli.engine import Outcome, engine
from tierstack.cli.project import Folder, Json, Project, Stack, UsageError, find
from tierstack.cli.target import Aim, Target, aim
from tierstack.platform import PlatformKind

EXAMPLES = "Examples: [bold]tierstack render -s prod[/bold]; [bold]tierstack render -s prod --output deploy/prod[/bold]"


def run(
    stack: Stack,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: rendered/STACK.")] = None,
    json: Json = False,
    cwd: Folder = Path(),
) -> None:
    """Write a stack's Kubernetes manifests. Files of earlier runs that are no longer made are removed."""
    project = find(cwd)
    files = rendered(project, stack, aim(project, stack, Target.RENDER), output, quiet=json)
    tell(files, stack, json=json)


def tell(files: Path, stack: str, *, json: bool) -> None:
    """Say what was written."""
    count = sum(1 for _ in files.rglob("*.yaml"))
    if json:
        show.as_json(
            {"stack": stack, "platform": "render", "result": "succeeded", "directory": str(files), "manifests": count}
        )
    else:
        shown = os.path.relpath(files)
        show.out.print(f"[bold green]{count} manifests[/] in {shown if not shown.startswith('..') else files}")


def rendered(project: Project, stack: str, found: Aim, output: Path | None = None, *, quiet: bool) -> Path:
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
        _swap(fresh, final)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return final


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
