"""The rules of AppClusterArgs: each wrong input with its whole message."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app_cluster.samples import DIGEST, FULL, PLATFORMS, args, given, other, php, redis
from tests.gateway.samples import endpoint
from tests.support import refused
from tierstack.app_cluster import AppCluster, HttpArgs, HttpServerArgs, RoleArgs, UploadsArgs
from tierstack.core.diagnostics import NO_RULE
from tierstack.core.tier import TIERS, Tier

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/app_cluster/wrong_args.yaml").read_text())


def real(value: Any, on: str) -> Any:
    if isinstance(value, dict):
        return {key: real(one, on) for key, one in value.items()}
    if isinstance(value, list):
        return [real(one, on) for one in value]
    if value == "${redis}":
        return redis(on)
    if value in ("${other}", "${same}"):
        return other(on, "0" if value == "${same}" else "1").description
    if value == "${of other rules}":
        return other(on, changes={"environment": {"DB_HOST": "elsewhere"}}).description
    return value.replace("${digest}", DIGEST) if isinstance(value, str) else value


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['where']} {case['given']}"[:70])
def test_wrong(case: dict[str, Any]) -> None:
    changes = {key: real(value, case["where"]) for key, value in case["given"].items()}
    error = refused(lambda: AppCluster("web", given(case["where"], **changes)))  # type: ignore[arg-type]
    assert error.subject == 'AppCluster "web"'
    assert [str(problem) for problem in error.problems] == case["problems"]
    assert [problem.code for problem in error.problems] == case["codes"]


def test_every_rule_has_a_code() -> None:
    assert [case["given"] for case in CASES if NO_RULE in case["codes"]] == []


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
@pytest.mark.parametrize("tier", Tier)
@pytest.mark.parametrize("more", [{}, FULL], ids=["least", "full"])
def test_good(on: str, tier: Tier, more: dict[str, Any]) -> None:
    assert args(on, tier=tier, **more).problems() == []


@pytest.mark.parametrize(
    "given",
    [
        {"php": php(settings={"memory_limit": "32M", "post_max_size": "16M", "upload_max_filesize": "2M"})},
        {"php": php(settings={"max_execution_time": "0", "post_max_size": "0", "memory_limit": "64m"})},
        {
            "http": HttpArgs(max_body_mb=128),
            "php": php(child_memory_mb=256, settings={"memory_limit": "256M", "post_max_size": "128M"}),
        },
        {
            "uploads": UploadsArgs(path="/srv/shop/public/files"),
            "writable_paths": ["/srv/shop/publicity", "/srv/cache"],
        },
    ],
    ids=str,
)
def test_settings_within_the_limits_and_directories_beside_the_code(given: dict[str, Any]) -> None:
    assert args("docker", **given).problems() == []


def test_connections_of_another_platform() -> None:
    wrong = args("docker", gateway=endpoint("kubernetes")).problems()
    assert [(problem.path, problem.code) for problem in wrong] == [("gateway.docker", "other-platform")]
    wrong = args("kubernetes", **{key: given("docker")[key] for key in ("gateway", "database", "redis")}).problems()
    assert [problem.path for problem in wrong] == [
        "gateway.kubernetes",
        "database.password.secret_name",
        "redis.password.secret_name",
    ]


def test_a_hostname_is_claimed_under_the_code_of_its_rule() -> None:
    claims = args("docker", gateway=replace(endpoint("docker"), gateway="front")).claims()
    assert [claim.problem.code for claim in claims] == ["hostname-twice"]


def test_counts_come_from_the_tier_unless_given() -> None:
    size = TIERS[Tier.USERS_1M].app
    counts = args("docker", tier=Tier.USERS_1M).counts
    assert (counts.replicas, counts.children, counts.roles) == (size.replicas, size.children, {})
    counts = args("docker", replicas=20, php=php(children=1)).counts
    assert (counts.replicas, counts.max_replicas, counts.children) == (20, 20, 1)
    server = HttpServerArgs(command=["serve"], memory_mb=128, concurrency=8)
    assert args("docker", php=None, http_server=server).counts.children == 8


@pytest.mark.parametrize(
    ("name", "role", "expected"),
    [
        ("worker", {}, (10, 20)),
        ("worker", {"count": 25}, (25, 25)),
        ("worker", {"count": 3, "max_count": 4}, (3, 4)),
        ("worker", {"count": 0}, (0, 0)),
        ("worker", {"single": True}, (1, 1)),
        ("mail", {}, (1, 1)),
        ("mail", {"count": 7}, (7, 7)),
        ("mail", {"max_count": 9}, (1, 9)),
    ],
    ids=str,
)
def test_only_workers_are_counted_by_the_tier(name: str, role: dict[str, Any], expected: tuple[int, int]) -> None:
    given = args("docker", tier=Tier.USERS_1M, roles={name: RoleArgs(command=["w"], **role)})
    counts = given.counts.roles[name]
    assert (counts.count, counts.max_count) == expected
    assert (given.counts.background, given.counts.max_background) == expected


def test_platforms_are_all_covered() -> None:
    assert {case["where"] for case in CASES} <= set(PLATFORMS)
