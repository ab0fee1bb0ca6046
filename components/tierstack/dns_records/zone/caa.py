"""CAA records (RFC 8659, RFC 8657, RFC 9495): who may issue certificates for a domain, judged against who
does."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.records.texts import odd_character, url_parts
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare("caa-account-uri", "`accounturi` of CAA is the URL of an ACME account.", "RFC 8657 §3", ERROR)
declare(
    "caa-critical-unknown",
    "No CAA record with the critical flag has a tag that CAs do not know.",
    "RFC 8659 §4.1",
    ERROR,
)
declare(
    "caa-empty-beside",
    "An empty CAA value, which forbids all, does not stand beside one that allows a CA.",
    "RFC 8659 §4.2",
    WARNING,
)
declare("caa-flags", "Flags of a CAA record are 0 or 128.", "RFC 8659 §4.1", WARNING)
declare(
    "caa-forbids-account",
    "CAA allows the ACME account and the method by which certificates are asked for.",
    "RFC 8657 §3 and §4",
    ERROR,
)
declare("caa-forbids-issuer", "CAA allows the CA that issues the domain's certificates.", "RFC 8659 §4.2", ERROR)
declare("caa-iodef", "`iodef` of CAA is a mailto, http or https URL.", "RFC 8659 §4.4", ERROR)
declare("caa-issuer", "The value of a CAA record is the domain of a CA.", "RFC 8659 §4.2", ERROR)
declare("caa-issuer-slip", "The CA in a CAA record is not a slip of a known one.", "RFC 8659 §4.2", WARNING)
declare("caa-method", "`validationmethods` of CAA are names of ACME challenges.", "RFC 8657 §4", ERROR)
declare("caa-parameter", "Parameters of CAA are written `name=value`, with `;` between them.", "RFC 8659 §4.2", ERROR)
declare("caa-syntax", "A CAA record is flags, tag and value.", "RFC 8659 §4.1.1", ERROR)
declare("caa-unknown-tag", "Tags of CAA are known ones.", "RFC 8659 §4.1", WARNING)
declare("caa-wild-only", "CAA restricts ordinary names, too, where it restricts wildcards.", "RFC 8659 §4.3", WARNING)
declare("caa-wildcard-name", "CAA stands at names, and is not looked up at wildcards.", "RFC 8659 §3", WARNING)

ISSUERS: dict[str, str] = {
    "letsencrypt.org": "Let's Encrypt",
    "pki.goog": "Google Trust Services",
    "sectigo.com": "Sectigo, ZeroSSL",
    "digicert.com": "DigiCert, GeoTrust, RapidSSL, Thawte",
    "globalsign.com": "GlobalSign",
    "amazon.com": "Amazon",
    "ssl.com": "SSL.com",
    "buypass.com": "Buypass",
    "entrust.net": "Entrust",
    "identrust.com": "IdenTrust",
    "harica.gr": "HARICA",
    "certum.pl": "Certum",
}
"""The CAA identifier of common issuers, as each states it in its certification practice statement."""

ISSUE_TAGS = ("issue", "issuewild", "issuemail", "issuevmc")
"""The properties whose value names an issuer; `issuevmc` is for the mark certificates of BIMI."""
TAGS = (*ISSUE_TAGS, "iodef", "contactemail", "contactphone")
"""Registered properties (IANA, Certification Authority Restriction Properties)."""
METHODS = (
    *("http-01", "dns-01", "tls-alpn-01", "dns-account-01", "dns-persist-01"),
    *("onion-csr-01", "tkauth-01", "email-reply-00"),
)
"""ACME validation methods (RFC 8555 §9.7.8 and the registry that it founds)."""

_VALUE = re.compile(r'^(?P<flags>\d+)\s+(?P<tag>[A-Za-z0-9]+)\s+"(?P<value>.*)"$')
_ESCAPE = re.compile(rb"\\(25[0-5]|2[0-4]\d|[01]\d\d|.)")
_LABEL = r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_ISSUER = re.compile(rf"^{_LABEL}(?:\.{_LABEL})+$")
_PARAMETER = re.compile(r"^[A-Za-z0-9][A-Za-z0-9-]*\s*=\s*[\x21-\x3a\x3c-\x7e]*$")
_CRITICAL = 128
_SLIP_LENGTH = 8  # characters; a slip in a shorter name may be another name


@dataclass(frozen=True)
class Property:
    """One CAA record, parsed."""

    flags: int
    tag: str
    """Lower case."""
    value: str
    """As it stands."""

    @property
    def critical(self) -> bool:
        """Whether nobody may issue who does not know the property (RFC 8659 §4.1)."""
        return self.flags >= _CRITICAL

    @property
    def issuer(self) -> str:
        """The issuer's domain, or an empty text for nobody (RFC 8659 §4.2)."""
        return self.value.partition(";")[0].strip().lower()

    @property
    def parameters(self) -> dict[str, str]:
        """The parameters after the issuer, names in lower case."""
        parts = (part.partition("=") for part in self.value.split(";")[1:] if "=" in part)
        return {name.strip().lower(): value.strip() for name, _, value in parts}


