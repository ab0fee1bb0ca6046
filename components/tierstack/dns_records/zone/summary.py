"""A zone in words, for people who do not read zone files."""

from collections.abc import Sequence

from tierstack.core.diagnostics import Severity
from tierstack.dns_records.mail import mx, tags
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.spf import lookups as spf_lookups
from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.records.model import RecordSet, relative
from tierstack.dns_records.resolve.resolvers import default_resolver
from tierstack.dns_records.zone import caa
from tierstack.dns_records.zone.compose import Zone

_DMARC_WORDS = {
    "none": "only reported",
    "quarantine": "put into the spam folder",
    "reject": "refused",
}


def summarize(zone: Zone) -> str:
    """What the zone does, one line for each subject."""
    lines = [
        *_web(zone),
        _mail(zone),
        _spf(zone),
        _dkim(zone),
        _dmarc(zone),
        _certificates(zone),
        *_extras(zone),
        _verdict(zone),
    ]
    return "\n".join([f"{zone.domain}: {len(zone.sets)} record sets", *(f"- {line}" for line in lines if line)])


def _web(zone: Zone) -> list[str]:
    found: list[str] = []
    for one in zone.sets:
        if one.type in ("A", "AAAA"):
            found.append(f"{relative(one.name, zone.domain)} is at {_list(one.values)}")
        elif one.type == "CNAME" and "_domainkey" not in one.name:
            found.append(f"{relative(one.name, zone.domain)} is the same as {one.values[0].rstrip('.')}")
    return found


def _mail(zone: Zone) -> str:
    one = zone.get(zone.domain, "MX")
    senders = f" Mail is sent through {_list(zone.providers)}." if zone.providers else ""
    if one is None:
        return f"No server is named that takes mail.{senders}"
    if mx.is_null(one.values):
        return f"The domain takes no mail.{senders}"
    return f"Mail arrives at {_list(mx.targets(one.values))}.{senders}"


def _spf(zone: Zone) -> str:
    text = next((v for v in _texts(zone, zone.domain) if spf.is_spf(v)), None)
    if text is None:
        return ""
    report = spf_lookups.count(text, zone.domain, default_resolver(zone.sets, zone.domain, zone.known))
    every = spf.parse(text).named("all")
    others = {"-": "fail", "~": "are suspicious", "?": "are neutral", "+": "are allowed"}
    ending = others[every[0].qualifier] if every else "are neutral"
    return f"SPF takes {report.lookups} of {spf.MAX_LOOKUPS} lookups; other senders {ending}."


def _dkim(zone: Zone) -> str:
    keys = [one for one in zone.sets if dkim.is_key_name(one.name, zone.domain)]
    if not keys:
        return ""
    names = [one.name.partition("._domainkey.")[0] for one in keys]
    return f"DKIM has {len(keys)} selector{'s' if len(keys) > 1 else ''}: {_list(names)}."


def _dmarc(zone: Zone) -> str:
    text = next((v for v in _texts(zone, dmarc.record_name(zone.domain)) if dmarc.is_dmarc(v)), None)
    if text is None:
        return ""
    reports = dmarc.addresses(tags.parse(text), "rua")
    readers = f"; reports go to {_list([one.removeprefix('mailto:') for one in reports])}" if reports else ""
    test = " (test mode)" if (tags.parse(text).get("t") or "").lower() == "y" else ""
    return f"Mail that fails DMARC is {_DMARC_WORDS[dmarc.policy(text)]}{test}{readers}."


def _certificates(zone: Zone) -> str:
    one = zone.get(zone.domain, "CAA")
    if one is None:
        return ""
    issuers = [p.issuer for value in one.values if (p := caa.parse(value)) and p.tag == "issue"]
    named = sorted({caa.ISSUERS.get(issuer, issuer) for issuer in issuers if issuer})
    return f"Certificates are issued by {_list(named)}." if named else "Nobody may issue certificates."


def _extras(zone: Zone) -> list[str]:
    found: list[str] = []
    if zone.mta_sts_policy:
        mode = zone.mta_sts_policy.split("mode: ")[1].split("\r\n")[0]
        found.append(f"MTA-STS is in mode {mode}.")
    if any(one.name.startswith("_smtp._tls.") for one in zone.sets):
        found.append("TLS failures of senders are reported.")
    if any("._bimi." in one.name for one in zone.sets):
        found.append("Mail shows the logo (BIMI).")
    return found


def _verdict(zone: Zone) -> str:
    counts = [(s, sum(f.severity is s for f in zone.findings)) for s in Severity]
    words = [f"{n} {_plural(s.value, n)}" for s, n in counts if n]
    ignored = len(zone.ignored)
    more = f" {ignored} {_plural('finding', ignored)} {'is' if ignored == 1 else 'are'} ignored." if ignored else ""
    return (f"Findings: {', '.join(words)}." if words else "No findings.") + more


def _plural(word: str, count: int) -> str:
    return word if count == 1 or word == "advice" else f"{word}s"


def _texts(zone: Zone, name: str) -> Sequence[str]:
    one: RecordSet | None = zone.get(name, "TXT")
    return one.values if one else ()


def _list(items: Sequence[str]) -> str:
    return ", ".join(items[:-1]) + (" and " if len(items) > 1 else "") + items[-1] if items else "nobody"
