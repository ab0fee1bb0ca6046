"""What tierstack says of mail records, beside what pyspf, dkimpy and checkdmarc say of the same."""

import base64
import contextlib
import functools
from collections.abc import Iterator

import checkdmarc.dmarc
import checkdmarc.mta_sts
import checkdmarc.smtp_tls_reporting
import checkdmarc.spf
import checkdmarc.utils
import dkim as dkimpy
import dns.zone
import pytest
import spf as pyspf

from tests.dns_records import world
from tests.dns_records.world import STRANGER, World
from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import discovery as dmarc_discovery
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.mail.spf import lookups as spf_lookups
from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.mail.spf.flatten import flatten
from tierstack.dns_records.records.zonefile import parse
from tierstack.dns_records.rules import errors
from tierstack.dns_records.zone.compose import Zone

FOUND = range(400)
"""Seeds of worlds with an SPF record as it is found."""
COMPOSED = range(240)
"""Seeds of zones that tierstack composes."""
DOMAIN = "example.org"


@pytest.fixture(autouse=True)
def no_memory() -> None:
    checkdmarc.utils.DNS_CACHE.clear()


@contextlib.contextmanager
def asking(of: World, *, limits: bool = True) -> Iterator[None]:
    """pyspf in a world; without limits it counts to the end, as tierstack does."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pyspf, "DNSLookup", of.pyspf)
        if not limits:
            patch.setattr(pyspf, "MAX_LOOKUP", 10_000)
            patch.setattr(pyspf, "MAX_VOID_LOOKUPS", 10_000)
        yield


def judged(of: World, ip: str, domain: str = DOMAIN, *, limits: bool = True) -> tuple[str, pyspf.query]:
    """pyspf's result for a sender, and its counts."""
    with asking(of, limits=limits):
        query = pyspf.query(i=ip, s=f"someone@{domain}", h="sender.example", timeout=0, querytime=0)
        return query.check()[0], query


# --- SPF as it is found


@pytest.mark.parametrize("seed", FOUND)
def test_spf_lookups_are_counted_as_pyspf_does(seed: int) -> None:
    """The sender is one that nothing matches, so every term is evaluated."""
    of, text = world.spf_world(seed)
    report = spf_lookups.count(text, DOMAIN, of)
    broken = _errors(text, report) - {"spf-too-many-lookups", "spf-too-many-void-lookups"}
    for version, void in ((4, report.void), (6, report.void_v6)):
        result, query = judged(of, STRANGER[version], limits=False)
        assert (result == "permerror") == bool(broken), f"{result}: {query.perm_error}, here {broken}"
        if not broken and report.lookups <= 4 * spf.MAX_LOOKUPS:  # beyond it the exact number helps nobody
            assert (query.lookups, query.void_lookups) == (report.lookups, void), text


@pytest.mark.parametrize("seed", FOUND)
def test_a_record_is_an_error_here_when_pyspf_gives_up(seed: int) -> None:
    of, text = world.spf_world(seed)
    report = spf_lookups.count(text, DOMAIN, of)
    bad = _errors(text, report)
    for version, void in ((4, report.void), (6, report.void_v6)):
        result, query = judged(of, STRANGER[version])
        # Too many voids of one family alone are a warning here.
        assert (result == "permerror") == bool(bad or void > spf.MAX_VOID_LOOKUPS), f"{text}: {query.perm_error}"


@pytest.mark.parametrize("seed", FOUND)
def test_spf_is_parsed_and_counted_as_checkdmarc_does(seed: int) -> None:
    """In a world without holes, for checkdmarc counts voids for both families at once and ends an include at them."""
    of, text = world.spf_world(seed, holes=False)
    report = spf_lookups.count(text, DOMAIN, of)
    bad = _errors(text, report)
    try:
        checked = checkdmarc.spf.parse_spf_record(text, DOMAIN, resolver=of)  # type: ignore[arg-type]
    except checkdmarc.spf.SPFError:
        refused = True
    else:
        refused = False
    if refused:
        assert bad, text
        return
    if bad:  # it lets two mistakes pass that stand in records behind an include; pyspf does not
        assert seed in (43, 278), text
        assert judged(of, STRANGER[4])[0] == "permerror", text
        return
    assert checked["dns_lookups"] == report.lookups, text  # type: ignore[typeddict-item]


def _errors(text: str, report: spf_lookups.LookupReport) -> set[str]:
    """The codes of what makes a record useless; `+all` is an error here and none for a receiver."""
    return {one.code for one in errors([*spf.check(text, DOMAIN), *report.findings])} - {"spf-pass-all"}


@pytest.mark.parametrize("seed", range(200))
def test_a_flattened_record_gives_every_sender_the_same_result(seed: int) -> None:
    """pyspf judges both, for senders inside and outside of the networks."""
    of, text = world.spf_world(seed, holes=False, signs=world.SIGNS if seed % 8 == 0 else ("", "+"))
    if _errors(text, spf_lookups.count(text, DOMAIN, of)):
        return
    flat = flatten(text, DOMAIN, of, 300)
    answers = {**of.answers, (DOMAIN, "TXT"): [flat.text], **{(one.name, "TXT"): [one.value] for one in flat.extra}}
    senders = [one.split("/")[0] for (_, kind), values in of.answers.items() if kind in ("A", "AAAA") for one in values]
    senders += [f"198.51.100.{n}" for n in range(0, 256, 8)] + list(STRANGER.values())
    for ip in dict.fromkeys(senders):
        assert judged(World(answers), ip)[0] == judged(of, ip)[0], f"{ip}: {text} → {flat.text}"


