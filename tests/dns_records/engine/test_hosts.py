"""Publishing to real servers, BIND, Knot and PowerDNS, without the engine: ownership, other writers, what is left half done."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.dns_records.servers import API_KEY, KEYS, SERVERS, ZONE, Proxy, Server, running
from tierstack.dns_records.publish.hosts import Host, PublishError
from tierstack.dns_records.publish.plan import Limits
from tierstack.dns_records.publish.rfc2136 import PrerequisiteProvider
from tierstack.dns_records.records.model import RecordSet

APEX = {f"{ZONE} NS": ["3600 ns1.shop.example."], f"ns1.{ZONE} A": ["3600 127.0.0.1"]}
"""What the zone holds before anybody publishes."""
NONE = Limits()


@pytest.fixture(params=[*SERVERS, pytest.param("powerdns", marks=pytest.mark.needs("pdns_server"))])
def any_server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Server]:
    """Also one that knows no prerequisites: what comes between reading and writing it cannot notice."""
    with running(request.param, tmp_path / "server") as one:
        yield one


def host(server: Server, **changes: Any) -> Host:
    if server.api_port:
        settings = {"scheme": "http", "host": "127.0.0.1", "port": float(server.api_port), "server_id": "localhost"}
        return Host({"host": "powerdns", "zone": ZONE, "settings": settings}, {"api_key": API_KEY})
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
    ("", "TXT", ["v=spf1 -all", "v=DMARC1; p=none", "x" * 257]),
    ("", "CAA", ['0 issue "letsencrypt.org; accounturi=https://acme.example/1"', '0 issuewild ";"']),
    ("_25._tcp", "TLSA", [f"3 1 1 {'ab' * 32}"]),
    ("_sip._tcp", "SRV", ["0 1 5060 sip.example.org."]),
    ("shell", "SSHFP", [f"4 2 {'cd' * 32}"]),
    ("", "HTTPS", ['1 . alpn="h2,h3"']),
    ("sub", "NS", ["ns1.example.net."]),
)
ODD_TEXTS = sets(("odd", "TXT", ['a; b "c" \\d', 'Käse; "mit" \\ Brot', "ü" * 200]))


def test_every_type_arrives_is_read_as_it_was_and_goes_again(any_server: Server) -> None:
    wanted = EVERY_TYPE if any_server.kind == "powerdns" else {**EVERY_TYPE, **ODD_TEXTS}
    host(any_server).publish({}, wanted, NONE)
    assert set(any_server.sets()) == {*APEX, *wanted}
    assert any_server.sets()[f"{ZONE} TXT"] == [
        '300 "v=DMARC1; p=none"',
        '300 "v=spf1 -all"',
        f'300 "{"x" * 255}" "xx"',
    ]
    assert host(any_server).read(wanted) == wanted
    found = host(any_server).compare(wanted, wanted, NONE)
    assert {key: found.live[key] for key in wanted} == wanted
    host(any_server).publish(wanted, {}, Limits(max_delete_percent=100))
    assert any_server.sets() == APEX


@pytest.mark.needs("pdns_server")
def test_a_text_that_a_host_would_get_wrong_is_refused(tmp_path: Path) -> None:
    with running("powerdns", tmp_path / "server") as server:
        before = server.sets()
        with pytest.raises(PublishError, match="which octoDNS does not carry to powerdns; write the text without"):
            host(server).publish({}, ODD_TEXTS, NONE)
        assert len(host(server).judge({}, ODD_TEXTS, NONE)) == 3
        assert server.sets() == before


def test_a_change_leaves_what_others_wrote(any_server: Server) -> None:
    owned = sets(("a", "A", ["192.0.2.1"]), ("b", "A", ["192.0.2.1"]), ("c", "A", ["192.0.2.1"]))
    host(any_server).publish({}, owned, NONE)
    any_server.write(f"theirs.{ZONE}", "TXT", ['"leave me"'])
    wanted = sets(("a", "A", ["192.0.2.9"]), ("b", "A", ["192.0.2.1"]), ("d", "A", ["192.0.2.4"]))
    host(any_server).publish(owned, wanted, Limits(max_delete_percent=40))
    theirs = {f"theirs.{ZONE} TXT": ['300 "leave me"']}
    ours = {key: [f"300 {value}" for value in one.values] for key, one in wanted.items()}
    assert any_server.sets() == {**APEX, **theirs, **ours}


def test_an_alias_becomes_an_address_and_back_in_one_update(any_server: Server) -> None:
    alias, address = sets(("www", "CNAME", [f"{ZONE}."])), sets(("www", "A", ["192.0.2.1"]))
    host(any_server).publish({}, alias, NONE)
    host(any_server).publish(alias, address, NONE)
    assert any_server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}
    host(any_server).publish(address, alias, NONE)
    assert any_server.sets() == {**APEX, f"www.{ZONE} CNAME": [f"300 {ZONE}."]}


def test_a_set_of_others_is_refused_until_it_is_adopted(any_server: Server) -> None:
    any_server.write(f"www.{ZONE}", "A", ["198.51.100.1"])
    wanted = sets(("www", "A", ["192.0.2.1"]), ("new", "A", ["192.0.2.1"]))
    before = any_server.sets()
    with pytest.raises(PublishError, match=r"www\.shop\.example A = \['300 198\.51\.100\.1'\]: is at the DNS host"):
        host(any_server).publish({}, wanted, NONE)
    assert any_server.sets() == before, "nothing of a refused update is done"
    host(any_server).publish({}, wanted, Limits(adopt=(f"www.{ZONE} A",)))
    assert any_server.sets()[f"www.{ZONE} A"] == ["300 192.0.2.1"]


def test_the_same_values_of_others_are_taken_over_without_a_word(any_server: Server) -> None:
    any_server.write(f"www.{ZONE}", "A", ["192.0.2.1"])
    host(any_server).publish({}, sets(("www", "A", ["192.0.2.1"])), NONE)
    assert any_server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}


def test_an_alias_of_others_in_the_way_is_named_not_silently_kept(any_server: Server) -> None:
    any_server.write(f"www.{ZONE}", "CNAME", ["elsewhere.example.net."])
    wanted = sets(("www", "A", ["192.0.2.1"]))
    with pytest.raises(PublishError, match=r"www\.shop\.example CNAME .*in the way of www\.shop\.example A"):
        host(any_server).publish({}, wanted, NONE)
    host(any_server).publish({}, wanted, Limits(adopt=("*",)))
    assert any_server.sets() == {**APEX, f"www.{ZONE} A": ["300 192.0.2.1"]}


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


def test_what_another_writer_changed_is_not_overwritten_nor_deleted(any_server: Server) -> None:
    owned = sets(("www", "A", ["192.0.2.1"]))
    host(any_server).publish({}, owned, NONE)
    any_server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
    for wanted in (sets(("www", "A", ["192.0.2.2"])), {}):
        with pytest.raises(PublishError, match="changed at the DNS host by another writer; this stack had published"):
            host(any_server).publish(owned, wanted, NONE)
    assert any_server.sets()[f"www.{ZONE} A"] == ["300 203.0.113.1"]


def test_what_another_writer_deleted_comes_back(any_server: Server) -> None:
    owned = sets(("www", "A", ["192.0.2.1"]), ("api", "A", ["192.0.2.1"]))
    host(any_server).publish({}, owned, NONE)
    any_server.write(f"www.{ZONE}", "A", [])
    assert host(any_server).read(owned) == sets(("api", "A", ["192.0.2.1"]))
    host(any_server).publish(owned, owned, NONE)
    assert f"www.{ZONE} A" in any_server.sets()


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


def test_a_large_delete_is_refused_and_done_with_its_flag(any_server: Server) -> None:
    owned = sets(*((f"h{n}", "A", ["192.0.2.1"]) for n in range(4)))
    host(any_server).publish({}, owned, NONE)
    wanted = sets(("h0", "A", ["192.0.2.1"]))
    with pytest.raises(PublishError, match=r"would delete 3 of 4 record sets \(75 %\).*write 75 for this update"):
        host(any_server).publish(owned, wanted, NONE)
    assert len(any_server.sets()) == len(APEX) + 4
    host(any_server).publish(owned, wanted, Limits(max_delete_percent=75))
    assert set(any_server.sets()) == {*APEX, *wanted}


def test_name_servers_of_the_zone_change_only_with_their_flag(any_server: Server) -> None:
    wanted = sets(
        ("", "NS", [f"ns2.{ZONE}.", f"ns3.{ZONE}."]), ("ns2", "A", ["192.0.2.2"]), ("ns3", "A", ["192.0.2.3"])
    )
    limits = Limits(adopt=("*",))
    with pytest.raises(PublishError, match=r"allow_ns_changes: true"):
        host(any_server).publish({}, wanted, limits)
    assert any_server.sets() == APEX
    host(any_server).publish({}, wanted, Limits(adopt=("*",), allow_ns_changes=True))
    assert any_server.sets()[f"{ZONE} NS"] == [f"300 ns2.{ZONE}.", f"300 ns3.{ZONE}."]


@pytest.mark.parametrize(
    "changes",
    [{"key_secret": KEYS["colleague"]}, {"key_name": "nobody"}, {"key_secret": "not base64!"}, {"port": 1.0}],
    ids=["wrong secret", "unknown key", "no key at all", "nobody listens"],
)
def test_a_server_that_cannot_be_used_is_one_clear_problem(server: Server, changes: dict[str, Any]) -> None:
    wanted = sets(("www", "A", ["192.0.2.1"]))
    (problem,) = host(server, **changes).judge({}, wanted, NONE)
    assert problem.path == "publish.rfc2136"
    assert problem.hint
    for secret in (*KEYS.values(), "not base64!"):
        assert secret not in str(problem)
    assert server.sets() == APEX


def test_names_and_targets_are_the_same_in_any_case(any_server: Server) -> None:
    any_server.write(f"WWW.{ZONE}", "MX", ["10 Mail.Example.ORG."])
    wanted = sets(("www", "MX", ["10 mail.example.org."]))
    host(any_server).publish({}, wanted, NONE)
    assert host(any_server).read(wanted) == wanted
    with pytest.raises(PublishError, match=r"www\.shop\.example MX .*is at the DNS host already"):
        host(any_server).publish({}, sets(("www", "MX", ["20 mail.example.org."])), NONE)


def test_octets_that_octodns_cannot_read_matter_at_our_names_only(server: Server) -> None:
    server.write(f"theirs.{ZONE}", "TXT", ['"\\200\\201"'])
    wanted = sets(("www", "A", ["192.0.2.1"]))
    host(server).publish({}, wanted, NONE)
    server.write(f"www.{ZONE}", "TXT", ['"\\200\\201"'])
    (problem,) = host(server).judge(wanted, {}, NONE)
    assert "www.shop.example. TXT of another writer holds what octoDNS cannot read" in problem.message


def test_a_zone_above_the_domain_holds_it_beside_others(any_server: Server) -> None:
    any_server.write(f"theirs.{ZONE}", "A", ["203.0.113.1"])
    owned = sets(("branch", "A", ["192.0.2.1"]), ("www.branch", "A", ["192.0.2.1"]))
    host(any_server).publish({}, owned, NONE)
    host(any_server).publish(owned, {}, Limits(max_delete_percent=100))
    assert any_server.sets() == {**APEX, f"theirs.{ZONE} A": ["300 203.0.113.1"]}


@pytest.mark.needs("pdns_server")
def test_a_zone_that_is_absent_and_a_wrong_api_key_are_problems_and_nothing_is_made(tmp_path: Path) -> None:
    with running("powerdns", tmp_path / "server") as server:
        right = host(server)
        right.zone = "other.example"
        wanted = {"www.other.example A": RecordSet("www.other.example", "A", ("192.0.2.1",), 300)}
        (problem,) = right.judge({}, wanted, NONE)
        assert "it has no zone other.example; make the zone there first" in problem.message
        with pytest.raises(PublishError, match="has no zone"):
            right.publish({}, wanted, NONE)
        settings = {"scheme": "http", "host": "127.0.0.1", "port": server.api_port}
        wrong = Host({"host": "powerdns", "zone": ZONE, "settings": settings}, {"api_key": "not-this-one"})
        (problem,) = wrong.judge({}, sets(("www", "A", ["192.0.2.1"])), NONE)
        assert "unauthorized" in problem.message
        assert "not-this-one" not in str(problem)
        assert server.sets() == APEX


def test_a_server_that_drops_a_change_without_a_word_is_found_out(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PrerequisiteProvider, "_apply", lambda *_: True)
    with pytest.raises(PublishError, match=r"took the update, but shows something else at www\.shop\.example A"):
        host(server).publish({}, sets(("www", "A", ["192.0.2.1"])), NONE)
