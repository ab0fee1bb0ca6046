"""What every data engine shares on Kubernetes: who may reach it, and what its pods are given. Pure."""

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import DataEngine
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import mebibytes, millicores


def client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the pooler."""
    return {f"tierstack.dev/{name}-client": "true"}


def direct_client_labels(name: str) -> dict[str, str]:
    """Labels of pods that may reach the primary itself."""
    return {f"tierstack.dev/{name}-direct-client": "true"}


def server_resources(size: DatabaseSize) -> Manifest:
    """Requests that equal limits: the last pods that a node under pressure evicts (quality of service Guaranteed)."""
    amounts = {"memory": mebibytes(size.memory_mb), "cpu": millicores(round(size.cpu * 1000))}
    return {"requests": amounts, "limits": amounts}


def pooler_resources(engine: DataEngine, size: DatabaseSize) -> Manifest:
    """No limit of CPU: a pooler that is throttled holds up every request."""
    memory, cpu = mebibytes(engine.pooler_memory_mb(size)), millicores(round(size.pooler_cpu * 1000))
    return {"requests": {"memory": memory, "cpu": cpu}, "limits": {"memory": memory}}


def spread(labels: dict[str, str], key: str = "topology.kubernetes.io/zone") -> Manifest:
    """A topology spread constraint: pods with `labels` go to different places where that is possible."""
    selector = {"matchLabels": labels}
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": selector}
