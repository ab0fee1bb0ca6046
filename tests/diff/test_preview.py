"""What the engine prints, as a plan."""

import json
from typing import Any

import pytest

from tests.diff import plans
from tierstack.diff.markdown import comment
from tierstack.diff.model import Operation, Plan, shown_path
from tierstack.diff.preview import UnreadableError, parsed, read
from tierstack.diff.report import report

CONTAINER = "docker:index/container:Container"
THING = "aws:x/thing:Thing"


def shapes(plan: Plan) -> list[tuple[str, str, dict[str, tuple[Any, Any]]]]:
    return [
        (one.operation.value, one.name, {shown_path(p.path): (p.old, p.new) for p in one.properties})
        for one in plan.changes
    ]


@pytest.mark.parametrize(
    ("order", "stops_first"),
    [
        (["delete-replaced", "replace", "create-replacement"], True),
        (["create-replacement", "replace", "delete-replaced"], False),
        (["replace"], None),
    ],
)
def test_the_steps_of_a_replacement_are_one_change(order: list[str], stops_first: bool | None) -> None:
    plan = plans.plan(plans.steps(THING, order=order, old={"a": 1}, new={"a": 2}, replaceReasons=["a"]))
    (change,) = plan.changes
    assert (change.operation, change.stops_first, change.reasons) == (Operation.REPLACE, stops_first, ("a",))
    assert change.properties[0].replaces


def test_two_with_one_name_cannot_be_there_at_once() -> None:
    (change,) = plans.plan(
        plans.steps(CONTAINER, operation="replace", old={"name": "x", "a": 1}, new={"name": "x", "a": 2})
    ).changes
    assert change.stops_first


@pytest.mark.parametrize(
    ("path", "forced"),
    [("a", "a"), ('b["x.y"]', 'b["x.y"]'), ("list[0].v", "list[web].v")],
)
def test_the_property_that_forces_a_replacement(path: str, forced: str) -> None:
    old = {"a": 1, "b": {"x.y": 1}, "list": [{"name": "web", "v": 1}], "other": 1}
    new = {"a": 2, "b": {"x.y": 2}, "list": [{"name": "web", "v": 2}], "other": 2}
    detailed = {path: {"kind": "update-replace"}, "other": {"kind": "update"}}
    (change,) = plans.plan(
        plans.steps(THING, operation="replace", old=old, new=new, detailedDiff=detailed, replaceReasons=[path[0]])
    ).changes
    assert [shown_path(one.path) for one in change.properties if one.replaces] == [forced]


def test_what_was_changed_by_hand_is_seen_after_a_refresh() -> None:
    one = plans.steps(CONTAINER, old={"memory": 512}, new={"memory": 512}, detailedDiff={"memory": {"kind": "update"}})
    one[0]["oldState"]["outputs"] = {"memory": 64, "id": "x"}
    assert shapes(plans.plan(one)) == [("update", "it", {"memory": (64, 512)})]


def test_a_replacement_whose_reason_the_plan_does_not_show() -> None:
    (change,) = plans.plan(
        plans.steps(THING, operation="replace", old={"a": 1}, new={"a": 1}, replaceReasons=["provider"])
    ).changes
    assert change.reasons == ("provider",)


@pytest.mark.parametrize(("outputs", "verdict"), [((), "no resource changes"), (({"a": 1}, {"a": 1}), "no changes")])
def test_a_plan_without_outputs_does_not_say_that_they_stay(outputs: Any, verdict: str) -> None:
    said = comment(report(plans.plan(outputs=outputs)))
    assert f"`prod`: {verdict}\n" in said
    assert ("outputs of the stack, which this form of a preview does not have" in said) == (not outputs)


ENDED = {
    "severity": "error",
    "message": "error: Detected that /x/pulumi-resource-a exited prematurely.\n  This is a bug",
}
CLOSING = {"severity": "error", "message": "error: rpc error: transport is closing"}


@pytest.mark.parametrize(
    ("said", "failed"),
    [
        pytest.param([ENDED], False, id="a plugin ended after the preview"),
        pytest.param([ENDED, CLOSING], True, id="calls failed because of it"),
        pytest.param([CLOSING], True, id="another error"),
    ],
)
def test_a_plugin_that_ends_early_is_a_failure_only_with_another_error(said: list[Any], failed: bool) -> None:
    plan = plans.plan(plans.steps(THING, old={"a": 1}, new={"a": 2}), diagnostics=said)
    assert bool(plan.errors) is failed
    assert failed or "exited prematurely" in plan.warnings[0]


def test_only_the_protection_changes() -> None:
    plan = plans.plan(plans.steps(THING, operation="same", options=[{"protect": True}, {}], old={"a": 1}, new={"a": 1}))
    assert shapes(plan) == [("update", "it", {"options.protect": (True, False)})]


