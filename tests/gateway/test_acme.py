"""When Traefik renews, and what it is told: the table of its source, and the shares of a lifetime that it can keep."""

import pytest

from tierstack.links import AcmeClient, DnsUpdates
from tierstack.platform.proxy import acme

DAY = 24 * 60


@pytest.mark.parametrize(
    ("hours", "percent", "before", "duration"),
    [
        (90 * 24, 34, 30 * DAY, 2160),
        (64 * 24, 34, 30 * DAY, 2160),
        (47 * 24, 34, 30 * DAY, 2160),
        (45 * 24, 34, 30 * DAY, 2160),
        (45 * 24, 20, 10 * DAY, 720),
        (200 * 24, 34, 120 * DAY, 8760),
        (160, 30, 2 * DAY, 168),
        (72, 34, 2 * DAY, 168),
        (24, 25, 6 * 60, 24),
        (1, 34, 20, 1),
    ],
)
def test_the_latest_renewal_that_leaves_the_share(hours: int, percent: int, before: int, duration: int) -> None:
    row = acme.renewal(hours, percent)
    assert row is not None
    assert (row.before_minutes, row.duration_hours) == (before, duration)
    assert row.percent(hours) >= percent


@pytest.mark.parametrize(
    ("hours", "percent", "possible"), [(160, 34, 30), (24, 34, 25), (100 * 24, 34, 30), (2160, 80, 34)]
)
def test_a_share_that_traefik_cannot_keep(hours: int, percent: int, possible: int) -> None:
    assert acme.renewal(hours, percent) is None
    assert max(acme.possible_percent(hours)) == possible
    assert acme.renewal(hours, possible) is not None


def test_there_is_a_share_for_every_lifetime_and_the_next_look_comes_before_the_end() -> None:
    for hours in range(1, 4801):
        possible = acme.possible_percent(hours)
        assert possible
        for percent in possible:
            row = acme.renewal(hours, percent)
            assert row is not None
            assert row.every_minutes < row.before_minutes < hours * 60


def client(**changes: object) -> AcmeClient:
    given = {"server": "https://ca/dir", "email": "a@b.c", "lifetime_hours": 2160, "renew_before_percent": 34}
    return AcmeClient(**{**given, **changes})  # type: ignore[arg-type]


def test_another_ca_is_another_resolver() -> None:
    """Traefik keeps a certificate that it has, whoever signed it; a staging CA's would stay."""
    assert acme.resolver_name(client()) != acme.resolver_name(client(server="https://ca/staging"))
    assert acme.resolver_name(client()) == acme.resolver_name(client(email="b@b.c"))


def test_http_01_is_answered_at_port_80_and_dns_01_waits_for_the_servers_that_are_named() -> None:
    (http,) = acme.resolvers(client(), "/home", "http").values()
    assert http["acme"]["httpChallenge"] == {"entryPoint": "http", "delay": "3s"}
    updates = DnsUpdates(server="ns:53", key_name="k", key_algorithm="hmac-sha256", key_secret="s")
    (plain,) = acme.resolvers(client(dns=updates), "/home", "http").values()
    assert plain["acme"]["dnsChallenge"] == {"provider": "rfc2136"}
    updates.resolvers = ["192.0.2.53"]
    (named,) = acme.resolvers(client(dns=updates), "/home", "http").values()
    assert named["acme"]["dnsChallenge"]["propagation"] == {"requireAllRNS": True, "disableANSChecks": True}
    assert "httpChallenge" not in named["acme"]


def test_an_order_leaves_out_what_its_wildcards_cover() -> None:
    names = ["a.example.org", "example.org", "*.example.org", "b.a.example.org", "*.a.example.org"]
    assert acme.ordered(names) == ["example.org", "*.example.org", "*.a.example.org"]
