"""A real gateway: its bucket, keys and locks; and an external endpoint that lacks what is asked of it.

Prints how long the probe took, which docs/measurements.md quotes; run it with -s to see it.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until

NAME = "t-store-test"
GATEWAY = f"{NAME}-storage"
PLAIN = f"{NAME}-plain"
"""A gateway without versions and without TLS: an external endpoint that cannot do everything."""
KEY = "external-for-tests"

PROGRAM = """
import pulumi
from tierstack import *

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
made = ObjectStorage("{component}", ObjectStorageArgs(platform=platform, bucket="backups", prefix="prod",
    probe_image="{barman}", {more}))
pulumi.export("capabilities", made.capabilities)
for purpose in ("write", "prune", "drill"):
    pulumi.export(purpose, made.store.key(StorePurpose(purpose)).secret_access_key.value)
"""


def program(component: str, platform: str = NAME, /, **more: object) -> str:
    given = ", ".join(f"{key}={value!r}" for key, value in more.items())
    text = PROGRAM.format(name=platform, component=component, barman=image("barman:3"), more=given)
    return text.replace("from tierstack import *", "from tierstack import *\nfrom tierstack.links import StorePurpose")


def hosted(**more: object) -> str:
    return program("storage", self_hosted=True, image=image("versitygw:1.8"), versioning=True, lock_days=1, **more)


def inspect(container: str) -> dict[str, Any]:
    return json.loads(run_command("docker", "inspect", container))[0]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("storage"), "storage")
    stack.write(hosted())
    try:
        began = time.monotonic()
        stack.up()
        print(f"\nfirst update of a self-hosted store, its probe included: {time.monotonic() - began:.1f} s")
        yield stack
    finally:
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=storage")
        shutil.rmtree(stack.folder)


CLIENT = """
import boto3, json, sys
given = json.load(sys.stdin)
s3 = boto3.client("s3", endpoint_url=given["url"], region_name="us-east-1", verify=given["ca"],
    aws_access_key_id=given["id"], aws_secret_access_key=given["secret"])
for call, arguments in given["calls"]:
    try:
        answer = getattr(s3, call)(Bucket="backups", **arguments)
        body = answer["Body"].read().decode() if "Body" in answer else None
        print(json.dumps({"version": answer.get("VersionId"), "body": body}))
    except Exception as error:
        print(json.dumps({"error": (getattr(error, "response", None) or {}).get("Error", {}).get("Code", str(error))}))
