"""A small DNS, and zones made by chance from a seed, that other implementations are asked about too."""

import base64
import functools
import random
from collections.abc import Mapping, Sequence
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.resolver
import dns.rrset
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from tierstack.core.arguments import load
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.mail.spf.lookups import LookupUnavailableError
from tierstack.dns_records.records.model import RecordSet, chunks, quoted

DOMAIN = "example.org"
SIGNS = ("", "", "", "+", "-", "~", "?")
STRANGER = {4: "203.0.113.99", 6: "2001:db8:ffff::99"}
"""Senders that no record here names."""


class World:
    """Every name of a small DNS; what is not in it does not exist. The same answers in the shape of each library."""

    lifetime = 1.0

    def __init__(self, answers: Mapping[tuple[str, str], Sequence[str]]) -> None:
        self.answers = {(name.lower().rstrip("."), kind): list(values) for (name, kind), values in answers.items()}
        self._names = {name for name, _ in self.answers}

    def lookup(self, name: str, type: str) -> list[str]:
        """As tierstack asks."""
        owner = name.lower().rstrip(".")
        for _ in range(9):
            if (owner, "CNAME") not in self.answers:
                return list(self.answers.get((owner, type), []))
            owner = self.answers[(owner, "CNAME")][0].rstrip(".")
        raise LookupUnavailableError(f"{name}: too many aliases")

    def pyspf(self, name: str, qtype: str, _strict: bool = True, _timeout: int = 20) -> list[Any]:
        """As pyspf asks: `spf.DNSLookup`."""
        values = [] if qtype == "SPF" else self.lookup(name, qtype)
        if qtype == "TXT":
            return [((name, qtype), tuple(chunks(value))) for value in values]
        if qtype == "MX":
            pairs = [value.split() for value in values]
            return [((name, qtype), (int(number), target.rstrip("."))) for number, target in pairs]
        return [((name, qtype), value) for value in values]

    def resolve(self, qname: str, rdtype: str, *_: object, **__: object) -> dns.resolver.Answer:
        """As checkdmarc asks: a resolver of dnspython."""
        kind = str(rdtype)
        query = dns.message.make_query(qname, kind)
        values = self.lookup(qname, kind)
        if not values:
            if self._exists(qname.lower().rstrip(".")):
                raise dns.resolver.NoAnswer(response=dns.message.make_response(query))
            raise dns.resolver.NXDOMAIN(qnames=[dns.name.from_text(qname)], responses={})
        response = dns.message.make_response(query)
        shown = [quoted(value) for value in values] if kind == "TXT" else values
        asked = response.question[0]
        answer = response.find_rrset(response.answer, asked.name, asked.rdclass, asked.rdtype, create=True)
        answer.update(dns.rrset.from_text_list(asked.name, 300, "IN", kind, shown))
        return dns.resolver.Answer(asked.name, asked.rdtype, asked.rdclass, response)

    def dkimpy(self, name: bytes | str, timeout: int = 5) -> bytes | None:
        """As dkimpy asks: its `dnsfunc`."""
        text = name.decode() if isinstance(name, bytes) else name
        values = self.lookup(text, "TXT")
        return values[0].encode() if values else None

    def _exists(self, name: str) -> bool:
        return any(other == name or other.endswith(f".{name}") for other in self._names)


def of_sets(sets: Sequence[RecordSet], more: Mapping[tuple[str, str], Sequence[str]] | None = None) -> World:
    """The world of a zone and of what else there is."""
    return World({**(more or {}), **{(one.name, one.type): list(one.values) for one in sets}})


# --- SPF as it is found: any record, with includes, hosts and mistakes