def parse(value: str) -> Property | None:
    """A record from its presentation format, or None where it is none."""
    match = _VALUE.match(value)
    if not match:
        return None
    text = match["value"].encode("latin-1", "replace")
    text = _ESCAPE.sub(lambda one: bytes([int(one[1])]) if one[1].isdigit() else one[1], text).decode(
        "utf-8", "replace"
    )
    return Property(int(match["flags"]), match["tag"].lower(), text)


def build(tag: str, issuer: str, account_uri: str | None = None, methods: Sequence[str] = ()) -> str:
    """The value of a record that lets `issuer` issue; an empty issuer means nobody."""
    parts = [issuer or ";"]
    parts += [f"accounturi={account_uri}"] if account_uri else []
    parts += [f"validationmethods={','.join(methods)}"] if methods else []
    return f'0 {tag} "{"; ".join(parts)}"'


def check(values: Iterable[str], subject: str) -> list[Diagnostic]:
    """What is wrong with the CAA record set of one name."""
    found: list[Diagnostic] = []
    properties: list[Property] = []
    for value in values:
        one = parse(value)
        if one is None:
            message = f'`{value}` is not of the form `0 issue "letsencrypt.org"`'
            found.append(error("caa-syntax", subject, message, 'write flags, tag and "value"'))
            continue
        properties.append(one)
        found += _check_property(one, subject)
    owner = subject.partition(" ")[0]
    if owner.startswith("*.") and any(one.tag in ISSUE_TAGS for one in properties):
        message = f"says nothing of a certificate for `{owner}`, for which CAs look at {owner[2:]}"
        fix = f"write `issuewild` at {owner[2:]}, or keep it for the hosts that the wildcard answers for"
        found.append(warning("caa-wildcard-name", subject, message, fix))
    by_tag = {one.tag for one in properties}
    if "issuewild" in by_tag and "issue" not in by_tag:
        message = "`issuewild` alone leaves every issuer free to issue for names without a wildcard"
        found.append(warning("caa-wild-only", subject, message, "add `issue`"))
    for tag in ISSUE_TAGS:
        same = [one for one in properties if one.tag == tag]
        if len(same) > 1 and any(not one.issuer for one in same):
            message = f'`{tag} ";"` beside other `{tag}` records forbids nothing'
            found.append(warning("caa-empty-beside", subject, message, "remove one of the two"))
    return found


