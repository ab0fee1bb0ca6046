"""DNSRecords: the records of a domain, computed, validated at preview, and published or written as a zone file."""

from collections.abc import Mapping, Sequence
from typing import Any

import pulumi
import pulumi_tls as tls

from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.core.errors import ArgumentError
from tierstack.dns_records.args import DNSRecordsArgs, WebHostArgs, problems_of
from tierstack.dns_records.mail.dkim import rotation as dkim_rotation
from tierstack.dns_records.options import (
    BimiArgs,
    BrevoArgs,
    CaaArgs,
    CertificateArgs,
    DkimAlgorithm,
    DkimKeyArgs,
    DmarcArgs,
    DmarcPolicy,
    DmarcStage,
    DnsRecordArgs,
    FastmailArgs,
    GoogleMailArgs,
    MailArgs,
    MailgunArgs,
    MailgunRegion,
    MailProvider,
    MicrosoftMailArgs,
    MtaStsArgs,
    MtaStsMode,
    OwnMailServerArgs,
    PostmarkArgs,
    SesArgs,
    SpfPolicy,
)
from tierstack.dns_records.publish.args import (
    CloudflareArgs,
    ExternalDnsArgs,
    PowerDnsArgs,
    PublishArgs,
    Rfc2136Args,
    Route53Args,
    TsigAlgorithm,
)
from tierstack.dns_records.publish.dkim_keys import DkimRotation, key_pair
from tierstack.dns_records.publish.endpoint import endpoint, is_published, plan
from tierstack.dns_records.publish.switch import WebSwitchArgs, WebTargetArgs
from tierstack.dns_records.publish.zone_records import ZoneRecords, as_inputs
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.rules import errors
from tierstack.dns_records.zone.compose import Zone
from tierstack.dns_records.zone.summary import summarize
from tierstack.platform import DataProtection, hosted_python
from tierstack.platform.component import Component
from tierstack.platform.kubernetes.cluster import cluster

__all__ = [
    "BimiArgs",
    "BrevoArgs",
    "CaaArgs",
    "CertificateArgs",
    "CloudflareArgs",
    "DNSRecords",
    "DNSRecordsArgs",
    "DkimAlgorithm",
    "DkimKeyArgs",
    "DmarcArgs",
    "DmarcPolicy",
    "DmarcStage",
    "DnsRecordArgs",
    "ExternalDnsArgs",
    "FastmailArgs",
    "GoogleMailArgs",
    "MailArgs",
    "MailProvider",
    "MailgunArgs",
    "MailgunRegion",
    "MicrosoftMailArgs",
    "MtaStsArgs",
    "MtaStsMode",
    "OwnMailServerArgs",
    "PostmarkArgs",
    "PowerDnsArgs",
    "PublishArgs",
    "Rfc2136Args",
    "Route53Args",
    "SesArgs",
    "SpfPolicy",
    "TsigAlgorithm",
    "WebHostArgs",
    "WebSwitchArgs",
    "WebTargetArgs",
]


