"""The state of a stack where it lies in a directory of this machine: read as it stands, without engine, lock or
passphrase. A check compares a configuration with it; whoever keeps the state elsewhere is told by a preview."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from tierstack.engine import yaml_file
from tierstack.engine.usage import UsageError


def resources(root: Path, project: str, stack: str) -> dict[str, Mapping[str, Any]]:
    """URN → {"type", "outputs"} of every resource; encrypted values stay so. Empty where the state is elsewhere, or
    there is none."""
    folder = _folder(root)
    if folder is None:
        return {}
    # The second: from before projects had a place of their own.
    for path in (folder / project / f"{stack}.json", folder / f"{stack}.json"):
        for file in (path, path.with_name(f"{path.name}.gz")):
            if file.is_file():
                return _resources(file)
    return {}


def _folder(root: Path) -> Path | None:
    """Where the backend keeps its stacks. None: it is no directory of this machine."""
    backend = os.environ.get("PULUMI_BACKEND_URL") or _of_project(root) or _logged_in()
    if not backend or not backend.startswith("file:"):
        return None
    place = urlsplit(backend)
    path = Path(unquote(f"{place.netloc}{place.path}")).expanduser()
    return (path if path.is_absolute() else root / path) / ".pulumi" / "stacks"


def _of_project(root: Path) -> str | None:
    """The backend that Pulumi.yaml names."""
    for file in (root / "Pulumi.yaml", root / "Pulumi.yml"):
        if file.is_file():
            try:
                backend = yaml_file.load(file).get("backend")
            except UsageError:
                return None
            url = cast(dict[str, Any], backend).get("url") if isinstance(backend, dict) else None
            return url if isinstance(url, str) else None
    return None


def _logged_in() -> str | None:
    """The backend of `pulumi login`."""
    home = Path(os.environ.get("PULUMI_HOME") or Path.home() / ".pulumi")
    try:
        return str(json.loads((home / "credentials.json").read_text()).get("current") or "")
    except (OSError, ValueError, AttributeError):
        return None


def _resources(file: Path) -> dict[str, Mapping[str, Any]]:
    try:
        content = file.read_bytes()
        if file.suffix == ".gz":
            import gzip  # few backends compress

            content = gzip.decompress(content)
        document: Any = json.loads(content)
        latest = cast(dict[str, Any], document["checkpoint"].get("latest") or {})
        found = cast(list[dict[str, Any]], latest.get("resources") or [])
        return {
            one["urn"]: {"type": one["type"], "outputs": one.get("outputs") or {}}
            for one in found
            if not one.get("delete")  # what was replaced, and waits to be removed
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}  # half-written, or of another version: the engine says so
