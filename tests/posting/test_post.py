"""A report becomes the one comment of its stack, whatever the API does."""

import itertools
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.posting.imitation import BOT, PERSON, TOKEN, Api, environment, serving
from tests.posting.interleaved import Request
from tierstack.posting.environment import ForgeName, MissingError, place
from tierstack.posting.github import GitHub
from tierstack.posting.gitlab import GitLab
from tierstack.posting.http import Client, PostError
from tierstack.posting.post import Forge, post

PROD, STAGING = (f"<!-- tierstack-diff: shop/{stack} -->" for stack in ("prod", "staging"))
KINDS = ("github", "gitlab")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def api(kind: str) -> Iterator[Api]:
    with serving(kind) as one:
        yield one


@pytest.fixture
def github() -> Iterator[Api]:
    with serving("github") as one:
        yield one


@pytest.fixture
def waits() -> list[float]:
    return []


def forge(kind: str, api: Api, waits: list[float]) -> Forge:
    """The pull request, with waits that are only written down."""
    made: Any = place(ForgeName(kind), environment(kind, api), None).forge
    made._client = replace(made._client, pause=waits.append)
    return made


def posted(kind: str, api: Api, waits: list[float], report: str, *classes: str, **more: Any) -> None:
    post(forge(kind, api, waits), report, classes, pause=waits.append, **more)


def test_the_first_one_is_made(kind: str, api: Api, waits: list[float]) -> None:
    posted(kind, api, waits, f"{PROD}\n### fine\n", "data-loss", commit="0123456789abcdef")
    (body,) = api.bodies()
    assert body.startswith(f"{PROD}\n### fine\n")
    assert "For commit 0123456789ab." in body
    assert waits == []


def test_it_is_found_behind_31_older_comments(kind: str, api: Api, waits: list[float]) -> None:
    for index in range(31):
        api.add(f"comment {index}", PERSON)
    mine = api.add(f"{PROD}\nold")
    api.add(f"see {PROD}")
    posted(kind, api, waits, f"{PROD}\nnew\n")
    assert mine["body"].startswith(f"{PROD}\nnew\n")
    assert len(api.comments) == 33


def test_it_is_found_on_the_last_page(kind: str, api: Api, waits: list[float]) -> None:
    for index in range(250):
        api.add(f"comment {index}")
    mine = api.add(f"{PROD}\nold")
    posted(kind, api, waits, f"{PROD}\nnew\n")
    assert mine["body"].startswith(f"{PROD}\nnew\n")
    assert len(api.comments) == 251


def test_each_stack_has_its_own(kind: str, api: Api, waits: list[float]) -> None:
    for report in (f"{PROD}\n1", f"{STAGING}\n1", f"{PROD}\n2", f"{STAGING}\n2"):
        posted(kind, api, waits, report)
    assert [one.splitlines()[:2] for one in api.bodies()] == [[PROD, "2"], [STAGING, "2"]]


def test_a_comment_of_somebody_else_is_not_taken(kind: str, api: Api, waits: list[float]) -> None:
    """Who wrote it could change it back to what they like."""
    theirs = api.add(f"{PROD}\nnothing to see", PERSON)
    posted(kind, api, waits, f"{PROD}\ndata is lost")
    assert theirs["body"] == f"{PROD}\nnothing to see"
    assert api.bodies()[1].startswith(f"{PROD}\ndata is lost")


def test_a_person_s_token_takes_that_person_s_comment(github: Api, waits: list[float]) -> None:
    github.account = dict(PERSON)
    app, mine = github.add(f"{PROD}\nof an app", BOT), github.add(f"{PROD}\nmine")
    posted("github", github, waits, f"{PROD}\nnew")
    assert (app["body"], mine["body"].splitlines()[1]) == (f"{PROD}\nof an app", "new")


