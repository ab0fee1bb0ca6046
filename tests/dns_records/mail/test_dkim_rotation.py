"""DKIM keys change from one to the next without a moment in which signatures fail."""

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.dns_records.samples import rsa_key
from tierstack.core.arguments import load
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dkim import rotation as dkim_rotation
from tierstack.dns_records.mail.dkim.rotation import Keys
from tierstack.dns_records.options import DkimAlgorithm, DkimKeyArgs, OwnMailServerArgs
from tierstack.dns_records.rules import errors

DOCUMENTED: list[tuple[str, list[dict[str, Any]], list[str]]] = [
    ("the start", [{"selector": "a", "generate": "rsa"}, {"selector": "b", "generate": "rsa"}], ["a"]),
    ("b signs", [{"selector": "a", "generate": "rsa"}, {"selector": "b", "generate": "rsa"}], ["b"]),
    (
        "a week later, a is withdrawn and c comes",
        [
            {"selector": "a", "generate": "rsa", "withdrawn": True},
            {"selector": "b", "generate": "rsa"},
            {"selector": "c", "generate": "rsa"},
        ],
        ["b"],
    ),
    ("a leaves", [{"selector": "b", "generate": "rsa"}, {"selector": "c", "generate": "rsa"}], ["b"]),
    ("c signs", [{"selector": "b", "generate": "rsa"}, {"selector": "c", "generate": "rsa"}], ["c"]),
]
"""The way of docs/components/dns-records.md: each step is one update."""


def described(dkim_keys: list[dict[str, Any]], sign_with: list[str] | None = None) -> DNSRecordsArgs:
    own: dict[str, Any] = {"ipv4": ["198.51.100.20"], "dkim": dkim_keys}
    if sign_with is not None:
        own["sign_with"] = sign_with
    value, problems = load(DNSRecordsArgs, {"domain": "example.org", "mail": {"own_server": own}})
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    return value


def own(args: DNSRecordsArgs) -> OwnMailServerArgs:
    assert args.mail
    assert args.mail.own_server
    return args.mail.own_server


START = datetime(2026, 1, 1, tzinfo=UTC)
LATER = START + timedelta(days=30)


def keys(published: dict[str, str], signing: list[str], signed: dict[str, str] | None = None) -> Keys:
    """The keys as they were remembered at START; `signed` says what stopped when."""
    since = dict.fromkeys(published, START.isoformat())
    return Keys(published, signing, since, {**dict.fromkeys(signing, ""), **(signed or {})})


STOPPED = START.isoformat()


def test_the_documented_way_is_never_refused_and_never_leaves_a_signature_without_its_key() -> None:
    before, zones, at = None, [], START
    for _, published, signing in DOCUMENTED:
        at += timedelta(days=7)
        args = described(published, signing)
        assert not errors(args.zone().findings)
        now = dkim_rotation.keys(own(args))
        assert not dkim_rotation.steps(before, now, at)
        before = dkim_rotation.remembered(before, now, at)
        zones.append((args.zone(), signing))
    for (earlier, signing), (later, _) in itertools.pairwise(zones):
        # Mail that was signed before an update arrives after it, and resolvers may hold the zone before.
        for zone in (earlier, later):
            for selector in signing:
                one = zone.get(f"{selector}._domainkey.example.org", "TXT")
                assert one
                assert "; p=M" in one.values[0], "a live key"


