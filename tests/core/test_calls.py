"""Wrong calls and keywords: one clean error, as for any other mistake."""

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

import tierstack as ts
from tests.support import refused, run_program

pytestmark = pytest.mark.graph
IMAGE = "registry.example/x:17@sha256:" + "a" * 64
K = ts.Kubernetes(name="shop")


def told(make: Any) -> list[str]:
    return str(refused(make)).split("\n")


def test_a_misspelt_attribute_is_told() -> None:
    args = ts.RedisClusterArgs(platform=K, image=IMAGE)
    args.memory = 512  # type: ignore[attr-defined]
    assert told(lambda: ts.RedisCluster("queue", args)) == [
        'RedisCluster "queue": 1 problem',
        "  memory: is not a known key; did you mean `memory_mb`? [unknown-key]",
    ]


def test_an_attribute_of_a_subclass_of_args_is_no_mistake() -> None:
    @dataclasses.dataclass(kw_only=True)
    class Ours(ts.RedisClusterArgs):
        team: str = "shop"

    args = Ours(platform=K, image=IMAGE)
    args.memory_mb = 512
    assert run_program(lambda: ts.RedisCluster("queue", args)).named("queue", "RedisCluster")


@pytest.mark.parametrize("name", ["args", "output"])
def test_what_stands_in_place_of_a_name_is_not_shown(name: str) -> None:
    given = {"args": {"secrets": {"APP_KEY": "the-app-key"}}, "output": pulumi.Output.from_input("the-app-key")}[name]
    said = str(refused(lambda: ts.RedisCluster(given, "queue")))  # type: ignore[arg-type]
    assert said.startswith("a RedisCluster: 1 problem\n  name = ")
    assert "the-app-key" not in said


def test_the_engine_prints_it_without_a_traceback() -> None:
    assert issubclass(ts.ArgumentError, pulumi.RunError)


def test_a_misspelt_keyword_is_told_with_every_other_mistake() -> None:
    args: dict[str, Any] = {"platform": K, "image": IMAGE, "memry_mb": 512, "storage_gb": 0}
    assert told(lambda: ts.RedisClusterArgs(**args)) == [
        "RedisClusterArgs: 2 problems",
        "  memry_mb: is not a known key; did you mean `memory_mb`? [unknown-key]",
        "  storage_gb = 0: must be at least 1; write a number from 1 to 4096 GiB [out-of-range]",
    ]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: ts.RedisClusterArgs(), "  platform: is required; give a Platform"),  # type: ignore[call-arg]
        (lambda: ts.Kubernetes(nam="shop"), "  nam: is not a known key; did you mean `name`?"),  # type: ignore[call-arg]
        (lambda: ts.DatabaseArchiveArgs(stor="x"), "  stor: is not a known key; did you mean `store`?"),  # type: ignore[call-arg]
        (
            lambda: ts.RedisClusterArgs(K),  # type: ignore[call-arg, misc]
            "  RedisClusterArgs = (a Kubernetes): is given without its keyword; write each argument as `keyword=value`",
        ),
    ],
)
def test_keywords(make: Any, line: str) -> None:
    assert line in [one.rpartition(" [")[0] for one in told(make)]


@pytest.mark.parametrize("name", ["Kubernetes", "DockerHost", "Certificate", "GatewayEndpoint", "SecretRef"])
def test_keywords_before_any_component_is_imported(name: str) -> None:
    program = f"import tierstack\ntry:\n    tierstack.{name}(nam='x')\nexcept tierstack.ArgumentError as error:\n    print(error)"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "  nam: is not a known key" in said


