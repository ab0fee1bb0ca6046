"""What the caller's options mean for everything that a component makes."""

import dataclasses
from typing import Any

import pulumi
import pulumi_docker
import pulumi_kubernetes
import pytest

import tierstack as ts
from tests.names.whole import PLATFORMS
from tests.support import Recorder, refused, run_program

pytestmark = pytest.mark.graph
IMAGE = "registry.example/valkey:8@sha256:" + "a" * 64
K, D = ts.Kubernetes(name="shop"), ts.DockerHost(name="shop")


class Team(pulumi.ComponentResource):
    """A component of the caller's own."""

    def __init__(self, name: str = "acme", opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("acme:index:Team", name, {}, opts)


def redis(name: str, platform: ts.Platform, opts: pulumi.ResourceOptions | None = None, **more: Any) -> ts.RedisCluster:
    return ts.RedisCluster(name, ts.RedisClusterArgs(platform=platform, image=IMAGE, **more), opts)


class TestProvider:
    """A provider of the caller's is the one of everything, the namespace first of all."""

    def of(self, make: Any) -> set[str]:
        made = run_program(make)
        return {one.provider for one in made.made if one.type.startswith("kubernetes:")}

    @pytest.mark.parametrize("form", ["provider", "list", "map", "parent"])
    def test_everything_goes_through_it(self, form: str) -> None:
        def program() -> None:
            mine = pulumi_kubernetes.Provider("mine", kubeconfig="{}")
            opts = {
                "provider": lambda: pulumi.ResourceOptions(provider=mine),
                "list": lambda: pulumi.ResourceOptions(providers=[mine]),
                "map": lambda: pulumi.ResourceOptions(providers={"kubernetes": mine}),
                "parent": lambda: pulumi.ResourceOptions(parent=Team(opts=pulumi.ResourceOptions(providers=[mine]))),
            }[form]()
            redis("queue", K, opts)
            redis("cache", K, opts)

        assert self.of(program) == {"mine"}

    @pytest.mark.parametrize("target", [{"context": "eu"}, {"render_to": "out", "secret_store": "vault"}])
    @pytest.mark.parametrize("inherited", [False, True])
    def test_it_is_not_ignored_beside_a_target_that_the_platform_names(
        self, target: dict[str, str], inherited: bool
    ) -> None:
        mine: list[Any] = []

        def program() -> None:
            mine.append(pulumi_kubernetes.Provider("mine", kubeconfig="{}"))
            opts = pulumi.ResourceOptions(providers=mine)
            if inherited:
                opts = pulumi.ResourceOptions(parent=Team(opts=opts))
            with pytest.raises(ts.ArgumentError, match="cannot be combined with the kubernetes provider"):
                redis("queue", ts.Kubernetes(name="shop", **target), opts)

        made = run_program(program)
        assert not made.of_type("RedisCluster")

    @pytest.mark.parametrize("host", [None, "ssh://deploy@shop1"])
    @pytest.mark.parametrize("form", ["provider", "list", "parent"])
    def test_a_docker_provider_is_refused_because_files_do_not_go_through_it(self, form: str, host: str | None) -> None:
        def program() -> None:
            mine = pulumi_docker.Provider("mine", host="ssh://deploy@shop2")
            opts = {
                "provider": lambda: pulumi.ResourceOptions(provider=mine),
                "list": lambda: pulumi.ResourceOptions(providers=[mine]),
                "parent": lambda: pulumi.ResourceOptions(parent=Team(opts=pulumi.ResourceOptions(providers=[mine]))),
            }[form]()
            # One line: who reads it needs to know what the provider would not reach, and what to write.
            message = r"opts: give a docker provider, but files are written .*; remove the provider"
            with pytest.raises(ts.ArgumentError, match=message) as caught:
                redis("queue", ts.DockerHost(name="shop", docker_host=host), opts)
            assert ("set `platform.docker_host`" in str(caught.value)) == (host is None)

        assert not run_program(program).of_type("RedisCluster")

    def test_a_docker_provider_is_no_matter_on_kubernetes(self) -> None:
        def program() -> None:
            mine = pulumi_docker.Provider("mine", host="ssh://deploy@shop2")
            redis("queue", ts.Kubernetes(name="shop", context="eu"), pulumi.ResourceOptions(providers=[mine]))

        assert self.of(program) == {"shop-kubernetes"}

    def test_another_package_s_provider_is_no_matter(self) -> None:
        def program() -> None:
            other = pulumi.ProviderResource("aws", "aws", {})
            redis("queue", ts.Kubernetes(name="shop", context="eu"), pulumi.ResourceOptions(providers=[other]))

        assert self.of(program) == {"shop-kubernetes"}


class TestSeveralTargetsOfOneName:
    @pytest.mark.parametrize("field", ["context", "render_to"])
    def test_platforms(self, field: str) -> None:
        def program() -> None:
            for region in ("eu", "us"):
                platform = ts.Kubernetes(name="shop", secret_store="vault", **{field: region})  # type: ignore[arg-type]
                redis(f"{region}-queue", platform)
                redis(f"{region}-cache", platform)

        made = run_program(program)
        assert {one.provider for one in made.of_type(":Namespace")} == {"shop-kubernetes", "shop-kubernetes-us"}
        assert made.named("us-queue", "Service").depends_on == ["shop-namespace-us", "us-queue-node"]
        assert made.named("us-queue", "Service").provider == "shop-kubernetes-us"
        assert made.named("eu-queue", "Service").provider == "shop-kubernetes"

    def test_providers_of_the_caller(self) -> None:
        def program() -> None:
            for region in ("eu", "us"):
                mine = pulumi_kubernetes.Provider(region, kubeconfig="{}")
                redis(f"{region}-queue", K, pulumi.ResourceOptions(provider=mine))

        made = run_program(program)
        assert {one.name: one.provider for one in made.of_type(":Namespace")} == {
            "shop-namespace": "eu",
            "shop-namespace-us": "us",
        }

    def test_platforms_that_differ_in_what_is_not_the_target_share_the_namespace(self) -> None:
        def program() -> None:
            redis("queue", K)
            redis("cache", ts.Kubernetes(name="shop", data_protection=ts.DataProtection.NONE))

        assert len(run_program(program).of_type(":Namespace")) == 1

    def test_docker_hosts(self) -> None:
        def program() -> None:
            for number in ("1", "2"):
                redis(f"queue{number}", ts.DockerHost(name="shop", docker_host=f"ssh://deploy@shop{number}"))

        made = run_program(program)
        assert made.named("queue1", "Container").provider == "shop-docker"
        assert made.named("queue2", "Container").provider == "shop-docker-deploy-shop2"


class TestParent:
    def test_what_is_shared_hangs_below_the_caller_s_component(self) -> None:
        def program() -> None:
            opts = pulumi.ResourceOptions(parent=Team())
            redis("queue", ts.Kubernetes(name="shop", context="eu"), opts)
            redis("cache", ts.Kubernetes(name="shop", context="eu"), opts)

        made = run_program(program)
        for name in ("shop-namespace", "shop-kubernetes"):
            assert made.named(name).parent == "acme"
            # Where it was before: nothing is replaced by the move.
            assert made.named(name).options["aliases"] == [{"spec": {"noParent": True}}]

    def test_transformations_reach_every_object(self) -> None:
        def label(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
            props = dict(args.props)
            if args.type_.startswith("kubernetes:"):
                labels = {**props["metadata"].get("labels", {}), "team": "shop"}
                props["metadata"] = {**props["metadata"], "labels": labels}
            return pulumi.ResourceTransformationResult(props, args.opts)

        opts = pulumi.ResourceOptions(transformations=[label])
        made = run_program(lambda: redis("queue", K, opts))
        objects = [one for one in made.made if one.type.startswith("kubernetes:")]
        assert len(objects) > 5
        assert {one.inputs["metadata"]["labels"].get("team") for one in objects} == {"shop"}

    def test_a_transformation_imports_a_child(self) -> None:
        """As docs/importing.md has it: what exists already becomes the component's."""

        def imported(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult:
            if args.name == "queue-data-0":
                args.opts.import_ = "shop/data-queue-node-0"
            return pulumi.ResourceTransformationResult(args.props, args.opts)

        made = run_program(lambda: redis("queue", K, pulumi.ResourceOptions(transformations=[imported])))
        (claim,) = (one for one in made.made if "importId" in one.options)
        assert (claim.name, claim.options["importId"]) == ("queue-data-0", "shop/data-queue-node-0")

    @pytest.mark.parametrize("platform", [K, D], ids=["kubernetes", "docker"])
    def test_everything_waits_for_what_the_caller_names(self, platform: ts.Platform) -> None:
        def program() -> None:
            first = pulumi.CustomResource("test:index:Thing", "first", {})
            redis("queue", platform, pulumi.ResourceOptions(depends_on=[first]))

        made = run_program(program)
        named = [one for one in made.made if one.type.startswith(("kubernetes:", "docker:"))]
        assert named
        assert [one.name for one in named if "first" not in one.depends_on] == []


class TestProtect:
    def unprotected(self, made: Recorder) -> list[str]:
        components = ("tierstack:", "acme:")
        return [one.name for one in made.made if not one.type.startswith(components) and not one.options.get("protect")]

    @pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
    @pytest.mark.parametrize("protection", list(ts.DataProtection))
    def test_the_caller_s_reaches_everything(self, platform: ts.Platform, protection: ts.DataProtection) -> None:
        def program() -> None:
            opts = pulumi.ResourceOptions(protect=True)
            redis("queue", dataclasses.replace(platform, data_protection=protection), opts)

        assert self.unprotected(run_program(program)) == []

    def test_a_parent_s_reaches_everything(self) -> None:
        def program() -> None:
            redis("queue", K, pulumi.ResourceOptions(parent=Team(opts=pulumi.ResourceOptions(protect=True))))

        assert self.unprotected(run_program(program)) == []

    def test_without_it_the_platform_decides(self) -> None:
        made = run_program(lambda: redis("queue", K))
        protected = [one.name for one in made.made if one.options.get("protect")]
        assert protected == ["shop-namespace", "queue-data-0"]


class TestRename:
    """A component's name is not that of its objects: it can be renamed."""

    @pytest.mark.parametrize("platform", PLATFORMS.values(), ids=PLATFORMS)
    def test_the_same_resources_under_another_name(self, platform: ts.Platform) -> None:
        before = run_program(lambda: redis("queue", platform))
        opts = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="queue")])
        after = run_program(lambda: redis("jobs", platform, opts, physical_name="queue"))

        def of(made: Recorder) -> dict[str, Any]:
            return {one.urn: one.inputs for one in made.made if not one.type.startswith("tierstack:")}

        assert of(after) == of(before)
        assert after.named("jobs").type == "tierstack:index:RedisCluster"

    @pytest.mark.parametrize(
        "alias", [pulumi.Alias(name="queue"), "urn:pulumi:dev::shop::tierstack:index:RedisCluster::queue"]
    )
    def test_without_the_name_of_its_objects_it_is_refused(self, alias: Any) -> None:
        opts = pulumi.ResourceOptions(aliases=[alias])
        (problem,) = refused(lambda: redis("jobs", K, opts)).problems
        assert str(problem) == (
            "physical_name: is not set, and `aliases` calls this component 'queue': its objects would be replaced, "
            "with their data; write 'queue' to keep them under that name, or 'jobs' to replace them"
        )

    @pytest.mark.parametrize("other", [pulumi.Alias(name="jobs"), pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)])
    def test_nor_beside_an_alias_that_keeps_the_name(self, other: pulumi.Alias) -> None:
        """The state has one of the two, and nobody knows which."""
        opts = pulumi.ResourceOptions(aliases=[pulumi.Alias(name="queue"), other])
        (problem,) = refused(lambda: redis("jobs", K, opts)).problems
        assert problem.code == "renamed-component"

    @pytest.mark.parametrize(
        ("aliases", "more"),
        [
            ([pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)], {}),  # moved, not renamed
            ([pulumi.Alias(name="jobs", parent=pulumi.ROOT_STACK_RESOURCE), pulumi.Alias(name="jobs")], {}),
            ([pulumi.Alias(name="queue"), pulumi.Alias(name="jobs")], {"physical_name": "jobs"}),
            ([pulumi.Alias(name="queue")], {"physical_name": "jobs"}),
            ([pulumi.Alias(name="queue")], {"physical_name": "first"}),
        ],
    )
    def test_other_aliases_pass(self, aliases: list[pulumi.Alias], more: dict[str, Any]) -> None:
        made = run_program(lambda: redis("jobs", K, pulumi.ResourceOptions(aliases=aliases), **more))
        assert made.named("jobs", "RedisCluster")


