"""The base of every component: checked first, registered then, outputs last."""

import pulumi
import pytest

from tests.core.samples import Sample
from tests.support import refused, run_program
from tierstack.platform.component import Component, merged, token

pytestmark = pytest.mark.graph


class Shop(Component):
    """A component with one child."""

    url: pulumi.Output[str]
    size: pulumi.Output[float]

    def __init__(self, name: str, args: Sample, opts: pulumi.ResourceOptions | None = None) -> None:
        args = self.begin(name, args, Sample, opts)
        pulumi.CustomResource("test:index:Child", f"{name}-child", {"count": args.count}, self.child(protect=True))
        self.finish({"url": pulumi.Output.concat("https://", args.name), "size": args.count})


def test_tokens() -> None:
    assert token("AppCluster") == "tierstack:index:AppCluster"


@pytest.mark.parametrize("args", [Sample(name="a", count=2), {"name": "a", "count": 2.0}], ids=["object", "dict"])
def test_a_component_registers_itself_its_child_and_its_outputs(args: Sample) -> None:
    made = run_program(lambda: Shop("shop", args))
    assert made.names() == {"shop": "tierstack:index:Shop", "shop/shop-child": "test:index:Child"}
    assert made.named("shop-child").inputs == {"count": 2}
    assert made.named("shop-child").options["protect"]
    assert made.named("shop").outputs == {"url": "https://a", "size": 2}


def test_outputs_are_attributes() -> None:
    found: list[object] = []
    run_program(lambda: Shop("shop", Sample(name="a", count=2)).url.apply(found.append))
    assert found == ["https://a"]


@pytest.mark.parametrize("args", [Sample(name="a", count=0), {"name": 5}, {"nam": "a"}, None], ids=str)
def test_nothing_is_registered_when_something_is_wrong(args: Sample) -> None:
    assert str(refused(lambda: Shop("shop", args))).startswith('Shop "shop": ')


def test_options_are_laid_over_each_other_without_changing_either() -> None:
    base, extra = pulumi.ResourceOptions(protect=True), pulumi.ResourceOptions(version="1.2.3")
    both = merged(base, extra)
    assert (both.protect, both.version) == (True, "1.2.3")
    assert (base.version, extra.protect) == (None, None)
    assert merged(base, None).protect


def test_the_caller_s_options_reach_the_component() -> None:
    def program() -> None:
        outer = pulumi.ComponentResource("test:index:Outer", "outer")
        Shop("shop", Sample(name="a", count=2), pulumi.ResourceOptions(parent=outer, protect=True))

    made = run_program(program)
    assert made.named("shop").parent == "outer"
    assert made.named("shop").options["protect"]
