"""Good arguments to change in tests, and manifests small enough to read."""

from pathlib import Path
from typing import Any

from tierstack import Kubernetes

MANIFESTS = Path(__file__).parents[1] / "cases" / "cluster_addons" / "manifests"


def given(**changes: Any) -> dict[str, Any]:
    """Arguments without a problem, as the component host gives them, with `changes`."""
    return {"platform": Kubernetes(name="cluster"), "manifests": str(MANIFESTS), **changes}
