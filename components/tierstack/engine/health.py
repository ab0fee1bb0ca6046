"""How a stack is: its parts and its public address (pure, but for the request to that address)."""

import http.client
import socket
import ssl
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, cast
from urllib.parse import urlsplit

from tierstack.platform import ready

_SECONDS = 10
"""How long the public address may take to answer."""


class Health(Enum):
    """How a part is."""

    HEALTHY = "healthy"
    STARTING = "starting"
    UNHEALTHY = "unhealthy"
    UNKNOWN = "unknown"
    """It could not be asked from here; that alone makes no stack unhealthy."""


@dataclass(frozen=True)
class Part:
    """A container, a workload of a cluster, or the public address."""

    name: str
    health: Health
    since: str | None = None
    """When that began (RFC 3339), at the latest; None where nobody knows."""
    why: str | None = None
    """What is wrong with it."""
    may_settle: bool = False
    """Whether it may become well without anybody: it is starting, or a controller is at it."""

    @property
    def is_well(self) -> bool:
        """Whether it needs nobody."""
        return self.health in (Health.HEALTHY, Health.UNKNOWN)

    def as_json(self) -> dict[str, Any]:
        """For machines."""
        return {"name": self.name, "health": self.health.value, "since": self.since, "why": self.why}


def container_part(name: str, attrs: Mapping[str, Any] | None) -> Part:
    """A container as `docker inspect` shows it; None: it is not there."""
    if attrs is None:
        return Part(name, Health.UNHEALTHY, None, "is not on the Docker host")
    state: dict[str, Any] = attrs["State"]
    check: dict[str, Any] = state.get("Health") or {}
    log: list[dict[str, Any]] = check.get("Log") or []
    why = ready.verdict(state)
    if why is None:
        return Part(name, Health.HEALTHY, _time(state.get("StartedAt")))
    if check.get("Status") == "starting":
        return Part(name, Health.STARTING, _time(state.get("StartedAt")), " ".join(why.split()), may_settle=True)
    failing: list[dict[str, Any]] = []
    for entry in reversed(log):
        if entry.get("ExitCode") == 0:
            break
        failing.append(entry)
    since = failing[-1].get("Start") if state.get("Running") and failing else state.get("FinishedAt")
    return Part(name, Health.UNHEALTHY, _time(since), " ".join(why.split()))


def _time(text: Any) -> str | None:
    """To the second; the daemon writes the year 1 for never."""
    shown = str(text or "")
    return None if not shown or shown.startswith("0001") else f"{shown[:19]}Z"


def workload_part(found: Mapping[str, Any]) -> Part | None:
    """An object of a cluster as `kubectl get -o json` shows it; None where its kind says nothing of health."""
    kind, metadata = str(found["kind"]), cast(dict[str, Any], found["metadata"])
    spec, status = cast(dict[str, Any], found.get("spec") or {}), cast(dict[str, Any], found.get("status") or {})
    name = f"{kind} {metadata['name']}"
    conditions = {str(one["type"]): one for one in cast(list[dict[str, Any]], status.get("conditions") or [])}
    if kind in ("Deployment", "StatefulSet"):
        wanted, ready = int(spec.get("replicas", 1)), int(status.get("readyReplicas") or 0)
        condition = conditions.get("Available") or {}
        why = f"{ready} of {wanted} pods are ready"
    elif kind == "Cluster":
        wanted, ready = int(spec.get("instances", 1)), int(status.get("readyInstances") or 0)
        condition = conditions.get("Ready") or {}
        why = f"{ready} of {wanted} instances are ready: {status.get('phase', 'no phase yet')}"
    elif kind == "Certificate":
        condition = conditions.get("Ready") or {}
        wanted, ready = 1, int(condition.get("status") == "True")
        why = str(condition.get("message") or "it was not issued yet")
    elif kind == "Job" and "Failed" in conditions:
        condition = conditions["Failed"]
        wanted, ready, why = 1, int(condition.get("status") != "True"), str(condition.get("message") or "it failed")
    else:
        return None
    since = condition.get("lastTransitionTime")
    if ready >= wanted:
        return Part(name, Health.HEALTHY, since)
    # An autoscaler asks for more pods at any time, and they take a moment; a failed Job stays failed.
    return Part(name, Health.UNHEALTHY, since, why, may_settle=kind != "Job")


class NoAddressError(Exception):
    """A host name has no address where the command runs."""


def status_of(
    host: str,
    port: int,
    path: str,
    *,
    ca: str | None = None,
    encrypted: bool = True,
    headers: Mapping[str, str] | None = None,
) -> int:
    """The status with which a public address answers a GET, for a client that trusts `ca` (PEM) alone; None: what this
    machine trusts. Raises NoAddressError, OSError or HTTPException where there is no answer."""
    # Names below `localhost` are this machine (RFC 6761 section 6.3), whatever its resolver thinks of them.
    target = "127.0.0.1" if host == "localhost" or host.endswith(".localhost") else host
    try:
        address = socket.getaddrinfo(target, port, type=socket.SOCK_STREAM)[0][4][:2]
    except OSError:
        raise NoAddressError(host) from None
    with socket.create_connection(cast(tuple[str, int], address), _SECONDS) as plain:
        if encrypted:
            connection = http.client.HTTPSConnection(host, port, timeout=_SECONDS)
            connection.sock = ssl.create_default_context(cadata=ca).wrap_socket(plain, server_hostname=host)
        else:
            connection = http.client.HTTPConnection(host, port, timeout=_SECONDS)
            connection.sock = plain
        connection.request("GET", path, headers={"User-Agent": "tierstack", **(headers or {})})
        status = connection.getresponse().status
        connection.close()
    return status


def address_part(url: str, path: str | None, ca: str | None) -> Part:
    """Ask the public address, trusting `ca` (PEM) where it is given, as a client of the stack would.

    `path`: a page that answers 2xx or 3xx when all is well. None: the address itself, where an application may well
    have no page: only a server's own failure (5xx, RFC 9110 section 15.6) counts.
    """
    where = urlsplit(url)
    encrypted = where.scheme == "https"
    host, port = where.hostname or "", where.port or (443 if encrypted else 80)
    asked = path or where.path or "/"
    name = f"{url}{path}" if path else url if where.path else f"{url}/"
    try:
        status = status_of(host, port, asked, ca=ca, encrypted=encrypted)
    except NoAddressError:
        return Part(name, Health.UNKNOWN, None, f"was not asked: {host} has no address here")
    except (OSError, http.client.HTTPException) as error:
        return Part(name, Health.UNHEALTHY, None, f"does not answer: {error}", may_settle=True)
    if status >= (400 if path else 500):
        return Part(name, Health.UNHEALTHY, None, f"answers {status}", may_settle=True)
    return Part(name, Health.HEALTHY)


def may_change(parts: Iterable[Part]) -> bool:
    """Whether it makes sense to look again in a moment: whatever is not well may settle. A container that is missing or
    unhealthy stays so."""
    ill = [one for one in parts if not one.is_well]
    return bool(ill) and all(one.may_settle for one in ill)


def is_well_altogether(parts: Iterable[Part]) -> bool:
    """Whether every part is well."""
    return all(one.is_well for one in parts)


def summary(stack: str, parts: Sequence[Part]) -> str:
    """One line."""
    if not parts:
        return f"{stack}: nothing in it reports its health"
    ill = [one for one in parts if not one.is_well]
    if ill:
        return f"{stack} is not well: {len(ill)} of {len(parts)} parts"
    return f"{stack} is well: {len(parts)} parts"
