"""The proxy's file of an application with one release or several."""

import json
from dataclasses import replace
from typing import Any

from tests.app_cluster.samples import args
from tierstack.app_cluster import HealthArgs, HttpArgs, HttpServerArgs, server, traffic
from tierstack.app_cluster.traffic import Backend, Mirror

HTTP: dict[str, Any] = {
    "http_server": HttpServerArgs(command=["serve"], memory_mb=128),
    "php": None,
}
OLD = ("aaa", ["web-aaa-1:8080", "web-aaa-2:8080"], 95)
NEW = ("bbb", ["web-bbb-1:8080"], 5)
IDLE = (*NEW[:2], 0)


def http(*releases: tuple[str, list[str], int], mirror: Mirror | None = None, **changes: Any) -> dict[str, Any]:
    """The file of releases with these names, servers and weights."""
    of = args("docker", **changes)
    backends = [
        Backend(name=name, servers=servers, release=replace(of.described, weight=weight))
        for name, servers, weight in releases
    ]
    return json.loads(traffic.traefik_file("web", of.application, backends, mirror))["http"]


def test_releases_share_traffic_by_weight() -> None:
    services = http(OLD, NEW)["services"]
    assert services["web"]["weighted"]["services"] == [
        {"name": "web-aaa", "weight": 95},
        {"name": "web-bbb", "weight": 5},
    ]
    assert services["web-aaa"]["loadBalancer"]["servers"] == [
        {"url": "http://web-aaa-1:8080"},
        {"url": "http://web-aaa-2:8080"},
    ]


def test_a_release_without_weight_runs_without_traffic() -> None:
    services = http(OLD, IDLE)["services"]
    assert [one["name"] for one in services["web"]["weighted"]["services"]] == ["web-aaa"]
    assert "web-bbb" in services, "a router of its own may lead to it"


def test_an_answer_is_waited_for_as_long_as_the_slowest_release_takes() -> None:
    of = args("docker")
    slow = replace(of.described, requests=replace(of.described.requests, request_timeout_seconds=300))
    backends = [Backend(name=name, servers=[], release=one) for name, one in (("a", of.described), ("b", slow))]
    found = json.loads(traffic.traefik_file("web", of.application, backends))["http"]
    assert found["serversTransports"]["web"]["forwardingTimeouts"]["responseHeaderTimeout"] == "305s"


def test_a_mirror_gets_copies() -> None:
    found = http(OLD, IDLE, mirror=Mirror(release="bbb", percent=10))
    assert found["routers"]["web"]["service"] == "web-mirrored"
    assert found["services"]["web-mirrored"]["mirroring"] == {
        "service": "web",
        "mirrors": [{"name": "web-bbb", "percent": 10}],
    }


def test_every_name_that_is_used_is_defined() -> None:
    for changes in ({}, {"http": HttpArgs(rate_limit=0)}, HTTP):
        found = http(OLD, NEW, **changes)
        router = found["routers"]["web"]
        assert router["service"] in found["services"]
        assert set(router["middlewares"]) == set(found["middlewares"])
        for name in ("web-aaa", "web-bbb"):
            assert found["services"][name]["loadBalancer"]["serversTransport"] in found["serversTransports"]


def test_headers_and_limits() -> None:
    policy = HttpArgs(content_security_policy="default-src 'self'", rate_limit=7, rate_burst=9, frame_options="DENY")
    found = http(OLD, http=policy)
    headers = found["middlewares"]["web-headers"]["headers"]["customResponseHeaders"]
    assert headers["Content-Security-Policy"] == "default-src 'self'"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["Server"] == headers["X-Powered-By"] == ""
    limit = found["middlewares"]["web-rate-limit"]["rateLimit"]
    assert {key: limit[key] for key in ("average", "period", "burst")} == {"average": 7, "period": "1s", "burst": 9}
    assert "Strict-Transport-Security" not in str(http(OLD, http=HttpArgs(hsts_seconds=0)))


def test_the_proxy_holds_no_body_and_no_answer() -> None:
    """Its buffering would keep whole answers too: streams would come at their end, and large ones fill its tmpfs."""
    for changes in ({}, HTTP):
        assert "buffering" not in json.dumps(http(OLD, **changes)["middlewares"])


def test_health_is_asked_beside_the_pool_that_does_the_work() -> None:
    check = http(OLD)["services"]["web-aaa"]["loadBalancer"]["healthCheck"]
    assert check == {"path": server.PING, "port": server.PROBES, "interval": "1s", "timeout": "2s"}


def test_a_busy_server_of_an_image_stays_in_traffic() -> None:
    def check(**changes: Any) -> dict[str, Any]:
        return http(OLD, **HTTP, **changes)["services"]["web-aaa"]["loadBalancer"]["healthCheck"]

    assert (check()["timeout"], check(http=HttpArgs(request_timeout_seconds=9))["timeout"]) == ("65s", "14s")
    assert check()["path"] == "/health"
    assert "port" not in check()
    apart = check(health=HealthArgs(port=2114))
    assert (apart["port"], apart["timeout"]) == (2114, "2s")


def test_rule() -> None:
    assert traffic.rule(["a.org", "*.b.org"]) == "Host(`a.org`) || HostRegexp(`^[a-z0-9-]+\\.b\\.org$`)"


def test_a_wildcard_is_asked_after_every_name() -> None:
    """By default Traefik tries the longest rule first (its documentation, "Routers", Priority)."""
    shop = http(OLD, **HTTP, hostnames=["shop.example.org", "*.example.org"])["routers"]
    admin = http(OLD, **HTTP, hostnames=["m.example.org"])["routers"]["web"]
    assert set(shop) == {"web", "web_wildcard"}
    names, wildcard = shop["web"], shop["web_wildcard"]
    assert names["rule"] == "Host(`shop.example.org`)"
    assert wildcard["rule"] == "HostRegexp(`^[a-z0-9-]+\\.example\\.org$`)"
    for one in (names, admin):
        assert wildcard["priority"] < one.get("priority", len(one["rule"]))
    # Beside rule and priority they are the same.
    differ = ("rule", "priority")
    assert {k: v for k, v in wildcard.items() if k not in differ} == {k: v for k, v in names.items() if k not in differ}
