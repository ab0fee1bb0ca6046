"""Traffic as data (pure): which releases get which share, and the proxy's file that says so.

A strategy (rolling, blue-green, canary, shadow, rollback) is a sequence of such states; here is one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.app_cluster import limits, server
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.release import Release
from tierstack.app_cluster.traffic_routes import PLAIN, Policy, routes, sticky_cookie
from tierstack.platform.proxy.forwarded import client_source
from tierstack.platform.proxy.traefik import DIAL_SECONDS, IDLE_SERVER_SECONDS, IDLE_TO_SERVER, dump

_AGAIN: dict[str, Any] = {
    "attempts": 5,
    "initialInterval": "250ms",
    "status": ["502"],
    "disableRetryOnNetworkError": True,
    "maxRequestBodyBytes": 65536,
}
"""A request of an idempotent method (RFC 9110 section 9.2.2; never a POST or a PATCH) whose server has died meanwhile,
which nginx and Traefik tell by 502: it is sent again, with a body up to 64 KiB. The five attempts last for 1.3 s,
longer than health checks need to take a dead server out.

Why no passive health check of Traefik 3.7: to it each status of 500 and above is a failure of the server, so a database
that is away, or one bad page, would take every server out (`PassiveServiceHealthChecker.WrapHandler`)."""
_AFTER_NAMES = 1
"""Priority of a router in Traefik below that of any rule: by default it is the length of the rule, and 0 means that."""


@dataclass(frozen=True, kw_only=True)
class Backend:
    """A release that runs, as the proxy sees it."""

    name: str
    """The name of the release."""
    release: Release
    servers: Sequence[str]
    """Its web containers, as `host:port`."""


def traefik_file(name: str, app: Application, backends: Sequence[Backend], policy: Policy = PLAIN) -> str:
    """The file `<name>.yaml` of Traefik's directory: router, middlewares, and a weighted service over the releases.

    A release of weight 0 has its service in the file and none in the weighted one. There Traefik 3.7 would give it no
    request either, and forget at once the users that stick to it (`wrr.Balancer.Add` returns before it joins the sticky
    handlers). Yet its health counts: once it became healthy while every other one was not, no request was answered any
    more (`wrr.Balancer.nextServer`). Sticky users of a drained release come to it by a router of its own.
    """
    middlewares = _middlewares(name, app)
    services: dict[str, Any] = {f"{name}-{one.name}": _servers(name, app, one) for one in backends}
    shares = [
        {"name": f"{name}-{one.name}", "weight": one.release.weight} for one in backends if one.release.weight > 0
    ]
    # healthCheck on the weighted service passes a release over that has no healthy server left.
    sticky = {"sticky": sticky_cookie(name)} if policy.sticky else {}
    services[name] = {"weighted": {"healthCheck": {}, "services": shares, **sticky}}
    routers = _routers(name, app, name, list(middlewares))
    drained = [one.name for one in backends if one.release.drain]
    added = routes(name, policy, [one.name for one in backends], drained, routers)
    transport = {
        "maxIdleConnsPerHost": IDLE_TO_SERVER,
        "forwardingTimeouts": {
            "dialTimeout": f"{DIAL_SECONDS}s",
            # Shorter than what servers keep open, see server.nginx.
            "idleConnTimeout": f"{IDLE_SERVER_SECONDS}s",
            "responseHeaderTimeout": f"{max(limits.answer_seconds(one.release) for one in backends)}s",
        },
    }
    return dump(
        {
            "http": {
                "routers": routers | added.routers,
                "middlewares": middlewares | added.middlewares,
                "services": services | added.services,
                "serversTransports": {name: transport},
            }
        }
    )


def _routers(name: str, app: Application, service: str, middlewares: list[str]) -> dict[str, Any]:
    """One for the names, and one of the lowest priority for the wildcards, if there are any.

    Traefik tries the longest rule first unless it is told otherwise, and that of a wildcard is longer than a name's: it
    would take the names of other applications below its domain.
    """
    assert app.gateway.docker  # the rules ask for it
    names, wildcards = by_precedence(app.hostnames)
    shared: dict[str, Any] = {
        "entryPoints": [app.gateway.docker.entry_point],
        "service": service,
        "middlewares": middlewares,
        "tls": {},
    }
    routers: dict[str, Any] = {name: {"rule": rule(names), **shared}}
    if wildcards:
        routers[f"{name}_wildcard"] = {"rule": rule(wildcards), "priority": _AFTER_NAMES, **shared}
    return routers


def by_precedence(hostnames: Sequence[str]) -> tuple[list[str], list[str]]:
    """Single names, and wildcards: a name of one application comes before the wildcard of another that covers it."""
    wildcards = [one for one in hostnames if one.startswith("*.")]
    return [one for one in hostnames if one not in wildcards], wildcards


def rule(hostnames: Sequence[str]) -> str:
    """Traefik's rule for the names; a wildcard covers exactly one label (RFC 6125 section 6.4.3)."""

    def one(hostname: str) -> str:
        if hostname.startswith("*."):
            return f"HostRegexp(`^[a-z0-9-]+{hostname[1:].replace('.', chr(92) + '.')}$`)"
        return f"Host(`{hostname}`)"

    return " || ".join(one(hostname) for hostname in hostnames)


