"""The rules of DatabaseWithReplicasArgs: each wrong input with its whole message."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import refused
from tierstack.core.errors import ArgumentError
from tierstack.core.tier import TIERS, Tier
from tierstack.database import DatabaseArchiveArgs, DatabaseWithReplicas, DatabaseWithReplicasArgs
from tierstack.database.postgresql.engine import OLDEST_VERSION
from tierstack.links import ObjectStore, SecretRef
from tierstack.platform import DockerHost, Kubernetes, Platform

DIGEST = "0" * 64
CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/database/wrong_args.yaml").read_text())
PLATFORMS: dict[str, Platform] = {"docker": DockerHost(name="shop"), "kubernetes": Kubernetes(name="shop")}


def good(on: str, **changes: Any) -> dict[str, Any]:
    """Arguments without a problem, as the component host gives them, with `changes`."""
    given = {"platform": PLATFORMS[on], "tier": "100k", "image": f"postgresql:17.6@sha256:{DIGEST}"}
    if on == "docker":
        given |= {"image": f"sha256:{DIGEST}", "pooler_image": f"sha256:{DIGEST}"}
    return {**given, **changes}


ARCHIVE = DatabaseArchiveArgs(
    store=ObjectStore(
        bucket="shop-backups",
        region="eu-central-1",
        access_key_id=SecretRef(secret_name="storage-credentials", key="access-key-id"),
        secret_access_key=SecretRef(secret_name="storage-credentials", key="secret-access-key"),
    )
)


def args(on: str, **changes: Any) -> DatabaseWithReplicasArgs:
    return DatabaseWithReplicasArgs(**{**good(on), "tier": Tier.USERS_100K, **changes})


def error_of(case: dict[str, Any]) -> ArgumentError:
    given = {
        key: value.replace("${digest}", DIGEST) if isinstance(value, str) else value
        for key, value in case["given"].items()
    }
    return refused(lambda: DatabaseWithReplicas("db", good(case["where"], **given)))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['where']} {case['given']}"[:70])
def test_wrong(case: dict[str, Any]) -> None:
    error = error_of(case)
    assert error.subject == 'DatabaseWithReplicas "db"'
    assert [str(problem) for problem in error.problems] == case["problems"]


@pytest.mark.parametrize("on", PLATFORMS)
@pytest.mark.parametrize("tier", Tier)
def test_every_tier_is_good_by_default(on: str, tier: Tier) -> None:
    assert args(on, tier=tier).problems() == []


@pytest.mark.parametrize(
    ("on", "changes"),
    [
        ("docker", {"tier": Tier.USERS_1M, "replicas": 2}),
        ("docker", {"poolers": 1}),
        ("docker", {"image": f"postgres@sha256:{DIGEST}"}),
        ("docker", {"image": f"localhost:5000/team/postgres:18beta1@sha256:{DIGEST}"}),
        ("docker", {"pool_size": 87}),
        ("docker", {"parameters": {"shared_buffers": "819MB", "auto_explain.log_min_duration": "1s"}}),
        ("docker", {"memory_mb": 256, "storage_gb": 10}),
        ("kubernetes", {"tier": Tier.USERS_1M, "replicas": 0}),
        ("kubernetes", {"tier": Tier.USERS_1M, "memory_mb": 1012}),
        ("kubernetes", {"archive": ARCHIVE}),
    ],
)
def test_right_at_the_edge(on: str, changes: dict[str, Any]) -> None:
    assert args(on, **changes).problems() == []


def test_sizes_come_from_the_tier_unless_given() -> None:
    tier = TIERS[Tier.USERS_1M].database
    assert args("kubernetes", tier=Tier.USERS_1M).size() == tier
    size = args("docker", tier=Tier.USERS_1M, memory_mb=1024, cpu=0.5).size()
    assert (size.memory_mb, size.cpu, size.max_connections) == (1024, 0.5, tier.max_connections)
    assert size.poolers == 1  # whatever the tier has


def test_the_oldest_version_is_said_in_the_page() -> None:
    page = (Path(__file__).parents[2] / "docs/components/database.md").read_text()
    assert f"PostgreSQL {OLDEST_VERSION}" in page
