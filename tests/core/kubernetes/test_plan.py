"""What a component plans is registered in its order, each object after those that it names."""

import pulumi
import pytest

from tests.support import Recorder, run_program
from tierstack import Kubernetes
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.gitops import WAVE, Step
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.plan import Planned, in_order, manifests, with_labels

pytestmark = pytest.mark.graph
SHOP, RENDERED = Kubernetes(name="shop"), Kubernetes(name="shop", render_to="out")


def one(name: str, **more: str) -> Manifest:
    return manifest("v1", "Service", name, {"selector": {}}, **more)


def applied(plan: list[Planned], platform: Kubernetes = SHOP, step: Step | None = None) -> Recorder:
    def program() -> None:
        root = pulumi.ComponentResource("test:index:Root", "root")
        made = cluster(platform).apply(root, plan, step=step)
        assert list(made) == [planned.name for planned in plan]

    return run_program(program)


def test_an_object_waits_for_those_that_it_names_and_for_no_other() -> None:
    made = applied([Planned("a", one("a")), Planned("b", one("b")), Planned("c", one("c"), ("b",))])
    assert made.named("b").depends_on == ["shop-namespace"]
    assert made.named("c").depends_on == ["b", "shop-namespace"]


def test_what_comes_later_cannot_be_waited_for() -> None:
    with pytest.raises(KeyError, match="b"):
        applied([Planned("a", one("a"), ("b",)), Planned("b", one("b"))])


def test_in_order_each_waits_for_all_before_it() -> None:
    plan = in_order({name: one(name) for name in ("a", "b", "c")})
    assert [(planned.name, planned.after) for planned in plan] == [("a", ()), ("b", ("a",)), ("c", ("a", "b"))]


def test_data_timeout_and_options_reach_the_engine() -> None:
    made = applied([Planned("a", one("a"), data=True, timeout="20m", options={"ignore_changes": ["spec"]})])
    options = made.named("a").options
    assert options["protect"] is True
    assert options["customTimeouts"]["create"] == "20m"
    assert options["ignoreChanges"] == ["spec"]


def test_its_own_step_comes_before_that_of_all() -> None:
    made = applied([Planned("a", one("a")), Planned("b", one("b"), step=Step.MIGRATION)], RENDERED, Step.DATA)
    waves = {name: made.named(name).inputs["metadata"]["annotations"][WAVE] for name in ("a", "b")}
    assert waves == {"a": str(Step.DATA.value), "b": str(Step.MIGRATION.value)}


def test_an_object_s_own_labels_win() -> None:
    given = manifest("v1", "Service", "a", {}, labels={"part": "own"})
    labels = manifests(with_labels([Planned("a", given)], {"part": "all", "of": "shop"}))["a"]["metadata"]["labels"]
    assert labels == {"part": "own", "of": "shop"}
    assert given["metadata"]["labels"] == {"part": "own"}, "the caller's manifest is not changed"
