"""One issue for each stack: opened, kept, reopened, closed; on imitations of GitHub's and GitLab's API."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.workflows.conftest import Api, Request, Run

CHANGED = [{"gone": False, "type": "docker:index/container:Container", "name": "web-1", "properties": ["env", "image"]}]
CLEAN = {"stack": "prod", "verdict": "clean", "changes": []}
DRIFTED = {"stack": "prod", "verdict": "drifted", "changes": CHANGED}
UNKNOWN = {"stack": "prod", "verdict": "unknown", "changes": []}


class Forge:
    """Issues as either API keeps them."""

    def __init__(self, api: Api, kind: str) -> None:
        self.kind, self.api = kind, api
        self.issues: list[dict[str, Any]] = []
        self.comments: list[tuple[int, str]] = []
        self.writes = 0
        api.answer = self.answer
        self.prefix = "/repos/o/r/issues" if kind == "github" else "/projects/7/issues"
        self.variables = (
            {"GITHUB_API_URL": api.address, "GITHUB_REPOSITORY": "o/r", "GITHUB_TOKEN": "t", "GITHUB_RUN_ID": "9",
             "GITHUB_SERVER_URL": "https://github.example"}
            if kind == "github"
            else {"CI_API_V4_URL": api.address, "CI_PROJECT_ID": "7", "GITLAB_TOKEN": "t"}
        )  # fmt: skip
        self.text = "body" if kind == "github" else "description"
        self.open_ = "open" if kind == "github" else "opened"

    def add(self, text: str, *, is_open: bool, **more: Any) -> int:
        number = len(self.issues) + 1
        state = self.open_ if is_open else "closed"
        self.issues.append({"number": number, "iid": number, self.text: text, "state": state, "title": "", **more})
        return number

    def answer(self, request: Request) -> tuple[int, Any]:
        assert request.headers.get("Authorization") == "Bearer t" or request.headers.get("Private-Token") == "t"
        if request.method == "GET":
            assert request.path == self.prefix
            assert request.query["labels"] == ["drift"]
            page, size = int(request.query["page"][0]), int(request.query["per_page"][0])
            wanted = request.query.get("state", ["open" if self.kind == "github" else "all"])[0]
            listed = [one for one in reversed(self.issues) if wanted in ("all", one["state"])]
            return 200, listed[(page - 1) * size : page * size]
        self.writes += 1
        rest = request.path.removeprefix(self.prefix).strip("/").split("/")
        if rest == [""]:
            assert request.body["labels"] in (["drift"], "drift")
            self.add(request.body[self.text], is_open=True)
            self.issues[-1]["title"] = request.body["title"]
            return 201, {}
        issue = self.issues[int(rest[0]) - 1]
        if rest[1:]:
            self.comments.append((issue["number"], request.body["body"]))
        else:
            event = {"reopen": "opened", "close": "closed"}.get(request.body.pop("state_event", ""))
            issue.update(request.body, **({"state": event} if event else {}))
        return 200, issue


@pytest.fixture(params=["github", "gitlab"])
def forge(api: Api, request: pytest.FixtureRequest) -> Forge:
    return Forge(api, request.param)


def tell(run: Run, forge: Forge, folder: Path, *results: dict[str, Any]) -> str:
    files = []
    for number, one in enumerate(results):
        files.append(folder / f"{number}.json")
        files[-1].write_text(json.dumps(one))
    done = run("drift.py", "report", *map(str, files), **forge.variables)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_issue_is_opened_kept_closed_and_opened_again(run: Run, forge: Forge, tmp_path: Path) -> None:
    assert tell(run, forge, tmp_path, CLEAN) == "prod: clean, no drift\n"
    assert forge.writes == 0

    assert tell(run, forge, tmp_path, DRIFTED) == "prod: drifted, issue opened\n"
    [issue] = forge.issues
    assert issue["title"] == "Drift in prod"
    assert issue[forge.text].startswith("<!-- drift: prod -->\n1 resource of `prod` changed without the engine.")
    assert "- `web-1` (`docker:index/container:Container`) was changed: `env`, `image`\n" in issue[forge.text]

    writes = forge.writes
    assert tell(run, forge, tmp_path, DRIFTED) == "prod: drifted, issue kept\n"
    assert forge.writes == writes, "who follows the issue is not told every morning what they know"

    gone = {**DRIFTED, "changes": [{**CHANGED[0], "gone": True, "properties": []}]}
    assert tell(run, forge, tmp_path, gone) == "prod: drifted, issue kept\n"
    assert "`web-1` (`docker:index/container:Container`) is gone\n" in issue[forge.text]

    assert tell(run, forge, tmp_path, CLEAN) == "prod: clean, no drift\n"
    assert issue["state"] == "closed"
    assert forge.comments[-1] == (1, "The last check found no drift.")
    assert tell(run, forge, tmp_path, CLEAN) == "prod: clean, no drift\n"
    assert len(forge.comments) == 1

    assert tell(run, forge, tmp_path, gone) == "prod: drifted, issue reopened\n"  # with the text that it has already
    assert len(forge.issues) == 1
    assert issue["state"] == forge.open_
    assert forge.comments[-1] == (1, "The drift is still there, or there again.")


def test_an_issue_is_found_on_a_later_page_and_is_that_of_its_stack(run: Run, forge: Forge, tmp_path: Path) -> None:
    mine = forge.add("<!-- drift: prod -->\nold\n", is_open=True)
    forge.add("<!-- drift: prod-eu -->\n", is_open=True)
    forge.add("> <!-- drift: prod -->\nquoted\n", is_open=True)
    for _ in range(230):
        forge.add("something else with the label", is_open=True)
    if forge.kind == "github":
        forge.add("<!-- drift: prod -->\n", is_open=True, pull_request={})
    assert tell(run, forge, tmp_path, DRIFTED) == "prod: drifted, issue kept\n"
    assert "web-1" in forge.issues[mine - 1][forge.text]
    assert forge.writes == 1


def test_two_stacks_have_an_issue_each(run: Run, forge: Forge, tmp_path: Path) -> None:
    tell(run, forge, tmp_path, DRIFTED, {**DRIFTED, "stack": "staging"})
    tell(run, forge, tmp_path, CLEAN, {**DRIFTED, "stack": "staging"})
    assert [(one["title"], one["state"]) for one in forge.issues] == [
        ("Drift in prod", "closed"),
        ("Drift in staging", forge.open_),
    ]


def test_a_check_that_failed_is_told_and_closes_nothing(run: Run, forge: Forge, tmp_path: Path) -> None:
    tell(run, forge, tmp_path, DRIFTED)
    assert tell(run, forge, tmp_path, UNKNOWN) == "prod: unknown, issue kept\n"
    assert forge.issues[0]["state"] == forge.open_
    assert forge.issues[0]["title"] == "Drift check of prod fails"
    tell(run, forge, tmp_path, DRIFTED)
    assert forge.issues[0]["title"] == "Drift in prod"


def test_names_are_code_and_many_are_counted(run: Run, forge: Forge, tmp_path: Path) -> None:
    name = "a`b @everyone <img>\n- [x](y)"
    many = [{**CHANGED[0], "name": name, "properties": [f"p{n}" for n in range(13)]}, *(CHANGED * 300)]
    tell(run, forge, tmp_path, {**DRIFTED, "changes": many})
    text = forge.issues[0][forge.text]
    assert "- `a b @everyone <img> - [x](y)` (" in text
    assert "`p9` and 3 more" in text
    assert "\n- and 101 more\n" in text
    assert len(text) < 65_536


@pytest.mark.parametrize(("status", "hint"), [(403, "`permissions: issues: write`"), (500, "500")])
def test_what_the_api_refuses_is_told(run: Run, api: Api, tmp_path: Path, status: int, hint: str) -> None:
    forge = Forge(api, "github")
    api.answer = lambda _request: (status, {"message": "Resource not accessible by integration"})
    (tmp_path / "one.json").write_text(json.dumps(DRIFTED))
    done = run("drift.py", "report", str(tmp_path / "one.json"), **forge.variables)
    assert done.returncode == 1
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_token_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(DRIFTED))
    done = run("drift.py", "report", str(tmp_path / "one.json"), GITHUB_REPOSITORY="o/r")
    assert (done.returncode, done.stderr) == (1, "'GITHUB_TOKEN' is not set\n")