# --- zones that tierstack composes


@functools.cache
def composed(seed: int) -> tuple[Zone, World]:
    zone = world.zone_args(seed).zone()
    return zone, world.of_sets(zone.sets, world.provider_world(seed))


@pytest.mark.parametrize("seed", COMPOSED)
def test_pyspf_lets_exactly_the_senders_of_a_zone_pass(seed: int) -> None:
    args = world.zone_args(seed)
    zone, of = composed(seed)
    assert not errors(zone.findings)
    report = spf_lookups.count(_text(zone, zone.domain, "v=spf1"), zone.domain, of)
    for version, void in ((4, report.void), (6, report.void_v6)):
        result, query = judged(of, STRANGER[version], zone.domain)
        policy = args.mail.spf_policy.value if args.mail else "fail"
        assert result == policy, f"{result}: {query.perm_error}"
        assert (query.lookups, query.void_lookups) == (report.lookups, void)
    allowed = [*args.mail.own_server.ipv4, *args.mail.own_server.ipv6] if args.mail and args.mail.own_server else []
    allowed += [one.removeprefix("ip4:") for one in (args.mail.spf_terms or [] if args.mail else [])]
    if args.mail and args.mail.brevo and args.mail.brevo.spf:
        allowed.append(of.lookup("spf.brevo.com", "TXT")[0].split("ip4:")[1].split()[0])
    for ip in allowed:
        assert judged(of, ip, zone.domain)[0] == "pass"


@pytest.mark.parametrize("seed", COMPOSED)
def test_checkdmarc_reads_the_same_policy(seed: int) -> None:
    zone, of = composed(seed)
    text = _text(zone, f"_dmarc.{zone.domain}", "v=DMARC1")
    ours = tags.parse(text)
    theirs = checkdmarc.dmarc.parse_dmarc_record(text, zone.domain, resolver=_Agreeing(of))["tags"]  # type: ignore[arg-type]
    explicit = {name: one["value"] for name, one in theirs.items() if one["explicit"]}
    for name in ("p", "sp", "np", "t", "adkim", "aspf", "fo"):
        assert explicit.get(name) == ours.get(name)
    for name in ("rua", "ruf"):
        given = [one["address"] for one in explicit.get(name, [])]  # type: ignore[union-attr,index]
        assert given == [one.removeprefix("mailto:") for one in dmarc.addresses(ours, name)]
    # The policy of names below, by the tree walk.
    below = [f"shop.{zone.domain}", f"a.b.c.d.e.f.g.{zone.domain}"]
    of = World({**of.answers, **{(name, "A"): ["198.51.100.1"] for name in below}})
    for name in (zone.domain, *below):
        found = dmarc_discovery.discover(name, of)
        query = checkdmarc.dmarc.query_dmarc_record(name, resolver=of)  # type: ignore[arg-type]
        assert found
        assert (found.text, found.at) == (query["record"], query["location"])
        tag = "p" if name == zone.domain else "sp"
        assert found.policy(name) == _lowered(str(theirs[tag]["value"]), str(theirs["t"]["value"]))
        assert found.policy(name, exists=False) == _lowered(
            str(theirs["p" if name == zone.domain else "np"]["value"]), str(theirs["t"]["value"])
        )


@pytest.mark.parametrize("seed", COMPOSED)
def test_dkimpy_reads_the_same_keys_and_verifies_what_they_sign(seed: int) -> None:
    zone, of = composed(seed)
    keys = [one for one in zone.sets if dkim.is_key_name(one.name, zone.domain) and one.type == "TXT"]
    private, _ = world.rsa_private(seed % 4)
    seed64, _ = world.ed25519_private(1 + seed % 4)
    for one in keys:
        _, bits, kind, _ = dkimpy.load_pk_from_dns(one.name.encode(), dnsfunc=of.dkimpy)
        text = tags.parse(one.values[0])
        assert kind.decode() == (text.get("k") or "rsa")
        octets = base64.b64decode(text.get("p") or "")
        assert bits == (dkim.rsa_bits(octets) if kind == b"rsa" else 8 * len(octets))
        selector = one.name.partition("._domainkey.")[0].encode()
        mail = f"From: a@{zone.domain}\r\nSubject: {seed}\r\n\r\nHello.\r\n".encode()
        key, how = (private.encode(), b"rsa-sha256") if kind == b"rsa" else (seed64.encode(), b"ed25519-sha256")
        signed = dkimpy.sign(mail, selector, zone.domain.encode(), key, signature_algorithm=how) + mail
        assert dkimpy.verify(signed, dnsfunc=of.dkimpy)
        assert not dkimpy.verify(signed.replace(b"Hello", b"Hallo"), dnsfunc=of.dkimpy)