def spf_world(seed: int, *, holes: bool = True, signs: Sequence[str] = SIGNS) -> tuple[World, str]:
    """A world in which `DOMAIN` has an SPF record with nested includes, and that record.

    `holes`: some of the hosts that it names do not exist, or have addresses of one family only. `signs`: the
    qualifiers of terms.
    """
    dice = random.Random(seed)
    answers: dict[tuple[str, str], list[str]] = {}
    hosts = [f"h{n}.example.net" for n in range(8)]
    for name in hosts:
        if dice.random() < 0.85 or not holes:
            answers[(name, "A")] = [f"198.51.100.{dice.randint(1, 254)}" for _ in range(dice.randint(1, 2))]
        if dice.random() < 0.7 or not holes:
            answers[(name, "AAAA")] = [f"2001:db8:1::{dice.randint(1, 9999):x}"]
    for n in range(4):
        if dice.random() < 0.85 or not holes:
            most = 12 if dice.random() < 0.05 else 3
            chosen = [hosts[at % len(hosts)] for at in range(dice.randint(1, most))]
            answers[(f"m{n}.example.net", "MX")] = [f"{10 * at} {name}." for at, name in enumerate(chosen)]
    includes = [f"_s{n}.example.net" for n in range(7)]
    for depth, name in enumerate(includes):
        if dice.random() < 0.95:
            answers[(name, "TXT")] = [_record(dice, hosts, includes[depth + 1 :], 0.55, signs)]
        if dice.random() < 0.02:
            answers.setdefault((name, "TXT"), []).append("v=spf1 -all")
        if dice.random() < 0.2:
            answers.setdefault((name, "TXT"), []).append("some-verification=0123456789")
    text = _record(dice, hosts, includes, 0.8, signs)
    answers[(DOMAIN, "TXT")] = [text, "another=text"]
    if dice.random() < 0.7 or not holes:
        answers |= {(name, "A"): ["198.51.100.1"] for name in (DOMAIN, *includes)}
    if dice.random() < 0.7 or not holes:
        answers |= {(name, "MX"): [f"10 {dice.choice(hosts)}."] for name in (DOMAIN, *includes)}
    if not holes:
        answers |= {(name, "AAAA"): ["2001:db8:1::1"] for name in (DOMAIN, *includes)}
    return World(answers), text


def _record(dice: random.Random, hosts: list[str], includes: list[str], most: float, signs: Sequence[str]) -> str:
    """An SPF record; `most` says how likely another term is."""
    terms: list[str] = []
    while not terms or (dice.random() < most and len(terms) < 9):  # checkdmarc does not take a bare `v=spf1` for SPF
        terms.append(_term(dice, hosts, includes, signs))
    ending = dice.choice(["-all", "~all", "?all", ""])
    if includes and not ending and dice.random() < 0.5:
        ending = f"redirect={dice.choice(includes)}"
    if ending.endswith("all") and dice.random() < 0.05:
        return " ".join(["v=spf1", ending, *terms])
    return " ".join(["v=spf1", *terms, *([ending] if ending else [])])


def _term(dice: random.Random, hosts: list[str], includes: list[str], signs: Sequence[str]) -> str:
    sign = dice.choice(signs)
    kinds = ["ip4", "ip6", "a", "mx", "a:", "mx:", *(["include"] * 5 if includes else []), "wrong"]
    kind = dice.choices(kinds, [3, 2, 2, 2, 3, 2, *([1] * 5 if includes else []), 0.25])[0]
    made = {
        "ip4": f"ip4:198.51.100.{dice.randint(0, 254)}" + dice.choice(["", "/32", "/28"]),
        "ip6": f"ip6:2001:db8:1::{dice.randint(1, 9999):x}" + dice.choice(["", "/64", "/128"]),
        "a": "a" + dice.choice(["", "/28", "//64", "/28//64"]),
        "mx": "mx" + dice.choice(["", "/28"]),
        "a:": f"a:{dice.choice(hosts)}" + dice.choice(["", "", "/30"]),
        "mx:": f"mx:m{dice.randint(0, 3)}.example.net",
        "include": f"include:{dice.choice(includes)}" if includes else "",
    }
    if kind != "wrong":
        return sign + made[kind]
    return dice.choice(
        [
            *("ip4:198.51.100.300", "ip4:2001:db8::1", "ip6:198.51.100.1", "ip4:198.51.100.0/33", "ip4:", "includ:x.example"),
            *("include:", "a:", "a/33", "mx//129", "ip6:2001:db8::/129", "all:x.example", "include:x.example/24", "exists:"),
            *("exists:%{z}.example.net", "include:%(d).example.net", "a:host_only%", "redirect="),
        ]
    )  # fmt: skip


