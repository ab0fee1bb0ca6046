"""What AppCluster registers on both platforms: golden files, the order of things, and where secrets go."""

import json
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from tests.app_cluster.samples import FULL, args, database, given, other, redis, release_name
from tests.gateway.samples import KUBERNETES, endpoint
from tests.support import Recorder, Secret, golden, run_program
from tierstack.app_cluster import (
    AppCluster,
    AppClusterArgs,
    ExperimentArgs,
    HealthArgs,
    HttpServerArgs,
    MigrationArgs,
    MirrorArgs,
    QueueScaling,
    RoleArgs,
    SecretDelivery,
    TrafficArgs,
    processes,
    server,
)
from tierstack.app_cluster.description import release_of
from tierstack.core.tier import Tier
from tierstack.platform import DataProtection, DockerHost, Kubernetes

pytestmark = pytest.mark.graph

HTTP: dict[str, Any] = {
    "http_server": HttpServerArgs(command=["serve"], memory_mb=128),
    "php": None,
    "secret_delivery": SecretDelivery.FILE,
}


def made(of: AppClusterArgs) -> Recorder:
    return run_program(lambda: AppCluster("web", of))


@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.value)
@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_golden(on: str, tier: Tier) -> None:
    golden(f"app-cluster-{on}-{tier.value}.json", made(args(on, tier=tier, **FULL)).summary())


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_golden_http(on: str) -> None:
    golden(f"app-cluster-{on}-http.json", made(args(on, **{**FULL, **HTTP})).summary())


def test_golden_rendered() -> None:
    platform = Kubernetes(name="shop", render_to="out", secret_store="vault")
    golden("app-cluster-rendered.json", made(args("kubernetes", **{**FULL, "platform": platform})).summary())


def test_a_plain_dict_gives_the_same() -> None:
    plain = {**given("docker"), "platform": {"kind": "docker", "name": "shop"}, "tier": "100k"}
    plain |= {"php": {"documentRoot": "/srv/shop/public", "port": 8080.0}, "health": {"path": "/health"}}
    one = run_program(lambda: AppCluster("web", plain))  # type: ignore[arg-type]
    assert one.summary() == made(args("docker")).summary()


# Kubernetes -------------------------------------------------------------------------------------------------------


def test_each_wildcard_has_a_route_of_its_own() -> None:
    """Traefik ranks an HTTPRoute by the longest of its hostnames, whichever of them a request has."""
    hostnames = ["www.shop.example.org", "*.example.org", "*.shop.example.org"]
    recorder = made(args("kubernetes", hostnames=hostnames))
    found = {one.inputs["metadata"]["name"]: one for one in recorder.of_type(":HTTPRoute")}
    names = {name: one.inputs["spec"].pop("hostnames") for name, one in found.items()}
    assert names == {
        "web": ["www.shop.example.org"],
        "web-wildcard.example.org": ["*.example.org"],
        "web-wildcard.shop.example.org": ["*.shop.example.org"],
    }
    assert found["web"].inputs["spec"] == found["web-wildcard.example.org"].inputs["spec"]
    assert {"web-wildcard.example.org-route", "web-wildcard.shop.example.org-route"} <= set(found["web"].depends_on)


# Docker -----------------------------------------------------------------------------------------------------------


def before(recorder: Recorder, name: str) -> set[str]:
    """Everything that must be there before `name` is made."""
    by_name = {one.name: one for one in recorder.made}
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        for needed in by_name[waiting.pop()].depends_on:
            if needed not in seen:
                seen.add(needed)
                waiting.append(needed)
    return seen


def test_the_order_of_a_release() -> None:
    full = args("docker", **FULL)
    recorder = made(full)
    release = release_name(full)
    web = {f"web-{release}-{index}" for index in (1, 2)}
    for one in [*web, f"web-{release}-1-php"]:
        assert "web-migrate" in before(recorder, one), f"{one} waits for the migration"
    for one in (f"web-{release}-worker-1", "web-scheduler"):
        assert "web-route" in before(recorder, one), f"{one} waits until the release has the traffic"
    for index in (1, 2):
        nginx = before(recorder, f"web-{release}-{index}")
        assert f"web-{release}-{index}-php" in nginx, "so that nginx starts after PHP-FPM and stops before it"
        assert f"web-{release}-{index}-php-ready" in nginx
    assert web | {f"{one}-ready" for one in web} <= before(recorder, "web-route"), "traffic comes last"
    assert not web & before(recorder, "web-migrate")


