"""Comments and labels of a pull request of GitHub (REST API 2022-11-28)."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any
from urllib.parse import quote

from tierstack.posting.http import Client, PostError, RefusedError
from tierstack.posting.post import Comment

FORBIDDEN = (
    "GitHub does not let this token write. Give the job `permissions: pull-requests: write`. The token of a fork's "
    "pull request may never write: read the report in the summary of the job, or post it from a workflow on "
    "`workflow_run`, which runs no code of the fork: `tierstack diff --report report.json --post github "
    "--pull-request N`"
)


class GitHub:
    """One pull request."""

    def __init__(self, client: Client, repository: str, number: int) -> None:
        self._client, self._repository, self._number = client, repository, number
        self._issue = f"/repos/{repository}/issues/{number}"
        self._comments = f"/repos/{repository}/issues/comments"

    def own_comments(self) -> Iterator[Comment]:
        """Comments of the token's account; where it is an app, as in Actions, comments of apps."""
        with self._explained():
            for one in self._client.pages(f"{self._issue}/comments?per_page=100"):
                if self._is_own(one.get("user") or {}):
                    yield Comment(int(one["id"]), str(one.get("body") or ""))

    def create(self, body: str) -> None:
        with self._explained():
            self._client.ask_once("POST", f"{self._issue}/comments", {"body": body})

    def update(self, comment: int, body: str) -> None:
        with self._explained():
            self._client.ask("PATCH", f"{self._comments}/{comment}", {"body": body})

    def delete(self, comment: int) -> None:
        with self._explained():
            _unless_gone(self._client, f"{self._comments}/{comment}")

    def labels(self) -> list[str]:
        with self._explained():
            return [str(one["name"]) for one in self._client.pages(f"{self._issue}/labels?per_page=100")]

    def change_labels(self, add: Sequence[str], remove: Sequence[str]) -> None:
        with self._explained():
            if add:
                self._client.ask("POST", f"{self._issue}/labels", {"labels": list(add)})
            for one in remove:
                _unless_gone(self._client, f"{self._issue}/labels/{quote(one, safe='')}")

    def _is_own(self, user: dict[str, Any]) -> bool:
        # A comment of somebody else may begin with the marker, and stay theirs to change after it was written anew.
        return user.get("login") == self._login if self._login else user.get("type") == "Bot"

    @cached_property
    def _login(self) -> str:
        """The token's account; empty where it is an app, which may not ask."""
        try:
            return str(self._client.ask("GET", "/user")["login"])
        except RefusedError as error:
            if error.status in (403, 404):
                return ""
            raise

    @contextmanager
    def _explained(self) -> Generator[None]:
        try:
            yield
        except RefusedError as error:
            raise PostError(f"{error}\n{self._advice(error.status)}".rstrip()) from None

    def _advice(self, status: int) -> str:
        return {
            401: "GITHUB_TOKEN is not valid, or has expired",
            403: FORBIDDEN,
            404: f"{self._repository} has no pull request {self._number}, or the token may not see it: check "
            "GITHUB_REPOSITORY, --pull-request, and the permissions of the job",
        }.get(status, "")


def _unless_gone(client: Client, path: str) -> None:
    try:
        client.ask("DELETE", path)
    except RefusedError as error:
        if error.status != 404:
            raise