def security_headers(app: Application) -> dict[str, str]:
    """Headers that every answer carries, whatever the application says."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": app.http.frame_options,
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
    if app.http.hsts_seconds:
        headers["Strict-Transport-Security"] = f"max-age={app.http.hsts_seconds}"
    if app.http.content_security_policy:
        headers["Content-Security-Policy"] = app.http.content_security_policy
    return headers


REMOVED_HEADERS = ("Server", "X-Powered-By")
"""Headers of answers that only tell an attacker what runs here."""


def rate_limit(app: Application) -> dict[str, Any] | None:
    """Traefik's rateLimit, for each client; None for no limit."""
    if not app.http.rate_limit:
        return None
    source = client_source(app.gateway.trusted_proxies)
    return {"average": app.http.rate_limit, "period": "1s", "burst": app.http.rate_burst, "sourceCriterion": source}


def _middlewares(name: str, app: Application) -> dict[str, Any]:
    """By name, in the order that a request passes them."""
    removed = dict.fromkeys(REMOVED_HEADERS, "")
    found: dict[str, Any] = {f"{name}-headers": {"headers": {"customResponseHeaders": security_headers(app) | removed}}}
    if limit := rate_limit(app):
        found[f"{name}-rate-limit"] = {"rateLimit": limit}
    found[f"{name}-compress"] = {"compress": {}}
    found[f"{name}-again"] = {"retry": _AGAIN}
    # A refused connection, of any method: such a request reached no server.
    found[f"{name}-retry"] = {"retry": {"attempts": 4, "initialInterval": "50ms"}}
    return found


def _servers(name: str, app: Application, backend: Backend) -> dict[str, Any]:
    return {
        "loadBalancer": {
            "servers": [{"url": f"http://{server}"} for server in backend.servers],
            "healthCheck": _check(app, backend.release),
            "serversTransport": name,
            "passHostHeader": True,
        }
    }


def _check(app: Application, release: Release) -> dict[str, Any]:
    """What takes a server out of traffic: never that its workers are busy."""
    if release.php:
        return {"path": server.PING, "port": server.PROBES, "interval": "1s", "timeout": "2s"}
    check: dict[str, Any] = {
        "path": release.health.path,
        "hostname": app.hostnames[0],
        "headers": {"X-Forwarded-Proto": "https"},
    }
    if release.health.port is not None:
        return {**check, "port": release.health.port, "interval": "1s", "timeout": "2s"}
    # The work answers it, so it may wait as long as the work. A server that is gone refuses, and then the next one is
    # tried (`retry`).
    patience = limits.answer_seconds(release)
    return {**check, "interval": "5s", "unhealthyInterval": "1s", "timeout": f"{patience}s"}
