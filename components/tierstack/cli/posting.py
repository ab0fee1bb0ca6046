"""`tierstack diff --post`: where a report goes, and what is said where it cannot go there."""

import os
from collections.abc import Callable
from pathlib import Path

from tierstack.cli import show
from tierstack.diff.document import Written, read_back
from tierstack.engine.project import UsageError
from tierstack.posting.environment import ForgeName, MissingError, Place, place
from tierstack.posting.http import PostError
from tierstack.posting.post import post

NOT_POSTED = 4
"""Exit code where the report is made, and could not be posted."""

Post = Callable[[Written], int]
"""Posts a report; the exit code, 0 or NOT_POSTED."""


def to(forge: ForgeName, number: int | None, *, labels: bool) -> Post:
    """What posts to the pull request of this job. Raises UsageError where the environment does not say which: before
    a preview runs that takes minutes."""
    try:
        there = place(forge, os.environ, number)
    except (MissingError, PostError) as error:
        raise UsageError(f"--post {forge.value}: {error}") from None
    return lambda report: _posted(there, report, labels=labels)


def _posted(there: Place, report: Written, *, labels: bool) -> int:
    try:
        post(there.forge, report.comment, report.classes, commit=there.commit, labels=labels)
    except PostError as error:
        show.warn(f"{show.bad('the report could not be posted:')} {error}")
        return NOT_POSTED
    return 0


def written_report(file: Path) -> Written:
    """A report that `--output FILE.json` wrote."""
    try:
        return read_back(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from None
