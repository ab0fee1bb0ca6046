"""The proxy's file of an application with one release or several."""

import json
from dataclasses import replace
from typing import Any

from tests.app_cluster.samples import args
from tierstack.app_cluster import (
    ExperimentArgs,
    HealthArgs,
    HttpArgs,
    HttpServerArgs,
    MirrorArgs,
    server,
    traffic,
    traffic_routes,
)
from tierstack.app_cluster.traffic import Backend
from tierstack.app_cluster.traffic_routes import Policy

HTTP: dict[str, Any] = {
    "http_server": HttpServerArgs(command=["serve"], memory_mb=128),
    "php": None,
}
OLD = ("aaa", ["web-aaa-1:8080", "web-aaa-2:8080"], 95)
NEW = ("bbb", ["web-bbb-1:8080"], 5)
IDLE = (*NEW[:2], 0)


def http(
    *releases: tuple[str, list[str], int], policy: Policy | None = None, drain: str = "", **changes: Any
) -> dict[str, Any]:
    """The file of releases with these names, servers and weights. `drain`: the name of one that is drained."""
    of = args("docker", **changes)
    backends = [
        Backend(name=name, servers=servers, release=replace(of.described, weight=weight, drain=name == drain))
        for name, servers, weight in releases
    ]
    return json.loads(traffic.traefik_file("web", of.application, backends, policy or Policy()))["http"]


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


MIRROR = Policy(to="bbb", mirror=MirrorArgs(percent=10, max_body_kb=4))
EVERYTHING: dict[str, Any] = {
    "policy": Policy(
        to="bbb",
        mirror=MirrorArgs(),
        experiment=ExperimentArgs(header="X-Beta"),
        sticky=True,
        probe_user="tierstack:{SHA}x",
    ),
    "drain": "aaa",
}


def test_copies_are_of_safe_methods_with_a_limit_and_a_mark() -> None:
    found = http(OLD, IDLE, policy=MIRROR)
    assert found["routers"]["web"]["service"] == "web", "all other methods, and larger bodies"
    router = found["routers"]["web_mirror"]
    assert router["rule"] == "(Host(`shop.example.org`)) && (Method(`GET`) || Method(`HEAD`))"
    assert router["service"] == "web-mirror"
    assert found["services"]["web-mirror"]["mirroring"] == {
        "service": "web",
        "mirrorBody": True,
        "maxBodySize": 4096,
        "mirrors": [{"name": "web-bbb-copies", "percent": 10}],
    }
    copies = found["services"]["web-bbb-copies"]
    assert copies == {
        "middlewares": ["web-mark"],
        "weighted": {"services": [{"name": "web-bbb", "weight": 1}]},
    }
    assert found["middlewares"]["web-mark"]["headers"]["customRequestHeaders"] == {"X-Tierstack-Mirror": "1"}
    assert "web-no-mark" in router["middlewares"], "clients cannot send it"


def test_an_experiment_is_told_by_a_header_or_a_cookie() -> None:
    def rule(**experiment: Any) -> str:
        policy = Policy(to="bbb", experiment=ExperimentArgs(**experiment))
        router = http(OLD, NEW, policy=policy)["routers"]["web_experiment"]
        assert router["service"] == "web-bbb"
        return router["rule"].removeprefix("(Host(`shop.example.org`)) && ")

    assert rule(header="X-Beta") == "HeaderRegexp(`X-Beta`, `.`)"
    assert rule(header="X-Beta", value="a.b") == "Header(`X-Beta`, `a.b`)"
    assert rule(cookie="beta") == r"HeaderRegexp(`Cookie`, `(?:^|;\s*)beta=[^;]+(?:;|$)`)"
    assert rule(cookie="beta", value="a.b") == r"HeaderRegexp(`Cookie`, `(?:^|;\s*)beta=a\.b(?:;|$)`)"


