"""A database that comes back from its archive on a real cluster: drills, chosen transactions, the place of the database,
and a whole namespace from bucket and configuration.

The tests of this file are steps of one run, in their order. Each prints what it measured.
"""

import json
import signal
import time
from contextlib import suppress
from datetime import datetime
from typing import Any

from tests.cluster.shop import Shop, kubectl, wait_until

CLUSTER = "cluster.postgresql.cnpg.io"
CHOSEN = 4
"""Transactions that are restored to, one after the other."""


def test_a_base_backup_is_there(shop: Shop) -> None:
    def phases() -> list[str]:
        return kubectl("-n", shop.namespace, "get", "backup", "-o", "jsonpath={.items[*].status.phase}").split()

    wait_until("the first base backup is complete", lambda: phases() == ["completed"], 300)


def clusters(shop: Shop) -> list[str]:
    return kubectl("-n", shop.namespace, "get", CLUSTER, "-o", "jsonpath={.items[*].metadata.name}").split()


def archived(shop: Shop) -> None:
    """Everything that was written so far is in the archive."""
    segment = shop.sql("SELECT pg_walfile_name(pg_switch_wal())")
    wait_until(
        "the log is archived",
        lambda: (
            shop.sql(f"SELECT coalesce(left(last_archived_wal, 24), '') >= '{segment}' FROM pg_stat_archiver") == "t"
        ),
        120,
    )


def drilled(shop: Shop, code: int | None = 0) -> dict[str, Any]:
    found = shop.checkout.json("drill", "-s", shop.stack, code=code)
    print("\n" + json.dumps(found))
    return found


def test_a_drill_is_good_and_leaves_nothing(shop: Shop) -> None:
    found = drilled(shop)
    assert found["result"] == "good"
    assert found["rows_acknowledged"] > 0
    assert clusters(shop) == ["db"]
    claims = kubectl("-n", shop.namespace, "get", "pvc", "-l", "cnpg.io/cluster=db-drill", "-o", "name")
    wait_until("its volumes are gone", lambda: not claims.strip() or not _claims(shop, "db-drill"), 60)
    history = shop.checkout.json("drill", "history", "-s", shop.stack)["drills"]
    assert [one["result"] for one in history] == ["good"]


def _claims(shop: Shop, cluster: str) -> str:
    return kubectl("-n", shop.namespace, "get", "pvc", "-l", f"cnpg.io/cluster={cluster}", "-o", "name").strip()


def test_a_drill_that_is_ended_cleans_up_and_is_recorded(shop: Shop) -> None:
    process = shop.checkout.start("drill", "-s", shop.stack)
    wait_until("its Cluster is there", lambda: "db-drill" in clusters(shop), 120)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=180)
    assert process.returncode == 130
    assert clusters(shop) == ["db"]
    last = shop.checkout.json("drill", "history", "-s", shop.stack, code=1)["drills"][-1]
    assert (last["result"], last["why"]) == ("not verified", ["it was interrupted"])


def moments(shop: Shop, count: int) -> list[str]:
    """Commit so many rows, each a transaction; when each was there."""
    shop.sql("CREATE TABLE IF NOT EXISTS moments (id int PRIMARY KEY)")
    times: list[str] = []
    for number in range(count):
        shop.sql(f"INSERT INTO moments VALUES ({number})")
        # Between two commits: after this one, and a second before the next.
        times.append(
            shop.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
        )
        shop.sql("SELECT pg_sleep(1)")
    archived(shop)
    return times


def aside(shop: Shop, query: str) -> str:
    command = ("psql", "-At", "-d", "app", "-c", query)
    return kubectl("-n", shop.namespace, "exec", "db-aside-1", "-c", "postgres", "--", *command).strip()


def test_chosen_transactions_are_restored_exactly(shop: Shop) -> None:
    times = moments(shop, CHOSEN + 1)
    seconds: list[float] = []
    for number in range(CHOSEN):
        said = shop.checkout.json("restore", "-s", shop.stack, "--to", times[number])
        seconds.append(said["seconds"])
        try:
            assert aside(shop, "SELECT string_agg(id::text, ',' ORDER BY id) FROM moments") == ",".join(
                map(str, range(number + 1))
            )
        finally:
            kubectl("-n", shop.namespace, "delete", f"{CLUSTER}/db-aside", "networkpolicy/db-aside")
    print(f"\n{CHOSEN} of {CHOSEN} transactions exact, restored in {', '.join(f'{one:g}' for one in seconds)} s")


