"""A zone as a whole, composed from what a domain needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.ignores import Ignored, set_aside
from tierstack.dns_records.mail import bimi, mx, tls_rpt
from tierstack.dns_records.mail.dmarc import record as dmarc
from tierstack.dns_records.mail.mta_sts import record as mta_sts
from tierstack.dns_records.mail.providers import Contribution, contributions
from tierstack.dns_records.mail.spf import record as spf
from tierstack.dns_records.mail.spf.flatten import flatten
from tierstack.dns_records.options import (
    CaaArgs,
    CertificateArgs,
    DmarcArgs,
    DmarcStage,
    DnsRecordArgs,
    MailArgs,
    MtaStsMode,
    SpfPolicy,
)
from tierstack.dns_records.records import hostnames as names
from tierstack.dns_records.records import zonefile
from tierstack.dns_records.records.model import (
    DEFAULT_TTL,
    Record,
    RecordError,
    RecordSet,
    fields,
    group,
    host,
    record,
)
from tierstack.dns_records.resolve.names import Resolver
from tierstack.dns_records.resolve.resolvers import Asked, FirstAnswer, default_resolver
from tierstack.dns_records.rules import ERROR, declare, error, ordered
from tierstack.dns_records.zone import caa
from tierstack.dns_records.zone.check import check_sets, domain_problem
from tierstack.dns_records.zone.origins import Origins

declare("record-empty", "A record set has values.", "RFC 2181 §5", ERROR, ignorable=False)
declare(
    "spf-flatten-offline",
    "Includes of SPF are flattened by what the live DNS answers.",
    "RFC 7208 §10.1.1",
    ERROR,
    ignorable=False,
)
declare(
    "target-no-dot",
    "A target of several labels has a final dot, or is a name of this zone.",
    "RFC 1035 §5.1",
    ERROR,
    ignorable=False,
)
declare("web-both", "A host of the web has an alias or addresses, not both.", "RFC 1034 §3.6.2", ERROR, ignorable=False)
declare("web-empty", "A host of the web has an alias or addresses.", "RFC 1034 §3.6", ERROR, ignorable=False)


@dataclass(frozen=True)
class WebHost:
    """A host of the web, with its addresses known."""

    host: str
    """Relative to the domain, `@` for the domain itself."""
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()
    alias: str | None = None
    ttl: int | None = None
    place: str = ""
    """Where below the host's own argument these values stand, `.switch.targets.blue`."""


@dataclass(frozen=True)
class ZoneSpec:
    """All that a zone is made of. Plain: two equal specs give the same zone."""

    domain: str
    web: tuple[WebHost, ...] = ()
    mail: MailArgs | None = None
    dmarc: DmarcArgs | None = None
    caa: CaaArgs | None = None
    certificate: CertificateArgs | None = None
    records: tuple[DnsRecordArgs, ...] = ()
    ttl: int = DEFAULT_TTL
    live: Resolver | None = None
    """The live DNS, for counting and flattening. None: not asked."""
    kept: Resolver | None = None
    """Answers that the DNS gave earlier, for counting where it is not asked. None: there are none."""
    ignore: Mapping[str, str] = field(default_factory=dict[str, str])
    """Findings that are accepted: a rule's id, or `id@name` → the reason."""

    @property
    def known(self) -> Resolver | None:
        """What can be asked about the world outside of the zone. None: only the snapshot of providers."""
        given = [one for one in (self.live, self.kept) if one]
        return FirstAnswer(*given) if given else None


@dataclass(frozen=True)
class Zone:
    """The result: the record sets, the findings, and the file that MTA-STS serves."""

    domain: str
    sets: tuple[RecordSet, ...]
    findings: tuple[Diagnostic, ...]
    ttl: int = DEFAULT_TTL
    mta_sts_policy: str | None = None
    providers: tuple[str, ...] = ()
    """The names of the mail providers, for the summary."""
    known: Resolver | None = field(default=None, compare=False, repr=False)
    """What the zone was judged by besides the snapshot, for the summary."""
    ignored: tuple[Ignored, ...] = ()
    """The findings that are accepted, with their reasons."""
    origins: Origins = field(default_factory=Origins, compare=False, repr=False)
    """Which argument gave which record."""

    def path(self, finding: Diagnostic) -> str | None:
        """The argument to change because of a finding about a record; None where that is not one alone."""
        return self.origins.argument(finding)

    @property
    def text(self) -> str:
        """The zone file."""
        return zonefile.render(self.sets, self.domain, self.ttl)

    def get(self, name: str, type: str) -> RecordSet | None:
        """The record set of an absolute name and a type, or None."""
        return next((one for one in self.sets if (one.name, one.type) == (name, type)), None)


