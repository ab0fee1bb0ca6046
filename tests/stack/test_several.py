"""Several applications, databases and Redis instances in one stack."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from tests.stack.changes import put
from tests.support import Recorder, run_program
from tierstack import AppCluster, DatabaseWithReplicas, RedisCluster
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.memory import Phase
from tierstack.core.section import Section
from tierstack.engine.parts import addresses
from tierstack.engine.project import StackConfig
from tierstack.stack.check import StackReport, judge
from tierstack.stack.memory import host_memory, reserved
from tierstack.stack.plan import Plan
from tierstack.stack.program import build
from tierstack.stack.sections import SECTIONS

ROOT = Path(__file__).parents[2]
CASES = ROOT / "tests/cases/settings"
BASE: dict[str, Any] = yaml.safe_load((CASES / "base.yaml").read_text())
SEVERAL: dict[str, Any] = yaml.safe_load((CASES / "several.yaml").read_text())
WRONG: list[dict[str, Any]] = yaml.safe_load((CASES / "wrong_several.yaml").read_text())
KINDS = ("docker", "kubernetes")


def judged(base: dict[str, Any], **changes: Any) -> StackReport:
    config = copy.deepcopy(base)
    for path, value in changes.items():
        put(config, path.replace("__", "."), value)
    return judge(config, frozenset(), "test", "shop")


def plan(base: dict[str, Any], **changes: Any) -> Plan:
    report = judged(base, **changes)
    assert [str(one) for one in report.problems] == []
    assert report.plan
    return report.plan


def built(found: Plan) -> Recorder:
    return run_program(lambda: build(found.components))


def components(made: Recorder) -> set[str]:
    kinds = ((one.type.removeprefix("tierstack:index:"), one) for one in made.made)
    return {f"{kind} {one.name}" for kind, one in kinds if kind != one.type}


def variables(inputs: Any) -> Iterator[tuple[str, str]]:
    """Every environment variable in the inputs of a resource: `NAME=value`, or a map of name and value."""
    if isinstance(inputs, dict):
        found = cast(dict[str, Any], inputs)
        if isinstance(found.get("name"), str) and isinstance(found.get("value"), str):
            yield found["name"], found["value"]
        for value in found.values():
            yield from variables(value)
    elif isinstance(inputs, list):
        for value in cast(list[Any], inputs):
            yield from variables(value)
    elif isinstance(inputs, str) and "=" in inputs:
        name, _, value = inputs.partition("=")
        yield name, value


@pytest.mark.parametrize("kind", KINDS)
def test_the_base_of_the_cases_is_right(kind: str) -> None:
    plan(SEVERAL, platform__kind=kind)


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    config = copy.deepcopy(SEVERAL)
    for path, value in case["set"].items():
        put(config, path, value)
    return judge(config, frozenset(case.get("secret", [])), "test", "shop").problems


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["name"].replace(" ", "-"))
def test_wrong_configuration(case: dict[str, Any]) -> None:
    found = [str(one) for one in problems_of(case)]
    if "expect" in case:
        assert found == case["expect"]
    else:
        assert all(any(part in line for line in found) for part in case["contains"]), found


@pytest.mark.graph
@pytest.mark.parametrize("kind", KINDS)
def test_one_in_a_map_by_the_usual_name_is_the_one_of_the_short_form(kind: str) -> None:
    """A stack that grows writes what it has under its old name, and nothing of it is another resource."""
    config = copy.deepcopy(BASE)
    config["apps"] = {"web": config.pop("app")}
    config |= {"databases": {"db": {}}, "redis_instances": {"redis": {}}}
    short, many = (built(plan(one, platform__kind=kind)) for one in (BASE, config))
    assert many.summary() == short.summary()
    assert {"AppCluster web", "DatabaseWithReplicas db", "RedisCluster redis", "BackupSchedule backups"} <= components(
        short
    )


@pytest.mark.graph
@pytest.mark.parametrize("kind", KINDS)
def test_every_name_is_a_component_behind_one_gateway_with_one_certificate(kind: str) -> None:
    found = plan(SEVERAL, platform__kind=kind)
    made = components(built(found))
    assert made - {"ObjectStorage storage"} == {
        *("TLS tls", "Gateway gateway", "DNSRecords dns"),
        *("AppCluster shop", "AppCluster admin", "AppCluster reports"),
        *("DatabaseWithReplicas orders", "DatabaseWithReplicas warehouse"),
        *("BackupSchedule orders-backups", "BackupSchedule warehouse-backups"),
        *("RedisCluster queue", "RedisCluster cache"),
    }
    assert found.tls.hostnames == ["shop.example", "admin.shop.example", "reports.shop.example"]


@pytest.mark.graph
@pytest.mark.parametrize("kind", KINDS)
def test_an_application_gets_the_connections_that_it_names(kind: str) -> None:
    read: dict[str, set[str]] = {}
    for one in built(plan(SEVERAL, platform__kind=kind)).made:
        for name, host in variables(one.inputs):
            if name in ("DB_HOST", "REDIS_HOST", "REDIS_FAST_HOST"):
                read.setdefault(f"{one.name.partition('-')[0]} {name}", set()).add(host.partition("-")[0])
    assert read == {
        "shop DB_HOST": {"orders"},
        "admin DB_HOST": {"orders"},
        "reports DB_HOST": {"warehouse"},
        "shop REDIS_HOST": {"queue"},
        "shop REDIS_FAST_HOST": {"cache"},
        "admin REDIS_HOST": {"cache"},
    }


def test_images_of_a_section_override_those_of_all() -> None:
    found = plan(SEVERAL)
    assert {one.name: args.image for one, args in found.apps} == {
        "shop": SEVERAL["images"]["app"],
        "admin": SEVERAL["apps"]["admin"]["image"],
        "reports": SEVERAL["images"]["app"],
    }


def test_a_local_image_of_a_section_is_looked_up() -> None:
    config = copy.deepcopy(SEVERAL)
    config["databases"]["orders"]["image"] = "local:postgres:18"
    asked: list[str] = []

    def lookup(reference: str) -> str:
        asked.append(reference)
        return f"sha256:{'8' * 64}"

    found = judge(config, frozenset(), "test", "shop", lookup=lambda _: lookup).plan
    assert found
    assert asked == ["tierstack.local/postgres:18"]
    assert [args.image for _, args in found.databases] == [f"sha256:{'8' * 64}", SEVERAL["images"]["postgres"]]


def test_an_image_that_every_application_has_is_not_required_of_all() -> None:
    config = copy.deepcopy(SEVERAL)
    image = config["images"].pop("app")
    for app in config["apps"].values():
        app["image"] = image
    plan(config)


def test_the_proxy_waits_for_the_largest_body_and_the_slowest_answer_of_all() -> None:
    slow = {"apps__admin__http": {"request_timeout_seconds": 200}}
    assert plan(SEVERAL).gateway.read_timeout_seconds == 2048
    installed = judged(SEVERAL, platform__kind="kubernetes", addons={"mode": "install"}, **slow).plan
    assert installed
    addons = installed.addons
    assert addons
    assert (addons.read_timeout_seconds, addons.response_timeout_seconds, addons.stop_seconds) == (2048, 205, 200)


def test_a_setting_of_one_platform_is_laid_over_one_of_several() -> None:
    overlay = {"apps": {"shop": {"replicas": 4}}, "databases": {"orders": {"memory_mb": 4096}}}
    config = {**copy.deepcopy(SEVERAL), "docker": overlay}
    docker, kubernetes = plan(config), plan(config, platform__kind="kubernetes")
    assert [args.counts.replicas for _, args in docker.apps] == [4, 2, 2]
    assert [args.counts.replicas for _, args in kubernetes.apps] == [2, 2, 2]
    assert [args.size().memory_mb for _, args in docker.databases] == [4096, 2048]


@pytest.mark.graph
def test_memory_counts_the_containers_of_all() -> None:
    found = plan(SEVERAL)
    made = [one.inputs for one in built(found).of_type("docker:index/container:Container")]
    told = [one.memory_mb for one in reserved(found) for _ in range(one.count) if one.phase is not Phase.ONCE]
    assert sorted(told) == sorted(one["memory"] for one in made)
    assert host_memory(found).rest == sum(one["memory"] for one in made)


@pytest.mark.parametrize("kind", KINDS)
def test_the_picture_has_all_and_every_arrow_both_ends(kind: str) -> None:
    found = judged(SEVERAL, platform__kind=kind).topology()
    boxes = {node.id: node.title for node in found.nodes}
    assert len(boxes) == len(found.nodes)
    assert {end for edge in found.edges for end in (edge.source, edge.target)} == set(boxes)
    arrows = {(edge.source, edge.target) for edge in found.edges}
    assert {
        ("shop-web", "orders-pooler"),
        ("admin-web", "cache-redis"),
        ("shop-web", "cache-redis"),
        ("reports-web", "warehouse-pooler"),
    } <= arrows
    assert {("orders-primary", "orders-backups"), ("warehouse-primary", "warehouse-backups")} <= arrows
    assert not [edge for edge in found.edges if edge.source == "reports-web" and edge.target.endswith("redis")]
    assert boxes["admin-web"] == "admin: web"


def test_capacity_advice_and_notes_name_what_they_are_of() -> None:
    config = copy.deepcopy(SEVERAL)
    config["apps"]["admin"] |= {"redis": "queue", "replicas": 1}
    del config["apps"]["shop"]["more_redis"]
    report = judged(config)
    names = [limit.name for limit in report.capacity]
    assert {name.partition(": ")[0] for name in names} == {"shop", "admin", "reports"}
    assert [limit.requests_per_second for limit in report.capacity] == sorted(
        limit.requests_per_second for limit in report.capacity
    )
    unused = "redis_instances.cache: no application uses it; remove it, or name it as `redis` of one"
    alone = "apps.admin.replicas: a single web container is a pause at every release; write 2 or more"
    assert {unused, alone} <= {str(one) for one in report.findings()[0]}
    shared = "databases.orders: the capacity of each application that uses it assumes that the others rest"
    assert [note for note in report.notes if "assumes" in note] == [shared]


def test_an_application_without_a_database_has_no_limit_by_one() -> None:
    config = copy.deepcopy(SEVERAL)
    config["apps"]["reports"]["database"] = "none"
    names = [limit.name for limit in judged(config).capacity if limit.name.startswith("reports: ")]
    assert sorted(names) == ["reports: CPU of the web containers", "reports: PHP-FPM children"]


def test_the_name_of_the_only_one_may_be_written() -> None:
    plan(BASE, app__database="db", app__redis="redis")
    (problem,) = judged(BASE, app__database="dbb").problems
    assert problem.hint == "did you mean `db`?"


@pytest.mark.graph
@pytest.mark.parametrize(
    ("base", "names"), [(BASE, ["web"]), (SEVERAL, ["shop", "admin", "reports"])], ids=["one", "several"]
)
def test_outputs_have_an_address_for_each(
    base: dict[str, Any], names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: dict[str, Any] = {}
    monkeypatch.setattr("pulumi.export", outputs.__setitem__)
    built(plan(base))
    assert list(outputs["urls"]) == names
    assert ("url" in outputs) is (len(names) == 1)


def test_health_asks_every_address() -> None:
    apps = {"shop": {"health": {"readiness_path": "/ready"}}, "admin": {}}
    urls = {"shop": "https://shop.example", "admin": "https://admin.shop.example"}
    config = StackConfig({}, {"apps": apps}, frozenset())
    assert addresses({"urls": urls}, config) == {urls["shop"]: "/ready", urls["admin"]: None}
    config = StackConfig({}, {"app": apps["shop"]}, frozenset())
    assert addresses({"url": urls["shop"], "urls": {"web": urls["shop"]}}, config) == {urls["shop"]: "/ready"}
    assert addresses({"url": "ftp://x"}, config) == addresses({}, config) == {}


@pytest.mark.graph
def test_alert_rules_of_several_backups_are_one_file(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Any] = []

    def export(name: str, value: Any) -> None:
        if name == "backup_alert_rules":
            value.apply(lambda text: read.append(yaml.safe_load(text)))

    monkeypatch.setattr("pulumi.export", export)
    built(plan(SEVERAL))
    assert [group["name"] for group in read[0]["groups"]] == ["shop-test-orders-backups", "shop-test-warehouse-backups"]


@pytest.mark.parametrize(
    ("key", "component"), [("app", AppCluster), ("database", DatabaseWithReplicas), ("redis", RedisCluster)]
)
def test_the_longest_name_is_that_of_the_component(key: str, component: type[Any]) -> None:
    section: Section[Any] = next(one for one in SECTIONS if one.key == key)
    assert section.longest_name == min(component.names.docker, component.names.kubernetes)
    assert component.names.service, "names start with a letter"


def test_the_example_of_the_page_is_right() -> None:
    page = (ROOT / "docs/configuration.md").read_text()
    example = re.search(r"## Several applications\n\n```yaml\n(.*?)```", page, re.DOTALL)
    assert example
    config = {key.removeprefix("shop:"): value for key, value in yaml.safe_load(example[1])["config"].items()}
    assert set(plan(config).components.demands[0].hostnames) == {"shop.example", "www.shop.example"}


@pytest.mark.graph
def test_every_application_with_uploads_has_backups_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    outputs: dict[str, Any] = {}
    monkeypatch.setattr("pulumi.export", outputs.__setitem__)
    given: dict[str, Any] = {"file_backups": {"keep": {"daily": 30}}, "images__restic": "local:restic:0.18"}
    one = plan(SEVERAL, platform__kind="docker", apps__shop__uploads={"path": "/srv/uploads"}, **given)
    made = built(one)
    assert {name for name in components(made) if name.startswith("FileBackups")} == {"FileBackups shop-files"}
    sources = [mount["source"] for mount in made.named("shop-files-restic", "Container").inputs["mounts"]]
    assert f"{one.platform.name}-shop-uploads" in sources
    assert {"backup_alert_rules", "repository_passwords"} <= outputs.keys()
    # A bucket that only files go to is one that is used.
    given["images__versitygw"] = "local:versitygw:1.8"
    bucket = {"bucket": "shop-files", "self_hosted": True}
    stored = plan(SEVERAL, platform__kind="docker", apps__shop__uploads={"path": "/srv/uploads"}, backups=None, **given,
                  object_storage=bucket)  # fmt: skip
    assert "shop-files-prune" in {one.name for one in built(stored).of_type(":Container")}