def dmarc_text(seed: int) -> str:
    """A DMARC record, every third of them with a mistake."""
    dice = random.Random(seed)
    tags: list[str] = []
    for tag, good, bad in (
        ("p", ["none", "quarantine", "Reject"], ["deny", "", "none,"]),
        ("sp", ["none", "reject"], ["x"]),
        ("np", ["quarantine", "reject"], ["x"]),
        ("t", ["y", "n"], ["1"]),
        ("psd", ["y", "n", "u"], ["x"]),
        ("adkim", ["r", "s"], ["x"]),
        ("aspf", ["r", "s"], ["x"]),
        ("rua", ["mailto:a@example.org", "mailto:a@example.org,mailto:b@example.org"], ["a@example.org", "mailto:a"]),
        ("ruf", ["mailto:f@example.org"], ["f@example.org"]),
        ("fo", ["0", "1", "d:s", "1:d"], ["0:1", "x"]),
        ("pct", ["100"], ["20"]),
        ("other", ["1"], ["1"]),
    ):
        if tag != "p" and dice.random() < 0.6:
            continue
        tags.append(f"{tag}={dice.choice(bad if dice.random() < 0.05 else good)}")
    if dice.random() < 0.05:
        tags.append(tags[0])
    return dice.choice(["; ", ";", " ; "]).join(["v=DMARC1", *tags]) + dice.choice(["", ";"])