@dataclass
class _Draft:
    """What the steps of the composition add to."""

    spec: ZoneSpec
    records: list[Record] = field(default_factory=list[Record])
    findings: list[Diagnostic] = field(default_factory=list[Diagnostic])

    assumed: list[tuple[Record, str]] = field(default_factory=list[tuple[Record, str]])
    """Records whose target, as it was written, is a name of this zone only if the zone has it."""

    def add(self, path: str, name: str, type: str, value: str, ttl: int | None = None) -> None:
        """Add a record; what cannot be one becomes a finding at the argument `path`."""
        try:
            ttl = self.spec.ttl if ttl is None else ttl
            self.records.append(record(name, type, value, self.spec.domain, ttl, path))
        except RecordError as problem:
            self._refuse(path, problem)

    def add_given(self, path: str, name: str, type: str, value: str, ttl: int | None = None) -> None:
        """Add a record whose names a user wrote, so that they may lack a final dot."""
        domain = self.spec.domain
        try:
            owner = f"{names.owner(name, domain)}."
            at = names.TARGET_FIELDS.get(type.upper())
            parts = value.split() if at else [value.strip()]
            target = names.target(parts[at], domain) if at is not None and at < len(parts) else None
            if at is not None and target is not None:
                written = parts[at]
                parts[at] = f"{target.name}."
                made = record(owner, type, " ".join(parts), domain, self.spec.ttl if ttl is None else ttl, path)
                if target.assumed:
                    self.assumed.append((made, written))
                else:
                    self.records.append(made)
                return
        except RecordError as problem:
            self._refuse(path, problem)
            return
        self.add(path, owner, type, value, ttl)

    def add_address(self, path: str, place: str, host: WebHost, kind: str, value: str) -> None:
        """Add an address of a host of the web, which stands at `place` below `path`."""
        domain, at = self.spec.domain, f"{path}.{place}"
        ttl = self.spec.ttl if host.ttl is None else host.ttl
        try:
            owner = f"{names.owner(host.host, domain)}."
            self.records.append(record(owner, kind, value, domain, ttl, at))
        except RecordError as problem:
            fits = names.ip_version(value) == {"A": 4, "AAAA": 6}[kind]
            self._refuse(path if fits else at, problem)  # else it is the host or the TTL

    def settle(self) -> None:
        """Add the records whose targets the zone turned out to have, and refuse the others."""
        owners = {one.name for one in self.records}
        for one, written in self.assumed:
            target = host(fields(one.value)[names.TARGET_FIELDS[one.type]])
            if target in owners:
                self.records.append(one)
            else:
                problem = names.ambiguous(written, self.spec.domain)
                self.findings.append(error("target-no-dot", one.path, str(problem), problem.hint))

    def _refuse(self, path: str, problem: RecordError) -> None:
        self.findings.append(error("record-value", path, str(problem), problem.hint))

    def own(self, name: str) -> str:
        """`name` below the domain, absolute with its dot, for names that are computed."""
        return f"{name}.{self.spec.domain}."


def compose(spec: ZoneSpec) -> Zone:
    """The zone of a spec, with everything that is wrong with it. Pure unless `spec.live` is given; never
    raises."""
    problem = domain_problem(spec.domain)
    if problem:
        fix = "write a domain such as `example.org`"
        return Zone(spec.domain, (), (error("domain", "domain", problem, fix),), spec.ttl)
    asked = Asked(spec.live) if spec.live else None
    spec = replace(spec, live=asked)
    draft = _Draft(spec)
    _web(draft)
    providers = contributions(spec.mail, spec.domain, spec.ttl) if spec.mail else []
    for one in providers:
        draft.records += one.records
        draft.findings += one.findings
    _spf(draft, providers)
    _mx(draft, providers)
    _dmarc(draft, providers)
    policy = _mta_sts(draft, providers) if spec.mail else None
    _bimi_and_reports(draft)
    _caa(draft)
    for n, extra in enumerate(spec.records):
        for value in extra.values:
            draft.add_given(f"records[{n}]", extra.name, extra.type, value, extra.ttl)
        if not extra.values:
            message = "has no values"
            draft.findings.append(error("record-empty", f"records[{n}].values", message, "give one or more"))
    draft.settle()
    _beside_microsoft(draft)
    sets = group(draft.records)
    found = draft.findings + check_sets(sets, spec.domain, spec.known) + _certificate(sets, spec)
    found += asked.findings(spec.domain) if asked else []
    kept, ignored = set_aside(ordered(found), spec.ignore, spec.domain)
    return Zone(
        spec.domain,
        tuple(sets),
        tuple(kept),
        spec.ttl,
        policy,
        tuple(one.label for one in providers if one.label != "mail"),
        known=spec.known,
        ignored=tuple(ignored),
        origins=Origins.of(draft.records, spec.domain, spec.mail.spf_terms or [] if spec.mail else []),
    )


