"""Two checkouts with one platform name on a real daemon: the second one touches nothing, until it is told to adopt;
and what is changed by hand is seen and put right."""

import hashlib
import io
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Checkout
from tests.support import containers_of, docker_client, image

PREFIX, STACK = "t-two", "two"
SECRETS = ("db-secrets", "redis-config", "gateway-config")


def project(folder: Path) -> Checkout:
    """A small stack: one of each, no backups."""
    one = Checkout.make(folder)

    def change(config: dict[str, Any]) -> None:
        config["app"]["replicas"] = config["app"]["roles"]["worker"]["count"] = 1
        del config["backups"]

    one.local(STACK, PREFIX, change)
    return one


@pytest.fixture(scope="module")
def checkouts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Checkout, Checkout]]:
    docker_client()
    for one in ("postgres:17", "pgbouncer:1.24", "valkey:8.1", "traefik:3.7", "shop:1"):
        image(one)
    first, second = (project(tmp_path_factory.mktemp(name) / "shop") for name in ("first", "second"))
    first.tierstack("up", "-s", STACK, "--yes")
    yield first, second
    # Whoever owns it in the end, also where a test failed.
    for one in containers_of(PREFIX):
        one.remove(force=True)
    daemon, filters = docker_client(), {"label": f"app.kubernetes.io/part-of={PREFIX}"}
    for found in [*daemon.networks.list(filters=filters), *daemon.volumes.list(filters=filters)]:
        found.remove()


def sums() -> dict[str, str]:
    """A checksum of the files of each volume that holds secrets: names, owners, modes and contents."""
    found = {}
    for name in SECRETS:
        helper = docker_client().containers.create(image("valkey:8.1"), volumes={f"{PREFIX}-{name}": {"bind": "/v"}})
        try:
            with tarfile.open(fileobj=io.BytesIO(b"".join(helper.get_archive("/v")[0]))) as archive:
                files = [
                    (
                        one.name,
                        one.uid,
                        one.gid,
                        one.mode,
                        opened.read() if (opened := archive.extractfile(one)) else b"",
                    )
                    for one in sorted(archive.getmembers(), key=lambda one: one.name)
                ]
            found[name] = hashlib.sha256(repr(files).encode()).hexdigest()
        finally:
            helper.remove()
    return found


def everything() -> dict[str, str]:
    """All that bears the stack's name, by kind and name."""
    daemon, filters = docker_client(), {"label": f"app.kubernetes.io/part-of={PREFIX}"}
    found = {f"container {one.name}": f"{one.id} {one.attrs['State']['StartedAt']}" for one in containers_of(PREFIX)}
    found |= {f"network {one.name}": one.id for one in daemon.networks.list(filters=filters)}
    found |= {f"volume {one.name}": one.attrs["CreatedAt"] for one in daemon.volumes.list(filters=filters)}
    return found | sums()


def test_the_second_checkout_is_refused_and_touches_nothing(checkouts: tuple[Checkout, Checkout]) -> None:
    first, second = checkouts
    before = everything()
    for verb in (["preview", "-s", STACK], ["up", "-s", STACK, "--yes"]):
        done = second.tierstack(*verb, code=1)
        said = done.stdout + done.stderr
        assert f"platform.name = '{PREFIX}': the Docker host has" in said
        assert f"owner: stack organization/shop/{STACK}, claimed by " in said
        assert "Traceback" not in said
    plain = second.pulumi("up", "--yes", "-s", STACK, code=None)  # which code, releases of the engine differ in
    assert plain.returncode != 0
    assert "belong to another state" in plain.stdout
    assert everything() == before
    assert [one["type"] for one in second.state(STACK).get("resources", []) if one["type"].startswith("docker:")] == []
    second.tierstack("down", "-s", STACK, "--yes")
    assert everything() == before
    first.tierstack("status", "-s", STACK)
    assert first.json("up", "-s", STACK)["changes"].keys() <= {"same", "refresh"}
    assert everything() == before


def test_what_is_changed_by_hand_is_seen_and_put_right(checkouts: tuple[Checkout, Checkout]) -> None:
    first, _ = checkouts
    before, daemon = sums(), docker_client()
    daemon.containers.get(f"{PREFIX}-redis").remove(force=True)
    config = {f"{PREFIX}-redis-config": {"bind": "/v"}}
    daemon.containers.run(
        image("valkey:8.1"),
        ["-c", "for f in $(find /v -type f); do : > $f; done"],
        entrypoint="/bin/sh",
        user="0",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE"],
        network_mode="none",
        volumes=config,
        remove=True,
    )
    assert sums() != before
    state = first.json("status", "-s", STACK, code=1)
    assert {"name": f"{PREFIX}-redis", "health": "unhealthy", "since": None, "why": "is not on the Docker host"} in (
        state["parts"]
    )
    assert first.json("preview", "-s", STACK)["steps"]
    done = first.tierstack("up", "-s", STACK, "--yes")
    assert f"{STACK} is up: https://" in done.stdout
    assert "all healthy" in done.stdout
    assert sums() == before
    assert first.json("preview", "-s", STACK)["steps"] == []