def dkim_text(seed: int) -> str:
    """A DKIM key record, about half of them with a mistake."""
    dice = random.Random(seed)
    kind = dice.choice(["rsa", "ed25519"])
    size = dice.choice([1024, 2048, 3072])
    pem = ed25519_private(1 + seed % 4)[1] if kind == "ed25519" else ""
    from tests.dns_records.samples import rsa_key
    from tierstack.dns_records.mail.dkim.record import public_key

    key = public_key(pem)[1] if pem else rsa_key(size, wrapped=dice.random() < 0.8)
    wrong = dice.random()
    if wrong < 0.1:
        key = key[: len(key) // 8 * 4]
    elif wrong < 0.15:
        key = ""
    elif wrong < 0.2:
        kind = "dsa"
    elif wrong < 0.25:
        kind = "rsa" if kind == "ed25519" else "ed25519"
    pairs = ["v=DKIM1"] if wrong > 0.3 else [dice.choice(["v=DKIM1", "v=DKIM2", ""])]
    pairs += [f"k={kind}"] if kind != "rsa" or dice.random() < 0.7 else []
    pairs += [f"h={dice.choice(['sha256', 'sha1:sha256', 'sha1'])}"] if dice.random() < 0.2 else []
    pairs += [f"s={dice.choice(['*', 'email', 'other'])}"] if dice.random() < 0.2 else []
    pairs += [f"p={key}"] if dice.random() < 0.95 else []
    return "; ".join(filter(None, pairs)) + dice.choice(["", ";"])


# --- zones that tierstack composes


@functools.cache
def rsa_private(n: int) -> tuple[str, str]:
    """The n-th RSA key pair of this run as PEM: (private, public)."""
    key = rsa.generate_private_key(65537, 2048 if n % 4 else 3072)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return private.decode(), public.decode()


@functools.cache
def ed25519_private(n: int) -> tuple[str, str]:
    """The n-th Ed25519 key pair of this run: (seed in base64, as dkimpy takes it; public key as PEM)."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(bytes([n]) * 32).decode(), public.decode()


def provider_world(seed: int) -> dict[tuple[str, str], list[str]]:
    """The records of the mail providers, in the shape of the snapshot, with made-up networks."""
    from tierstack.dns_records.resolve.snapshot import SNAPSHOT

    dice = random.Random(seed)
    return {
        (name, "TXT"): [" ".join(["v=spf1", *terms, f"ip4:192.0.2.{dice.randint(1, 254)}", "~all"])]
        for name, terms in SNAPSHOT.items()
    }


def description(seed: int) -> dict[str, Any]:
    """Good arguments of DNSRecords, chosen by chance."""
    dice = random.Random(seed)
    domain = dice.choice(["example.org", "shop.example", "a.b.example.net", "xn--bcher-kva.example"])
    _, rsa_public = rsa_private(seed % 4)
    _, ed_public = ed25519_private(1 + seed % 4)
    web: list[dict[str, Any]] = [{"ipv4": [f"198.51.100.{dice.randint(1, 99)}"], "ipv6": ["2001:db8:1::1"]}]
    web += [{"host": "www", "alias": "@"}] if dice.random() < 0.6 else []
    spec: dict[str, Any] = {"domain": domain, "web": web, "ttl": dice.choice([300, 3600, 86400])}
    spec["dmarc"] = {
        "stage": dice.choice(["monitor", "quarantine_test", "quarantine", "reject_test", "reject"]),
        "reports": [f"dmarc@{domain}"] if dice.random() < 0.8 else [],
        "strict_dkim": dice.random() < 0.3,
        "strict_spf": dice.random() < 0.3,
        **({"subdomains": dice.choice(["none", "quarantine", "reject"])} if dice.random() < 0.4 else {}),
        **({"nonexistent": dice.choice(["none", "quarantine", "reject"])} if dice.random() < 0.4 else {}),
    }
    if dice.random() < 0.3:
        spec["dmarc"] |= {"failure_reports": [f"a!c@{domain}"], "failure_options": dice.choice(["1", "d:s", "0"])}
    if dice.random() < 0.15:
        del spec["dmarc"]
        return spec  # a domain without mail
    mail: dict[str, Any] = {"spf_policy": dice.choice(["softfail", "fail"])}
    own = {"ipv4": [f"198.51.100.{dice.randint(100, 199)}"], "ipv6": ["2001:db8:2::25"]}
    own["dkim"] = [{"selector": "r1", "public_key": rsa_public}, {"selector": "e1", "public_key": ed_public}]  # type: ignore[list-item]
    receivers: dict[str, Any] = {
        "google": {"dkim_key": rsa_public},
        "fastmail": {},
        "microsoft": {"tenant": "contoso"},
        "own_server": own,
    }
    mail |= {name: receivers[name] for name in [dice.choice(list(receivers))]}
    senders: dict[str, Any] = {
        "brevo": {"spf": dice.random() < 0.8},
        "ses": {"region": "eu-west-1", "dkim_tokens": ["a1", "b2", "c3"]},
        "mailgun": {"selector": "pic", "dkim_key": rsa_public},
        "postmark": {"selector": "20260101pm", "dkim_key": rsa_public},
    }
    mail |= {name: senders[name] for name in dice.sample(list(senders), dice.randint(0, 3))}
    if dice.random() < 0.3:
        mail["spf_terms"] = [f"ip4:198.51.100.{n}" for n in range(200, 200 + dice.randint(1, 16))]
    if dice.random() < 0.4:
        mail["mta_sts"] = {"mode": dice.choice(["testing", "enforce", "none"]), "max_age": dice.choice([86400, 604800])}
        mail["tls_reports"] = [f"tls@{domain}"]
    if dice.random() < 0.4 and spec["dmarc"]["stage"] in ("quarantine", "reject"):
        spec["dmarc"].pop("subdomains", None)
        mail["bimi"] = {"logo": f"https://{domain}/logo.svg", "certificate": f"https://{domain}/vmc.pem"}
    if dice.random() < 0.5:
        spec["certificate"] = {"issuer": "letsencrypt.org"}
    return {**spec, "mail": mail}


def zone_args(seed: int) -> DNSRecordsArgs:
    """The arguments of `description`, loaded."""
    value, problems = load(DNSRecordsArgs, description(seed))
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    return value
