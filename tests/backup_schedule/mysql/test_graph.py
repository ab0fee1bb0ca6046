"""What BackupSchedule registers for a MySQL: a golden file, secrets only where they belong, commands that are confined."""

import ast
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack import backup_schedule
from tierstack.backup_schedule import BackupSchedule, BackupScheduleArgs
from tierstack.backup_schedule.engine import Goal, Source
from tierstack.backup_schedule.engines import ENGINES
from tierstack.backup_schedule.facts import FACTS
from tierstack.backup_schedule.mysql import files, restore, server
from tierstack.links import DatabaseConnection, DatabaseEngine, ObjectStore, SecretRef, TrustedCA
from tierstack.platform import DockerHost, Kubernetes
from tierstack.recovery.dialects import DIALECTS

pytestmark = pytest.mark.graph

IMAGE = "sha256:" + "a" * 64
PASSWORD = "ba\"ck\\up's"
CONNECTION = DatabaseConnection(
    engine=DatabaseEngine.MYSQL.value,
    environment={},
    host="pooler",
    port="3306",
    direct_host="db-rw",
    direct_port="3306",
    database="shop",
    user="app",
    password=SecretRef(value="app-password"),
    direct_network="shop-db-direct",
    backup_user="tierstack_backup",
    backup_password=SecretRef(value=PASSWORD),
    container="shop-db-primary",
    ca=TrustedCA(volume="shop-db-ca"),
)
SOURCE = Source(catalog="shop-backups-catalog", config="shop-backups-config", image="agent")


def args(database: DatabaseConnection = CONNECTION, **changes: Any) -> BackupScheduleArgs:
    return BackupScheduleArgs(platform=DockerHost(name="shop"), database=database, image=IMAGE, **changes)


def registered(database: DatabaseConnection = CONNECTION, **changes: Any) -> Recorder:
    return run_program(lambda: BackupSchedule("backups", args(database, **changes)))


def texts(made: Recorder) -> dict[str, str]:
    given = made.named("backups-files").inputs["files"]
    assert isinstance(given, Secret)
    return given.value


def test_what_is_registered() -> None:
    summary = registered().summary()
    given = summary["backups-files"]["inputs"]["files"]["(secret)"]
    for path in files.program():
        given[path] = "(code)"
    summary["backups-agent"]["inputs"]["labels"] = [
        {**label, "value": "(hash)"} if label["label"] == "tierstack.dev/agent" else label
        for label in summary["backups-agent"]["inputs"]["labels"]
    ]
    golden("backup-schedule-mysql-docker.json", summary)


def test_the_password_stands_only_in_its_option_file() -> None:
    made = registered()
    given = texts(made)
    assert server.password(given["client.cnf"]) == PASSWORD
    rest = [one.inputs for one in made.made if one.name != "backups-files"]
    assert "ck\\\\up" not in json.dumps([{**given, "client.cnf": ""}, repr(rest)])


@pytest.mark.parametrize("value", ["", "a", '"', "\\", "\\\\", '\\"', "'", 'x\\"y\\\\', "a b#c;d"])
def test_a_value_of_an_option_file_is_read_as_it_was(value: str) -> None:
    assert server.unquoted(server.quoted(value)) == value


def test_without_a_certificate_the_password_goes_out_encrypted_all_the_same() -> None:
    given = texts(registered(replace(CONNECTION, ca=None)))
    assert 'ssl-mode="DISABLED"\nget-server-public-key="ON"' in given["client.cnf"]
    assert json.loads(given["settings.json"])["ca"] is None
    assert 'ssl-mode="VERIFY_IDENTITY"' in texts(registered())["client.cnf"]


def test_settings_change_files_and_not_the_container() -> None:
    before, after = registered(), registered(schedule="0 */6 * * *", retention_days=30, least_copies=3)
    was, now = ({one.name: one.inputs for one in run.made} for run in (before, after))
    assert [name for name in was if was[name] != now[name]] == ["backups-files"]
    given = json.loads(texts(after)["settings.json"])
    assert (given["schedule"], given["retention_days"], given["least_copies"]) == ("0 */6 * * *", 30, 3)


def test_every_engine_is_known_everywhere() -> None:
    assert ENGINES.keys() == FACTS.keys() == DIALECTS.keys() == {one.value for one in DatabaseEngine}


def test_kubernetes_and_a_missing_image_are_refused() -> None:
    found = BackupScheduleArgs(platform=Kubernetes(name="shop"), database=CONNECTION).problems()
    assert "database.engine = 'mysql': is an engine that BackupSchedule does not back up on Kubernetes" in str(found[0])
    given = BackupScheduleArgs(platform=DockerHost(name="shop"), database=CONNECTION)
    (problem,) = refused(lambda: BackupSchedule("backups", given)).problems
    assert str(problem) == (
        "image: is required on a Docker host; give an image with MySQL of the server's version and Python, by digest"
    )


def test_a_bucket_takes_none_of_it() -> None:
    store = ObjectStore(bucket="shop-backups", access_key_id=SecretRef(), secret_access_key=SecretRef())
    (problem,) = refused(lambda: BackupSchedule("backups", args(store=store))).problems
    assert str(problem) == (
        "store: takes backups of `postgresql` only, and the database's engine is `mysql`; remove it, and copy the volume "
        "of the backups to another machine; or use `postgresql`"
    )


def test_the_restored_server_has_no_network_and_no_root() -> None:
    steps = restore.commands(SOURCE, aside="aside", server_image="mysql", goal=Goal(time="2026-01-31T12:00:00Z"))
    runs = [step.command for step in steps if step.command[1] == "run"]
    assert all(command[command.index("--network") + 1] == "none" for command in runs)
    assert all("--cap-drop" in command for command in runs)
    assert [command[command.index("--user") + 1] for command in runs] == ["0:0", "999:999", "999:999"]
    assert runs[1][-5:] == ["restore", "--to", "/restore/data", "--time", "2026-01-31T12:00:00Z"]
    by_gtid = restore.commands(SOURCE, aside="aside", server_image="mysql", goal=Goal(gtid="x:1"))
    assert by_gtid[2].command[-2:] == ["--gtid", "x:1"]
    assert restore.commands(SOURCE, aside="aside", server_image="mysql", goal=Goal())[2].command[-1] == "/restore/data"


def test_the_catalog_is_only_read_from_by_a_restore_that_has_a_volume_of_its_own() -> None:
    steps = restore.in_place_commands(SOURCE, volume="shop-db-data", container="primary", aside="aside", goal=Goal())
    assert [step.command[:2] for step in steps] == [
        ["docker", "stop"],
        *[["docker", "run"]] * 3,
        ["docker", "start"],
    ]
    assert "data.before" in steps[1].command[-1]


def test_delivered_modules_are_all_there_and_import_nothing_that_an_image_may_lack() -> None:
    package = Path(backup_schedule.__file__).parent
    delivered = {f"tierstack.backup_schedule.{name.removesuffix('.py')}" for name in files.SHARED}
    delivered |= {f"tierstack.backup_schedule.mysql.{name.removesuffix('.py')}" for name in files.OWN}
    delivered |= {f"tierstack.{name.removesuffix('.py').replace('/', '.')}" for name in files.CORE}
    paths = [package / name for name in files.SHARED] + [package / "mysql" / name for name in files.OWN]
    paths += [package.parent / name for name in files.CORE]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                assert {one.name for one in node.names} <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                inner = {module, *(f"{module}.{one.name}" for one in node.names)}
                assert module.split(".")[0] in sys.stdlib_module_names or inner & delivered, (path, module)
