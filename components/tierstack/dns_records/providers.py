"""What each mail provider needs in the zone, as its manual says.

Every preset turns its options into a `Contribution`; `zone.py` merges them, so providers combine freely.
Sources are the providers' own set-up pages: Brevo "Authenticate your domain", Google "Set up MX / SPF /
DKIM", Microsoft "External DNS records" and "Set up DKIM", AWS "Easy DKIM" and "custom MAIL FROM", Mailgun
"Domain verification", Postmark "DKIM and Return-Path", Fastmail "Manual DNS configuration".
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tierstack.dns_records import dkim, dkim_rotation
from tierstack.dns_records.findings import Finding, advice, error, warning
from tierstack.dns_records.options import (
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
from tierstack.dns_records.records import Record, RecordError, absolute, record

REPORT_RECEIVERS = ("dmarc.brevo.com",)
"""Domains that accept the DMARC reports of everybody (a wildcard below `_report._dmarc`)."""


@dataclass
class Contribution:
    """What one provider adds to the zone."""

    label: str
    """Its name as people say it."""
    records: list[Record] = field(default_factory=list[Record])
    spf: list[str] = field(default_factory=list[str])
    """Terms of the SPF record of the domain."""
    mx: list[str] = field(default_factory=list[str])
    """Values of the MX record set, if it receives."""
    reports: list[str] = field(default_factory=list[str])
    """Addresses for aggregate DMARC reports."""
    findings: list[Finding] = field(default_factory=list[Finding])
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
        """Add a record, or the finding that it cannot be one."""
        try:
            out.records.append(record(name, type, value, self.domain, self.ttl))
        except RecordError as problem:
            out.findings.append(error("option-value", path, str(problem), "RFC 1035 §2.3", "copy the value again"))

    def add_key(self, out: Contribution, path: str, selector: str, key: str) -> None:
        """Add a DKIM key, or the finding that it is none; the key is not repeated, it might be a private
        one."""
        if self._is_selector(out, path, selector):
            self._add_key(out, path, selector, key)

    def add_alias(self, out: Contribution, path: str, selector: str, target: str) -> None:
        """Add the alias to a key that another publishes."""
        if self._is_selector(out, path, selector):
            self.add(out, path, dkim.key_name(selector, self.domain) + ".", "CNAME", target.rstrip(".") + ".")

    def _is_selector(self, out: Contribution, path: str, selector: str) -> bool:
        if problem := dkim.selector_problem(selector):
            fix = "write the selector that the provider shows"
            out.findings.append(error("dkim-selector", path, f"selector: {problem}", "RFC 6376 §3.1", fix))
            return False
        return True

    def _add_key(self, out: Contribution, path: str, selector: str, key: str) -> None:
        try:
            text = key.strip() if key.strip().startswith("v=DKIM1") else dkim.key_record(key)
        except dkim.KeyFormatError as problem:
            fix = "paste the public key, as PEM or base64"
            out.findings.append(error("dkim-key-format", path, f"the key {problem}", "RFC 6376 §3.6.1", fix))
            return
        self.add(out, path, dkim.key_name(selector, self.domain) + ".", "TXT", text)


def _brevo(args: BrevoArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Brevo")
    if args.code is not None:
        code = args.code.removeprefix("brevo-code:").strip()
        if not re.fullmatch(r"[0-9a-f]{32}", code):
            message = f"`{args.code}` is not 32 hexadecimal digits"
            fix = "copy the value after `brevo-code:` from Brevo"
            out.findings.append(error("brevo-code", f"{path}.code", message, "Brevo: Authenticate your domain", fix))
        else:
            zone.add(out, f"{path}.code", "@", "TXT", f"brevo-code:{code}")
    if args.dkim_key is not None:
        zone.add_key(out, f"{path}.dkim_key", "mail", args.dkim_key)
    else:
        for n in (1, 2):
            zone.add(out, path, f"brevo{n}._domainkey", "CNAME", f"b{n}.{zone.dashed}.dkim.brevo.com.")
    out.spf = ["include:spf.brevo.com"] if args.spf else []
    out.reports = ["rua@dmarc.brevo.com"] if args.reports else []
    return out


def _google(args: GoogleMailArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Google Workspace", spf=["include:_spf.google.com"], mx=["1 smtp.google.com."])
    if args.dkim_key is None:
        message = "no DKIM key, so mail of Google Workspace is not signed as the domain"
        fix = "make a key of 2048 bits in the admin console and give it here"
        out.findings.append(warning("dkim-absent", f"{path}.dkim_key", message, "Google: Email sender guidelines", fix))
    else:
        zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    if args.verification:
        token = args.verification.removeprefix("google-site-verification=")
        zone.add(out, f"{path}.verification", "@", "TXT", f"google-site-verification={token}")
    return out


def _microsoft(args: MicrosoftMailArgs, zone: _Zone, path: str) -> Contribution:
    host = f"{zone.dashed}.mail.protection.outlook.com."
    out = Contribution("Microsoft 365", spf=["include:spf.protection.outlook.com"], mx=[f"0 {host}"])
    tenant = args.tenant.removesuffix(".onmicrosoft.com")
    if not re.fullmatch(r"[A-Za-z0-9-]{1,63}", tenant):
        message = f"`{args.tenant}` is not the name of a tenant"
        fix = "write the name before `.onmicrosoft.com`"
        out.findings.append(error("microsoft-tenant", f"{path}.tenant", message, "Microsoft: Set up DKIM", fix))
    targets = args.dkim_targets
    if targets is None:
        message = "the DKIM targets are the older ones, which do not exist for domains added since May 2025"
        fix = "give `dkim_targets` as the Defender portal shows them"
        out.findings.append(
            advice("microsoft-dkim-targets", f"{path}.dkim_targets", message, "Microsoft: Set up DKIM", fix)
        )
        targets = [f"selector{n}-{zone.dashed}._domainkey.{tenant}.onmicrosoft.com" for n in (1, 2)]
    if len(targets) != 2:
        message = f"has {len(targets)} targets, and Microsoft uses two selectors"
        fix = "give both targets, that of selector1 first"
        out.findings.append(
            error("microsoft-dkim-targets", f"{path}.dkim_targets", message, "Microsoft: Set up DKIM", fix)
        )
    for n, target in enumerate(targets[:2], 1):
        zone.add(out, f"{path}.dkim_targets[{n - 1}]", f"selector{n}._domainkey", "CNAME", target.rstrip(".") + ".")
    if args.verification:
        zone.add(out, f"{path}.verification", "@", "TXT", f"MS={args.verification.removeprefix('MS=')}")
    if args.autodiscover:
        zone.add(out, path, "autodiscover", "CNAME", "autodiscover.outlook.com.")
    return out


def _ses(args: SesArgs, zone: _Zone, path: str) -> Contribution:
    region = args.region.strip().lower()
    out = Contribution("Amazon SES", mx=[f"10 inbound-smtp.{region}.amazonaws.com."])
    if not re.fullmatch(r"[a-z]{2}(-[a-z]+)+-\d", region):
        message = f"`{args.region}` is not a region"
        out.findings.append(
            error("ses-region", f"{path}.region", message, "AWS: SES endpoints", "write one such as `eu-west-1`")
        )
        return out
    if len(args.dkim_tokens) != 3:
        message = f"has {len(args.dkim_tokens)} tokens, and Easy DKIM has three"
        out.findings.append(
            error("ses-dkim-tokens", f"{path}.dkim_tokens", message, "AWS: Easy DKIM", "give the three tokens")
        )
    for n, token in enumerate(args.dkim_tokens):
        zone.add(out, f"{path}.dkim_tokens[{n}]", f"{token}._domainkey", "CNAME", f"{token}.dkim.amazonses.com.")
    zone.add(out, f"{path}.mail_from", args.mail_from, "MX", f"10 feedback-smtp.{region}.amazonses.com.")
    zone.add(out, f"{path}.mail_from", args.mail_from, "TXT", "v=spf1 include:amazonses.com -all")
    return out


def _mailgun(args: MailgunArgs, zone: _Zone, path: str) -> Contribution:
    base = "eu.mailgun.org" if args.region is MailgunRegion.EU else "mailgun.org"
    out = Contribution("Mailgun", spf=["include:mailgun.org"], mx=[f"10 mxa.{base}.", f"10 mxb.{base}."])
    zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    if args.tracking_host:
        zone.add(out, f"{path}.tracking_host", args.tracking_host, "CNAME", f"{base}.")
    return out


def _postmark(args: PostmarkArgs, zone: _Zone, path: str) -> Contribution:
    out = Contribution("Postmark")
    zone.add_key(out, f"{path}.dkim_key", args.selector, args.dkim_key)
    zone.add(out, f"{path}.return_path", args.return_path, "CNAME", "pm.mtasv.net.")
    return out


def _fastmail(args: FastmailArgs, zone: _Zone, path: str) -> Contribution:
    exchanges = ["10 in1-smtp.messagingengine.com.", "20 in2-smtp.messagingengine.com."]
    out = Contribution("Fastmail", spf=["include:spf.messagingengine.com"], mx=exchanges)
    for n in (1, 2, 3):
        zone.add(out, path, f"fm{n}._domainkey", "CNAME", f"fm{n}.{zone.domain}.dkim.fmhosted.com.")
    for exchange in exchanges if args.subdomains else []:
        zone.add(out, path, "*", "MX", exchange)
    return out


def _own_server(args: OwnMailServerArgs, zone: _Zone, path: str) -> Contribution:
    v4, v6 = args.ipv4 or [], args.ipv6 or []
    out = Contribution("a server of its own", spf=[f"ip4:{a}" for a in v4] + [f"ip6:{a}" for a in v6])
    try:
        host = absolute(args.host, zone.domain)
    except RecordError as problem:
        out.findings.append(
            error(
                "option-value",
                f"{path}.host",
                str(problem),
                "RFC 1123 §2.1",
                "write a host name such as `mail`",
            )
        )
        return out
    if not 0 <= args.preference <= 65535:
        message = f"{args.preference} is not a preference"
        out.findings.append(
            error("mx-preference", f"{path}.preference", message, "RFC 1035 §3.3.9", "write 0 to 65535")
        )
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
        out.findings.append(error("dkim-absent", f"{path}.dkim", message, "Google: Email sender guidelines", fix))
    out.findings += dkim_rotation.check(args, path)
    for n, key in enumerate(args.dkim or []):
        at = f"{path}.dkim[{n}]"
        if not key.live:
            zone.add_key(out, at, key.selector, dkim.revoked_record())
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
    general = Contribution("mail")
    if not found and not mail.spf_terms:
        message = "no provider is given"
        fix = "give a provider, or leave `mail` out for a domain without mail"
        general.findings.append(error("mail-no-provider", path, message, "RFC 7505 §1", fix))
    if mail.receive and mail.receive.value not in found:
        message = f"`{mail.receive.value}` receives, but its options are not given"
        general.findings.append(
            error("mail-receiver", f"{path}.receive", message, "RFC 5321 §5.1", f"give `{mail.receive.value}`")
        )
    if receiver is None and len(mailboxes) > 1:
        message = f"{' and '.join(mailboxes)} can both receive"
        fix = f"write one of {', '.join(mailboxes)}"
        general.findings.append(error("mail-receiver", f"{path}.receive", message, "RFC 5321 §5.1", fix))
    for name, one in found.items():
        if name != receiver:
            one.mx = []
    return [*found.values(), general]
