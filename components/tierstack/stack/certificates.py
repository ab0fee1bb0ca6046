"""The rules between the certificate, the records of its domain, and the way in. Pure."""

from collections.abc import Sequence
from dataclasses import replace

from tierstack.core.diagnostics import Ignored, Severity
from tierstack.core.errors import MISSING, Diagnostic, declare
from tierstack.dns_records.args import DNSRecordsArgs, at_argument
from tierstack.dns_records.ignores import set_aside
from tierstack.dns_records.zone import caa
from tierstack.dns_records.zone.compose import Zone
from tierstack.platform import PlatformKind
from tierstack.platform.proxy.acme import ordered
from tierstack.stack.plan import Plan
from tierstack.tls.args import TLSArgs
from tierstack.tls.authorities import caa_name

_HTTP_01_PORT = 80
"""RFC 8555 section 8.3."""
_LOOPBACK = ("127.0.0.1", "::1")

declare(
    "certificate-issuer-unstated",
    "A stack with a public CA must name it in `dns.certificate`, so that CAA can be checked.",
    "RFC 8659 §4.2",
    wrong="tls: {acme: {…}}, dns: {domain: example.org}",
    right="tls: {acme: {…}}, dns: {domain: example.org, certificate: {issuer: letsencrypt.org}}",
)
declare("http-01-port", "The CA should reach the Gateway at port 80.", "RFC 8555 §8.3", Severity.WARNING)
declare("http-01-loopback", "The CA should reach the Gateway from outside.", "RFC 8555 §8.3", Severity.WARNING)
declare("certificate-issuer-differs", "`dns.certificate` must name the CA that `tls` asks.", "RFC 8659 §4.2")
declare("certificate-method-differs", "`dns.certificate` must name the method that `tls` uses.", "RFC 8657 §4")


def problems(plan: Plan) -> list[Diagnostic]:
    """Where the domain's CAA records keep the CA from issuing what `tls` asks it for (RFC 8659, RFC 8657)."""
    dns, tls = plan.dns, plan.tls
    acme = tls.acme
    if dns is None or (acme is None and tls.cluster_issuer is None):
        return []
    known = (acme.caa or caa_name(acme.server)) if acme else None
    stated = dns.certificate.issuer.strip().lower() if dns.certificate else None
    if known is None and acme and acme.ca is not None:
        return []  # a private CA without a name has no record that could name it
    if stated is None:
        wrong = "is required where certificates come from a public CA: nothing else checks that CAA lets it issue"
        # The name of another CA would let that one issue, and keep the right one out.
        instead = (
            f"write `{{issuer: {known}}}`" if known else "write `issuer` with the domain that your CA states for CAA"
        )
        return [Diagnostic("dns.certificate", MISSING, wrong, instead, "certificate-issuer-unstated")]
    if known is None and acme:
        wrong = f"is required: nothing says by which name {acme.server} calls itself in CAA records"
        instead = "write the CA's domain, as its practice statement has it"
        return [Diagnostic("tls.acme.caa", MISSING, wrong, instead, "acme-caa")]
    found = _stated(dns, tls, known, stated)
    return found or _records(plan, dns, known or stated)


def _stated(dns: DNSRecordsArgs, tls: TLSArgs, known: str | None, stated: str) -> list[Diagnostic]:
    """What `dns.certificate` says against what `tls` does."""
    found: list[Diagnostic] = []
    if known is not None and stated != known:
        wrong = f"is not the CA of `tls`, which calls itself {known} in CAA records"
        instead = f"write `{known}`, or change the CA of `tls`"
        found.append(Diagnostic("dns.certificate.issuer", stated, wrong, instead, "certificate-issuer-differs"))
    method = dns.certificate.validation_method if dns.certificate else None
    if method is not None and tls.validation_method is not None and method != tls.validation_method:
        wrong = f"is not how `tls` proves its names, {tls.validation_method}"
        instead = f"write `{tls.validation_method}`, or leave it out"
        path = "dns.certificate.validation_method"
        found.append(Diagnostic(path, method, wrong, instead, "certificate-method-differs"))
    return found


def _records(plan: Plan, dns: DNSRecordsArgs, issuer: str) -> list[Diagnostic]:
    zone = plan.zone
    if zone is None:
        return []
    found = [at_argument(zone, one) for one in _judged(plan, dns, zone, issuer)[0]]
    return [replace(one, path=f"dns.{one.path}") for one in found]


def accepted(plan: Plan) -> list[Ignored]:
    """The disagreements of records with certificates that `ignore` accepts."""
    dns, zone, acme = plan.dns, plan.zone, plan.tls.acme
    if dns is None or zone is None or dns.certificate is None or (acme is None and plan.tls.cluster_issuer is None):
        return []
    return _judged(plan, dns, zone, dns.certificate.issuer.strip().lower())[1]


def _judged(plan: Plan, dns: DNSRecordsArgs, zone: Zone, issuer: str) -> tuple[list[Diagnostic], list[Ignored]]:
    account = dns.certificate.account_uri if dns.certificate else None
    disagreements = [
        one
        for name in _inside(ordered(plan.tls.hostnames), dns.domain)
        for one in caa.agrees(zone.sets, dns.domain, name, issuer, account, plan.tls.validation_method)
    ]
    return set_aside(dict.fromkeys(disagreements), dns.ignore or {}, dns.domain)


def _inside(names: Sequence[str], domain: str) -> list[str]:
    return [name for name in names if f".{name.removeprefix('*.')}".endswith(f".{domain}")]


def advice(plan: Plan) -> list[Diagnostic]:
    """What keeps a CA from looking, or a certificate from being renewed."""
    tls = plan.tls
    if tls.given:
        from tierstack.tls import given  # what it needs to read certificates takes long to import

        return [replace(one, path=f"tls.{one.path}") for one in given.advice(tls.given, tls.renew_before_percent)]
    if tls.acme is None or tls.acme.dns is not None or tls.acme.ca is not None:
        return []
    gateway = plan.gateway
    found: list[Diagnostic] = []
    if plan.platform.kind is PlatformKind.DOCKER:
        if gateway.http_port != _HTTP_01_PORT:
            wrong = (
                f"the CA looks for HTTP-01 at port 80, and `gateway.http_port` is {gateway.http_port}: unless "
                "something leads port 80 there, no certificate comes"
            )
            found.append(Diagnostic("tls", MISSING, wrong, "or use `acme.dns`", "http-01-port", Severity.WARNING))
        if gateway.bind_address in _LOOPBACK:
            wrong = "the CA looks from outside, and `gateway.bind_address` keeps it out"
            found.append(Diagnostic("tls", MISSING, wrong, "or use `acme.dns`", "http-01-loopback", Severity.WARNING))
    return found