class DNSRecords(Component):
    """All records of one domain, for web and mail, with every mistake caught at preview."""

    records: pulumi.Output[dict[str, list[str]]]
    """The record sets: `www.example.org A` → `3600 192.0.2.1`, the TTL in seconds first."""
    zone_file: pulumi.Output[str]
    """The zone as a file (RFC 1035 §5) without SOA and NS, which belong to the DNS host."""
    summary: pulumi.Output[str]
    """What the zone does, in words."""
    findings: pulumi.Output[list[dict[str, str]]]
    """Warnings and advice: code, severity, path, message, hint and source of each."""
    mta_sts_policy: pulumi.Output[str]
    """The file to serve at https://mta-sts.<domain>/.well-known/mta-sts.txt; empty where there is no
    policy."""
    dkim_signing_keys: pulumi.Output[dict[str, str]]
    """A secret: selector → the private key (PKCS#8, PEM) of each generated key that signs now, known once the zone is
    written, so that nothing signs with a key that is not published."""

    def __init__(self, name: str, args: DNSRecordsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        """Raises ArgumentError with every error of the zone, each with the rule's source; nothing is
        registered then."""
        loaded = self.begin(name, args, DNSRecordsArgs, opts)
        hosted_python.require()
        draft = loaded.zone()
        rotation = self._rotation(name, loaded)
        pairs = {
            selector: key_pair(f"{name}-dkim-{selector}", kind, self.child(depends_on=rotation))
            for selector, kind in loaded.generated_keys().items()
        }
        late, public = loaded.late_addresses(), [pair.public_key_pem for pair in pairs.values()]
        zone = pulumi.Output.all(*late, *public).apply(
            lambda known: self._settled(
                name, loaded, known[: len(late)], dict(zip(pairs, known[len(late) :], strict=True))
            )
        )
        records = {one.key: _inputs(draft, zone, one.key, loaded) for one in draft.sets}
        for finding in draft.findings:
            if finding.severity is Severity.WARNING:
                pulumi.log.warn(finding.line, self)
        written = ZoneRecords(
            f"{name}-zone",
            domain=loaded.domain,
            records=records,
            ttl=loaded.ttl,
            zone_file_path=loaded.zone_file_path,
            publish=_published(loaded),
            opts=self.child(depends_on=rotation, **_protection(loaded)),
        )
        if loaded.publish and loaded.publish.external_dns:
            self._endpoint(name, loaded, draft, zone)
        self.finish(
            {
                "records": pulumi.Output.from_input(records),
                "zone_file": zone.apply(lambda known: known.text),
                "summary": zone.apply(summarize),
                "findings": zone.apply(lambda known: [_as_texts(finding) for finding in known.findings]),
                "mta_sts_policy": draft.mta_sts_policy or "",
                "dkim_signing_keys": _signing_keys(loaded, pairs, written),
            }
        )

    def _rotation(self, name: str, args: DNSRecordsArgs) -> list[pulumi.Resource]:
        """The memory of the DKIM keys, for a domain that has keys of its own. Everything else of the zone comes after
        it, so that an update which it refuses has changed nothing."""
        own = args.mail.own_server if args.mail else None
        if own is None or not own.dkim:
            return []
        keys = dkim_rotation.keys(own)
        return [DkimRotation(f"{name}-dkim", domain=args.domain, keys=keys, opts=self.child())]

    def _endpoint(self, name: str, args: DNSRecordsArgs, draft: Zone, zone: pulumi.Output[Zone]) -> None:
        """Hand the records to external-dns."""
        assert args.platform
        assert args.publish
        assert args.publish.external_dns
        late = args.late_keys()
        entries: list[Any] = []
        for one in draft.sets:
            if not is_published(one):
                pulumi.log.warn(f"{one.key} is left out: external-dns cannot publish it", self)
            elif one.key in late:
                entries.append(zone.apply(lambda known, key=one.key: endpoint(_of(known, key))))
            else:
                entries.append(endpoint(one))
        labels = args.publish.external_dns.labels or {}
        cluster(args.platform, self).apply(self, plan(name, entries, labels))

    @staticmethod
    def _settled(name: str, args: DNSRecordsArgs, late: Sequence[str], keys: Mapping[str, str]) -> Zone:
        """The zone with the addresses and keys that other resources gave; they are judged now, as the rest was at
        preview."""
        zone = args.zone(late, keys)
        if errors(zone.findings):
            raise ArgumentError(f'DNSRecords "{name}"', problems_of(zone))
        return zone


def _signing_keys(
    args: DNSRecordsArgs, pairs: Mapping[str, tls.PrivateKey], written: pulumi.Resource
) -> pulumi.Output[dict[str, str]]:
    """The private keys that sign, once `written` is done."""
    own = args.mail.own_server if args.mail else None
    signing = [name.lower() for name in own.signers if name.lower() in pairs] if own else []
    private = pulumi.Output.all(*(pairs[name].private_key_pem_pkcs8 for name in signing))
    known = pulumi.Output.all(written.urn, private).apply(lambda both: dict(zip(signing, both[1], strict=True)))
    return pulumi.Output.secret(known)


def _as_texts(finding: Diagnostic) -> dict[str, str]:
    return {key: str(value) for key, value in finding.as_dict().items() if value is not None}


def _inputs(draft: Zone, zone: pulumi.Output[Zone], key: str, args: DNSRecordsArgs) -> pulumi.Input[list[str]]:
    """The values of a set: plain where they are known at preview, so that only the late ones show as
    unknown."""
    if key not in args.late_keys():
        values = as_inputs(_of(draft, key))
        if args.mta_sts_url is not None and key == f"_mta-sts.{args.domain} TXT":
            return pulumi.Output.from_input(args.mta_sts_url).apply(lambda _: values)
        return values
    return zone.apply(lambda known: as_inputs(_of(known, key)))


def _of(zone: Zone, key: str) -> RecordSet:
    return next(one for one in zone.sets if one.key == key)


def _published(args: DNSRecordsArgs) -> dict[str, Any]:
    """The further inputs of a zone that is published at a DNS host."""
    inputs = args.publish.inputs(args.domain) if args.publish else {}
    switches = args.switches()
    return {**inputs, "switches": switches} if inputs and switches else inputs


def _protection(args: DNSRecordsArgs) -> dict[str, Any]:
    """Published records are data to those who look for the domain: without a word nobody withdraws them."""
    if args.publish is None or args.publish.external_dns:
        return {}
    protection = args.publish.data_protection or DataProtection.PROTECT
    options = {
        "protect": protection is not DataProtection.NONE,
        "retain_on_delete": protection is DataProtection.RETAIN,
    }
    return {key: value for key, value in options.items() if value}