def test_a_daemon_that_is_away_is_an_error_once_the_stack_is_up(checkouts: tuple[Checkout, Checkout]) -> None:
    first, _ = checkouts
    for verb in ("up", "preview", "status", "down"):
        done = first.tierstack(verb, "-s", STACK, code=None, DOCKER_HOST="unix:///nonexistent")
        assert done.returncode == 1, (verb, done.stdout, done.stderr)
        assert "no Docker daemon answers at unix:///nonexistent" in done.stderr, verb
    assert not (first.folder / "rendered").exists()


def test_down_keeps_the_data_for_the_same_checkout(checkouts: tuple[Checkout, Checkout]) -> None:
    first, second = checkouts
    in_uploads("touch /v/picture")
    first.tierstack("down", "-s", STACK, "--yes")
    kept = everything_of_volumes()
    assert f"{PREFIX}-db-data" in kept
    assert "belong to another state" in second.tierstack("up", "-s", STACK, "--yes", code=1).stdout
    first.tierstack("up", "-s", STACK, "--yes")
    # The daemon's CreatedAt is the last change of a volume's directory, and a file of ours comes back into the uploads.
    written = {f"{PREFIX}-web-uploads": kept.pop(f"{PREFIX}-web-uploads")}
    assert kept.items() <= everything_of_volumes().items()
    assert written.keys() <= everything_of_volumes().keys()
    in_uploads("test -f /v/picture")


def in_uploads(command: str) -> None:
    """Run a command with the volume of uploads at /v; fails the test if it fails."""
    docker_client().containers.run(
        image("valkey:8.1"),
        ["-c", command],
        entrypoint="/bin/sh",
        user="0",
        network_mode="none",
        volumes={f"{PREFIX}-web-uploads": {"bind": "/v"}},
        remove=True,
    )


def everything_of_volumes() -> dict[str, str]:
    filters = {"label": f"app.kubernetes.io/part-of={PREFIX}"}
    return {one.name: one.attrs["CreatedAt"] for one in docker_client().volumes.list(filters=filters)}


def test_adopting_takes_the_stack_over_with_its_data(checkouts: tuple[Checkout, Checkout]) -> None:
    first, second = checkouts
    shutil.rmtree(second.folder / "state")
    (second.folder / "state").mkdir()
    configuration = (second.folder / f"Pulumi.{STACK}.yaml").read_text()
    data = everything_of_volumes()[f"{PREFIX}-db-data"]
    done = second.tierstack("up", "-s", STACK, "--yes", "--adopt")
    assert f"{STACK} is up: https://" in done.stdout
    assert "all healthy" in done.stdout
    assert everything_of_volumes()[f"{PREFIX}-db-data"] == data
    before = everything()
    for verb in ("up", "down"):
        done = first.tierstack(verb, "-s", STACK, "--yes", code=1)
        assert "another state" in done.stdout + done.stderr
    assert everything() == before
    assert second.json("preview", "-s", STACK)["steps"] == []
    assert (second.folder / f"Pulumi.{STACK}.yaml").read_text() == configuration
    second.tierstack("down", "-s", STACK, "--yes", "--delete-data")
    assert everything_of_volumes() == {}


def test_names_that_somebody_else_uses_are_left_alone(tmp_path: Path) -> None:
    daemon, mine = docker_client(), {"project": "thesis"}
    volume = daemon.volumes.create("t-mine-db-data", labels=mine)
    network = daemon.networks.create("t-mine-web", labels=mine)

    def named() -> set[str]:
        there = [
            *daemon.volumes.list(),
            *daemon.networks.list(),
            *daemon.containers.list(all=True, ignore_removed=True),
        ]
        return {one.name for one in there if one.name.startswith("t-mine")}

    try:
        one = project(tmp_path / "shop")
        one.config(STACK, lambda config: config["platform"].update(name="t-mine"))
        told = [one.tierstack("up", "-s", STACK, "--yes", code=1).stdout]
        made = [entry["type"] for entry in one.state(STACK).get("resources", [])]
        assert [type_ for type_ in made if not type_.startswith("pulumi:")] == []
        told.append(one.pulumi("up", "--yes", "--skip-preview", "-s", STACK, code=None).stdout)
        for said in told:
            assert "2 problems. Nothing was changed." in said
            for what in ("volume t-mine-db-data", "network t-mine-web"):
                assert f"{what} exists on the Docker host, and this stack did not make it" in said
            assert "labels: project=thesis" in said
            assert "Traceback" not in said
        assert named() == {"t-mine-db-data", "t-mine-web"}
        one.tierstack("down", "-s", STACK, "--yes", "--delete-data")
        assert named() == {"t-mine-db-data", "t-mine-web"}
    finally:
        volume.remove()
        network.remove()
