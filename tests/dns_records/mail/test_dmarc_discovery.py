"""Which policy holds for a name: the tree walk of RFC 9989 §4.10, as checkdmarc walks it."""

import random

import checkdmarc.dmarc
import checkdmarc.utils
import pytest

from tests.dns_records.mail.test_spf import Fixed
from tests.dns_records.world import World
from tierstack.dns_records.mail.dmarc.discovery import Discovered, discover, effective
from tierstack.dns_records.resolve.names import LookupUnavailableError, Names
from tierstack.dns_records.zone.check import check_zone

LABELS = ["a", "b", "c", "d", "e", "f", "g", "h", "example", "org"]


def tree(seed: int) -> tuple[World, str]:
    """A name of 2 to 10 labels, and policies at some of the names above it."""
    dice = random.Random(seed)
    labels = LABELS[dice.randint(0, 8) :]
    answers: dict[tuple[str, str], list[str]] = {(".".join(labels), "A"): ["198.51.100.1"]}
    for at in range(len(labels)):
        if dice.random() < 0.4:
            psd = dice.choice(["", "", "; psd=y", "; psd=n", "; psd=u"])
            text = f"v=DMARC1; p={dice.choice(['none', 'quarantine', 'reject'])}{psd}"
            answers[(f"_dmarc.{'.'.join(labels[at:])}", "TXT")] = [text, "something=else"]
    return World(answers), ".".join(labels)


@pytest.mark.parametrize("seed", range(300))
def test_the_same_policy_as_checkdmarc(seed: int) -> None:
    checkdmarc.utils.DNS_CACHE.clear()
    of, name = tree(seed)
    found = discover(name, of)
    try:
        theirs = checkdmarc.dmarc.query_dmarc_record(name, resolver=of, ignore_unrelated_records=True)  # type: ignore[arg-type]
    except checkdmarc.dmarc.DMARCRecordNotFound:
        assert found is None
    else:
        assert found
        assert (found.at, found.text) == (theirs["location"], theirs["record"])


def test_eight_queries_at_most() -> None:
    asked = Fixed({})
    assert discover(".".join(["x"] * 20 + ["example", "org"]), asked) is None
    assert len(asked.asked) == 8
    assert asked.asked[1][0] == "_dmarc.x.x.x.x.x.example.org"


def test_several_policies_at_one_name_are_none() -> None:
    of = Fixed({("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject", "v=DMARC1; p=none"]})
    assert discover("example.org", of) is None


@pytest.mark.parametrize(
    ("text", "own", "below", "absent"),
    [
        ("v=DMARC1; p=reject", "reject", "reject", "reject"),
        ("v=DMARC1; p=reject; sp=none", "reject", "none", "none"),
        ("v=DMARC1; p=quarantine; sp=none; np=reject", "quarantine", "none", "reject"),
        ("v=DMARC1; p=none; np=reject; t=y", "none", "none", "quarantine"),
        ("v=DMARC1; rua=mailto:a@example.org", "none", "none", "none"),
        ("v=DMARC1; p=deny", "none", "none", "none"),
    ],
)
def test_what_holds_for_whom(text: str, own: str, below: str, absent: str) -> None:
    found = Discovered("example.org", text)
    assert found.policy("example.org") == own
    assert found.policy("shop.example.org") == below
    assert found.policy("gone.example.org", exists=False) == absent


def test_a_zone_below_another_is_not_without_a_policy() -> None:
    zone = '@ TXT "v=spf1 -all"\n@ MX 0 .\n'
    above = Fixed({("_dmarc.example.org", "TXT"): ["v=DMARC1; p=reject; sp=quarantine"]})
    found = {one.code: one for one in check_zone(zone, "shop.example.org", above)}
    assert "dmarc-absent" not in found
    assert "that of example.org holds (quarantine)" in found["dmarc-inherited"].message
    assert "dmarc-absent" in {one.code for one in check_zone(zone, "shop.example.org", Fixed({}))}
    assert {one.code for one in check_zone(zone, "shop.example.org")} & {"dmarc-absent", "dmarc-unknown"} == {
        "dmarc-unknown"
    }


@pytest.mark.parametrize(
    ("domain", "certain"),
    [("example.org", True), ("example.co.id", True), ("shop.example.org", False), ("a.example.co.uk", False)],
)
def test_offline_only_a_domain_right_below_a_registry_is_certain_to_have_no_policy(domain: str, certain: bool) -> None:
    class Silent:
        def lookup(self, name: str, type: str) -> list[str]:
            raise LookupUnavailableError(name)

    assert effective(Names([], domain, Silent())) == (None, certain)
