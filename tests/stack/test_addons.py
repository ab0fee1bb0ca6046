"""A stack that installs the operators it needs, and one that finds them."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster_addons.samples import MANIFESTS
from tests.support import run_program
from tierstack import Addon
from tierstack.stack.check import StackReport, judge
from tierstack.stack.plan import Plan
from tierstack.stack.program import build

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "cases/settings/base.yaml").read_text())


def judged(given: dict[str, Any], kind: str = "kubernetes", **platform: Any) -> StackReport:
    config = {**copy.deepcopy(BASE), **given}
    config["platform"] = {**config.get("platform", {}), "kind": kind, **platform}
    del config["kubernetes"], config["backups"]  # rendered, with secrets that only matter there
    return judge(config, frozenset(), "test", "shop")


def plan(kind: str = "kubernetes", addons: dict[str, Any] | None = None, **platform: Any) -> Plan:
    verdict = judged({} if addons is None else {"addons": addons}, kind, **platform)
    assert verdict.problems == []
    assert verdict.plan
    assert verdict.needs == verdict.plan.needs
    return verdict.plan


INSTALL: dict[str, Any] = {"mode": "install", "manifests": str(MANIFESTS), "without": ["keda"]}


def test_by_default_the_cluster_has_them() -> None:
    assert plan().addons is None
    needs = plan().needs
    assert needs
    assert {Addon.GATEWAY_API, Addon.TRAEFIK, Addon.CERT_MANAGER, Addon.CLOUDNATIVE_PG} <= set(needs.addons)
    assert needs.gateway_class == "traefik"


@pytest.mark.parametrize("stack", [plan(render_to="out"), plan("docker"), plan(addons=INSTALL)])
def test_nothing_is_asked_of_a_cluster_that_is_not_there_or_gets_them(stack: Plan) -> None:
    assert stack.needs is None


def test_the_same_settings_mean_nothing_on_docker() -> None:
    assert plan("docker", INSTALL).addons is None


@pytest.mark.graph
def test_everything_waits_for_the_operators_that_the_stack_installs() -> None:
    made = run_program(lambda: build(plan(addons=INSTALL).components))
    assert not [one for one in made.made if one.name.startswith("addons-keda-")]
    operator = "addons-cloudnative-pg-deployment-cnpg-controller-manager"
    waiting = [one for one in made.made if one.type.startswith("kubernetes:") and not one.name.startswith("addons-")]
    namespaced = [one for one in waiting if not one.type.endswith(":Namespace")]
    assert namespaced
    for one in namespaced:
        assert operator in one.depends_on or "addons" in one.depends_on, one.name


NETWORKS = ["192.0.2.0/24"]


@pytest.mark.parametrize("key", ["gateway", "addons"])
def test_proxies_in_front_are_written_once(key: str) -> None:
    given: dict[str, Any] = {"addons": INSTALL}
    given[key] = {**given.get(key, {}), "trusted_proxies": NETWORKS}
    found = judged(given).plan
    assert found
    addons = found.addons
    assert addons
    assert found.gateway.trusted_proxies == addons.trusted_proxies == NETWORKS


def test_proxies_that_are_written_twice_must_be_the_same() -> None:
    addons = {**INSTALL, "trusted_proxies": NETWORKS}
    assert judged({"addons": addons, "gateway": {"trusted_proxies": NETWORKS}}).problems == []
    (problem,) = judged({"addons": addons, "gateway": {"trusted_proxies": ["198.51.100.0/24"]}}).problems
    assert problem.path == "addons.trusted_proxies"
    assert "198.51.100.0/24" in problem.message


@pytest.mark.parametrize(
    ("http", "addons", "seconds"),
    [
        ({}, {}, 60),
        ({"request_timeout_seconds": 300}, {}, 300),
        ({"request_timeout_seconds": 300, "stop_seconds": 90}, {}, 90),
        ({"request_timeout_seconds": 10}, {}, 30),
        ({"request_timeout_seconds": 300}, {"stop_seconds": 20}, 20),
    ],
    ids=str,
)
def test_a_proxy_that_stops_waits_for_requests_as_long_as_the_application_does(
    http: dict[str, Any], addons: dict[str, Any], seconds: int
) -> None:
    found = judged({"addons": {**INSTALL, **addons}, "app": {**BASE["app"], "http": http}}).plan
    assert found
    assert found.addons
    assert found.addons.stop_seconds == seconds
