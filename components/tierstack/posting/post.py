"""One comment for each stack: found again by its first, hidden line, and written anew."""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tierstack.posting.http import TRIES, UnansweredError

LABEL = "infra: "
"""What the labels begin with: `infra: data-loss`."""
MARKER = re.compile(r"<!-- tierstack-diff: ([A-Za-z0-9._/-]+) -->")
"""The first line of a report."""
_MOST_PASSES = 5
"""Of comparing labels with comments. Each pass after the second means that another stack was posted meanwhile."""
_CLASSES = re.compile(r"<!-- tierstack-diff-classes:([a-z -]*)-->")
_COMMIT = re.compile(r"<sub>For commit (\w+)\.</sub>\s+<!-- tierstack-diff-classes:[a-z -]*-->\s*\Z")
_SHORT = 12
"""Characters of a commit in a comment."""


@dataclass(frozen=True)
class Comment:
    """A comment that the token's own account has made."""

    id: int
    body: str


class Forge(Protocol):
    """A pull request or merge request."""

    def own_comments(self) -> Iterable[Comment]:
        """All comments of the token's account, the oldest first, from all pages."""
        ...

    def create(self, body: str) -> None:
        """Add a comment. Raises UnansweredError where it may be there or not."""
        ...

    def update(self, comment: int, body: str) -> None:
        """Replace the text of a comment."""
        ...

    def delete(self, comment: int) -> None:
        """Remove a comment."""
        ...

    def labels(self) -> Iterable[str]:
        """The labels that it has."""
        ...

    def change_labels(self, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add and remove labels."""
        ...


def post(
    forge: Forge,
    report: str,
    classes: Sequence[str],
    *,
    commit: str = "",
    labels: bool = False,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Make `report` the comment of its stack, and with `labels` label what the comments of all stacks say."""
    marker = report.partition("\n")[0]
    _write(forge, marker, _body(report, classes, commit), pause)
    if labels:
        _label(forge)


def post_failure(forge: Forge, failure: Callable[[str], str], *, commit: str = "", labels: bool = False) -> None:
    """Where there is no preview, and nobody knows of which stack: `failure`, called with the name in the first line,
    replaces each comment that is for another commit, so that none stands as if it were current."""
    for one in [*forge.own_comments()]:
        if (marker := MARKER.match(one.body)) and not (commit and _commit(one.body) == commit[:_SHORT]):
            forge.update(one.id, _body(failure(marker[1]), (), commit))
    if labels:
        _label(forge)


def _body(report: str, classes: Sequence[str], commit: str) -> str:
    body = f"{report.rstrip()}\n\n"
    if commit:
        body += f"<sub>For commit {commit[:_SHORT]}.</sub>\n"
    return body + f"<!-- tierstack-diff-classes: {' '.join(classes)} -->\n"


def _commit(body: str) -> str:
    """The commit that a comment is for. Only its end counts: whatever is above it comes from the plan."""
    found = _COMMIT.search(body)
    return found[1] if found else ""


def _write(forge: Forge, marker: str, body: str, pause: Callable[[float], None]) -> None:
    for attempt in range(TRIES):
        mine = [one for one in forge.own_comments() if one.body.startswith(marker)]
        if mine:
            forge.update(mine[0].id, body)
            for one in mine[1:]:  # two runs at once may have made two; an old one must not stand beside the new one
                forge.delete(one.id)
            return
        try:
            forge.create(body)
            return
        except UnansweredError:
            if attempt == TRIES - 1:
                raise
            pause(1.0 + 3 * attempt)  # then look whether it is there


def _label(forge: Forge) -> None:
    """The labels are those of all stacks together, because a pull request may have comments of several.

    Another stack may write its comment and its labels at the same moment. Each has written its comment before it reads
    the others', and reads them again after it has changed a label. So of two, the one who reads last sees both.
    """
    for _ in range(_MOST_PASSES):
        wanted: set[str] = set()
        for one in forge.own_comments():
            if MARKER.match(one.body) and (found := _CLASSES.search(one.body)):
                wanted |= {f"{LABEL}{name}" for name in found[1].split() if name != "information"}
        there = set(forge.labels())
        add = sorted(wanted - there)
        remove = sorted(name for name in there - wanted if name.startswith(LABEL))
        if not add and not remove:
            return
        forge.change_labels(add, remove)
