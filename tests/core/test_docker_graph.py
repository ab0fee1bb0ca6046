"""What the Docker host's building blocks register."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from tests.support import Recorder, Secret, run_program
from tierstack import DataProtection, DockerHost, Platform
from tierstack.platform import docker

pytestmark = pytest.mark.graph
IMAGE = "sha256:" + "0" * 64


def made_by(build: Callable[[docker.Host, pulumi.Resource], Any], platform: Platform | None = None) -> Recorder:
    def program() -> None:
        root = pulumi.ComponentResource("test:index:Root", "root")
        build(docker.host(platform or DockerHost(name="shop")), root)

    return run_program(program)


def service(**more: Any) -> docker.Service:
    given = {"image": IMAGE, "command": ["php", "-v"], "user": "10001:10001", "networks": [], "memory_mb": 128}
    return docker.Service(**{**given, **more})


def test_a_container_s_defaults() -> None:
    made = made_by(lambda host, root: host.container("web", root, service()))
    found = made.named("web").inputs
    wanted = {
        "name": "shop-web",
        "image": IMAGE,
        "entrypoints": ["php"],
        "command": ["-v"],
        "user": "10001:10001",
        "readOnly": True,
        "capabilities": {"drops": ["ALL"], "adds": []},
        "securityOpts": ["no-new-privileges:true"],
        "init": True,
        "memory": 128,
        "memorySwap": 128,
        "networkMode": "bridge",
        "restart": "unless-stopped",
        "logDriver": "json-file",
        "logOpts": {"max-size": "10m", "max-file": "3"},
        "tmpfs": {"/tmp": "rw,noexec,nosuid,size=64m"},
        "stopSignal": "SIGTERM",
        "stopTimeout": 30,
        "destroyGraceSeconds": 30,
        "ports": [],
        "mounts": [],
    }
    assert {key: found.get(key) for key in wanted} == wanted
    assert {one["label"]: one["value"] for one in found["labels"]} == {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "shop",
        "tierstack.dev/environment": "local",
    }


def test_what_is_asked_for_beyond_the_defaults() -> None:
    asked = service(
        ports=[(8080, 80)],
        capabilities=["NET_BIND_SERVICE"],
        labels={"a": "b"},
        environment={"Z": "1", "A": "2"},
        mounts=[docker.Mount(volume="v", path="/v", read_only=True)],
        networks=[docker.Attachment(network="n", aliases=["x"])],
        health=docker.Health(command=["true"], interval=7),
    )
    found = made_by(lambda host, root: host.container("web", root, asked)).named("web").inputs
    assert found["ports"] == [{"external": 8080, "internal": 80, "ip": "127.0.0.1", "protocol": "tcp"}]
    assert found["capabilities"]["adds"] == ["CAP_NET_BIND_SERVICE"]
    assert {"label": "a", "value": "b"} in found["labels"]
    assert found["envs"] == ["A=2", "Z=1"]
    assert found["mounts"] == [{"source": "v", "target": "/v", "type": "volume", "readOnly": True}]
    assert found["networksAdvanced"] == [{"name": "n", "aliases": ["x"]}]
    assert found["healthcheck"] == {
        "tests": ["CMD", "true"],
        "interval": "7s",
        "timeout": "3s",
        "startPeriod": "15s",
        "retries": 5,
    }


@pytest.mark.parametrize("single", [True, False])
def test_what_owns_a_name_stops_before_its_replacement(single: bool) -> None:
    made = made_by(lambda host, root: host.container("web", root, service(), single=single))
    assert made.named("web").options.get("deleteBeforeReplace", False) == single


def test_what_the_provider_only_claims_to_change_is_replaced() -> None:
    options = made_by(lambda host, root: host.container("web", root, service())).named("web").options
    assert options["replaceOnChanges"] == ["healthcheck", "mounts", "tmpfs"]


def test_what_depends_on_a_container_waits_until_it_is_ready() -> None:
    def build(host: docker.Host, root: pulumi.Resource) -> None:
        first = host.container("first", root, service())
        host.container("second", root, service(), depends_on=[first])
        host.run_once("once", root, service(networks=[docker.Attachment(network="n")]), depends_on=[first])
        volume = host.volume("config", root, data=False)
        host.files("files", root, volume=volume, files={}, image=IMAGE, owner=(1, 1), depends_on=[first])

    made = made_by(build)
    assert made.named("first-ready").depends_on == ["first"]
    assert made.named("first-ready").parent == "first"
    for name in ("second", "once", "files"):
        assert "first-ready" in made.named(name).depends_on, name


@pytest.mark.parametrize(
    ("protection", "protect", "retain"),
    [(DataProtection.NONE, False, False), (DataProtection.PROTECT, True, False), (DataProtection.RETAIN, True, True)],
)
def test_data_is_protected_as_the_platform_says_and_nothing_else_is(
    protection: DataProtection, protect: bool, retain: bool
) -> None:
    def build(host: docker.Host, root: pulumi.Resource) -> None:
        host.volume("data", root, data=True)
        host.volume("config", root, data=False)
        host.network("net", root)
        host.container("web", root, service())

    made = made_by(build, DockerHost(name="shop", data_protection=protection))
    options = made.named("data").options
    assert (options.get("protect", False), options.get("retainOnDelete", False)) == (protect, retain)
    assert options["ignoreChanges"] == ["labels"]
    for name in ("config", "net", "web"):
        assert not {"protect", "retainOnDelete"} & set(made.named(name).options), name


@pytest.mark.parametrize("internal", [True, False])
def test_a_network_is_never_there_twice(internal: bool) -> None:
    network = made_by(lambda host, root: host.network("net", root, internal=internal)).named("net")
    assert network.inputs["internal"] == internal
    assert network.options["deleteBeforeReplace"]


def test_the_host_s_own_address_is_used_by_all_that_speaks_to_it() -> None:
    def build(host: docker.Host, root: pulumi.Resource) -> None:
        volume = host.volume("config", root, data=False)
        host.container("web", root, service())
        host.files("files", root, volume=volume, files={}, image=IMAGE, owner=(1, 1))
        host.run_once("once", root, service(networks=[docker.Attachment(network="n")]))

    made = made_by(build, DockerHost(name="shop", docker_host="ssh://deploy@shop1"))
    assert made.named("shop-docker").inputs == {"host": "ssh://deploy@shop1"}
    for name in ("config", "web"):
        assert made.named(name).provider == "shop-docker", name
    for name in ("files", "once", "web-ready"):
        assert made.named(name).inputs["docker_host"] == "ssh://deploy@shop1", name


def test_files_are_secret_as_a_whole() -> None:
    def build(host: docker.Host, root: pulumi.Resource) -> None:
        volume = host.volume("config", root, data=False)
        host.files("files", root, volume=volume, files={"a": "b"}, image=IMAGE, owner=(1, 2))

    found = made_by(build).named("files")
    assert found.inputs["files"] == Secret({"a": "b"})
    assert (found.inputs["uid"], found.inputs["gid"], found.inputs["mode"]) == (1, 2, 0o400)
    assert found.inputs["volume"] == "shop-config"
    assert found.options["additionalSecretOutputs"] == ["files"]


def test_a_run_gets_what_the_container_would_get_but_may_not_write() -> None:
    asked = service(
        networks=[docker.Attachment(network="n"), docker.Attachment(network="m")],
        mounts=[docker.Mount(volume="v", path="/v")],
        environment={"A": "1"},
    )
    found = made_by(lambda host, root: host.run_once("once", root, asked, triggers={"r": "1"})).named("once").inputs
    wanted = {
        "name": "shop-once",
        "command": ["php", "-v"],
        "user": "10001:10001",
        "networks": ["n", "m"],
        "mounts": {"/v": "v"},
        "environment": {"A": "1"},
        "triggers": {"r": "1"},
        "memory_mb": 128,
    }
    assert {key: found[key] for key in wanted} == wanted


def test_one_host_serves_all_components_of_a_run() -> None:
    def program() -> None:
        one, two = (docker.host(DockerHost(name="shop", docker_host="tcp://a")) for _ in range(2))
        assert one is two

    assert [one.name for one in run_program(program).made] == ["shop-docker"]