def test_completion_shows_what_is_not_imported_yet() -> None:
    program = "import tierstack; print(set(tierstack.__all__) - set(dir(tierstack)))"
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, text=True).stdout == "set()\n"


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: ts.RedisCluster("queue"), "missing a required argument: 'args'"),  # type: ignore[call-arg]
        (
            lambda: ts.RedisCluster("queue", platform=K),  # type: ignore[call-arg]
            'platform: is an argument of RedisClusterArgs, or of nothing; write RedisCluster("name", RedisClusterArgs(…)',
        ),
        (lambda: ts.RedisCluster("", {}), "name = '': is not a name"),  # type: ignore[arg-type]
        (lambda: ts.RedisCluster("queue", {}, {}), "opts = {}: is not a ResourceOptions"),  # type: ignore[arg-type]
        (lambda: ts.RedisCluster("queue", None), "is not a RedisClusterArgs"),  # type: ignore[arg-type]
    ],
)
def test_calls(make: Any, part: str) -> None:
    assert part in str(refused(make))


def test_a_component_in_place_of_what_it_hands_over() -> None:
    said: list[str] = []

    def program() -> None:
        tls = ts.TLS("tls", ts.TLSArgs(platform=K, hostnames=["shop.example.org"]))
        gateway = ts.Gateway("gateway", ts.GatewayArgs(platform=K, certificate=tls.certificate))
        queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=K, image=IMAGE))
        size = {"tier": ts.Tier.USERS_100K, "image": IMAGE}
        db = ts.DatabaseWithReplicas("db", ts.DatabaseWithReplicasArgs(platform=K, **size))
        wrong: list[dict[str, Any]] = [
            {"platform": "kubernetes"},
            {"gateway": gateway},
            {"redis": queue, "database": db},
            {"redis": db, "database": queue.connection},
        ]
        for more in wrong:
            given = {
                "platform": K,
                **size,
                "hostnames": ["shop.example.org"],
                "php": ts.PhpFpmArgs(document_root="/srv"),
            }
            try:
                ts.AppCluster("web", ts.AppClusterArgs(**{**given, "gateway": gateway.endpoint, **more}))
            except ts.ArgumentError as error:
                said.extend(str(one) for one in error.problems)
        try:
            ts.Gateway("other", ts.GatewayArgs(platform=K, certificate=tls))  # type: ignore[arg-type]
        except ts.ArgumentError as error:
            said.extend(str(one) for one in error.problems)

    run_program(program)
    assert sorted(said) == sorted(
        [
            "platform = 'kubernetes': is not a Platform; pass `Kubernetes(name=…)` or `DockerHost(name=…)`",
            "gateway = (a Gateway): is the Gateway itself; pass `gateway.endpoint`",
            "redis = (a RedisCluster): is the RedisCluster itself; pass `queue.connection`",
            "database = (a DatabaseWithReplicas): is the DatabaseWithReplicas itself; pass `db.connection`",
            "redis = (a DatabaseWithReplicas): is a DatabaseWithReplicas; pass `connection` of a RedisCluster",
            "database = (a RedisConnection): is not a DatabaseConnection; pass `connection` of a DatabaseWithReplicas",
            "certificate = (a TLS): is the TLS itself; pass `tls.certificate`",
        ]
    )


