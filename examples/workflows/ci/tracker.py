"""Issues of GitHub and GitLab, as drift.py needs them, and one request to either API."""

import itertools
import json
import os
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

LABEL = "drift"


class TrackerError(Exception):
    """The API did not do what was asked; the message says what to do."""


@dataclass(frozen=True)
class Issue:
    number: int
    text: str
    is_open: bool


class Tracker(Protocol):
    run: str
    """Address of the job that runs this; empty where it is not known."""

    def find(self, marker: str) -> Issue | None:
        """The issue whose text begins with `marker`: the open one, else the newest that was closed."""
        ...

    def open(self, title: str, text: str) -> None: ...

    def change(self, issue: Issue, *, state: str, title: str | None = None, text: str | None = None) -> None: ...

    def comment(self, issue: Issue, text: str) -> None: ...


def request(method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None = None) -> Any:
    """What an API answers, as JSON. Raises TrackerError."""
    data = None if body is None else json.dumps(body).encode()
    asked = urllib.request.Request(
        url, data=data, method=method, headers={"Content-Type": "application/json", **headers}
    )
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")[:500]
        hint = (
            "\nThe token may not do that: GitHub needs `permissions: issues: write` in the job, GitLab a project "
            "access token of the role Reporter with the scope `api`."
            if error.code in (401, 403)
            else ""
        )
        raise TrackerError(f"{method} {url}: {error.code} {said}{hint}") from None
    except (urllib.error.URLError, TimeoutError, ValueError) as error:
        raise TrackerError(f"{method} {url}: {error}") from None


def _all(url: str, headers: Mapping[str, str], **asked: str) -> Iterator[Any]:
    """The elements of all pages of a list."""
    for page in itertools.count(1):
        query = urllib.parse.urlencode({**asked, "per_page": 100, "page": page})
        answer = request("GET", f"{url}?{query}", headers)
        yield from answer
        if len(answer) < 100:
            return


def _chosen(found: Iterable[Issue]) -> Issue | None:
    return max(found, key=lambda one: (one.is_open, one.number), default=None)


class GitHub:
    def __init__(self, environment: Mapping[str, str]) -> None:
        api = environment.get("GITHUB_API_URL", "https://api.github.com")
        self._issues = f"{api}/repos/{environment['GITHUB_REPOSITORY']}/issues"
        self._headers = {
            "Authorization": f"Bearer {environment['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        server, run = environment.get("GITHUB_SERVER_URL"), environment.get("GITHUB_RUN_ID")
        self.run = f"{server}/{environment['GITHUB_REPOSITORY']}/actions/runs/{run}" if server and run else ""

    def find(self, marker: str) -> Issue | None:
        return _chosen(
            Issue(one["number"], one["body"], one["state"] == "open")
            for one in _all(self._issues, self._headers, labels=LABEL, state="all")
            if "pull_request" not in one and (one["body"] or "").startswith(marker)
        )

    def open(self, title: str, text: str) -> None:
        request("POST", self._issues, self._headers, {"title": title, "body": text, "labels": [LABEL]})

    def change(self, issue: Issue, *, state: str, title: str | None = None, text: str | None = None) -> None:
        given = {"title": title, "body": text, "state": state}
        asked = {key: value for key, value in given.items() if value is not None}
        request("PATCH", f"{self._issues}/{issue.number}", self._headers, asked)

    def comment(self, issue: Issue, text: str) -> None:
        request("POST", f"{self._issues}/{issue.number}/comments", self._headers, {"body": text})


class GitLab:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._issues = f"{environment['CI_API_V4_URL']}/projects/{environment['CI_PROJECT_ID']}/issues"
        self._headers = {"PRIVATE-TOKEN": environment["GITLAB_TOKEN"]}
        self.run = environment.get("CI_PIPELINE_URL", "")

    def find(self, marker: str) -> Issue | None:
        return _chosen(
            Issue(one["iid"], one["description"], one["state"] == "opened")
            for one in _all(self._issues, self._headers, labels=LABEL, scope="all")
            if (one["description"] or "").startswith(marker)
        )

    def open(self, title: str, text: str) -> None:
        request("POST", self._issues, self._headers, {"title": title, "description": text, "labels": LABEL})

    def change(self, issue: Issue, *, state: str, title: str | None = None, text: str | None = None) -> None:
        event = {"open": "reopen", "closed": "close"}[state] if (state == "open") != issue.is_open else None
        given = {"title": title, "description": text, "state_event": event}
        asked = {key: value for key, value in given.items() if value is not None}
        request("PUT", f"{self._issues}/{issue.number}", self._headers, asked)

    def comment(self, issue: Issue, text: str) -> None:
        request("POST", f"{self._issues}/{issue.number}/notes", self._headers, {"body": text})


def tracker(environment: Mapping[str, str] = os.environ) -> Tracker:
    """The tracker of the project that this job belongs to. Raises TrackerError where a variable is missing."""
    try:
        return GitLab(environment) if "CI_PROJECT_ID" in environment else GitHub(environment)
    except KeyError as error:
        raise TrackerError(f"{error} is not set") from None
