"""A restore beside the running database on Kubernetes, with a kubectl that plays the cluster."""

import json
import re
import signal
import subprocess
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.recovery.kubernetes.conftest import AT, Played
from tierstack.backup_schedule import restore
from tierstack.engine.project import UnreachableError, UsageError
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import aside, found
from tierstack.recovery.kubernetes.aside import explained, put_aside
from tierstack.recovery.kubernetes.found import ClusterBackups
from tierstack.recovery.kubernetes.kubectl import Kubectl

pytestmark = pytest.mark.pure

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
BESIDE = ("cluster.postgresql.cnpg.io", "networkpolicy", "pods")


def quiet(_text: str) -> None:
    pass


def test_the_cluster_is_like_the_running_one_and_reads_with_its_own_credentials(
    cluster: Played, backups: ClusterBackups
) -> None:
    put_aside(backups, "db-aside", NOON, quiet)
    spec = cluster.state["objects"]["cluster.postgresql.cnpg.io/db-aside"]["spec"]
    (origin,) = spec["externalClusters"]
    assert origin["plugin"]["parameters"] == {"barmanObjectName": "db-reader", "serverName": "db-2"}
    assert spec["bootstrap"]["recovery"]["recoveryTarget"] == {"targetTime": "2026-11-26T12:00:00Z"}
    assert spec["imageName"] == "postgresql:17.6@sha256:00"
    assert spec["storage"] == {"size": "7Gi", "storageClass": "fast", "resizeInUseVolumes": True}
    assert spec["resources"]["limits"] == {"memory": "1Gi"}
    assert "plugins" not in spec, "it archives nothing"


def test_nobody_but_the_operator_reaches_it_and_it_reaches_only_what_it_needs(
    cluster: Played, backups: ClusterBackups
) -> None:
    put_aside(backups, "db-aside", None, quiet)
    spec = cluster.state["objects"]["networkpolicy/db-aside"]["spec"]
    assert spec["podSelector"]["matchLabels"] == {"cnpg.io/cluster": "db-aside"}
    (admitted,) = spec["ingress"]
    assert admitted["from"] == [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "cnpg-system"}}}]
    ports = {port["port"] for rule in spec["egress"] for port in rule["ports"]}
    assert ports == {53, 5353, 443, 6443, 8443, 9000}
    assert spec["policyTypes"] == ["Ingress", "Egress"]


def test_without_a_port_everything_is_reached() -> None:
    assert restore.recovery_policy(aside="aside")["spec"]["egress"] == [{}]


LOGS = "\n".join(
    [
        json.dumps({"level": "info", "msg": "Restore through plugin detected, proceeding..."}),
        json.dumps({"level": "error", "msg": "Error while restoring a backup", "error": "rpc error: desc = broken"}),
        "not JSON",
        json.dumps(
            {"level": "info", "logger": "postgres", "record": {"error_severity": "FATAL", "message": "no disk"}}
        ),
    ]
)


@pytest.mark.parametrize(
    ("logs", "says"),
    [
        ("… no target backup found …", "there is no base backup of `db-2` in the bucket that was complete before"),
        (
            '{"record": {"message": "recovery ended before configured recovery target was reached"}}',
            "the log in the bucket ends before the moment",
        ),
        ("unexpected: Expected empty archive", "the folder that it would archive into is in use"),
        (LOGS, "the restore failed: Error while restoring a backup: rpc error: desc = broken; no disk"),
        ("", "the restore failed: no log"),
        ("killed", "the restore failed: killed"),
    ],
)
def test_the_cause_is_told_and_nothing_is_left(cluster: Played, backups: ClusterBackups, logs: str, says: str) -> None:
    cluster.say(restores="fails", logs=logs)
    with pytest.raises(CommandError, match=re.escape(says)):
        put_aside(backups, "db-aside", None, quiet)
    assert cluster.names(*BESIDE) == {"cluster.postgresql.cnpg.io/db"}
    assert explained(logs, AT.server_name).startswith("the restore failed")


def test_a_cluster_without_room_is_told(
    cluster: Played, backups: ClusterBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "_PENDING_SECONDS", 0.2)
    cluster.say(restores="pending")
    with pytest.raises(
        CommandError, match=r"no node has enough free resources for the restored database: pod db-aside-1-full.*memory"
    ):
        put_aside(backups, "db-aside", None, quiet)
    assert cluster.names(*BESIDE) == {"cluster.postgresql.cnpg.io/db"}


