"""A restore in the place of the database on Kubernetes: what the configuration asks for, and nothing deleted too early."""

from typing import Any

import pytest

from tests.recovery.kubernetes.conftest import Played
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import ArgumentError
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.engine.project import UsageError
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import in_place
from tierstack.recovery.kubernetes.found import ClusterBackups

pytestmark = pytest.mark.pure

CLUSTER = "cluster.postgresql.cnpg.io"
GIVEN = DatabaseRestoreArgs(server_name="db", to="2026-01-31T12:00:00Z")


def problem(path: str, code: str) -> Diagnostic:
    return Diagnostic(path, "latest", "comes too late", "", code)


def quiet(_text: str) -> None:
    pass


@pytest.mark.parametrize(
    ("values", "path", "to"),
    [
        ({"database": {"restore": {"server_name": "db", "to": "xid:7"}}}, "database.restore.to", "xid:7"),
        ({"kubernetes": {"database": {"restore": {"server_name": "db"}}}}, "database.restore.to", "latest"),
        (
            {"database": {"restore": {"server_name": "db"}}, "kubernetes": {"database": {"restore": {"to": "xid:8"}}}},
            "kubernetes.database.restore.to",
            "xid:8",
        ),
        ({"databases": {"db": {"restore": {"server_name": "db", "to": "xid:9"}}}}, "databases.db.restore.to", "xid:9"),
    ],
)
def test_what_the_configuration_asks_for(backups: ClusterBackups, values: Any, path: str, to: str) -> None:
    found = in_place.asked(values, [problem(path, in_place.RESTORED)], "prod", backups)
    assert (found.server_name, found.to) == ("db", to)


def test_a_configuration_that_asks_for_nothing_is_told_what_to_write(backups: ClusterBackups) -> None:
    for problems in ([], [problem("databases.other.restore.to", in_place.RESTORED)]):
        with pytest.raises(UsageError, match=r"server_name: db-2, to: .*archive: \{server_name: db-3\}"):
            in_place.asked({}, problems, "prod", backups)


def test_anything_else_that_is_wrong_comes_first(backups: ClusterBackups) -> None:
    wrong = [problem("database.restore.to", in_place.RESTORED), problem("database.storage_gb", "volume-shrinks")]
    with pytest.raises(ArgumentError, match=r"database\.storage_gb"):
        in_place.asked({}, wrong, "prod", backups)


def test_the_plan_says_what_is_lost_and_what_is_kept(backups: ClusterBackups) -> None:
    assert in_place.lines(GIVEN, backups) == [
        "restore db to 2026-01-31T12:00:00Z, in the place of Cluster db of namespace shop",
        "first beside it, as Cluster db-rehearsal: if that fails, nothing is replaced",
        "its volumes are deleted; what it holds now stays in the archive as db-2, and can be restored",
        "the application has no database from then until the update ends",
    ]


def test_it_is_rehearsed_and_the_last_writes_are_archived_before_anything_goes(
    cluster: Played, backups: ClusterBackups
) -> None:
    in_place.take_away(GIVEN, backups, quiet)
    assert cluster.names(CLUSTER, "networkpolicy", "pods") == set()
    calls = [one.partition("--namespace shop ")[2] for one in cluster.calls()]
    deleted = calls.index(f"delete {CLUSTER} db --ignore-not-found --timeout=5m")
    rehearsed = calls.index("apply --filename -")
    archived = max(index for index, one in enumerate(calls) if one.startswith("exec -i db-1"))
    assert rehearsed < archived < deleted
    (made,) = (one for one in cluster.state["objects"].values() if one.get("kind") == "Backup")
    assert made["spec"]["cluster"] == {"name": "db"}, "the new folder has a base backup at once"


def test_the_rehearsal_reads_what_the_configuration_says(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(restores="never")

    def look(text: str) -> None:
        if text.startswith("  1/2"):
            raise KeyboardInterrupt

    seen: list[Any] = []
    apply = backups.kubectl.__class__.apply
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backups.kubectl.__class__, "apply", lambda self, made: (seen.extend(made), apply(self, made))[1])
        with pytest.raises(KeyboardInterrupt):
            in_place.take_away(GIVEN, backups, look)
    (spec,) = (one["spec"] for one in seen if one["kind"] == "Cluster")
    assert spec["bootstrap"]["recovery"]["recoveryTarget"] == {"targetTime": "2026-01-31T12:00:00Z"}
    assert spec["externalClusters"][0]["plugin"]["parameters"]["serverName"] == "db"


def test_a_rehearsal_that_fails_replaces_nothing(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(restores="fails", logs="no target backup found")
    with pytest.raises(CommandError, match="there is no base backup of `db` in the bucket"):
        in_place.take_away(GIVEN, backups, quiet)
    assert cluster.names(CLUSTER, "pods") == {f"{CLUSTER}/db"}


def test_writes_that_are_not_archived_keep_the_database(
    cluster: Played, backups: ClusterBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_place, "_ARCHIVE_SECONDS", 0.3)
    cluster.say(archives=False)
    with pytest.raises(CommandError, match="the last writes did not reach the archive"):
        in_place.take_away(GIVEN, backups, quiet)
    assert cluster.names(CLUSTER, "pods") == {f"{CLUSTER}/db"}


def test_a_database_that_does_not_answer_is_not_deleted(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(refuses={"pg_switch_wal": "psql: error: connection refused"})
    with pytest.raises(CommandError, match="connection refused"):
        in_place.take_away(GIVEN, backups, quiet)
    assert cluster.names(CLUSTER, "pods") == {f"{CLUSTER}/db"}
