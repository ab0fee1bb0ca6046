"""Images that come from another stack or from a build in the same program."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

import tierstack as ts
from tests.gateway.samples import endpoint
from tests.support import Recorder, refused, run_program

pytestmark = pytest.mark.graph
K, D = ts.Kubernetes(name="shop"), ts.DockerHost(name="shop")
DIGEST = "@sha256:" + "a" * 64
ID = "sha256:" + "a" * 64


def app(platform: ts.Platform, image: Any) -> None:
    given = {
        "hostnames": ["shop.example.org"],
        "gateway": endpoint(platform.kind.value),
        "php": {"document_root": "/srv"},
        "migration": {"command": ["m"]},
    }
    ts.AppCluster("web", ts.AppClusterArgs(platform=platform, tier=ts.Tier.USERS_100K, image=image, **given))


def redis(platform: ts.Platform, image: Any) -> None:
    ts.RedisCluster("queue", ts.RedisClusterArgs(platform=platform, image=image))


def database(platform: ts.Platform, image: Any) -> None:
    pooler = None if platform.kind is ts.PlatformKind.KUBERNETES else ID
    args = ts.DatabaseWithReplicasArgs(platform=platform, tier=ts.Tier.USERS_100K, image=image, pooler_image=pooler)
    ts.DatabaseWithReplicas("db", args)


def gateway(platform: ts.Platform, image: Any) -> None:
    certificate = ts.Certificate(hostnames=["a.example"], certificate_pem="c", private_key_pem="k")
    args = ts.GatewayArgs(platform=platform, certificate=certificate, image=image, tools_image=image)
    ts.Gateway("gateway", args)


CASES: list[tuple[Callable[[ts.Platform, Any], None], ts.Platform, str]] = [
    (app, K, f"registry.example/app:1{DIGEST}"),
    (redis, K, f"registry.example/valkey:8{DIGEST}"),
    (redis, D, ID),
    (database, K, f"registry.example/postgres:17.6{DIGEST}"),
    (database, D, ID),
    (gateway, D, ID),
]
IDS = [f"{make.__name__}-{platform.kind.value}" for make, platform, _ in CASES]


def late(value: Any) -> Any:
    """As `StackReference.require_output` and `docker_build.Image.ref` give it."""
    return pulumi.Output.from_input(value).apply(lambda known: known)


def registered(made: Recorder) -> dict[str, Any]:
    """All registrations, but for the label with the image's tag, which an image that is not known has not, and the
    digits of a Job's name, which stand for all that it runs, that label too."""
    return {one.urn: (_without_digits(one.type, _without_version(one.inputs)), one.options) for one in made.made}


def _without_digits(kind: str, inputs: Any) -> Any:
    if not kind.endswith(":Job"):
        return inputs
    name, _, digits = inputs["metadata"]["name"].rpartition("-")
    assert len(digits) >= 8, "the name of a Job is made of what it runs"
    return {**inputs, "metadata": {**inputs["metadata"], "name": name}}


def _without_version(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_version(entry) for key, entry in value.items() if key != "app.kubernetes.io/version"}
    return [_without_version(entry) for entry in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("make", "platform", "image"), CASES, ids=IDS)
def test_it_makes_what_a_plain_text_makes(
    make: Callable[[ts.Platform, Any], None], platform: ts.Platform, image: str
) -> None:
    assert registered(run_program(lambda: make(platform, late(image)))) == registered(
        run_program(lambda: make(platform, image))
    )


@pytest.mark.parametrize(("make", "platform", "image"), CASES, ids=IDS)
def test_it_is_judged_once_it_is_known(
    make: Callable[[ts.Platform, Any], None], platform: ts.Platform, image: str
) -> None:
    with pytest.raises(ts.ArgumentError, match="names no digest, and a tag can be moved"):
        run_program(lambda: make(platform, late("registry.example/postgres:17")))


def test_on_a_docker_host_the_application_s_image_names_its_containers() -> None:
    (problem,) = refused(lambda: app(D, late(ID))).problems
    assert problem.path == "image"
    assert problem.code == "unknown-image"
    assert "names the containers of a release" in problem.message


def test_a_secret_reference_in_place_of_a_text_says_what_to_pass() -> None:
    reference = ts.SecretRef(secret_name="cache-password", key="password")
    known = dataclasses.replace(reference, value="hunter2", secret_name=None)

    def of(secret: Any) -> str:
        args: dict[str, Any] = {"hostnames": ["a.example"], "document_root": "/srv", "gateway": endpoint("kubernetes")}
        args |= {"platform": K, "tier": ts.Tier.USERS_100K, "image": f"registry.example/app:1{DIGEST}"}
        return str(refused(lambda: ts.AppCluster("web", ts.AppClusterArgs(**args, secrets={"KEY": secret}))))

    assert "secrets.KEY = (hidden): is a SecretRef; the value never leaves the cluster" in of(reference)
    assert "secrets.KEY = (hidden): is a SecretRef; pass its `value`" in of(known)
    assert "hunter2" not in of(known)
