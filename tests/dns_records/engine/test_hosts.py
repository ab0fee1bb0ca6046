"""Publishing to real servers, BIND and Knot, without the engine: ownership, other writers, what is left half done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dns_records.servers import KEYS, SERVERS, ZONE, Proxy, Server, running
from tierstack.dns_records.publish.hosts import Host, PublishError
from tierstack.dns_records.publish.plan import Limits
from tierstack.dns_records.publish.rfc2136 import PrerequisiteProvider
from tierstack.dns_records.records import RecordSet

APEX = {f"{ZONE} NS": ["3600 ns1.shop.example."], f"ns1.{ZONE} A": ["3600 127.0.0.1"]}
"""What the zone holds before anybody publishes."""
NONE = Limits()


@pytest.fixture(params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    with running(request.param, tmp_path / "server") as one:
        yield one


def host(server: Server, **changes: Any) -> Host:
    settings = {"host": "127.0.0.1", "port": float(server.port), "key_name": "tierstack", "timeout": 5.0}
    settings |= {"key_algorithm": "hmac-sha256", **changes}
    secret = settings.pop("key_secret", KEYS["tierstack"])
    return Host({"host": "rfc2136", "zone": ZONE, "settings": settings}, {"key_secret": secret})


def sets(*given: tuple[str, str, list[str]], ttl: int = 300) -> dict[str, RecordSet]:
    """Record sets from `(name below the zone, type, values)`."""
    made = [
        RecordSet(f"{name}.{ZONE}" if name else ZONE, kind, tuple(sorted(values)), ttl) for name, kind, values in given
    ]
    return {one.key: one for one in made}


EVERY_TYPE = sets(
    ("", "A", ["192.0.2.1", "192.0.2.2"]),
    ("*", "AAAA", ["2001:db8::1"]),
    ("www", "CNAME", [f"{ZONE}."]),
    ("", "MX", ["10 mail.example.org."]),
    ("", "TXT", ["v=spf1 -all", 'a; b "c" \\d', "käse  und  brot", "x" * 600]),
    ("", "CAA", ['0 issue "letsencrypt.org; accounturi=https://acme.example/1"', '0 issuewild ";"']),
    ("_25._tcp", "TLSA", [f"3 1 1 {'ab' * 32}"]),
    ("_sip._tcp", "SRV", ["0 1 5060 sip.example.org."]),
    ("shell", "SSHFP", [f"4 2 {'cd' * 32}"]),
    ("", "HTTPS", ['1 . alpn="h2,h3"']),
    ("sub", "NS", ["ns1.example.net."]),
)


def test_every_type_arrives_is_read_as_it_was_and_goes_again(server: Server) -> None:
    host(server).publish({}, EVERY_TYPE, NONE)
    assert set(server.sets()) == {*APEX, *EVERY_TYPE}
    assert host(server).read(EVERY_TYPE) == EVERY_TYPE
    found = host(server).compare(EVERY_TYPE, EVERY_TYPE, NONE)
    assert {key: found.live[key] for key in EVERY_TYPE} == EVERY_TYPE
    host(server).publish(EVERY_TYPE, {}, Limits(max_delete_percent=100))
    assert server.sets() == APEX


def test_a_change_leaves_what_others_wrote(server: Server) -> None:
    owned = sets(("a", "A", ["192.0.2.1"]), ("b", "A", ["192.0.2.1"]), ("c", "A", ["192.0.2.1"]))
    host(server).publish({}, owned, NONE)
    server.write(f"theirs.{ZONE}", "TXT", ['"leave me"'])
    wanted = sets(("a", "A", ["192.0.2.9"]), ("b", "A", ["192.0.2.1"]), ("d", "A", ["192.0.2.4"]))
    host(server).publish(owned, wanted, Limits(max_delete_percent=40))
    theirs = {f"theirs.{ZONE} TXT": ['300 "leave me"']}
    ours = {key: [f"300 {value}" for value in one.values] for key, one in wanted.items()}
    assert server.sets() == {**APEX, **theirs, **ours}


def test_an_alias_becomes_an_address_and_back_in_one_update(server: Server) -> None:
    alias, address = sets(("www", "CNAME", [f"{ZONE}."])), sets(("www", "A", ["192.0.2.1"]))
    host(server).publish({}, alias, NONE)
    host(server).publish(alias, address, NONE)
    assert server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}
    host(server).publish(address, alias, NONE)
    assert server.sets() == {**APEX, f"www.{ZONE} CNAME": [f"300 {ZONE}."]}


def test_a_set_of_others_is_refused_until_it_is_adopted(server: Server) -> None:
    server.write(f"www.{ZONE}", "A", ["198.51.100.1"])
    wanted = sets(("www", "A", ["192.0.2.1"]), ("new", "A", ["192.0.2.1"]))
    before = server.sets()
    with pytest.raises(PublishError, match=r"www\.shop\.example A = \['300 198\.51\.100\.1'\]: is at the DNS host"):
        host(server).publish({}, wanted, NONE)
    assert server.sets() == before, "nothing of a refused update is done"
    host(server).publish({}, wanted, Limits(adopt=(f"www.{ZONE} A",)))
    assert server.sets()[f"www.{ZONE} A"] == ["300 192.0.2.1"]


def test_the_same_values_of_others_are_taken_over_without_a_word(server: Server) -> None:
    server.write(f"www.{ZONE}", "A", ["192.0.2.1"])
    host(server).publish({}, sets(("www", "A", ["192.0.2.1"])), NONE)
    assert server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}


def test_an_alias_of_others_in_the_way_is_named_not_silently_kept(server: Server) -> None:
    server.write(f"www.{ZONE}", "CNAME", ["elsewhere.example.net."])
    wanted = sets(("www", "A", ["192.0.2.1"]))
    with pytest.raises(PublishError, match=r"www\.shop\.example CNAME .*in the way of www\.shop\.example A"):
        host(server).publish({}, wanted, NONE)
    host(server).publish({}, wanted, Limits(adopt=("*",)))
    assert server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}


@pytest.mark.parametrize("before", ["nothing", "a set", "a set that is deleted"])
def test_a_writer_between_reading_and_writing_wins_and_is_noticed(
    server: Server, before: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned = {} if before == "nothing" else sets(("www", "A", ["192.0.2.1"]))
    host(server).publish({}, owned, NONE)
    wanted = {} if before == "a set that is deleted" else sets(("www", "A", ["192.0.2.2"]))
    send = PrerequisiteProvider._apply

    def late(self: Any, plan: Any) -> Any:
        server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
        return send(self, plan)

    monkeypatch.setattr(PrerequisiteProvider, "_apply", late)
    with pytest.raises(PublishError, match=r"answered (YXRRSET|NXRRSET): another writer .*; update again"):
        host(server).publish(owned, {**wanted, **sets(("also", "A", ["192.0.2.3"]))}, NONE)
    assert server.sets() == {**APEX, f"www.{ZONE} A": ["300 203.0.113.1"]}, "all of the message or nothing"


def test_what_another_writer_changed_is_not_overwritten_nor_deleted(server: Server) -> None:
    owned = sets(("www", "A", ["192.0.2.1"]))
    host(server).publish({}, owned, NONE)
    server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
    for wanted in (sets(("www", "A", ["192.0.2.2"])), {}):
        with pytest.raises(PublishError, match="changed at the DNS host by another writer; this stack had published"):
            host(server).publish(owned, wanted, NONE)
    assert server.sets()[f"www.{ZONE} A"] == ["300 203.0.113.1"]


def test_what_another_writer_deleted_comes_back(server: Server) -> None:
    owned = sets(("www", "A", ["192.0.2.1"]), ("api", "A", ["192.0.2.1"]))
    host(server).publish({}, owned, NONE)
    server.write(f"www.{ZONE}", "A", [])
    assert host(server).read(owned) == sets(("api", "A", ["192.0.2.1"]))
    host(server).publish(owned, owned, NONE)
    assert f"www.{ZONE} A" in server.sets()


def test_an_answer_that_is_lost_is_made_good_by_the_next_run(server: Server) -> None:
    wanted = sets(("www", "A", ["192.0.2.1"]))
    with (
        Proxy(server, lambda _: False) as proxy,
        pytest.raises(PublishError, match=r"no answer to an update .*; update again"),
    ):
        host(server, port=proxy.port).publish({}, wanted, NONE)
    assert f"www.{ZONE} A" in server.sets(), "the server has done it"
    host(server).publish({}, wanted, NONE)
    assert server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}


def test_a_zone_of_several_messages_that_stopped_after_the_first_is_completed(server: Server) -> None:
    wanted = sets(*((f"h{n}", "TXT", [f"{n} " + "x" * 700]) for n in range(150)))
    with Proxy(server, lambda count: count < 1) as proxy, pytest.raises(PublishError):
        host(server, port=proxy.port).publish({}, wanted, NONE)
    half = len(server.sets()) - len(APEX)
    assert 0 < half < len(wanted), "half-applied"
    host(server).publish({}, wanted, NONE)
    assert set(server.sets()) == {*APEX, *wanted}


def test_a_large_delete_is_refused_and_done_with_its_flag(server: Server) -> None:
    owned = sets(*((f"h{n}", "A", ["192.0.2.1"]) for n in range(4)))
    host(server).publish({}, owned, NONE)
    wanted = sets(("h0", "A", ["192.0.2.1"]))
    with pytest.raises(PublishError, match=r"would delete 3 of 4 record sets \(75 %\).*write 75 for this update"):
        host(server).publish(owned, wanted, NONE)
    assert len(server.sets()) == len(APEX) + 4
    host(server).publish(owned, wanted, Limits(max_delete_percent=75))
    assert set(server.sets()) == {*APEX, *wanted}


def test_name_servers_of_the_zone_change_only_with_their_flag(server: Server) -> None:
    wanted = sets(
        ("", "NS", [f"ns2.{ZONE}.", f"ns3.{ZONE}."]), ("ns2", "A", ["192.0.2.2"]), ("ns3", "A", ["192.0.2.3"])
    )
    limits = Limits(adopt=("*",))
    with pytest.raises(PublishError, match=r"allow_ns_changes: true"):
        host(server).publish({}, wanted, limits)
    assert server.sets() == APEX
    host(server).publish({}, wanted, Limits(adopt=("*",), allow_ns_changes=True))
    assert server.sets()[f"{ZONE} NS"] == [f"300 ns2.{ZONE}.", f"300 ns3.{ZONE}."]


@pytest.mark.parametrize(
    "changes",
    [{"key_secret": KEYS["colleague"]}, {"key_name": "nobody"}, {"key_secret": "not base64!"}, {"port": 1.0}],
    ids=["wrong secret", "unknown key", "no key at all", "nobody listens"],
)
def test_a_server_that_cannot_be_used_is_one_clear_problem(server: Server, changes: dict[str, Any]) -> None:
    wanted = sets(("www", "A", ["192.0.2.1"]))
    (problem,) = host(server, **changes).judge({}, wanted, NONE)
    assert problem.path == "publish.rfc2136"
    assert problem.instead
    for secret in (*KEYS.values(), "not base64!"):
        assert secret not in str(problem)
    assert server.sets() == APEX


def test_a_zone_above_the_domain_holds_it_beside_others(server: Server) -> None:
    server.write(f"theirs.{ZONE}", "A", ["203.0.113.1"])
    owned = sets(("branch", "A", ["192.0.2.1"]), ("www.branch", "A", ["192.0.2.1"]))
    host(server).publish({}, owned, NONE)
    host(server).publish(owned, {}, Limits(max_delete_percent=100))
    assert server.sets() == {**APEX, f"theirs.{ZONE} A": ["300 203.0.113.1"]}
