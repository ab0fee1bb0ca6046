"""What of a stack can come back, by its state."""

from dataclasses import replace
from typing import Any

import pytest

from tests.recovery.whole.machine import DATABASE, FILES, STATE, component, volume
from tierstack.engine.project import UsageError
from tierstack.recovery.whole.lost import lost

pytestmark = pytest.mark.pure


def state(**backups: Any) -> list[dict[str, Any]]:
    """The state with other backups: name → what they say of themselves."""
    others = [one for one in STATE if "Backup" not in one["type"]]
    kinds = {name: "FileBackups" if '"kind": "files"' in text else "BackupSchedule" for name, text in backups.items()}
    return [*others, *(component(kinds[name], name, recovery=text) for name, text in backups.items())]


def test_a_database_is_found_with_its_volume_copies_and_image() -> None:
    held = [*STATE, volume("DatabaseWithReplicas", "db-replica-1-data", "shop-db-replica-1-data")]
    found = lost(held, "prod", [])
    (database,), (files,) = found.databases, found.files
    assert (database.volume, database.copies, database.image) == (
        "shop-db-data", ["shop-db-replica-1-data"], "postgres",
    )  # fmt: skip
    assert files.at == FILES
    assert found.empty == ["Redis `redis`: queues, sessions, caches"]


def test_everything_without_a_bucket_is_one_error_and_may_be_left_out() -> None:
    mysql = replace(DATABASE, engine="mysql", store=None, catalog="shop-orders-catalog").text()
    local = replace(FILES, bucket=False).text()
    held = state(backups=DATABASE.text(), orders=mysql, files=local)
    with pytest.raises(UsageError) as raised:
        lost(held, "prod", [])
    assert [one.split(".")[0] for one in raised.value.messages] == [
        "`orders` keeps its backups of MySQL in the volume shop-orders-catalog of the host, which was lost with it",
        "`files` keeps its backups in the volume shop-files-catalog of the host, which was lost with it",
    ]
    found = lost(held, "prod", ["orders", "files"])
    assert [one.name for one in found.databases] == ["backups"]
    assert "the uploads in the volume shop-web-uploads" in found.empty


@pytest.mark.parametrize(
    ("held", "without", "says"),
    [
        (state(), [], "prod has no backups to recover from"),
        (STATE, ["backup"], "did you mean `backups`"),
        (STATE, ["backups", "files"], "prod has no backups to recover from"),
        (state(backups=replace(DATABASE, server="elsewhere").text()), [], "backs up a database that this stack did not make"),
        (state(backups=replace(DATABASE, engine="mysql").text()), [], "backs up MySQL, which `tierstack recover` does not bring"),
        (state(backups=replace(DATABASE, server="other-db-primary").text()), [], "other-db-data .* is not of this stack"),
    ],
)  # fmt: skip
def test_what_cannot_be_recovered_is_one_clear_error(held: list[dict[str, Any]], without: list[str], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        lost(held, "prod", without)
