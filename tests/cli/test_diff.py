"""`tierstack diff`: what it reads, what it writes, and how it ends."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command, Fake
from tests.diff import plans
from tests.diff.test_first_screens import COMMENTS, same
from tests.posting.imitation import TOKEN, Api, environment, serving
from tests.projects import Checkout
from tierstack.engine.project import UsageError

BUCKET = plans.document(plans.steps("aws:s3/bucket:Bucket", "orders", "delete", {"bucket": "orders"}), same=4)
CALM = plans.document(plans.steps("aws:x/thing:Thing", "it", old={"a": 1}, new={"a": 2}))
BROKEN = plans.document(diagnostics=[{"severity": "error", "message": "no such image"}])


@pytest.fixture
def preview(tmp_path: Path) -> Any:
    def write(document: dict[str, Any]) -> str:
        file = tmp_path / "preview.json"
        file.write_text(json.dumps(document))
        return str(file)

    return write


def folder(path: Path, *manifests: dict[str, Any]) -> Path:
    path.mkdir(parents=True)
    for index, one in enumerate(manifests):
        (path / f"{index}.yaml").write_text(yaml.safe_dump(one))
    (path / "kustomization.yaml").write_text("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n")
    return path


def claim(size: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"resources": {"requests": {"storage": size}}},
    }


def test_a_preview_from_a_file_and_from_standard_input(tierstack: Command, preview: Any) -> None:
    from_file = tierstack("diff", preview(BUCKET))
    assert from_file.exit_code == 0, from_file.output
    assert from_file.stdout.splitlines()[1] == "### 🛑 `prod`: data is lost"
    assert "Bucket `orders` is deleted with what it holds." in from_file.stdout
    assert tierstack("diff", "-", input=json.dumps(BUCKET)).stdout == from_file.stdout


def test_reports_are_written_beside_the_comment(tierstack: Command, preview: Any, tmp_path: Path) -> None:
    files = [tmp_path / "reports" / f"report.{suffix}" for suffix in ("md", "html", "json")]
    result = tierstack("diff", preview(BUCKET), *(word for file in files for word in ("-o", str(file))))
    assert result.exit_code == 0
    assert files[0].read_text() == result.stdout
    assert files[1].read_text().startswith("<!doctype html>")
    assert json.loads(files[2].read_text())["worst"] == "data-loss"
    assert json.loads(tierstack("diff", preview(BUCKET), "--json").stdout) == json.loads(files[2].read_text())
    assert tierstack("diff", preview(BUCKET), "--format", "html").stdout == files[1].read_text()


@pytest.mark.parametrize(
    ("document", "classes", "code"),
    [
        (BUCKET, ["data-loss"], 3),
        (BUCKET, ["downtime", "data-loss"], 3),
        (BUCKET, ["downtime", "public"], 0),
        (BUCKET, [], 0),
        (CALM, ["data-loss", "downtime", "public", "weakens", "cost"], 0),
        (BROKEN, ["data-loss"], 1),
    ],
)
def test_exit_codes(tierstack: Command, preview: Any, document: dict[str, Any], classes: list[str], code: int) -> None:
    result = tierstack("diff", preview(document), *(word for one in classes for word in ("--fail-on", one)))
    assert result.exit_code == code, result.output
    assert ("risks of: data-loss" in result.stderr) == (code == 3)


def test_two_folders_of_manifests(tierstack: Command, tmp_path: Path) -> None:
    before, after = folder(tmp_path / "old", claim("20Gi")), folder(tmp_path / "new", claim("10Gi"))
    result = tierstack("diff", "--rendered", str(before), str(after), "--title", "prod")
    assert result.exit_code == 0
    assert "### 🛑 `prod`: will be refused" in result.stdout
    assert "`20Gi` → `10Gi`" in result.stdout


def test_prices(tierstack: Command, tmp_path: Path) -> None:
    folders = [str(folder(tmp_path / "old")), str(folder(tmp_path / "new", claim("10Gi")))]
    prices = tmp_path / "prices.yaml"
    prices.write_text("{currency: CHF, disk_gib: 0.5}")
    assert (
        "A month costs 5.00 CHF (before: 0.00)"
        in tierstack("diff", "--rendered", *folders, "--prices", str(prices)).stdout
    )
    prices.write_text("disk: 1")
    with pytest.raises(UsageError, match="disk: is not a known key"):
        tierstack("diff", "--rendered", *folders, "--prices", str(prices), catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name one source"),
        (["x.json", "--stack", "prod"], "name one source"),
        (["x.json", "--base", "main"], "name one source"),
        (["absent.json"], "absent.json cannot be read"),
        (["--rendered", "absent", "absent"], "absent is not a directory"),
        (["--stack", "prod"], "--base origin/main"),
        (["--stack", "nowhere"], "no stack `nowhere`"),
    ],
)
def test_what_is_not_understood(tierstack: Command, pulumi: Fake, arguments: list[str], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        tierstack("diff", *arguments, catch_exceptions=False)


def test_what_is_no_preview(tierstack: Command) -> None:
    with pytest.raises(UsageError, match="make it with `pulumi preview --json`"):
        tierstack("diff", "-", input='{"a": 1}', catch_exceptions=False)


def test_help_has_examples(tierstack: Command) -> None:
    said = tierstack("diff", "--help").output
    assert "pulumi preview --json | tierstack diff -" in said
    assert "--fail-on" in said


def git(project: Checkout, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    done = subprocess.run(
        ["git", *identity, *arguments], cwd=project.folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def repository(project: Checkout) -> Checkout:
    (project.folder / ".gitignore").write_text("state\n__pycache__\n")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", ".")
    git(project, "commit", "-qm", "base")
    return project


def test_a_rendered_stack_against_a_revision(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    pulumi.say(preview={"out": json.dumps(BUCKET)})
    repository.config("prod", lambda config: config["images"].update(app="registry.example/shop@sha256:" + "7" * 64))
    result = tierstack("diff", "-s", "prod", "--base", "HEAD")
    assert result.exit_code == 0, result.output
    assert "Bucket `orders`" in result.stdout
    calls = [
        call for call in pulumi.calls() if call["arguments"][0] in ("up", "preview") or "preview" in call["arguments"]
    ]
    before, after = (yaml.safe_load(call["config"])["config"] for call in calls)
    assert before["shop:images"]["app"] != after["shop:images"]["app"] == "registry.example/shop@sha256:" + "7" * 64
    assert before["shop:platform"] == after["shop:platform"]
    backends = {call["environment"]["PULUMI_BACKEND_URL"] for call in calls}
    assert len(backends) == 1
    assert str(repository.folder) not in backends.pop()
    assert git(repository, "worktree", "list").count("\n") == 0


def test_a_stack_that_the_base_does_not_have(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    made = plans.steps("kubernetes:apps/v1:Deployment", "web", "create", new={"metadata": {"name": "web"}})
    pulumi.say(preview={"out": json.dumps(plans.document(made))})
    repository.config("qa", lambda config: None, base="staging")
    said = tierstack("diff", "-s", "qa", "--base", "HEAD")
    assert "`qa` does not exist at `HEAD`: everything is new." in said.stdout
    same(COMMENTS / "a-new-environment.md", said.stdout)
    assert "up" not in pulumi.verbs()


def test_a_base_that_cannot_be_rendered(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    pulumi.say(up={"code": 255, "err": "no such plugin"})
    result = tierstack("diff", "-s", "prod", "--base", "HEAD")
    assert result.exit_code == 1
    assert "the base (HEAD) cannot be rendered" in result.stdout


def test_an_unknown_revision(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    with pytest.raises(UsageError, match="git rev-parse"):
        tierstack("diff", "-s", "prod", "--base", "no-such-branch", catch_exceptions=False)


def test_a_configuration_with_problems_is_a_report(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    """The comment of the push before must not stand as if it were current."""
    repository.config("prod", lambda config: config["backups"].update(retention_days=0))
    result = tierstack("diff", "-s", "prod", "--base", "HEAD")
    assert result.exit_code == 1
    assert result.stdout.startswith("<!-- tierstack-diff: shop/prod -->\n### 🛑 `prod`: the preview failed\n")
    assert "backups.retention_days = 0" in result.stdout
    assert pulumi.calls() == []
    same(COMMENTS / "a-configuration-with-problems.md", result.stdout)


def test_a_docker_stack_without_a_daemon(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    pulumi.say(preview={"out": json.dumps(CALM)})
    result = tierstack("diff", "-s", "local", "--base", "HEAD")
    assert result.exit_code == 0, result.output
    assert "this compares the Kubernetes manifests that the stack would have" in result.stdout
    same(COMMENTS / "no-daemon.md", re.sub(r"unix://\S*/", "unix:///run/", result.stdout))


def test_a_branch_whose_base_moved_on(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    """What others have merged meanwhile is no part of the change, taken back."""
    pulumi.say(preview={"out": json.dumps(BUCKET)})
    began = git(repository, "rev-parse", "HEAD")
    git(repository, "checkout", "-qb", "feature")
    repository.config("prod", lambda config: config["images"].update(app="registry.example/shop@sha256:" + "7" * 64))
    git(repository, "commit", "-qam", "of the branch")
    git(repository, "checkout", "-q", "main")
    for size in (300, 400):
        repository.config("prod", lambda config, size=size: config["database"].update(storage_gb=size))
        git(repository, "commit", "-qam", f"of others: {size}")
    git(repository, "checkout", "-q", "feature")
    result = tierstack("diff", "-s", "prod", "--base", "main")
    assert result.exit_code == 0, result.output
    before = next(call for call in pulumi.calls() if "up" in call["arguments"])
    assert yaml.safe_load(before["config"])["config"]["shop:database"].get("storage_gb") not in (300, 400)
    assert "`main` has moved on by 2 commits" in result.stdout
    same(COMMENTS / "a-base-that-moved-on.md", result.stdout.replace(began[:12], "0123456789ab"))


def test_a_tier_is_explained(tierstack: Command, repository: Checkout, pulumi: Fake) -> None:
    pulumi.say(preview={"out": json.dumps(CALM)})
    haproxy = "haproxy@sha256:" + "7" * 64
    repository.config("staging", lambda config: (config.update(tier="1M"), config["images"].update(haproxy=haproxy)))
    said = tierstack("diff", "-s", "staging", "--base", "HEAD").stdout
    assert "**Tier `100k` → `1M`**" in said
    assert "- Nothing that holds data changes." in said


def test_a_stack_that_reads_the_outputs_is_named(tierstack: Command, preview: Any, tmp_path: Path) -> None:
    document = plans.document(outputs=[{"url": "a", "zone": "b"}, {"zone": "b"}])
    readers = []
    for project, reads in (("web", "organization/shop/prod"), ("mail", "organization/shop/staging"), ("shop", "prod")):
        urn = f"urn:pulumi:live::{project}::pulumi:pulumi:StackReference::x"
        resource = {"type": "pulumi:pulumi:StackReference", "urn": urn, "inputs": {"name": reads}}
        file = tmp_path / f"{project}.json"
        file.write_text(json.dumps({"deployment": {"resources": [resource]}}))
        readers += ["--reader", str(file)]
    said = tierstack("diff", preview(document), *readers).stdout
    assert "Output `url` is no longer there: `shop/live` and `web/live` get no value" in said
    broken = tmp_path / "broken.json"
    for text in ("{", "[]", '{"a": 1}'):
        broken.write_text(text)
        with pytest.raises(UsageError, match="pulumi stack export"):
            tierstack("diff", preview(document), "--reader", str(broken), catch_exceptions=False)


def test_a_stack_of_a_plain_program_is_previewed_against_its_state(
    tmp_path: Path, tierstack: Command, pulumi: Fake
) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "Pulumi.yaml").write_text("name: mine\nruntime: nodejs\n")
    pulumi.say(preview={"out": json.dumps(BUCKET)})
    assert "Bucket `orders`" in tierstack("diff", "-s", "dev", "-C", str(plain)).stdout
    pulumi.say(preview={"out": "", "err": "error: no credentials", "code": 255})
    failed = tierstack("diff", "-s", "dev", "-C", str(plain))
    assert failed.exit_code == 1
    assert "error: no credentials" in failed.stdout
    assert "<!-- tierstack-diff: mine/dev -->" in failed.stdout


@pytest.fixture
def github(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    with serving("github") as api:
        for key, value in environment("github", api).items():
            monkeypatch.setenv(key, value)
        monkeypatch.delenv("GITHUB_EVENT_PATH", raising=False)
        yield api


def test_a_report_is_posted(tierstack: Command, preview: Any, github: Api) -> None:
    result = tierstack("diff", preview(BUCKET), "--post", "github", "--labels", "--fail-on", "data-loss")
    assert result.exit_code == 3
    (body,) = github.bodies()
    assert body.startswith(result.stdout.rstrip())
    assert github.labels == ["infra: data-loss"]
    again = tierstack("diff", preview(CALM), "--post", "github", "--labels")
    assert again.exit_code == 0
    assert github.bodies()[0].startswith(again.stdout.rstrip())
    assert (len(github.comments), github.labels) == (1, [])


def test_a_report_is_posted_by_a_later_job(tierstack: Command, preview: Any, github: Api, tmp_path: Path) -> None:
    """The job that runs the code of a branch then needs no token that may write."""
    report = tmp_path / "report.json"
    first = tierstack("diff", preview(BUCKET), "-o", str(report))
    assert github.requests == []
    second = tierstack("diff", "--report", str(report), "--post", "github", "--labels", "--fail-on", "data-loss")
    assert (second.exit_code, second.stdout) == (3, "")
    assert github.bodies()[0].startswith(first.stdout.rstrip())
    assert github.labels == ["infra: data-loss"]
    tierstack("diff", preview(BROKEN), "-o", str(report))
    assert tierstack("diff", "--report", str(report), "--post", "github").exit_code == 1
    assert "the preview failed" in github.bodies()[0]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "is no report of version 1"),
        ({"comment": "hello"}, "no `comment` that can be posted"),
        ({"comment": "<!-- tierstack-diff: shop/prod -->\n" + "x" * 70_000}, "no `comment` that can be posted"),
        ({"classes": ["<b>"]}, "other `classes`"),
    ],
)
def test_a_report_that_is_none(
    tierstack: Command, preview: Any, github: Api, tmp_path: Path, change: dict[str, Any], said: str
) -> None:
    report = tmp_path / "report.json"
    tierstack("diff", preview(BUCKET), "-o", str(report))
    report.write_text(json.dumps({**json.loads(report.read_text()), **change}))
    with pytest.raises(UsageError, match=said):
        tierstack("diff", "--report", str(report), "--post", "github", catch_exceptions=False)
    assert github.requests == []


def test_a_report_that_cannot_be_posted(tierstack: Command, preview: Any, github: Api) -> None:
    """As on a pull request of a fork, whose token may not write."""
    github.fail("POST .*/comments", 403, times=3)
    result = tierstack("diff", preview(BUCKET), "--post", "github")
    assert result.exit_code == 4
    assert "Bucket `orders`" in result.stdout
    assert "fork" in result.stderr
    assert TOKEN not in result.output
    github.fail("POST .*/comments", 403, times=3)
    assert tierstack("diff", preview(BUCKET), "--post", "github", "--fail-on", "data-loss").exit_code == 3


def test_where_to_post_is_known_before_a_preview_runs(
    tierstack: Command, pulumi: Fake, github: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.setenv("GITHUB_REF", "refs/heads/main")
    with pytest.raises(UsageError, match=r"GITHUB_TOKEN is not set; .* --pull-request"):
        tierstack("diff", "-s", "prod", "--post", "github", catch_exceptions=False)
    assert pulumi.calls() == []


@pytest.mark.parametrize(
    "arguments",
    [["--labels"], ["--pull-request", "3"], ["--report", "x.json"]],
)
def test_options_of_posting_go_with_it(tierstack: Command, preview: Any, arguments: list[str]) -> None:
    source = [] if "--report" in arguments else [preview(CALM)]
    with pytest.raises(UsageError, match="go with --post"):
        tierstack("diff", *source, *arguments, catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (["-"], "", "standard input is empty: what should have written it failed"),
        (["-"], "error: no credentials", "standard input is no preview"),
        (["absent.json"], "", "absent.json cannot be read"),
        (["--rendered", "absent", "absent"], "", "absent is not a directory"),
    ],
)
def test_an_old_comment_does_not_stand_where_there_is_no_preview(
    tierstack: Command,
    github: Api,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    given: str,
    said: str,
) -> None:
    """`pulumi preview --json | tierstack diff - --post github`, where the preview failed: it names no stack."""

    def pushed(commit: str) -> None:
        event = tmp_path / "event.json"
        event.write_text(json.dumps({"pull_request": {"head": {"sha": commit}}}))
        monkeypatch.setenv("GITHUB_EVENT_PATH", str(event))

    def post_failure() -> None:
        with pytest.raises(UsageError, match=said):
            tierstack("diff", *arguments, "--post", "github", "--labels", input=given, catch_exceptions=False)

    prod, dev = json.dumps(BUCKET), json.dumps(BUCKET).replace(":prod:", ":dev:")
    pushed("1" * 40)
    for report in (dev, prod):
        tierstack("diff", "-", "--post", "github", "--labels", input=report)
    github.add("LGTM")
    pushed("2" * 40)
    tierstack("diff", "-", "--post", "github", "--labels", input=prod)
    for _ in range(2):  # the same job may run again
        post_failure()
        of_dev, of_prod, other = github.bodies()
        assert of_dev.splitlines()[:2] == ["<!-- tierstack-diff: shop/dev -->", "### 🛑 `dev`: the preview failed"]
        assert said in of_dev
        assert "<sub>For commit 222222222222.</sub>" in of_dev
        assert "data is lost" in of_prod
        assert (other, github.labels) == ("LGTM", ["infra: data-loss"])
    pushed("3" * 40)
    post_failure()
    assert all("the preview failed" in body for body in github.bodies()[:2])
    assert github.labels == []


def test_a_failure_that_cannot_be_posted(tierstack: Command, github: Api) -> None:
    github.fail("GET .*/comments", 403, times=3)
    with pytest.raises(UsageError, match="standard input is empty"):
        tierstack("diff", "-", "--post", "github", input="", catch_exceptions=False)
    assert github.comments == []


def test_an_old_comment_does_not_stand_where_no_preview_could_run(
    tierstack: Command, repository: Checkout, pulumi: Fake, github: Api
) -> None:
    old = github.add("<!-- tierstack-diff: shop/prod -->\n### ✅ `prod`: no changes")
    result = tierstack("diff", "-s", "prod", "--base", "no-such-branch", "--post", "github")
    assert result.exit_code == 1
    assert "the preview failed" in old["body"]
    assert "git rev-parse" in old["body"]
    repository.config("prod", lambda config: config["backups"].update(retention_days=0))
    assert tierstack("diff", "-s", "prod", "--base", "HEAD", "--post", "github").exit_code == 1
    assert "backups.retention_days = 0" in old["body"]
    assert len(github.comments) == 1