def test_containers_of_a_release_start_beside_the_old_ones_but_there_is_one_scheduler() -> None:
    full = args("docker", **FULL)
    recorder = made(full)
    release = release_name(full)
    for one in recorder.of_type("docker:index/container:Container"):
        replaced_first = bool(one.options.get("deleteBeforeReplace"))
        assert replaced_first == (one.name == "web-scheduler")
        assert (release in one.inputs["name"]) == (one.name != "web-scheduler")


def test_secrets_are_in_files_only() -> None:
    recorder = made(args("docker", **FULL))
    clear = json.dumps([one.inputs for one in recorder.made], default=lambda value: f"({type(value).__name__})")
    for value in ("the-app-key", "db-password", "redis-password"):
        assert value not in clear
    release = release_name(args("docker", **FULL))
    files = recorder.named(f"web-{release}-secrets", "VolumeFiles").inputs
    assert isinstance(files["files"], Secret)
    assert (files["mode"], files["uid"]) == (0o400, 10001)
    for one in recorder.of_type("docker:index/container:Container"):
        sees = [mount["target"] for mount in one.inputs["mounts"]]
        runs_application = not one.name.endswith(("-1", "-2")) or "worker" in one.name
        assert (processes.SECRETS in sees) == runs_application, "nginx has no secrets"


def test_a_rotated_secret_gives_containers_of_another_name() -> None:
    def names(value: str) -> set[str]:
        recorder = made(args("docker", secrets={"KEY": value}))
        return {one.inputs["name"] for one in recorder.of_type("docker:index/container:Container")}

    assert not names("one") & names("two")
    assert names("one") == names("one")


def test_only_the_migration_knows_the_direct_endpoint() -> None:
    recorder = made(args("docker", **FULL))
    migration = recorder.named("web-migrate").inputs
    assert migration["environment"]["DB_DIRECT_HOST"] == "db"
    assert "shop-db-direct" in migration["networks"]
    for one in recorder.of_type("docker:index/container:Container"):
        assert "shop-db-direct" not in json.dumps(one.inputs)
        assert "DB_DIRECT" not in json.dumps(one.inputs)


def test_nginx_is_alone_on_the_proxys_network() -> None:
    full = args("docker", **FULL)
    recorder = made(full)
    for one in recorder.of_type("docker:index/container:Container"):
        networks = [network["name"] for network in one.inputs["networksAdvanced"]]
        is_nginx = one.name in {f"web-{release_name(full)}-{index}" for index in (1, 2)}
        assert (networks == ["shop-front"]) == is_nginx
        assert ("shop-front" in networks) == is_nginx


@pytest.mark.parametrize("protection", DataProtection)
def test_only_uploads_are_data(protection: DataProtection) -> None:
    platform = DockerHost(name="shop", data_protection=protection)
    recorder = made(args("docker", **{**FULL, "platform": platform}))
    protected = [one.name for one in recorder.made if one.options.get("protect")]
    kept = [one.name for one in recorder.made if one.options.get("retainOnDelete")]
    assert protected == ([] if protection is DataProtection.NONE else ["web-uploads"])
    assert kept == (["web-uploads"] if protection is DataProtection.RETAIN else [])


def test_nginx_from_an_image_of_its_own_sees_the_document_root() -> None:
    other = "sha256:" + "2" * 64
    with_image = args("docker", nginx_image=other)
    recorder = made(with_image)
    release = release_name(with_image)
    nginx, php = (recorder.named(f"web-{release}-1{role}", "Container").inputs for role in ("", "-php"))
    assert nginx["image"] == other
    (volume,) = {mount["source"] for mount in nginx["mounts"] if mount["target"] == "/srv/shop/public"}
    assert volume in {mount["source"] for mount in php["mounts"] if mount["target"] == "/srv/shop/public"}