def _check_property(one: Property, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if one.flags not in (0, _CRITICAL):
        message = f"the flags are {one.flags}, and only {_CRITICAL} (critical) means something"
        found.append(warning("caa-flags", subject, message, f"write 0, or {_CRITICAL}"))
    if one.tag not in TAGS:
        fix = _tag_remedy(one.tag)
        if one.critical:
            message = f"`{one.tag}` is critical and unknown, so nobody may issue"
            return [*found, error("caa-critical-unknown", subject, message, fix)]
        message = f"`{one.tag}` is not a property of CAA"
        return [*found, warning("caa-unknown-tag", subject, message, fix)]
    if one.tag in ISSUE_TAGS:
        return found + _check_issuer(one, subject)
    if one.tag == "iodef" and url_parts(one.value).scheme not in ("mailto", "http", "https"):
        message = f"`iodef {one.value}` is not a mailto:, http: or https: URL"
        found.append(error("caa-iodef", subject, message, "write `mailto:security@example.org`"))
    return found


def _tag_remedy(tag: str) -> str:
    """What to write for an unknown property. Only what cannot open a domain that was to be closed is named: a slip in
    `issuewild` is never read as `issue`."""
    meant = next((one for one in TAGS if one != "issue" and one_slip(tag, one)), None)
    meant = meant or next((f"issue{kind}" for kind in ("wild", "mail", "vmc") if kind in tag and "iss" in tag), None)
    if meant:
        return f"write `{meant}`"
    return (
        "write `issue`, or `issuewild` for wildcards" if one_slip(tag, "issue") else f"write one of {', '.join(TAGS)}"
    )


def one_slip(word: str, known: str) -> bool:
    """Whether two words differ by one letter: another, one more, one less, or two in the wrong order."""
    if abs(len(word) - len(known)) > 1 or word == known:
        return False
    at = next((n for n, (a, b) in enumerate(zip(word, known, strict=False)) if a != b), min(len(word), len(known)))
    return (
        word[at + 1 :] == known[at + 1 :]
        or word[at:] == known[at + 1 :]
        or word[at + 1 :] == known[at:]
        or (word[at : at + 2] == known[at : at + 2][::-1] and word[at + 2 :] == known[at + 2 :])
    )


def _check_issuer(one: Property, subject: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for part in one.value.split(";")[1:]:
        if part.strip() and not _PARAMETER.match(part.strip()):
            message = f"`{part.strip()}` is not a parameter of the form name=value"
            found.append(error("caa-parameter", subject, message, "separate parameters with `;`"))
    if one.issuer:
        found += _check_issuer_name(one, subject)
    uri = one.parameters.get("accounturi")
    if uri is not None and url_parts(uri).scheme not in ("https", "http"):
        message = f"`accounturi={uri}` is not the URL of an ACME account, so nobody may issue"
        found.append(
            error(
                "caa-account-uri",
                subject,
                message,
                "write the account's URL as the CA shows it",
            )
        )
    for method in filter(None, (one.parameters.get("validationmethods") or "").split(",")):
        if method not in METHODS and not method.startswith("ca-"):
            fix = f"write one of {', '.join(METHODS)}"
            found.append(error("caa-method", subject, f"`{method}` is not a validation method", fix))
    return found


def _check_issuer_name(one: Property, subject: str) -> list[Diagnostic]:
    if not _ISSUER.match(one.issuer):
        message = f"`{one.issuer}` is not the domain of an issuer"
        # Only what was written is repeated: the name of another CA would let that one issue.
        meant = url_parts(one.issuer).netloc
        fix = f"write `{meant}`" if _ISSUER.match(meant) else "write the domain that your CA states, and nothing else"
        if odd := odd_character(one.issuer):
            message = f"{message}: it holds {odd}"
        return [error("caa-issuer", subject, message, fix)]
    name, _, suffix = one.issuer.rpartition(".")
    meant = next((known for known in ISSUERS if _slip_of(name, suffix, known)), None)
    if one.issuer not in ISSUERS and meant:
        message = f"`{one.issuer}` is not a known issuer, and close to one"
        fix = f"if the certificates come from {ISSUERS[meant]}, write `{meant}`; if not, keep what your CA states"
        return [warning("caa-issuer-slip", subject, message, fix)]
    return []


def _slip_of(name: str, suffix: str, known: str) -> bool:
    other, _, end = known.rpartition(".")
    return suffix == end and len(name) >= _SLIP_LENGTH and one_slip(name, other)


def relevant(names: Names, name: str) -> tuple[str, tuple[str, ...]] | None:
    """(Owner, values) of the CAA record set that governs `name`: its own, else the nearest above it inside the domain
    (RFC 8659 §3). None where there is none, or where an alias or a delegation leads out and nobody here can tell."""
    owner = name.removeprefix("*.")
    while names.inside(owner):
        found = names.answer(owner, "CAA")
        if found.unknown:
            return None
        if found.values:
            return owner, found.values
        owner = owner.partition(".")[2]
    return None


def agrees(
    sets: Iterable[RecordSet],
    domain: str,
    name: str,
    issuer: str,
    account_uri: str | None = None,
    method: str | None = None,
) -> list[Diagnostic]:
    """Whether `issuer` may issue a certificate for `name` (`*.example.org` for a wildcard), with the error if
    not."""
    governing = relevant(Names(sets, domain), name)
    if governing is None:
        return []
    owner, values = governing
    issuer = issuer.strip().lower()
    properties = [one for value in values if (one := parse(value))]
    wild = [one for one in properties if one.tag == "issuewild"]
    tag = "issuewild" if name.startswith("*.") and wild else "issue"
    rules = [one for one in properties if one.tag == tag]
    if not rules or any(_permits(one, issuer, account_uri, method) for one in rules):
        return []
    subject = f"{owner} CAA"
    allowed = ", ".join(sorted({one.issuer or "nobody" for one in rules}))
    if issuer in {one.issuer for one in rules}:
        message = f"lets {issuer} issue for {name} only with another account or validation method"
        return [
            error(
                "caa-forbids-account",
                subject,
                message,
                "correct `accounturi` or `validationmethods`",
            )
        ]
    message = f"`{tag}` lets {allowed} issue for {name}, and its certificate comes from {issuer}"
    return [
        error(
            "caa-forbids-issuer",
            subject,
            message,
            f"add {build(tag, issuer)}, or change the issuer",
        )
    ]


def _permits(one: Property, issuer: str, account_uri: str | None, method: str | None) -> bool:
    if one.issuer != issuer:
        return False
    uri, methods = one.parameters.get("accounturi"), one.parameters.get("validationmethods")
    return not (uri and account_uri and uri != account_uri) and not (
        methods and method and method not in methods.split(",")
    )
