"""Proxies in front of the proxy: one list of networks for the header, the rate limit and the web server."""

from typing import Any

import pytest

from tests.app_cluster.samples import args
from tierstack.app_cluster import server, traffic
from tierstack.gateway import GatewayArgs
from tierstack.platform.proxy import forwarded

NETWORKS = ["192.0.2.0/24", "2001:db8:1::/48"]


def behind(networks: list[str] | None, **changes: Any) -> Any:
    """Arguments of an application behind `networks`."""
    found = args("docker", **changes)
    found.gateway.trusted_proxies = networks
    return found


def nginx(of: Any) -> str:
    return server.nginx(of.application, of.described)


def test_a_client_is_counted_by_its_own_address_whatever_stands_in_front() -> None:
    limit = traffic.rate_limit(behind(NETWORKS).application)
    assert limit is not None
    assert limit["sourceCriterion"] == {"ipStrategy": {"excludedIPs": NETWORKS}}


def test_an_ipv6_client_cannot_take_another_address_of_its_own_network() -> None:
    limit = traffic.rate_limit(behind(None).application)
    assert limit is not None
    assert limit["sourceCriterion"] == {"ipStrategy": {"ipv6Subnet": 64}}
    assert forwarded.client_source([]) == forwarded.client_source(None)


def test_nginx_looks_past_the_same_networks() -> None:
    found = nginx(behind(NETWORKS))
    assert "real_ip_recursive on;" in found
    assert all(f"set_real_ip_from {one};" in found for one in NETWORKS)
    alone = nginx(behind(None))
    assert "real_ip_recursive" not in alone, "a client in a private network could then name any address"
    twice = nginx(behind(["10.0.0.0/8"]))
    assert twice.count("set_real_ip_from 10.0.0.0/8;") == 1, "nginx warns about a network that is given twice"


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_the_gateway_hands_its_networks_to_applications(on: str) -> None:
    from tests.gateway.samples import given
    from tests.support import run_program
    from tierstack.gateway import Gateway

    endpoints = []
    run_program(lambda: endpoints.append(Gateway("g", GatewayArgs(**given(on, trusted_proxies=NETWORKS))).endpoint))
    assert [one.trusted_proxies for one in endpoints] == [NETWORKS]