def test_a_restore_from_nothing_is_told_and_replaces_nothing(shop: Shop) -> None:
    def wrong(config: dict[str, Any]) -> None:
        config["database"] |= {"restore": {"server_name": "nothing"}}
        config["database"]["archive"] |= {"server_name": "db-2"}

    shop.change(wrong)
    refused = shop.checkout.json("preview", "-s", shop.stack, code=1)["messages"]
    assert any("database.restore.to" in line for line in refused), refused
    done = shop.checkout.tierstack("restore", "-s", shop.stack, "--in-place", "--replace-data", "--yes", code=1)
    assert "there is no base backup of `nothing` in the bucket" in done.stderr
    assert clusters(shop) == ["db"]
    assert int(shop.sql("SELECT count(*) FROM moments")) == CHOSEN + 1


def test_the_database_is_replaced_by_what_it_was(shop: Shop) -> None:
    last = shop.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")
    shop.sql("DELETE FROM moments")
    archived(shop)
    shop.change(lambda config: config["database"].update(restore={"server_name": "db", "to": last}))
    began = time.monotonic()
    shop.checkout.tierstack("restore", "-s", shop.stack, "--in-place", "--replace-data", "--yes")
    print(f"\nreplaced in {time.monotonic() - began:.0f} s, rehearsal included")
    assert int(shop.sql("SELECT count(*) FROM moments")) == CHOSEN + 1
    _answers(shop)
    _nothing_to_do(shop)


def _answers(shop: Shop) -> None:
    def healthy() -> bool:
        with suppress(OSError):
            status, _, body = shop.site().ask("GET", "/api/health")
            return status == 200 and json.loads(body)["checks"]["database"]["status"] == "ok"
        return False

    wait_until("the application reaches its database", healthy, 180)


def _nothing_to_do(shop: Shop) -> None:
    assert shop.checkout.json("preview", "-s", shop.stack)["steps"] == []


def test_a_namespace_comes_back_from_bucket_and_configuration(shop: Shop) -> None:
    shop.sql("INSERT INTO moments VALUES (100)")
    archived(shop)
    wait_until("a base backup of the restored database is there", lambda: "completed" in _phases(shop), 300)
    secret = ("-n", shop.namespace, "get", "secret", "db-app", "-o", "jsonpath={.data.password}")
    before = kubectl(*secret)

    def from_bucket(config: dict[str, Any]) -> None:
        config["database"]["restore"] = {"server_name": "db-2"}
        config["database"]["archive"] |= {"server_name": "db-3"}

    kubectl("delete", "namespace", shop.namespace, "--timeout=300s")
    shop.change(from_bucket)
    began = time.monotonic()
    shop.up("--refresh")
    print(f"\nthe namespace is back after {time.monotonic() - began:.0f} s")
    assert int(shop.sql("SELECT count(*) FROM moments")) == CHOSEN + 2
    assert kubectl(*secret) == before, "the password of this state, not that of the backup"
    _answers(shop)
    _nothing_to_do(shop)


def _phases(shop: Shop) -> list[str]:
    """How the base backups are that were made since the Cluster is there."""
    listed = json.loads(kubectl("-n", shop.namespace, "get", "backup", "-o", "json"))["items"]
    made = kubectl("-n", shop.namespace, "get", CLUSTER, "db", "-o", "jsonpath={.metadata.creationTimestamp}")
    started = [one.get("status") or {} for one in listed]
    return [str(one.get("phase")) for one in started if _at(one.get("startedAt") or made) > _at(made)]


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_drill_of_what_came_back_is_good(shop: Shop) -> None:
    wait_until("the first base backup is complete", lambda: "completed" in _phases(shop), 300)
    assert drilled(shop)["result"] == "good"
