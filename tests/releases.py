"""What a release made of one stack, kept so that the next release can be previewed on it.

`python -m tests.releases` records this checkout as the release of its version, in tests/cases/releases: of each tier
the state of a rendered stack, which the engine previews again, and what is registered on a Docker host, whose stacks
cannot be previewed without a daemon.
"""

import argparse
import gzip
import json
import os
import re
import runpy
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tests.projects import Checkout
from tests.support import run_program
from toolchain import release

RECORD = Path(__file__).parent / "cases" / "releases"
TIERS = ("100k", "1M")
STACK = "dev"
_KEPT = "kustomize.toolkit.fluxcd.io/prune"
"""Annotation that rendered manifests with data carry."""
_DATA = re.compile(r"docker:index/volume:|random:index/|tls:index/privateKey:|dynamic/docker:Claim$")
"""Types on a Docker host that hold what cannot be made again."""
_NOTHING = ("same", "read", "refresh")


@dataclass(frozen=True)
class Change:
    """What an upgrade does to one resource."""

    what: str
    """Kind and logical name, such as `Deployment web`."""
    op: str
    """The engine's word: `create`, `update`, `replace`, `delete`."""
    holds_data: bool = False

    @property
    def loses_data(self) -> bool:
        return self.holds_data and self.op not in ("create", "update")


def announced(changelog: str) -> list[str]:
    """The resources that lines with **Upgrade** of the newest part name, as patterns: `Deployment web`, `Service *`."""
    newest = changelog.split("\n## ")[1]
    entries = re.findall(r"^- \*\*Upgrade\*\*(.*?)(?=^- |^#|\Z)", newest, re.MULTILINE | re.DOTALL)
    return [name for entry in entries for name in re.findall(r"`([A-Z]\w* [^`\s]+)`", entry)]


def problems(changes: Iterable[Change], named: Iterable[str]) -> list[str]:
    """What an upgrade may not do: replace or delete what holds data, or change anything that is not announced."""
    patterns = list(named)
    found: list[str] = []
    for one in changes:
        if one.loses_data:
            found.append(f"{one.what}: {one.op}: holds data, and an upgrade never replaces or deletes that")
        elif not any(fnmatchcase(one.what, pattern) for pattern in patterns):
            found.append(f"{one.what}: {one.op}: CHANGELOG.md has no line `- **Upgrade** … `{one.what}` …`")
    return found


def steps(plan: Mapping[str, Any]) -> list[Change]:
    """The changes in what `pulumi preview --json` says."""
    return [
        Change(_what(one["urn"]), one["op"], holds_data=_kept(one.get("oldState") or {}))
        for one in plan["steps"]
        if one["op"] not in _NOTHING and "-replace" not in one["op"]  # a replacement's own two halves
    ]


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Change]:
    """The changes between two sets of registrations: on a Docker host a container with other inputs is replaced."""

    def change(name: str, op: str) -> Change:
        one = before.get(name) or after[name]
        kind = re.split(r"[:/]", one["type"])[-1]
        return Change(f"{kind} {name}", op, holds_data=bool(_DATA.search(one["type"])))

    gone = [change(name, "delete") for name in before if name not in after]
    new = [change(name, "create") for name in after if name not in before]
    # Of what holds data any other input counts as a replacement: no provider is asked.
    other = [
        change(name, "replace")
        for name in before
        if name in after and any(before[name].get(key) != after[name].get(key) for key in ("type", "inputs"))
    ]
    return [*gone, *new, *other]


def _what(urn: str) -> str:
    kind, name = urn.split("::")[-2:]
    return f"{re.split(r'[:/$]', kind)[-1]} {name}"


def _kept(state: Mapping[str, Any]) -> bool:
    metadata = (state.get("inputs") or {}).get("metadata") or {}
    return _KEPT in (metadata.get("annotations") or {})


def rendered(folder: Path) -> Checkout:
    """The recorded program as a project whose stack is rendered."""
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text("name: upgrade\nruntime: python\n")
    shutil.copy(RECORD / "program.py", folder / "__main__.py")
    made = Checkout(folder)
    made.pulumi("stack", "init", STACK)
    return made


def environment(platform: str, tier: str) -> dict[str, str]:
    """What tells the program which stack it is."""
    return {"UPGRADE_PLATFORM": platform, "UPGRADE_TIER": tier}


def registered(tier: str) -> dict[str, Any]:
    """What the program registers on a Docker host, by name: type and inputs."""
    before = dict(os.environ)
    os.environ.update(environment("docker", tier))
    try:
        made = run_program(lambda: runpy.run_path(str(RECORD / "program.py"))).summary()
    finally:
        os.environ.clear()
        os.environ.update(before)
    kept = {name: {key: one.get(key) for key in ("type", "inputs")} for name, one in made.items()}
    return json.loads(json.dumps(kept, default=str))


def read(name: str) -> Any:
    """A recorded file."""
    return json.loads(gzip.decompress((RECORD / f"{name}.json.gz").read_bytes()))


def _write(name: str, value: Any) -> None:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    (RECORD / f"{name}.json.gz").write_bytes(gzip.compress(text.encode(), mtime=0))


def _record() -> Iterator[str]:
    for tier in TIERS:
        _write(f"docker-{tier}", registered(tier))
        with tempfile.TemporaryDirectory() as folder:
            checkout = rendered(Path(folder) / "project")
            checkout.pulumi("up", "--yes", "--skip-preview", "-s", STACK, **environment("rendered", tier))
            state = json.loads(checkout.pulumi("stack", "export", "-s", STACK).stdout)
        _write(f"rendered-{tier}", state)
        yield f"{tier}: {len(state['deployment']['resources'])} resources rendered"
    version = release.own_version()  # the environment may still have the one before
    (RECORD / "release").write_text(f"{version}\n")
    yield f"recorded as {version} in {RECORD}"


if __name__ == "__main__":
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    os.environ.setdefault("PULUMI_SKIP_UPDATE_CHECK", "true")
    for line in _record():
        print(line)