@pytest.mark.parametrize(
    ("before", "now", "refused"),
    [
        # the first update, and nothing changed
        (None, keys({"a": "generated rsa"}, ["a"]), ""),
        (keys({"a": "generated rsa"}, ["a"]), keys({"a": "generated rsa"}, ["a"]), ""),
        # removed at once: while it signs, and after it has
        (keys({"a": "1", "b": "2"}, ["a"]), keys({"b": "2"}, ["b"]), "the key of `a` would vanish"),
        (keys({"a": "1", "b": "2"}, ["b"], {"a": STOPPED}), keys({"b": "2"}, ["b"]), "the key of `a` would vanish"),
        (keys({"a": "withdrawn", "b": "2"}, ["b"]), keys({"b": "2"}, ["b"]), ""),
        (keys({"a": "compromised", "b": "2"}, ["b"]), keys({"b": "2"}, ["b"]), ""),
        # one that never signed may go
        (keys({"a": "1", "b": "2"}, ["a"]), keys({"a": "1"}, ["a"]), ""),
        # withdrawn in the update in which it stops signing
        (keys({"a": "1", "b": "2"}, ["a"]), keys({"a": "withdrawn", "b": "2"}, ["b"]), "`a` signs until this update"),
        (keys({"a": "1", "b": "2"}, ["a"]), keys({"a": "compromised", "b": "2"}, ["b"]), ""),
        (keys({"a": "1", "b": "2"}, ["b"], {"a": STOPPED}), keys({"a": "withdrawn", "b": "2"}, ["b"]), ""),
        # signs before it is published
        (keys({"a": "1"}, ["a"]), keys({"a": "1", "b": "2"}, ["b"]), "`b` would sign before its key is published"),
        (keys({"a": "1"}, ["a"]), keys({"a": "compromised", "b": "2"}, ["b"]), ""),
        # another key under the same selector
        (keys({"a": "generated rsa"}, ["a"]), keys({"a": "generated ed25519"}, ["a"]), "`a` would get another key"),
        (keys({"a": "withdrawn", "b": "2"}, ["b"]), keys({"a": "1", "b": "2"}, ["b"]), "`a` would get another"),
    ],
)
def test_steps(before: Keys | None, now: Keys, refused: str) -> None:
    found = dkim_rotation.steps(before, now, LATER)
    assert len(found) == (1 if refused else 0), found
    assert all(one.startswith(refused) and "(RFC " in one for one in found)


def test_a_key_that_signed_once_is_remembered_until_it_is_withdrawn() -> None:
    before: Keys | None = None
    at, day = START, timedelta(days=7)
    for now, signed in (
        (Keys({"a": "1", "b": "2", "c": "3"}, ["a"]), {"a": ""}),
        (Keys({"a": "1", "b": "2", "c": "3"}, ["b"]), {"a": (START + 2 * day).isoformat(), "b": ""}),
        (
            Keys({"a": "1", "b": "2", "c": "3"}, ["c"]),
            {"a": (START + 2 * day).isoformat(), "b": (START + 3 * day).isoformat(), "c": ""},
        ),
        (Keys({"a": "withdrawn", "b": "2", "c": "3"}, ["c"]), {"b": (START + 3 * day).isoformat(), "c": ""}),
    ):
        at += day
        assert not dkim_rotation.steps(before, now, at)
        before = dkim_rotation.remembered(before, now, at)
        assert before.signed == signed
        assert set(before.since.values()) == {(START + day).isoformat()}
    assert before
    assert len(dkim_rotation.steps(before, Keys({"c": "3"}, ["c"]), at)) == 1, "b was never withdrawn; a was"


names = st.sampled_from(["a", "b", "c"])
states = st.builds(
    lambda published, signing: (published, [one for one in signing if published.get(one) == "live"]),
    st.dictionaries(names, st.sampled_from(["live", "live", "withdrawn", "compromised"]), min_size=1),
    st.lists(names, unique=True, max_size=2),
)


hours = st.sampled_from([0, 1, 2, 4, 24, 119, 121])


@given(st.lists(st.tuples(states, hours), min_size=2, max_size=8))
def test_whatever_is_tried_no_signature_loses_its_key_unless_it_is_stolen(tried: list[Any]) -> None:
    """Updates that are refused change nothing. Of the others: what signed in the last five days is live, and what
    begins to sign is known everywhere."""
    before: Keys | None = None
    at, signed_at, published_at = START, dict[str, datetime](), dict[str, datetime]()
    for (published, signing), passed in tried:
        at += timedelta(hours=passed)
        now = Keys(published, signing)
        if dkim_rotation.steps(before, now, at):
            continue
        for selector in before.signing if before else ():
            signed_at[selector] = at  # until this update
        for selector, last in signed_at.items():
            if at < last + dkim_rotation.DELIVERED and before and before.published.get(selector) == "live":
                assert published.get(selector) in ("live", "compromised")
        if before and any(published.get(one) != "compromised" for one in before.signing):
            for selector in set(signing) - set(before.signing):
                assert at >= published_at[selector] + dkim_rotation.KNOWN_EVERYWHERE
        for selector in (name for name, key in published.items() if key == "compromised"):
            signed_at.pop(selector, None)  # what a stolen key signed is worth nothing, whatever stands there later
        published_at = {name: published_at.get(name, at) for name in published}
        before = dkim_rotation.remembered(before, now, at)
        assert all(before.published[one] == "live" for one in before.signed)


