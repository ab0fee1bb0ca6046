"""What ObjectStorage registers and hands on, and what it refuses."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack.core.diagnostics import Diagnostic
from tierstack.links import ObjectStore
from tierstack.object_storage import ObjectStorage, ObjectStorageArgs
from tierstack.platform import DockerHost, Kubernetes, Platform

pytestmark = pytest.mark.graph
TABLE = yaml.safe_load((Path(__file__).parents[1] / "cases/object_storage/wrong.yaml").read_text())
RENDERED = Kubernetes(name="shop", render_to="out", secret_store="vault")


def made(platform: Platform, **changes: Any) -> tuple[Recorder, ObjectStore]:
    values: dict[str, Any] = {"bucket": "shop", "prefix": "prod", "region": "eu-central-1"} | changes
    args = ObjectStorageArgs(platform=platform, access_key_id="the-id", secret_access_key="the-key", **values)
    stores: list[ObjectStore] = []
    recorder = run_program(lambda: stores.append(ObjectStorage("storage", args).store))
    return recorder, stores[0]


def problems_of(case: dict[str, Any]) -> list[Diagnostic]:
    return refused(lambda: ObjectStorage("storage", TABLE["base"] | case["given"])).problems


@pytest.mark.parametrize("case", TABLE["cases"], ids=lambda case: case["name"])
def test_wrong_arguments(case: dict[str, Any]) -> None:
    found = problems_of(case)
    assert [str(problem) for problem in found] == case["says"]
    assert [problem.code for problem in found] == case["codes"]


@pytest.mark.parametrize(
    ("name", "platform"),
    [("docker", DockerHost(name="shop")), ("kubernetes", Kubernetes(name="shop")), ("rendered", RENDERED)],
)
def test_what_is_registered(name: str, platform: Platform) -> None:
    golden(f"object-storage-{name}.json", made(platform)[0].summary())


def test_the_credentials_are_in_one_secret() -> None:
    recorder, store = made(Kubernetes(name="shop"))
    secret = recorder.named("storage-credentials")
    assert secret.inputs["stringData"] == Secret({"access-key-id": "the-id", "secret-access-key": "the-key"})
    assert (store.access_key_id.key, store.secret_access_key.key) == ("access-key-id", "secret-access-key")


def test_rendered_manifests_hold_no_secret() -> None:
    assert "the-key" not in json.dumps(made(RENDERED)[0].summary())


def test_what_it_hands_on_is_the_same_on_both_platforms_but_for_the_credentials() -> None:
    both = [made(platform)[1] for platform in (DockerHost(name="shop"), Kubernetes(name="shop"))]
    plain = [dataclasses.replace(one, access_key_id=None, secret_access_key=None, place=None) for one in both]
    assert plain[0] == plain[1]
    assert both[0].access_key_id.value is not None
    assert both[1].access_key_id.value is None


@pytest.mark.parametrize(
    ("changes", "location", "port"),
    [
        ({}, "s3://shop/prod", 443),
        ({"prefix": ""}, "s3://shop", 443),
        ({"endpoint_url": "http://s3.example"}, "s3://shop/prod", 80),
        ({"endpoint_url": "https://s3.example:9000"}, "s3://shop/prod", 9000),
    ],
)
def test_where_it_is(changes: dict[str, str], location: str, port: int) -> None:
    store = made(Kubernetes(name="shop"), **changes)[1]
    assert (store.location, store.port) == (location, port)