def _web(draft: _Draft) -> None:
    for n, one in enumerate(draft.spec.web):
        path = f"web[{n}]{one.place}"
        addresses = [("A", f"ipv4[{i}]", v) for i, v in enumerate(one.ipv4)]
        addresses += [("AAAA", f"ipv6[{i}]", v) for i, v in enumerate(one.ipv6)]
        if one.alias and addresses:
            message = "has an alias and addresses"
            draft.findings.append(error("web-both", path, message, "give one of the two"))
        if not one.alias and not addresses:
            message = "has neither an alias nor an address"
            draft.findings.append(error("web-empty", path, message, "give `ipv4`, `ipv6` or `alias`"))
        for kind, place, value in addresses:
            draft.add_address(path, place, one, kind, value.strip())
        if one.alias and (version := names.ip_version(one.alias)) is not None:
            message = f"`{one.alias}` is an IP address, and an alias is the name of another host"
            fix = f"write `ipv{version}: [{one.alias}]`"
            draft.findings.append(error("record-value", f"{path}.alias", message, fix, source="RFC 1034 §3.6.2"))
        elif one.alias:
            draft.add_given(f"{path}.alias", one.host, "CNAME", one.alias, one.ttl)


def _spf(draft: _Draft, providers: Sequence[Contribution]) -> None:
    spec = draft.spec
    if spec.mail is None:
        draft.add("mail", "@", "TXT", "v=spf1 -all")
        return
    ending = "-all" if spec.mail.spf_policy is SpfPolicy.FAIL else "~all"
    text = spf.merge([*(one.spf for one in providers), spec.mail.spf_terms or []], ending)
    if spec.mail.spf_flatten:
        if spec.live is None:
            message = "flattening needs the live DNS"
            fix = "set `live_dns: true`, or leave flattening off"
            draft.findings.append(error("spf-flatten-offline", "mail.spf_flatten", message, fix))
        else:
            resolver = default_resolver(group(draft.records), spec.domain, spec.live)
            flat = flatten(text, spec.domain, resolver, spec.ttl)
            draft.findings += flat.findings
            draft.records += flat.extra
            text = flat.text
    draft.add("mail", "@", "TXT", text)


def _mx(draft: _Draft, providers: Sequence[Contribution]) -> None:
    if draft.spec.mail is None:
        draft.add("mail", "@", "MX", mx.NULL_MX)
    for one in providers:
        for value in one.mx:
            draft.add(one.path, "@", "MX", value)


def _beside_microsoft(draft: _Draft) -> None:
    """A second mail exchanger of Microsoft 365 among `records`, where the preset publishes one: one of the two does not
    exist."""
    preset = [one for one in draft.records if one.path == "mail.microsoft" and one.type == "MX"]
    for one in draft.records:
        of_microsoft = host(one.value).endswith((".mx.microsoft", ".mail.protection.outlook.com"))
        if preset and one.type == "MX" and one.name == draft.spec.domain and of_microsoft and one not in preset:
            message = "is a second mail exchanger of Microsoft 365, and a domain has one"
            fix = f"write `mail.microsoft.mx_host: {fields(one.value)[1]}`, and remove it here"
            draft.findings.append(error("microsoft-mx", one.path, message, fix))


