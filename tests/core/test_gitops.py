"""What rendered manifests tell others: the order, what outlives its file, and nothing that only the engine reads."""

from typing import Any

import pytest

import tierstack as ts
from tests.names.whole import shop
from tests.support import Recorder, Registered, run_program
from tierstack.platform.kubernetes import gitops
from tierstack.platform.kubernetes.gitops import Step

pytestmark = pytest.mark.graph

DATA = {
    *("Namespace/shop", "Cluster/db", "ObjectStore/db-archive", "PersistentVolumeClaim/web-uploads"),
    *(f"PersistentVolumeClaim/data-redis-node-{index}" for index in range(3)),
    *("ExternalSecret/db-app", "Password/db-app", "ExternalSecret/redis-password", "Password/redis-password"),
    *("ExternalSecret/redis-app", "Password/redis-app"),
}


def rendered(**changes: Any) -> Recorder:
    platform = ts.Kubernetes(name="shop", render_to="out", secret_store="vault", **changes)
    return run_program(lambda: shop(platform, ts.Tier.USERS_1M))


def objects(recorder: Recorder) -> list[Registered]:
    return [one for one in recorder.made if one.type.startswith("kubernetes:")]


def called(one: Registered) -> str:
    return f"{one.inputs['kind']}/{one.inputs['metadata']['name']}"


def annotations(one: Registered) -> dict[str, str]:
    return one.inputs["metadata"].get("annotations", {})


def test_nothing_of_the_engine_is_in_a_file() -> None:
    assert [called(one) for one in objects(rendered()) if "pulumi.com/" in str(one.inputs)] == []
    applied = objects(run_program(lambda: shop(ts.Kubernetes(name="shop"), ts.Tier.USERS_1M)))
    assert [called(one) for one in applied if "argocd" in str(one.inputs) or "fluxcd" in str(one.inputs)] == []
    assert [called(one) for one in applied if "pulumi.com/" in str(one.inputs)]


def test_a_step_never_needs_a_later_one() -> None:
    """Argo CD and Flux wait for each step: one that needs a later one would wait for ever."""
    recorder = rendered()
    steps: dict[str, Step] = {}
    for one in objects(recorder):  # kinds may share a logical name: the first of them is meant
        steps[one.name] = min(gitops.step_of(one.inputs), steps.get(one.name, Step.APP))
    assert set(steps.values()) == {Step.BASE, Step.DATA, Step.MIGRATION, Step.APP}
    wrong = [
        f"{called(one)} needs {need} in {steps[need].name}"
        for one in objects(recorder)
        for need in one.depends_on
        if need in steps and steps[need] > gitops.step_of(one.inputs)
    ]
    assert wrong == []


def test_what_waits_for_another_s_health_stands_beside_it() -> None:
    """Argo CD's and Flux' health of these kinds needs another object, which the engine's order does not show."""
    steps = {called(one): gitops.step_of(one.inputs) for one in objects(rendered())}
    # A volume binds when a pod uses it; an Issuer is ready once its certificate is issued.
    assert steps["PersistentVolumeClaim/web-uploads"] is Step.MIGRATION
    assert steps["PersistentVolumeClaim/data-redis-node-0"] is steps["StatefulSet/redis-node"] is Step.DATA
    assert steps["Issuer/redis-ca"] is steps["Certificate/redis-ca"] is Step.DATA
    assert steps["Issuer/tls-ca"] is steps["Certificate/tls-certificate"] is Step.APP


def test_new_code_waits_for_the_migration_and_the_migration_for_the_database() -> None:
    recorder = rendered()
    steps = {called(one): gitops.step_of(one.inputs) for one in objects(recorder)}
    roles, job = (recorder.named(name, "Job") for name in ("db-roles", "web-migrate"))
    assert steps["Cluster/db"] == steps[called(roles)]
    assert steps["Cluster/db"] < steps[called(job)] < steps["Deployment/web"] == steps["Deployment/web-worker"]
    assert annotations(job)["argocd.argoproj.io/hook"] == "Sync"
    assert "BeforeHookCreation" in annotations(job)["argocd.argoproj.io/hook-delete-policy"]
    pod = job.inputs["spec"]["template"]["spec"]
    (wait,) = pod["initContainers"]
    assert "pg_isready" in wait["command"][-1]
    assert {one["value"] for one in wait["env"]} == {"db-rw", "5432"}
    assert job.inputs["spec"]["activeDeadlineSeconds"] == 900 + 600