def test_a_kubernetes_object_that_gitops_tools_keep() -> None:
    old = {"metadata": {"annotations": {"kustomize.toolkit.fluxcd.io/prune": "disabled"}}}
    (change,) = plans.plan(plans.steps("kubernetes:core/v1:Namespace", operation="delete", old=old)).changes
    assert change.retained


def test_noise_is_left_out_and_counted() -> None:
    plan = plans.plan(
        plans.steps("pulumi:providers:aws", "default_6_0_0", old={"region": "a"}, new={"region": "b"}),
        plans.steps(THING, "code", old={"__provider": "a"}, new={"__provider": "b"}),
        plans.steps(THING, "read", "read", old={"a": 1}),
        plans.steps(THING, "left", "delete-replaced", old={"a": 1}),
        same=7,
    )
    assert plan.changes == ()
    assert plan.unchanged_count == 7
    assert sum(plan.left_out.values()) == 4


def test_other_versions_of_default_providers_are_told() -> None:
    plan = plans.plan(
        plans.steps("pulumi:providers:aws", "default_6_0_0", "delete", old={"version": "6.0.0"}),
        plans.steps("pulumi:providers:aws", "default_7_0_0", "create", new={"version": "7.0.0"}),
        plans.steps("pulumi:providers:gcp", "default", old={"version": "8.1.0"}, new={"version": "8.2.0"}),
        plans.steps("pulumi:providers:tls", "default", "create", new={"version": "5.1.0"}),
    )
    assert [(one.kind, one.properties[0].old, one.properties[0].new) for one in plan.beside] == [
        ("aws", "6.0.0", "7.0.0"),
        ("gcp", "8.1.0", "8.2.0"),
    ]
    assert (plan.changes, dict(plan.left_out)) == ((), {"providers that the engine makes itself": 1})


def test_defaults_of_a_provider_are_no_change_beside_one() -> None:
    old = {"size": 1, "gone": 2, "given": 3, "__defaults": ["gone"]}
    new = {
        "size": 2,
        "more": 3,
        "given": 4,
        "rule": {"port": 80, "__defaults": ["port"]},
        "__defaults": ["more", "given"],
    }
    (change,) = plans.plan(plans.steps(THING, old=old, new=new)).changes
    assert {shown_path(one.path): one.derived for one in change.properties} == {
        "given": False,
        "gone": True,
        "more": True,
        "rule.port": True,
        "size": False,
    }
    forcing = {"more": {"kind": "add-replace"}}
    (change,) = plans.plan(plans.steps(THING, operation="replace", old=old, new=new, detailedDiff=forcing)).changes
    assert [(shown_path(one.path), one.derived) for one in change.properties if one.replaces] == [("more", False)]


def event(kind: str, **metadata: Any) -> str:
    return json.dumps({"sequence": 1, "timestamp": 2, kind: metadata})


def test_events_are_the_same_plan_with_the_outputs() -> None:
    """Events leave `custom` out where it is false, and call some keys otherwise."""
    shop = {"type": "a:x:Shop", "urn": "urn:pulumi:prod::shop::a:x:Shop::it", "parent": plans.STACK, "inputs": {}}
    urn = "urn:pulumi:prod::shop::a:x:Shop$b:y/z:Z::thing"
    state = {"type": "b:y/z:Z", "urn": urn, "custom": True, "parent": shop["urn"]}
    old, new = {**state, "inputs": {"a": 1}}, {**state, "inputs": {"a": 2}}
    stack = {"type": "pulumi:pulumi:Stack", "urn": plans.STACK}
    lines = [
        "Previewing update",
        event("resourcePreEvent", metadata={"op": "same", "urn": plans.STACK, "old": stack, "new": stack}),
        event("resourcePreEvent", metadata={"op": "same", "urn": shop["urn"], "old": shop, "new": shop}),
        event(
            "resourcePreEvent",
            metadata={
                "op": "replace",
                "urn": urn,
                "old": old,
                "new": new,
                "keys": ["a"],
                "detailedDiff": {"a": {"diffKind": "update-replace", "inputDiff": True}},
            },
        ),
        event(
            "resOutputsEvent",
            metadata={**stack, "old": {"outputs": {"u": "x"}}, "new": {"outputs": {"u": "y"}}},
        ),
        event("diagnosticEvent", prefix="<{%fg 1%}>warning: <{%reset%}>", message="old\n", severity="warning"),
        event("diagnosticEvent", message="Compiling", severity="info", ephemeral=True),
        event("summaryEvent", resourceChanges={"same": 2, "replace": 1}),
    ]
    plan = read(parsed("\n".join(lines)))
    assert [(one.operation, one.component.name, one.reasons) for one in plan.changes] == [
        (Operation.REPLACE, "it", ("a",))
    ]
    assert plan.changes[0].properties[0].replaces
    assert [shown_path(p.path) for one in plan.beside for p in one.properties] == ["outputs.u"]
    assert (plan.unchanged_count, plan.warnings, plan.stack) == (1, ("warning: old",), "prod")


