"""A release as JSON text, and back: the same name, and nothing that cannot be read."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.app_cluster.samples import FULL, args, other, php, release_name
from tierstack.app_cluster import (
    HealthArgs,
    HttpServerArgs,
    QueueScaling,
    RoleArgs,
    SecretDelivery,
    TrafficArgs,
    identity,
)
from tierstack.app_cluster.description import DescriptionError, described, description, release_of
from tierstack.app_cluster.release_windows import is_open, window
from tierstack.core.tier import Tier

SHAPES: dict[str, dict[str, Any]] = {
    "least": {},
    "full": FULL,
    "1M": {**FULL, "tier": Tier.USERS_1M},
    "http": {
        **FULL,
        "php": None,
        "http_server": HttpServerArgs(command=["serve"], memory_mb=128, cpu=1.0),
        "health": HealthArgs(port=2114),
    },
    "own": {
        "php": php(children=3, settings={"opcache.memory_consumption": "32"}, command=["php-fpm8.4"]),
        "nginx_image": f"sha256:{'9' * 64}",
        "secret_delivery": SecretDelivery.FILE,
        "writable_paths": ["/srv/cache"],
        "roles": {"mail": RoleArgs(command=["m"], count=0, cpu=0.5, environment={"Q": "ä"})},
    },
}
NOW = datetime(2026, 11, 27, 9, 30, tzinfo=UTC)  # a Friday


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_a_release_comes_back_whole(on: str, shape: str) -> None:
    of = args(on, **SHAPES[shape])
    back = release_of(description(of.described))
    assert replace(back, weight=100, current=True) == of.described
    assert (back.weight, back.current) == (0, False)
    assert identity.known_name(of.application, back) == release_name(of)
    assert description(back) == description(of.described)


def test_queues_come_back_too() -> None:
    queue = QueueScaling(list_name="jobs", jobs_per_worker=7)
    of = args("kubernetes", roles={"worker": RoleArgs(command=["w"], count=2, max_count=9, queue=queue)})
    assert release_of(description(of.described)).roles == of.roles


def test_a_description_holds_no_secret() -> None:
    assert "the-app-key" not in description(args("docker", **FULL).described)


def changed(**changes: Any) -> str:
    return json.dumps({**described(args("docker", **FULL).described), **changes})


def without(key: str) -> str:
    whole = described(args("docker", **FULL).described)
    del whole[key]
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not JSON: "),
        ("[]", "is not a map"),
        ("{}", "has the format null; this tierstack reads 1"),
        (changed(format=2), "has the format 2; this tierstack reads 1"),
        (changed(format=True), "has the format true; "),
        (changed(format="1"), 'has the format "1"; '),
        (changed(colour="red"), "is damaged, or of another version of tierstack: colour: is not a known key"),
        (changed(image=7), "is damaged, or of another version of tierstack: image = 7: "),
        (without("counts"), "is damaged, or of another version of tierstack: counts: is required"),
        (without("migration"), "is damaged, or of another version of tierstack: migration: is required"),
    ],
)
def test_what_cannot_be_read_is_one_error(text: str, said: str) -> None:
    with pytest.raises(DescriptionError) as found:
        release_of(text)
    assert str(found.value).startswith(said)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("Fri 09:00-10:00", NOW, NOW.replace(hour=10, minute=0)),
        ("Mon-Fri 09:30-24:00", NOW.replace(hour=23, minute=59), NOW.replace(minute=29)),
        ("Fri-Mon 00:00-24:00", NOW.replace(day=30), NOW.replace(day=26)),
    ],
)
def test_windows(text: str, inside: datetime, outside: datetime) -> None:
    assert is_open([text], "UTC", inside)
    assert not is_open([text], "UTC", outside)
    assert is_open(None, "UTC", outside)


def test_windows_are_of_a_time_zone() -> None:
    assert is_open(["Fri 10:00-11:00"], "Europe/Zurich", NOW)
    assert not is_open(["Fri 10:00-11:00"], "UTC", NOW)


@pytest.mark.parametrize("text", ["", "Fri", "09:00-10:00", "Fri 10:00-09:00", "Fri 9:00-10:00", "Fri 09:00-00:00"])
def test_no_windows(text: str) -> None:
    assert window(text) is None


def test_what_runs() -> None:
    of = args("docker")
    assert of.running.releases == [of.described]
    beside = other("docker", weight=95, current=True, replicas=3)
    (old, new) = args(
        "docker", traffic=TrafficArgs(weight=5, current=False, replicas=1, others=[beside])
    ).running.releases
    assert (old.weight, old.current, old.counts.replicas) == (95, True, 3)
    assert (new.weight, new.current, new.counts.replicas) == (5, False, 1)
    (only,) = args("docker", traffic=TrafficArgs(weight=0, current=False, replicas=0, others=[beside])).running.releases
    assert only == old