def test_of_two_the_older_is_kept(kind: str, api: Api, waits: list[float]) -> None:
    """Two runs at once can make two; an old report must not stand as if it were current."""
    api.add(f"{PROD}\nold")
    api.add(f"{PROD}\nolder")
    posted(kind, api, waits, f"{PROD}\nnew")
    (body,) = api.bodies()
    assert body.startswith(f"{PROD}\nnew")


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_that_fails_is_asked_again(kind: str, api: Api, waits: list[float], status: int) -> None:
    mine = api.add(f"{PROD}\nold")
    api.fail("GET .*/(comments|notes)", status, times=2)
    api.fail("(PATCH|PUT) .*/(comments|notes)/.*", status, times=2)
    posted(kind, api, waits, f"{PROD}\nnew\n")
    assert mine["body"].startswith(f"{PROD}\nnew\n")
    assert len(waits) == 4


def test_it_gives_up_after_three_tries(kind: str, api: Api, waits: list[float]) -> None:
    api.fail("GET .*/(comments|notes)", 503, times=9)
    with pytest.raises(PostError, match="503 imitated 503"):
        posted(kind, api, waits, f"{PROD}\nnew\n")
    assert sum(path.endswith(("comments", "notes")) for path in api.asked("GET")) == 3


def test_a_comment_that_was_made_without_an_answer_is_not_made_twice(kind: str, api: Api, waits: list[float]) -> None:
    api.fail("POST .*/(comments|notes)", 502, carried_out=True)
    posted(kind, api, waits, f"{PROD}\nnew\n")
    assert len(api.comments) == 1
    api.fail("POST .*/(comments|notes)", 502)
    posted(kind, api, waits, f"{STAGING}\nnew\n")
    assert len(api.comments) == 2


def test_a_server_says_how_long_to_wait(github: Api, waits: list[float]) -> None:
    github.fail("GET .*/comments", 403, Retry_After="7")
    github.fail("GET .*/comments", 429, Retry_After="9000")
    github.fail("POST .*/comments", 403, Retry_After="3")
    posted("github", github, waits, f"{PROD}\nnew\n")
    assert waits == [7, 60, 3]
    assert len(github.comments) == 1


@pytest.mark.parametrize(
    ("kind", "pattern", "status", "said"),
    [
        ("github", "POST .*/comments", 403, "pull-requests: write.*(?s:.*)fork"),
        ("gitlab", "POST .*/notes", 403, "scope `api`"),
        ("github", "GET .*/comments", 404, "has no pull request 12"),
        ("gitlab", "GET .*/notes", 404, "no such merge request"),
        ("github", "GET .*/comments", 401, "GITHUB_TOKEN is not valid"),
        ("gitlab", "GET /user", 401, "CI_JOB_TOKEN may not write notes"),
        ("github", "POST .*/comments", 422, "422 imitated 422"),
        ("github", "GET .*/comments", 302, "302"),
    ],
    indirect=["kind"],
)
def test_a_refusal_says_what_to_do(
    kind: str, api: Api, waits: list[float], pattern: str, status: int, said: str
) -> None:
    if kind == "gitlab":
        api.add("something", PERSON)  # its account is asked for only beside a comment
    api.fail(pattern, status, times=1, Location=f"{api.url}/elsewhere")
    with pytest.raises(PostError, match=said) as raised:
        posted(kind, api, waits, f"{PROD}\nnew\n")
    assert TOKEN not in str(raised.value)
    assert waits == []
    assert "/elsewhere" not in api.asked("GET")


def test_the_token_goes_to_no_other_server(github: Api, waits: list[float]) -> None:
    with serving("github") as other:
        github.comments = [{"id": index, "body": "x", "user": BOT} for index in range(101)]
        github.next_page_at = other.url
        with pytest.raises(PostError, match="at another server"):
            posted("github", github, waits, f"{PROD}\nnew\n")
        assert other.requests == []


def test_a_token_is_not_sent_in_plaintext() -> None:
    with pytest.raises(PostError, match="plaintext"):
        Client("http://github.example", {})


def test_no_server(github: Api, waits: list[float]) -> None:
    github.url = "http://127.0.0.1:9"  # discard: nothing listens there
    with pytest.raises(PostError, match="no answer"):
        posted("github", github, waits, f"{PROD}\nnew\n")


