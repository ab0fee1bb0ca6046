"""Where the backups of a MySQL lie in a bucket. Pure; the containers run this very file.

    identity.json                                   the server that the backups began with, by its UUID
    copies/<id>/data/<path>.gz                      the files of a base backup
    copies/<id>/copy.json                           what it is, with size and SHA-256 of each file; comes last
    logs/<history>/<binary log>/<begin>-<end>.gz    bytes of a binary log, from `begin` to before `end`
    drills.jsonl                                    the ledger of drills

All of it is below `<prefix>/<server>/`. `<id>` and `<history>` are those of the catalog. A base backup without its
`copy.json` is none. Parts may overlap: one that was stored, and not noted before a crash, is stored again.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple

COPIES, LOGS, MARK = "copies/", "logs/", "copy.json"
_KEY = re.compile(r"logs/([^/]+)/([^/]+\.[0-9]+)/([0-9]+)-([0-9]+)\.gz")


class Part(NamedTuple):
    """Some bytes of a binary log."""

    history: str
    log: str
    begin: int
    """The first byte, from 0 on."""
    end: int
    """The byte after the last one."""

    @property
    def name(self) -> str:
        """Its key below the server's folder."""
        return f"{LOGS}{self.history}/{self.log}/{self.begin:012}-{self.end:012}.gz"


def part_of(name: str) -> Part | None:
    """The part whose `name` this is. None: it is another object."""
    found = _KEY.fullmatch(name)
    return Part(found[1], found[2], int(found[3]), int(found[4])) if found else None


def data_of(identifier: str) -> str:
    """The folder with the files of a base backup."""
    return f"{COPIES}{identifier}/data/"


def mark_of(identifier: str) -> str:
    """The object that makes the files of a base backup count."""
    return f"{COPIES}{identifier}/{MARK}"


def reach(parts: Iterable[Part]) -> int:
    """Bytes of a log, from its beginning on, that its parts have without a hole."""
    reached = 0
    for one in sorted(parts, key=lambda part: part.begin):
        if one.begin > reached:
            break
        reached = max(reached, one.end)
    return reached


def hole(parts: Iterable[Part], damaged: Iterable[Part] = ()) -> str | None:
    """What is missing in a log between others of its parts, in words. `damaged`: parts, of any log, that are."""
    every = {*parts}
    bad = every & {*damaged}
    good = every - bad
    reached = reach(good)
    if after := min((one for one in good if one.begin > reached), key=lambda part: part.begin, default=None):
        return f"lacks its bytes {reached:,} to {after.begin:,}: their part in the bucket is missing or damaged"
    if lost := min((one for one in bad if one.end > reached), key=lambda part: part.begin, default=None):
        return f"lacks its bytes {reached:,} to {lost.end:,}: their part in the bucket is damaged"
    return None
