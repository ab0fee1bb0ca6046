"""The DNS hosts that octoDNS speaks to: what is there, what would change, and changing it."""

# octoDNS carries no types.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportUnknownParameterType=false, reportMissingTypeStubs=false

import importlib
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tierstack.core.errors import Diagnostic, rule
from tierstack.dns_records.publish.plan import Limits, Sets, adopted, refusals, unusable
from tierstack.dns_records.records.model import RecordSet, canonical_value, quoted

# Module, class and constant settings of each host's octoDNS provider.
_PROVIDERS: dict[str, tuple[str, str, dict[str, Any]]] = {
    "rfc2136": ("tierstack.dns_records.publish.rfc2136", "PrerequisiteProvider", {}),
    "powerdns": ("octodns_powerdns", "PowerDnsProvider", {"enable_dynamic": False}),
    # Page rules are not records; 60 is the least TTL in seconds that Cloudflare takes outside Enterprise plans.
    "cloudflare": ("octodns_cloudflare", "CloudflareProvider", {"pagerules": False, "min_ttl": 60}),
    "route53": ("octodns_route53", "Route53Provider", {}),
}
EXTRAS = {"rfc2136": "dns", "powerdns": "dns-powerdns", "cloudflare": "dns-cloudflare", "route53": "dns-route53"}
"""The extra of this package that each host needs."""
_NEEDS = {"rfc2136": "octodns_bind", **{host: _PROVIDERS[host][0] for host in EXTRAS if host != "rfc2136"}}


class PublishError(Exception):
    """Publishing was refused or failed, with every reason."""

    def __init__(self, zone: str, problems: Sequence[Diagnostic]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join([f"records of {zone} were not published:", *(f"  {one.line}" for one in problems)]))


def installed(host: str) -> bool:
    """Whether the package that speaks to the host is there."""
    return importlib.util.find_spec(_NEEDS[host]) is not None


@dataclass(frozen=True)
class Comparison:
    """What stands at the host against what is wanted."""

    live: dict[str, RecordSet]
    """All sets at the names that were asked for, own and others'."""
    changed: frozenset[str]
    """Keys of the sets that would be changed."""
    plan: Any
    """octoDNS's plan; None where nothing changes."""


