"""Names that two components ask for, or that somebody else has: all told in one error, before anything is registered."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any, ClassVar

import pulumi
import pytest

import tierstack as ts
from tests.app_cluster import samples
from tests.database.test_args import args as database
from tests.support import Recorder, _NoMocks, abandon, run_program
from tierstack.core.errors import ArgumentError
from tierstack.platform import claim, docker, own_state, shared
from tierstack.platform.asked import Asked, PhysicalName, names_of
from tierstack.platform.claim import HostObject
from tierstack.platform.kubernetes import foreign_namespace
from tierstack.platform.kubernetes.cluster import cluster

IMAGE = "registry.example/valkey:8@sha256:" + "a" * 64
HOST, CLUSTER = ts.DockerHost(name="shop"), ts.Kubernetes(name="shop")


def redis(name: str, platform: ts.Platform, opts: pulumi.ResourceOptions | None = None, **more: Any) -> ts.RedisCluster:
    return ts.RedisCluster(name, ts.RedisClusterArgs(platform=platform, image=IMAGE, **more), opts)


def refused(program: Callable[[], Any]) -> str:
    """Why the program registers nothing."""
    recorder = Recorder()
    pulumi.runtime.set_mocks(_NoMocks(), monitor=recorder)
    with pytest.raises(pulumi.RunError) as raised:
        pulumi.runtime.test(lambda: program() and None)()
    asyncio.get_event_loop().run_until_complete(asyncio.sleep(0))
    abandon()
    assert [one.name for one in recorder.made] == []
    return str(raised.value)


class TestVerdict:
    def name(self, name: str, kind: str = "volume") -> PhysicalName:
        return PhysicalName("host", kind, name)

    def test_one_owner_may_ask_twice(self) -> None:
        asked = Asked()
        for name in ("a", "a", "b"):
            asked.add(self.name(name), 1, 'X "x"')
        asked.add(self.name("a", "network"), 2, 'Y "y"')
        asked.add(PhysicalName("other host", "volume", "a"), 2, 'Y "y"')
        assert asked.verdict() is None

    def test_two_owners_of_several_names_are_one_problem(self) -> None:
        asked = Asked()
        for owner, subject in ((1, 'X "x"'), (2, 'Y "y"')):
            for name in "abcde":
                asked.add(self.name(name), owner, subject)
        assert asked.verdict() == (
            'X "x" and Y "y" use the same names: volume a, volume b, volume c and 2 more. '
            "Give one of them another name: in Pulumi.<stack>.yaml its key or that of a role, in a program its name or "
            "`physical_name`. Nothing was changed."
        )

    def test_everything_is_told_at_once(self) -> None:
        asked = Asked()
        asked.add(self.name("a"), 1, 'X "x"')
        asked.add(self.name("a"), 2, 'Y "y"')
        asked.refused.append("volume b is taken.")
        said = asked.verdict()
        assert said
        first, *others = said.splitlines()
        assert first == "2 problems. Nothing was changed."
        assert [line[:6] for line in others] == ['  X "x', "  volu"]


_ACCOUNT = [f"{kind} db" for kind in ("ServiceAccount", "Role.rbac.authorization.k8s.io")]
_ACCOUNT += ["RoleBinding.rbac.authorization.k8s.io db"]
_OF_CLUSTER = [f"Service db-{role}" for role in ("rw", "ro", "r")]
_OF_CLUSTER += [f"Secret db-{what}" for what in ("ca", "server", "replication")]
_OF_CLUSTER += [*_ACCOUNT, "Pod db-*", "PersistentVolumeClaim db-*"]


@pytest.mark.parametrize(
    ("api_version", "kind", "spec", "others"),
    [
        ("v1", "Service", {}, []),
        ("external-secrets.io/v1", "ExternalSecret", {"target": {"name": "s"}}, ["Secret s"]),
        ("cert-manager.io/v1", "Certificate", {"secretName": "s"}, ["Secret s"]),
        ("postgresql.cnpg.io/v1", "Cluster", {}, _OF_CLUSTER),
        ("postgresql.cnpg.io/v1", "Pooler", {}, ["Service db", "Deployment db", *_ACCOUNT]),
        ("apps/v1", "StatefulSet", {}, ["Pod db-*"]),
        ("keda.sh/v1alpha1", "ScaledObject", {}, ["HorizontalPodAutoscaler keda-hpa-db"]),
    ],
)
def test_what_operators_make_has_a_name_too(api_version: str, kind: str, spec: Any, others: list[str]) -> None:
    manifest = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "db", "namespace": "shop"}, "spec": spec}
    own, *made = names_of(manifest, "here")
    assert (own.kind.split(".")[0], own.name, own.namespace) == (kind, "db", "shop")
    assert [f"{one.kind} {one.name}" for one in made] == others


@pytest.mark.graph
class TestTwoComponents:
    @pytest.mark.parametrize("platform", [HOST, CLUSTER])
    def test_of_one_class_are_both_named(self, platform: ts.Platform) -> None:
        def program() -> None:
            redis("db", platform)
            redis("other", platform)
            redis("cache", platform, physical_name="db")

        said = refused(program)
        assert said.startswith('RedisCluster "db" and RedisCluster "cache" use the same names: ')
        assert '"other"' not in said

    @pytest.mark.parametrize("platform", [HOST, CLUSTER])
    def test_of_two_classes(self, platform: ts.Platform) -> None:
        def program() -> None:
            on = "docker" if platform is HOST else "kubernetes"
            ts.DatabaseWithReplicas("db", database(on, platform=platform))
            redis("db", platform)

        said = refused(program)
        assert 'DatabaseWithReplicas "db" and RedisCluster "db" use the same names: ' in said
        assert said.endswith("Nothing was changed.")

    def test_a_physical_name_of_its_own_is_enough(self) -> None:
        def program() -> None:
            redis("db", HOST)
            redis("other", HOST, physical_name="cache")

        assert run_program(program).named("cache-data").inputs["name"] == "shop-cache-data"
        assert 'RedisCluster "db" and RedisCluster "other"' in refused(
            lambda: (redis("db", HOST), redis("other", HOST, physical_name="db"))
        )

    def test_two_places_have_a_name_each(self) -> None:
        platforms = (HOST, ts.DockerHost(name="stage"), ts.DockerHost(name="shop", docker_host="ssh://deploy@shop1"))

        def program() -> None:
            for name, platform in zip("abc", platforms, strict=True):
                root = pulumi.ComponentResource(f"acme:index:{name}", name)
                docker.host(platform).network("net", root)
            for name, platform in zip("de", (CLUSTER, ts.Kubernetes(name="stage")), strict=True):
                root = pulumi.ComponentResource(f"acme:index:{name}", name)
                manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "net"}}
                cluster(platform).object("net", root, manifest)

        assert len([one for one in run_program(program).made if one.name == "net"]) == 5

    def test_that_the_engine_could_not_tell_apart_are_refused_too(self) -> None:
        said = refused(lambda: (redis("a", HOST, physical_name="b"), redis("b", ts.DockerHost(name="stage"))))
        assert 'RedisCluster "a" and RedisCluster "b" use the same names: resource RedisCluster b.' in said

    def test_tests_that_share_their_mocks_are_programs_of_their_own(self) -> None:
        pulumi.runtime.set_mocks(_NoMocks(), monitor=Recorder())
        for name in ("a", "b"):

            def program(name: str = name) -> None:
                root = pulumi.ComponentResource(f"acme:index:{name}", name)
                docker.host(HOST).network("net", root)

            pulumi.runtime.test(program)()

    def test_a_program_of_one_wrong_component_is_no_reason_against_the_next(self) -> None:
        pulumi.runtime.set_mocks(_NoMocks(), monitor=Recorder())
        with pytest.raises(ArgumentError):
            pulumi.runtime.test(lambda: redis("a", HOST, memory_mb=1) and None)()
        pulumi.runtime.test(lambda: redis("b", HOST) and None)()


@pytest.mark.graph
class TestAWrongComponent:
    def test_lets_nothing_before_it_be_registered(self) -> None:
        def program() -> None:
            redis("queue", HOST)
            redis("cache", HOST, memory_mb=1)

        assert refused(program).startswith('RedisCluster "cache": 1 problem')

    def test_that_the_program_goes_on_without(self) -> None:
        def program() -> None:
            redis("queue", HOST)
            with pytest.raises(ArgumentError):
                redis("cache", HOST, memory_mb=1)

        assert run_program(program).of_type(":RedisCluster")


@pytest.mark.graph
class TestNamesOfOthers:
    def look(self, monkeypatch: pytest.MonkeyPatch, *objects: HostObject) -> None:
        monkeypatch.setattr(claim, "objects_on", lambda _: list(objects))
        monkeypatch.setattr(own_state, "resources", dict)

    def test_are_told_in_one_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.look(
            monkeypatch,
            HostObject("volume", "shop-queue-data", {"project": "thesis"}),
            HostObject("network", "shop-cache-network"),
            HostObject("container", "shop-cache"),
            HostObject("container", "shop-cache-data"),  # another kind of object
            HostObject("volume", "shop-cache"),
        )

        def program() -> None:
            redis("queue", HOST)
            redis("cache", HOST)

        said = refused(program)
        assert said.splitlines()[0] == "3 problems. Nothing was changed."
        for one in ("volume shop-queue-data", "network shop-cache-network", "container shop-cache"):
            assert f"  {one} exists on the Docker host, and this stack did not make it (labels: " in said
        assert '(labels: project=thesis). RedisCluster "queue" needs this name. Remove or rename the volume' in said

    @pytest.mark.parametrize("role", ["secrets", "1", "1-php", "1-sockets", "worker-1"])
    def test_of_a_release_before_its_revision_is_known(self, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
        args = samples.args("docker", **samples.FULL, nginx_image=IMAGE)
        made = run_program(lambda: ts.AppCluster("web", args))
        (name,) = [
            one
            for one in made.made
            if re.fullmatch(f"web-[0-9a-f]+-{role}", one.name) and one.type.startswith("docker:")
        ]
        kind = name.type.rpartition(":")[2].lower()
        platform = args.platform.name
        full = str(name.inputs["name"])
        self.look(monkeypatch, HostObject(kind, full), HostObject(kind, f"{full}0"))
        said = refused(lambda: ts.AppCluster("web", args))
        assert f"{kind} {full} exists" in said
        assert said.endswith("Nothing was changed.")
        assert full.startswith(f"{platform}-web-")

    def test_of_the_claim_itself(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.look(monkeypatch, HostObject("volume", "shop-claim", {"project": "thesis"}))
        said = refused(lambda: redis("queue", HOST))
        assert "volume shop-claim exists on the Docker host" in said
        assert 'platform "shop" needs this name' in said

    def test_of_a_command_that_runs_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.look(monkeypatch, HostObject("container", "shop-once"))

        def program() -> None:
            root = pulumi.ComponentResource("test:index:Root", "root", opts=shared.held(None))
            service = docker.Service(
                image=IMAGE, command=["a"], user="1:1", networks=[docker.Attachment(network="n")], memory_mb=9
            )
            docker.host(HOST).run_once("once", root, service)

        assert "container shop-once exists on the Docker host" in refused(program)


@pytest.mark.graph
class TestNamespaceOfAnotherState:
    LIVE: ClassVar = {
        "metadata": {"name": "shop", "creationTimestamp": "2026-11-25T20:13:44Z", "labels": CLUSTER.labels}
    }

    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """What kubectl was asked; it answers with the namespace."""
        calls: list[Any] = []

        def kubectl(platform: ts.Platform, *arguments: str) -> str:
            calls.append((platform.context, *arguments))
            return json.dumps(self.LIVE)

        monkeypatch.setattr(foreign_namespace, "kubectl", kubectl)
        monkeypatch.setattr(shared, "has_engine", lambda: True)
        monkeypatch.setattr("tierstack.platform.kubernetes.cluster.has_engine", lambda: True)
        monkeypatch.setattr(own_state, "resources", dict)
        monkeypatch.setattr(claim, "objects_on", lambda _: [])  # not what this machine's daemon has
        return calls

    def test_is_refused(self, asked: list[Any]) -> None:
        def program() -> None:
            redis("queue", HOST)
            redis("cache", ts.Kubernetes(name="shop", context="eu"))

        said = refused(program)
        assert "platform.name = 'shop': is a namespace of another state (made 2026-11-25T20:13:44Z; labels" in said
        assert [(one[0], one[3]) for one in asked] == [("eu", "shop")]

    def test_is_taken_over_where_that_is_asked_for(self, asked: list[Any]) -> None:
        for platform in (
            ts.Kubernetes(name="shop", adopt=True),
            ts.Kubernetes(name="shop", create_namespace=False),
            ts.Kubernetes(name="shop", render_to="out", secret_store="vault"),
        ):
            run_program(lambda platform=platform: redis("cache", platform))
        assert asked == []

    def test_that_the_state_has_is_its_own(self, asked: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
        namespace = {"type": "kubernetes:core/v1:Namespace", "outputs": {"metadata": {"name": "shop"}}}
        monkeypatch.setattr(own_state, "resources", lambda: {"u": namespace})
        run_program(lambda: redis("cache", CLUSTER))
        assert asked == []

    def test_of_a_cluster_that_only_the_provider_knows(self, asked: list[Any]) -> None:
        import pulumi_kubernetes

        def program() -> None:
            mine = pulumi_kubernetes.Provider("mine", kubeconfig="{}")
            redis("cache", CLUSTER, pulumi.ResourceOptions(provider=mine))

        run_program(program)
        assert asked == []
