"""`tierstack diff` of this repository's stacks under the real engine: the first screen that a reviewer needs.

The previews are kept in tests/cases/diff/previews, so that tests/diff/test_first_screens.py reads them without an
engine. TIERSTACK_UPDATE_GOLDEN=1 keeps them anew; then do the same with that test. Here only the risks are compared,
because names and sizes change with the components.
"""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.diff.plans import trimmed, written
from tests.diff.test_first_screens import PREVIEWS
from tests.projects import Checkout
from tierstack.diff.model import Plan
from tierstack.diff.preview import parsed, read
from tierstack.diff.report import report
from tierstack.engine import comparison
from tierstack.engine.aim import aim
from tierstack.engine.project import find

pytestmark = pytest.mark.long

Change = Callable[[dict[str, Any]], Any]
HAPROXY = "haproxy:3.0-alpine@sha256:56b887da77428b7a6621e59e480cdbd330cc805c22d3cedb66ceea76ffdea2c6"


def renamed(config: dict[str, Any]) -> None:
    config["databases"] = {"maindb": config.pop("database")}


CHANGES: dict[str, tuple[str, Change]] = {
    "moved-address": ("prod", lambda config: config["dns"]["web"][0].update(ipv4=["203.0.113.99"])),
    "removed-mail-provider": ("prod", lambda config: config["dns"]["mail"].pop("brevo")),
    "less-protection": ("prod", lambda config: config["platform"].update(data_protection="none")),
    "renamed-database": ("prod", renamed),
    "removed-backups": ("prod", lambda config: config.pop("backups")),
    "smaller-disk": ("prod", lambda config: config["database"].update(storage_gb=100)),
    "larger-tier": ("staging", lambda config: (config.update(tier="1M"), config["images"].update(haproxy=HAPROXY))),
    "new-image": ("prod", lambda config: config["images"].update(app=f"registry.example/shop@sha256:{'7d' * 32}")),
    "nothing": ("prod", lambda config: None),
}


@pytest.fixture
def repository(tmp_path: Path) -> Checkout:
    made = Checkout.make(tmp_path / "project")
    (made.folder / ".gitignore").write_text("state\n__pycache__\n")
    identity = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org"]
    for arguments in (["init", "-q", "-b", "main"], ["add", "."], ["commit", "-qm", "base"]):
        subprocess.run([*identity, *arguments], cwd=made.folder, check=True, capture_output=True)
    return made


def risks(plan: Plan) -> set[tuple[str, tuple[str, ...]]]:
    return {(one.rule, one.names) for one in report(plan).findings}


@pytest.mark.parametrize("name", CHANGES)
def test_the_risks_of_a_change(name: str, repository: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    stack, change = CHANGES[name]
    repository.config(stack, change)
    for key, value in repository.environment().items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(repository.folder)
    project = find(repository.folder)
    result = comparison.compared(project, stack, aim(project, stack, None), "HEAD")
    assert result.ok, result.printed
    document = trimmed(parsed(result.printed))
    if result.tier:
        document["tier"] = list(result.tier)
    if os.environ.get("TIERSTACK_UPDATE_GOLDEN"):
        PREVIEWS.mkdir(parents=True, exist_ok=True)
        (PREVIEWS / f"{name}.json").write_text(written(document))
    kept = read(json.loads((PREVIEWS / f"{name}.json").read_text()))
    assert risks(read(document)) == risks(kept), "TIERSTACK_UPDATE_GOLDEN=1 keeps what the engine says now"


def test_the_command_from_a_configuration_to_a_comment(repository: Checkout) -> None:
    repository.config("prod", lambda config: config.pop("backups"))
    report = repository.folder / "report.html"
    done = repository.tierstack(
        "diff", "-s", "prod", "--base", "HEAD", "--fail-on", "weakens", "-o", str(report), code=3
    )
    assert "no backups of `db` are made from now on" in done.stdout
    assert report.read_text().startswith("<!doctype html>")
    assert not (repository.folder / "rendered").exists()
    assert not list((repository.folder / "state").iterdir())
    status = ["git", "status", "--porcelain"]
    changed = subprocess.run(status, cwd=repository.folder, capture_output=True, text=True, check=True).stdout.split()
    assert changed == ["M", "Pulumi.prod.yaml", "??", "report.html"]
