"""The settings of a platform reach every pod, and PostgreSQL's pods are Guaranteed."""

from typing import Any

import pytest

import tierstack as ts
from tests.names.whole import shop
from tests.support import Registered, run_program
from tierstack.platform import TaintEffect, Toleration, TolerationOperator
from tierstack.platform.kubernetes.config import digest
from tierstack.platform.revision import ANNOTATION

pytestmark = pytest.mark.graph

SETTINGS: dict[str, Any] = {
    "image_pull_secrets": ["registry"],
    "node_selector": {"pool": "shop"},
    "tolerations": [
        Toleration(key="dedicated", value="shop", effect=TaintEffect.NO_SCHEDULE),
        Toleration(operator=TolerationOperator.EXISTS),
    ],
    "priority_class": "shop",
    "data_priority_class": "shop-data",
    "pod_annotations": {"example.org/inject": "false"},
    "extra_labels": {"team": "payments"},
}
TOLERATIONS = [
    {"key": "dedicated", "operator": "Equal", "value": "shop", "effect": "NoSchedule"},
    {"operator": "Exists"},
]


def made(**settings: Any) -> list[Registered]:
    platform = ts.Kubernetes(name="shop", **settings)
    return [
        one for one in run_program(lambda: shop(platform, ts.Tier.USERS_1M)).made if one.type.startswith("kubernetes:")
    ]


def templates(found: list[Registered]) -> dict[str, dict[str, Any]]:
    """The pod templates by logical name."""
    specs = {one.name: one.inputs.get("spec", {}) for one in found}
    return {name: spec["template"] for name, spec in specs.items() if "spec" in spec.get("template", {})}


def test_every_pod_has_them() -> None:
    found = templates(made(**SETTINGS))
    stores = {"redis-node", "redis-sentinel", "redis-proxy", "db-pooler", "db-pooler-ro", "db-roles"}
    assert stores | {"web", "web-worker", "web-scheduler", "web-migrate", "mta-sts"} == found.keys()
    for name, template in found.items():
        pod, metadata = template["spec"], template["metadata"]
        assert pod["imagePullSecrets"] == [{"name": "registry"}], name
        assert pod["nodeSelector"] == {"pool": "shop"}, name
        assert pod["tolerations"] == TOLERATIONS, name
        assert pod["priorityClassName"] == ("shop-data" if name in stores else "shop"), name
        assert metadata["annotations"]["example.org/inject"] == "false", name
        assert metadata["labels"]["team"] == "payments", name


def test_the_cluster_of_the_database_has_them_in_its_own_fields() -> None:
    (cluster,) = [one for one in made(**SETTINGS) if one.inputs["kind"] == "Cluster"]
    spec = cluster.inputs["spec"]
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert spec["priorityClassName"] == "shop-data"
    assert spec["affinity"]["nodeSelector"] == {"pool": "shop"}
    assert spec["affinity"]["tolerations"] == TOLERATIONS
    assert spec["affinity"]["enablePodAntiAffinity"] is True
    assert spec["inheritedMetadata"]["annotations"] == {"example.org/inject": "false"}
    assert spec["inheritedMetadata"]["labels"]["team"] == "payments"


def test_without_them_nothing_is_said() -> None:
    words = ("imagePullSecrets", "nodeSelector", "tolerations", "priorityClassName")
    assert [one.name for one in made() if any(word in str(one.inputs) for word in words)] == []


@pytest.mark.parametrize("tier", ts.Tier)
@pytest.mark.parametrize("render_to", [None, "out"])
@pytest.mark.parametrize("settings", [{}, SETTINGS, {"extra_labels": {"team": "other"}}], ids=["plain", "all", "label"])
def test_a_job_is_named_by_all_that_it_runs(tier: ts.Tier, render_to: str | None, settings: dict[str, Any]) -> None:
    """The API server refuses a changed Job, so whatever changes in what is applied must change its name."""
    platform = ts.Kubernetes(name="shop", render_to=render_to, secret_store="vault" if render_to else None, **settings)
    made = [one.inputs for one in run_program(lambda: shop(platform, tier)).made]
    jobs = [one for one in made if one.get("kind") == "Job"]
    assert jobs
    for one in jobs:
        assert one["metadata"]["name"].rpartition("-")[2] == digest(one["spec"]), one["metadata"]["name"]


def test_another_password_runs_no_job_again() -> None:
    found = templates(made())
    assert {name for name in ("web", "web-worker", "web-migrate") if ANNOTATION in str(found[name]["metadata"])} == {
        "web",
        "web-worker",
    }


def quality(containers: list[dict[str, Any]]) -> str:
    """The class of a pod (Kubernetes: "Pod Quality of Service Classes"); init containers count like all others."""
    amounts = [(one.get("resources", {}).get("requests", {}), one["resources"].get("limits", {})) for one in containers]
    if all(set(limits) == {"cpu", "memory"} and requests == limits for requests, limits in amounts):
        return "Guaranteed"
    return "Burstable" if any(requests or limits for requests, limits in amounts) else "BestEffort"


def test_a_server_with_backups_is_guaranteed() -> None:
    found = {one.inputs["kind"]: one.inputs.get("spec", {}) for one in made()}
    server = {"resources": found["Cluster"]["resources"]}
    sidecar = {"resources": found["ObjectStore"]["instanceSidecarConfiguration"]["resources"]}
    # CloudNativePG gives its own init container the resources of the server.
    assert quality([server, server, sidecar]) == "Guaranteed"
    half = {"resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}}}
    assert quality([server, server, half]) == "Burstable"


def test_the_namespace_is_closed_and_every_pod_has_a_way_out_that_it_needs() -> None:
    policies = [one.inputs for one in made() if one.inputs["kind"] == "NetworkPolicy"]
    (closed,) = [one for one in policies if one["metadata"]["name"] == "default-deny"]
    assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    leaving = [one["spec"] for one in policies if "Egress" in one["spec"]["policyTypes"] and one is not closed]
    selectors = [one["podSelector"]["matchLabels"] for one in leaving]
    for name, template in templates(made()).items():
        labels = (
            {**template["metadata"]["labels"], "cnpg.io/cluster": "db"}
            if name.startswith("db-pooler")
            else template["metadata"]["labels"]
        )
        assert any(selector.items() <= labels.items() for selector in selectors), name
    assert {"cnpg.io/cluster": "db"} in selectors  # servers, and the operator's jobs
    ports = {
        one["port"]
        for spec in leaving
        if spec["podSelector"]["matchLabels"] == {"cnpg.io/cluster": "db"}
        for rule in spec["egress"]
        for one in rule["ports"]
    }
    assert ports == {53, 5353, 443, 6443, 8443, 5432, 8000}


def test_an_open_namespace_has_no_policy_that_was_not_there() -> None:
    open_names = {one.name for one in made(default_deny=False)}
    closed = {one.name for one in made()}
    assert closed - open_names == {
        "shop-default-deny",
        "db-egress-policy",
        "db-roles-policy",
        "redis-egress-policy",
        "db-bucket-policy",
    }
