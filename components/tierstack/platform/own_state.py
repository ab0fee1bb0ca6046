"""What the stack's own state had when the run began: the one way to tell what is this stack's from what is not."""

from typing import Any

import grpc
import pulumi
from google.protobuf import json_format, struct_pb2
from pulumi.runtime import rpc
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import get_monitor

from tierstack.platform.shared import once_per_run

_TOKEN = "pulumi:pulumi:readStackResourceOutputs"


def stack_name() -> str:
    """The stack's name with organization and project."""
    return f"{pulumi.get_organization()}/{pulumi.get_project()}/{pulumi.get_stack()}"


def resources() -> dict[str, Any] | None:
    """URN → {"type", "outputs"} of every resource in the state; None where nobody answers, as under mocks."""
    return once_per_run(lambda _: _resources(), "own state")


def _resources() -> dict[str, Any] | None:
    """Ask for them.

    The monitor is asked directly: an invoke of the SDK would wait for it, and let what is registered already go on.
    """
    monitor: Any = get_monitor()
    said = ""
    for name in (stack_name(), pulumi.get_stack()):  # the second: a backend of files from before projects had a place
        arguments = struct_pb2.Struct()
        arguments.update({"stackName": name})
        try:
            answer = monitor.Invoke(resource_pb2.ResourceInvokeRequest(tok=_TOKEN, args=arguments))
        except grpc.RpcError as error:
            said = str(error)
            continue
        found: Any = json_format.MessageToDict(getattr(answer, "return")).get("outputs")
        return {urn: _shown(one) for urn, one in found.items()} if found is not None else None
    pulumi.log.warn(f"what this stack has made cannot be read, so its owner is not checked: {said}")
    return None


def _shown(resource: dict[str, Any]) -> dict[str, Any]:
    """A resource without its secrets: names and ids are none."""
    outputs = {key: value for key, value in resource["outputs"].items() if not _is_secret(value)}
    return {"type": resource["type"], "outputs": outputs}


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and value.get(rpc._special_sig_key) == rpc._special_secret_sig  # pyright: ignore
