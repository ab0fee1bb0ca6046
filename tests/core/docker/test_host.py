"""The Docker host's building blocks through the real engine and daemon: what `everything.py` makes, and what becomes
of it when it is changed, broken and destroyed."""

import functools
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support import Stack, containers_of, docker_client, image
from tests.waiting import free_port
from tierstack.platform import files

SECRET = "Geheim-4711"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The program, up; later tests change it in the order in which they stand here."""
    client = docker_client()
    environment = {
        "NAME": f"t-{uuid.uuid4().hex[:8]}", "IMAGE": image("php:8.4"), "SECRET": SECRET, "PORT": str(free_port())
    }  # fmt: skip
    stack = Stack(tmp_path_factory.mktemp("host"), environment=environment)
    name = environment["NAME"]
    try:
        stack.write((Path(__file__).parent / "everything.py").read_text())
        stack.up()
        yield stack
    finally:
        for one in containers_of(name):
            one.remove(force=True)
        for one in [*client.networks.list(names=[f"{name}-"]), *client.volumes.list(filters={"name": f"{name}-"})]:
            one.remove()


@pytest.fixture
def change(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Change the program's environment for one test."""
    return functools.partial(monkeypatch.setitem, stack.environment)


def inspect(stack: Stack, name: str) -> dict[str, Any]:
    return docker_client().containers.get(f"{stack.environment['NAME']}-{name}").attrs


def inside(stack: Stack, command: str) -> str:
    container = docker_client().containers.get(f"{stack.environment['NAME']}-full")
    return container.exec_run(["/bin/sh", "-c", command]).output.decode()


def test_a_second_preview_changes_nothing(stack: Stack) -> None:
    stack.unchanged()


@pytest.mark.parametrize("name", ["full", "bare-local"])
def test_hardening(stack: Stack, name: str) -> None:
    found = inspect(stack, name)
    host, memory = found["HostConfig"], (64 if name == "full" else 32) * 2**20
    assert found["Config"]["User"] == "10001:10002"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert set(host["CapAdd"] or []) == ({"CAP_NET_BIND_SERVICE", "CAP_CHOWN"} if name == "full" else set())
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host["Privileged"]
    assert host["Init"]
    assert (host["Memory"], host["MemorySwap"]) == (memory, memory)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert host["RestartPolicy"]["Name"] == "unless-stopped"
    assert found["Config"]["Labels"]["app.kubernetes.io/part-of"] == stack.environment["NAME"]


def test_networks_aliases_and_ports(stack: Stack) -> None:
    found, name = inspect(stack, "full"), stack.environment["NAME"]
    networks = found["NetworkSettings"]["Networks"]
    assert set(networks) == {f"{name}-front", f"{name}-back"}
    assert {"shop", "www"} <= set(networks[f"{name}-front"]["Aliases"])
    wanted = {"8080/tcp": [{"HostIp": "127.0.0.1", "HostPort": stack.environment["PORT"]}]}
    assert found["HostConfig"]["PortBindings"] == wanted


def test_files_have_owner_and_mode_and_the_secret_is_only_there(stack: Stack) -> None:
    assert inside(stack, "stat -c '%u:%g %a' '/config/secret/pass word'").strip() == "10001:10002 440"
    assert inside(stack, "cat '/config/secret/pass word'") == SECRET
    assert SECRET not in stack.state()
    assert SECRET not in json.dumps([inspect(stack, "full"), inspect(stack, "bare-local")])
    assert SECRET not in stack.preview()


def test_files_change_in_place(stack: Stack, change: Any) -> None:
    before = inspect(stack, "full")["Id"]
    change("FILES", json.dumps({"a.txt": "one", "deep/er/b.txt": "two"}))
    stack.up()
    assert inside(stack, "cat /config/a.txt /config/deep/er/b.txt") == "onetwo"
    change("FILES", json.dumps({"a.txt": "three"}))
    change("SECRET", "other")
    stack.up()
    assert inside(stack, "cat /config/a.txt '/config/secret/pass word'; ls /config/deep/er") == "threeother"
    assert inspect(stack, "full")["Id"] == before


def test_a_reader_never_sees_a_missing_or_half_file(stack: Stack) -> None:
    """50 updates under a reader that looks as fast as it can."""
    volume = f"{stack.environment['NAME']}-config"

    def write(letter: str) -> None:
        content = {"read.txt": letter * 200_000}
        owned = {"uid": 10001, "gid": 10002, "mode": 0o440}
        files._apply({"volume": volume, "files": content, "image": image("php:8.4"), **owned}, {})

    sums: list[str] = []
    for letter in "ba":
        write(letter)
        sums.append(inside(stack, "cksum < /config/read.txt").strip())
    # One line for every look that found something other than one of the two files, whole.
    look = (
        "n=0; while [ ! -e /tmp/stop ]; do n=$((n+1)); s=$(cksum < /config/read.txt 2>&1); "
        f'case "$s" in "{sums[0]}"|"{sums[1]}") ;; *) echo "found $s" ;; esac; done; echo "looked $n"'
    )
    found: list[str] = []
    reader = threading.Thread(target=lambda: found.append(inside(stack, look)))
    reader.start()
    try:
        for turn in range(50):
            write("ab"[turn % 2])
    finally:
        inside(stack, "touch /tmp/stop")
        reader.join(timeout=60)
    assert not reader.is_alive()
    lines = found[0].split("\n")
    assert lines[:-2] == [], lines[:10]
    assert int(lines[-2].removeprefix("looked ")) > 50


