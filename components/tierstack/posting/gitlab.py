"""Notes and labels of a merge request of GitLab (REST API v4)."""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from urllib.parse import quote

from tierstack.posting.http import Client, PostError, RefusedError
from tierstack.posting.post import Comment

_ADVICE = {
    401: "GITLAB_TOKEN is not valid, or has expired. The job's own CI_JOB_TOKEN may not write notes: make a project "
    "access token with the role Reporter and the scope `api`",
    403: "GitLab does not let this token write: it needs the scope `api` and the role Reporter. A pipeline of a fork "
    "gets no variables of this project: read the report in the job's artifacts",
    404: "there is no such merge request, or the token may not see it: check CI_PROJECT_ID and --pull-request",
}


class GitLab:
    """One merge request."""

    def __init__(self, client: Client, project: str, number: int) -> None:
        self._client = client
        self._request = f"/projects/{quote(project, safe='')}/merge_requests/{number}"
        self._notes = f"{self._request}/notes"

    def own_comments(self) -> Iterator[Comment]:
        with _explained():
            for one in self._client.pages(f"{self._notes}?per_page=100&order_by=created_at&sort=asc"):
                if one["author"]["id"] == self._account and not one.get("system"):
                    yield Comment(int(one["id"]), str(one.get("body") or ""))

    def create(self, body: str) -> None:
        with _explained():
            self._client.ask_once("POST", self._notes, {"body": body})

    def update(self, comment: int, body: str) -> None:
        with _explained():
            self._client.ask("PUT", f"{self._notes}/{comment}", {"body": body})

    def delete(self, comment: int) -> None:
        with _explained():
            self._client.ask("DELETE", f"{self._notes}/{comment}")

    def labels(self) -> list[str]:
        with _explained():
            return [str(one) for one in self._client.ask("GET", self._request)["labels"]]

    def change_labels(self, add: Sequence[str], remove: Sequence[str]) -> None:
        with _explained():
            changed = {"add_labels": ",".join(add), "remove_labels": ",".join(remove)}
            self._client.ask("PUT", self._request, changed)

    @cached_property
    def _account(self) -> int:
        return int(self._client.ask("GET", "/user")["id"])


@contextmanager
def _explained() -> Generator[None]:
    try:
        yield
    except RefusedError as error:
        raise PostError(f"{error}\n{_ADVICE.get(error.status, '')}".rstrip()) from None
