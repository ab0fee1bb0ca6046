"""Sets of global transaction identifiers (GTIDs): `3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5:7`.

The agent in the container runs this very file. It imports the standard library only.
MySQL manual, "GTID Format and Storage". Tags, which 8.3 brought, are refused: only who names one makes them.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

_UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_ONE = re.compile(rf"({_UUID}):([1-9][0-9]*)")
_PART = re.compile(rf"({_UUID})((?::[1-9][0-9]*(?:-[1-9][0-9]*)?)+)")

Interval = tuple[int, int]
"""First and last number, both in it."""


@dataclass(frozen=True, order=True)
class Gtid:
    """One transaction: the server that made it, and its number there."""

    server: str
    """UUID of the server, in lower case."""
    number: int

    def __str__(self) -> str:
        return f"{self.server}:{self.number}"


def parse_gtid(text: str) -> Gtid:
    """A GTID such as `3e11fa47-71ca-11e1-9e33-c80aa9429562:23`. Raises ValueError where it is none."""
    found = _ONE.fullmatch(text.strip().lower())
    if not found:
        raise ValueError("is not a GTID")
    return Gtid(found[1], int(found[2]))


@dataclass
class GtidSet:
    """A set of transactions, as intervals of numbers for each server."""

    intervals: dict[str, list[Interval]] = field(default_factory=dict[str, list[Interval]])
    """Sorted, without overlaps, and with a gap between each two."""

    def add(self, server: str, first: int, last: int) -> None:
        """Add the numbers from `first` to `last`."""
        held = self.intervals.setdefault(server, [])
        if held and held[-1][0] <= first <= held[-1][1] + 1:  # the usual case: the next one
            held[-1] = (held[-1][0], max(held[-1][1], last))
            return
        held.append((first, last))
        held.sort()
        joined: list[Interval] = []
        for begin, end in held:
            if joined and begin <= joined[-1][1] + 1:
                joined[-1] = (joined[-1][0], max(joined[-1][1], end))
            else:
                joined.append((begin, end))
        self.intervals[server] = joined

    def __contains__(self, one: Gtid) -> bool:
        return any(first <= one.number <= last for first, last in self.intervals.get(one.server, []))

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        """Server, first and last number of each interval."""
        for server, held in sorted(self.intervals.items()):
            for first, last in held:
                yield server, first, last

    def __or__(self, other: "GtidSet") -> "GtidSet":
        both = GtidSet({server: list(held) for server, held in self.intervals.items()})
        for server, first, last in other:
            both.add(server, first, last)
        return both

    def __sub__(self, other: "GtidSet") -> "GtidSet":
        rest = GtidSet()
        for server, first, last in self:
            begin = first
            for from_, to in other.intervals.get(server, []):
                if to < begin or from_ > last:
                    continue
                if from_ > begin:
                    rest.add(server, begin, from_ - 1)
                begin = to + 1
            if begin <= last:
                rest.add(server, begin, last)
        return rest

    def __le__(self, other: "GtidSet") -> bool:
        return not self - other

    def __bool__(self) -> bool:
        return any(self.intervals.values())

    def __len__(self) -> int:
        return sum(last - first + 1 for _, first, last in self)

    def __str__(self) -> str:
        return ",".join(
            server + "".join(f":{first}" if first == last else f":{first}-{last}" for first, last in held)
            for server, held in sorted(self.intervals.items())
            if held
        )


def parse_set(text: str) -> GtidSet:
    """A set as MySQL prints it, also over several lines. Raises ValueError where it is none."""
    found = GtidSet()
    for part in "".join(text.split()).lower().split(","):
        if not part:
            continue
        match = _PART.fullmatch(part)
        if not match:
            raise ValueError(f"{part} is not a set of GTIDs without tags")
        for interval in match[2][1:].split(":"):
            first, _, last = interval.partition("-")
            found.add(match[1], int(first), int(last or first))
    return found


def union(sets: Iterable[GtidSet]) -> GtidSet:
    """All transactions that are in any of the sets."""
    found = GtidSet()
    for one in sets:
        found |= one
    return found
