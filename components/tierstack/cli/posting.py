"""`tierstack diff --post`: where a report goes, and what is said where it cannot go there."""

import os
from dataclasses import dataclass
from pathlib import Path

from tierstack.cli import show
from tierstack.diff.document import Written, read_back, written
from tierstack.diff.model import Plan
from tierstack.diff.report import report
from tierstack.engine.project import UsageError
from tierstack.posting.environment import ForgeName, MissingError, Place, place
from tierstack.posting.http import PostError
from tierstack.posting.post import post, post_failure

NOT_POSTED = 4
"""Exit code where the report is made, and could not be posted."""


@dataclass(frozen=True)
class PullRequest:
    """The pull request of this job. What cannot be posted is told on standard error."""

    place: Place
    labels: bool
    """Whether the classes of risk become labels."""

    def post(self, report: Written) -> int:
        """Post a report; the exit code, 0 or NOT_POSTED."""
        try:
            post(self.place.forge, report.comment, report.classes, commit=self.place.commit, labels=self.labels)
        except PostError as error:
            show.warn(f"{show.bad('the report could not be posted:')} {error}")
            return NOT_POSTED
        return 0

    def post_failure(self, reason: str) -> None:
        """Post that there is no preview of this commit, where nobody knows of which stack it should have been."""
        try:
            post_failure(
                self.place.forge,
                lambda name: _failure(name, reason),
                commit=self.place.commit,
                labels=self.labels,
            )
        except PostError as error:
            show.warn(f"{show.bad('the failure could not be posted:')} {error}")


def pull_request(forge: ForgeName, number: int | None, *, labels: bool) -> PullRequest:
    """The pull request of this job. Raises UsageError where the environment does not say which: before
    a preview runs that takes minutes."""
    try:
        there = place(forge, os.environ, number)
    except (MissingError, PostError) as error:
        raise UsageError(f"--post {forge.value}: {error}") from None
    return PullRequest(there, labels)


def _failure(name: str, reason: str) -> str:
    project, _, stack = name.rpartition("/")
    told = (
        reason,
        "It is not known of which stack. So this replaces the report of every stack that has none for this commit.",
    )
    return written(report(Plan((), project=project, stack=stack, errors=told))).comment


def written_report(file: Path) -> Written:
    """A report that `--output FILE.json` wrote."""
    try:
        return read_back(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{file}: {error}") from None