@pytest.mark.parametrize("protection", ts.DataProtection, ids=lambda one: one.value)
def test_data_outlives_its_file_as_the_platform_says(protection: ts.DataProtection) -> None:
    recorder = rendered(data_protection=protection)
    marked = {called(one): annotations(one) for one in objects(recorder) if gitops.PROTECTION in annotations(one)}
    assert marked.keys() == DATA
    kept = {
        "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
        "kustomize.toolkit.fluxcd.io/prune": "disabled",
        "helm.sh/resource-policy": "keep",
    }
    for found in marked.values():
        assert found[gitops.PROTECTION] == protection.value
        expected = {} if protection is ts.DataProtection.NONE else kept
        assert {key: found[key] for key in kept if key in found} == expected
    others = [one for one in objects(recorder) if called(one) not in DATA]
    assert [called(one) for one in others if kept.keys() & annotations(one).keys()] == []


def test_a_cache_is_no_data() -> None:
    def program() -> None:
        digest = "@sha256:" + "a" * 64
        platform = ts.Kubernetes(name="shop", render_to="out")
        args = ts.RedisClusterArgs(platform=platform, image=f"valkey{digest}", purpose=ts.RedisPurpose.CACHE)
        ts.RedisCluster("cache", args)

    claim = run_program(program).named("cache-data-0")
    assert gitops.PROTECTION not in annotations(claim)


def test_a_reloader_learns_of_rotated_secrets() -> None:
    deployments = {called(one): annotations(one) for one in objects(rendered()) if one.inputs["kind"] == "Deployment"}
    key = "secret.reloader.stakater.com/reload"
    assert {name: found[key] for name, found in deployments.items() if key in found} == {
        f"Deployment/web{suffix}": "web-secrets" for suffix in ("", "-worker", "-scheduler")
    }


def test_every_object_says_what_it_is_of() -> None:
    for one in objects(rendered(extra_labels={"team": "shop"})):
        labels = one.inputs["metadata"]["labels"]
        assert labels["app.kubernetes.io/part-of"] == "shop", called(one)
        assert labels["team"] == "shop", called(one)
        if called(one) not in ("Namespace/shop", "NetworkPolicy/default-deny"):
            assert {"app.kubernetes.io/name", "app.kubernetes.io/component"} <= labels.keys(), called(one)
        if one.inputs["kind"] in ("Deployment", "StatefulSet", "Job", "Cluster"):
            assert labels["app.kubernetes.io/version"], called(one)
    found = {called(one): one.inputs["metadata"]["labels"] for one in objects(rendered())}
    assert found["StatefulSet/redis-node"]["app.kubernetes.io/name"] == "redis"
    assert found["Cluster/db"]["app.kubernetes.io/version"] == "17.6"


def test_selectors_never_have_a_label_that_changes() -> None:
    for one in objects(rendered(extra_labels={"team": "shop"})):
        selector = one.inputs.get("spec", {}).get("selector", {})
        selected = selector.get("matchLabels", selector) if isinstance(selector, dict) else {}
        assert not {"team", "app.kubernetes.io/version"} & selected.keys(), called(one)


def test_a_manifest_of_somebody_else_is_applied_last() -> None:
    assert gitops.step_of({"kind": "ConfigMap", "metadata": {"name": "mine"}}) is Step.APP
    assert gitops.step_of({"kind": "CustomResourceDefinition", "metadata": {"name": "mine"}}) is Step.CRDS
    assert Step.DATA.folder == "3-data"
