"""Which DMARC policy holds for a domain: its own, or one found on the way up (RFC 9989 §4.10)."""

from dataclasses import dataclass

from tierstack.dns_records.mail import tags
from tierstack.dns_records.mail.dmarc.record import POLICIES, is_dmarc, record_name
from tierstack.dns_records.resolve.names import LookupUnavailableError, Names, Resolver

_REGISTRIES = frozenset(
    [
        "ac",
        "biz",
        "co",
        "com",
        "edu",
        "gob",
        "go",
        "gov",
        "info",
        "ltd",
        "mil",
        "my",
        "net",
        "ne",
        "or",
        "org",
        "sch",
        "web",
    ]
)
"""Labels below which registries of countries register domains."""

MAX_LABELS = 8
"""Domains with more labels are looked up themselves, and then at their last seven: eight queries at most (RFC 9989
§4.10)."""


@dataclass(frozen=True)
class Discovered:
    """A policy that holds for a domain."""

    at: str
    """The domain at which it stands."""
    text: str

    def policy(self, domain: str, *, exists: bool = True) -> str:
        """What happens to failing mail of `domain`: `none`, `quarantine` or `reject`, with `t=y` counted in.

        `exists` says whether the domain is in the DNS: for one that is not, `np` holds (RFC 9989 §4.7).
        """
        parsed = tags.parse(self.text)
        order = ["p"] if domain == self.at else ["sp", "p"] if exists else ["np", "sp", "p"]
        given = next((value.lower() for tag in order if (value := parsed.get(tag))), "none")
        level = POLICIES.index(given) if given in POLICIES else 0
        return POLICIES[max(0, level - ((parsed.get("t") or "").lower() == "y"))]


def discover(domain: str, resolver: Resolver) -> Discovered | None:
    """The policy of `domain`, or None where there is none; raises LookupUnavailableError when nobody can tell."""
    own = _policy_at(domain, resolver)
    if own:
        return Discovered(domain, own)
    labels = domain.split(".")
    first = 1 if len(labels) <= MAX_LABELS else len(labels) - MAX_LABELS + 1
    found: list[Discovered] = []
    for at in range(first, len(labels)):
        name = ".".join(labels[at:])
        text = _policy_at(name, resolver)
        if text:
            found.append(Discovered(name, text))
            if (psd := _psd(text)) in ("y", "n"):
                below = ".".join(labels[at - 1 :])
                owner = next((one for one in found if one.at == below), None)
                return owner if psd == "y" and owner else found[-1]
    return found[-1] if found else None


def _policy_at(domain: str, resolver: Resolver) -> str | None:
    texts = [one for one in resolver.lookup(record_name(domain), "TXT") if is_dmarc(one)]
    return texts[0] if len(texts) == 1 else None  # several are none (§4.10 step 2)


def _psd(text: str) -> str:
    return (tags.parse(text).get("psd") or "u").lower()


class _Inside:
    """The names of a zone alone, for a domain above which nobody has a policy."""

    def __init__(self, names: Names) -> None:
        self._names = names

    def lookup(self, name: str, type: str) -> list[str]:
        """What the zone answers; nothing above it."""
        return self._names.lookup(name, type) if self._names.inside(name) else []


def effective(names: Names, domain: str = "") -> tuple[Discovered | None, bool]:
    """The policy that holds for the domain of a zone, or for a `domain` in it, and whether that is certain: above the
    zone only the DNS can tell."""
    domain = domain or names.domain
    try:
        return discover(domain, names), True
    except LookupUnavailableError:
        own = names.answer(record_name(domain), "TXT")
        texts = [one for one in own.values if is_dmarc(one)]
        if texts:
            return (Discovered(domain, texts[0]) if len(texts) == 1 else None), True
    if own.unknown or not has_nothing_above(names.domain):
        return None, False
    try:
        return discover(domain, _Inside(names)), True
    except LookupUnavailableError:
        return None, False


def has_nothing_above(domain: str) -> bool:
    """Whether no organization stands above a domain: it is registered right below a registry, as far as its form shows
    (`example.org`, `example.co.uk`)."""
    labels = domain.split(".")
    registry = len(labels) == 3 and len(labels[2]) == 2 and labels[1] in _REGISTRIES
    return len(labels) == 2 or registry
