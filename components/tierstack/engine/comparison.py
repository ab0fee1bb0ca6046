"""The change of a rendered stack from one revision to another, as the engine sees it.

The base is rendered into a state that is thrown away, and the working tree is previewed on that state: with each
resource, DNS records and protection among them, but without a cluster or credentials.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from tierstack.diff.texts import Text, fill, listed
from tierstack.engine.aim import Aim
from tierstack.engine.project import Project, StackConfig, UsageError, find
from tierstack.engine.rendering import refuse_real, to_files
from tierstack.engine.run import Engine, RunFailedError, engine
from tierstack.platform import RENDER_TO, PlatformKind

_PACKAGES = ("pyproject.toml", "requirements*.txt", "requirements.lock", "uv.lock", "poetry.lock")
_UP = ("--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress")


@dataclass(frozen=True)
class Comparison:
    """What the engine printed, and what a reader must know of how it was made."""

    ok: bool
    printed: str
    notes: list[Text]
    tier: tuple[str, str] | None = None
    """The tier before and afterwards, where it changes."""


def compared(project: Project, stack: str, found: Aim, revision: str) -> Comparison:
    """The preview of the working tree against `revision`. Raises UsageError where Git has no such revision or the
    program makes more than manifests, and RunFailedError where the base cannot be rendered."""
    notes: list[Text] = []
    if found.reason:
        said = "{reason}: this compares the Kubernetes manifests that the stack would have."
        notes.append(fill(said, reason=(found.reason,)))
    if found.config.secret_keys:
        keys = listed(sorted(found.config.secret_keys), most=6)
        said = "Encrypted configuration is not decrypted here, so a changed value of {keys} is not shown."
        notes.append(fill(said, keys=keys))
    revision, moved = _start(project, revision)
    notes += moved
    with (
        tempfile.TemporaryDirectory(prefix="tierstack-base-") as place,
        _checkout(project, revision, Path(place)) as base,
    ):
        folder = Path(place) / "manifests"
        folder.mkdir()
        if base is not None:
            _share_environment(project, base)
        config = None if base is None else _base_config(base, stack)
        if base is None or config is None:
            said = "{stack} does not exist at {revision}: everything is new."
            notes.append(fill(said, stack=stack, revision=revision))
            with engine(project, stack, found.config, throwaway=True) as before:
                before.create_stack()
                return _previewed(project, stack, found, folder, before, notes)
        if _packages_differ(project, revision):
            notes.append(("The change moves Python packages. The base ran with those of the change.",))
        target, environment = _aimed(config, folder, exports=found.report is not None)
        environment |= _paths(project.root, base.root)
        with engine(base, stack, target, throwaway=True, environment=environment) as before:
            before.create_stack()
            if found.report is None:
                refuse_real(base, before, folder)
            outcome = before.run("up", *_UP, quiet=True)
            if not outcome.ok:
                raise RunFailedError([f"the base ({revision}) cannot be rendered:", *outcome.messages])
            made = _previewed(project, stack, found, folder, before, notes)
        tiers = [one.values.get("tier") for one in (config, found.config)]
        changes = found.report is not None and all(isinstance(one, str) for one in tiers) and tiers[0] != tiers[1]
        return replace(made, tier=(str(tiers[0]), str(tiers[1]))) if changes else made


def _share_environment(project: Project, base: Project) -> None:
    """Lead the virtual environment of the base to that of the working tree, because Git has none."""
    name = project.virtualenv
    if name is not None and not (there := base.root / name).exists() and (own := project.root / name).is_dir():
        there.parent.mkdir(parents=True, exist_ok=True)
        there.symlink_to(own.resolve())


def _previewed(project: Project, stack: str, found: Aim, folder: Path, before: Engine, notes: list[Text]) -> Comparison:
    target, environment = _aimed(found.config, folder, exports=found.report is not None)
    with engine(project, stack, target, throwaway=True, beside=before, environment=environment) as after:
        if found.report is None:
            refuse_real(project, after, folder)
        ok, printed = after.preview_json()
    return Comparison(ok, printed, notes)


def _aimed(config: StackConfig, folder: Path, *, exports: bool) -> tuple[StackConfig, dict[str, str]]:
    """The configuration that writes manifests into `folder`, and variables that say so to a plain program."""
    if exports:
        return config.on(PlatformKind.KUBERNETES, str(folder)), {}
    return to_files(config, folder), {RENDER_TO: str(folder)}


def _base_config(base: Project, stack: str) -> StackConfig | None:
    """The configuration of the stack in the base; None where it has no such stack."""
    return base.config(stack) if stack in base.stacks() or not base.stacks() else None


@contextmanager
def _checkout(project: Project, revision: str, place: Path) -> Generator[Project | None, None, None]:
    """The project at `revision`, in a work tree of its own; None where it is not there yet."""
    top = Path(_git(project.root, "rev-parse", "--show-toplevel"))
    commit = _git(project.root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    tree = place / "tree"
    _git(top, "worktree", "add", "--detach", "--quiet", str(tree), commit)
    try:
        root = tree / project.root.relative_to(top)
        there = any((root / name).is_file() for name in ("Pulumi.yaml", "Pulumi.yml"))
        yield find(root) if there else None
    finally:
        _git(top, "worktree", "remove", "--force", str(tree))


def _start(project: Project, revision: str) -> tuple[str, list[Text]]:
    """What to compare with: where this branch left `revision`. What others have merged there since would else be a part
    of the difference, taken back."""
    commit = _git(project.root, "rev-parse", "--verify", "--end-of-options", f"{revision}^{{commit}}")
    try:
        began = _git(project.root, "merge-base", "HEAD", commit)
    except UsageError:  # a shallow clone does not know, and neither do histories that have nothing in common
        said = "{revision} and this branch have no common commit here: all of {revision} is compared."
        return revision, [fill(said, revision=revision)]
    if began == commit:
        return revision, []
    count = int(_git(project.root, "rev-list", "--count", f"{began}..{commit}"))
    commits = f"{count} commit{'s' if count > 1 else ''}"
    said = (
        "{revision} has moved on by {commits} since this branch left it: this compares with {began}, where it did. "
        "Merge {revision} to see both together."
    )
    return began, [fill(said, revision=revision, commits=(commits,), began=began[:12])]


def _packages_differ(project: Project, revision: str) -> bool:
    return bool(_git(project.root, "diff", "--name-only", revision, "--", *(f":(top,glob){one}" for one in _PACKAGES)))


def _paths(root: Path, base: Path) -> dict[str, str]:
    """Where Python finds the base's own modules, as those of the working tree stand in this process's path."""
    top = Path(_git(root, "rev-parse", "--show-toplevel"))
    tree = Path(_git(base, "rev-parse", "--show-toplevel"))
    own = [tree / Path(one).relative_to(top) for one in sys.path if one and Path(one).is_relative_to(top)]
    given = [one for one in os.environ.get("PYTHONPATH", "").split(os.pathsep) if one]
    return {"PYTHONPATH": os.pathsep.join([*(str(one) for one in own if one.is_dir()), *given])}


def _git(folder: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise UsageError("`git` is not on PATH, and --base needs it") from None
    if done.returncode != 0:
        said = done.stderr.strip().removeprefix("fatal: ")
        raise UsageError(f"`git {' '.join(arguments[:2])}` failed: {said}")
    return done.stdout.strip()
