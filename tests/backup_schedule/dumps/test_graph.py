"""What DatabaseDumps registers, as golden files; secrets and keys only where they belong; arguments that are wrong."""

import dataclasses
import json
from typing import Any

import pytest
import yaml

from tests.backup_schedule.test_graph import BASE, STORE
from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack.backup_schedule import DatabaseDumps, DatabaseDumpsArgs, DrillArgs, DumpJobArgs, KeepArgs
from tierstack.backup_schedule.dumps import config
from tierstack.backup_schedule.dumps.memory import reserved
from tierstack.links import DatabaseConnection, DatabaseEngine, SecretRef, TrustedCA
from tierstack.platform import DataProtection, DockerHost, Kubernetes

pytestmark = pytest.mark.graph
IMAGE = "sha256:" + "a" * 64
GIVEN: Any = {
    **BASE,
    "password": SecretRef(value="app-password"),
    "direct_network": "shop-db-direct",
    "container": "shop-db-primary",
    "read_user": "tierstack_read",
    "read_password": SecretRef(value="read:pass\\word"),
    "backup_user": "tierstack_backup",
    "backup_password": SecretRef(value='back"up'),
    "ca": TrustedCA(volume="shop-db-ca"),
}
CONNECTIONS = {
    "postgresql": DatabaseConnection(**GIVEN),
    "mysql": DatabaseConnection(**{**GIVEN, "engine": DatabaseEngine.MYSQL.value, "direct_port": "3306"}),
}
JOBS = {
    "all": DumpJobArgs(),
    "critical": DumpJobArgs(schedule="0 * * * *", keep=KeepArgs(hourly=48), tables=["orders"]),
}


def args(engine: str = "postgresql", **changes: Any) -> DatabaseDumpsArgs:
    given: dict[str, Any] = {"platform": DockerHost(name="shop"), "database": CONNECTIONS[engine], "image": IMAGE}
    return DatabaseDumpsArgs(**{**given, **changes})


def registered(engine: str = "postgresql", **changes: Any) -> Recorder:
    return run_program(lambda: DatabaseDumps("dumps", args(engine, **changes)))


@pytest.mark.parametrize(
    ("name", "engine", "changes"),
    [
        ("postgresql-volume", "postgresql", {}),
        ("postgresql-bucket", "postgresql", {"store": STORE, "drill": DrillArgs(), "jobs": JOBS}),
        ("mysql-bucket", "mysql", {"store": STORE}),
    ],
)
def test_what_is_registered(name: str, engine: str, changes: dict[str, Any]) -> None:
    summary = registered(engine, **changes).summary()
    for one in (one for one in summary.values() if "inputs" in one):
        for path in config.program() if "files" in one["inputs"] and "(secret)" in one["inputs"]["files"] else ():
            one["inputs"]["files"]["(secret)"][path] = "(code)"  # golden is what is configured
        for label in one["inputs"].get("labels", []):
            if label["label"] == "tierstack.dev/agent":
                label["value"] = "(hash)"
    golden(f"database-dumps-{name}.json", summary)


@pytest.mark.parametrize(
    ("engine", "login", "text"),
    [
        ("postgresql", "pgpass", "*:*:*:tierstack_read:read\\:pass\\\\word\n"),
        ("mysql", "client.cnf", 'user="tierstack_backup"\npassword="back\\"up"'),
    ],
)
def test_the_login_and_the_keys_are_where_they_are_needed_alone(engine: str, login: str, text: str) -> None:
    made = registered(engine, store=STORE)
    for files, purpose in {"config": "write", "fetch-config": "drill", "prune-config": "prune"}.items():
        held = made.named(f"dumps-{files}-files").inputs["files"].value
        assert held["aws-credentials"].startswith(f"[{purpose}]\n")
        assert (login in held) is (purpose == "write")
        assert "repository-password" in held
        if purpose == "write":
            assert text in held[login]
    password = GIVEN["read_password" if engine == "postgresql" else "backup_password"].value
    for one in made.made:
        if isinstance(one.inputs.get("files"), Secret):
            assert password not in one.inputs["files"].value.get("settings.json", "")
        else:
            assert password not in json.dumps(one.inputs, default=str), one.name
    sees = {mount["target"] for mount in made.named("dumps-dumps", "Container").inputs["mounts"]}
    assert sees == {"/etc/tierstack", "/var/lib/restic", "/run/tierstack/ca/store", "/run/tierstack/ca/database"}
    networks = {one["name"] for one in made.named("dumps-prune", "Container").inputs["networksAdvanced"]}
    assert "shop-db-direct" not in networks


