"""Several components of one program from another language: one Construct call each, as the engine sends them.

The calls go through the SDK's own servicer, so that each has a connection of its own, as with a real engine.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.provider.server import ProviderServicer
from pulumi.runtime.proto import engine_pb2_grpc, errors_pb2, provider_pb2, resource_pb2, resource_pb2_grpc, status_pb2

import tierstack as ts
from tests.support import Recorder
from tierstack.component_host import ComponentHost
from tierstack.platform import claim

pytestmark = pytest.mark.graph
PLATFORM = {"kind": "kubernetes", "name": "shop", "context": "eu"}
IMAGE = "registry.example/valkey:8@sha256:" + "a" * 64


class Monitor(resource_pb2_grpc.ResourceMonitorServicer):
    """A resource monitor behind gRPC, which keeps what all connections register."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder

    def SupportsFeature(self, request: Any, context: Any) -> Any:
        return resource_pb2.SupportsFeatureResponse(hasSupport=request.id in ("secrets", "aliasSpecs"))

    def RegisterResource(self, request: Any, context: Any) -> Any:
        return self.recorder.RegisterResource(request)

    def RegisterResourceOutputs(self, request: Any, context: Any) -> Any:
        return self.recorder.RegisterResourceOutputs(request)


class Engine(engine_pb2_grpc.EngineServicer):
    """Takes the SDK's debug messages."""

    def Log(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()


class Refused(Exception):
    """What the servicer told the engine."""

    def __init__(self, status: Any) -> None:
        super().__init__(status.details)
        self.details = errors_pb2.InputPropertiesError()
        # The trailing metadata carries the error as the engine reads it.
        rich = status_pb2.Status.FromString(dict(status.trailing_metadata)["grpc-status-details-bin"])
        for detail in rich.details:
            detail.Unpack(self.details)


class Context:
    async def abort_with_status(self, status: Any) -> None:
        raise Refused(status)


def construct(calls: list[tuple[str, str, dict[str, Any]]], parallel: bool = False) -> Recorder:
    """What one program of these components registers."""
    recorder = Recorder()

    async def program() -> None:
        # One thread, because the recorder keeps one registration at a time.
        server = grpc.server(ThreadPoolExecutor(max_workers=1))
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(Monitor(recorder), server)
        engine_pb2_grpc.add_EngineServicer_to_server(Engine(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        host = ComponentHost([ts.RedisCluster])
        servicer = ProviderServicer(host, [], engine_address=f"127.0.0.1:{port}")

        async def one(kind: str, name: str, inputs: dict[str, Any]) -> None:
            request = provider_pb2.ConstructRequest(
                project="shop",
                stack="dev",
                type=f"tierstack:index:{kind}",
                name=name,
                parent="urn:pulumi:dev::shop::pulumi:pulumi:Stack::shop-dev",
                monitorEndpoint=f"127.0.0.1:{port}",
                inputs=struct_pb2.Struct(),
            )
            request.inputs.update(inputs)
            await asyncio.create_task(servicer.Construct(request, Context()))

        try:
            if parallel:
                await asyncio.gather(*(one(*call) for call in calls))
            else:
                for call in calls:
                    await one(*call)
        finally:
            server.stop(None)

    # A thread of its own: asyncio.run leaves the main one without an event loop, which other tests use.
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, program()).result()
    return recorder


def redis(name: str, **more: Any) -> tuple[str, str, dict[str, Any]]:
    return "RedisCluster", name, {"platform": PLATFORM, "image": IMAGE, **more}


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("target", ["context", "renderTo", ""])
def test_two_components_of_one_platform_share_provider_and_namespace(target: str, parallel: bool) -> None:
    platform = {"kind": "kubernetes", "name": "shop", **({target: "x"} if target else {})}
    made = construct([redis("queue", platform=platform), redis("cache", platform=platform)], parallel)
    assert [one.name for one in made.of_type(":Namespace")] == ["shop-namespace"]
    assert [one.name for one in made.of_type("providers:kubernetes")] == (["shop-kubernetes"] if target else [])
    assert {one.name for one in made.of_type("RedisCluster")} == {"queue", "cache"}
    for name in ("queue", "cache"):
        assert "shop-namespace" in made.named(name, "Service").depends_on


def test_two_components_of_one_docker_host() -> None:
    platform = {"kind": "docker", "name": "shop", "dockerHost": "ssh://deploy@shop1"}
    made = construct([redis("queue", platform=platform), redis("cache", platform=platform)])
    assert [one.name for one in made.of_type("providers:docker")] == ["shop-docker"]


def test_another_program_starts_afresh() -> None:
    for _ in range(2):
        assert len(construct([redis("queue")]).of_type(":Namespace")) == 1


@pytest.mark.parametrize("kind", ["kubernetes", "docker"])
def test_a_name_that_another_component_has_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claim, "objects_on", lambda _: [])
    platform = {"kind": kind, "name": "shop"}
    with pytest.raises(Refused) as refused:
        construct([redis("queue", platform=platform), redis("cache", platform=platform, physicalName="queue")])
    (told,) = refused.value.details.errors
    assert 'RedisCluster "queue" and RedisCluster "cache" use the same names: ' in told.reason


def test_wrong_arguments_are_input_errors_in_the_names_of_other_languages() -> None:
    with pytest.raises(Refused) as refused:
        construct([redis("queue", memoryMb=3.5, failoverAfterMs=1, tls="of course")])
    told = {error.property_path: error.reason for error in refused.value.details.errors}
    assert told["memoryMb"] == "is a number; write a whole number"
    assert told["failoverAfterMs"] == "must be at least 1000; write a number from 1000 to 60000 ms"
    assert told["tls"] == "is not a choice; write one of `require`, `allow`, `disable`"


def test_a_missing_argument_without_a_default_is_told() -> None:
    with pytest.raises(Refused) as refused:
        construct([("RedisCluster", "queue", {"platform": PLATFORM})])
    assert [error.property_path for error in refused.value.details.errors] == ["image"]


@pytest.mark.parametrize(
    ("inputs", "path", "reason"),
    [
        ({"memryMb": 1}, "memryMb", "is not a known key; did you mean `memoryMb`?"),
        ({"image": None}, "image", "is required; write a text"),
        ({"platform": {"kind": "kubernets", "name": "shop"}}, "platform.kind", "is not a choice; write one of"),
        (
            {"platform": {"kind": "kubernetes", "nam": "shop"}},
            "platform.nam",
            "is not a known key; did you mean `name`?",
        ),
        ({"platform": "kubernetes"}, "platform", "is not a Platform; pass "),
        ({"nodes": [3]}, "nodes", "is a list; write a whole number"),
        ({"nodes": 2}, "nodes", "is not a size that can fail over"),
    ],
)
def test_kinds_of_wrong_inputs(inputs: dict[str, Any], path: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        construct([redis("queue", **inputs)])
    told = {error.property_path: error.reason for error in refused.value.details.errors}
    assert told[path].startswith(reason), told


def test_a_wrong_name_is_shown() -> None:
    with pytest.raises(Refused) as refused:
        construct([redis("Redis_Main")])
    (error,) = refused.value.details.errors
    assert error.property_path == "name"
    assert error.reason.startswith("'Redis_Main': is not a DNS label (RFC 1123); write lower-case letters")


def test_two_components_that_ask_for_one_name() -> None:
    with pytest.raises(Refused) as refused:
        construct([redis("queue"), redis("cache", physicalName="queue")])
    (error,) = refused.value.details.errors
    assert "use the same names" in error.reason
    assert "`physicalName`" in error.reason
