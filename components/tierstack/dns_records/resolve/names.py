"""What a name answers: in the zone that is judged, and beyond it where somebody can be asked.

Every rule looks names up here and nowhere else, so that wildcards (RFC 4592), delegations (RFC 1034 §4.2.1) and
aliases mean the same to all of them, and "nobody here can tell" is never taken for "there is none".
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from tierstack.dns_records.records.model import FLATTENED, RecordSet, host, is_below

_MAX_NAME = 253  # characters; a name that DNAME records make longer than that is none (RFC 6672 §2.2)


class LookupUnavailableError(Exception):
    """The resolver cannot tell: no network, a server failure, or a name outside of what it knows."""


class Resolver(Protocol):
    """Where answers come from. An empty list is a void lookup: no such name, or no such record."""

    def lookup(self, name: str, type: str) -> list[str]:
        """The values of a record set; raises LookupUnavailableError when it cannot tell."""
        ...


class Outcome(StrEnum):
    """How a lookup ends."""

    RECORDS = "records"
    NO_DATA = "no data"
    """The name exists, and has no records of that type."""
    NO_NAME = "no such name"
    DELEGATED = "delegated"
    """Other name servers answer for the name (RFC 1034 §4.2.1), and they were not asked."""
    OUTSIDE = "outside"
    """The name, or the alias that it is, leads out of the zone, where nobody was asked."""
    UNREAD = "unread"
    """A part of the zone was not read, and the name may stand there."""
    UNANSWERED = "unanswered"
    """Whoever was asked could not tell."""
    LOOP = "loop"
    """Aliases lead in a circle."""


_ABSENT = frozenset({Outcome.NO_DATA, Outcome.NO_NAME})


@dataclass(frozen=True)
class Answer:
    """What a lookup gives."""

    outcome: Outcome
    values: tuple[str, ...] = ()
    owner: str = ""
    """The name at which it ended, after all aliases."""
    wildcard: bool = False
    """Whether a wildcard made up the name that was asked for, or one on the way."""

    @property
    def absent(self) -> bool:
        """Whether it is certain that there is no such record."""
        return self.outcome in _ABSENT

    @property
    def unknown(self) -> bool:
        """Whether nobody here can tell if there is such a record."""
        return not self.absent and self.outcome is not Outcome.RECORDS


@dataclass(frozen=True)
class _Step:
    """What the zone says of one name: an alias, a node, or why it says nothing."""

    outcome: Outcome
    owner: str
    """The owner of the node's records, which is a wildcard where one made up the name."""
    target: str | None = None
    wildcard: bool = False


