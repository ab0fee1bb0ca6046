"""How the parts of a stack are said to be, and what an update waits for."""

from typing import Any

import pytest

from tierstack.engine import parts
from tierstack.engine.health import (
    Health,
    Part,
    address_part,
    container_part,
    is_well_altogether,
    may_change,
    summary,
    workload_part,
)

WELL = Part("web", Health.HEALTHY)
SINCE = "2026-11-25T10:00:00Z"


def workload(kind: str, spec: dict[str, Any], status: dict[str, Any]) -> Part:
    part = workload_part({"kind": kind, "metadata": {"name": "it"}, "spec": spec, "status": status})
    assert part
    return part


@pytest.mark.parametrize(
    ("kind", "spec", "status", "health", "why", "may_settle"),
    [
        ("Deployment", {"replicas": 2}, {"readyReplicas": 2}, Health.HEALTHY, None, False),
        # An autoscaler has just asked for a second pod.
        ("Deployment", {"replicas": 2}, {"readyReplicas": 1}, Health.UNHEALTHY, "1 of 2 pods are ready", True),
        ("Deployment", {"replicas": 0}, {}, Health.HEALTHY, None, False),
        ("StatefulSet", {"replicas": 3}, {}, Health.UNHEALTHY, "0 of 3 pods are ready", True),
        (
            "Cluster",
            {"instances": 3},
            {"readyInstances": 2, "phase": "Failing over"},
            Health.UNHEALTHY,
            "2 of 3 instances are ready: Failing over",
            True,
        ),
        ("Certificate", {}, {}, Health.UNHEALTHY, "it was not issued yet", True),
        (
            "Job",
            {},
            {"conditions": [{"type": "Failed", "status": "True", "message": "backoff limit"}]},
            Health.UNHEALTHY,
            "backoff limit",
            False,
        ),
    ],
)
def test_a_workload(
    kind: str, spec: dict[str, Any], status: dict[str, Any], health: Health, why: str | None, may_settle: bool
) -> None:
    part = workload(kind, spec, status)
    assert (part.name, part.health, part.why, part.may_settle) == (f"{kind} it", health, why, may_settle)


def test_the_time_of_a_workload_is_that_of_its_condition() -> None:
    conditions = [{"type": "Available", "status": "False", "lastTransitionTime": SINCE}]
    assert workload("Deployment", {"replicas": 1}, {"conditions": conditions}).since == SINCE


def test_objects_that_say_nothing_of_health_are_left_out() -> None:
    assert workload_part({"kind": "Job", "metadata": {"name": "migrate"}, "status": {}}) is None
    assert workload_part({"kind": "ConfigMap", "metadata": {"name": "web"}}) is None


@pytest.mark.parametrize(
    ("state", "health", "may_settle"),
    [
        ({"Running": True, "Health": {"Status": "healthy"}}, Health.HEALTHY, False),
        ({"Running": True, "Health": {"Status": "starting"}}, Health.STARTING, True),
        ({"Running": True, "Health": {"Status": "unhealthy", "Log": []}}, Health.UNHEALTHY, False),
        ({"Running": False, "ExitCode": 1}, Health.UNHEALTHY, False),
        (None, Health.UNHEALTHY, False),
    ],
)
def test_a_container(state: dict[str, Any] | None, health: Health, may_settle: bool) -> None:
    part = container_part("web", None if state is None else {"State": state})
    assert (part.health, part.may_settle) == (health, may_settle)


def test_an_address_without_a_server_may_settle() -> None:
    part = address_part("https://127.0.0.1:9", "/", None)  # discard: nothing listens there
    assert (part.health, part.may_settle) == (Health.UNHEALTHY, True)


SETTLING = Part("Deployment web", Health.UNHEALTHY, may_settle=True)
BROKEN = Part("redis", Health.UNHEALTHY)


@pytest.mark.parametrize(
    ("looks", "asked"),
    [
        ([[WELL]], 1),
        ([[WELL, SETTLING], [WELL, SETTLING], [WELL]], 3),
        ([[SETTLING, BROKEN]], 1),  # waiting cannot mend it
    ],
)
def test_an_update_waits_for_what_may_settle(
    looks: list[list[Part]], asked: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts.time, "sleep", lambda seconds: None)
    seen: list[list[Part]] = []

    def look() -> list[Part]:
        seen.append(looks[len(seen)])
        return seen[-1]

    assert parts.waited(look, 600) == looks[-1]
    assert len(seen) == asked


def test_what_could_not_be_asked_makes_no_stack_ill() -> None:
    parts = [WELL, Part("https://shop.example/", Health.UNKNOWN, None, "was not asked: no address")]
    assert is_well_altogether(parts)
    assert not may_change(parts)
    assert summary("prod", parts) == "prod is well: 2 parts"
    assert summary("prod", [WELL, BROKEN]) == "prod is not well: 1 of 2 parts"