def _dmarc(draft: _Draft, providers: Sequence[Contribution]) -> None:
    spec = draft.spec
    args = spec.dmarc or DmarcArgs(stage=DmarcStage.MONITOR if spec.mail else DmarcStage.REJECT)
    given = [names.mail_address(one) for one in args.reports or []]
    reports = [*given, *(one for provider in providers for one in provider.reports)]
    text = dmarc.build(
        args.stage,
        rua=list(dict.fromkeys(reports)),
        ruf=[names.mail_address(one) for one in args.failure_reports or []],
        sp=args.subdomains.value if args.subdomains else None,
        np=args.nonexistent.value if args.nonexistent else None,
        strict_dkim=args.strict_dkim,
        strict_spf=args.strict_spf,
        fo=args.failure_options,
    )
    draft.add("dmarc", draft.own("_dmarc"), "TXT", text)
    for n, other in enumerate(args.accept_reports_of or []):
        if problem := domain_problem(other):
            path, fix = f"dmarc.accept_reports_of[{n}]", "write a domain such as `example.net`"
            draft.findings.append(error("domain", path, problem, fix))
            continue
        consent = dmarc.authorisation(other, spec.domain)
        draft.add("dmarc", f"{consent.name}.", consent.type, consent.value)


def _mta_sts(draft: _Draft, providers: Sequence[Contribution]) -> str | None:
    """Adds the record of MTA-STS and the alias of its host; gives the policy file for the proxy to serve."""
    assert draft.spec.mail
    args = draft.spec.mail.mta_sts
    if args is None:
        return None
    exchanges = mx.targets(value for one in providers for value in one.mx)
    patterns = args.mx if args.mx is not None else exchanges
    draft.findings += mta_sts.check_policy(args.mode, exchanges, patterns, args.max_age, "mail.mta_sts")
    text = mta_sts.policy_text(args.mode, [] if args.mode is MtaStsMode.NONE else patterns, args.max_age)
    draft.add("mail.mta_sts", draft.own("_mta-sts"), "TXT", mta_sts.record_text(text))
    owners = {(one.name, one.type) for one in draft.records}
    at_apex = any((draft.spec.domain, kind) in owners for kind in ("A", "AAAA"))
    if at_apex and not any(name == f"mta-sts.{draft.spec.domain}" for name, _ in owners):
        draft.add("mail.mta_sts", "mta-sts", "CNAME", f"{draft.spec.domain}.")
    return text


def _bimi_and_reports(draft: _Draft) -> None:
    mail = draft.spec.mail
    if mail and mail.tls_reports:
        addresses = [names.mail_address(one) for one in mail.tls_reports]
        draft.add("mail.tls_reports", draft.own("_smtp._tls"), "TXT", tls_rpt.record_text(addresses))
    if mail and mail.bimi:
        name = bimi.record_name(draft.spec.domain, mail.bimi.selector)
        draft.add("mail.bimi", f"{name}.", "TXT", bimi.record_text(mail.bimi.logo, mail.bimi.certificate))


def _caa(draft: _Draft) -> None:
    spec = draft.spec
    args, path = spec.caa, "caa"
    if args is None and spec.certificate:
        path = "certificate.issuer"
        # Without a policy of its own, the domain is open to the issuer of its certificates and to no other.
        args = CaaArgs(issuers=[spec.certificate.issuer], account_uri=spec.certificate.account_uri)
    if args is None:
        return
    for tag, issuers in (
        ("issue", args.issuers),
        ("issuewild", args.wildcard_issuers),
        ("issuemail", args.mail_issuers),
    ):
        if issuers is None:
            continue
        acme = tag != "issuemail"
        for issuer in issuers or [""]:
            uri = args.account_uri if issuer and acme else None
            methods = args.validation_methods or [] if issuer and acme else []
            draft.add(path, "@", "CAA", caa.build(tag, issuer.lower(), uri, methods))
    if args.report_to:
        draft.add("caa.report_to", "@", "CAA", f'0 iodef "{names.mail_address(args.report_to)}"')


def _certificate(sets: list[RecordSet], spec: ZoneSpec) -> list[Diagnostic]:
    wanted = spec.certificate
    if wanted is None:
        return []
    issuer = wanted.issuer.lower()  # domain names compare without regard to case (RFC 4343)
    covered: list[str] = []
    hosts = [one.host for one in spec.web] + (["mta-sts"] if spec.mail and spec.mail.mta_sts else [])
    for name in wanted.names if wanted.names is not None else hosts:
        try:
            covered.append(names.owner(name, spec.domain))
        except RecordError:
            continue  # reported where the host is added
    return [
        finding
        for name in dict.fromkeys(covered)
        for finding in caa.agrees(sets, spec.domain, name, issuer, wanted.account_uri, wanted.validation_method)
    ]
