"""A state in a directory of this machine is read as it stands; any other is nobody's business here."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.projects import Checkout
from tierstack.engine import state_file

RESOURCES: list[dict[str, Any]] = [
    {"urn": "urn:a", "type": "docker:index/volume:Volume", "outputs": {"name": "shop-local-db-data"}},
    {
        "urn": "urn:b::db",
        "type": "tierstack:index:DatabaseWithReplicas",
        "outputs": {"database": "shop", "user": "app"},
    },
    {"urn": "urn:c", "type": "docker:index/volume:Volume", "delete": True},
]
READ = {"urn:a", "urn:b::db"}


def written(path: Path, content: object = None, *, packed: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"version": 3, "checkpoint": {"latest": {"resources": RESOURCES}}} if content is None else content
    text = json.dumps(document).encode()
    path.write_bytes(gzip.compress(text) if packed else text)


def read(root: Path) -> set[str]:
    return set(state_file.resources(root, "shop", "local"))


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine on which nobody has logged in."""
    monkeypatch.setenv("PULUMI_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PULUMI_BACKEND_URL", raising=False)
    return tmp_path


@pytest.mark.parametrize("backend", ["file://{}/state", "file://{}/state?metadata=skip", "file://./state"])
@pytest.mark.parametrize("place", ["shop/local.json", "shop/local.json.gz", "local.json"])
def test_a_directory(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, backend: str, place: str) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", backend.format(elsewhere))
    assert read(elsewhere) == set()
    written(elsewhere / "state/.pulumi/stacks" / place, packed=place.endswith(".gz"))
    assert read(elsewhere) == READ


def test_the_backend_of_the_project_and_that_of_a_login(elsewhere: Path) -> None:
    written(elsewhere / "state/.pulumi/stacks/shop/local.json")
    credentials = elsewhere / "home/credentials.json"
    written(credentials, {"current": f"file://{elsewhere}/state"})
    assert read(elsewhere) == READ
    (elsewhere / "Pulumi.yaml").write_text("name: shop\nruntime: python\nbackend: {url: 'https://api.pulumi.com'}\n")
    assert read(elsewhere) == set(), "the project's backend is the one that counts"


@pytest.mark.parametrize("backend", ["s3://states", "https://api.pulumi.com", ""])
def test_elsewhere(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", backend)
    assert read(elsewhere) == set()


@pytest.mark.parametrize("content", [{}, [], {"checkpoint": {"latest": None}}, {"checkpoint": {"latest": {}}}], ids=str)
def test_a_state_that_holds_nothing(elsewhere: Path, monkeypatch: pytest.MonkeyPatch, content: object) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{elsewhere}/state")
    file = elsewhere / "state/.pulumi/stacks/shop/local.json"
    written(file, content)
    assert read(elsewhere) == set()
    file.write_text("{")
    assert read(elsewhere) == set()


def test_a_check_compares_with_it(
    tierstack: Command, project: Checkout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/state")
    assert tierstack("check", "-s", "local").exit_code == 0
    written(tmp_path / "state/.pulumi/stacks/shop/local.json")
    done = tierstack("check", "-s", "local", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, [(one["path"], one["code"]) for one in found["diagnostics"]]) == (
        1,
        [("database.database", "database-renamed")],
    )
