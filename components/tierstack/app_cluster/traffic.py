"""Traffic as data (pure): which releases get which share, and the proxy's file that says so.

A strategy (rolling, blue-green, canary, shadow, rollback) is a sequence of such states; here is one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tierstack.app_cluster import limits, server
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.platform.proxy.forwarded import client_source
from tierstack.platform.proxy.traefik import DIAL_SECONDS, IDLE_SERVER_SECONDS, IDLE_TO_SERVER, dump


@dataclass(frozen=True, kw_only=True)
class Release:
    """One release that runs."""

    name: str
    """Its name, from `processes.release`."""
    servers: Sequence[str]
    """Its web containers, as `host:port`."""
    weight: int = 100
    """Its share of the requests, among the sum of all weights; 0 runs without traffic."""


@dataclass(frozen=True, kw_only=True)
class Mirror:
    """A copy of requests for a release whose answers nobody sees."""

    release: str
    percent: int


def traefik_file(name: str, args: AppClusterArgs, releases: Sequence[Release], mirror: Mirror | None = None) -> str:
    """The file `<name>.yaml` of Traefik's directory: router, middlewares, and a weighted service over the releases."""
    middlewares = _middlewares(name, args)
    services: dict[str, Any] = {f"{name}-{one.name}": _servers(name, args, one) for one in releases}
    shares = [{"name": f"{name}-{one.name}", "weight": one.weight} for one in releases if one.weight > 0]
    # healthCheck on the weighted service passes a release over that has no healthy server left.
    services[name] = {"weighted": {"healthCheck": {}, "services": shares}}
    if mirror:
        services[f"{name}-mirrored"] = {
            "mirroring": {
                "service": name,
                "mirrors": [{"name": f"{name}-{mirror.release}", "percent": mirror.percent}],
            }
        }
    assert args.gateway.docker  # the rules ask for it
    router: dict[str, Any] = {
        "rule": rule(args.hostnames),
        "entryPoints": [args.gateway.docker.entry_point],
        "service": f"{name}-mirrored" if mirror else name,
        "middlewares": list(middlewares),
        "tls": {},
    }
    transport = {
        "maxIdleConnsPerHost": IDLE_TO_SERVER,
        "forwardingTimeouts": {
            "dialTimeout": f"{DIAL_SECONDS}s",
            # Shorter than what servers keep open, see server.nginx.
            "idleConnTimeout": f"{IDLE_SERVER_SECONDS}s",
            "responseHeaderTimeout": f"{limits.answer_seconds(args)}s",
        },
    }
    return dump(
        {
            "http": {
                "routers": {name: router},
                "middlewares": middlewares,
                "services": services,
                "serversTransports": {name: transport},
            }
        }
    )


def rule(hostnames: Sequence[str]) -> str:
    """Traefik's rule for the names; a wildcard covers exactly one label (RFC 6125 section 6.4.3)."""

    def one(hostname: str) -> str:
        if hostname.startswith("*."):
            return f"HostRegexp(`^[a-z0-9-]+{hostname[1:].replace('.', chr(92) + '.')}$`)"
        return f"Host(`{hostname}`)"

    return " || ".join(one(hostname) for hostname in hostnames)


def security_headers(args: AppClusterArgs) -> dict[str, str]:
    """Headers that every answer carries, whatever the application says."""
    headers = {
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": args.http.frame_options,
        "Referrer-Policy": "strict-origin-when-cross-origin",
    }
    if args.http.hsts_seconds:
        headers["Strict-Transport-Security"] = f"max-age={args.http.hsts_seconds}"
    if args.http.content_security_policy:
        headers["Content-Security-Policy"] = args.http.content_security_policy
    return headers


REMOVED_HEADERS = ("Server", "X-Powered-By")
"""Headers of answers that only tell an attacker what runs here."""


def rate_limit(args: AppClusterArgs) -> dict[str, Any] | None:
    """Traefik's rateLimit, for each client; None for no limit."""
    if not args.http.rate_limit:
        return None
    source = client_source(args.gateway.trusted_proxies)
    return {"average": args.http.rate_limit, "period": "1s", "burst": args.http.rate_burst, "sourceCriterion": source}


def _middlewares(name: str, args: AppClusterArgs) -> dict[str, Any]:
    """By name, in the order that a request passes them."""
    removed = dict.fromkeys(REMOVED_HEADERS, "")
    found: dict[str, Any] = {
        f"{name}-headers": {"headers": {"customResponseHeaders": security_headers(args) | removed}}
    }
    if limit := rate_limit(args):
        found[f"{name}-rate-limit"] = {"rateLimit": limit}
    found[f"{name}-compress"] = {"compress": {}}
    # Only what reached no server is sent again: a refused connection, never a request that may have been handled.
    found[f"{name}-retry"] = {"retry": {"attempts": 4, "initialInterval": "50ms"}}
    return found


def _servers(name: str, args: AppClusterArgs, release: Release) -> dict[str, Any]:
    return {
        "loadBalancer": {
            "servers": [{"url": f"http://{server}"} for server in release.servers],
            "healthCheck": _check(args),
            "serversTransport": name,
            "passHostHeader": True,
        }
    }


def _check(args: AppClusterArgs) -> dict[str, Any]:
    """What takes a server out of traffic: never that its workers are busy."""
    if args.php:
        return {"path": server.PING, "port": server.PROBES, "interval": "1s", "timeout": "2s"}
    check: dict[str, Any] = {
        "path": args.health.path,
        "hostname": args.hostnames[0],
        "headers": {"X-Forwarded-Proto": "https"},
    }
    if args.health.port is not None:
        return {**check, "port": args.health.port, "interval": "1s", "timeout": "2s"}
    # The work answers it, so it may wait as long as the work. A server that is gone refuses, and then the next one is
    # tried (`retry`).
    patience = limits.answer_seconds(args)
    return {**check, "interval": "5s", "unhealthyInterval": "1s", "timeout": f"{patience}s"}