class TestSubclasses:
    def test_one_with_parameters_of_its_own(self) -> None:
        class Queue(ts.RedisCluster):
            def __init__(self, name: str, size: int, opts: pulumi.ResourceOptions | None = None) -> None:
                super().__init__(name, ts.RedisClusterArgs(platform=K, image=IMAGE, memory_mb=size), opts)

        made = run_program(lambda: Queue("queue", size=512))
        assert made.of_type("Queue")[0].name == "queue"
        with pytest.raises(TypeError, match="colour"):  # the caller's own constructor: Python's own words
            Queue("queue", size=512, colour="red")  # type: ignore[call-arg]


def test_the_mocks_of_a_module_run_one_program_after_another() -> None:
    """Pulumi's testing guide sets them once, at the top: what one test claimed is free in the next."""
    made: list[str] = []

    class Mocks(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> Any:
            made.append(args.name)
            return f"{args.name}-id", {**args.inputs, "certPem": "c", "privateKeyPem": "k", "result": "r"}

        def call(self, args: pulumi.runtime.MockCallArgs) -> Any:
            return {}

    @pulumi.runtime.test
    def test() -> Any:
        certificate = ts.Certificate(hostnames=["a.example"], certificate_pem="c", private_key_pem="k")
        digest = "sha256:" + "0" * 64
        given: dict[str, Any] = {"certificate": certificate, "image": digest, "tools_image": digest}
        return ts.Gateway("gateway", ts.GatewayArgs(platform=D, **given)).https_port.apply(lambda port: port)

    pulumi.runtime.set_mocks(Mocks(), project="shop", stack="dev")
    for _ in range(2):
        made.clear()
        test()
        assert "gateway" in made


def test_two_platforms_of_one_host_do_not_share_a_port() -> None:
    def gateway(name: str, **more: Any) -> None:
        digest = "sha256:" + "0" * 64
        certificate = ts.Certificate(hostnames=["a.example"], certificate_pem="c", private_key_pem="k")
        given = {"certificate": certificate, "image": digest, "tools_image": digest}
        ts.Gateway(name, ts.GatewayArgs(**{**given, "platform": D, **more}))

    def clash(first: dict[str, Any], second: dict[str, Any]) -> str:
        said: list[str] = []

        def program() -> None:
            gateway("one", **first)
            try:
                gateway("two", **second)
            except ts.ArgumentError as error:
                said.append(str(error))

        run_program(program)
        return "".join(said)

    assert clash({}, {}) == (
        'Gateway "two": 2 problems\n'
        '  http_port = 80: is a port of Gateway "one" too, on the same host; '
        "write another port, or bind one of the two to another address by `bind_address` [port-twice]\n"
        '  https_port = 443: is a port of Gateway "one" too, on the same host; '
        "write another port, or bind one of the two to another address by `bind_address` [port-twice]"
    )
    assert "http_port = 443" in clash({}, {"platform": ts.DockerHost(name="other"), "http_port": 443, "https_port": 1})
    assert clash({"bind_address": "192.0.2.1"}, {"bind_address": "192.0.2.2"}) == ""
    assert clash({}, {"http_port": 81, "https_port": 444}) == ""
    assert clash({}, {"platform": ts.DockerHost(name="shop", docker_host="ssh://b@other")}) == ""
    assert "http_port" in clash({"bind_address": "192.0.2.1"}, {})


def test_a_wrong_component_is_refused_before_it_is_registered() -> None:
    assert refused(lambda: redis("queue", K, memory_mb=1)).subject == 'RedisCluster "queue"'