@pytest.mark.parametrize("protection", list(DataProtection))
def test_dumps_and_their_password_are_protected_as_data(protection: DataProtection) -> None:
    made = registered(platform=DockerHost(name="shop", data_protection=protection))
    for name in ("dumps-catalog", "dumps-password"):
        assert bool(made.named(name).options.get("protect")) is (protection is not DataProtection.NONE)


def test_settings_change_files_and_not_the_container() -> None:
    before, after = registered(), registered(jobs=JOBS, lock_seconds=5)
    was, now = ({one.name: one.inputs for one in run.made} for run in (before, after))
    changed = {name for name in was if was[name] != now[name]}
    assert changed == {"dumps-config-files", "dumps-fetch-config-files"}
    settings = json.loads(after.named("dumps-config-files").inputs["files"].value["settings.json"])
    assert settings["jobs"]["critical"] == {
        "schedule": "0 * * * *", "tables": ["orders"], "keep": {"last": 1, "hourly": 48, "daily": 14},
    }  # fmt: skip
    assert settings["jobs"]["all"]["keep"] == {"last": 1, "within": 30}
    assert "sslmode=verify-full" in settings["conninfo"]


def test_a_hand_written_network_is_not_left_without_the_bucket() -> None:
    made = registered(store=dataclasses.replace(STORE, network=None, ca=None))
    assert not made.named("dumps", "Network").inputs.get("internal")
    assert not [one for one in registered().made if one.type.endswith("network:Network")]
    assert [one.memory_mb for one in reserved(args())] == [512, 256]
    assert [one.memory_mb for one in reserved(args(store=STORE))] == [512, 384, 256]


def test_alerts_are_those_of_what_there_is() -> None:
    def alerts(**changes: Any) -> dict[str, str]:
        outputs = registered(**changes).named("dumps", "DatabaseDumps").outputs
        text = next(outputs[one] for one in ("alertRules", "alert_rules") if one in outputs)
        return {one["alert"]: one["expr"] for one in yaml.safe_load(text)["groups"][0]["rules"]}

    plain = alerts()
    assert plain["DumpShrunk"] == 'tierstack_dumps_shrunk{name="dumps",platform="shop"} == 1'
    assert "DumpDiskFillsUp" in plain
    assert "DumpDrillMissing" not in plain
    with_bucket = alerts(store=STORE, drill=DrillArgs(within_hours=1))
    assert "DumpDiskFillsUp" not in with_bucket
    assert "> 3600 or absent(" in with_bucket["DumpDrillMissing"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"platform": Kubernetes(name="shop")},
            "database: is on Kubernetes, where DatabaseDumps makes no dumps; make it on a Docker host only",
        ),
        ({"image": None}, "image: is required on a Docker host; give an image with pg_dump of the server's version"),
        ({"database": DatabaseConnection(**{**GIVEN, "engine": "oracle"})}, "database.engine = 'oracle': is an engine"),
        (
            {"database": DatabaseConnection(**{**GIVEN, "read_user": None})},
            "database.read_user: is needed to dump the primary",
        ),
        ({"jobs": {}}, "jobs = {}: is empty, so nothing would be dumped"),
        ({"jobs": {"All": DumpJobArgs()}}, "jobs.All = 'All': is not a name for a dump"),
        ({"jobs": {"a": DumpJobArgs(schedule="x")}}, "jobs.a.schedule = 'x': has 1 field"),
        ({"jobs": {"a": DumpJobArgs(tables=[])}}, "jobs.a.tables = []: is an empty list"),
        ({"jobs": {"a": DumpJobArgs(tables=["order*"])}}, "jobs.a.tables[0] = 'order*': is not the name of a table"),
        ({"jobs": {"a": DumpJobArgs(keep=KeepArgs(last=0))}}, "jobs.a.keep.last = 0: must be at least 1"),
        ({"check_schedule": "x"}, "check_schedule = 'x': has 1 field"),
        ({"password": "short"}, "password = (hidden): is shorter than 16 characters, or has a line break"),
        ({"lock_seconds": 0}, "lock_seconds = 0:"),
        ({"drill": DrillArgs(checks={"x": "DROP TABLE orders"})}, "drill.checks.x = 'DROP TABLE orders': is not a"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], says: str) -> None:
    (problem,) = refused(lambda: DatabaseDumps("dumps", args(**changes))).problems
    assert says in str(problem)