def test_url_and_release() -> None:
    outputs: dict[str, Any] = {}

    def program() -> None:
        web = AppCluster("web", args("docker"))
        pulumi.Output.all(url=web.url, release=web.release).apply(outputs.update)

    run_program(program)
    assert outputs == {"url": "https://shop.example.org", "release": release_name(args("docker"))}


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_the_releases_that_run_are_an_output(on: str) -> None:
    """What `tierstack release` goes on from: each description makes the same release again."""
    told: list[str] = []
    beside = other(on, weight=95, current=True, replicas=3)
    sticky = on == "docker"
    traffic = TrafficArgs(weight=5, current=False, replicas=1, others=[beside], sticky=sticky, progress={"step": "1"})
    of = args(on, **FULL, traffic=traffic)
    run_program(lambda: AppCluster("web", of).releases.apply(told.append))
    state = json.loads(told[0])
    old, new = state["releases"]
    assert (new["name"], state["described"]) == (release_name(of), release_name(of))
    assert [(one["weight"], one["current"], one["replicas"], one["drain"]) for one in (old, new)] == [
        (95, True, 3, False),
        (5, False, 1, False),
    ]
    assert (state["format"], state["sticky"], state["mirror"], state["progress"]) == (1, sticky, None, {"step": "1"})
    # What runs at this moment is no part of what it is.
    assert json.dumps(old["description"], sort_keys=True, separators=(",", ":")) == beside.description
    assert release_of(json.dumps(new["description"])).counts == of.described.counts


PROBE_TOKEN = "0123456789abcdef0123456789abcdef"


def everything_of_traffic(on: str, **changes: Any) -> AppClusterArgs:
    """An application in the middle of a release, with all that the proxy can do."""
    given: dict[str, Any] = {
        "weight": 0,
        "current": False,
        "replicas": 1,
        "others": [other(on, weight=100, current=True), other(on, "2", weight=0, drain=True)],
        "mirror": MirrorArgs(),
        "experiment": ExperimentArgs(cookie="beta"),
        "sticky": True,
        "probe_token": pulumi.Output.secret(PROBE_TOKEN),
    }
    if on == "kubernetes":
        given["others"][1].drain = False
        given |= {"mirror": None, "experiment": None, "sticky": False, "probe_token": None}
    return args(on, **FULL, traffic=TrafficArgs(**{**given, **changes}))


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_golden_of_several_releases(on: str) -> None:
    recorder = made(everything_of_traffic(on))
    golden(f"app-cluster-{on}-traffic.json", recorder.summary())
    assert PROBE_TOKEN not in str([one.inputs for one in recorder.made])


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_the_migration_is_that_of_the_arguments(on: str) -> None:
    """Before its release is current; and a release that is taken back runs none."""
    of = everything_of_traffic(on)
    (migration,) = [one for one in made(of).made if one.name.startswith("web-migrate")]
    assert release_name(of) in json.dumps(migration.inputs, default=str)
    back = {"replicas": 0, "mirror": None, "experiment": None}
    assert not [one for one in made(everything_of_traffic(on, **back)).made if one.name.startswith("web-migrate")]


def test_the_releases_of_an_image_that_is_known_later() -> None:
    told: list[str] = []
    image = given("kubernetes")["image"]
    of = args("kubernetes", image=pulumi.Output.from_input(image))
    run_program(lambda: AppCluster("web", of).releases.apply(told.append))
    (release,) = json.loads(told[0])["releases"]
    assert (release["name"], release["description"]["image"]) == (release_name(args("kubernetes")), image)


# Roles and connections --------------------------------------------------------------------------------------------

ROLES: dict[str, Any] = {
    "roles": {
        "mail": RoleArgs(command=["mail"], count=2, memory_mb=96, stop_seconds=30, environment={"QUEUE": "mail"}),
        "clock": RoleArgs(command=["clock"], single=True, health_command=["check"]),
        "off": RoleArgs(command=["off"], count=0),
    },
    "environment": {"QUEUE": "default"},
}


