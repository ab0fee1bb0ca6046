"""Quantities as the API server writes them back: any other form would show as a change in the next preview (Kubernetes
API reference, "Quantity")."""

from tierstack.platform.kubernetes.manifest import Manifest


def mebibytes(amount: int) -> str:
    """Memory or storage, with the largest unit that leaves it whole."""
    units = ["Mi", "Gi", "Ti"]
    while amount % 1024 == 0 and len(units) > 1:
        amount //= 1024
        units.pop(0)
    return f"{amount}{units[0]}"


def gibibytes(amount: int) -> str:
    """The same for an amount in GiB."""
    return mebibytes(amount * 1024)


def millicores(amount: int) -> str:
    """Processors, in thousandths of a core."""
    return f"{amount}m" if amount % 1000 else str(amount // 1000)


def resources(memory_mb: int, cpu: float, *, guaranteed: bool = False, at_most: float | None = None) -> Manifest:
    """What a container is reserved and limited to: `memory_mb` in MiB, `cpu` in cores.

    Memory is reserved in full, so that no pod is killed for another's need. CPU has no limit, because throttling costs
    latency while the node idles. `guaranteed`: CPU has one too, which makes the pod one of the last that a node under
    pressure evicts (Kubernetes: "Pod Quality of Service Classes", Guaranteed). `at_most`: the limit in cores, for what
    is known to take a whole core when it fails.
    """
    memory = {"memory": mebibytes(memory_mb)}
    requests = {"cpu": millicores(round(cpu * 1000)), **memory}
    if at_most is not None:
        return {"requests": requests, "limits": {"cpu": millicores(round(at_most * 1000)), **memory}}
    return {"requests": requests, "limits": dict(requests) if guaranteed else memory}
