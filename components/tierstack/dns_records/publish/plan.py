"""What publishing may change at a DNS host, judged before anything is changed. Pure.

A record set belongs to the stack in whose state it stands. Everything else at the host belongs to others, and stays.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from tierstack.core.errors import MISSING, Diagnostic, declare
from tierstack.dns_records.records.model import RecordSet

declare("publish-deletes", "One update can delete a few of the record sets only.")
declare("publish-name-servers", "The name servers of the zone itself must stay.")
declare("publish-foreign", "Record sets that others made are left alone.")
declare("publish-drift", "Record sets must be at the DNS host as they were published.")
declare("publish-host", "The DNS host must answer, and take what is published.")

Sets = Mapping[str, RecordSet]
"""Record sets by their key, `www.example.org A`."""

ALL = "*"
"""In `adopt`: every record set of the zone."""
FEW_SETS = 2
"""Record sets that may always be deleted: one host, which is A and AAAA."""


@dataclass(frozen=True)
class Limits:
    """What the program allows beyond the ordinary."""

    adopt: tuple[str, ...] = ()
    """Record sets of others that are taken over."""
    max_delete_percent: int = 30
    """The part of the own record sets that one update may delete. octoDNS's default, but counted from the first set
    on, where octoDNS counts from ten."""
    allow_ns_changes: bool = False
    """Whether the name servers of the zone itself may change."""


def adopted(owned: Sets, wanted: Sets, live: Sets, limits: Limits) -> dict[str, RecordSet]:
    """What `adopt` takes over: sets that are wanted, and those that stand in the way of one."""
    named = {key.lower(): key for key in limits.adopt}
    in_the_way = {one.key for one, _ in _clashes(owned, wanted, live)}
    return {
        key: one
        for key, one in live.items()
        if key not in owned and (key in wanted or key in in_the_way) and (ALL in named or key.lower() in named)
    }


def large_changes(owned: Sets, wanted: Sets, zone: str, limits: Limits) -> list[Diagnostic]:
    """Deletes and changes of name servers that need a flag. Needs no look at the host."""
    deleted = [key for key in owned if key not in wanted]
    found: list[Diagnostic] = []
    percent = 100 * len(deleted) / len(owned) if owned else 0
    if len(deleted) > FEW_SETS and percent > limits.max_delete_percent:
        wrong = (
            f"would delete {len(deleted)} of {len(owned)} record sets ({percent:.0f} %): "
            f"{', '.join(sorted(deleted)[:5])}{' …' if len(deleted) > 5 else ''}"
        )
        instead = f"if that is meant, write {-(-100 * len(deleted) // len(owned))} for this update"
        allowed = limits.max_delete_percent
        found.append(Diagnostic("publish.max_delete_percent", allowed, wrong, instead, "publish-deletes"))
    apex = f"{zone} NS"
    if not limits.allow_ns_changes and apex in owned and owned.get(apex) != wanted.get(apex):
        found.append(_name_servers(owned[apex], wanted.get(apex)))
    return found


def refusals(
    owned: Sets, wanted: Sets, live: Sets, changed: Collection[str], zone: str, limits: Limits
) -> list[Diagnostic]:
    """Everything for which the update is refused, given what stands at the host.

    `live` holds all sets at the names that matter; `changed` the keys that the host would be told to change.
    """
    taken = {**owned, **adopted(owned, wanted, live, limits)}
    found = large_changes(taken, wanted, zone, limits)
    for key in sorted(changed):
        here, mine = live.get(key), taken.get(key)
        if here is None:
            continue  # made anew, or gone already
        if mine is None:
            found.append(_foreign(key, here, wanted[key]))
        elif here.values != mine.values:
            found.append(_drifted(key, mine, here))
    for other, one in _clashes(taken, wanted, live):
        wrong = (
            f"stands at the DNS host in the way of {one.key}, and a CNAME tolerates no other record (RFC 1034 §3.6.2)"
        )
        instead = "delete it at the host, or name it in `publish.adopt` to have it deleted"
        found.append(Diagnostic(other.key, _values(other), wrong, instead, "publish-foreign"))
    apex = f"{zone} NS"
    if not limits.allow_ns_changes and apex in changed and apex in wanted and apex in live and apex not in owned:
        found.append(_name_servers(live[apex], wanted[apex]))
    return found


def _clashes(taken: Sets, wanted: Sets, live: Sets) -> list[tuple[RecordSet, RecordSet]]:
    """Sets of others beside which a wanted one cannot be, each with that one."""
    return [
        (other, one)
        for one in wanted.values()
        for other in live.values()
        if other.name == one.name
        and other.key not in wanted
        and other.key not in taken
        and "CNAME" in (other.type, one.type)
    ]


def _foreign(key: str, here: RecordSet, one: RecordSet) -> Diagnostic:
    wrong = f"is at the DNS host already, not by this stack, and would become {_values(one)}"
    instead = f"name it in `publish.adopt` to take it over: [{key}]"
    return Diagnostic(key, _values(here), wrong, instead, "publish-foreign")


def _drifted(key: str, mine: RecordSet, here: RecordSet) -> Diagnostic:
    wrong = f"was changed at the DNS host by another writer; this stack had published {_values(mine)}"
    instead = "run `pulumi refresh`, look at the next preview, and update again"
    return Diagnostic(key, _values(here), wrong, instead, "publish-drift")


def _name_servers(before: RecordSet, after: RecordSet | None) -> Diagnostic:
    becomes = _values(after) if after else "nothing"
    wrong = f"are the name servers of the zone itself and would become {becomes}, which can take the whole zone away"
    instead = "write `publish.allow_ns_changes: true` for this update, if that is meant"
    return Diagnostic(before.key, _values(before), wrong, instead, "publish-name-servers")


def _values(one: RecordSet) -> list[str]:
    return [f"{one.ttl} {value}" for value in one.values]


def unusable(host: str, why: object) -> Diagnostic:
    """The DNS host does not answer, or refuses us."""
    instead = getattr(why, "hint", "check its settings, the credentials and their rights")
    return Diagnostic(f"publish.{host}", MISSING, f"cannot be used: {why}", instead, "publish-host")