def test_a_preview_that_failed_says_nothing_of_outputs() -> None:
    """The program ended before it handed out all of them."""
    failed = [{"severity": "error", "message": "broken"}]
    assert plans.plan(outputs=[{"a": 1}, {}], diagnostics=failed).beside == ()
    assert plans.plan(outputs=[{"a": 1}, {}]).beside != ()


def test_a_provider_of_the_program_is_no_noise() -> None:
    plan = plans.plan(plans.steps("pulumi:providers:kubernetes", "mine", old={"context": "a"}, new={"context": "b"}))
    assert len(plan.changes) == 1


def test_a_hash_that_follows_from_another_change_is_left_out_where_there_is_one() -> None:
    old = {"image": "a", "template": {"metadata": {"annotations": {"tierstack.dev/revision": "1"}}}}
    new = {"image": "b", "template": {"metadata": {"annotations": {"tierstack.dev/revision": "2"}}}}
    (change,) = plans.plan(plans.steps(THING, old=old, new=new)).changes
    assert {shown_path(one.path): one.derived for one in change.properties} == {
        "image": False,
        'template.metadata.annotations["tierstack.dev/revision"]': True,
    }


@pytest.mark.parametrize(
    ("urn", "parent", "component"),
    [
        pytest.param("a:x:App$b:y/z:Z::web-1", "urn:pulumi:prod::shop::a:x:App::web", "web", id="by its parent"),
        pytest.param(
            "a:x:App$b:y/z:Z$c:y/z:R::web-1-ready",
            "urn:pulumi:prod::shop::a:x:App$b:y/z:Z::web-1",
            "web",
            id="by a parent's parent",
        ),
        pytest.param(
            "a:x:App$b:y/z:Z$c:y/z:R::another-name",
            "urn:pulumi:prod::shop::a:x:App$b:y/z:Z::web-1",
            "web",
            id="by a parent's parent, whatever its name",
        ),
        pytest.param("b:y/z:Z::alone", plans.STACK, "", id="of none"),
    ],
)
def test_the_component_of_a_resource(urn: str, parent: str, component: str) -> None:
    """A parent that stays as it is is not in the plan: its name is in what it is the parent of."""
    known = {
        "op": "update",
        "urn": "urn:pulumi:prod::shop::a:x:App$b:y/z:Z::web-1",
        "oldState": {
            "urn": "urn:pulumi:prod::shop::a:x:App$b:y/z:Z::web-1",
            "type": "b:y/z:Z",
            "custom": True,
            "parent": "urn:pulumi:prod::shop::a:x:App::web",
            "inputs": {"q": 1},
        },
    }
    known["newState"] = {**known["oldState"], "inputs": {"q": 2}}
    state = {
        "urn": f"urn:pulumi:prod::shop::{urn}",
        "type": "b:y/z:Z",
        "custom": True,
        "parent": parent,
        "inputs": {"p": 1},
    }
    step = {"op": "delete", "urn": state["urn"], "oldState": state}
    plan = read({"steps": [known, step] if step["urn"] != known["urn"] else [step]})
    assert plan.changes[-1].component.name == component


def test_versions_in_names_are_one_resource_that_moves_on() -> None:
    labels = {"app": "web"}
    plan = plans.plan(
        plans.steps(
            "kubernetes:core/v1:ConfigMap",
            "web-config-be3e090b",
            "delete",
            {"metadata": labels, "data": {"a": "x\ny\n"}},
        ),
        plans.steps(
            "kubernetes:core/v1:ConfigMap",
            "web-config-e9ada351",
            "create",
            new={"metadata": labels, "data": {"a": "x\nz\n"}},
        ),
        plans.steps("kubernetes:core/v1:ConfigMap", "other-config", "create", new={"metadata": labels}),
    )
    made, moved = plan.changes
    assert (moved.operation, moved.name, moved.previous) == (
        Operation.REPLACE,
        "web-config-e9ada351",
        "web-config-be3e090b",
    )
    assert [one.lines for one in moved.properties] == [("-y", "+z")]
    assert made.operation is Operation.CREATE


@pytest.mark.parametrize("text", ["", "nothing", "[]", "{}", '{"a": 1}', "{broken"])
def test_what_is_no_preview(text: str) -> None:
    with pytest.raises(UnreadableError, match="pulumi preview --json"):
        parsed(text)


def test_lines_before_the_document_are_passed_over() -> None:
    assert parsed(f"Logging in\n{json.dumps(plans.document(), indent=2)}")["changeSummary"] == {"same": 1}


def test_messages_are_told_once_and_idle_ones_not() -> None:
    messages = [
        {"severity": "error", "message": "broken"},
        {"severity": "error", "message": "broken"},
        {"severity": "error", "message": "error: preview failed\n"},
        {"severity": "warning", "message": "using pulumi-resource-x from $PATH at /x"},
        {"severity": "warning", "message": "deprecated"},
        {"severity": "info", "message": "hello"},
    ]
    plan = plans.plan(diagnostics=messages)
    assert (plan.errors, plan.warnings) == (("broken",), ("deprecated",))