def test_sticky_visitors_have_a_cookie_that_no_script_and_no_other_site_sees() -> None:
    cookie = http(OLD, NEW, policy=Policy(sticky=True))["services"]["web"]["weighted"]["sticky"]["cookie"]
    assert cookie == {"name": "web-release", "secure": True, "httpOnly": True, "sameSite": "lax", "path": "/"}
    assert "sticky" not in http(OLD, NEW)["services"]["web"]["weighted"]


def test_a_drained_release_keeps_its_visitors() -> None:
    found = http((*OLD[:2], 0), (*NEW[:2], 100), policy=Policy(sticky=True), drain="aaa")
    assert [one["name"] for one in found["services"]["web"]["weighted"]["services"]] == ["web-bbb"]
    router = found["routers"]["web_drain_aaa"]
    assert f"web\\-release={traffic_routes.sticky_value('web-aaa')}" in router["rule"]
    assert found["services"][router["service"]]["failover"]["service"] == "web-aaa"
    assert found["services"][router["service"]]["failover"]["fallback"] == "web"


def test_a_probe_reaches_each_release_by_its_name_and_a_password() -> None:
    user = traffic_routes.htpasswd("the-token")
    found = http(OLD, IDLE, policy=Policy(probe_user=user))
    for release in ("aaa", "bbb"):
        router = found["routers"][f"web_probe_{release}"]
        assert router["rule"] == f"(Host(`shop.example.org`)) && Header(`X-Tierstack-Release`, `{release}`)"
        assert router["service"] == f"web-{release}"
        assert router["middlewares"].index("web-rate-limit") < router["middlewares"].index("web-probe")
    assert found["middlewares"]["web-probe"]["basicAuth"] == {
        "users": ["tierstack:{SHA}B/uX6v+gGBvwGE/HwG5wEW1KgWo="],
        "realm": "release",
        "removeHeader": True,
    }
    assert "the-token" not in json.dumps(found)


def test_the_routers_around_the_weights_come_first_and_those_of_wildcards_last() -> None:
    found = http(OLD, NEW, hostnames=["shop.example.org", "*.example.org"], **EVERYTHING)["routers"]
    for suffix in ("", "_wildcard"):
        kinds = ["", "_mirror", "_drain_aaa", "_experiment", "_probe_bbb"]
        order = [found[f"web{kind}{suffix}"] for kind in kinds]
        first = order[0].get("priority", len(order[0]["rule"]))
        assert [one["priority"] for one in order[1:]] == [first + step for step in range(1, 5)]
    shortest = len("Host(`a.b`)")
    assert all(one["priority"] < shortest for name, one in found.items() if name.endswith("_wildcard"))


def test_every_name_that_is_used_is_defined() -> None:
    for changes in ({}, {"http": HttpArgs(rate_limit=0)}, HTTP, EVERYTHING):
        found = http(OLD, NEW, **changes)
        services = found["services"]
        used: set[str] = set()
        for router in found["routers"].values():
            assert set(router["middlewares"]) <= set(found["middlewares"])
            used |= {*router["middlewares"]}
            assert router["service"] in services
        for service in services.values():
            used |= {*service.get("middlewares", [])}
            mirroring, failover = service.get("mirroring", {}), service.get("failover", {})
            named = {mirroring.get("service"), failover.get("service"), failover.get("fallback")} - {None}
            children = [*service.get("weighted", {}).get("services", []), *mirroring.get("mirrors", [])]
            assert named | {one["name"] for one in children} <= set(services)
            if "loadBalancer" in service:
                assert service["loadBalancer"]["serversTransport"] in found["serversTransports"]
        assert used == set(found["middlewares"])


def test_a_request_is_sent_again_only_where_that_changes_nothing() -> None:
    file = http(OLD)
    assert file["routers"]["web"]["middlewares"][-2:] == ["web-again", "web-retry"], "the outer one first"
    found = file["middlewares"]
    assert found["web-again"]["retry"]["status"] == ["502"]
    assert found["web-again"]["retry"]["disableRetryOnNetworkError"] is True
    assert "retryNonIdempotentMethod" not in json.dumps(found)
    assert "status" not in found["web-retry"]["retry"]


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
