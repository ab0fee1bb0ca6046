"""Order of versions, which of them count as newer, and which are affected (pure)."""

import re
from collections.abc import Iterable, Sequence

_VERSION = re.compile(
    r"v?(?P<release>\d+(?:\.\d+)*)"
    r"(?:[-._]?(?P<before>alpha|beta|rc|ea|dev|pre|a|b|c)[-._]?(?P<number>\d*)"
    r"|(?P<pseudo>-(?:\w+\.)?\d+\.?[\w.-]*)|(?:[-._]?post(?P<post>\d+)))?",
    re.IGNORECASE,
)
_STAGES = "dabcepr"
"""First letters of the names of pre-releases, in their order: dev, alpha, beta, candidate, early access, pre, rc."""

Key = tuple[tuple[int, ...], int, tuple[int, int]]


def key(version: str) -> Key:
    """Sorts versions of Go modules (semver), Python (PEP 440) and Debian alike: pre-releases before their release.

    Raises ValueError for a text that begins with no number.
    """
    match = _VERSION.match(version)
    if match is None:
        raise ValueError(f"{version!r} is no version; write numbers separated by dots, such as 1.2.3")
    release = tuple(int(part) for part in match["release"].split("."))
    while release and release[-1] == 0:
        release = release[:-1]
    if match["before"]:
        return release, -1, (_STAGES.index(match["before"].lower()[0]), int(match["number"] or 0))
    if match["pseudo"]:
        return release, -1, (0, 0)
    return release, 1 if match["post"] else 0, (0, int(match["post"] or 0))


def is_stable(version: str) -> bool:
    """Whether `version` is a release: no pre-release, no commit between releases."""
    return key(version)[1] >= 0


def line(version: str) -> tuple[int, ...]:
    """Major and minor number: what a patch release has in common with those before it."""
    release = key(version)[0]
    return (*release, 0, 0)[:2]


def newer(pinned: str, known: Iterable[str]) -> list[str]:
    """The newest patch of the pinned minor line and the newest release, as far as they are newer; oldest first."""
    above = sorted((v for v in known if is_stable(v) and key(v) > key(pinned)), key=key)
    patches = [v for v in above if line(v) == line(pinned)]
    return list(dict.fromkeys([*patches[-1:], *above[-1:]]))


def is_older(known: Iterable[str], pinned: str) -> bool:
    """Whether all versions of a list are older than the pinned one: such a list cannot tell what is newer."""
    keys = [key(version) for version in known]
    return bool(keys) and max(keys) < key(pinned)


def is_affected(version: str, introduced: str, fixed: Sequence[str]) -> bool:
    """Whether `version` has a fault that came with `introduced` ("" for: always there) and ended with `fixed`.

    A fix is often given for several minor lines. The one of the version's own line decides; a line without a fix of
    its own is affected below the newest one. Without any fix every version from `introduced` on is affected.
    """
    if introduced and key(version) < key(introduced):
        return False
    own = [fix for fix in fixed if line(fix) == line(version)]
    limit = own or sorted(fixed, key=key)[-1:]
    return not limit or key(version) < key(limit[0])
