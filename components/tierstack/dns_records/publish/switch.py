"""A switch by DNS between places that serve the same host, and when resolvers are ready for it. Pure.

Resolvers keep an answer for its TTL (RFC 1035 §3.2.1). A switch is therefore two updates: the first lowers the TTL,
the second, once the old TTL has run out, changes the address. Then the whole switch takes the low TTL.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pulumi

from tierstack.core.errors import MISSING, Diagnostic, declare, rule
from tierstack.core.keys import within
from tierstack.dns_records.records.model import RecordSet

declare(
    "web-switch-early",
    "A host can move once resolvers keep the old answer for a short time only.",
    "RFC 1035 §3.2.1",
    why="Until the old TTL has run out, a part of the visitors would still be led to the old place.",
)


@dataclass(kw_only=True)
class WebTargetArgs:
    """One of the places that a host can lead to."""

    ipv4: list[pulumi.Input[str]] | None = None
    """Its IPv4 addresses; they may come from another resource. None: no A record."""
    ipv6: list[pulumi.Input[str]] | None = None
    """Its IPv6 addresses; they may come from another resource. None: no AAAA record."""
    alias: str | None = None
    """The host that it is the same as (a CNAME), as in `WebHostArgs`. None: it has addresses."""


@dataclass(kw_only=True)
class WebSwitchArgs:
    """A switch by DNS between two or more places, such as `blue` and `green`. All or nothing: weights belong to the
    gateway, because what resolvers make of several addresses nobody decides."""

    targets: dict[str, WebTargetArgs]
    """The places by name, at least two."""
    active: str
    """The place that the host leads to."""
    next: str | None = None
    """The place that a planned switch will lead to. While it is given the TTL is `low_ttl`; write it the old TTL
    before the switch, and leave it (with the place to go back to) until the switch has proved good. None: no switch
    is planned."""
    low_ttl: int = field(default=60, metadata=within(60, 3600, "seconds"))
    """Seconds: the TTL while a switch is planned, 60 to 3600."""
    at_once: bool = False
    """Whether `active` may change although resolvers still keep the old answer: for an emergency."""

    @rule("web-switch", "A switch needs two places or more, and can lead to those only.")
    def problems(self, path: str) -> list[Diagnostic]:
        """What is wrong with the places or the plan."""
        names = ", ".join(f"`{name}`" for name in self.targets)
        found: list[Diagnostic] = []
        if len(self.targets) < 2:
            wrong = f"has {len(self.targets)} places, and a switch needs two"
            found.append(
                Diagnostic(f"{path}.targets", MISSING, wrong, "add one, or write the address at the host itself")
            )
        for key in ("active", "next"):
            value = getattr(self, key)
            if value is not None and value not in self.targets:
                found.append(Diagnostic(f"{path}.{key}", value, "is not one of the targets", f"write one of {names}"))
        if self.next is not None and self.next == self.active:
            instead = "write the place to go to, or leave it out once the switch has proved good"
            found.append(Diagnostic(f"{path}.next", self.next, "is active already", instead))
        return found


@dataclass(frozen=True)
class Readiness:
    """Whether the hosts that switch may do so now."""

    problems: list[Diagnostic] = field(default_factory=list[Diagnostic])
    quiet_from: dict[str, str] = field(default_factory=dict[str, str])
    """By host: when the answers with the old, long TTL have run out (ISO 8601, UTC)."""


def readiness(
    before: Mapping[str, RecordSet],
    after: Mapping[str, RecordSet],
    switches: Mapping[str, Mapping[str, object]],
    quiet_from: Mapping[str, str],
    now: datetime,
) -> Readiness:
    """What resolvers still keep of `before` when `after` is published at `now`.

    `switches` gives `low_ttl` and `at_once` by host name, `quiet_from` is what the last update said.
    """
    found = Readiness()
    for name, switch in switches.items():
        old = {one.type: one for one in before.values() if one.name == name}
        new = {one.type: one for one in after.values() if one.name == name}
        if not old or not new:
            continue
        low = int(float(str(switch["low_ttl"])))
        kept = max(one.ttl for one in old.values())
        until = quiet_from.get(name)
        moves = {kind: one.values for kind, one in old.items()} != {kind: one.values for kind, one in new.items()}
        if moves and not switch.get("at_once"):
            if kept > low:
                wrong = f"would move while resolvers keep the old answer for up to {kept} s"
                instead = (
                    f"write `next` and leave `active`, update, and switch {kept} s later; or write `at_once: true`"
                )
                found.problems.append(Diagnostic(name, MISSING, wrong, instead, "web-switch-early"))
            elif until and now < datetime.fromisoformat(until):
                wrong = f"would move while resolvers may keep the answer with the old TTL, until {until}"
                instead = "switch after that, or write `at_once: true`"
                found.problems.append(Diagnostic(name, MISSING, wrong, instead, "web-switch-early"))
        if max(one.ttl for one in new.values()) > low:
            continue  # the next switch begins anew
        if kept > low:
            until = (now.astimezone(UTC) + timedelta(seconds=kept)).replace(microsecond=0).isoformat()
        if until:
            found.quiet_from[name] = until
    return found