def test_an_interrupted_restore_leaves_nothing(cluster: Played, backups: ClusterBackups) -> None:
    cluster.say(restores="never")

    def terminate(_text: str) -> None:  # the Cluster is there, and is waited for
        signal.raise_signal(signal.SIGTERM)

    with pytest.raises(KeyboardInterrupt):
        put_aside(backups, "db-aside", None, terminate)
    assert cluster.names(*BESIDE) == {"cluster.postgresql.cnpg.io/db"}


def test_what_is_there_is_not_replaced(cluster: Played, backups: ClusterBackups) -> None:
    put_aside(backups, "db-aside", None, quiet)
    before = cluster.state["objects"]
    with pytest.raises(
        UsageError, match=r"there is a Cluster db-aside already\. Remove it \(kubectl --context shop-cl"
    ):
        put_aside(backups, "db-aside", NOON, quiet)
    assert cluster.state["objects"] == before


def test_the_database_itself_is_not_what_stands_beside_it(cluster: Played, backups: ClusterBackups) -> None:
    with pytest.raises(UsageError, match="--aside = db: is the database itself; give another name"):
        put_aside(backups, "db", None, quiet)


def test_what_is_removed_is_gone_with_its_volumes(
    cluster: Played, backups: ClusterBackups, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Cluster of the same name would take them over; and its policy protects it to the end."""
    put_aside(backups, "db-aside", None, quiet)
    aside.remove(backups, "db-aside")
    assert cluster.names(*BESIDE, "pvc") == {"cluster.postgresql.cnpg.io/db"}
    calls = [one.partition("--namespace shop ")[2] for one in cluster.calls()]
    looked = max(index for index, one in enumerate(calls) if one.startswith("get pvc"))
    assert looked < calls.index("delete networkpolicy db-aside --ignore-not-found --timeout=5m")
    monkeypatch.setattr(found, "_DELETION_SECONDS", 0.1)
    cluster.say(volumes_stay=1000)
    put_aside(backups, "db-aside", None, quiet)
    with pytest.raises(CommandError, match="the volumes of Cluster db-aside are not gone"):
        aside.remove(backups, "db-aside")


def test_a_database_that_is_gone_is_restored_by_configuration(cluster: Played, backups: ClusterBackups) -> None:
    cluster.without("cluster.postgresql.cnpg.io/db")
    with pytest.raises(UsageError, match="restore-on-kubernetes"):
        put_aside(backups, "db-aside", None, quiet)


def test_what_can_be_restored_is_told_by_the_archive(cluster: Played, backups: ClusterBackups) -> None:
    assert backups.status() == {
        "restorable_from": "2026-11-20T00:00:00Z",
        "last_backup": {"id": "20261126T033000", "size_bytes": 1000},
    }
    cluster.say(refuses={"pg_database_size": "the database is away"})
    assert backups.status() == {"restorable_from": "2026-11-20T00:00:00Z"}


def test_names_beside_fit_the_operator(backups: ClusterBackups) -> None:
    assert backups.name("aside") == "db-aside"
    long = ClusterBackups(AT.__class__(**{**vars(AT), "cluster": "d" * 49}), backups.kubectl)
    assert len(long.name("drill")) == 50


def test_a_cluster_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch, cluster: Played) -> None:
    (cluster.folder / "state.json").unlink()
    with pytest.raises(UnreachableError, match="context shop-cluster does not answer"):
        Kubectl("shop-cluster", "shop").check()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreachableError, match="install it"):
        Kubectl(None, "shop").check()


def test_the_ledger_survives_two_writers(cluster: Played, backups: ClusterBackups) -> None:
    def entry(number: int) -> dict[str, Any]:
        return {"result": "good", "number": number}

    assert backups.drills() == []
    backups.record(entry(1))
    backups.record(entry(2))
    assert [one["number"] for one in backups.drills()] == [1, 2]
    held = backups.kubectl.get("configmap", "db-drills")
    assert held
    held["metadata"]["resourceVersion"] = "1"
    with pytest.raises(CommandError, match="modified"):
        backups.kubectl.write("replace", held)


def test_the_fake_answers_as_a_process(cluster: Played, backups: ClusterBackups) -> None:
    """The client ends with its input: nothing writes on where the command was killed."""
    process = subprocess.Popen(backups.client("db-1"), stdin=subprocess.PIPE)
    assert process.stdin
    process.stdin.close()
    began = time.monotonic()
    assert process.wait(timeout=10) == 0
    assert time.monotonic() - began < 10
