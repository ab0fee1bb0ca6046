"""What each mail provider needs in the zone, as its manual says.

Every preset turns its options into a `Contribution`; `zone.py` merges them, so providers combine freely. The values
themselves stand in `vendors.py`, each with the provider's page.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import nearest
from tierstack.dns_records.mail.dkim import pasted
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.mail.dkim import rotation as dkim_rotation
from tierstack.dns_records.mail.vendors import SES_OWN_DKIM_DOMAIN, SES_REGIONS, ses_dkim_domain, value, values
from tierstack.dns_records.options import (
    LAST_PREFERENCE,
    BrevoArgs,
    FastmailArgs,
    GoogleMailArgs,
    MailArgs,
    MailgunArgs,
    MailgunRegion,
    MailProvider,
    MicrosoftMailArgs,
    OwnMailServerArgs,
    PostmarkArgs,
    SesArgs,
)
from tierstack.dns_records.records import hostnames as names
from tierstack.dns_records.records.model import Record, RecordError, record
from tierstack.dns_records.rules import ADVICE, ERROR, WARNING, advice, declare, error, warning

declare("brevo-code", "The code is 32 hexadecimal digits.", "Brevo: Authenticate your domain", ERROR, ignorable=False)
declare(
    "dkim-absent",
    "A domain that sends mail has a DKIM key.",
    "RFC 6376 §1, RFC 9989 §5.1; Google: Email sender guidelines",
    WARNING,
    ERROR,
)
declare("dkim-key-format", "A key is PEM, base64 or the provider's record.", "RFC 6376 §3.6.1", ERROR, ignorable=False)
declare("dkim-selector", "A DKIM selector is a name in the DNS.", "RFC 6376 §3.1", ERROR, ignorable=False)
declare("mail-no-provider", "`mail` names who sends or receives.", "RFC 7505 §1", ERROR, ignorable=False)
declare("mail-receiver", "It is clear which provider receives the mail.", "RFC 5321 §5.1", ERROR, ignorable=False)
declare(
    "mailgun-dkim",
    "Mailgun's DKIM is targets, or selector and key.",
    "Mailgun: Domain verification",
    ERROR,
    ignorable=False,
)
declare(
    "microsoft-dkim-targets",
    "The DKIM targets of Microsoft 365 are those that its portal shows.",
    "Microsoft: Set up DKIM",
    ADVICE,
    ERROR,
    ignorable=False,
)
declare(
    "microsoft-mx",
    "The MX of Microsoft 365 is the one that its admin center shows.",
    "Microsoft: MC1048624",
    ADVICE,
    ERROR,
)
declare(
    "microsoft-tenant",
    "A tenant is the name before `.onmicrosoft.com`.",
    "Microsoft: Set up DKIM",
    ERROR,
    ignorable=False,
)
declare("mx-preference", "The preference of an MX record is 0 to 65535.", "RFC 1035 §3.3.9", ERROR, ignorable=False)
declare(
    "option-value",
    "Options are values that records can be made of.",
    "RFC 1123 §2.1; RFC 1035 §2.3",
    ERROR,
    ignorable=False,
)
declare("ses-dkim-domain", "The DKIM domain is one that SES shows.", "AWS: SES endpoints", ERROR, ignorable=False)
declare("ses-dkim-tokens", "Easy DKIM of Amazon SES has three tokens.", "AWS: Easy DKIM", ERROR, ignorable=False)
declare("ses-region", "The region of Amazon SES is one of AWS.", "AWS: SES endpoints", ERROR, ignorable=False)

REPORT_RECEIVERS = (value("brevo.reports").partition("@")[2],)
"""Domains that accept the DMARC reports of everybody (a wildcard below `_report._dmarc`)."""


@dataclass
class Contribution:
    """What one provider adds to the zone."""

    label: str
    """Its name as people say it."""
    path: str
    """The argument that asks for it."""
    records: list[Record] = field(default_factory=list[Record])
    spf: list[str] = field(default_factory=list[str])
    """Terms of the SPF record of the domain."""
    mx: list[str] = field(default_factory=list[str])
    """Values of the MX record set, if it receives."""
    reports: list[str] = field(default_factory=list[str])
    """Addresses for aggregate DMARC reports."""
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])
    """What is wrong with its options; subjects are argument paths."""


@dataclass
class _Zone:
    """What a preset needs to know of the zone."""

    domain: str
    ttl: int

    @property
    def dashed(self) -> str:
        """The domain with hyphens for dots, as providers build names from it."""
        return self.domain.replace(".", "-")

    def add(self, out: Contribution, path: str, name: str, type: str, value: str) -> None:
        """Add a record below the domain, or the finding that it cannot be one."""
        try:
            owner = names.owner(name, self.domain)
            out.records.append(record(f"{owner}.", type, value, self.domain, self.ttl, path))
        except RecordError as problem:
            out.findings.append(error("option-value", path, str(problem), problem.hint, source="RFC 1035 §2.3"))

    def add_key(self, out: Contribution, path: str, selector: str, key: str) -> None:
        """Add a DKIM key, or the finding that it is none; the key is not repeated, it might be a private
        one."""
        if (name := self._key_name(out, path, selector)) is None:
            return
        try:
            text = pasted.key_record(key)
        except dkim.KeyFormatError as problem:
            fix = "paste the value of the TXT record as it is shown, or the public key as PEM or base64"
            out.findings.append(error("dkim-key-format", path, f"the key {problem}", fix))
            return
        self.add(out, path, name, "TXT", text)

    def add_alias(self, out: Contribution, path: str, selector: str, target: str) -> None:
        """Add the alias to a key that another publishes."""
        if (name := self._key_name(out, path, selector)) is None:
            return
        try:
            self.add(out, path, name, "CNAME", names.host(pasted.text(target)) + ".")
        except RecordError as problem:
            out.findings.append(error("option-value", path, str(problem), problem.hint, source="RFC 1035 §2.3"))

    def withdraw(self, out: Contribution, path: str, selector: str) -> None:
        """Publish the key of a selector as withdrawn."""
        if (name := self._key_name(out, path, selector)) is not None:
            self.add(out, path, name, "TXT", dkim.revoked_record())

    def _key_name(self, out: Contribution, path: str, selector: str) -> str | None:
        """Where the key of a selector stands, or None with the finding that it is no selector."""
        label = pasted.selector(selector)
        if problem := dkim.selector_problem(label):
            fix = "write the selector that the provider shows"
            out.findings.append(error("dkim-selector", path, f"selector: {problem}", fix))
            return None
        return dkim.key_name(label, self.domain) + "."


def _brevo(args: BrevoArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Brevo", path)
    if args.code is not None:
        code = pasted.text(args.code).removeprefix("brevo-code:").strip()
        if not re.fullmatch(r"[0-9a-fA-F]{32}", code):
            message = f"`{args.code}` is not 32 hexadecimal digits"
            fix = "copy the value after `brevo-code:` from Brevo"
            out.findings.append(error("brevo-code", f"{path}.code", message, fix))
        else:
            zone.add(out, f"{path}.code", "@", "TXT", value("brevo.code", code=code))
    if args.dkim_key is not None:
        zone.add_key(out, f"{path}.dkim_key", value("brevo.dkim_selector"), args.dkim_key)
    else:
        for n in (1, 2):
            zone.add_alias(out, path, f"brevo{n}", value("brevo.dkim_alias", n=n, dashed=zone.dashed))
    out.spf = [value("brevo.spf")] if args.spf else []
    out.reports = [value("brevo.reports")] if args.reports else []
    return out


def _google(args: GoogleMailArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Google Workspace", path, spf=[value("google.spf")], mx=values("google.mx"))
    if args.dkim_key is None:
        message = "no DKIM key, so mail of Google Workspace is not signed as the domain"
        fix = "make a key of 2048 bits in the admin console and give it here"
        out.findings.append(
            warning("dkim-absent", f"{path}.dkim_key", message, fix, source="Google: Email sender guidelines")
        )
    else:
        zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    if args.verification:
        token = pasted.text(args.verification).removeprefix("google-site-verification=")
        zone.add(out, f"{path}.verification", "@", "TXT", value("google.verification", token=token))
    return out


def _microsoft(args: MicrosoftMailArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Microsoft 365", path, spf=[value("microsoft.spf")])
    out.mx = _microsoft_mx(args, zone, path, out)
    tenant = args.tenant.removesuffix(".onmicrosoft.com")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", tenant):
        message = f"`{args.tenant}` is not the name of a tenant"
        fix = "write the name before `.onmicrosoft.com`"
        out.findings.append(error("microsoft-tenant", f"{path}.tenant", message, fix))
    targets = args.dkim_targets
    if targets is None:
        message = "the DKIM targets are the older ones, which do not exist for domains added since May 2025"
        fix = "give `dkim_targets` as the Defender portal shows them"
        out.findings.append(advice("microsoft-dkim-targets", f"{path}.dkim_targets", message, fix))
        targets = [value("microsoft.dkim_alias", n=n, dashed=zone.dashed, tenant=tenant) for n in (1, 2)]
    if len(targets) != 2:
        message = f"has {len(targets)} targets, and Microsoft uses two selectors"
        fix = "give both targets, that of selector1 first"
        out.findings.append(error("microsoft-dkim-targets", f"{path}.dkim_targets", message, fix))
    for n, target in enumerate(targets[:2], 1):
        zone.add_alias(out, f"{path}.dkim_targets[{n - 1}]", f"selector{n}", target)
    if args.verification:
        token = pasted.text(args.verification).removeprefix("MS=")
        zone.add(out, f"{path}.verification", "@", "TXT", value("microsoft.verification", token=token))
    if args.autodiscover:
        zone.add(out, path, "autodiscover", "CNAME", value("microsoft.autodiscover"))
    return out


def _microsoft_mx(args: MicrosoftMailArgs, zone: _Zone, path: str, out: Contribution) -> list[str]:
    """The mail exchanger: the given one, or the one that older domains have."""
    if args.mx_host is None:
        return values("microsoft.mx", dashed=zone.dashed)
    preference, _, host = pasted.text(args.mx_host).rpartition(" ")
    try:
        return [f"{preference or '0'} {names.host(host)}."]
    except RecordError as problem:
        out.findings.append(
            error("option-value", f"{path}.mx_host", str(problem), problem.hint, source="RFC 5321 §5.1")
        )
        return []


def _ses(args: SesArgs, zone: _Zone, path: str) -> Contribution:
    region = args.region.strip().lower()
    out = Contribution("Amazon SES", path, mx=values("ses.mx", region=region))
    keys_at = args.dkim_domain or ses_dkim_domain(region)
    if keys_at is None or not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        out.mx = []
        guess = nearest(region, [*SES_REGIONS, *SES_OWN_DKIM_DOMAIN])
        message = f"`{args.region}` is not a region whose DKIM domain is known here"
        fix = "for a newer region give `dkim_domain`, the `SigningHostedZone` of `aws sesv2 get-email-identity`"
        fix = f"write `{guess}` if that is meant; {fix}" if guess else fix
        out.findings.append(error("ses-region", f"{path}.region", message, fix))
        return out
    if len(args.dkim_tokens) != 3:
        message = f"has {len(args.dkim_tokens)} tokens, and Easy DKIM has three"
        out.findings.append(error("ses-dkim-tokens", f"{path}.dkim_tokens", message, "give the three tokens"))
    keys_at = keys_at.strip(" .").lower()
    for n, given in enumerate(args.dkim_tokens):
        at, (token, _, zone_given) = f"{path}.dkim_tokens[{n}]", pasted.text(given).rstrip(".").partition(".")
        if zone_given and not zone_given.startswith("_domainkey") and zone_given.lower() != keys_at:
            message = f"is below `{zone_given}`, and the keys of {region} are below `{keys_at}`"
            fix = f"write `dkim_domain: {zone_given}` if AWS shows it for this region, or correct `region`"
            out.findings.append(error("ses-dkim-domain", at, message, fix))
            continue
        zone.add_alias(out, at, token, value("ses.dkim_alias", token=token, zone=keys_at))
    zone.add(out, f"{path}.mail_from", args.mail_from, "MX", value("ses.mail_from_mx", region=region))
    zone.add(out, f"{path}.mail_from", args.mail_from, "TXT", value("ses.mail_from_spf"))
    return out


def _mailgun(args: MailgunArgs, zone: _Zone, path: str) -> Contribution:
    region = MailgunRegion(args.region).value
    out = Contribution("Mailgun", path, spf=[value("mailgun.spf")], mx=values(f"mailgun.mx_{region}"))
    by_key = args.selector is not None or args.dkim_key is not None
    if by_key == (args.dkim_targets is not None):
        message = "has both CNAMEs and a TXT record for DKIM" if by_key else "has no DKIM"
        fix = (
            "give `dkim_targets` where Mailgun shows two CNAMEs, `selector` and `dkim_key` where it shows a TXT record"
        )
        out.findings.append(error("mailgun-dkim", path, message, fix))
    elif args.dkim_targets is not None:
        _mailgun_aliases(args.dkim_targets, zone, path, out)
    elif args.selector is None or args.dkim_key is None:
        absent = "selector" if args.selector is None else "dkim_key"
        message, fix = "is needed beside the other half", "copy name and value of the TXT record from Mailgun"
        out.findings.append(error("mailgun-dkim", f"{path}.{absent}", message, fix))
    else:
        zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    if args.tracking_host:
        zone.add(out, f"{path}.tracking_host", args.tracking_host, "CNAME", value(f"mailgun.tracking_{region}"))
    return out


def _mailgun_aliases(targets: list[str], zone: _Zone, path: str, out: Contribution) -> None:
    if len(targets) != 2:
        message, fix = f"has {len(targets)} targets, and Mailgun shows two", "give both, that of pdk1 first"
        out.findings.append(error("mailgun-dkim", f"{path}.dkim_targets", message, fix))
    for n, target in enumerate(targets):
        # Each target names its selector, so that their order does not matter.
        selector = pasted.selector(target) if "._domainkey." in target else f"pdk{n + 1}"
        zone.add_alias(out, f"{path}.dkim_targets[{n}]", selector, target)


def _postmark(args: PostmarkArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Postmark", path)
    zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    zone.add(out, f"{path}.return_path", args.return_path, "CNAME", value("postmark.return_path"))
    return out


def _fastmail(args: FastmailArgs, zone: _Zone, path: str) -> Contribution:
    exchanges = values("fastmail.mx")
    out = Contribution("Fastmail", path, spf=[value("fastmail.spf")], mx=exchanges)
    for n in (1, 2, 3):
        zone.add_alias(out, path, f"fm{n}", value("fastmail.dkim_alias", n=n, domain=zone.domain))
    for exchange in exchanges if args.subdomains else []:
        zone.add(out, path, "*", "MX", exchange)
    return out


def _own_server(args: OwnMailServerArgs, zone: _Zone, path: str) -> Contribution:
    v4, v6 = args.ipv4 or [], args.ipv6 or []
    out = Contribution("a server of its own", path, spf=[f"ip4:{a}" for a in v4] + [f"ip6:{a}" for a in v6])
    try:
        target = names.target(args.host, zone.domain)
        if target.assumed:
            raise names.ambiguous(args.host, zone.domain)
    except RecordError as problem:
        out.findings.append(error("option-value", f"{path}.host", str(problem), problem.hint, source="RFC 1123 §2.1"))
        return out
    host = target.name
    if not 0 <= args.preference <= LAST_PREFERENCE:
        message = f"{args.preference} is not a preference"
        out.findings.append(error("mx-preference", f"{path}.preference", message, f"write 0 to {LAST_PREFERENCE}"))
        return out
    out.mx = [f"{args.preference} {host}."]
    out.spf = out.spf or [f"a:{host}"]
    for n, address in enumerate(v4):
        zone.add(out, f"{path}.ipv4[{n}]", f"{host}.", "A", address)
    for n, address in enumerate(v6):
        zone.add(out, f"{path}.ipv6[{n}]", f"{host}.", "AAAA", address)
    _own_keys(args, zone, path, out)
    return out


def _own_keys(args: OwnMailServerArgs, zone: _Zone, path: str, out: Contribution) -> None:
    """The DKIM selectors of a server of one's own."""
    if not any(key.live for key in args.dkim or []):
        message = "no DKIM selector: large receivers refuse mail that is not signed"
        fix = "write `{selector: 2026a, generate: rsa}`, or give the public half of a key of 2048 bits"
        out.findings.append(
            error("dkim-absent", f"{path}.dkim", message, fix, source="Google: Email sender guidelines")
        )
    out.findings += dkim_rotation.check(args, path)
    for n, key in enumerate(args.dkim or []):
        at = f"{path}.dkim[{n}]"
        if not key.live:
            zone.withdraw(out, at, key.selector)
        elif key.target is not None:
            zone.add_alias(out, f"{at}.target", key.selector, key.target)
        elif key.public_key is not None:
            zone.add_key(out, at, key.selector, key.public_key)