class TestTheRestOfTheProgram:
    def refused_second(self, make: Any) -> str:
        said: list[str] = []

        def program() -> None:
            try:
                make()
            except ts.ArgumentError as error:
                said.append(str(error))

        run_program(program)
        return "".join(said)

    def app(self, name: str, gateway: ts.Gateway, hostnames: list[str], platform: ts.Platform = K, **more: Any) -> None:
        given: dict[str, Any] = {
            "tier": ts.Tier.USERS_100K,
            "image": IMAGE,
            "php": ts.PhpFpmArgs(document_root="/srv"),
            **more,
        }
        args = ts.AppClusterArgs(platform=platform, hostnames=hostnames, gateway=gateway.endpoint, **given)
        ts.AppCluster(name, args)

    def gateway(self, hostnames: list[str], name: str = "gateway", platform: ts.Platform = K) -> ts.Gateway:
        tls = ts.TLS(f"{name}-tls", ts.TLSArgs(platform=platform, hostnames=hostnames))
        return ts.Gateway(name, ts.GatewayArgs(platform=platform, certificate=tls.certificate))

    @pytest.mark.parametrize(
        ("certificate", "hostname", "good"),
        [
            (["a.example.org"], "a.example.org", True),
            (["*.example.org"], "a.example.org", True),
            (["*.example.org"], "*.example.org", False),  # the first name must be a single one
            (["*.example.org"], "a.b.example.org", False),
            (["*.example.org"], "example.org", False),
            (["a.example.org"], "b.example.org", False),
        ],
    )
    def test_a_hostname_that_the_certificate_lacks(self, certificate: list[str], hostname: str, good: bool) -> None:
        said = self.refused_second(lambda: self.app("a", self.gateway(certificate), [hostname]))
        assert (said == "") == good
        assert good or "hostnames[0]" in said

    def test_two_applications_with_one_hostname(self) -> None:
        def program() -> None:
            gateway = self.gateway(["*.example.org"])
            self.app("a", gateway, ["a.example.org", "shop.example.org"])
            self.app("b", gateway, ["b.example.org", "shop.example.org"])

        said = self.refused_second(program)
        assert (
            "hostnames[1] = 'shop.example.org': is a hostname of AppCluster \"a\" too, behind the same Gateway" in said
        )

    def test_one_hostname_behind_two_gateways(self) -> None:
        def program() -> None:
            for name in ("inside", "outside"):
                self.app(f"{name}-app", self.gateway(["a.example.org"], name), ["a.example.org"])

        assert self.refused_second(program) == ""

    @pytest.mark.parametrize(
        ("other", "good"),
        [
            (ts.Kubernetes(name="shop", environment="prod"), True),
            (ts.Kubernetes(name="data"), False),
            (ts.Kubernetes(name="data", create_namespace=False), False),
            (ts.DockerHost(name="shop"), False),
        ],
    )
    def test_a_redis_of_another_place(self, other: ts.Platform, good: bool) -> None:
        def program() -> None:
            queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=other, image=IMAGE))
            self.app("a", self.gateway(["a.example.org"]), ["a.example.org"], redis=queue.connection)

        said = self.refused_second(program)
        assert (said == "") == good
        assert good or f"redis = (hidden): is at {other.place}, and this component at kubernetes/shop" in said

    def test_a_further_redis_of_another_place(self) -> None:
        def program() -> None:
            cache = ts.RedisCluster("cache", ts.RedisClusterArgs(platform=ts.Kubernetes(name="data"), image=IMAGE))
            gateway = self.gateway(["a.example.org"])
            self.app("a", gateway, ["a.example.org"], more_redis={"cache": cache.connection})

        assert "more_redis.cache = (hidden): is at kubernetes/data, and this" in self.refused_second(program)

    def test_two_clusters(self) -> None:
        def program() -> None:
            eu, us = (ts.Kubernetes(name="shop", context=context) for context in ("eu", "us"))
            queue = ts.RedisCluster("queue", ts.RedisClusterArgs(platform=eu, image=IMAGE))
            gateway = self.gateway(["a.example.org"], platform=us)
            self.app("a", gateway, ["a.example.org"], us, redis=queue.connection)

        assert "is at kubernetes/shop@eu, and this component at kubernetes/shop@us" in self.refused_second(program)


