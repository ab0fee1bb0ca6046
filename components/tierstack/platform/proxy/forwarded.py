"""Load balancers and CDNs in front of the proxy (pure): whose X-Forwarded-For is believed, and who the client is then.

One list of networks serves every place that needs the client's address: the proxy's entry points, its rate limit, and
the web server's log and REMOTE_ADDR. Where they differed, a limit would count the load balancer as one client.
"""

import ipaddress
from collections.abc import Sequence
from typing import Any

from tierstack.core.errors import Diagnostic, rule

_IPV6_CLIENT = 64
"""Prefix of an IPv6 client: a subscriber is given at least a /64 (RFC 6177), and may use any address of it."""


@rule(
    "trusted-network",
    "Trusted proxies must be networks in CIDR notation, and not the whole Internet.",
    why="Whoever is trusted can write any client's address into X-Forwarded-For, and escape every rate limit.",
    wrong="trusted_proxies: [0.0.0.0/0]",
    right="trusted_proxies: [10.0.0.0/8]",
)
def network_problems(path: str, networks: Sequence[str] | None) -> list[Diagnostic]:
    """Everything that is wrong with a list of networks of proxies."""
    found: list[Diagnostic] = []
    for index, value in enumerate(networks or []):
        where = f"{path}[{index}]"
        if not _is_network(value):
            wrong, instead = "is not a network in CIDR notation", "write one such as 10.0.0.0/8"
            found.append(Diagnostic(where, value, wrong, instead))
        elif value.endswith("/0"):
            wrong = "trusts everybody, so any client may forge its address"
            found.append(Diagnostic(where, value, wrong, "write the networks of the load balancers or the CDN alone"))
    return found


def client_source(trusted: Sequence[str] | None) -> dict[str, Any]:
    """Traefik's `sourceCriterion`: by which address a client is counted.

    Without proxies in front it is the peer's. Behind them it is the last address of X-Forwarded-For that is not one of
    theirs, so a chain of several proxies works, and what a client writes into the header itself is never reached. The
    entry point removes the header of a peer that is not trusted: such clients, who go past the proxies, are counted
    together.
    """
    if not trusted:
        return {"ipStrategy": {"ipv6Subnet": _IPV6_CLIENT}}
    return {"ipStrategy": {"excludedIPs": list(trusted)}}


def _is_network(value: str) -> bool:
    try:
        ipaddress.ip_network(value)
    except ValueError:
        return False
    return "/" in value
