"""A database on Kubernetes that is made from backups: what the Cluster is told, and what a moment may be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.database.test_args import ARCHIVE, args
from tests.support import Recorder, golden, run_program
from tierstack.core.arguments import load
from tierstack.core.tier import Tier
from tierstack.database import DatabaseArchiveArgs, DatabaseRestoreArgs, DatabaseWithReplicas
from tierstack.links import ObjectStore, SecretRef
from tierstack.platform import Kubernetes

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SECOND = DatabaseArchiveArgs(store=ARCHIVE.store, server_name="db-2")
OTHER = ObjectStore(
    bucket="old-shop",
    endpoint_url="http://s3.example.net:9000",
    access_key_id=SecretRef(secret_name="old", key="access-key-id"),
    secret_access_key=SecretRef(secret_name="old", key="secret-access-key"),
)


def made(**changes: Any) -> Recorder:
    return run_program(lambda: DatabaseWithReplicas("db", args("kubernetes", **changes)))


def restored(**given: Any) -> dict[str, Any]:
    """The spec of the Cluster of a database that is restored from `db` in its own bucket."""
    restore = DatabaseRestoreArgs(server_name="db", **given)
    return made(restore=restore, archive=SECOND).named("db", "Cluster").inputs["spec"]


@pytest.mark.graph
@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.value)
def test_golden(tier: Tier) -> None:
    restore = DatabaseRestoreArgs(server_name="db", to="2026-01-31T12:00:00Z", store=OTHER)
    recorder = made(tier=tier, archive=ARCHIVE, restore=restore)
    golden(f"database-restored-{tier.value}.json", recorder.summary())


@pytest.mark.graph
def test_it_reads_one_folder_and_archives_into_another() -> None:
    spec = restored()
    (origin,), (archiver,) = spec["externalClusters"], spec["plugins"]
    assert spec["bootstrap"]["recovery"]["source"] == origin["name"]
    assert origin["plugin"]["parameters"] == {"barmanObjectName": "db-archive", "serverName": "db"}
    assert archiver["parameters"] == {"barmanObjectName": "db-archive", "serverName": "db-2"}


@pytest.mark.graph
def test_the_user_gets_the_password_of_this_stack() -> None:
    """The password in the backup is another one, where the stack was made anew: the operator sets that of the Secret."""
    recovery = restored(to="2026-01-31T12:00:00Z")["bootstrap"]["recovery"]
    empty = made().named("db", "Cluster").inputs["spec"]["bootstrap"]["initdb"]
    assert {key: recovery[key] for key in ("database", "owner", "secret")} == {
        key: empty[key] for key in ("database", "owner", "secret")
    }


@pytest.mark.graph
def test_another_bucket_is_read_with_its_own_credentials_and_never_pruned() -> None:
    recorder = made(archive=ARCHIVE, restore=DatabaseRestoreArgs(server_name="db", store=OTHER))
    spec = recorder.named("db", "Cluster").inputs["spec"]
    assert spec["externalClusters"][0]["plugin"]["parameters"]["barmanObjectName"] == "db-origin"
    store = recorder.named("db-origin").inputs["spec"]
    assert "retentionPolicy" not in store
    assert store["configuration"]["s3Credentials"]["accessKeyId"] == {"name": "old", "key": "access-key-id"}
    # In a closed namespace both buckets are reached.
    (rule, _) = recorder.named("db-bucket-policy").inputs["spec"]["egress"]
    assert [one["port"] for one in rule["ports"]] == [443, 9000]


@pytest.mark.graph
def test_a_restore_without_an_archive_of_its_own() -> None:
    recorder = made(restore=DatabaseRestoreArgs(server_name="db", store=OTHER))
    assert "plugins" not in recorder.named("db", "Cluster").inputs["spec"]
    assert {"db-origin", "db-bucket-policy"} <= {one.name for one in recorder.made}


@pytest.mark.graph
def test_an_update_waits_as_long_as_it_is_told() -> None:
    def minutes(**given: Any) -> str:
        restore = DatabaseRestoreArgs(server_name="db", **given)
        return made(restore=restore, archive=SECOND).named("db", "Cluster").options["customTimeouts"]["create"]

    assert [minutes(), minutes(wait_minutes=600), minutes(wait_minutes=5)] == ["60m", "600m", "20m"]


@pytest.mark.graph
def test_what_reads_for_restores_has_credentials_of_its_own() -> None:
    reader = ObjectStore(
        bucket=ARCHIVE.store.bucket,
        access_key_id=SecretRef(secret_name="reader", key="access-key-id"),
        secret_access_key=SecretRef(secret_name="reader", key="secret-access-key"),
    )
    found: list[Any] = []
    archive = DatabaseArchiveArgs(store=ARCHIVE.store, read_store=reader, server_name="main")
    given = args("kubernetes", archive=archive)
    recorder = run_program(lambda: found.append(DatabaseWithReplicas("db", given).connection.archive))
    keys = recorder.named("db-reader").inputs["spec"]["configuration"]["s3Credentials"]
    assert keys["secretAccessKey"] == {"name": "reader", "key": "secret-access-key"}
    assert (found[0].read_store, found[0].server_name, found[0].port) == ("db-reader", "main", 443)


@pytest.mark.graph
def test_rendered_manifests_have_it_too() -> None:
    platform = Kubernetes(name="shop", render_to="rendered")
    recorder = made(platform=platform, archive=SECOND, restore=DatabaseRestoreArgs(server_name="db"))
    assert "recovery" in recorder.named("db", "Cluster").inputs["spec"]["bootstrap"]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("given", "target"),
    [
        ({}, {}),
        ({"to": "latest"}, {}),
        ({"to": "2026-01-31T13:00:00+01:00"}, {"targetTime": "2026-01-31T12:00:00Z"}),
        ({"to": "2026-01-31T12:00:00.25Z"}, {"targetTime": "2026-01-31T12:00:00.250000Z"}),
        ({"to": "lsn:0/3000060"}, {"targetLSN": "0/3000060"}),
        ({"to": "lsn:1a/ff", "exclusive": True}, {"targetLSN": "1A/FF", "exclusive": True}),
        ({"to": "xid:1234", "backup": "20260131T033000"}, {"targetXID": "1234", "backupID": "20260131T033000"}),
        ({"backup": "20260131T033000"}, {"backupID": "20260131T033000"}),
    ],
)
def test_a_moment_becomes_a_target_of_the_operator(given: dict[str, Any], target: dict[str, Any]) -> None:
    one = DatabaseRestoreArgs(server_name="db", **given)
    assert one.problems("restore", SECOND, NOON + timedelta(days=365)) == []
    assert one.target() == target


@pytest.mark.pure
def test_a_moment_in_the_future_is_refused_until_it_is_past() -> None:
    one = DatabaseRestoreArgs(server_name="db", to="2026-11-26T12:00:01Z")
    (problem,) = one.problems("restore", SECOND, NOON)
    assert str(problem) == (
        "restore.to = '2026-11-26T12:00:01Z': is in the future: it is 2026-11-26T12:00:00Z now; write an earlier time, "
        "or `latest` for everything that was archived"
    )
    assert one.problems("restore", SECOND, NOON + timedelta(seconds=1)) == []


@pytest.mark.pure
def test_the_same_folder_name_in_another_bucket_is_no_conflict() -> None:
    one = DatabaseRestoreArgs(server_name="db", store=OTHER)
    assert one.problems("restore", ARCHIVE, NOON) == []
    assert [problem.code for problem in DatabaseRestoreArgs(server_name="db").problems("restore", ARCHIVE, NOON)] == [
        "restore-overwrites"
    ]


@pytest.mark.pure
def test_other_languages_give_it_in_their_spelling() -> None:
    one, problems = load(DatabaseRestoreArgs, {"serverName": "db", "waitMinutes": 90.0})
    assert (problems, one.server_name, one.wait_minutes) == ([], "db", 90)
