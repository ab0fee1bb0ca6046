"""What the namespace's building blocks register: applied, and rendered."""

from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from tests.support import Recorder, Secret, run_program
from tierstack import DataProtection, Kubernetes, Platform
from tierstack.platform import own_state
from tierstack.platform.kubernetes.cluster import OWNER, Cluster, cluster

pytestmark = pytest.mark.graph
APPLIED, RENDERED = Kubernetes(name="shop"), Kubernetes(name="shop", render_to="out", secret_store="vault")
REMOTE = {"conversionStrategy": "Default", "decodingStrategy": "None", "metadataPolicy": "None"}
OF_ROOT = {"app.kubernetes.io/name": "root", "app.kubernetes.io/component": "root"}
CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"}, "spec": {}}


def made_by(build: Callable[[Cluster, pulumi.Resource], Any], platform: Platform = APPLIED) -> Recorder:
    def program() -> None:
        root = pulumi.ComponentResource("test:index:Root", "root")
        build(cluster(platform), root)

    return run_program(program)


def test_the_namespace_is_restricted_and_made_first() -> None:
    made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM))
    namespace = made.named("shop-namespace")
    assert namespace.type == "kubernetes:core/v1:Namespace"
    labels = namespace.inputs["metadata"]["labels"]
    assert {labels[f"pod-security.kubernetes.io/{mode}"] for mode in ("enforce", "audit", "warn")} == {"restricted"}
    assert made.named("data").depends_on == ["shop-namespace"]


def test_a_namespace_that_exists_is_left_alone() -> None:
    made = made_by(
        lambda cluster, root: cluster.object("data", root, CLAIM), Kubernetes(name="shop", create_namespace=False)
    )
    assert sorted(one.name for one in made.made) == ["data", "root"]  # nor are others' pods in it closed


