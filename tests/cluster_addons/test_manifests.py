"""What becomes of the vendors' documents."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster_addons.samples import MANIFESTS, given
from tierstack import Addon, ClusterAddonsArgs
from tierstack.cluster_addons import manifests
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.cluster_addons.kubernetes import documents

LOCAL = "tierstack.local/cnpg-manager:1.30.0"


def made(addon: Addon, **changes: Any) -> list[dict[str, Any]]:
    return documents(addon, ClusterAddonsArgs(**given(**changes)))


def of(kind: str, found: list[dict[str, Any]], name: str | None = None) -> dict[str, Any]:
    (one,) = [one for one in found if one["kind"] == kind and name in (None, one["metadata"]["name"])]
    return one


def pod(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return of("Deployment", found, name)["spec"]["template"]["spec"]


def test_documents_are_read_whatever_stands_between_them() -> None:
    kinds = [one["kind"] for one in manifests.parsed((MANIFESTS / "cloudnative-pg.yaml").read_text())]
    assert kinds == ["Namespace", "Deployment", "CustomResourceDefinition", "ValidatingWebhookConfiguration"]


@pytest.mark.parametrize("text", ["- a", "kind: Namespace", "text"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="apiVersion, kind or metadata is missing"):
        manifests.parsed(text)


def test_each_comes_after_what_it_needs() -> None:
    kinds = [one["kind"] for one in made(Addon.CLOUDNATIVE_PG)]
    assert kinds[:2] == ["Namespace", "CustomResourceDefinition"]
    kinds = [one["kind"] for one in made(Addon.BARMAN_CLOUD)]
    # The pods mount what the certificates are written to, so an update that awaited them first would never end.
    assert kinds.index("Issuer") < kinds.index("Deployment")
    assert kinds.index("Secret") < kinds.index("Issuer")


def test_an_image_is_replaced_wherever_it_stands() -> None:
    found = made(Addon.CLOUDNATIVE_PG, images={"ghcr.io/cloudnative-pg/cloudnative-pg": LOCAL})
    container = pod(found, "cnpg-controller-manager")["containers"][0]
    assert container["image"] == LOCAL
    assert container["env"][0]["value"] == LOCAL
    assert container["imagePullPolicy"] == "IfNotPresent"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b", "NEW"),
        ("a/b:1", "NEW"),
        (f"a/b:1@sha256:{'0' * 64}", "NEW"),
        ("--solver=a/b:1", "--solver=NEW"),
        ("a/b-c:1", "a/b-c:1"),
        ("x/a/b:1", "x/a/b:1"),
        ("a/b/c", "a/b/c"),
        ("see a/b:1 there", "see NEW there"),
    ],
)
def test_only_the_very_image_is_replaced(text: str, expected: str) -> None:
    assert manifests.replaced(text, {"a/b": "NEW"}) == expected


def test_a_moving_tag_becomes_the_release() -> None:
    found = made(Addon.ARGO_ROLLOUTS)
    assert manifests.images_of(found) == ["quay.io/argoproj/argo-rollouts:v1.9.1"]


def test_an_image_inside_a_secret_is_replaced_and_other_bytes_stay() -> None:
    def inside(**changes: Any) -> str:
        data = of("Secret", made(Addon.BARMAN_CLOUD, **changes))["data"]
        assert data["other"] == "//79"
        return base64.b64decode(data["SIDECAR_IMAGE"]).decode()

    name = "ghcr.io/cloudnative-pg/plugin-barman-cloud-sidecar"
    assert inside() == f"{name}:v0.15.0"
    assert inside(images={name: "tierstack.local/sidecar:1"}) == "tierstack.local/sidecar:1"


def test_a_resource_definition_loses_its_prose_and_nothing_else() -> None:
    schema = of("CustomResourceDefinition", made(Addon.KEDA))["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert schema == {
        "type": "object",
        "properties": {"description": {"type": "string"}, "operator": {"type": "string", "enum": ["=", "in"]}},
    }


def test_objects_are_in_their_namespace_and_those_of_the_cluster_in_none() -> None:
    found = made(Addon.ARGO_ROLLOUTS)
    assert of("ServiceAccount", found)["metadata"]["namespace"] == "argo-rollouts"
    assert "namespace" not in of("CustomResourceDefinition", found)["metadata"]
    assert of("Role", made(Addon.CERT_MANAGER))["metadata"]["namespace"] == "kube-system"


@pytest.mark.parametrize("addon", [Addon.ARGO_ROLLOUTS, Addon.CLOUDNATIVE_PG, Addon.TRAEFIK])
def test_the_namespace_is_restricted_whoever_made_it(addon: Addon) -> None:
    labels = of("Namespace", made(addon))["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}


@pytest.mark.parametrize("addon", [Addon.BARMAN_CLOUD, Addon.METRICS_SERVER, Addon.GATEWAY_API])
def test_a_namespace_of_others_is_not_made(addon: Addon) -> None:
    assert "Namespace" not in [one["kind"] for one in made(addon, metrics_server=True)]


def test_resource_definitions_alone() -> None:
    assert {one["kind"] for one in made(Addon.TRAEFIK, crds_only=[Addon.TRAEFIK])} == {"CustomResourceDefinition"}


def test_labels_are_added_to_objects_and_never_to_selectors() -> None:
    for one in made(Addon.CLOUDNATIVE_PG):
        assert one["metadata"]["labels"]["tierstack.dev/addon"] == "cloudnative-pg"
    selector = of("Deployment", made(Addon.CLOUDNATIVE_PG))["spec"]["selector"]
    assert selector == {"matchLabels": {"app": "cnpg-controller-manager"}}


def test_a_webhook_is_awaited_until_it_is_trusted() -> None:
    annotations = of("ValidatingWebhookConfiguration", made(Addon.CERT_MANAGER))["metadata"]["annotations"]
    assert annotations == {"pulumi.com/waitFor": "jsonpath={.webhooks[*].clientConfig.caBundle}"}


def arguments(found: list[dict[str, Any]], name: str) -> list[str]:
    return pod(found, name)["containers"][0]["args"]


def test_operators_run_apart_with_short_leases() -> None:
    found = made(Addon.CLOUDNATIVE_PG, replicas=3, lease_seconds=9)
    deployment = of("Deployment", found)
    assert deployment["spec"]["replicas"] == 3
    inner = pod(found, "cnpg-controller-manager")
    arguments = ["controller", "--leader-elect", "--leader-lease-duration=9", "--leader-renew-deadline=6"]
    assert inner["containers"][0]["args"] == arguments
    assert inner["containers"][0]["resources"] == {"limits": {"memory": "200Mi"}}, "a throttled operator is late"
    assert {one["tolerationSeconds"] for one in inner["tolerations"]} == {10}
    (term,) = inner["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert term["podAffinityTerm"]["topologyKey"] == "kubernetes.io/hostname"
    budget = of("PodDisruptionBudget", found)
    assert budget["spec"] == {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "cnpg-controller-manager"}}}
    environment = {one["name"]: one["value"] for one in pod(made(Addon.KEDA), "keda-operator")["containers"][0]["env"]}
    assert environment["KEDA_OPERATOR_LEADER_ELECTION_LEASE_DURATION"] == "8s"
    (container,) = pod(made(Addon.EXTERNAL_SECRETS), "external-secrets")["containers"]
    assert "--leader-election-lease-duration=8s" in container["args"]


@pytest.mark.parametrize(
    ("without", "told"),
    [
        ([], True),
        ([Addon.TRAEFIK], True),
        ([Addon.GATEWAY_API], True),  # Traefik needs the resources, so the cluster has them
        ([Addon.GATEWAY_API, Addon.TRAEFIK], False),  # it would not start without them
    ],
)
def test_cert_manager_proves_names_through_gateways_where_there_are_any(without: list[Addon], told: bool) -> None:
    found = made(Addon.CERT_MANAGER, without=without)
    assert ("--enable-gateway-api" in arguments(found, "cert-manager")) is told


def test_cert_manager_comes_after_the_resources_that_it_looks_for() -> None:
    addons = list(CATALOG)
    assert Addon.GATEWAY_API in CATALOG[Addon.CERT_MANAGER].needs
    assert addons.index(Addon.GATEWAY_API) < addons.index(Addon.CERT_MANAGER)


@pytest.mark.parametrize(
    ("label", "told"),
    [("v1.11.5", False), ("v1.14.9", False), ("v1.15.0", True), ("1.21.2", True), ("main", True), (None, True)],
)
def test_an_older_release_gets_no_argument_that_it_does_not_know(label: str | None, told: bool, tmp_path: Path) -> None:
    (deployment,) = [
        one for one in manifests.parsed((MANIFESTS / "cert-manager.yaml").read_text()) if one["kind"] == "Deployment"
    ]
    if label:
        deployment["metadata"]["labels"] = {"app.kubernetes.io/version": label}
    (tmp_path / "cert-manager.yaml").write_text(yaml.safe_dump(deployment))
    found = made(Addon.CERT_MANAGER, manifests=str(tmp_path))
    assert ("--enable-gateway-api" in arguments(found, "cert-manager")) is told
    assert "--leader-election-lease-duration=8s" in arguments(found, "cert-manager")


def test_a_certificate_is_written_as_the_cluster_stores_it() -> None:
    spec = of("Certificate", made(Addon.BARMAN_CLOUD))["spec"]
    assert spec == {"duration": "2160h0m0s", "renewBefore": "360h0m0s", "secretName": "barman-cloud-client-tls"}


def test_rollouts_shift_the_weights_of_traefik_3() -> None:
    arguments = pod(made(Addon.ARGO_ROLLOUTS), "argo-rollouts")["containers"][0]["args"]
    assert "--traefik-api-version=traefik.io/v1alpha1" in arguments


def test_both_copies_of_the_barman_plugin_serve() -> None:
    found = made(Addon.BARMAN_CLOUD)
    assert of("Deployment", found)["spec"]["strategy"]["type"] == "RollingUpdate"
    assert pod(found, "barman-cloud")["containers"][0]["args"] == ["operator", "--log-level=info"]


def test_one_copy_has_no_budget_that_would_block_a_drain() -> None:
    found = made(Addon.KEDA)
    assert of("Deployment", found, "keda-metrics-apiserver")["spec"]["replicas"] == 1
    assert [one["metadata"]["name"] for one in found if one["kind"] == "PodDisruptionBudget"] == ["keda-operator"]
    assert not [one for one in made(Addon.KEDA, replicas=1) if one["kind"] == "PodDisruptionBudget"]


def test_every_addon_says_what_it_is() -> None:
    for addon, release in CATALOG.items():
        assert release.version, addon
        for source in release.sources:
            assert source.url.startswith("https://"), addon
            assert release.version in source.url, addon
            assert source.sha256 is None or len(source.sha256) == 64, addon
