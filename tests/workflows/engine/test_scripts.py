"""The scripts of the workflows with the real engine."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.posting import imitation
from tests.projects import Checkout
from tests.workflows.conftest import SCRIPTS

pytestmark = pytest.mark.long

DIGEST = f"registry.example/shop@sha256:{'7' * 64}"
THING = """
from pathlib import Path

from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider

FILE = Path("thing.txt")


class InAFile(ResourceProvider):
    def create(self, props):
        FILE.write_text(props["text"])
        return CreateResult("thing", {"text": props["text"]})

    def diff(self, _id, olds, news):
        return DiffResult(changes=olds["text"] != news["text"])

    def read(self, id, props):
        return ReadResult(id, {**props, "text": FILE.read_text()}) if FILE.exists() else ReadResult("", {})


class Thing(Resource):
    def __init__(self, name, text):
        super().__init__(InAFile(), name, {"text": text})


Thing("thing", "as configured")
"""


def script(checkout: Checkout, name: str, *arguments: str, code: int | None = 0, **more: str) -> Any:
    environment = {**checkout.environment(), "HOME": str(checkout.folder), **more}
    done = subprocess.run(
        ["bash", SCRIPTS / name, *arguments],
        cwd=checkout.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
    )  # fmt: skip
    assert code is None or done.returncode == code, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done


def git(folder: Path, *arguments: str) -> None:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    """The root project as a repository, whose newest commit sets another retention."""
    checkout = Checkout.make(tmp_path_factory.mktemp("shop"))
    (checkout.folder / ".gitignore").write_text("state/\nreports/\nrendered/\n")
    git(checkout.folder, "init", "--quiet")
    git(checkout.folder, "add", ".")
    git(checkout.folder, "commit", "--quiet", "--message", "base")
    checkout.config("prod", lambda values: values.pop("backups"))
    git(checkout.folder, "commit", "--quiet", "--all", "--message", "no backups")
    return checkout


def test_every_stack_is_checked(shop: Checkout) -> None:
    done = script(shop, "check.sh")
    assert [line for line in done.stdout.splitlines() if line.startswith("---")] == ["--- local", "--- prod", "--- staging"]  # fmt: skip
    wrong = shop.folder / "Pulumi.wrong.yaml"
    wrong.write_text(yaml.safe_dump({"config": {"shop:tier": "2M"}}))
    try:
        script(shop, "check.sh", code=1)
    finally:
        wrong.unlink()


def test_the_diff_of_a_pull_request_is_a_report_for_the_other_job(shop: Checkout, tmp_path: Path) -> None:
    summary = tmp_path / "summary.md"
    script(shop, "diff.sh", "prod", GITHUB_STEP_SUMMARY=str(summary))
    report = json.loads((shop.folder / "reports/prod.json").read_text())
    assert report["result"] == "succeeded"
    assert "weakens" in report["classes"]
    assert (shop.folder / "reports/prod.html").is_file()
    assert summary.read_text() == (shop.folder / "reports/prod.md").read_text()
    mark = "<!-- tierstack-diff: shop/prod -->"
    assert summary.read_text().startswith(mark)
    with imitation.serving("github") as forge:
        for _ in range(2):
            script(shop, "post.sh", "github", **imitation.environment("github", forge))
        [body] = forge.bodies()
        assert body.startswith(mark)
        assert "infra: weakens" in forge.labels


def test_a_class_of_risk_stops_the_merge_after_the_report_is_written(shop: Checkout, tmp_path: Path) -> None:
    script(shop, "diff.sh", "prod", code=3, REPORTS=str(tmp_path), FAIL_ON="data-loss,weakens")
    assert json.loads((tmp_path / "prod.json").read_text())["result"] == "succeeded"
    script(shop, "diff.sh", "prod", REPORTS=str(tmp_path), FAIL_ON="data-loss")


def test_a_configuration_with_an_error_is_a_report_and_an_error(shop: Checkout) -> None:
    file = shop.folder / "Pulumi.prod.yaml"
    good = file.read_text()
    try:
        shop.config("prod", lambda values: values.update(tier="2M"))
        script(shop, "diff.sh", "prod", code=1)
    finally:
        file.write_text(good)
    report = json.loads((shop.folder / "reports/prod.json").read_text())
    assert report["result"] == "failed"
    assert "2M" in report["errors"][0]


def test_a_deployment_runs_the_image_that_it_is_given(shop: Checkout) -> None:
    file = shop.folder / "Pulumi.prod.yaml"
    good = file.read_text()
    try:
        script(shop, "deploy.sh", "prod", DIGEST)
    finally:
        file.write_text(good)
    written = [one.read_text() for one in (shop.folder / "rendered/prod").rglob("*.yaml")]
    assert any(f"image: {DIGEST}" in text for text in written)
    assert "is not named by digest" in script(shop, "deploy.sh", "prod", "shop:latest", code=1).stderr


@pytest.fixture(scope="module")
def thing(tmp_path_factory: pytest.TempPathFactory) -> Checkout:
    folder = tmp_path_factory.mktemp("thing")
    (folder / "state").mkdir()
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "thing", "runtime": "python"}))
    (folder / "__main__.py").write_text(THING)
    checkout = Checkout(folder)
    checkout.pulumi("stack", "init", "dev")
    checkout.pulumi("up", "--stack", "dev", "--yes", "--skip-preview")
    return checkout


@pytest.mark.parametrize(
    ("there", "verdict", "changes"),
    [
        ("as configured", "clean", []),
        ("by hand", "drifted", [(False, "thing", ["text"])]),
        (None, "drifted", [(True, "thing", [])]),
    ],
)
def test_drift_is_found_and_the_state_stays(
    thing: Checkout, there: str | None, verdict: str, changes: list[Any]
) -> None:
    file = thing.folder / "thing.txt"
    before = thing.state("dev")
    file.unlink(missing_ok=True)
    if there is not None:
        file.write_text(there)
    script(thing, "drift.sh", "dev")
    found = json.loads((thing.folder / "drift/dev.json").read_text())
    assert found["verdict"] == verdict
    assert [(one["gone"], one["name"], one["properties"]) for one in found["changes"]] == changes
    assert "by hand" not in (thing.folder / "drift/dev.json").read_text(), "values stay in the log"
    assert thing.state("dev") == before


def test_a_stack_that_cannot_be_looked_at_is_not_clean(thing: Checkout) -> None:
    done = script(thing, "drift.sh", "nowhere", code=1)
    assert "no stack named 'nowhere' found" in done.stderr
    assert json.loads((thing.folder / "drift/nowhere.json").read_text())["verdict"] == "unknown"