class TestArchive:
    """The README's composition, moved to Kubernetes: a database that archives nothing has no backups."""

    def make(self, bucket_at: ts.Platform | None = None) -> None:
        archive = None
        if bucket_at:
            bucket = {"bucket": "shop", "region": "eu-central-1", "access_key_id": "key", "secret_access_key": "x"}
            storage = ts.ObjectStorage("storage", ts.ObjectStorageArgs(platform=bucket_at, **bucket))  # type: ignore[arg-type]
            archive = ts.DatabaseArchiveArgs(store=storage.store)
        args = ts.DatabaseWithReplicasArgs(platform=K, tier=ts.Tier.USERS_100K, image=IMAGE, archive=archive)
        db = ts.DatabaseWithReplicas("db", args)
        ts.BackupSchedule("backups", ts.BackupScheduleArgs(platform=K, database=db.connection))

    def test_a_database_without_an_archive_is_refused(self) -> None:
        said = refusal(self.make)
        assert "database.archive: is missing: the database archives no write-ahead log" in said
        assert "give the DatabaseWithReplicas an `archive` with the `store` of an ObjectStorage" in said

    def test_a_bucket_of_another_place_is_refused_inside_the_group(self) -> None:
        said = refusal(lambda: self.make(ts.Kubernetes(name="other")))
        assert "archive.store = (hidden): is at kubernetes/other, and this component at kubernetes/shop" in said

    def test_the_cluster_archives_to_what_it_is_backed_up_from(self) -> None:
        """The same by construction: there is no name that could be another one."""
        made = run_program(lambda: self.make(K))
        (store,), (cluster,), (backup,) = (made.of_type(one) for one in ("ObjectStore", "1:Cluster", "ScheduledBackup"))
        (plugin,) = cluster.inputs["spec"]["plugins"]
        assert plugin["isWALArchiver"]
        assert plugin["parameters"] == {"barmanObjectName": store.inputs["metadata"]["name"]}
        assert backup.inputs["spec"]["cluster"] == {"name": cluster.inputs["metadata"]["name"]}
        assert store.name in cluster.depends_on
        (secret,) = (one for one in made.of_type("Secret") if one.parent == "storage")
        held = store.inputs["spec"]["configuration"]["s3Credentials"].values()
        assert {one["name"] for one in held} == {secret.inputs["metadata"]["name"]}
        assert {one["key"] for one in held} == set(secret.inputs["stringData"].value)


def refusal(program: Callable[[], None]) -> str:
    """What is said of a program that is refused; nothing is backed up then."""
    said: list[str] = []

    def refused() -> None:
        try:
            program()
        except ts.ArgumentError as error:
            said.append(str(error))

    assert not run_program(refused).of_type("ScheduledBackup")
    return said[0]


class TestOneOfSeveral:
    """What stands in a map or a list of another is refused with its place, and not by itself: no class name says which
    of the roles is wrong."""

    def app(self, **more: Any) -> Any:
        given: dict[str, Any] = {"platform": K, "tier": ts.Tier.USERS_100K, "image": IMAGE, "hostnames": ["a.example"]}
        return ts.AppClusterArgs(**given, php=ts.PhpFpmArgs(document_root="/srv"), **more)

    def test_a_role_is_named(self) -> None:
        roles: dict[str, Any] = {
            "worker": ts.RoleArgs(comand=["work"]),  # type: ignore[call-arg]
            "mail": ts.RoleArgs(command=["mail"], memory="512Mi"),  # type: ignore[call-arg]
            "right": ts.RoleArgs(command=["right"]),
        }
        assert told(lambda: self.app(roles=roles)) == [
            "AppClusterArgs: 4 problems",
            "  gateway: is required; give a GatewayEndpoint [missing-key]",
            "  roles.worker.comand: is not a known key; did you mean `command`? [unknown-key]",
            '  roles.worker.command: is required; write a list of text, such as `["php", "artisan", "queue:work", '
            '"--queue=mail"]` [missing-key]',
            "  roles.mail.memory: is not a known key; write `memory_mb: 512` [unknown-key]",
        ]

    def test_an_element_of_a_list_is_numbered(self) -> None:
        networks = [
            ts.OutboundNetwork(cidr="10.0.0.0/8", ports=[5432]),
            ts.OutboundNetwork("10.1.0.0/16"),  # type: ignore[call-arg, misc]
        ]
        assert told(lambda: ts.OutboundArgs(networks=networks))[1:3] == [
            "  networks[1] = '10.1.0.0/16': is given without its keyword; write each argument as `keyword=value` "
            "[no-keyword]",
            "  networks[1].cidr: is required; write a text, such as `10.20.0.0/16` [missing-key]",
        ]

    def test_a_plain_dict_beside_it(self) -> None:
        """A program may mix both."""
        roles: dict[str, Any] = {"mail": {"comand": ["x"]}, "worker": ts.RoleArgs(comand=["x"])}  # type: ignore[call-arg]
        found = [line.partition(":")[0].strip() for line in told(lambda: self.app(roles=roles))]
        assert {"roles.mail.comand", "roles.worker.comand"} <= set(found)
