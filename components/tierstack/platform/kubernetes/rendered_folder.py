"""Whether the manifests that a state has written are still there (pure).

The state is kept apart from the folder: a fresh checkout has the one without the other. The engine writes what changes,
so it calls everything unchanged and writes nothing.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PROVIDER = "pulumi:providers:kubernetes"


def lost(render_to: str, resources: Mapping[str, Any], stack: str) -> str | None:
    """What to say where the manifests of `render_to` were written by the state (`resources`, as URN → {"type",
    "outputs"}) and are not there; None where nothing was written or something is there."""
    providers = [one["outputs"] for one in resources.values() if one["type"] == _PROVIDER]
    if not any(_same(str(one.get("renderYamlToDirectory", "")), render_to) for one in providers):
        return None
    written = sum(one["type"].startswith("kubernetes:") for one in resources.values())
    if not written or any(Path(render_to).rglob("*.yaml")):
        return None
    return (
        f"platform.render_to = {render_to!r}: the state has {written} manifests there, and the folder has none. "
        "An update writes only what changes, so it would leave the others out. Nothing was changed.\n"
        f"  To write them all: `tierstack render -s {stack}`, which needs no state; or `pulumi destroy`, then "
        "`pulumi up`: of a rendered stack both touch nothing but files.\n"
        "  To keep it from happening: commit the folder, or keep it where the state is."
    )


def _same(one: str, other: str) -> bool:
    return bool(one) and Path(one) == Path(other)
