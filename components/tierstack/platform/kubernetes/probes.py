"""How the kubelet asks a container, and what it runs before a stop (pure)."""

from collections.abc import Mapping, Sequence

from tierstack.platform.kubernetes.manifest import Manifest


def http(path: str, port: str | int, headers: Mapping[str, str] | None = None) -> Manifest:
    """Ask over HTTP; an answer from 200 to 399 is a success."""
    named = [{"name": key, "value": value} for key, value in (headers or {}).items()]
    return {"httpGet": {"path": path, "port": port, **({"httpHeaders": named} if named else {})}}


def tcp(port: str | int) -> Manifest:
    """Open a connection."""
    return {"tcpSocket": {"port": port}}


def command(words: Sequence[str]) -> Manifest:
    """Run a command in the container."""
    return {"exec": {"command": list(words)}}


def probe(
    action: Manifest, every: int, *, timeout: int | None = None, failures: int | None = None, delay: int | None = None
) -> Manifest:
    """`action` every so many seconds, each with `timeout` seconds to answer (None: 1), failed after so many `failures`
    in a row (None: 3), the first time after `delay` seconds (None: 0). Kubernetes API reference, Probe."""
    times = {"timeoutSeconds": timeout, "failureThreshold": failures, "initialDelaySeconds": delay}
    return {**action, "periodSeconds": every, **{key: value for key, value in times.items() if value is not None}}


def before_stop(action: Manifest) -> Manifest:
    """`lifecycle` of a container that does `action` before it gets its stop signal."""
    return {"preStop": action}


def leave(seconds: int) -> Manifest:
    """Go on for so long: what sends requests takes the pod out in the meantime."""
    return before_stop({"sleep": {"seconds": seconds}})


def quit_after(first: str) -> Manifest:
    """Run `first`, then stop the process by SIGQUIT and wait for it: Kubernetes sends SIGTERM, which nginx and PHP-FPM
    take as "at once", as soon as the hook ends."""
    script = f"{first}; kill -QUIT 1; while kill -0 1 2>/dev/null; do sleep 0.2; done"
    return before_stop(command(["/bin/sh", "-c", script]))
