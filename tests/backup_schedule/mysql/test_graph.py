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
from tierstack.backup_schedule.engine import Goal, Source, StoreAt
from tierstack.backup_schedule.engines import ENGINES
from tierstack.backup_schedule.facts import FACTS
from tierstack.backup_schedule.mysql import files, restore, server
from tierstack.links import DatabaseConnection, DatabaseEngine, ObjectStore, SecretRef, StoreKey, TrustedCA
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


STORE = ObjectStore(
    bucket="backups",
    prefix="prod",
    endpoint_url="https://storage:7070",
    access_key_id=SecretRef(value="write"),
    secret_access_key=SecretRef(value="write-secret"),
    prune=StoreKey(access_key_id=SecretRef(value="prune"), secret_access_key=SecretRef(value="prune-secret")),
    drill=StoreKey(access_key_id=SecretRef(value="drill"), secret_access_key=SecretRef(value="drill-secret")),
    ca=TrustedCA(volume="shop-storage-ca"),
    network="shop-storage-network",
)


def test_with_a_bucket_each_container_has_its_program_and_the_key_of_its_purpose() -> None:
    made = registered(store=STORE, least_copies=2)
    for volume, purpose in (("backups", "write"), ("backups-fetch", "drill"), ("backups-prune", "prune")):
        given = made.named(f"{volume}-files").inputs["files"].value
        assert given["aws-credentials"].startswith(f"[{purpose}]\naws_access_key_id = {purpose}\n")
        assert {*files.program(store=True)} <= {*given}
        assert json.loads(given["settings.json"])["store"]["server"] == "shop-backups"
    assert json.loads(made.named("backups-prune-files").inputs["files"].value["settings.json"])["least_copies"] == 2
    pruning = made.named("backups-prune", "Container").inputs
    assert pruning["command"][-3:] == ["-m", "tierstack.backup_schedule.mysql.prune", "run"]
    assert pruning["user"] == "999:999"
    networks = [one["name"] for one in made.named("backups-agent", "Container").inputs["networksAdvanced"]]
    assert networks == ["shop-db-direct", "shop-storage-network"]
    assert made.named("backups", "BackupSchedule").outputs["location"] == "s3://backups/prod"


def test_a_restore_reads_the_bucket_and_has_neither_the_catalog_nor_the_key_that_writes() -> None:
    at = replace(SOURCE, store=StoreAt(config="shop-backups-fetch-config", network="net", ca="shop-storage-ca"))
    steps = restore.commands(at, aside="aside", server_image="mysql", goal=Goal(gtid="x:1"))
    reading = next(step.command for step in steps if step.what == restore.RESTORE)
    mounted = {reading[at + 1].partition(":")[0] for at, one in enumerate(reading) if one == "-v"}
    assert mounted == {"shop-backups-fetch-config", "shop-storage-ca", "aside"}
    assert reading[reading.index("--network") + 1] == "net"
    assert reading[-7:] == [*restore.FETCH, "--to", "/restore/data", "--gtid", "x:1"]
    others = [step.command for step in steps if step.what != restore.RESTORE and "run" in step.command]
    assert all(one[one.index("--network") + 1] == "none" for one in others)
    undo = restore.undo_in_place(at, volume="v", container="c", aside="a")
    assert "data.catalog" in undo[2][-1], "what was fetched beside goes too"


@pytest.mark.parametrize(
    ("sent", "position", "reached"),
    [
        ("binlog.000012 4711", "binlog.000012\t4711\t\t\t", True),
        ("binlog.000012 4710", "binlog.000012\t4711\t\t\tx:1-5", False),
        ("binlog.1000000 4", "binlog.999999\t4711", True),
        ("binlog.000011 9999", "binlog.000012\t4", False),
    ],
)
def test_how_far_the_log_was_sent(sent: str, position: str, reached: bool) -> None:
    assert ENGINES["mysql"].reached(sent, position) is reached


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
    for store in (False, True):
        _all_there(package.parent, [path.removeprefix("lib/tierstack/") for path in files.program(store=store)])


def _all_there(root: Path, names: list[str]) -> None:
    delivered = {f"tierstack.{name.removesuffix('.py').replace('/', '.')}" for name in names}
    paths = [root / name for name in names]
    for path in paths:
        # What only an agent with a bucket imports stands in a function.
        tree = ast.parse(path.read_text())
        nodes = ast.walk(tree) if "backup_schedule/mysql/bucket.py" in names else iter(tree.body)
        for node in nodes:
            if isinstance(node, ast.Import):
                assert {one.name for one in node.names} <= sys.stdlib_module_names, path
            elif isinstance(node, ast.ImportFrom):
                module = node.module or ""
                inner = {module, *(f"{module}.{one.name}" for one in node.names)}
                assert module.split(".")[0] in sys.stdlib_module_names or inner & delivered, (path, module)