"""


def ask(stack: Stack, purpose: str, *calls: tuple[str, dict[str, Any]], url: str = "https://storage:7070") -> list[Any]:
    """What the gateway answers a consumer in its network, with the key of a purpose; a list of answers."""
    given = {"url": url, "ca": "/ca/ca.crt", "id": purpose, "secret": stack.outputs()[purpose], "calls": calls}
    command = ["docker", "run", "--rm", "-i", "--network", f"{NAME}-storage-network", "--user", "26:26"]
    command += ["-v", f"{NAME}-storage-ca:/ca:ro", image("barman:3"), "python3", "-c", CLIENT]
    return [json.loads(line) for line in run_command(*command, stdin=json.dumps(given)).splitlines()]


def test_the_probe_found_what_versitygw_can_do(stack: Stack) -> None:
    said = json.loads(stack.outputs()["capabilities"])
    lacking = {name for name, found in said["findings"].items() if found != "yes"}
    assert lacking == {"lifecycle", "replication"}
    assert said["endpoint"] == "https://storage:7070"


def test_two_previews_show_no_changes(stack: Stack) -> None:
    stack.unchanged()
    stack.unchanged()


def test_the_gateway_is_confined(stack: Stack) -> None:
    found = inspect(GATEWAY)
    config, limits = found["Config"], found["HostConfig"]
    assert config["User"] == "65532:65532"
    assert limits["ReadonlyRootfs"] is True
    assert (limits["CapDrop"], limits["CapAdd"] or []) == (["ALL"], [])
    assert list(found["NetworkSettings"]["Networks"]) == [f"{NAME}-storage-network"]
    assert not limits["PortBindings"]


def test_no_secret_is_in_the_clear(stack: Stack) -> None:
    secrets = [stack.outputs()[purpose] for purpose in ("write", "prune", "drill")]
    secrets.append(
        run_command("docker", "exec", GATEWAY, "sed", "-n", "s/^ROOT_SECRET_ACCESS_KEY=//p", "/etc/versitygw/root.env")
    )
    shown = stack.state() + json.dumps(inspect(GATEWAY))
    shown += run_command("docker", "top", GATEWAY, "-eo", "pid,args") + run_command("docker", "logs", GATEWAY)
    assert all(len(secret) == 40 and secret not in shown for secret in secrets)


def test_each_key_may_what_its_purpose_needs(stack: Stack) -> None:
    put = ("put_object", {"Key": "prod/rights", "Body": "written"})
    get = ("get_object", {"Key": "prod/rights"})
    delete = ("delete_object", {"Key": "prod/rights"})
    policy = ("get_bucket_policy", {})
    denied = {"error": "AccessDenied"}
    written, *rest = ask(stack, "write", put, get, delete, policy)
    assert written["version"]
    assert [rest[0]["body"], *rest[1:]] == ["written", denied, denied]
    assert [one.get("body") or one for one in ask(stack, "drill", get, put, delete, policy)] == [
        "written",
        *[denied] * 3,
    ]
    assert ask(stack, "prune", put, delete)[0] == denied


def test_a_locked_version_stays_whatever_is_done(stack: Stack) -> None:
    (first,) = ask(stack, "write", ("put_object", {"Key": "prod/kept", "Body": "first"}))
    ask(stack, "write", ("put_object", {"Key": "prod/kept", "Body": "second"}))
    old = {"Key": "prod/kept", "VersionId": first["version"]}
    bypass = {**old, "BypassGovernanceRetention": True}
    refused = ask(stack, "prune", ("delete_object", old), ("delete_object", bypass))
    assert [one["error"] for one in refused] == ["AccessDenied", "AccessDenied"]
    run_command("docker", "kill", GATEWAY)  # as a crash would; the daemon does not start again what was killed by hand
    run_command("docker", "start", GATEWAY)
    until(
        lambda: run_command("docker", "logs", GATEWAY),
        lambda: inspect(GATEWAY)["State"]["Health"]["Status"] == "healthy",
        60,
    )
    again, read = ask(stack, "prune", ("delete_object", old), ("get_object", old))
    assert (again["error"], read["body"]) == ("AccessDenied", "first")


def test_plaintext_is_not_answered(stack: Stack) -> None:
    (answer,) = ask(stack, "write", ("list_objects_v2", {}), url="http://storage:7070")
    assert "error" in answer


def test_another_lock_is_an_update_and_the_bucket_keeps_its_objects(stack: Stack) -> None:
    (before,) = ask(stack, "write", ("put_object", {"Key": "prod/over", "Body": "here"}))
    started = inspect(GATEWAY)["State"]["StartedAt"]
    stack.write(hosted().replace("lock_days=1", "lock_days=2"))
    stack.up()
    assert inspect(GATEWAY)["State"]["StartedAt"] == started
    assert ask(stack, "drill", ("get_object", {"Key": "prod/over"}))[0]["body"] == "here"
    stack.unchanged()
    assert before["version"]


# An external endpoint -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    docker_client()
    subprocess.run(["docker", "rm", "-f", PLAIN], capture_output=True)
    command = ["docker", "run", "-d", "--name", PLAIN, "--tmpfs", "/data:uid=65532", "-e", f"ROOT_ACCESS_KEY={KEY}"]
    command += ["-e", f"ROOT_SECRET_KEY={KEY}", image("versitygw:1.8"), "sh", "-c"]
    start = "mkdir /data/objects /data/meta; exec versitygw --health /health posix --sidecar /data/meta /data/objects"
    try:
        run_command(*command, start)
        healthy = ["docker", "exec", PLAIN, "curl", "-fs", "http://127.0.0.1:7070/health"]
        until("the gateway answers", lambda: subprocess.run(healthy, capture_output=True).returncode == 0, 60)
        url = f"http://{inspect(PLAIN)['NetworkSettings']['Networks']['bridge']['IPAddress']}:7070"
        given = {"url": url, "ca": None, "id": KEY, "secret": KEY, "calls": [["create_bucket", {}]]}
        make = ["docker", "run", "--rm", "-i", image("barman:3"), "python3", "-c", CLIENT]
        assert "error" not in run_command(*make, stdin=json.dumps(given))
        yield url
    finally:
        subprocess.run(["docker", "rm", "-f", PLAIN], capture_output=True)


def external(url: str, secret: str = KEY, **more: object) -> str:
    given = {"endpoint_url": url, "access_key_id": KEY, "secret_access_key": secret, "region": "us-east-1"}
    return program("outside", f"{NAME}-outside", **given, **more)


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = Stack(tmp_path_factory.mktemp("outside"), "outside")
    stack.write("")
    try:
        yield stack
    finally:
        stack.write("")
        stack.run("destroy", "--yes", "--skip-preview", "--stack=outside")
        shutil.rmtree(stack.folder)


def test_a_wrong_key_fails_the_update(outside: Stack, endpoint: str) -> None:
    outside.write(external(endpoint, secret="another"))
    said = outside.up(check=False)
    assert "`bucket` needs that an object is written and read back: SignatureDoesNotMatch" in said


def test_what_the_endpoint_cannot_do_fails_the_update_and_later_the_preview(outside: Stack, endpoint: str) -> None:
    outside.write(external(endpoint, versioning=True, lifecycle=True))
    said = outside.up(check=False)
    assert "`versioning` needs that an object is overwritten" in said
    assert "`lifecycle` needs that the bucket has a lifecycle rule" in said
    outside.write(external(endpoint))
    outside.up()
    assert json.loads(outside.outputs()["capabilities"])["findings"]["put"] == "yes"
    outside.unchanged()
    outside.write(external(endpoint, lifecycle=True))
    preview = outside.run("preview", "--stack=outside", check=False)
    assert preview.returncode != 0
    assert "lifecycle = True: is asked of an endpoint that does not support it" in preview.stdout + preview.stderr