class Names:
    """The names of a zone, and `outside` for all others. A Resolver too, for what needs no more than values."""

    def __init__(
        self,
        sets: Iterable[RecordSet],
        domain: str,
        outside: Resolver | None = None,
        *,
        complete: bool = True,
        partly_read: bool = False,
    ) -> None:
        """`complete` says that what is not among the sets does not exist; otherwise `outside` is asked for it.
        `partly_read` says that the sets are a part of such a zone."""
        self.domain = domain
        self._outside = outside
        self._complete = complete
        self._partly_read = partly_read
        self._types: dict[str, dict[str, RecordSet]] = {}
        self._nodes: set[str] = {domain}
        for one in sets:
            self._types.setdefault(one.name, {})[one.type] = one
            name = one.name
            # A name above one that has records exists too, if without records (RFC 4592 §2.2.2).
            while name not in self._nodes and is_below(name, domain):
                self._nodes.add(name)
                name = name.partition(".")[2]
        self._ends: dict[str, _Step] = {}
        self._circles: dict[str, list[str]] = {}

    def inside(self, name: str) -> bool:
        """Whether a name is the domain or below it."""
        return name == self.domain or is_below(name, self.domain)

    def held(self, name: str) -> dict[str, RecordSet]:
        """Type → the record set that stands at exactly this name in the zone, whoever answers for it."""
        return self._types.get(name, {})

    def answer(self, name: str, type: str) -> Answer:
        """What a resolver would get for a name and a type, aliases followed."""
        owner = host(name)
        if not self._complete:
            one = self.held(owner).get(type)
            return Answer(Outcome.RECORDS, one.values, owner) if one else self._ask(Outcome.OUTSIDE, owner, type)
        if type == "DS" and owner == self.domain:
            return self._ask(Outcome.OUTSIDE, owner, type)  # the record of a delegation stands above it
        end = self._step(owner, type) if type in ("CNAME", "DS") else self._end(owner)
        if end.outcome in (Outcome.DELEGATED, Outcome.OUTSIDE, Outcome.UNREAD):
            return self._ask(end.outcome, end.owner, type, end.wildcard)
        if end.outcome is not Outcome.RECORDS:
            return Answer(end.outcome, (), end.owner, end.wildcard)
        one = self.held(end.owner).get(type)
        if one is None and type in ("A", "AAAA") and FLATTENED in self.held(end.owner):
            return self._ask(Outcome.OUTSIDE, owner, type, end.wildcard)
        outcome = Outcome.RECORDS if one else Outcome.UNREAD if self._partly_read else Outcome.NO_DATA
        return Answer(outcome, one.values if one else (), end.owner, end.wildcard)

    def address(self, name: str) -> Answer:
        """Whether a host has an address of either family."""
        found = [self.answer(name, kind) for kind in ("A", "AAAA")]
        return min(found, key=lambda one: (one.absent, one.unknown))

    def alias(self, name: str) -> str | None:
        """The target where a name is an alias, by itself or by a wildcard; None where it is none or nobody can tell."""
        values = self.answer(name, "CNAME").values
        return host(values[0]) if values else None

    def lookup(self, name: str, type: str) -> list[str]:
        """The values of a record set; raises LookupUnavailableError when nobody can tell."""
        found = self.answer(name, type)
        if found.unknown:
            raise LookupUnavailableError(f"{name} {type}: {found.outcome.value}")
        return list(found.values)

    def circle(self, name: str) -> list[str]:
        """The names through which the alias `name` leads back to itself, that name first and last; none where it
        does not."""
        end = self._end(name)
        if name in self._circles:
            members = self._circles[name]
            at = members.index(name)
            return [*members[at:], *members[: at + 1]]
        if name.startswith("*.") and end.outcome is Outcome.LOOP and end.wildcard:
            # The target does not exist, so the wildcard makes it up, and it is the same alias again.
            return [name, *self._circles.get(self.alias(name) or "", []), name]
        return []

    def _ask(self, otherwise: Outcome, name: str, type: str, wildcard: bool = False) -> Answer:
        """Ask outside; `otherwise` is the outcome where there is nobody to ask."""
        if self._outside is None:
            return Answer(otherwise, (), name, wildcard)
        try:
            values = tuple(self._outside.lookup(name, type))
        except LookupUnavailableError:
            return Answer(otherwise if self._complete else Outcome.UNANSWERED, (), name, wildcard)
        return Answer(Outcome.RECORDS if values else Outcome.NO_DATA, values, name, wildcard)

    def _end(self, name: str) -> _Step:
        """Where the aliases of a name lead; each name is followed once, however many aliases share the way."""
        path: list[tuple[str, bool]] = []
        met: dict[str, int] = {}
        while name not in self._ends:
            if name in met:
                members = [one for one, _ in path[met[name] :]]
                self._circles |= dict.fromkeys(members, members)
                end = _Step(Outcome.LOOP, name)
                break
            step = self._step(name)
            met[name] = len(path)
            path.append((name, step.wildcard))
            if step.target is None:
                end = step
                break
            if len(step.target) > _MAX_NAME:
                end = _Step(Outcome.LOOP, name)
                break
            name = step.target
        else:
            end = self._ends[name]
        for one, wildcard in reversed(path):
            if wildcard and not end.wildcard:
                end = _Step(end.outcome, end.owner, end.target, wildcard=True)
            self._ends[one] = end
        return end

    def _step(self, name: str, type: str = "") -> _Step:
        """What the zone says of one name, as a name server does (RFC 1034 §4.3.2). For `CNAME` no alias is followed,
        and `DS` is answered above a delegation."""
        if not self.inside(name):
            return _Step(Outcome.OUTSIDE, name)
        labels = name[: len(name) - len(self.domain)].split(".")[:-1]
        closest = above = self.domain
        for label in reversed(labels):
            renamed = self.held(above).get("DNAME")
            if renamed:
                rest = name[: len(name) - len(above) - 1]
                return _Step(Outcome.RECORDS, name, f"{rest}.{host(renamed.values[0])}")
            above = f"{label}.{above}"
            if "NS" in self.held(above) and not (type == "DS" and above == name):
                return _Step(Outcome.DELEGATED, name)
            if above in self._nodes:
                closest = above
            else:
                break
        owner, wildcard = name, False
        if name not in self._nodes:
            owner, wildcard = f"*.{closest}", True
            if owner not in self._types:
                absent = Outcome.UNREAD if self._partly_read else Outcome.NO_NAME
                return _Step(absent, name)
        held = self.held(owner)
        # Servers refuse an alias at the top of a zone, so it hides nothing there (RFC 1912 §2.4).
        if "CNAME" in held and type != "CNAME" and name != self.domain:
            return _Step(Outcome.RECORDS, owner, host(held["CNAME"].values[0]), wildcard)
        return _Step(Outcome.RECORDS, owner, None, wildcard)
