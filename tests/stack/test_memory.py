"""The memory that a stack is said to need on a Docker host is that of the containers it makes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import run_program
from tierstack.core.memory import Phase
from tierstack.stack.check import judge
from tierstack.stack.memory import HELPERS_MB, host_memory, reserved
from tierstack.stack.plan import Plan
from tierstack.stack.program import build

pytestmark = pytest.mark.graph

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "cases/settings/base.yaml").read_text())
PHP = BASE["app"]["php"]
HTTP = {
    "http_server": {"command": ["serve"], "memory_mb": 300},
    "php": None,
    "replicas": 3,
    "roles": None,
}


def plan_of(tier: str, sections: dict[str, dict[str, Any]]) -> Plan:
    config = copy.deepcopy(BASE)
    config |= {"platform": {"kind": "docker"}, "tier": tier, "redis": {"nodes": 1}}
    for name, values in sections.items():
        merged = {**config.get(name, {}), **values}
        config[name] = {key: value for key, value in merged.items() if value is not None}
    verdict = judge(config, frozenset(), "test", "shop")
    assert verdict.problems == []
    assert verdict.plan
    return verdict.plan


@pytest.mark.parametrize(
    ("tier", "sections"),
    [
        ("1M", {}),
        ("1M", {"redis": {"nodes": 3}, "images": {"haproxy": f"haproxy@sha256:{'a' * 64}"}}),
        (
            "100k",
            {"app": {"php": {**PHP, "children": 3, "child_memory_mb": 100}, "http": {"max_body_mb": 128}}},
        ),
        ("100k", {"app": {"http": {"max_body_mb": 512}}}),
        (
            "100k",
            {
                "app": {
                    "roles": {
                        "worker": {"command": ["w"], "count": 5, "memory_mb": 64},
                        "mail": {"command": ["m"], "memory_mb": 96},
                        "clock": {"command": ["c"], "memory_mb": 32, "single": True},
                        "off": {"command": ["o"], "count": 0},
                    },
                    "migration": {"command": ["m"], "memory_mb": 80},
                }
            },
        ),
        ("100k", {"app": {"php": {**PHP, "settings": {"opcache.memory_consumption": "256"}}}}),
        ("100k", {"app": HTTP}),
        ("100k", {"database": {"memory_mb": 700, "max_client_connections": 900}, "redis": {"memory_mb": 77}}),
        ("100k", {"gateway": {"memory_mb": 333}, "backups": {"memory_mb": 700}}),
        ("100k", {"dns": {"mail": {"fastmail": {}, "mta_sts": {}}}, "mta_sts": {"memory_mb": 48}}),
    ],
    ids=str,
)
def test_the_sum_is_that_of_the_containers(tier: str, sections: dict[str, dict[str, Any]]) -> None:
    stack = plan_of(tier, sections)
    program = run_program(lambda: build(stack.components))
    made = [one.inputs for one in program.of_type("docker:index/container:Container")]
    once = [one.inputs for one in program.of_type("pulumi-python:dynamic/docker:RunOnce")]
    released = [
        one for one in made if "release" in str(one["labels"]) and not one["name"].endswith(("-scheduler", "-clock"))
    ]
    found = host_memory(stack)
    assert found.rest == sum(one["memory"] for one in made)
    assert found.release == sum(one["memory"] for one in released) > 0
    assert found.once == sum(one["memory_mb"] for one in once)
    assert found.most > found.rest + max(found.release, found.once)
    # Not the sum alone: what is reserved is what is made, container by container.
    told = [one.memory_mb for one in reserved(stack) for _ in range(one.count) if one.phase is not Phase.ONCE]
    assert sorted(told) == sorted(one["memory"] for one in made)


def test_what_runs_once_counts_where_it_is_more_than_a_release() -> None:
    php = {**PHP, "children": 1, "child_memory_mb": 16}
    small = {"replicas": 1, "php": php, "http": {"max_body_mb": 1}}
    stack = plan_of("100k", {"app": {**small, "roles": None}, "backups": {}})
    found = host_memory(stack)
    assert found.once > 0
    assert found.most == found.rest + max(found.release, found.once) + HELPERS_MB
