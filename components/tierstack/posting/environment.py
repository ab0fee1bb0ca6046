"""Where to post, from the variables that CI sets. The token comes from the environment only."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, cast

from tierstack.posting.github import GitHub
from tierstack.posting.gitlab import GitLab
from tierstack.posting.http import Client
from tierstack.posting.post import Forge


class ForgeName(Enum):
    """Where pull requests are."""

    GITHUB = "github"
    GITLAB = "gitlab"


class MissingError(Exception):
    """Variables that say where to post are not there."""


@dataclass(frozen=True)
class Place:
    """A pull request, and the commit that the report is about."""

    forge: Forge
    commit: str


def place(name: ForgeName, environment: Mapping[str, str], number: int | None) -> Place:
    """The pull request that this job is about, or number `number`. Raises MissingError with all that is missing, and
    PostError where the address of the API would carry the token in plaintext."""
    return _github(environment, number) if name is ForgeName.GITHUB else _gitlab(environment, number)


def _github(environment: Mapping[str, str], number: int | None) -> Place:
    event = _event(environment.get("GITHUB_EVENT_PATH", ""))
    run = cast(dict[str, Any], event.get("workflow_run") or {})
    requests = [event.get("pull_request"), *cast(list[Any], run.get("pull_requests") or [])]
    request = next((cast(dict[str, Any], one) for one in requests if one), dict[str, Any]())
    if number is None:
        in_ref = re.fullmatch(r"refs/pull/([0-9]+)/\w+", environment.get("GITHUB_REF", ""))
        found = in_ref[1] if in_ref else request.get("number")
        number = int(found) if found else None
    given = _given(environment, "GITHUB_TOKEN", "GITHUB_REPOSITORY", number=number)
    client = Client(
        (environment.get("GITHUB_API_URL") or "https://api.github.com").rstrip("/"),
        {
            "Authorization": f"Bearer {given['GITHUB_TOKEN']}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
    )
    head = cast(dict[str, Any], request.get("head") or {})
    commit = str(head.get("sha") or run.get("head_sha") or "")
    return Place(GitHub(client, given["GITHUB_REPOSITORY"], cast(int, number)), commit)


def _gitlab(environment: Mapping[str, str], number: int | None) -> Place:
    if number is None and (found := environment.get("CI_MERGE_REQUEST_IID", "")).isdecimal():
        number = int(found)
    given = _given(environment, "GITLAB_TOKEN", "CI_API_V4_URL", "CI_PROJECT_ID", number=number)
    client = Client(given["CI_API_V4_URL"].rstrip("/"), {"PRIVATE-TOKEN": given["GITLAB_TOKEN"]})
    return Place(GitLab(client, given["CI_PROJECT_ID"], cast(int, number)), environment.get("CI_COMMIT_SHA", ""))


def _given(environment: Mapping[str, str], *names: str, number: int | None) -> dict[str, str]:
    missing = [f"{name} is not set" for name in names if not environment.get(name)]
    if number is None:
        missing.append("no variable of CI names a pull request; give --pull-request NUMBER")
    if missing:
        raise MissingError("; ".join(missing))
    return {name: environment[name] for name in names}


def _event(file: str) -> dict[str, Any]:
    """What started the workflow; empty where that is not known."""
    try:
        found: Any = json.loads(Path(file).read_text(encoding="utf-8")) if file else {}
    except (OSError, ValueError):
        return {}
    return cast(dict[str, Any], found) if isinstance(found, dict) else {}