@pytest.mark.parametrize(
    ("passed", "refused"),
    [
        (timedelta(), "`b` is published since 2026-01-01 00:00 UTC, and resolvers may hold until 2026-01-01 03:00 UTC"),
        (timedelta(hours=2, minutes=59), "`b` is published since"),
        (timedelta(hours=3), ""),
    ],
)
def test_a_new_key_signs_once_every_resolver_can_know_it(passed: timedelta, refused: str) -> None:
    published = {"a": "1", "b": "2"}
    before = dkim_rotation.remembered(None, Keys(published, ["a"]), START)
    found = dkim_rotation.steps(before, Keys(published, ["b"]), START + passed)
    assert len(found) == bool(refused)
    assert all(one.startswith(refused) for one in found)


@pytest.mark.parametrize(
    ("passed", "refused"),
    [
        (timedelta(), "mail that `a` signed may be under way until 2026-01-06 00:00 UTC"),
        (timedelta(days=4, hours=23), "mail that `a` signed"),
        (timedelta(days=5), ""),
    ],
)
def test_an_old_key_stays_until_its_mail_is_delivered(passed: timedelta, refused: str) -> None:
    published = {"a": "1", "b": "2"}
    before = dkim_rotation.remembered(keys(published, ["a"]), Keys(published, ["b"]), START)
    after = Keys({"a": "withdrawn", "b": "2"}, ["b"])
    found = dkim_rotation.steps(before, after, START + passed)
    assert len(found) == bool(refused)
    assert all(one.startswith(refused) for one in found)
    assert not dkim_rotation.steps(before, Keys({"a": "compromised", "b": "2"}, ["b"]), START + passed)


def test_a_given_key_is_the_same_however_it_is_written() -> None:
    text = rsa_key(2048)
    pem = f"-----BEGIN PUBLIC KEY-----\n{text[:64]}\n{text[64:]}\n-----END PUBLIC KEY-----\n"
    one, two, three = (
        dkim_rotation.keys(OwnMailServerArgs(dkim=[DkimKeyArgs(selector="a", public_key=key)]))
        for key in (text, pem, rsa_key(3072))
    )
    assert one == two
    assert one != three


def test_the_first_live_selector_signs_by_default() -> None:
    listed = [
        DkimKeyArgs(selector="a", withdrawn=True),
        DkimKeyArgs(selector="b", generate=DkimAlgorithm.RSA),
        DkimKeyArgs(selector="c", generate=DkimAlgorithm.RSA),
    ]
    assert OwnMailServerArgs(dkim=listed).signers == ["b"]


def test_ed25519_alone_is_warned_of() -> None:
    listed = [{"selector": "a", "generate": "rsa"}, {"selector": "b", "generate": "ed25519"}]
    found = {one.code: one.path for one in described(listed, ["b"]).zone().findings}
    assert found["dkim-ed25519-only"] == "mail.own_server.sign_with"
    assert "dkim-ed25519-only" not in [one.code for one in described(listed, ["a", "b"]).zone().findings]


def test_a_key_that_another_publishes_is_an_alias() -> None:
    zone = described([{"selector": "s1", "target": "s1.dkim.sender.example"}]).zone()
    assert not errors(zone.findings)
    one = zone.get("s1._domainkey.example.org", "CNAME")
    assert one
    assert one.values == ("s1.dkim.sender.example.",)


@pytest.mark.parametrize("kind", DkimAlgorithm)
def test_a_stand_in_has_the_form_of_a_good_key(kind: DkimAlgorithm) -> None:
    text = dkim.key_record(dkim.stand_in(kind))
    assert text.startswith(f"v=DKIM1; k={kind.value}; p=")
    assert not dkim.check(text, "x")