def test_labels_are_those_of_all_stacks(kind: str, api: Api, waits: list[float]) -> None:
    api.labels = ["bug", "infra: cost", "infra: public"]
    posted(kind, api, waits, f"{PROD}\n1", "data-loss", "cost", "information", labels=True)
    assert sorted(api.labels) == ["bug", "infra: cost", "infra: data-loss"]
    posted(kind, api, waits, f"{STAGING}\n1", "downtime", labels=True)
    assert sorted(api.labels) == ["bug", "infra: cost", "infra: data-loss", "infra: downtime"]
    posted(kind, api, waits, f"{PROD}\n2", labels=True)
    assert sorted(api.labels) == ["bug", "infra: downtime"]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({PROD: "", STAGING: ""}, {PROD: "data-loss", STAGING: "downtime"}),
        ({PROD: "cost", STAGING: ""}, {PROD: "", STAGING: "cost"}),
        ({PROD: "cost", STAGING: "cost"}, {PROD: "", STAGING: ""}),
        ({PROD: "cost public", STAGING: "weakens"}, {PROD: "weakens", STAGING: "public"}),
    ],
    ids=["both come", "one goes, one comes", "both go", "they change places"],
)
def test_two_stacks_at_once_undo_no_label_of_each_other(before: dict[str, str], after: dict[str, str]) -> None:
    """In each order in which the first five requests of both can reach the API, whoever then goes on first."""
    wanted = {f"infra: {name}" for classes in after.values() for name in classes.split()}
    wrong: dict[str, set[str]] = {}
    for places in itertools.combinations(range(10), 5):
        for last in (PROD, STAGING):
            order = [PROD if place in places else STAGING for place in range(10)]
            request = Request(before, [*order, last])
            request.post_all(after)
            if request.labelled != wanted:
                wrong["".join("P" if one is PROD else "S" for one in order)] = request.labelled
    assert wrong == {}


def test_labels_are_not_touched_unasked(kind: str, api: Api, waits: list[float]) -> None:
    api.labels = ["infra: cost"]
    posted(kind, api, waits, f"{PROD}\n1", "data-loss")
    assert api.labels == ["infra: cost"]


def test_somebody_else_s_comment_sets_no_label(kind: str, api: Api, waits: list[float]) -> None:
    api.add(f"{STAGING}\n<!-- tierstack-diff-classes: data-loss -->", PERSON)
    posted(kind, api, waits, f"{PROD}\n1", labels=True)
    assert api.labels == []


@pytest.mark.parametrize(
    ("event", "commit"),
    [
        ({"pull_request": {"number": 12, "head": {"sha": "abc"}}}, "abc"),
        ({"workflow_run": {"head_sha": "def", "pull_requests": [{"number": 12}]}}, "def"),
        ({}, ""),
        ("broken", ""),
    ],
)
def test_the_pull_request_is_what_ci_says(tmp_path: Path, event: Any, commit: str) -> None:
    file = tmp_path / "event.json"
    file.write_text(json.dumps(event) if event != "broken" else "{")
    given = {"GITHUB_TOKEN": TOKEN, "GITHUB_REPOSITORY": "shop/shop", "GITHUB_EVENT_PATH": str(file)}
    if event in ({}, "broken"):
        with pytest.raises(MissingError, match="--pull-request NUMBER"):
            place(ForgeName.GITHUB, given, None)
    found = place(ForgeName.GITHUB, given, None if commit else 12)
    assert isinstance(found.forge, GitHub)
    assert found.forge._number == 12
    assert found.commit == commit


@pytest.mark.parametrize("kind", KINDS)
def test_all_that_is_missing_is_named_at_once(kind: str) -> None:
    with pytest.raises(MissingError) as raised:
        place(ForgeName(kind), {}, None)
    wanted = ["GITHUB_TOKEN", "GITHUB_REPOSITORY"] if kind == "github" else ["GITLAB_TOKEN", "CI_PROJECT_ID"]
    assert all(f"{name} is not set" in str(raised.value) for name in wanted)
    assert "--pull-request" in str(raised.value)


def test_a_merge_request_by_number() -> None:
    found = place(ForgeName.GITLAB, {**environment("gitlab", Api(url="https://gitlab.example/api/v4"))}, 13)
    assert isinstance(found.forge, GitLab)
    assert found.commit == "ab" * 20