def test_a_run_happens_again_when_its_trigger_changes_and_leaves_nothing(stack: Stack, change: Any) -> None:
    assert not [one.name for one in containers_of(stack.environment["NAME"]) if one.name.endswith("-migrate")]
    assert "migrate" not in [line for line in stack.up().splitlines() if "updated" in line]
    change("RELEASE", "two")
    change("ONCE", "echo migrating; echo it broke >&2; exit 7")
    failed = stack.up(check=False)
    assert "-migrate failed with exit code 7; nothing that needs it was started:" in failed
    assert "migrating" in failed
    assert "it broke" in failed
    assert inspect(stack, "full")["Config"]["Labels"]["release"] == "one"
    change("ONCE", "echo waiting for a lock; sleep 600")
    change("ONCE_SECONDS", "2")
    failed = stack.up(check=False)
    assert "-migrate did not end within 2 s and was stopped; nothing that needs it was started:" in failed
    assert "waiting for a lock" in failed
    change("ONCE_SECONDS", "60")
    change("ONCE", "echo fine")
    stack.up()
    assert inspect(stack, "full")["Config"]["Labels"]["release"] == "two"
    assert not [one.name for one in containers_of(stack.environment["NAME"]) if one.name.endswith("-migrate")]


def test_every_update_fails_until_the_container_is_healthy(stack: Stack, change: Any) -> None:
    change("HEALTH", "echo no database; exit 3")
    change("WAIT", "3")
    for _ in range(2):
        failed = stack.up(check=False)
        assert "update failed" in failed
        assert "no database (exit code 3), after 3 s; the end of its log:" in failed
    change("HEALTH", "true")
    stack.up()
    assert inspect(stack, "full")["State"]["Health"]["Status"] == "healthy"


def test_a_start_that_failed_is_tried_again(stack: Stack, change: Any) -> None:
    with socket.socket() as other:
        port = free_port()
        other.bind(("127.0.0.1", port))
        other.listen()
        change("PORT", str(port))
        assert "address already in use" in stack.up(check=False)
        assert "address already in use" in stack.up(check=False)
    stack.up()
    assert inspect(stack, "full")["State"]["Running"]


@pytest.mark.parametrize(
    ("changes", "replaced"),
    [
        ({"memory_mb": 48, "cpu_shares": 256}, False),
        ({"tmpfs": {"/tmp": "rw"}, "labels": {"release": "else"}, "stop_seconds": 1}, True),
    ],
)
def test_what_a_change_does(stack: Stack, change: Any, changes: dict[str, Any], replaced: bool) -> None:
    """Limits change in a running container; what the daemon cannot change replaces it, and is then so."""
    stack.up()
    before = inspect(stack, "full")
    change("CHANGE", json.dumps(changes))
    stack.up()
    after = inspect(stack, "full")
    assert (after["Id"] != before["Id"]) == replaced
    shown = {
        "memory_mb": after["HostConfig"]["Memory"] // 2**20,
        "cpu_shares": after["HostConfig"]["CpuShares"],
        "tmpfs": after["HostConfig"]["Tmpfs"],
        "labels": {"release": after["Config"]["Labels"]["release"]},
        "stop_seconds": after["Config"]["StopTimeout"],
    }
    assert {key: shown[key] for key in changes} == changes


def test_another_environment_replaces_networks_and_containers_but_never_data(stack: Stack, change: Any) -> None:
    client, name = docker_client(), stack.environment["NAME"]
    before = client.networks.get(f"{name}-front").id, client.volumes.get(f"{name}-data").attrs["CreatedAt"]
    change("ENVIRONMENT", "staging")
    stack.up()
    network = client.networks.get(f"{name}-front")
    assert network.id != before[0]
    assert network.attrs["Labels"]["tierstack.dev/environment"] == "staging"
    assert inspect(stack, "full")["Config"]["Labels"]["tierstack.dev/environment"] == "staging"
    assert client.volumes.get(f"{name}-data").attrs["CreatedAt"] == before[1]
    stack.unchanged()


def test_data_is_not_destroyed_until_it_is_unprotected(stack: Stack, change: Any) -> None:
    client, name = docker_client(), stack.environment["NAME"]
    change("PROTECTION", "protect")
    stack.up()
    refused = stack.run("destroy", "--yes", f"--stack={stack.name}", check=False)
    assert refused.returncode != 0
    assert "protected" in refused.stdout + refused.stderr
    assert client.volumes.get(f"{name}-data")
    stack.run("state", "unprotect", "--all", "--yes", f"--stack={stack.name}")
    stack.destroy()
    assert not list(containers_of(name))
    assert not client.volumes.list(filters={"name": f"{name}-"})
    assert not client.networks.list(names=[f"{name}-"])
