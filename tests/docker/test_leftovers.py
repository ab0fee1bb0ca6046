"""What an interrupted run leaves on a real daemon is found by the daemon's own filters, and nothing else is."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.cli.test_interrupted import container, creating, dynamic
from tests.support import docker_client, image
from tierstack.engine.interrupted import Pending
from tierstack.engine.resume import _has_volume, _remove_leftovers
from tierstack.platform import DockerHost
from tierstack.platform.files import WRITES

PREFIX = "t-left"
OURS = DockerHost(name=PREFIX).labels
THEIRS = {**OURS, "app.kubernetes.io/part-of": "other"}
HELPER = {"app.kubernetes.io/managed-by": "tierstack"}


@pytest.fixture
def daemon() -> Iterator[Any]:
    one, shell = docker_client(), image("valkey:8.1")
    for name, labels in (
        (f"{PREFIX}-web", OURS),
        (f"{PREFIX}-web-2", OURS),
        (f"my-{PREFIX}-web", OURS),
        (f"{PREFIX}-db", THEIRS),
        (f"{PREFIX}-migrate", HELPER),
        (f"{PREFIX}-writer", {**HELPER, WRITES: f"{PREFIX}-tls"}),
        (f"{PREFIX}-other-writer", {**HELPER, WRITES: f"{PREFIX}-tls-2"}),
    ):
        one.containers.create(shell, name=name, labels=labels, network_mode="none")
    one.networks.create(PREFIX, labels=OURS)
    one.networks.create(f"{PREFIX}-2", labels=OURS)
    one.volumes.create(f"{PREFIX}-data", labels=OURS)
    yield one
    for found in one.containers.list(all=True, filters={"name": PREFIX}):
        found.remove(force=True)
    for found in one.networks.list(names=[PREFIX]):
        found.remove()
    one.volumes.get(f"{PREFIX}-data").remove()


def there(daemon: Any) -> set[str]:
    found = daemon.containers.list(all=True, filters={"name": PREFIX}) + daemon.networks.list(names=[PREFIX])
    return {one.name for one in found}


def labelled(kind: str, name: str) -> Pending:
    return creating(container(kind, name, OURS))


@pytest.mark.parametrize(
    ("one", "gone"),
    [
        (labelled("Container", f"{PREFIX}-web"), f"{PREFIX}-web"),
        (labelled("Network", PREFIX), PREFIX),
        (labelled("Container", f"{PREFIX}-db"), None),  # another stack's, of the same name
        (labelled("Container", f"{PREFIX}.web"), None),  # a name is no pattern
        (creating({**dynamic("RunOnce", name=f"{PREFIX}-migrate"), "provider": ""}), f"{PREFIX}-migrate"),
        (Pending("updating", dynamic("VolumeFiles", volume=f"{PREFIX}-tls"), {}), f"{PREFIX}-writer"),
    ],
)
def test_what_was_half_made_is_removed_alone(daemon: Any, one: Pending, gone: str | None) -> None:
    one.inputs.pop("docker_host", None)  # the environment's
    before = there(daemon)
    assert _remove_leftovers(one, set()) is (gone is not None)
    assert before - there(daemon) == ({gone} if gone else set())


def test_what_the_state_knows_stays(daemon: Any) -> None:
    before = there(daemon)
    known = {daemon.containers.get(f"{PREFIX}-web").id}
    assert not _remove_leftovers(labelled("Container", f"{PREFIX}-web"), known)
    assert there(daemon) == before


def test_a_volume_is_known_by_name_and_labels(daemon: Any) -> None:
    assert _has_volume(labelled("Volume", f"{PREFIX}-data"))
    assert not _has_volume(labelled("Volume", f"{PREFIX}-dat"))
    assert not _has_volume(creating(container("Volume", f"{PREFIX}-data", THEIRS)))