def test_roles_on_docker() -> None:
    of = args("docker", **ROLES)
    recorder = made(of)
    release = release_name(of)
    roles = {one.name: one for one in recorder.of_type("docker:index/container:Container") if "mail" in one.name}
    assert set(roles) == {f"web-{release}-mail-1", f"web-{release}-mail-2"}
    for one in roles.values():
        assert (one.inputs["memory"], one.inputs["stopTimeout"]) == (96, 30)
        assert "QUEUE=mail" in one.inputs["envs"]
        assert not one.options.get("deleteBeforeReplace")
    clock = recorder.named("web-clock", "Container")
    assert clock.options["deleteBeforeReplace"], "never two"
    assert "QUEUE=default" in clock.inputs["envs"]
    assert clock.inputs["healthcheck"]["tests"][-1] == "check"
    assert not [one.name for one in recorder.made if "off" in one.name]


def test_roles_on_kubernetes() -> None:
    recorder = made(args("kubernetes", **ROLES))
    mail, clock = (recorder.named(f"web-{name}", "Deployment").inputs["spec"] for name in ("mail", "clock"))
    assert (mail["replicas"], mail["strategy"]["type"]) == (2, "RollingUpdate")
    assert (clock["replicas"], clock["strategy"]) == (1, {"type": "Recreate"})
    (container,) = mail["template"]["spec"]["containers"]
    assert container["name"] == "mail"
    assert {"name": "QUEUE", "value": "mail"} in container["env"]
    assert mail["template"]["spec"]["terminationGracePeriodSeconds"] == 30
    assert mail["selector"]["matchLabels"]["app.kubernetes.io/component"] == "mail"
    assert not {"web-off", "web-mail-autoscaler", "web-clock-autoscaler"} & {one.name for one in recorder.made}


