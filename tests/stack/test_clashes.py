"""Names that two components of a stack would both have are told by a check, from what the builders ask for."""

import copy
import gc
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from tests.names.whole import PLATFORMS, shop
from tests.stack.changes import put
from tests.support import Recorder, _NoMocks, abandon, run_program
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.tier import Tier
from tierstack.platform.shared import current_run
from tierstack.stack import clashes
from tierstack.stack.check import StackReport, judge
from tierstack.stack.program import build

SEVERAL: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[1] / "cases" / "settings" / "several.yaml").read_text()
)
DATABASE: dict[str, Any] = {}
APP: dict[str, Any] = {
    "hostnames": ["more.shop.example"],
    "php": {"document_root": "/srv"},
    "database": "none",
    "redis": "none",
}
CASES: list[tuple[str, str, Any, str, str]] = [
    # The kind of platform, where, what, and what is said of which component.
    ("kubernetes", "databases.orders-pooler", DATABASE, "databases.orders-pooler", "ServiceAccount orders-pooler"),
    (
        "docker",
        "redis_instances.orders-pooler",
        {},
        "redis_instances.orders-pooler",
        "container shop-test-orders-pooler",
    ),
    ("kubernetes", "redis_instances.orders-pooler", {}, "redis_instances.orders-pooler", "Service orders-pooler"),
    ("kubernetes", "apps.orders-pooler", APP, "orders-pooler", "orders-pooler"),
    ("kubernetes", "apps.shop-worker", APP, "apps.shop-worker", "Deployment shop-worker"),
    ("kubernetes", "redis_instances.orders-rw", {}, "redis_instances.orders-rw", "Service orders-rw"),
    ("kubernetes", "apps.queue-node", APP, "queue-node", "Service queue-node"),
]


def config(kind: str, **changes: Any) -> dict[str, Any]:
    made = copy.deepcopy(SEVERAL)
    made["platform"]["kind"] = kind
    for path, value in changes.items():
        put(made, path, copy.deepcopy(value))
    return made


def judged(of: dict[str, Any]) -> StackReport:
    return judge(of, frozenset(), "test", "shop", shared_names=clashes.problems)


def clashing(report: StackReport) -> list[Diagnostic]:
    assert {one.code for one in report.problems} <= {"name-clash"}, [str(one) for one in report.problems]
    return report.problems


@pytest.mark.graph
@pytest.mark.parametrize(
    ("kind", "where", "what", "path", "name"), CASES, ids=lambda one: one if isinstance(one, str) else ""
)
def test_a_check_tells_them_with_a_path(kind: str, where: str, what: Any, path: str, name: str) -> None:
    found = clashing(judged(config(kind, **{where: what})))
    assert found
    assert any(path in one.path for one in found)
    assert any(name in one.message for one in found), [str(one) for one in found]


@pytest.mark.graph
@pytest.mark.parametrize("kind", ["docker", "kubernetes"])
@pytest.mark.parametrize(
    "changes",
    [{}, {"databases.pooled": DATABASE}, {"databases.orders-archive": DATABASE}, {"apps.shop-web": APP}],
    ids=lambda one: ", ".join(one) or "as it is",
)
def test_names_that_only_look_alike_are_none(kind: str, changes: dict[str, Any]) -> None:
    assert judged(config(kind, **changes)).problems == []


@pytest.mark.graph
def test_a_preview_tells_the_same_before_anything_is_registered(recwarn: pytest.WarningsRecorder) -> None:
    of = config("kubernetes", **{"databases.orders-pooler": DATABASE})
    found = clashing(judged(of))
    plan = judge(of, frozenset(), "test", "shop").plan
    assert plan
    recorder = Recorder()
    pulumi.runtime.set_mocks(_NoMocks(), monitor=recorder)
    with pytest.raises(pulumi.RunError) as raised:
        pulumi.runtime.test(lambda: build(plan.components))()
    abandon()
    assert all(str(one) in str(raised.value) for one in found)
    assert recorder.made == []
    gc.collect()  # a coroutine that nobody came to await is told of when it goes
    assert [str(one.message) for one in recwarn if one.category is RuntimeWarning] == []


@pytest.mark.graph
@pytest.mark.parametrize("platform", PLATFORMS.values(), ids=list(PLATFORMS))
@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.value)
def test_every_name_begins_with_that_of_its_component(platform: Any, tier: Tier) -> None:
    """So a check makes the components only where one name is another one with a suffix."""
    asked: list[Any] = []

    def program() -> None:
        shop(platform, tier)
        asked.append(current_run().asked)

    run_program(program)
    shared = f'platform "{platform.name}"'
    for name, (_, subject) in asked[0].owners.items():
        if subject == shared or name.place == "program":
            continue
        component = subject.partition('"')[2].rstrip('"')
        plain = name.name.removeprefix(f"{platform.name}-" if platform.kind.value == "docker" else "")
        # `data-` is what a StatefulSet calls the claims of its own pods, `keda-hpa-` what KEDA calls an autoscaler.
        plain = plain.removeprefix("data-").removeprefix("keda-hpa-")
        assert plain == component or plain.startswith((f"{component}-", f"{component}.")), (str(name), subject)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("names", "expected"),
    [(["web", "db", "redis", "tls"], False), (["orders", "orders-pooler"], True), (["orders", "orders2"], False)],
)
def test_the_builders_run_only_where_names_allow_a_clash(names: list[str], expected: bool) -> None:
    assert clashes.may_clash(names) is expected
