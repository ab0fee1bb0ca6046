"""An upgrade from the release before: what is recorded of it (tests/releases.py), against this checkout."""

import json
import tomllib
from pathlib import Path

import pytest

from tests import releases
from tests.releases import Change, announced, differences, problems, steps

ROOT = Path(__file__).parent.parent
CHANGELOG = (ROOT / "CHANGELOG.md").read_text()
AGAIN = (
    "Say it in CHANGELOG.md, in a line `- **Upgrade** from X: `Kind name` is …` with its migration. Until the first "
    "release: record this checkout with `python -m tests.releases`."
)


def test_the_newest_release_is_recorded() -> None:
    """The commit that sets a version records it (CONTRIBUTING.md, Publish a version)."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert (releases.RECORD / "release").read_text() == f"{version}\n"


@pytest.mark.graph
@pytest.mark.parametrize("tier", releases.TIERS)
def test_on_a_docker_host(tier: str) -> None:
    found = problems(differences(releases.read(f"docker-{tier}"), releases.registered(tier)), announced(CHANGELOG))
    assert found == [], AGAIN


@pytest.mark.engine
@pytest.mark.parametrize("tier", releases.TIERS)
def test_of_a_rendered_stack(tier: str, tmp_path: Path) -> None:
    checkout = releases.rendered(tmp_path / "upgrade")
    (tmp_path / "upgrade" / "before.json").write_text(json.dumps(releases.read(f"rendered-{tier}")))
    checkout.pulumi("stack", "import", "--file", "before.json", "-s", releases.STACK)
    asked = ("preview", "--json", "-s", releases.STACK)
    plan = json.loads(checkout.pulumi(*asked, **releases.environment("rendered", tier)).stdout)
    assert sum(plan["changeSummary"].values()) > 50
    assert problems(steps(plan), announced(CHANGELOG)) == [], AGAIN


class TestJudgement:
    @pytest.mark.parametrize("op", ["replace", "delete", "discard"])
    def test_what_holds_data_is_never_replaced_announced_or_not(self, op: str) -> None:
        (said,) = problems([Change("Cluster db", op, holds_data=True)], ["Cluster db"])
        assert said == f"Cluster db: {op}: holds data, and an upgrade never replaces or deletes that"

    @pytest.mark.parametrize("op", ["create", "update", "replace", "delete"])
    def test_every_other_change_is_announced(self, op: str) -> None:
        change = Change("Deployment web", op)
        (said,) = problems([change], ["Deployment db-pooler"])
        assert said.startswith(f"Deployment web: {op}: CHANGELOG.md has no line")
        assert problems([change], ["Deployment web"]) == []
        assert problems([change], ["Deployment *"]) == []

    def test_data_may_be_updated_where_it_is_announced(self) -> None:
        change = Change("Cluster db", "update", holds_data=True)
        assert problems([change], [])
        assert problems([change], ["Cluster db"]) == []

    def test_announcements_are_those_of_the_newest_part(self) -> None:
        changelog = (
            "# Changelog\n\n## [Unreleased]\n\n### Changed\n- **Upgrade** from 0.2.0: `Deployment web` and\n"
            "  `Service *` are updated: run `tierstack up`.\n- Another `Thing one`.\n\n"
            "## [0.2.0]\n### Changed\n- **Upgrade**: `Cluster db` is updated.\n"
        )
        assert announced(changelog) == ["Deployment web", "Service *"]

    def test_steps_of_a_plan(self) -> None:
        kept = {"inputs": {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}}}
        urn = "urn:pulumi:dev::upgrade::tierstack:index:RedisCluster$kubernetes:core/v1:PersistentVolumeClaim::data"
        plan = {
            "steps": [
                {"op": "same", "urn": urn},
                {"op": "create-replacement", "urn": urn, "oldState": kept},
                {"op": "replace", "urn": urn, "oldState": kept},
                {"op": "delete-replaced", "urn": urn, "oldState": kept},
            ]
        }
        assert steps(plan) == [Change("PersistentVolumeClaim data", "replace", holds_data=True)]

    def test_differences_of_registrations(self) -> None:
        volume = {"type": "docker:index/volume:Volume", "inputs": {"name": "a"}}
        container = {"type": "docker:index/container:Container", "inputs": {"image": "x"}}
        before = {"data": volume, "old": container, "web": container}
        after = {"data": {**volume, "inputs": {"name": "b"}}, "new": container, "web": {**container, "inputs": {}}}
        assert set(differences(before, after)) == {
            Change("Volume data", "replace", holds_data=True),
            Change("Container old", "delete"),
            Change("Container new", "create"),
            Change("Container web", "replace"),
        }
        assert differences(before, before) == []
