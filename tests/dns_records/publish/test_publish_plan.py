"""What publishing may change: judged on plain values, rule by rule."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tierstack.dns_records.publish.plan import Limits, adopted, large_changes, refusals
from tierstack.dns_records.publish.switch import readiness
from tierstack.dns_records.publish.zone_records import ZoneRecordsProvider
from tierstack.dns_records.records.model import RecordSet

ZONE = "shop.example"
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def sets(*given: tuple[str, str, str], ttl: int = 300) -> dict[str, RecordSet]:
    made = [RecordSet(name, kind, tuple(values.split("|")), ttl) for name, kind, values in given]
    return {one.key: one for one in made}


A = sets(("a.shop.example", "A", "192.0.2.1"))
A2 = sets(("a.shop.example", "A", "192.0.2.2"))
ALIAS = sets(("a.shop.example", "CNAME", "b.example.net."))


@pytest.mark.parametrize(
    ("owned", "wanted", "live", "adopt", "said"),
    [
        ({}, A, {}, (), []),
        ({}, A, A2, (), ["is at the DNS host already"]),
        ({}, A, A2, ("a.shop.example A",), []),
        ({}, A, A2, ("A.shop.example A",), []),
        ({}, A, A2, ("*",), []),
        ({}, A, A2, ("b.shop.example A",), ["is at the DNS host already"]),
        (A, A2, A, (), []),
        (A, A2, {}, (), []),
        (A, A2, sets(("a.shop.example", "A", "203.0.113.1")), (), ["was changed at the DNS host by another writer"]),
        (A, A2, sets(("a.shop.example", "A", "192.0.2.1"), ttl=60), (), []),
        (A, {}, A, (), []),
        (A, {}, A2, (), ["was changed at the DNS host by another writer"]),
        ({}, A, ALIAS, (), ["stands at the DNS host in the way of a.shop.example A"]),
        ({}, A, ALIAS, ("a.shop.example CNAME",), []),
        ({}, ALIAS, A, (), ["stands at the DNS host in the way of a.shop.example CNAME"]),
        (ALIAS, A, ALIAS, (), []),
        ({}, A, sets(("a.shop.example", "TXT", "theirs")), ("*",), []),
    ],
)
def test_others_are_respected(
    owned: dict[str, RecordSet],
    wanted: dict[str, RecordSet],
    live: dict[str, RecordSet],
    adopt: tuple[str, ...],
    said: list[str],
) -> None:
    changed = {key for key in {**owned, **wanted} if live.get(key) != wanted.get(key)}
    found = refusals(owned, wanted, live, changed, ZONE, Limits(adopt=adopt))
    assert len(found) == len(said), found
    assert all(text in one.message for one, text in zip(found, said, strict=True))


def test_only_what_is_wanted_or_in_the_way_is_adopted() -> None:
    live = {**A2, **sets(("a.shop.example", "TXT", "theirs"), ("b.shop.example", "A", "192.0.2.1"))}
    assert adopted({}, A, live, Limits(adopt=("*",))) == A2
    assert adopted({}, A, ALIAS, Limits(adopt=("*",))) == ALIAS
    assert adopted(A, A, A2, Limits(adopt=("*",))) == {}, "what is ours is not taken over again"


@pytest.mark.parametrize(
    ("before", "after", "percent", "refused"),
    [(2, 0, 0, False), (3, 0, 30, True), (3, 0, 99, True), (3, 0, 100, False), (10, 7, 30, False), (10, 6, 30, True)],
)
def test_two_sets_may_always_go_and_more_up_to_the_limit(before: int, after: int, percent: int, refused: bool) -> None:
    owned = sets(*((f"h{n}.shop.example", "A", "192.0.2.1") for n in range(before)))
    wanted = dict(list(owned.items())[:after])
    assert bool(large_changes(owned, wanted, ZONE, Limits(max_delete_percent=percent))) is refused


def test_what_the_message_says_to_write_is_enough() -> None:
    owned = sets(*((f"h{n}.shop.example", "A", "192.0.2.1") for n in range(7)))
    (problem,) = large_changes(owned, {}, ZONE, Limits())
    assert "write 100 for this update" in problem.hint
    kept = dict(list(owned.items())[:4])
    (problem,) = large_changes(owned, kept, ZONE, Limits())
    assert "write 43 for this update" in problem.hint
    assert not large_changes(owned, kept, ZONE, Limits(max_delete_percent=43))


NS = sets((ZONE, "NS", "ns1.example.net.|ns2.example.net."))


@pytest.mark.parametrize("after", [{}, sets((ZONE, "NS", "ns3.example.net."))], ids=["gone", "others"])
def test_name_servers_of_the_zone_need_their_flag(after: dict[str, RecordSet]) -> None:
    (problem,) = large_changes(NS, after, ZONE, Limits())
    assert "allow_ns_changes: true" in problem.hint
    assert not large_changes(NS, after, ZONE, Limits(allow_ns_changes=True))
    assert not large_changes(NS, after, "example", Limits()), "a delegation inside a zone above is an ordinary set"


def at(values: str, ttl: int) -> dict[str, RecordSet]:
    return sets((ZONE, "A", values), ttl=ttl)


def switch(at_once: bool = False) -> dict[str, dict[str, object]]:
    return {ZONE: {"low_ttl": 60.0, "at_once": at_once}}


def test_a_switch_waits_until_the_old_ttl_has_run_out() -> None:
    blue, low, green = at("192.0.2.1", 3600), at("192.0.2.1", 60), at("192.0.2.2", 60)
    early = readiness(blue, green, switch(), {}, NOW)
    assert "keep the old answer for up to 3600 s" in early.problems[0].message
    lowered = readiness(blue, low, switch(), {}, NOW)
    assert not lowered.problems
    assert lowered.quiet_from == {ZONE: "2026-11-21T13:00:00+00:00"}
    again = readiness(low, low, switch(), lowered.quiet_from, NOW + timedelta(minutes=5))
    assert again.quiet_from == lowered.quiet_from, "an update in between does not begin anew"
    too_early = readiness(low, green, switch(), lowered.quiet_from, NOW + timedelta(minutes=59))
    assert "until 2026-11-21T13:00:00+00:00" in too_early.problems[0].message
    assert not readiness(low, green, switch(at_once=True), lowered.quiet_from, NOW).problems
    assert not readiness(low, green, switch(), lowered.quiet_from, NOW + timedelta(minutes=60)).problems
    # Back at once is possible, and raising the TTL ends it.
    assert not readiness(green, low, switch(), lowered.quiet_from, NOW + timedelta(minutes=61)).problems
    raised = readiness(green, at("192.0.2.2", 3600), switch(), lowered.quiet_from, NOW)
    assert (raised.problems, raised.quiet_from) == ([], {})


def test_a_new_host_and_one_without_a_switch_wait_for_nothing() -> None:
    assert not readiness({}, at("192.0.2.1", 3600), switch(), {}, NOW).problems
    assert not readiness(at("192.0.2.1", 3600), at("192.0.2.2", 3600), {}, {}, NOW).problems


def inputs(ip: str, ttl: int, **more: Any) -> dict[str, Any]:
    publish = {"host": "rfc2136", "zone": ZONE, "settings": {"host": "127.0.0.1", "port": 1.0, "timeout": 1.0}}
    records = {f"{ZONE} A": [f"{ttl} {ip}"]}
    return {"domain": ZONE, "ttl": 3600.0, "records": records, "publish": publish, "switches": switch(), **more}


def test_the_check_of_the_resource_remembers_when_a_switch_is_ready() -> None:
    unknown = {"credentials": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}  # not known yet, so nothing is asked
    provider = ZoneRecordsProvider()
    low = provider.check(inputs("192.0.2.1", 3600), inputs("192.0.2.1", 60, **unknown))
    assert not low.failures
    assert set(low.inputs["quiet_from"]) == {ZONE}
    early = provider.check(low.inputs, inputs("192.0.2.2", 60, **unknown))
    assert [one.reason for one in early.failures] == [
        f"{ZONE}: would move while resolvers may keep the answer with the old TTL, until "
        f"{low.inputs['quiet_from'][ZONE]}; switch after that, or write `at_once: true` "
        "[web-switch-early, RFC 1035 §3.2.1]"
    ]


def test_an_address_that_is_not_known_yet_is_no_change() -> None:
    provider = ZoneRecordsProvider()
    olds = inputs("192.0.2.1", 3600)
    news = inputs("192.0.2.1", 3600)
    news["records"] = {f"{ZONE} A": "04da6b54-80e4-46f7-96ec-b56ff0331ba9"}
    assert not provider.check(olds, news).failures


def test_nothing_is_asked_when_nothing_changes() -> None:
    # Nobody listens at port 1: a question would be a failure.
    assert not ZoneRecordsProvider().check(inputs("192.0.2.1", 60), inputs("192.0.2.1", 60)).failures
    (failure,) = ZoneRecordsProvider().check({}, inputs("192.0.2.1", 60)).failures
    assert failure.reason.startswith("publish.rfc2136: cannot be used: no transfer of shop.example.")
