"""The records as a DNSEndpoint, for clusters in which external-dns publishes. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.dns_records.records.model import RecordSet
from tierstack.platform.kubernetes.manifest import manifest
from tierstack.platform.kubernetes.plan import Planned

TYPES = ("A", "AAAA", "CNAME", "MX", "NS", "SRV", "TXT")
"""The record types that external-dns takes from a DNSEndpoint (its `endpoint/endpoint.go`). All but A, AAAA and CNAME
need `--managed-record-types`."""
_NULL_MX = "0 ."


def plan(name: str, endpoints: Sequence[Any], labels: Mapping[str, str]) -> list[Planned]:
    """The DNSEndpoint with `endpoints`, each as `endpoint` gives it, or an output of that."""
    spec = {"endpoints": list(endpoints)}
    made = manifest("externaldns.k8s.io/v1alpha1", "DNSEndpoint", name, spec, labels=labels)
    return [Planned(f"{name}-endpoint", made)]


def endpoint(one: RecordSet) -> dict[str, Any]:
    """An entry of `spec.endpoints`. external-dns refuses targets with a final dot, and SRV without one."""
    dotted = one.type in ("SRV", "TXT")
    targets = list(one.values) if dotted else [value.removesuffix(".") for value in one.values]
    return {"dnsName": one.name, "recordType": one.type, "recordTTL": one.ttl, "targets": targets}


def is_published(one: RecordSet) -> bool:
    """Whether external-dns can publish the set: it knows few types, and no null MX (RFC 7505)."""
    return one.type in TYPES and one.values != (_NULL_MX,)
