"""What exists cannot become anything else: the state is what the builders register, so that both stay in step."""

import copy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from tests.stack.changes import put
from tests.support import Recorder, refused, run_program
from tierstack import DatabaseWithReplicas, RedisCluster
from tierstack.core.before import Before
from tierstack.core.diagnostics import Diagnostic
from tierstack.platform import Kubernetes, own_state
from tierstack.stack.check import StackReport, judge
from tierstack.stack.program import build

pytestmark = pytest.mark.graph

FOLDER = Path(__file__).parent.parent / "cases" / "settings"
BASE: dict[str, Any] = yaml.safe_load((FOLDER / "base.yaml").read_text())
CASES: list[dict[str, Any]] = yaml.safe_load((FOLDER / "changes.yaml").read_text())


def configuration(platform: str, *changes: dict[str, Any]) -> dict[str, Any]:
    """The base, applied to a cluster or a Docker host."""
    found = copy.deepcopy(BASE)
    for path in ("kubernetes.platform.render_to", "kubernetes.object_storage", "backups"):
        put(found, path, None)
    put(found, "platform.kind", platform)
    for one in changes:
        for path, value in one.items():
            put(found, path, value)
    return found


def state_of(made: Recorder) -> dict[str, Any]:
    """What the program registered, as `own_state.resources` gives it for the next run."""
    return {one.urn: {"type": one.type, "outputs": one.outputs or one.inputs} for one in made.made}


def judged(config: dict[str, Any], before: Before | None = None) -> StackReport:
    return judge(config, frozenset(), "test", "shop", before=lambda: before or Before())


def made_from(config: dict[str, Any]) -> Before:
    plan = judged(config).plan
    assert plan
    return Before(state_of(run_program(lambda: build(plan.components))))


def report_of(case: dict[str, Any]) -> StackReport:
    made = case.get("made", {})
    before = made_from(configuration(case["platform"], made))
    assert before.resources
    return judged(configuration(case["platform"], made, case.get("set", {})), before)


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    return report_of(case).problems


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"].replace(" ", "-"))
def test_a_change(case: dict[str, Any]) -> None:
    found = problems_of(case)
    assert [one.code for one in found] == case.get("codes", [])
    said = [str(one) for one in found]
    if "contains" in case:
        assert all(any(part in line for line in said) for part in case["contains"]), said
    else:
        assert said == case.get("says", [])


def test_what_is_accepted_is_listed_and_not_called_unused() -> None:
    (case,) = (one for one in CASES if one["name"] == "a database that was renamed by hand")
    shown, ignored = report_of(case).findings()
    assert [(one.diagnostic.code, one.reason) for one in ignored] == [("database-renamed", "ALTER DATABASE was run")]
    assert "ignore-unused" not in {one.code for one in shown}


def test_what_nobody_could_compare_is_not_called_unused() -> None:
    config = configuration("docker", {"ignore": {"database-renamed": "by hand"}})
    assert "ignore-unused" not in {one.code for one in judged(config).findings()[0]}
    before = made_from(configuration("docker"))
    assert "ignore-unused" in {one.code for one in judged(config, before).findings()[0]}


def test_nothing_is_compared_where_manifests_are_rendered() -> None:
    config = configuration("kubernetes", {"platform.render_to": "out"})

    def unasked() -> Before:
        raise AssertionError("the state of a rendered stack is thrown away")

    assert judge(config, frozenset(), "test", "shop", before=unasked).problems == []


# --- In a program of one's own, which has no `ignore`.

PLATFORM = Kubernetes(name="shop")
DIGEST = "0" * 64


def database(**changes: Any) -> DatabaseWithReplicas:
    image = f"registry.example/postgresql:17.6@sha256:{DIGEST}"
    args: Any = {"platform": PLATFORM, "tier": "100k", "image": image, **changes}
    return DatabaseWithReplicas("db", args)


def before_program(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> None:
    state = state_of(run_program(lambda: database(**changes)))
    monkeypatch.setattr(own_state, "resources", lambda: state)


def test_a_component_refuses_before_anything_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    before_program(monkeypatch, storage_gb=50)
    error = refused(lambda: database(storage_gb=20))
    assert error.subject == 'DatabaseWithReplicas "db"'
    assert [(one.code, one.path) for one in error.problems] == [("volume-shrinks", "storage_gb")]
    assert run_program(lambda: database(storage_gb=60)).made


def test_a_component_warns_of_what_may_have_been_prepared_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    before_program(monkeypatch)
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, *_: said.append(message))
    assert run_program(lambda: database(database="other")).made
    assert ["database-renamed" in one for one in said] == [True]


def test_another_component_of_that_name_is_none_of_its_business(monkeypatch: pytest.MonkeyPatch) -> None:
    before_program(monkeypatch, storage_gb=50)
    args: Any = {"platform": PLATFORM, "tier": "100k", "image": f"valkey@sha256:{DIGEST}", "storage_gb": 4}
    assert run_program(lambda: RedisCluster("db", args)).made