@pytest.mark.parametrize("seed", COMPOSED)
def test_checkdmarc_reads_the_same_transport_policies(seed: int) -> None:
    zone, _ = composed(seed)
    if not zone.mta_sts_policy:
        return
    record = checkdmarc.mta_sts.parse_mta_sts_record(_text(zone, f"_mta-sts.{zone.domain}", "v=STSv1"))
    assert record["tags"]["id"] == mta_sts.policy_id(zone.mta_sts_policy)
    policy = checkdmarc.mta_sts.parse_mta_sts_policy(zone.mta_sts_policy)["policy"]
    lines = [line.split(": ") for line in zone.mta_sts_policy.splitlines()]
    patterns = [value for key, value in lines if key == "mx"]
    assert policy.get("mx", []) == patterns
    assert [str(policy["mode"]), str(policy["max_age"])] == [v for k, v in lines if k in ("mode", "max_age")]
    exchanges = zone.get(zone.domain, "MX")
    for value in exchanges.values if exchanges and patterns else []:
        host = value.split()[1].rstrip(".")
        assert checkdmarc.mta_sts.mx_in_mta_sts_patterns(host, patterns)
    reports = checkdmarc.smtp_tls_reporting.parse_smtp_tls_reporting_record(
        _text(zone, f"_smtp._tls.{zone.domain}", "v=TLSRPTv1")
    )
    assert reports["tags"]["rua"]["value"] == [f"mailto:tls@{zone.domain}"]


@pytest.mark.parametrize("seed", COMPOSED)
def test_the_zone_file_says_the_same_in_pieces_of_255_octets(seed: int) -> None:
    """Read by dnspython, each TXT is what pyspf and dkimpy are asked about above."""
    zone, _ = composed(seed)
    sets, problems = parse(zone.text, zone.domain)
    assert not problems
    assert tuple(sets) == zone.sets
    read = dns.zone.from_text(
        f"@ 60 IN SOA ns. admin. 1 60 60 60 60\n@ 60 IN NS ns.\n{zone.text}", zone.domain, relativize=False
    )
    for name, _, rdata in read.iterate_rdatas("TXT"):
        assert all(0 < len(one) <= 255 for one in rdata.strings)
        one = zone.get(name.to_text(omit_final_dot=True), "TXT")
        assert one
        assert b"".join(rdata.strings).decode() in one.values


# --- records with mistakes


@pytest.mark.parametrize("seed", range(300))
def test_a_dmarc_record_is_refused_here_when_checkdmarc_refuses_it(seed: int) -> None:
    text = world.dmarc_text(seed)
    ours = {one.code for one in errors(dmarc.check(text, "x"))}
    # It takes its default for a wrong alignment and for wrong failure options, and passes over `pct`.
    mild = {"dmarc-pct", "dmarc-fo"}
    if any(f"{tag}=x" in text for tag in ("adkim", "aspf")):
        mild.add("dmarc-value")
    try:
        checkdmarc.dmarc.parse_dmarc_record(text, DOMAIN, resolver=_Agreeing(World({})))  # type: ignore[arg-type]
    except checkdmarc.dmarc.DMARCError:
        refused = True
    else:
        refused = False
    assert refused == bool(ours - mild) or (refused and bool(ours)), f"{text}: {ours}"


@pytest.mark.parametrize("seed", range(200))
def test_a_dkim_record_is_refused_here_when_dkimpy_refuses_it(seed: int) -> None:
    text = world.dkim_text(seed)
    ours = {one.code for one in errors(dkim.check(text, "x"))}
    try:
        _, bits, _, _ = dkimpy.evaluate_pk("x", text)
    except (dkimpy.KeyFormatError, dkimpy.DKIMException, ValueError, IndexError):
        refused = True
    else:
        refused = bits is None  # a key that is not for mail
    if not refused:
        assert (bits < dkim.MIN_RSA_BITS and bits != 256) == ("dkim-key-short" in ours)
    if "p=" in text and tags.parse(text).get("p") == "":
        return  # withdrawn: a key that says so, for both
    # What dkimpy does not look at: a key that is too short to be safe, and other hashes.
    assert refused <= bool(ours), f"{text}: {ours}"
    assert bool(ours - {"dkim-key-short", "dkim-hash"}) <= refused, text


class _Agreeing(World):
    """A world in which every receiver of reports agrees and takes mail, as the presets' receivers do."""

    def __init__(self, of: World) -> None:
        super().__init__({(name, kind): values for (name, kind), values in of.answers.items()})

    def lookup(self, name: str, type: str) -> list[str]:
        if "._report._dmarc." in name:
            return ["v=DMARC1"]
        return super().lookup(name, type) or (["10 mail.example.net."] if type == "MX" else [])


def _text(zone: Zone, name: str, start: str) -> str:
    one = zone.get(name, "TXT")
    assert one
    (found,) = [value for value in one.values if value.startswith(start)]
    return found


def _lowered(policy: str, test: str) -> str:
    return dmarc.POLICIES[max(0, dmarc.POLICIES.index(policy) - (test == "y"))]
