"""The longest name that a component may have is the one whose objects still have names that the platform takes."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

import tierstack as ts
from tests.names.whole import PLATFORMS, shop
from tests.support import Recorder, Registered, refused, run_program
from tierstack.platform.component import Component

pytestmark = pytest.mark.graph
# Kubernetes: a Service is a DNS label, a pod carries the name of its Job, and that of its StatefulSet with a hyphen and
# ten digits as a label (63 characters); CloudNativePG refuses a Cluster beyond 50.
LONGEST = {"Service": 63, "Job": 63, "StatefulSet": 52, "Cluster": 50}
CLASSES: dict[str, type[Component]] = {
    "tls": ts.TLS,
    "gateway": ts.Gateway,
    "db": ts.DatabaseWithReplicas,
    "redis": ts.RedisCluster,
    "backups": ts.BackupSchedule,
    "web": ts.AppCluster,
    "mta-sts": ts.MtaStsHost,
}


def rooms(made: Recorder, name: str, platform: ts.Platform) -> Iterator[int]:
    """Characters that each name made from `name` leaves to it."""
    for one in made.made:
        if one.parent != name and one.name != name:
            continue
        if platform.kind is ts.PlatformKind.KUBERNETES:
            yield from _of_object(one, name)
        else:
            for network in one.inputs.get("networksAdvanced", []):
                # As many replicas as there may be: the last of them has three digits.
                aliases = (re.sub(r"(?<=-)\d$", "500", str(alias)) for alias in network.get("aliases", []))
                yield from (63 - len(alias) + len(name) for alias in aliases)


def _of_object(one: Registered, name: str) -> Iterator[int]:
    manifest = one.inputs
    if "metadata" not in manifest or "spec" not in manifest:
        return
    yield LONGEST.get(manifest["kind"], 253) - len(manifest["metadata"]["name"]) + len(name)
    for key, value in _labels(manifest):
        # The part of a key after its prefix, and a value, have at most 63 characters.
        yield from (63 - len(text) + len(name) for text in (key.rpartition("/")[2], value) if name in text)


def _labels(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, entry in value.items():
            if key in ("labels", "matchLabels") and isinstance(entry, dict):
                yield from ((label, str(text)) for label, text in entry.items())
            else:
                yield from _labels(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _labels(entry)


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("kind", list(ts.PlatformKind))
def test_the_longest_name_leaves_room_for_every_suffix(name: str, kind: ts.PlatformKind) -> None:
    left: list[int] = []
    for platform in PLATFORMS.values():
        if platform.kind is kind:
            for tier in ts.Tier:
                made = run_program(lambda platform=platform, tier=tier: shop(platform, tier))
                left += rooms(made, name, platform)
    platform = ts.Platform(kind=kind, name="shop")
    # A name is a DNS label itself. Redis' and PostgreSQL's numbers of nodes have one digit.
    spare = 2 if kind is ts.PlatformKind.DOCKER and name == "db" else 0
    assert CLASSES[name].names.longest(platform) == min([63, *left]) + spare


K, D = ts.Kubernetes(name="shop"), ts.DockerHost(name="shop")
DIGEST = "@sha256:" + "a" * 64


def redis(name: str, platform: ts.Platform, **more: Any) -> ts.RedisCluster:
    return ts.RedisCluster(name, ts.RedisClusterArgs(platform=platform, image="registry.example/x" + DIGEST, **more))


@pytest.mark.parametrize("platform", [K, D], ids=["kubernetes", "docker"])
@pytest.mark.parametrize("name", ["Redis_Main", "My App", "база", "a.b", "-a", "a-", "a" * 64, "a/b", "A"])
def test_a_name_that_no_object_can_have_is_refused(name: str, platform: ts.Platform) -> None:
    (problem,) = refused(lambda: redis(name, platform)).problems
    assert problem.path == "name"
    assert "physical_name" in problem.hint


def test_the_longest_name_passes_and_one_more_does_not() -> None:
    run_program(lambda: redis("a" * 43, K))
    assert "write at most 43" in str(refused(lambda: redis("a" * 44, K)))


def test_a_service_starts_with_a_letter() -> None:
    assert "starts with a digit" in str(refused(lambda: redis("2fa", K)))
    run_program(lambda: redis("2fa", D))


def test_a_physical_name_is_judged_in_place_of_the_name() -> None:
    run_program(lambda: redis("Redis_Main", K, physical_name="main"))
    (problem,) = refused(lambda: redis("main", K, physical_name="Redis_Main")).problems
    assert problem.path == "physical_name"
