"""What is said of a cluster that lacks what a stack needs."""

import pytest

from tierstack import Addon
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.cluster_addons.required import Needs, missing

CLASSES = "gatewayclasses.gateway.networking.k8s.io"
NEEDS = Needs((Addon.CERT_MANAGER, Addon.CLOUDNATIVE_PG), "traefik")
ALL = [CLASSES, *(name for release in CATALOG.values() for name in release.crds)]


def test_a_cluster_that_has_everything() -> None:
    assert missing(NEEDS, ALL, ["traefik"]) == []


def test_each_missing_addon_is_named_with_how_it_gets_there() -> None:
    crds = [name for name in ALL if "poolers" not in name and "cert-manager" not in name]
    assert [str(one) for one in missing(NEEDS, crds, ["traefik"])] == [
        f"addons.mode = 'existing': {name}; install it: a stack of the operators alone "
        "(docs/components/cluster-addons.md), `addons.mode: install` in this stack, or the vendor's manifest"
        for name in (
            "cert-manager 1.21.2 is not in the cluster (no certificates.cert-manager.io, issuers.cert-manager.io)",
            "cloudnative-pg 1.30.1 is not in the cluster (no poolers.postgresql.cnpg.io)",
        )
    ]


@pytest.mark.parametrize(("classes", "has"), [([], "it has none"), (["nginx", "cilium"], "it has cilium, nginx")])
def test_a_class_that_no_controller_serves(classes: list[str], has: str) -> None:
    (problem,) = missing(NEEDS, ALL, classes)
    assert str(problem) == (
        f"gateway.gateway_class = 'traefik': is not a GatewayClass of the cluster; {has}; "
        "write one that it has, or install traefik (docs/components/cluster-addons.md)"
    )


def test_without_the_gateway_api_its_classes_are_not_a_second_problem() -> None:
    needs = Needs((Addon.GATEWAY_API,), "traefik")
    assert [one.path for one in missing(needs, [], [])] == ["addons.mode"]


def test_a_stack_without_a_gateway_asks_for_no_class() -> None:
    assert missing(Needs((Addon.KEDA,)), ALL, []) == []
