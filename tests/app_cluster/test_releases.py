"""Two releases of an application at the same time, as the builders make them from a list: the older one first."""

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import pulumi
import pytest

from tests.app_cluster.samples import FULL, args, given, php, release_name
from tests.support import Recorder, Registered, run_program
from tierstack.app_cluster import AppCluster, AppClusterArgs, docker, kubernetes
from tierstack.app_cluster.release import Release
from tierstack.platform import PlatformKind
from tierstack.platform.component import Component

pytestmark = pytest.mark.graph

CONTAINER = "docker:index/container:Container"
PLATFORMS = ["docker", "kubernetes"]


class Releases(Component):
    """An AppCluster with a list of releases."""

    names = AppCluster.names

    def __init__(
        self,
        name: str,
        args: AppClusterArgs,
        releases: Sequence[Release],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        args = self.begin(name, args, AppClusterArgs, opts)
        build = docker.build if args.platform.kind is PlatformKind.DOCKER else kubernetes.build
        built = build(self.physical_name, self, args.application, releases)
        self.finish({"release": built.release})


def before_and_after(on: str, **changes: Any) -> tuple[AppClusterArgs, AppClusterArgs]:
    """Arguments of an application before a change of its image, with `changes`, and after it."""
    after = args(on, **FULL)
    image = given(on)["image"].replace("sha256:0", "sha256:1")
    return args(on, **{**FULL, "image": image, **changes}), after


def made(
    on: str, weights: tuple[int, int] = (95, 5), *, back: bool = False, name: str = "web", **changes: Any
) -> Recorder:
    """What two releases with these weights are made of. `back`: the application goes back to the older one."""
    both = before_and_after(on, **changes)
    releases = [
        replace(of.described, weight=weight, current=current)
        for of, weight, current in zip(both, weights, (back, not back), strict=True)
    ]
    return run_program(lambda: Releases(name, both[1], releases))


def names(on: str, **changes: Any) -> tuple[str, str]:
    old, new = before_and_after(on, **changes)
    return release_name(old), release_name(new)


def proxy_file(recorder: Recorder) -> dict[str, Any]:
    (text,) = recorder.named("web-route", "VolumeFiles").inputs["files"].value.values()
    return json.loads(text)["http"]


def images(one: Registered) -> set[str]:
    """The images of a workload's containers."""
    return {container["image"] for container in one.inputs["spec"]["template"]["spec"]["containers"]}


# Docker -----------------------------------------------------------------------------------------------------------


def test_both_releases_have_web_containers_on_docker() -> None:
    recorder, (old, new) = made("docker"), names("docker")
    image = {name: of.image for name, of in zip((old, new), before_and_after("docker"), strict=True)}
    found = {one.name: one.inputs["image"] for one in recorder.of_type(CONTAINER)}
    for release in (old, new):
        for index in (1, 2):
            assert found[f"web-{release}-{index}"] == found[f"web-{release}-{index}-php"] == image[release]


def test_one_file_leads_to_both_releases_on_docker() -> None:
    recorder, (old, new) = made("docker"), names("docker")
    http = proxy_file(recorder)
    assert list(http["routers"]) == ["web", "web_wildcard"]
    assert {one["service"] for one in http["routers"].values()} == {"web"}
    assert http["services"]["web"]["weighted"]["services"] == [
        {"name": f"web-{old}", "weight": 95},
        {"name": f"web-{new}", "weight": 5},
    ]
    for release in (old, new):
        urls = [server["url"] for server in http["services"][f"web-{release}"]["loadBalancer"]["servers"]]
        assert len(urls) == 2
        assert all(f"-{release}-" in url for url in urls)
    waits_for = recorder.named("web-route", "VolumeFiles").depends_on
    assert {f"web-{release}-{index}-ready" for release in (old, new) for index in (1, 2)} <= set(waits_for)


def test_the_rest_is_of_the_current_release_on_docker() -> None:
    recorder, (old, new) = made("docker"), names("docker")
    image = before_and_after("docker")[1].image
    migration = recorder.named("web-migrate")
    assert migration.inputs["triggers"]["release"] == new
    assert migration.inputs["image"] == image
    assert f"web-{old}-worker-1" not in {one.name for one in recorder.made}
    for name in (f"web-{new}-worker-1", "web-scheduler"):
        assert recorder.named(name, "Container").inputs["image"] == image
    schedulers = [one.name for one in recorder.of_type(CONTAINER) if "scheduler" in one.inputs["name"]]
    assert schedulers == ["web-scheduler"]


def test_releases_share_uploads_and_networks_on_docker() -> None:
    recorder = made("docker")
    assert [one.name for one in recorder.of_type("volume:Volume") if "uploads" in one.name] == ["web-uploads"]
    for one in recorder.of_type(CONTAINER):
        if one.name.endswith("-php"):
            assert "/srv/uploads" in [mount["target"] for mount in one.inputs["mounts"]]
            assert [network["name"] for network in one.inputs["networksAdvanced"]] == [
                "shop-web",
                "shop-db",
                "shop-redis",
            ]


# Kubernetes -------------------------------------------------------------------------------------------------------


def test_both_releases_have_a_deployment_on_kubernetes() -> None:
    recorder, (_, new) = made("kubernetes"), names("kubernetes")
    old_image, new_image = (str(of.image) for of in before_and_after("kubernetes"))
    found = {one.name: images(one) for one in recorder.of_type(":Deployment")}
    assert found == {
        "web": {old_image},
        f"web-web-{new}": {new_image},
        "web-worker": {new_image},
        "web-scheduler": {new_image},
    }
    around = {one.name for one in recorder.made}
    assert {f"web-web-{new}-{kind}" for kind in ("service", "autoscaler", "budget")} <= around
    assert {"web-service", "web-autoscaler", "web-budget"} <= around


ROUTES = {"docker": {"web-route"}, "kubernetes": {"web-route", "web-wildcard.shop.example.org-route"}}
"""What says which release gets which share."""


def _routes(recorder: Recorder) -> list[Registered]:
    """That of the wildcard, and that of the names: they lead to the same releases."""
    wildcard, names = recorder.of_type(":HTTPRoute")
    assert wildcard.inputs["spec"]["rules"] == names.inputs["spec"]["rules"]
    return [wildcard, names]


def test_one_route_leads_to_both_releases_on_kubernetes() -> None:
    recorder, (_, new) = made("kubernetes"), names("kubernetes")
    *_, route = _routes(recorder)
    (rule,) = route.inputs["spec"]["rules"]
    assert [(one["name"], one["weight"]) for one in rule["backendRefs"]] == [("web", 95), (f"web-web-{new}", 5)]
    assert {"web", f"web-web-{new}", f"web-web-{new}-service"} <= set(route.depends_on)


def test_the_rest_is_of_the_current_release_on_kubernetes() -> None:
    recorder, (_, new) = made("kubernetes"), names("kubernetes")
    (job,) = recorder.of_type(":Job")
    assert images(job) == {before_and_after("kubernetes")[1].image}
    assert job.inputs["spec"]["template"]["metadata"]["labels"]["tierstack.dev/release"] == new
    for one in recorder.of_type(":Deployment"):
        assert "web-migrate" in one.depends_on or "web-route" in one.depends_on
    scalers = [one.name for one in recorder.of_type(":HorizontalPodAutoscaler")]
    assert scalers == ["web-autoscaler", f"web-web-{new}-autoscaler", "web-worker-autoscaler"]


def test_no_object_selects_the_pods_of_another() -> None:
    recorder = made("kubernetes")
    pods = {
        one.name: one.inputs["spec"]["template"]["metadata"]["labels"].items()
        for one in recorder.of_type(":Deployment")
    }
    selectors = {one.name: one.inputs["spec"]["selector"]["matchLabels"] for one in recorder.of_type(":Deployment")}
    for one, other in permutations(pods, 2):
        assert not selectors[one].items() <= pods[other], f"{one} would take pods of {other}"
    for kind in (":Service", ":PodDisruptionBudget"):
        for one in recorder.of_type(kind):
            selector = one.inputs["spec"]["selector"]
            selected = selector.get("matchLabels", selector).items()
            found = [name for name, labels in pods.items() if selected <= labels]
            assert found == [one.inputs["metadata"]["name"]]


@pytest.mark.parametrize(("changes", "count"), [({}, 1), ({"php": php(children=3)}, 2)], ids=["same files", "others"])
def test_releases_with_the_same_files_share_them(changes: dict[str, Any], count: int) -> None:
    assert len(made("kubernetes", **changes).of_type(":ConfigMap")) == count


def test_names_of_the_longest_application_fit() -> None:
    recorder = made("kubernetes", name="a" * 44)
    longest = max(len(one.inputs["metadata"]["name"]) for one in recorder.of_type(":Service"))
    assert longest == 61
    assert all(len(one.inputs["metadata"]["name"]) <= 63 for one in recorder.of_type(":Deployment"))


def test_the_proxy_may_reach_the_ports_of_both_releases() -> None:
    policy = made("kubernetes", php=php(port=9000)).named("web-network").inputs["spec"]["ingress"][0]
    assert [one["port"] for one in policy["ports"]] == [9000, 8080]


# Strategies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", PLATFORMS)
def test_weights_change_the_route_alone(on: str) -> None:
    one, two = (made(on, weights).summary() for weights in ((95, 5), (0, 100)))
    assert one.keys() == two.keys(), "a release of weight 0 goes on running"
    assert {name for name in one if one[name] != two[name]} == ROUTES[on]


def test_a_release_of_weight_0_takes_no_request() -> None:
    old, new = names("docker")
    http = proxy_file(made("docker", (0, 100)))
    assert http["services"]["web"]["weighted"]["services"] == [{"name": f"web-{new}", "weight": 100}]
    assert f"web-{old}" in http["services"]
    for route in _routes(made("kubernetes", (0, 100))):
        assert [one["weight"] for one in route.inputs["spec"]["rules"][0]["backendRefs"]] == [0, 100]


@pytest.mark.parametrize("on", PLATFORMS)
def test_a_rollback_takes_the_roles_back_and_starts_no_web_container(on: str) -> None:
    forward, back = made(on, (50, 50)), made(on, (100, 0), back=True)
    old, _ = names(on)
    image = before_and_after(on)[0].image
    for name in ("web-scheduler", "web-worker" if on == "kubernetes" else f"web-{old}-worker-1"):
        one = back.named(name, "Deployment" if on == "kubernetes" else "Container")
        assert (images(one) if on == "kubernetes" else {one.inputs["image"]}) == {image}
    before, after = forward.summary(), back.summary()
    names_of_both = (before.keys() | after.keys()) - {"web (tierstack:index:Releases)"}
    changed = {name for name in names_of_both if before.get(name) != after.get(name)}
    assert {name for name in changed if "-worker" not in name} == {"web-scheduler"} | ROUTES[on], "no migration runs"


@pytest.mark.parametrize("on", PLATFORMS)
def test_releases_without_any_weight_are_refused(on: str) -> None:
    with pytest.raises(ValueError, match="weights of releases"):
        made(on, (0, 0))


@pytest.mark.parametrize("on", PLATFORMS)
def test_the_same_release_is_not_made_twice(on: str) -> None:
    with pytest.raises(ValueError, match="twice"):
        made(on, image=given(on)["image"])