def test_roles_share_what_lets_keda_into_their_redis() -> None:
    def role(**queue: Any) -> RoleArgs:
        return RoleArgs(command=["w"], max_count=9, queue=QueueScaling(list_name="q", **queue))

    stores = {"jobs": redis("kubernetes", "jobs")}
    roles = {
        "worker": role(),
        "mail": role(keda_namespace="scaling"),
        "jobs": role(redis="jobs"),
        "cpu": RoleArgs(command=["w"], max_count=2),
    }
    recorder = made(args("kubernetes", roles=roles, more_redis=stores))
    scaled = recorder.of_type(":ScaledObject")
    asked = {one.name: one.inputs["spec"]["triggers"][0] for one in scaled}
    assert {name: one["authenticationRef"]["name"] for name, one in asked.items()} == {
        "web-worker-autoscaler": "web-queue",
        "web-mail-autoscaler": "web-queue",
        "web-jobs-autoscaler": "web-queue-jobs",
    }
    assert asked["web-jobs-autoscaler"]["metadata"]["address"] == "jobs.shop.svc:6379"
    names = [one.name for one in recorder.of_type(":TriggerAuthentication")]
    assert sorted(names) == ["web-queue-jobs-triggerauthentication", "web-queue-triggerauthentication"]
    policy = recorder.named("web-queue-networkpolicy").inputs["spec"]["ingress"][0]["from"]
    assert [one["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for one in policy] == [
        "keda",
        "scaling",
    ]
    assert recorder.named("web-cpu-autoscaler").inputs["kind"] == "HorizontalPodAutoscaler"


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_every_redis_has_variables_of_its_own(on: str) -> None:
    stores = {name: redis(on, name) for name in ("cache", "rate-limits")}
    of = args(on, **{**FULL, "more_redis": stores})
    recorder = made(of)
    if on == "docker":
        one = recorder.named(f"web-{release_name(of)}-worker-1", "Container").inputs
        plain = dict(entry.split("=", 1) for entry in one["envs"])
        assert [network["name"] for network in one["networksAdvanced"]][-3:] == [
            "shop-redis",
            "shop-cache",
            "shop-rate-limits",
        ]
        assert plain["REDIS_CACHE_CAFILE"] == "/run/tierstack/ca/redis-cache/ca.crt"
        assert "/run/tierstack/ca/redis-cache" in [mount["target"] for mount in one["mounts"]]
    else:
        pod = recorder.named("web-worker", "Deployment").inputs["spec"]["template"]
        env = pod["spec"]["containers"][0]["env"]
        plain = {entry["name"]: entry["value"] for entry in env if "value" in entry}
        secret = {entry["name"]: entry["valueFrom"]["secretKeyRef"]["name"] for entry in env if "valueFrom" in entry}
        assert secret["REDIS_CACHE_PASSWORD"] == "cache-password-secret"
        assert pod["metadata"]["labels"]["tierstack.dev/redis-client.cache"] == "true"
    assert (plain["REDIS_HOST"], plain["REDIS_CACHE_HOST"], plain["REDIS_RATE_LIMITS_HOST"]) == (
        "redis",
        "cache",
        "rate-limits",
    )
    names = processes.secret_names(of.application)
    assert [name for name in names if "REDIS" in name] == [
        "REDIS_CACHE_PASSWORD",
        "REDIS_PASSWORD",
        "REDIS_RATE_LIMITS_PASSWORD",
    ]


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_an_application_without_stores_has_none_of_their_variables(on: str) -> None:
    text = json.dumps(made(args(on, **{**FULL, "database": None, "redis": None})).summary())
    assert "DB_" not in text
    assert "REDIS_" not in text
    assert "PGSSL" not in text


# Kubernetes -------------------------------------------------------------------------------------------------------


def test_who_owns_the_replicas() -> None:
    scaled = made(args("kubernetes", **FULL))
    assert "replicas" not in scaled.named("web", "Deployment").inputs["spec"]
    assert scaled.named("web-autoscaler").inputs["spec"]["minReplicas"] == 2
    fixed = made(args("kubernetes", **{**FULL, "replicas": 3, "max_replicas": 3}))
    assert fixed.named("web", "Deployment").inputs["spec"]["replicas"] == 3
    assert "web-autoscaler" not in {one.name for one in fixed.made}


def test_the_order_on_kubernetes() -> None:
    recorder = made(args("kubernetes", **FULL))
    for one in recorder.of_type(":Deployment"):
        assert "web-migrate" in before(recorder, one.name)
    assert "web" in before(recorder, "web-route")
    for one in ("web-worker", "web-scheduler"):
        assert "web-route" in before(recorder, one), "a release that does not get ready takes no job"


def container(recorder: Recorder, name: str) -> dict[str, Any]:
    (found,) = [
        one
        for one in recorder.named("web", "Deployment").inputs["spec"]["template"]["spec"]["containers"]
        if one["name"] == name
    ]
    return found


def test_no_probe_asks_the_pool_that_does_the_work() -> None:
    recorder = made(args("kubernetes", **FULL))
    paths = {
        (name, kind): container(recorder, name)[kind]["httpGet"]
        for name, kind in (
            *(("nginx", kind) for kind in ("startupProbe", "readinessProbe", "livenessProbe")),
            *(("php", kind) for kind in ("startupProbe", "livenessProbe")),
        )
    }
    assert {asked["port"] for asked in paths.values()} == {server.PROBES}
    assert paths["nginx", "readinessProbe"]["path"] == server.READY
    assert {paths["php", kind]["path"] for kind in ("startupProbe", "livenessProbe")} == {server.PING}
    assert {paths["nginx", kind]["path"] for kind in ("startupProbe", "livenessProbe")} == {server.ALIVE}


def test_a_server_of_an_image_is_not_killed_for_being_busy() -> None:
    web = container(made(args("kubernetes", **{**FULL, **HTTP})), "web")
    assert web["readinessProbe"]["tcpSocket"] == {"port": "http"}
    start, living = web["startupProbe"], web["livenessProbe"]
    assert start["httpGet"]["path"] == FULL["health"].readiness_path
    assert start["periodSeconds"] * start["failureThreshold"] == 24 * 3600, "it gates a release, and kills nothing"
    assert living["periodSeconds"] * living["failureThreshold"] == 600
    apart = container(made(args("kubernetes", **{**FULL, **HTTP, "health": HealthArgs(port=2114)})), "web")
    for kind in ("readinessProbe", "livenessProbe"):
        assert (apart[kind]["httpGet"]["port"], apart[kind]["httpGet"]["path"]) == (2114, "/health")


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_nginx_sees_uploads_and_cannot_change_them(on: str) -> None:
    of = args(on, **FULL)
    if on == "docker":
        mounts = made(of).named(f"web-{release_name(of)}-1", "Container").inputs["mounts"]
        (found,) = [one["readOnly"] for one in mounts if one["target"] == "/srv/uploads"]
    else:
        mounts = container(made(of), "nginx")["volumeMounts"]
        (found,) = [one["readOnly"] for one in mounts if one["mountPath"] == "/srv/uploads"]
    assert found is True


OTHER_JOBS: dict[str, dict[str, Any]] = {
    "image": {"image": "registry.example.org/shop:2@sha256:" + "2" * 64},
    "command": {"migration": MigrationArgs(command=["other"])},
    "time": {"migration": MigrationArgs(command=["php", "bin/migrate"], timeout_seconds=5)},
    "variable": {"environment": {"APP_LOCALE": "id"}},
    "secret": {"secrets": {**FULL["secrets"], "ONE_MORE": "hunter2"}},
    "database": {"database": replace(database("kubernetes"), host="other-pooler", direct_host="other-rw")},
    "redis": {"redis": replace(redis("kubernetes"), host="other")},
    "uploads": {"uploads": None},
    "user": {"user": "33:33"},
}
"""Changes after which the Job of the migration is another one, or finds another world."""


@pytest.mark.parametrize("change", OTHER_JOBS)
def test_what_changes_the_migration_is_another_job(change: str) -> None:
    """The API server refuses a changed Job. A database of another name, above all, must be migrated."""

    def job(**changes: Any) -> str:
        return made(args("kubernetes", **{**FULL, **changes})).named("web-migrate").inputs["metadata"]["name"]

    assert job() == job()
    assert job() != job(**OTHER_JOBS[change])


def test_another_database_is_migrated_on_docker_too() -> None:
    def triggers(**changes: Any) -> dict[str, str]:
        return made(args("docker", **{**FULL, **changes})).named("web-migrate").inputs["triggers"]

    assert triggers() == triggers()
    assert triggers() != triggers(database=replace(database("docker"), direct_host="other"))


def test_pods_carry_the_labels_that_let_them_through() -> None:
    recorder = made(args("kubernetes", **FULL))

    def labels(name: str) -> dict[str, str]:
        return recorder.named(name, "batch" if "migrate" in name else "Deployment").inputs["spec"]["template"][
            "metadata"
        ]["labels"]

    for name in ("web", "web-worker", "web-scheduler", "web-migrate"):
        assert labels(name)["tierstack.dev/pooler-client.db"] == "true"
        assert labels(name)["tierstack.dev/redis-client.redis"] == "true"
        assert ("tierstack.dev/db-direct" in labels(name)) == (name == "web-migrate")


def test_pods_satisfy_the_restricted_standard() -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    for of in (args("kubernetes", **FULL), args("kubernetes", **{**FULL, **HTTP})):
        recorder = made(of)
        specs = [one.inputs["spec"]["template"]["spec"] for one in recorder.made if "template" in str(one.inputs)]
        assert len(specs) == 4
        for spec in specs:
            assert spec["securityContext"]["runAsNonRoot"] is True
            assert spec["securityContext"]["runAsUser"] == 10001
            assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            assert spec["automountServiceAccountToken"] is False
            for container in spec["containers"]:
                security = container["securityContext"]
                assert security["allowPrivilegeEscalation"] is False
                assert security["readOnlyRootFilesystem"] is True
                assert security["capabilities"] == {"drop": ["ALL"]}
                assert container["resources"]["limits"]["memory"] == container["resources"]["requests"]["memory"]


def test_rendered_files_have_no_secret_values() -> None:
    platform = Kubernetes(name="shop", render_to="out", secret_store="vault")
    recorder = made(args("kubernetes", **{**FULL, "platform": platform}))
    assert "the-app-key" not in json.dumps(recorder.summary())
    assert not recorder.of_type("core/v1:Secret")


def test_traefiks_own_kinds_only_with_traefik() -> None:
    from dataclasses import replace

    traefik = args("kubernetes")
    other = args("kubernetes", gateway=endpoint("kubernetes", kubernetes=replace(KUBERNETES, gateway_class="envoy")))
    filters = {
        kind: [one["type"] for one in made(of).named("web-route").inputs["spec"]["rules"][0]["filters"]]
        for kind, of in (("traefik", traefik), ("envoy", other))
    }
    assert filters == {
        "traefik": ["ResponseHeaderModifier", "ExtensionRef", "ExtensionRef"],
        "envoy": ["ResponseHeaderModifier"],
    }
    assert not made(other).of_type(":Middleware")
