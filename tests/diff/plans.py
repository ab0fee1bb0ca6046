"""Plans for tests, written as briefly as a case says them, and read the way that real ones are."""

import copy
import json
from collections.abc import Mapping, Sequence
from typing import Any

from tierstack.diff.manifests import compared
from tierstack.diff.model import Plan
from tierstack.diff.preview import read

State = dict[str, Any]
STACK = "urn:pulumi:prod::shop::pulumi:pulumi:Stack::shop-prod"


def urn(type_: str, name: str, parent: str = "") -> str:
    """The URN of a resource; `parent`: type and name of a component, with `::` between."""
    above = f"{parent.partition('::')[0]}$" if parent else ""
    return f"urn:pulumi:prod::shop::{above}{type_}::{name}"


def state(type_: str, name: str, inputs: Mapping[str, Any], parent: str = "", **more: Any) -> State:
    """A resource as a step of a preview has it."""
    above = f"urn:pulumi:prod::shop::{parent}" if parent else STACK
    custom = "/" in type_ or not type_.startswith("tierstack:")
    return {
        "urn": urn(type_, name, parent),
        "type": type_,
        "custom": custom,
        "parent": above,
        "inputs": dict(inputs),
        **more,
    }


def steps(
    type_: str,
    name: str = "it",
    operation: str = "update",
    old: Mapping[str, Any] | None = None,
    new: Mapping[str, Any] | None = None,
    *,
    options: Any = None,
    parent: str = "",
    order: Sequence[str] = (),
    **more: Any,
) -> list[State]:
    """The steps of one resource. `options`: those before, or a pair; `order`: of what a replacement consists of."""
    before, after = options if isinstance(options, list) else (options or {}, options or {})
    one: State = {"op": operation, "urn": urn(type_, name, parent), "detailedDiff": None, **more}
    if operation != "create":
        one["oldState"] = state(type_, name, old or {}, parent, **before)
    if operation != "delete":
        one["newState"] = state(type_, name, old or {} if new is None else new, parent, **after)
    return [{**copy.deepcopy(one), "op": each} for each in order or [operation]]


def document(
    *groups: list[State],
    same: int = 0,
    diagnostics: Sequence[State] = (),
    outputs: Sequence[Mapping[str, Any]] = (),
) -> State:
    """What `pulumi preview --json` prints; `outputs` of the stack before and afterwards, which only events have."""
    root = {"op": "same", "urn": STACK, "newState": {"urn": STACK, "type": "pulumi:pulumi:Stack", "custom": False}}
    return {
        "steps": [root, *(step for group in groups for step in group)],
        "diagnostics": list(diagnostics),
        "changeSummary": {"same": same + 1},
        **({"stackOutputs": {"old": outputs[0], "new": outputs[1]}} if outputs else {}),
    }


def plan(*groups: list[State], **more: Any) -> Plan:
    """The plan of a preview with these steps."""
    return read(document(*groups, **more))


def manifest(type_: str, inputs: Mapping[str, Any] | None, name: str = "it") -> list[State]:
    """The manifest of a type token, or none."""
    if inputs is None:
        return []
    version, _, kind = type_.removeprefix("kubernetes:").rpartition(":")
    metadata = {"name": name, **(inputs.get("metadata") or {})}
    return [{"apiVersion": version.removeprefix("core/"), "kind": kind, **inputs, "metadata": metadata}]


def of_case(case: Mapping[str, Any]) -> Plan:
    """The plan that a case of tests/cases/diff describes."""
    if case.get("files"):
        return compared(manifest(case["type"], case.get("old")), manifest(case["type"], case.get("new")))
    given = {key: case[key] for key in ("operation", "old", "new", "options", "parent", "name") if key in case}
    if "outputs" in case:
        return plan(outputs=case["outputs"])
    beside = [steps(case["type"], "beside", "same", case["beside"])] if "beside" in case else []
    made = [steps(case["type"], case["made"], "create", new=case["old"])] if "made" in case else []
    return plan(steps(case["type"], order=case.get("steps", ()), **given), *beside, *made)


def trimmed(given: Mapping[str, Any]) -> State:
    """A preview without what no report reads and what another run gives another value: small enough to keep. Of what
    stays as it is, only what a rule looks at is kept, so sums are of what changes."""
    kept = ("type", "urn", "custom", "parent", "protect", "retainOnDelete", "inputs")
    staying = ("::pulumi:pulumi:Stack::", "::pulumi:providers:", ":NetworkPolicy::")
    found: list[State] = []
    for step in given["steps"]:
        if step["op"] == "same" and not any(one in step["urn"] for one in staying):
            continue
        one = {key: value for key, value in step.items() if key not in ("oldState", "newState", "provider")}
        for side in ("oldState", "newState"):
            if side in step:
                one[side] = {key: value for key, value in step[side].items() if key in kept}
                inputs = one[side].get("inputs", {})
                one[side]["inputs"] = {key: value for key, value in inputs.items() if not key.startswith("__")}
                if "renderYamlToDirectory" in inputs:
                    one[side]["inputs"]["renderYamlToDirectory"] = "manifests"
        found.append(one)
    diagnostics = [one for one in given.get("diagnostics", []) if one.get("severity") == "error"]
    kept_as_is = {key: given[key] for key in ("changeSummary", "stackOutputs") if key in given}
    return {"steps": found, "diagnostics": diagnostics, **kept_as_is}


def written(document: Mapping[str, Any]) -> str:
    """A preview as a file with a line for each step, so that a diff of it can be read."""
    rest = {key: value for key, value in document.items() if key != "steps"}
    steps = ",\n".join(json.dumps(step, ensure_ascii=False) for step in document["steps"])
    return f'{{"steps": [\n{steps}\n],\n{json.dumps(rest, ensure_ascii=False)[1:]}\n'