def test_the_namespace_names_the_state_that_it_belongs_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The API server refuses another state's value of the annotation: it is a field of the first one's."""

    def owner(state: dict[str, Any], platform: Platform = APPLIED) -> Any:
        monkeypatch.setattr(own_state, "resources", lambda: state)
        made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM), platform)
        return made.named("shop-namespace").inputs["metadata"].get("annotations", {}).get(OWNER)

    metadata = {"name": "shop", "annotations": {OWNER: "a"}}
    namespace = {"type": "kubernetes:core/v1:Namespace", "outputs": {"metadata": metadata}}
    assert owner({"u": namespace}) == "a"
    assert len(owner({})) == 32 != owner({})
    assert len(owner({"u": {**namespace, "outputs": {"metadata": {"name": "shop"}}}})) == 32  # of an earlier release
    assert owner({}, RENDERED) is None


def test_adopting_forces_every_field(monkeypatch: pytest.MonkeyPatch) -> None:
    made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM), Kubernetes(name="shop", adopt=True))
    for name in ("data", "shop-namespace"):
        assert made.named(name).inputs["metadata"]["annotations"]["pulumi.com/patchForce"] == "true"


@pytest.mark.parametrize(
    ("api_version", "kind", "type"),
    [
        ("v1", "Service", "kubernetes:core/v1:Service"),
        ("apps/v1", "Deployment", "kubernetes:apps/v1:Deployment"),
        ("batch/v1", "Job", "kubernetes:batch/v1:Job"),
        ("networking.k8s.io/v1", "NetworkPolicy", "kubernetes:networking.k8s.io/v1:NetworkPolicy"),
        ("postgresql.cnpg.io/v1", "Cluster", "kubernetes:postgresql.cnpg.io/v1:Cluster"),
    ],
)
def test_an_object_is_registered_under_the_provider_s_own_token(api_version: str, kind: str, type: str) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x", "labels": {"own": "1"}}}
    made = made_by(lambda cluster, root: cluster.object("x", root, manifest))
    found = made.named("x")
    assert found.type == type
    assert found.inputs["metadata"] == {
        "name": "x",
        "namespace": "shop",
        "labels": {"own": "1", **OF_ROOT, **APPLIED.labels},
    }
    assert found.options["version"] == "4.26.0"
    assert manifest["metadata"] == {"name": "x", "labels": {"own": "1"}}, "the caller's manifest is not changed"


def test_an_object_s_own_labels_and_namespace_win() -> None:
    metadata = {"name": "x", "namespace": "other", "labels": {"app.kubernetes.io/part-of": "mine"}}
    made = made_by(lambda cluster, root: cluster.object("x", root, {**CLAIM, "metadata": metadata}))
    found = made.named("x").inputs["metadata"]
    assert found["namespace"] == "other"
    assert found["labels"]["app.kubernetes.io/part-of"] == "mine"


def test_waiting_has_an_end() -> None:
    made = made_by(lambda cluster, root: cluster.object("x", root, CLAIM, timeout="3m", ignore_changes=["spec"]))
    options = made.named("x").options
    assert options["customTimeouts"] == {"create": "3m", "update": "3m", "delete": "3m"}
    assert options["ignoreChanges"] == ["spec"]


def test_nothing_is_waited_for_when_rendering() -> None:
    made = made_by(lambda cluster, root: cluster.object("x", root, CLAIM, timeout="3m"), RENDERED)
    assert "customTimeouts" not in made.named("x").options


def test_a_file_holds_nothing_that_directs_the_engine_at_a_cluster() -> None:
    own = {"pulumi.com/replaceUnready": "true", "cert-manager.io/cluster-issuer": "tests"}
    for annotations in (own, {"pulumi.com/skipAwait": "true"}):
        manifest = {**CLAIM, "metadata": {"name": "data", "annotations": annotations}}
        applied = made_by(lambda cluster, root, it=manifest: cluster.object("x", root, it))
        assert applied.named("x").inputs["metadata"]["annotations"] == annotations
        rendered = made_by(lambda cluster, root, it=manifest: cluster.object("x", root, it), RENDERED)
        kept = rendered.named("x").inputs["metadata"]["annotations"]
        assert not [key for key in kept if key.startswith("pulumi.com/")]
        assert ("cert-manager.io/cluster-issuer" in kept) is (annotations is own)


@pytest.mark.parametrize(
    ("protection", "protect", "retain"),
    [(DataProtection.NONE, False, False), (DataProtection.PROTECT, True, False), (DataProtection.RETAIN, True, True)],
)
@pytest.mark.parametrize("name", ["data", "shop-namespace"])
def test_data_is_protected_as_the_platform_says(
    protection: DataProtection, protect: bool, retain: bool, name: str
) -> None:
    def build(cluster: Cluster, root: pulumi.Resource) -> None:
        cluster.object("data", root, CLAIM, data=True)
        cluster.object("other", root, {**CLAIM, "metadata": {"name": "other"}})

    made = made_by(build, Kubernetes(name="shop", data_protection=protection))
    options = made.named(name).options
    assert (options.get("protect", False), options.get("retainOnDelete", False)) == (protect, retain)
    assert not {"protect", "retainOnDelete"} & set(made.named("other").options)


def test_rendered_files_are_not_protected_for_nothing_is_lost_with_them() -> None:
    made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM, data=True), RENDERED)
    assert "protect" not in made.named("data").options
    assert "protect" not in made.named("shop-namespace").options


class TestProvider:
    def test_none_of_its_own_for_the_current_context(self) -> None:
        made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM))
        assert made.of_type("pulumi:providers:kubernetes") == []
        assert made.named("data").provider == ""

    @pytest.mark.parametrize(
        ("platform", "settings"),
        [
            (Kubernetes(name="shop", context="prod"), {"context": "prod"}),
            (RENDERED, {"renderYamlToDirectory": "out"}),
        ],
        ids=["context", "render"],
    )
    def test_one_for_all_objects(self, platform: Platform, settings: dict[str, str]) -> None:
        made = made_by(lambda cluster, root: cluster.object("data", root, CLAIM), platform)
        assert made.named("shop-kubernetes").inputs == settings
        assert made.named("data").provider == "shop-kubernetes"
        assert made.named("shop-namespace").provider == "shop-kubernetes"


class TestGeneratedSecrets:
    def build(self, cluster: Cluster, root: pulumi.Resource) -> None:
        ref = cluster.generated_secret("db", root, length=24, fixed={"username": "app"}, secret_type="basic")
        assert ref.key == "password"
        cluster.object("user", root, {**CLAIM, "metadata": {"name": ref.secret_name}})

    def test_applied(self) -> None:
        made = made_by(self.build)
        assert made.named("db-password").inputs == {"length": 24, "special": False}
        found = made.named("db")
        assert found.type == "kubernetes:core/v1:Secret"
        assert found.inputs["stringData"] == Secret({"password": "generated-db-password", "username": "app"})
        assert found.inputs["type"] == "basic"
        assert set(found.options["additionalSecretOutputs"]) == {"stringData", "data"}
        assert "db" in made.named("user").depends_on

    def test_rendered_it_is_made_in_the_cluster(self) -> None:
        made = made_by(self.build, RENDERED)
        assert made.of_type("v1:Secret") == []
        assert made.of_type("RandomPassword") == []
        generator = made.named("db-generator").inputs
        assert (generator["kind"], generator["spec"]["length"]) == ("Password", 24)
        spec = made.named("db").inputs["spec"]
        assert spec["refreshPolicy"] == "CreatedOnce"
        assert spec["target"]["template"] == {
            "type": "basic",
            "data": {"username": "app", "password": "{{ .password }}"},
        }
        assert spec["dataFrom"] == [
            {
                "sourceRef": {
                    "generatorRef": {
                        "apiVersion": "generators.external-secrets.io/v1alpha1",
                        "kind": "Password",
                        "name": "db",
                    }
                }
            }
        ]
        assert made.named("user").inputs["metadata"]["name"] == "db"


class TestGivenSecrets:
    def build(self, cluster: Cluster, root: pulumi.Resource) -> None:
        refs = cluster.given_secret("app", root, {"B_KEY": pulumi.Output.secret("hunter2"), "A_KEY": "hunter3"})
        assert {key: ref.key for key, ref in refs.items()} == {"A_KEY": "A_KEY", "B_KEY": "B_KEY"}

    def test_applied(self) -> None:
        found = made_by(self.build).named("app")
        assert found.inputs["stringData"] == Secret({"A_KEY": "hunter3", "B_KEY": "hunter2"})

    def test_rendered_they_come_from_the_store_and_stand_nowhere(self) -> None:
        made = made_by(self.build, RENDERED)
        found = made.named("app").inputs
        assert found["kind"] == "ExternalSecret"
        assert found["spec"]["secretStoreRef"] == {"kind": "ClusterSecretStore", "name": "vault"}
        assert found["spec"]["data"] == [
            {"secretKey": key, "remoteRef": {"key": "shop/app", "property": key, **REMOTE}}
            for key in ("A_KEY", "B_KEY")
        ]
        assert "hunter" not in str(made.summary())


def test_an_object_elsewhere_stays_as_it_is_and_needs_no_namespace_of_ours() -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "namespace": "other"}}
    made = made_by(lambda cluster, root: cluster.register_raw("x", root, manifest))
    assert sorted(one.name for one in made.made) == ["root", "x"]
    assert made.named("x").inputs["metadata"] == manifest["metadata"]


def test_one_namespace_serves_all_components_of_a_run() -> None:
    def program() -> None:
        one, same = cluster(APPLIED), cluster(Kubernetes(name="shop"))
        assert one is same
        assert one.namespace is same.namespace

    assert [one.name for one in run_program(program).made] == ["shop-namespace", "shop-default-deny"]