_PRESETS: dict[str, tuple[Callable[[Any, _Zone, str], Contribution], MailProvider | None, bool]] = {
    # name: (preset, its name as a receiver, whether giving it means that people have mailboxes there)
    "brevo": (_brevo, None, False),
    "google": (_google, MailProvider.GOOGLE, True),
    "microsoft": (_microsoft, MailProvider.MICROSOFT, True),
    "ses": (_ses, MailProvider.SES, False),
    "mailgun": (_mailgun, MailProvider.MAILGUN, False),
    "postmark": (_postmark, None, False),
    "fastmail": (_fastmail, MailProvider.FASTMAIL, True),
    "own_server": (_own_server, MailProvider.OWN_SERVER, True),
}


def contributions(mail: MailArgs, domain: str, ttl: int, path: str = "mail") -> list[Contribution]:
    """What the providers of `mail` add; MX values are left only with the one that receives."""
    zone = _Zone(domain, ttl)
    given = {name: getattr(mail, name) for name in _PRESETS if getattr(mail, name) is not None}
    found = {name: _PRESETS[name][0](options, zone, f"{path}.{name}") for name, options in given.items()}
    mailboxes = [name for name in found if _PRESETS[name][2]]
    receiver = mail.receive.value if mail.receive else (mailboxes[0] if len(mailboxes) == 1 else None)
    general = Contribution("mail", path)
    if not found and not mail.spf_terms:
        message = "no provider is given"
        fix = "give a provider, or leave `mail` out for a domain without mail"
        general.findings.append(error("mail-no-provider", path, message, fix))
    if mail.receive and mail.receive.value not in found:
        message = f"`{mail.receive.value}` receives, but its options are not given"
        general.findings.append(error("mail-receiver", f"{path}.receive", message, f"give `{mail.receive.value}`"))
    if receiver is None and len(mailboxes) > 1:
        message = f"{' and '.join(mailboxes)} can both receive"
        fix = f"write one of {', '.join(mailboxes)}"
        general.findings.append(error("mail-receiver", f"{path}.receive", message, fix))
    for name, one in found.items():
        if name != receiver:
            one.mx = []
    if receiver == "microsoft" and mail.microsoft and mail.microsoft.mx_host is None:
        message = "the mail exchanger is the older one, which does not exist for domains added since July 2026"
        fix = "give `mx_host` as the Microsoft 365 admin center shows it"
        at = f"{path}.microsoft.mx_host"
        general.findings.append(advice("microsoft-mx", at, message, fix))
    return [*found.values(), general]
