"""The loader: what a caller may hand over, what becomes of it, and what is said of the rest."""

import asyncio
import dataclasses
import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.core.samples import Inner, Sample
from tierstack.core.arguments import load
from tierstack.core.checked import checked
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.core.tier import Tier
from tierstack.links import SecretRef
from tierstack.platform import DockerHost, Kubernetes, Platform, PlatformKind

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases" / "core" / "shapes.yaml").read_text())


def problems_of(cls: type[Any], given: object) -> list[Diagnostic]:
    return load(cls, given)[1]


@pytest.mark.parametrize("case", CASES["wrong"], ids=lambda case: f"{case['field']}={case['given']}")
@pytest.mark.parametrize("form", ["dict", "object"])
def test_wrong_shapes(case: dict[str, Any], form: str) -> None:
    values = {"name": "shop", case["field"]: case["given"]}
    (found,) = problems_of(Sample, values if form == "dict" else Sample(**values))
    assert str(found) == case.get("path", case["field"]) + case["says"]


def test_every_wrong_shape_is_said_at_once_with_what_the_rules_say_of_the_rest() -> None:
    wrong = {"tier": "10k", "count": 0, "share": "x", "hostnams": [], "inner": {"size": None}}
    with pytest.raises(ArgumentError) as raised:
        checked(Sample, wrong, 'Sample "shop"')
    assert str(raised.value).split("\n") == [
        'Sample "shop": 6 problems',
        "  hostnams: is not a known key; did you mean `hostnames`? [unknown-key]",
        "  name: is required; write a text [missing-key]",
        "  tier = '10k': is not a choice; write one of `100k`, `1M` [not-a-choice]",
        "  share = 'x': is a text; write a number [wrong-type]",
        "  inner.size: is empty; write a whole number [wrong-type]",
        "  count = 0: must be at least 1; write a number from 1 to 50 [out-of-range]",
    ]


def test_rules_are_all_said_at_once() -> None:
    with pytest.raises(ArgumentError) as raised:
        checked(Sample, {"name": "shop", "count": 0, "share": 1.5}, "Sample")
    assert [str(one) for one in raised.value.problems] == [
        "count = 0: must be at least 1; write a number from 1 to 50",
        "share = 1.5: must be at most 1; write a number from 0 to 1",
    ]


@pytest.mark.parametrize("args", [None, [], "shop", 3])
def test_no_args_object_at_all(args: object) -> None:
    (found,) = problems_of(Sample, args)
    assert found.message == "is not a Sample"


def test_an_object_of_another_class_is_refused() -> None:
    (found,) = problems_of(Sample, Inner(size=1))
    assert found.message == "is not a Sample"


def test_an_args_object_that_is_right_is_handed_on_as_it_is() -> None:
    args = Sample(name="shop")
    loaded, problems = load(Sample, args)
    assert problems == []
    assert loaded == args


def test_a_dict_inside_an_args_object() -> None:
    loaded, problems = load(Sample, Sample(name="shop", inner={"size": 2.0}))  # type: ignore[arg-type]
    assert problems == []
    assert loaded == Sample(name="shop", inner=Inner(size=2))


def test_the_caller_s_object_is_not_changed() -> None:
    args = Sample(name="shop", tier="1M", inners=[{"size": 1}])  # type: ignore[arg-type, list-item]
    before = dataclasses.asdict(args)
    load(Sample, args)
    assert dataclasses.asdict(args) == before


def test_a_key_that_is_no_text() -> None:
    (found,) = problems_of(Sample, {"name": "shop", 3: 4})
    assert str(found).startswith("3: is not a known key; known keys: count, cpu,")


@pytest.mark.parametrize("platform", [DockerHost(name="shop"), Kubernetes(name="shop", render_to="out")])
def test_a_platform_keeps_its_class(platform: Platform) -> None:
    assert load(Platform, platform) == (platform, [])
    assert type(load(Platform, platform)[0]) is type(platform)


def test_a_platform_from_a_dict() -> None:
    loaded, problems = load(Platform, {"kind": "kubernetes", "name": "shop", "renderTo": "out"})
    assert problems == []
    assert loaded == Platform(kind=PlatformKind.KUBERNETES, name="shop", render_to="out")


