"""The arguments of DNSRecords."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import MISSING, rule
from tierstack.core.keys import KUBERNETES_ONLY, within
from tierstack.dns_records import ignores
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.options import (
    CaaArgs,
    CertificateArgs,
    DkimAlgorithm,
    DkimKeyArgs,
    DmarcArgs,
    DnsRecordArgs,
    MailArgs,
)
from tierstack.dns_records.publish.args import PublishArgs
from tierstack.dns_records.publish.switch import WebSwitchArgs
from tierstack.dns_records.records import hostnames as names
from tierstack.dns_records.records.model import DEFAULT_TTL, MAX_TTL
from tierstack.dns_records.resolve.kept_answers import KeptAnswers, KeptAnswersError
from tierstack.dns_records.resolve.resolvers import system_resolver
from tierstack.dns_records.rules import errors
from tierstack.dns_records.zone.compose import WebHost, Zone, ZoneSpec, compose
from tierstack.platform import Platform, PlatformKind

# They stand for addresses that are known only during the update, so that the rest is judged at preview.
_STAND_IN = {4: "192.0.2.1", 6: "2001:db8::1"}


@dataclass(kw_only=True)
class WebHostArgs:
    """One host of the web."""

    host: str = "@"
    """Its name below the domain, `@` for the domain itself, `*` for all that have no records of their own."""
    ipv4: list[pulumi.Input[str]] | None = None
    """Its IPv4 addresses; they may come from another resource, such as a load balancer. None: no A record."""
    ipv6: list[pulumi.Input[str]] | None = None
    """Its IPv6 addresses; they may come from another resource. None: no AAAA record."""
    alias: str | None = None
    """The host that it is the same as (a CNAME): `@`, `www`, or an absolute name such as `shops.example.net.`. Without
    its final dot a name of several labels must be one of this domain. Not for the domain itself. None: it has
    addresses."""
    ttl: int | None = field(default=None, metadata=within(0, MAX_TTL, "seconds", told_by="ttl-range"))
    """Seconds. 0 to 2147483647. None: the TTL of the zone."""
    switch: WebSwitchArgs | None = None
    """Several places that the host can lead to, one at a time: a switch by DNS. None: the addresses or the alias."""

    def settled(self) -> "WebHostArgs":
        """The host as it is now: with the addresses of the active place, and a low TTL where a switch is planned."""
        if self.switch is None:
            return self
        place = self.switch.targets[self.switch.active]
        ttl = self.ttl if self.switch.next is None else self.switch.low_ttl
        return WebHostArgs(host=self.host, ipv4=place.ipv4, ipv6=place.ipv6, alias=place.alias, ttl=ttl)

    def elsewhere(self) -> "list[WebHostArgs]":
        """The host as it would be with each other place active."""
        if self.switch is None:
            return []
        others = [name for name in self.switch.targets if name != self.switch.active]
        return [replace(self, switch=replace(self.switch, active=name, next=None)) for name in others]

    def problems(self, path: str) -> list[Diagnostic]:
        """What is wrong with a switch; the records themselves are judged with the zone."""
        if self.switch is None:
            return []
        found = self.switch.problems(f"{path}.switch")
        if self.ipv4 or self.ipv6 or self.alias:
            wrong = "has a switch, and an address or alias of its own"
            instead = "write each place among `switch.targets`"
            found.append(Diagnostic(path, MISSING, wrong, instead, "web-switch"))
        return found


@dataclass(kw_only=True)
class DNSRecordsArgs:
    """The records of one domain."""

    domain: str
    """The domain, lower case, without a final dot, such as `example.org`."""
    web: list[WebHostArgs] | None = None
    """The hosts of the web. None: the domain has no web."""
    mail: MailArgs | None = None
    """Who sends and receives mail. None: nobody; then null MX, `v=spf1 -all` and `p=reject` keep forgers
    out."""
    dmarc: DmarcArgs | None = None
    """The DMARC policy. None: monitoring for a domain with mail, reject for one without."""
    caa: CaaArgs | None = None
    """Who may issue certificates. None: the issuer in `certificate` alone, or anybody when that is not given
    either."""
    certificate: CertificateArgs | None = None
    """Who issues the certificates of the domain, to be checked against CAA. In a stack it is required where
    `tls` gets its certificate from a public CA. None: not checked."""
    records: list[DnsRecordArgs] | None = None
    """Further record sets. None: no further ones."""
    ttl: int = field(default=DEFAULT_TTL, metadata=within(0, MAX_TTL, "seconds", told_by="ttl-range"))
    """Seconds: the TTL of records that state none. 0 to 2147483647; outside of 60 to 604800 there is a warning."""
    zone_file_path: str | None = None
    """Where the zone file is written, relative to the program. None: nowhere; it is an output in any case."""
    publish: PublishArgs | None = None
    """The DNS host that the records are published at. None: they are not published."""
    platform: Platform | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: where the DNSEndpoint goes, needed by `publish.external_dns` alone. None: no other host needs it."""
    mta_sts_url: pulumi.Input[str] | None = None
    """`url` of the MtaStsHost that serves the policy: its record is written once the new policy is served (RFC 8461
    §8.2). None: another serves it."""
    dns_answers_path: str | None = None
    """A file of `tierstack dns snapshot`, relative to the program: what the DNS answered about names outside of this
    zone when it was last asked. None: only the snapshot of common mail providers."""
    ignore: dict[str, str] | None = None
    """Findings that are accepted: the id of a rule, or `id@name` for one name (`address-private@vpn`), and the reason.
    They are counted in the summary. None: every finding counts."""
    live_dns: bool = False
    """Whether SPF lookups and report receivers are checked against the live DNS. False: against a dated
    snapshot, so that a preview needs no network and gives the same verdict everywhere."""

    def problems(self) -> list[Diagnostic]:
        """Everything that would stop a preview; warnings and advice are outputs of the component."""
        return self.judged().problems

    def judged(self) -> "JudgedZone":
        """The zone with everything that would stop a preview, so that who needs both composes it once."""
        found = self.problems_before_records()
        if found:
            return JudgedZone(None, found)
        zone = self.zone()
        found = problems_of(zone)
        for n, host in enumerate(self.web or []):
            # A place that nobody could switch to is found now, not in the hour of the switch.
            for one in host.elsewhere():
                web = [*(self.web or [])[:n], one, *(self.web or [])[n + 1 :]]
                found += [problem for problem in problems_of(replace(self, web=web).zone()) if problem not in found]
        return JudgedZone(zone, found)

    def problems_before_records(self) -> list[Diagnostic]:
        """What is wrong before any record can be computed."""
        found = bound_problems(self)
        found += [problem for n, one in enumerate(self.web or []) for problem in one.problems(f"web[{n}]")]
        if self.publish:
            found += self.publish.problems(self.domain) + self._platform_problems(self.publish)
        return found + self._answers_problems() + ignores.problems(self.ignore or {})

    def switches(self) -> dict[str, dict[str, object]]:
        """The hosts that can switch, by absolute name: how low the TTL has to be, and whether at once."""
        return {
            names.owner(one.host, self.domain): {"low_ttl": one.switch.low_ttl, "at_once": one.switch.at_once}
            for one in self.web or []
            if one.switch
        }

    @rule("external-dns-platform", "Publishing by external-dns needs a Kubernetes platform, which must be given.")
    def _platform_problems(self, publish: PublishArgs) -> list[Diagnostic]:
        if publish.external_dns is None:
            return []
        if self.platform is None:
            wrong = "is required, because a DNSEndpoint lives in a namespace"
            return [Diagnostic("platform", MISSING, wrong, "pass the Kubernetes platform")]
        if self.platform.kind is not PlatformKind.KUBERNETES:
            wrong = "needs external-dns, which runs in a Kubernetes cluster"
            return [
                Diagnostic("publish.external_dns", MISSING, wrong, "publish at a DNS host instead, such as `rfc2136`")
            ]
        return self.platform.problems()

    @property
    def mta_sts_policy(self) -> str | None:
        """The policy file that the record announces; None where there is none, or an argument is wrong. Known at
        preview."""
        return self.judged().policy if self.mail and self.mail.mta_sts else None

    def late_keys(self) -> set[str]:
        """The record sets, `www.example.org A`, of which an address or a DKIM key comes from another resource."""
        hosts = {
            f"{names.owner(one.host, self.domain)} {kind}"
            for one in self._hosts()
            for kind, values in (("A", one.ipv4), ("AAAA", one.ipv6))
            if any(not isinstance(value, str) for value in values or [])
        }
        return hosts | {f"{dkim.key_name(selector, self.domain)} TXT" for selector in self.generated_keys()}

    def generated_keys(self) -> dict[str, DkimAlgorithm]:
        """The selectors, in lower case, whose key pairs the engine makes."""
        return {key.selector.lower(): key.generate for key in self.own_keys() if key.generate is not None and key.live}

    def own_keys(self) -> list[DkimKeyArgs]:
        """The DKIM selectors of the domain's own mail server."""
        own = self.mail.own_server if self.mail else None
        return own.dkim or [] if own else []

    def late_addresses(self) -> list[pulumi.Input[str]]:
        """The addresses that come from other resources, in the order in which `zone` takes them."""
        return [value for value in self._addresses() if not isinstance(value, str)]

    def zone(self, late: Sequence[str] | None = None, keys: Mapping[str, str] | None = None) -> Zone:
        """The zone, with the late addresses and the public keys of generated selectors given (PEM); None puts
        examples in their place."""
        known = iter(late) if late is not None else None

        def settle(values: list[pulumi.Input[str]] | None, version: int) -> tuple[str, ...]:
            return tuple(
                value if isinstance(value, str) else next(known) if known else _STAND_IN[version]
                for value in values or []
            )

        places = [f".switch.targets.{one.switch.active}" if one.switch else "" for one in self.web or []]
        web = tuple(
            WebHost(one.host, settle(one.ipv4, 4), settle(one.ipv6, 6), one.alias, one.ttl, place)
            for one, place in zip(self._hosts(), places, strict=True)
        )
        spec = ZoneSpec(
            domain=self.domain,
            web=web,
            mail=self._mail(keys),
            dmarc=self.dmarc,
            caa=self.caa,
            certificate=self.certificate,
            records=tuple(self.records or []),
            ttl=self.ttl,
            live=system_resolver() if self.live_dns else None,
            kept=self._kept(),
            ignore=self.ignore or {},
        )
        return compose(spec)

    def _kept(self) -> KeptAnswers | None:
        """The answers of `dns_answers_path`; None where there are none, which `problems` says."""
        try:
            return KeptAnswers.read(Path(self.dns_answers_path)) if self.dns_answers_path else None
        except KeptAnswersError:
            return None

    @rule("dns-answers", "The file of answers that the DNS gave earlier must be readable.")
    def _answers_problems(self) -> list[Diagnostic]:
        try:
            if self.dns_answers_path:
                KeptAnswers.read(Path(self.dns_answers_path))
        except KeptAnswersError as problem:
            instead = f"write it with `tierstack dns snapshot {self.domain} --out {self.dns_answers_path}`"
            return [Diagnostic("dns_answers_path", self.dns_answers_path, str(problem), instead)]
        return []

    def _mail(self, keys: Mapping[str, str] | None) -> MailArgs | None:
        """`mail` with each key that is generated as one that is given."""
        generated = self.generated_keys()
        if not generated or not self.mail or not self.mail.own_server:
            return self.mail

        def settle(key: DkimKeyArgs) -> DkimKeyArgs:
            kind = generated.get(key.selector.lower())
            if kind is None or key.public_key is not None or key.target is not None:
                return key
            made = keys[key.selector.lower()] if keys is not None else dkim.stand_in(kind)
            return replace(key, public_key=made, generate=None)

        own = self.mail.own_server
        return replace(self.mail, own_server=replace(own, dkim=[settle(key) for key in own.dkim or []]))

    def _addresses(self) -> list[pulumi.Input[str]]:
        return [value for one in self._hosts() for values in (one.ipv4, one.ipv6) for value in values or []]

    def _hosts(self) -> list[WebHostArgs]:
        return [one.settled() for one in self.web or []]


@dataclass(frozen=True)
class JudgedZone:
    """A zone, and what is wrong with it."""

    zone: Zone | None
    """None: an argument is wrong, so no record can be computed."""
    problems: list[Diagnostic]

    @property
    def policy(self) -> str | None:
        """The MTA-STS policy file that the zone announces. None: there is none, or something is wrong."""
        return self.zone.mta_sts_policy if self.zone and not self.problems else None


def problems_of(zone: Zone) -> list[Diagnostic]:
    """The errors of a zone as a component raises them: at the argument to change, where it is one."""
    return [at_argument(zone, one) for one in errors(zone.findings)]


def at_argument(zone: Zone, finding: Diagnostic) -> Diagnostic:
    """A finding of a zone at the argument to change, where it is one."""
    path = zone.path(finding)
    return finding if path is None else replace(finding, path=path, message=f"{finding.path}: {finding.message}")
