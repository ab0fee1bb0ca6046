"""Two states and one platform name on a real daemon, by plain `pulumi`; and what is changed by hand."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tierstack.platform.claim import OWNER

PROGRAM = (Path(__file__).parent / "small.py").read_text()


@pytest.fixture(scope="module")
def stacks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Stack]]:
    """Two checkouts of one project; the first is up."""
    client, name = docker_client(), f"t-{uuid.uuid4().hex[:8]}"
    both = [
        Stack(
            tmp_path_factory.mktemp(which),
            name="shop",
            environment={"NAME": name, "IMAGE": image("php:8.4"), "SECRET": f"secret of the {which}"},
        )
        for which in ("first", "second")
    ]
    try:
        for one in both:
            one.write(PROGRAM)
        both[0].up()
        yield both[0], both[1]
    finally:
        for found in containers_of(name):
            found.remove(force=True)
        for found in [*client.networks.list(names=[name]), *client.volumes.list(filters={"name": name})]:
            found.remove()


def name_of(stack: Stack) -> str:
    return stack.environment["NAME"]


def there(stack: Stack) -> dict[str, str]:
    """All that bears the name, and the secret as the container would read it now."""
    client, name = docker_client(), name_of(stack)
    found = {one.name: f"{one.id} {one.attrs['State']['StartedAt']}" for one in containers_of(name)}
    found |= {f"network {one.id}": one.name for one in client.networks.list(names=[name])}
    found |= {one.name: json.dumps(one.attrs["Labels"]) for one in client.volumes.list(filters={"name": name})}
    return found | {"password": inside(stack, "cat /config/password")}


def inside(stack: Stack, command: str) -> str:
    done = docker_client().containers.get(f"{name_of(stack)}-web").exec_run(["/bin/sh", "-c", command])
    assert done.exit_code == 0, done.output.decode()
    return done.output.decode()


def by_hand(stack: Stack, volume: str, command: str) -> None:
    """Do something to a volume, at /v, as the host's root can: that of a container has no capabilities."""
    docker_client().containers.run(
        stack.environment["IMAGE"],
        ["-c", command],
        entrypoint="/bin/sh",
        user="0",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE"],
        network_mode="none",
        volumes={f"{name_of(stack)}-{volume}": {"bind": "/v"}},
        remove=True,
    )


def test_another_state_is_refused_before_anything_is_made(stacks: tuple[Stack, Stack]) -> None:
    first, second = stacks
    before = there(first)
    assert before["password"] == "secret of the first"
    for verb in ("preview", "up"):
        flags = ["--yes", "--skip-preview"] if verb == "up" else []
        done = second.run(verb, "--stack=shop", *flags, check=False)
        assert done.returncode != 0
        said = done.stdout + done.stderr
        assert f"platform.name = '{name_of(first)}': the Docker host has" in said
        assert "owner: stack organization/shop/shop, claimed by " in said
        assert "Traceback" not in said
        assert there(first) == before
    assert "docker" not in second.state()
    second.destroy()
    assert there(first) == before
    first.unchanged()


def test_a_state_without_a_claim_goes_on(stacks: tuple[Stack, Stack]) -> None:
    """As one that an earlier release wrote: no id in the state, none on the host."""
    first, _ = stacks
    exported = json.loads(first.run("stack", "export", "--stack=shop").stdout)
    urn = next(one["urn"] for one in exported["deployment"]["resources"] if one["urn"].endswith("-claim"))
    exported["deployment"]["resources"] = [
        {**one, "dependencies": [other for other in one.get("dependencies", []) if other != urn]}
        for one in exported["deployment"]["resources"]
        if one["urn"] != urn
    ]
    (first.folder / "before.json").write_text(json.dumps(exported))
    first.run("stack", "import", "--stack=shop", "--file=before.json")
    docker_client().volumes.get(f"{name_of(first)}-claim").remove()
    before = {key: value for key, value in there(first).items() if not key.endswith("-claim")}
    first.up()
    assert before.items() <= there(first).items()
    assert f"{name_of(first)}-claim" in there(first)


def test_what_is_changed_by_hand_is_seen_and_put_right(stacks: tuple[Stack, Stack]) -> None:
    first, _ = stacks
    before = there(first)
    by_hand(first, "config", "printf changed > /v/password")
    assert there(first)["password"] == "changed"
    assert "config-files" in first.preview("--refresh")
    first.up("--refresh")
    assert there(first)["password"] == before["password"]
    assert inside(first, "stat -c '%u:%g %a' /config/password").strip() == "10001:10001 400"
    assert first.environment["SECRET"] not in first.state()
    first.unchanged()
    docker_client().containers.get(f"{name_of(first)}-web").remove(force=True)
    first.up("--refresh")
    assert there(first)["password"] == before["password"]
    first.unchanged()


def test_a_container_that_hangs_is_restarted(stacks: tuple[Stack, Stack]) -> None:
    first, _ = stacks
    container = docker_client().containers.get(f"{name_of(first)}-web")
    inside(first, "rm -f /tmp/password; echo other > /tmp/password")
    while container.attrs["State"]["Health"]["Status"] != "unhealthy":
        container.reload()
    started = container.attrs["State"]["StartedAt"]
    first.up("--refresh")
    container.reload()
    assert container.attrs["State"]["Health"]["Status"] == "healthy"
    assert container.attrs["State"]["StartedAt"] != started
    first.unchanged()


def test_adopting_keeps_the_data_and_leaves_the_other_state_out(stacks: tuple[Stack, Stack], monkeypatch: Any) -> None:
    first, second = stacks
    by_hand(first, "data", "echo orders > /v/orders")
    monkeypatch.setitem(second.environment, "ADOPT", "yes")
    second.up()
    assert inside(second, "cat /data/orders").strip() == "orders"
    assert inside(second, "cat /config/password") == "secret of the second"
    before = there(second)
    assert "belong to another state" in first.up(check=False)
    assert there(second) == before
    monkeypatch.delitem(second.environment, "ADOPT")
    second.up()
    second.unchanged()
    assert there(second) == before


def test_a_destroy_keeps_the_name_with_the_data(stacks: tuple[Stack, Stack]) -> None:
    first, second = stacks
    second.run("destroy", "--yes", "--skip-preview", "--exclude-protected", "--stack=shop")
    kept = docker_client().volumes.list(filters={"name": name_of(second)})
    assert {one.name.removeprefix(name_of(second)) for one in kept} == {"-data", "-claim"}
    assert "belong to another state" in first.up(check=False)
    second.up()
    assert inside(second, "cat /data/orders").strip() == "orders"
    owner = docker_client().volumes.get(f"{name_of(second)}-claim").attrs["Labels"][OWNER]
    assert owner in second.state()
    second.run("state", "unprotect", "--all", "--yes", "--stack=shop")
    second.destroy()
    assert docker_client().volumes.list(filters={"name": name_of(second)}) == []