class Host:
    """A zone at a DNS host. `publish` and `credentials` are as the resource holds them."""

    def __init__(self, publish: Mapping[str, Any], credentials: Mapping[str, Any]) -> None:
        self.kind = str(publish["host"])
        self.zone = str(publish["zone"])
        module, name, constant = _PROVIDERS[self.kind]
        given = {**constant, **_whole(publish["settings"]), **credentials}
        # A new one for each question, because some keep what they have read.
        self._open: Callable[[], Any] = lambda: getattr(importlib.import_module(module), name)(
            self.kind, root_ns_warnings=False, **given
        )

    def read(self, sets: Sets) -> dict[str, RecordSet]:
        """What stands at the host of `sets`. Where the host sees no difference, the set as it is given."""
        found = self.compare(sets, sets, Limits())
        same = {key: one for key, one in sets.items() if key not in found.changed}
        return {**same, **{key: found.live[key] for key in found.changed if key in found.live}}

    def judge(self, owned: Sets, wanted: Sets, limits: Limits) -> list[Diagnostic]:
        """Everything for which publishing would be refused now; a host that does not answer is one."""
        if harmed := self._harmed(wanted):
            return harmed
        try:
            found = self.compare(owned, wanted, limits)
        except Exception as problem:  # each provider has errors of its own
            return [unusable(self.kind, problem)]
        return refusals(owned, wanted, found.live, found.changed, self.zone, limits)

    def publish(self, owned: Sets, wanted: Sets, limits: Limits) -> None:
        """Make the host hold `wanted`, and no longer what is `owned` and not wanted. Raises PublishError."""
        if harmed := self._harmed(wanted):
            raise PublishError(self.zone, harmed)
        try:
            found = self.compare(owned, wanted, limits)
            problems = refusals(owned, wanted, found.live, found.changed, self.zone, limits)
            if problems or found.plan is None:
                left = None
            else:
                found.plan.provider.apply(found.plan.octodns)
                left = self.compare(wanted, wanted, limits)
        except Exception as problem:  # each provider has errors of its own
            raise PublishError(self.zone, [unusable(self.kind, problem)]) from None
        if left is not None and left.changed:
            # RFC 2136 lets a server drop a change without a word (§3.4.2.2).
            unseen = ", ".join(sorted(left.changed))
            problems = [unusable(self.kind, f"it took the update, but shows something else at {unseen}")]
        if problems:
            raise PublishError(self.zone, problems)

    @rule("publish-text", "Texts must be ones that the DNS host carries as they are.")
    def _harmed(self, wanted: Sets) -> list[Diagnostic]:
        """Texts that the providers of others do not carry as they are: octodns-powerdns 1.2 leaves quotes bare, and
        octoDNS 1.22 knows only ASCII. Ours for RFC 2136 renders them itself."""
        if self.kind == "rfc2136":
            return []
        wrong = f"has a quote, a backslash or a character outside ASCII, which octoDNS does not carry to {self.kind}"
        return [
            Diagnostic(one.key, value, wrong, "write the text without")
            for one in wanted.values()
            if one.type == "TXT"
            for value in one.values
            if not value.isascii() or set(value) & set('"\\')
        ]

    def compare(self, owned: Sets, wanted: Sets, limits: Limits) -> Comparison:
        """Read the host, and let octoDNS find the difference among what is ours, wanted or taken over."""
        import logging

        from octodns.processor.base import BaseProcessor
        from octodns.zone import Zone

        live: dict[str, RecordSet] = {}
        names = frozenset(one.name for one in (*owned.values(), *wanted.values()))

        class Ours(BaseProcessor):  # type: ignore[misc]
            """Hides what is not ours from the plan, so that it is never deleted."""

            def process_target_zone(self, existing: Any, target: Any, lenient: bool = False) -> Any:
                records = {_key(one): one for one in existing.records}
                live.update({key: _set(one) for key, one in records.items() if key.partition(" ")[0] in names})
                ours = {*owned, *wanted, *adopted(owned, wanted, live, limits)}
                for key, one in records.items():
                    if key not in ours:
                        existing.remove_record(one)
                return existing

        # octoDNS would advise on records that `check` has judged, at every look.
        logging.getLogger("Record").setLevel(logging.ERROR)
        provider = self._open()
        if self.kind == "rfc2136":
            provider.names = names
        desired = Zone(f"{self.zone}.", [])
        for one in wanted.values():
            desired.add_record(_record(desired, one), lenient=True)
        plan = provider.plan(desired, processors=[Ours("ours")], lenient=True)
        if plan is None:
            return Comparison(live, frozenset(), None)
        if plan.exists is False:
            raise LookupError(f"it has no zone {self.zone}; make the zone there first")
        changed = frozenset(_key(change.record) for change in plan.changes)
        return Comparison(live, changed, _Planned(provider, plan))


@dataclass(frozen=True)
class _Planned:
    provider: Any
    octodns: Any


def _record(zone: Any, one: RecordSet) -> Any:
    from octodns.record import Record
    from octodns.record.rr import Rrset

    values = [quoted(value) if one.type == "TXT" else value for value in one.values]
    return Record.from_rrset(zone, Rrset(f"{one.name}.", one.type, one.ttl, values), lenient=True)


def _key(record: Any) -> str:
    return f"{record.fqdn.rstrip('.')} {record._type}"


def _set(record: Any) -> RecordSet:
    name = record.fqdn.rstrip(".")
    if record._type == "TXT":
        values = [str(value.to_raw_text()) for value in record.values]
    else:
        values = [_canonical(record._type, text, name) for text in cast(list[str], record.to_rrset().rdatas)]
    return RecordSet(name, str(record._type), tuple(sorted(values)), int(record.ttl))


def _canonical(kind: str, text: str, name: str) -> str:
    return canonical_value(kind, text, name)


def _whole(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers come back from the engine as floats."""
    return {
        key: int(value) if isinstance(value, float) and value.is_integer() else value for key, value in settings.items()
    }
