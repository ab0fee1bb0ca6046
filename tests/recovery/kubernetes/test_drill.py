"""A drill on Kubernetes, with a kubectl that plays the cluster: what it measures, records, and never calls good."""

import signal
from typing import Any

import pytest

from tests.recovery.kubernetes.conftest import Played
from tierstack.backup_schedule import ledger
from tierstack.engine.project import UsageError
from tierstack.recovery.kubernetes import drill
from tierstack.recovery.kubernetes.found import ClusterBackups

pytestmark = pytest.mark.pure

CLUSTER = "cluster.postgresql.cnpg.io"


def run(backups: ClusterBackups, tell: drill.Tell = lambda _text: None) -> dict[str, Any]:
    """A drill, as the ledger keeps it."""
    result = drill.run(backups, "backups", tell).as_entry()
    assert backups.drills()[-1] == result
    return result


def clean(cluster: Played) -> bool:
    return cluster.names(CLUSTER, "networkpolicy", "pods") == {f"{CLUSTER}/db"}


def test_a_good_one_is_measured_recorded_and_removed(cluster: Played, backups: ClusterBackups) -> None:
    said: list[str] = []
    found = run(backups, said.append)
    assert (found["result"], found["why"]) == (ledger.GOOD, [])
    assert found["rows_acknowledged"] >= 8
    assert (found["tables"], found["rows"], found["checks"]) == (2, 7, {"orders": True})
    assert (found["base_backup"], found["size_bytes"]) == ("20261126T033000", 1000)
    assert found["rto_seconds"] > 0
    assert clean(cluster)
    assert "  read 2 tables, 7 rows" in said
    assert [line for line in said if line.startswith("the first rows are archived")] == said[:1]


def test_what_was_not_archived_is_lost_in_rows_and_seconds(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(lost_seconds=0.3)
    found = run(backups)
    assert 0 < found["rows_lost"] < found["rows_acknowledged"]
    assert 0.2 <= found["rpo_seconds"] <= 5
    assert found["result"] == ledger.GOOD


def test_an_archive_that_stands_still_is_bad(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(lost_seconds=1000)
    found = run(backups)
    assert found["result"] == ledger.BAD
    assert "no row of this drill came back" in found["why"][0]


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"restores": "fails", "logs": "no target backup found"}, "there is no base backup of `db-2`"),
        ({"refuses": {"TRUNCATE": "psql: error: connection refused"}}, "connection refused"),
        ({"refuses": {"SELECT id": "psql: error: connection refused"}}, "connection refused"),
        ({"refuses": {"SELECT format": "error: unable to upgrade connection"}}, "unable to upgrade connection"),
    ],
)
def test_one_that_could_not_run_is_never_good(
    cluster: Played, backups: ClusterBackups, state: dict[str, Any], says: str
) -> None:
    cluster.say(**state)
    found = run(backups)
    assert found["result"] == ledger.NOT_VERIFIED
    assert says in found["why"][0]
    assert clean(cluster)


def test_without_a_base_backup_it_is_not_verified(cluster: Played, backups: ClusterBackups) -> None:
    cluster.without("backup.postgresql.cnpg.io/backups-1")
    assert "there is no base backup yet" in run(backups)["why"][0]


def test_a_table_that_cannot_be_read_is_bad(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(refuses={"SELECT format": "ERROR:  invalid page in block 0 of relation base/1/2"})
    found = run(backups)
    assert found["result"] == ledger.BAD
    assert "invalid page in block 0" in found["why"][0]


def test_one_that_is_interrupted_cleans_up_and_is_recorded(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(restores="never")

    def terminate(text: str) -> None:
        if text.startswith("  1/2"):
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        drill.run(backups, "backups", terminate)
    (recorded,) = backups.drills()
    assert (recorded["result"], recorded["why"]) == (ledger.NOT_VERIFIED, ["it was interrupted"])
    assert clean(cluster)


def test_a_second_one_is_refused_and_what_a_killed_one_left_is_removed(
    cluster: Played, backups: ClusterBackups
) -> None:
    left = {"metadata": {"name": "db-drill", "creationTimestamp": "2020-01-01T00:00:00Z"}, "spec": {}}
    cluster.put(f"{CLUSTER}/db-drill", left)
    assert run(backups)["result"] == ledger.GOOD
    left["metadata"]["creationTimestamp"] = "2999-01-01T00:00:00Z"
    cluster.put(f"{CLUSTER}/db-drill", left)
    with pytest.raises(UsageError, match="another drill of these backups runs, or was killed: Cluster db-drill"):
        drill.run(backups, "backups", lambda _text: None)
    assert len(backups.drills()) == 1


def test_a_ledger_that_cannot_be_written_is_an_error(cluster: Played, backups: ClusterBackups) -> None:
    """Nobody may believe that a drill is recorded which is not."""
    taken = {"metadata": {"name": "db-drills", "resourceVersion": "7"}, "data": {"drills.jsonl": ""}}
    cluster.put("configmap/db-drills", taken)
    run(backups)
    assert len(backups.drills()) == 1
