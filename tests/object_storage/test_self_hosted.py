"""What a self-hosted store is made of, who may do what in it, and what its probe is asked."""

import json
from typing import Any

import pytest

from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack.backup_schedule.restic import repository
from tierstack.core.before import Before
from tierstack.links import ObjectStore, StorePurpose
from tierstack.links.object_store import REPOSITORY
from tierstack.object_storage import ObjectStorage, ObjectStorageArgs, StoreKeyArgs, changes, conformance, server
from tierstack.object_storage.memory import reserved
from tierstack.platform import DataProtection, DockerHost

pytestmark = pytest.mark.graph
BUCKET = "arn:aws:s3:::backups"
GATEWAY, TOOLS = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
FOUND = {
    "pulumi-python:dynamic/docker:StoreProbe": lambda one: {"capabilities": '{"findings": {}}'},
}


def hosted(**changes: Any) -> ObjectStorageArgs:
    platform = DockerHost(name="shop", data_protection=DataProtection.RETAIN)
    return ObjectStorageArgs(
        **{"platform": platform, "bucket": "backups", "self_hosted": True, "image": GATEWAY, "probe_image": TOOLS}
        | changes
    )


def external(**changes: Any) -> ObjectStorageArgs:
    given: dict[str, Any] = {
        "platform": DockerHost(name="shop"),
        "bucket": "backups",
        "endpoint_url": "https://s3.example.net",
        "access_key_id": "id",
        "secret_access_key": "the-key",
        "probe_image": TOOLS,
    }
    return ObjectStorageArgs(**given | changes)


def made(args: ObjectStorageArgs) -> tuple[Recorder, ObjectStore]:
    stores: list[ObjectStore] = []
    recorder = run_program(lambda: stores.append(ObjectStorage("storage", args).store), outputs=FOUND)
    return recorder, stores[0]


def test_what_is_registered() -> None:
    golden("object-storage-self-hosted.json", made(hosted(versioning=True, lock_days=14))[0].summary())


def test_an_external_bucket_that_is_probed() -> None:
    drill = StoreKeyArgs(access_key_id="drill-id", secret_access_key="drill-key")
    recorder, store = made(external(drill=drill, versioning=True))
    golden("object-storage-probed.json", recorder.summary())
    assert store.key(StorePurpose.DRILL) is store.drill
    assert store.key(StorePurpose.PRUNE).secret_access_key is store.secret_access_key


def test_the_data_is_protected_and_the_rest_is_not() -> None:
    recorder, _ = made(hosted())
    kept = {one.name for one in recorder.of_type("Volume") if one.options.get("retainOnDelete")}
    assert kept == {"storage-data"}


def test_no_secret_stands_where_docker_shows_it() -> None:
    recorder, _ = made(hosted())
    for one in (recorder.named("storage", "Container"), recorder.named("storage-probe")):
        assert "generated-" not in json.dumps(one.inputs, default=str), one.name
    files = recorder.named("storage-files").inputs["files"]
    assert isinstance(files, Secret)


def test_consumers_start_after_the_probe() -> None:
    recorder, _ = made(hosted())
    assert "storage-ready" in recorder.named("storage-probe").depends_on


@pytest.mark.parametrize(
    ("purpose", "may"),
    [
        ("write", {"s3:PutObject", "s3:GetObject", "s3:ListBucket"}),
        ("prune", {"s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject", "s3:ListBucket"}),
        ("drill", {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}),
    ],
)
def test_each_key_may_what_its_purpose_needs(purpose: str, may: set[str]) -> None:
    actions = granted(purpose)
    assert may <= actions
    writes = {one for one in actions if one.startswith("s3:Put")}
    deletes = {one for one in actions if one.startswith("s3:Delete")}
    assert bool(writes) == (purpose == "write")
    assert bool(deletes) == (purpose == "prune")
    assert not any("Bypass" in one or "Policy" in one or "*" in one for one in actions)


def granted(purpose: str, resources: tuple[str, ...] = (BUCKET, f"{BUCKET}/*")) -> set[str]:
    statements = [one for one in server.policy("backups")["Statement"] if one["Resource"] in resources]
    return {action for one in statements if one["Principal"]["AWS"] == [purpose] for action in one["Action"]}


def test_restic_may_remove_its_locks_and_write_anew_in_its_repositories_alone() -> None:
    assert REPOSITORY == repository.FOLDER
    resources = {one["Resource"] for one in server.policy("backups")["Statement"]}
    locks, repositories = f"{BUCKET}/*/restic/locks/*", f"{BUCKET}/*/restic/*"
    assert resources == {BUCKET, f"{BUCKET}/*", locks, repositories}
    assert [granted(one, (locks,)) for one in ("write", "prune", "drill")] == [{"s3:DeleteObject"}, set(), set()]
    assert [granted(one, (repositories,)) for one in ("write", "prune", "drill")] == [set(), {"s3:PutObject"}, set()]


def test_accounts_are_plain_users() -> None:
    accounts = json.loads(server.accounts({"write": "secret"}))["accessAccounts"]
    assert accounts["write"]["role"] == "user"
    assert accounts["write"]["secret"] == "secret"


def test_memory() -> None:
    assert [one.memory_mb for one in reserved(hosted(memory_mb=300))] == [300, 256]
    assert [one.memory_mb for one in reserved(external(probe_image=None))] == []


def before(**findings: str) -> Before:
    said = {"endpoint": "https://s3.example.net", "probed_at": "2026-11-26T10:00:00Z", "findings": findings}
    urn = "urn:pulumi:local::shop::tierstack:index:ObjectStorage::storage"
    component = {"type": "tierstack:index:ObjectStorage", "outputs": {"capabilities": json.dumps(said)}}
    return Before({urn: component})


def test_what_the_endpoint_was_found_unable_to_do_is_refused() -> None:
    (problem,) = changes.problems_of(external(lifecycle=True), "storage", before(lifecycle=conformance.UNSUPPORTED))
    assert problem.code == "store-lacks"
    assert str(problem) == (
        "lifecycle = True: is asked of an endpoint that does not support it, as the probe of 2026-11-26T10:00:00Z found; "
        "remove it, or use another endpoint"
    )


@pytest.mark.parametrize(
    ("args", "findings"),
    [
        (external(lifecycle=True), {"lifecycle": "the bucket has no lifecycle rule that is enabled"}),
        (external(), {"lifecycle": conformance.UNSUPPORTED}),
        (external(lifecycle=True, endpoint_url="https://s3.example.org"), {"lifecycle": conformance.UNSUPPORTED}),
    ],
    ids=["the bucket may have one by now", "not asked for", "another endpoint"],
)
def test_what_may_be_there_by_now_is_tried_again(args: ObjectStorageArgs, findings: dict[str, str]) -> None:
    assert changes.problems_of(args, "storage", before(**findings)) == []


def test_nothing_is_known_before_the_first_update() -> None:
    assert changes.problems_of(external(lifecycle=True), "storage", Before()) == []


def test_a_store_that_is_self_hosted_on_kubernetes_is_refused_before_anything_is_registered() -> None:
    args: Any = {"platform": {"kind": "kubernetes", "name": "shop"}, "bucket": "backups", "self_hosted": True}
    (problem,) = refused(lambda: ObjectStorage("storage", args)).problems
    assert problem.path == "self_hosted"
