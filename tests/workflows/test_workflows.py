"""What holds for every workflow: this repository's own, and those that users copy."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "workflows"
OWN = sorted((ROOT / ".github/workflows").glob("*.yml"))
COPIED = sorted((EXAMPLE / ".github/workflows").glob("*.yml"))
WORKFLOWS = [*OWN, *COPIED]
ACTIONS = {f"actions/{name}" for name in ("attest", "cache", "checkout", "download-artifact", "setup-go", "setup-python", "upload-artifact")}  # fmt: skip
"""GitHub's own; whatever else a step does is a script."""

each = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: str(file.relative_to(ROOT)))


def read(file: Path) -> dict[Any, Any]:
    return yaml.safe_load(file.read_text())


def jobs(file: Path) -> dict[str, dict[str, Any]]:
    return read(file)["jobs"]


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in jobs(file).values() for step in job["steps"]]


@each
def test_actions_are_pinned_by_commit_with_their_version(file: Path) -> None:
    for line in re.findall(r"^.*\buses:.*$", file.read_text(), re.MULTILINE):
        match = re.search(r"uses: ([\w-]+/[\w-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
        assert match, line
        assert match[1] in ACTIONS, line


def test_an_action_has_one_version_in_all_workflows() -> None:
    used = {one for file in WORKFLOWS for one in re.findall(r"uses: (\S+@\S+ # \S+)", file.read_text())}
    assert len({one.partition("@")[0] for one in used}) == len(used), sorted(used)


@each
def test_a_job_has_its_own_least_rights_and_a_time(file: Path) -> None:
    assert read(file)["permissions"] == {}, "without `permissions: {}` a job gets the repository's default"
    for name, job in jobs(file).items():
        assert "permissions" in job, name
        assert 1 <= job["timeout-minutes"] <= 90, name
        assert job["runs-on"] == "ubuntu-24.04", name
    assert "cancel-in-progress" in read(file)["concurrency"]


@each
def test_no_token_stays_in_a_checkout(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


@each
def test_no_text_of_others_becomes_part_of_a_script(file: Path) -> None:
    """`${{ }}` is put into a script before the shell reads it; through `env` it stays a value."""
    assert [step["run"] for step in steps(file) if "${{" in step.get("run", "")] == []


@pytest.mark.parametrize("file", [*COPIED, ROOT / ".github/workflows/preview.yml"], ids=lambda file: file.name)
def test_what_a_step_does_is_in_a_file_that_can_be_run_anywhere(file: Path) -> None:
    for step in steps(file):
        if "run" in step:
            assert len(step["run"].strip().splitlines()) <= 2, step["run"]


def test_a_job_that_runs_the_code_of_a_pull_request_may_write_nothing() -> None:
    for file in WORKFLOWS:
        if "pull_request" not in read(file)[True]:  # YAML 1.1 reads the key `on` as true
            continue
        for name, job in jobs(file).items():
            writes = [key for key, value in job["permissions"].items() if value == "write"]
            checkouts = [one["with"] for one in job["steps"] if one.get("uses", "").startswith("actions/checkout@")]
            if any("ref" not in one for one in checkouts):
                assert writes == [], f"{file.name}: {name}"
                assert "secrets." not in json.dumps(job), f"{file.name}: {name}"
            if writes:
                refs = {one["ref"] for one in checkouts}
                assert refs == {"${{ github.event.pull_request.base.sha }}"}, f"{file.name}: {name}"
                assert "head.repo.full_name == github.repository" in job["if"]


def test_no_workflow_runs_the_code_of_a_fork_with_rights() -> None:
    for file in WORKFLOWS:
        assert not {"pull_request_target", "workflow_run", "issue_comment"} & set(read(file)[True]), file.name


def test_only_the_job_that_publishes_may_write() -> None:
    found = jobs(ROOT / ".github/workflows/release.yml")
    writing = [name for name, job in found.items() if "write" in job["permissions"].values()]
    assert writing == ["publish"]
    assert not [step for step in found["publish"]["steps"] if "checkout" in step.get("uses", "")]


def test_ci_runs_on_the_branches_that_people_work_on() -> None:
    for file in (ROOT / ".github/workflows/ci.yml", EXAMPLE / ".github/workflows/ci.yml"):
        events = read(file)[True]
        assert events["push"]["branches"] == ["main", "dev", "feature/**"]
        assert "pull_request" in events


def test_an_update_is_never_cancelled() -> None:
    """What is cancelled leaves a lock, and resources of which nobody knows whether they were made."""
    for name in ("staging", "production", "drift"):
        assert read(EXAMPLE / f".github/workflows/{name}.yml")["concurrency"]["cancel-in-progress"] is False


def test_production_gets_what_staging_ran_and_only_after_a_review() -> None:
    production = read(EXAMPLE / ".github/workflows/production.yml")
    assert production[True]["push"] == {"tags": ["v*"]}
    job = production["jobs"]["production"]
    assert job["environment"] == "production"
    assert job["needs"] == "staged"
    image = [step["env"]["IMAGE"] for step in job["steps"] if "IMAGE" in step.get("env", {})]
    assert image == ["${{ needs.staged.outputs.image }}"]
    said = [step.get("run") for step in production["jobs"]["staged"]["steps"]]
    assert said.index("ci/reviewed.py production") < said.index("ci/image.sh staged")
    assert not [step for step in steps(EXAMPLE / ".github/workflows/production.yml") if "build" in step.get("run", "")]


def test_drift_is_read_without_rights_to_write_issues_and_told_without_credentials() -> None:
    found = jobs(EXAMPLE / ".github/workflows/drift.yml")
    assert "issues" not in found["check"]["permissions"]
    assert found["check"]["environment"].endswith("-read"), "an environment with reviewers would hold every run"
    assert "secrets." not in json.dumps(found["issue"])
    assert found["issue"]["permissions"]["issues"] == "write"


SCRIPT = re.compile(r"(?<![\w/.])((?:examples/workflows/)?ci/[\w.-]+)")


def test_each_script_that_is_called_is_there_and_can_be_started() -> None:
    files = [*WORKFLOWS, EXAMPLE / ".gitlab-ci.yml"]
    called = {one.removeprefix("examples/workflows/") for file in files for one in SCRIPT.findall(file.read_text())}
    for one in called:
        assert (EXAMPLE / one).stat().st_mode & 0o111, one
    there = {f"ci/{file.name}" for file in (EXAMPLE / "ci").iterdir() if file.is_file()}
    others = {"ci/env.sh", "ci/credentials.sh", "ci/set_image.py", "ci/aws_session.py", "ci/tracker.py"}
    assert there - others == called, "a script that no workflow calls is one that nobody runs"


OF_GITLAB = {"default", "include", "spec", "stages", "variables", "workflow"}
"""Keys of a pipeline that are no job. With these, a job of the name would be read as an old form of `default`:"""
OLD_DEFAULTS = {"after_script", "before_script", "cache", "image", "pages", "services", "types"}


def test_the_pipeline_of_gitlab_has_jobs_whose_names_are_free_and_whose_needs_are_there() -> None:
    pipeline = yaml.safe_load((EXAMPLE / ".gitlab-ci.yml").read_text())
    found = {name: job for name, job in pipeline.items() if name not in OF_GITLAB and not name.startswith(".")}
    assert not OLD_DEFAULTS & set(found)
    for name, job in found.items():
        assert job["stage"] in pipeline["stages"], name
        assert {"rules", "script"} <= set(job), name
        assert set(job.get("needs", [])) <= set(found), name
    assert pipeline["production"]["rules"][0]["when"] == "manual"
    assert pipeline["production"]["needs"] == ["staged"]


def test_the_engine_that_is_installed_is_the_one_that_is_tested() -> None:
    version = re.search(r"^version=(\S+)$", (EXAMPLE / "ci/install.sh").read_text(), re.MULTILINE)
    tools = tomllib.loads((ROOT / "toolchain/pins.toml").read_text())["tools"]
    assert version
    assert version[1] == tools["pulumi"]["version"]


@pytest.mark.engine
@pytest.mark.parametrize(
    ("judge", "change", "told"),
    [
        ("zizmor", ("@3d3c42e5aac5ba805825da76410c181273ba90b1 # v7.0.1", "@v7"), "unpinned-uses"),
        ("zizmor", ("persist-credentials: false", "persist-credentials: true"), "artipacked"),
        ("zizmor", ("on:\n  pull_request:", "on:\n  pull_request_target:"), "dangerous-triggers"),
        ("zizmor", ('ci/diff.sh "$STACK"', "ci/diff.sh ${{ github.head_ref }}"), "template-injection"),
        ("actionlint", ("needs: diff", "needs: dif"), "dif"),
        ("actionlint", ('ci/diff.sh "$STACK"', "ci/diff.sh $STACK"), "SC2086"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_judges_of_make_lint_see_what_they_are_there_for(
    tmp_path: Path, judge: str, change: tuple[str, str], told: str
) -> None:
    command = {"zizmor": ["zizmor", "--offline", "--quiet", "--no-progress", "--persona=auditor"], "actionlint": ["actionlint"]}  # fmt: skip
    assert shutil.which(judge), f"{judge} is not installed: make setup"
    file = tmp_path / ".github" / "workflows" / "preview.yml"
    file.parent.mkdir(parents=True)
    good = (EXAMPLE / ".github/workflows/preview.yml").read_text()
    for text, expected in ((good, 0), (good.replace(*change), None)):
        file.write_text(text)
        done = subprocess.run([*command[judge], file], capture_output=True, text=True, cwd=tmp_path)
        if expected == 0:
            assert done.returncode == 0, done.stdout + done.stderr
        else:
            assert text != good
            assert done.returncode != 0
            assert told in done.stdout + done.stderr