class TestLateValues:
    """Outputs may stand where the annotation is Input, and nowhere else."""

    @pytest.mark.parametrize("field", ["late", "many_late", "secrets"])
    def test_where_they_may(self, field: str) -> None:
        late = pulumi.Output.from_input("x")
        value: Any = {"late": late, "many_late": [late, "y"], "secrets": {"KEY": late}}[field]
        loaded, problems = load(Sample, {"name": "shop", field: value})
        assert problems == []
        kept = getattr(loaded, field)
        assert (kept if field == "late" else kept[0] if field == "many_late" else kept["KEY"]) is late

    def test_an_awaitable_is_an_input_too(self) -> None:
        async def later() -> str:
            return "x"

        waiting = later()
        assert load(Sample, {"name": "shop", "late": waiting})[1] == []
        asyncio.new_event_loop().run_until_complete(waiting)

    @pytest.mark.parametrize("field", ["name", "count", "share", "tier", "hostnames", "environment", "inner"])
    def test_where_they_may_not(self, field: str) -> None:
        (found,) = problems_of(Sample, {"name": "shop", field: pulumi.Output.from_input("x")})
        assert found.path == field
        assert found.message == "is known only during the update, but shapes the graph"
        assert found.hint.endswith("that is known at preview")

    def test_inside_a_plain_list(self) -> None:
        (found,) = problems_of(Sample, {"name": "shop", "hostnames": ["a", pulumi.Output.from_input("b")]})
        assert found.path == "hostnames[1]"


def test_no_secret_is_ever_shown() -> None:
    """Whatever is wrong around a secret, its value is not in the message."""
    for wrong in (
        {"secrets": {"KEY": ["hunter2"]}},
        {"secrets": ["hunter2"]},
        {"password": "hunter2"},
        {"password": {"value": ["hunter2"]}},
        {"password": {"value": {"a": "hunter2"}}},
    ):
        with pytest.raises(ArgumentError) as raised:
            checked(Sample, {"name": "shop", **wrong}, "Sample")
        assert "hunter2" not in str(raised.value)
        assert "(hidden)" in str(raised.value)


names = st.text(min_size=0, max_size=20)
samples = st.builds(
    Sample,
    name=names,
    tier=st.sampled_from(Tier),
    count=st.none() | st.integers(-(2**40), 2**40),
    share=st.floats(allow_nan=False, allow_infinity=False),
    enabled=st.booleans(),
    hostnames=st.lists(names, max_size=3),
    environment=st.none() | st.dictionaries(names, names, max_size=3),
    inner=st.none() | st.builds(Inner, size=st.integers(0, 9), names=st.lists(names, max_size=2)),
    inners=st.lists(st.builds(Inner, size=st.integers(0, 9)), max_size=2),
    max_open_files=st.integers(0, 10**6),
    late=st.none() | names,
    many_late=st.none() | st.lists(names, max_size=2),
    password=st.none() | st.builds(SecretRef, value=st.none() | names, secret_name=st.none() | names),
    secrets=st.none() | st.dictionaries(names, names, max_size=2),
)


def camel(key: str) -> str:
    head, *tail = key.split("_")
    return head + "".join(word.title() for word in tail)


def as_the_host_hands_over(value: Any) -> Any:
    """camelCase keys of fields, enums as text, every number a float, absent for None."""
    if isinstance(value, Tier):
        return value.value
    if dataclasses.is_dataclass(value):
        pairs = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        return {camel(key): as_the_host_hands_over(entry) for key, entry in pairs.items() if entry is not None}
    if isinstance(value, dict):
        return {key: as_the_host_hands_over(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [as_the_host_hands_over(entry) for entry in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@given(samples)
def test_what_the_component_host_hands_over_gives_the_same_object(sample: Sample) -> None:
    assert load(Sample, as_the_host_hands_over(sample)) == (sample, [])


@given(samples)
def test_an_object_and_its_dict_give_the_same(sample: Sample) -> None:
    assert load(Sample, sample) == (sample, [])
    assert load(Sample, dataclasses.asdict(sample)) == (sample, [])


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9) | st.integers(), inner, max_size=3),
    max_leaves=9,
)


@given(st.dictionaries(st.sampled_from([f.name for f in dataclasses.fields(Sample)]) | st.text(), anything))
def test_nothing_makes_the_loader_stumble(values: dict[str, Any]) -> None:
    """Either an object of the class, or problems that can be shown; never an exception of its own."""
    loaded, problems = load(Sample, values)
    assert isinstance(loaded, Sample) == (not problems)
    assert all(str(one) for one in problems)


@given(st.sampled_from([f.name for f in dataclasses.fields(Sample)]), st.integers(0, 30))
def test_a_slip_of_one_letter_is_understood(key: str, at: int) -> None:
    slip = key[: at % len(key)] + key[at % len(key) + 1 :]
    fields = {field.name for field in dataclasses.fields(Sample)}
    if slip in fields or len(slip) < 4:
        return
    (found,) = [one for one in problems_of(Sample, {"name": "shop", slip: None}) if one.path == slip]
    assert json.dumps(found.hint).startswith('"did you mean `')
