"""The vendors' own manifests, where the set-up has made them: what the small ones of the other tests cannot show."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cluster_addons.samples import given
from tierstack import Addon, ClusterAddonsArgs
from tierstack.cluster_addons import manifests
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.cluster_addons.kubernetes import documents, resource_name
from tierstack.cluster_addons.tuning import TUNINGS, version

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def everything() -> dict[Addon, list[dict[str, Any]]]:
    setup = [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", "addons"]
    folder = subprocess.run(setup, capture_output=True, text=True).stdout.strip()
    if not folder:
        pytest.skip("the vendors' manifests are not there: python3 toolchain/setup.py test")
    args = ClusterAddonsArgs(**given(manifests=folder, metrics_server=True, keda=True, argo_rollouts=True))
    assert args.problems() == []
    return {addon: documents(addon, args) for addon in args.chosen()}


def pods(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found if one["kind"] == "Deployment"}


def test_what_a_stack_asks_for_is_what_an_addon_brings(everything: dict[Addon, list[dict[str, Any]]]) -> None:
    for addon, found in everything.items():
        assert set(CATALOG[addon].crds) <= set(manifests.names(found)), addon


def test_every_operator_satisfies_the_standard_that_its_namespace_enforces(
    everything: dict[Addon, list[dict[str, Any]]],
) -> None:
    """Pod Security Standard `restricted`: kubernetes.io/docs/concepts/security/pod-security-standards."""
    for addon, found in everything.items():
        for name, pod in pods(found).items():
            general = pod.get("securityContext", {})
            assert not {"hostNetwork", "hostPID", "hostIPC"} & {key for key, on in pod.items() if on}, name
            allowed = {"configMap", "emptyDir", "projected", "secret", "downwardAPI", "persistentVolumeClaim"}
            for volume in pod.get("volumes", []):
                assert set(volume) - {"name"} <= allowed, name
            for part in pod["containers"]:
                own = part.get("securityContext", {})
                where = (addon.value, name, part["name"])
                assert own.get("allowPrivilegeEscalation") is False, where
                assert own.get("capabilities", {}).get("drop") == ["ALL"], where
                assert own.get("runAsNonRoot", general.get("runAsNonRoot")) is True, where
                profile = own.get("seccompProfile", general.get("seccompProfile", {}))
                assert profile.get("type") == "RuntimeDefault", where


def test_no_image_has_a_moving_tag(everything: dict[Addon, list[dict[str, Any]]]) -> None:
    for found in everything.values():
        for image in manifests.images_of(found):
            assert image.rpartition(":")[2] not in ("latest", "main", "master"), image
            assert "testing" not in image


def test_every_tuning_meets_a_deployment(everything: dict[Addon, list[dict[str, Any]]]) -> None:
    """One that meets none is of an operator whose vendor renamed it: it would run alone, and late."""
    names = {name for found in everything.values() for name in pods(found)}
    assert set(TUNINGS) == names - {"traefik"}


def test_older_programs_get_no_argument_that_they_do_not_know(
    everything: dict[Addon, list[dict[str, Any]]],
) -> None:
    """The set-up's cert-manager is older than the resource definitions beside it: an unknown argument would end it."""
    (deployment,) = [
        one
        for one in everything[Addon.CERT_MANAGER]
        if one["kind"] == "Deployment" and one["metadata"]["name"] == "cert-manager"
    ]
    told = "--enable-gateway-api" in deployment["spec"]["template"]["spec"]["containers"][0]["args"]
    release = version(deployment)
    assert release
    assert told is (release >= (1, 15))


def test_names_of_resources_are_unique(everything: dict[Addon, list[dict[str, Any]]]) -> None:
    names = [resource_name("addons", addon, one) for addon, found in everything.items() for one in found]
    assert len(names) == len(set(names))


def test_no_prose_is_left(everything: dict[Addon, list[dict[str, Any]]]) -> None:
    def prose(node: Any) -> int:
        if isinstance(node, list):
            return sum(prose(one) for one in node)
        if not isinstance(node, dict):
            return 0
        inner = {key: value for key, value in node.items() if key != "properties"}
        mine = isinstance(inner.get("description"), str)
        return mine + sum(prose(one) for one in [*inner.values(), *node.get("properties", {}).values()])

    for addon, found in everything.items():
        for one in found:
            if one["kind"] == manifests.CRD:
                assert not sum(prose(version.get("schema")) for version in one["spec"]["versions"]), addon
