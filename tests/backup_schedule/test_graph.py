"""What BackupSchedule registers, as golden files; secrets only where they belong; files by content."""

import configparser
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Recorder, Secret, golden, run_program
from tierstack.backup_schedule import BackupSchedule, BackupScheduleArgs, config, restore
from tierstack.backup_schedule.engine import Source
from tierstack.links import (
    DatabaseArchive,
    DatabaseConnection,
    DatabaseEngine,
    ObjectStore,
    SecretRef,
    StoreKey,
    TrustedCA,
)
from tierstack.platform import DataProtection, DockerHost, Kubernetes, Platform

pytestmark = pytest.mark.graph

BASE: Any = {
    "engine": DatabaseEngine.POSTGRESQL.value,
    "environment": {},
    "host": "pooler",
    "port": "6432",
    "direct_host": "db",
    "direct_port": "5432",
    "database": "app",
    "user": "app",
}
ON_DOCKER = DatabaseConnection(
    **BASE,
    password=SecretRef(value="app-password"),
    direct_network="shop-db-direct",
    backup_user="backup",
    backup_password=SecretRef(value="back:up\\word"),
)
ON_KUBERNETES = DatabaseConnection(
    **BASE,
    password=SecretRef(secret_name="db", key="password"),
    archive=DatabaseArchive(
        cluster="db", object_store="db-archive", location="s3://shop-backups/prod", retention_days=30
    ),
)


def args(platform: Platform, **changes: Any) -> BackupScheduleArgs:
    if isinstance(platform, DockerHost):
        return BackupScheduleArgs(platform=platform, database=ON_DOCKER, image="sha256:" + "a" * 64, **changes)
    return BackupScheduleArgs(platform=platform, database=ON_KUBERNETES, **changes)


def registered(platform: Platform, **changes: Any) -> Recorder:
    return run_program(lambda: BackupSchedule("backups", args(platform, **changes)))


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        ("docker", DockerHost(name="shop")),
        ("kubernetes", Kubernetes(name="shop")),
        ("kubernetes-rendered", Kubernetes(name="shop", render_to="out", secret_store="vault")),
    ],
)
def test_what_is_registered(name: str, platform: Platform) -> None:
    summary = registered(platform).summary()
    if name == "docker":
        # The agent's own text is not golden: every change of it would be one of this file.
        files = summary["backups-files"]["inputs"]["files"]["(secret)"]
        for path in config.program():
            files[path] = "(code)"
        summary["backups-barman"]["inputs"]["labels"] = [
            {**label, "value": "(hash)"} if label["label"] == "tierstack.dev/agent" else label
            for label in summary["backups-barman"]["inputs"]["labels"]
        ]
    golden(f"backup-schedule-{name}.json", summary)


STORE = ObjectStore(
    bucket="backups",
    prefix="prod",
    endpoint_url="https://storage:7070",
    region="us-east-1",
    access_key_id=SecretRef(value="write"),
    secret_access_key=SecretRef(value="write-secret"),
    prune=StoreKey(access_key_id=SecretRef(value="prune"), secret_access_key=SecretRef(value="prune-secret")),
    drill=StoreKey(access_key_id=SecretRef(value="drill"), secret_access_key=SecretRef(value="drill-secret")),
    network="shop-storage-network",
    ca=TrustedCA(volume="shop-storage-ca"),
)


def keys(made: Recorder, files: str) -> str:
    """The keys that stand in a volume."""
    return made.named(files).inputs["files"].value["aws-credentials"]


def test_each_container_has_the_key_of_its_purpose() -> None:
    made = registered(DockerHost(name="shop"), store=STORE)
    volumes = {"backups-files": "write", "backups-fetch-files": "drill", "backups-prune-files": "prune"}
    for files, purpose in volumes.items():
        assert (
            keys(made, files)
            == f"[{purpose}]\naws_access_key_id = {purpose}\naws_secret_access_key = {purpose}-secret\n"
        )
    settings = json.loads(made.named("backups-files").inputs["files"].value["settings.json"])["store"]
    assert settings == {
        "bucket": "backups",
        "prefix": "prod",
        "endpoint_url": "https://storage:7070",
        "region": "us-east-1",
        "server": "shop-backups",
        "ca_path": "/run/tierstack/ca/store/ca.crt",
    }


def test_the_agent_is_in_the_network_of_the_bucket_and_restores_know_it() -> None:
    made = registered(DockerHost(name="shop"), store=STORE)
    networks = [one["name"] for one in made.named("backups-barman", "Container").inputs["networksAdvanced"]]
    assert networks == ["shop-db-direct", "shop-storage-network"]
    component = made.named("backups", "BackupSchedule").outputs
    assert component["location"] == "s3://backups/prod"
    assert {
        alert["alert"]
        for alert in yaml.safe_load(component["alertRules" if "alertRules" in component else "alert_rules"])["groups"][
            0
        ]["rules"]
    } >= {
        "WalNotStored",
        "BaseBackupNotStored",
    }


def test_an_external_bucket_is_reached_through_a_network_with_a_way_out() -> None:
    made = registered(DockerHost(name="shop"), store=dataclasses.replace(STORE, network=None, ca=None))
    assert not made.named("backups-store", "Network").inputs.get("internal")
    networks = [one["name"] for one in made.named("backups-barman", "Container").inputs["networksAdvanced"]]
    assert networks == ["shop-db-direct", "shop-backups-store"]


@pytest.mark.parametrize("protection", list(DataProtection))
def test_the_catalog_is_protected_as_data(protection: DataProtection) -> None:
    made = registered(DockerHost(name="shop", data_protection=protection))
    options = made.named("backups-catalog").options
    assert bool(options.get("protect")) is (protection is not DataProtection.NONE)
    assert bool(options.get("retainOnDelete")) is (protection is DataProtection.RETAIN)
    assert not made.named("backups-config").options.get("protect")


def test_the_password_stands_only_in_its_file() -> None:
    made = registered(DockerHost(name="shop"))
    files = made.named("backups-files").inputs["files"]
    assert isinstance(files, Secret)
    assert files.value["pgpass"] == "*:*:*:backup:back\\:up\\\\word\n"
    others = {path: text for path, text in files.value.items() if path != "pgpass"}
    rest = [one.inputs for one in made.made if one.name != "backups-files"]
    assert "word" not in json.dumps([others["barman.conf"], others["settings.json"], repr(rest)])


def test_settings_change_files_and_not_the_container() -> None:
    before = registered(DockerHost(name="shop"))
    after = registered(DockerHost(name="shop"), schedule="0 */6 * * *", retention_days=30)
    was, now = ({one.name: one.inputs for one in run.made} for run in (before, after))
    assert was.keys() == now.keys()
    changed = [name for name in was if was[name] != now[name]]
    assert changed == ["backups-files"]
    text = after.named("backups-files").inputs["files"].value["barman.conf"]
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(text)
    assert parser["tierstack"]["retention_policy"] == "RECOVERY WINDOW OF 30 DAYS"


def test_the_restored_server_has_no_network_and_the_catalog_is_named() -> None:
    source = Source(catalog="shop-backups-catalog", config="shop-backups-config", image="barman")
    steps = restore.commands(source, aside="aside", postgres_image="postgres", time="2026-01-31T12:00:00Z")
    commands = [step.command for step in steps]
    runs = [command for command in commands if command[1] == "run"]
    assert all(command[command.index("--network") + 1] == "none" for command in runs)
    assert commands[2][-5:] == ["restore", "--to", "/restore/data", "--time", "2026-01-31T12:00:00Z"]
    assert "--time" not in restore.commands(source, aside="aside", postgres_image="postgres")[2].command


def test_the_cluster_of_a_restore() -> None:
    manifest = restore.recovery_cluster(
        aside="aside", cluster="db", object_store="db-archive", storage_gb=50, time="2026-01-31T12:00:00Z"
    )
    golden("backup-schedule-recovery-cluster.json", manifest)
    same = restore.recovery_cluster(
        aside="aside", cluster="db", object_store="db-archive", storage_gb=50, image="pg@sha256:0"
    )
    assert same["spec"]["imageName"] == "pg@sha256:0"


def test_the_cluster_of_a_restore_works_in_a_closed_namespace() -> None:
    """`default-deny` selects its pods too, and the policies of the running database do not."""
    cluster = restore.recovery_cluster(aside="aside", cluster="db", object_store="db-archive", storage_gb=50)
    spec = restore.recovery_policy(aside="aside")["spec"]
    assert spec["podSelector"]["matchLabels"] == {"cnpg.io/cluster": cluster["metadata"]["name"]}
    assert spec["egress"] == [{}], "wherever API server and bucket are"
    assert [port["port"] for port in spec["ingress"][0]["ports"]] == [5432, 8000]
    documented = page_manifests()
    assert documented == [
        restore.recovery_policy(aside="aside"),
        restore.recovery_cluster(
            aside="aside",
            cluster="db",
            object_store="db-archive",
            storage_gb=50,
            time="2026-01-31T12:00:00Z",
            image=documented[1]["spec"]["imageName"],
        ),
    ]


def page_manifests() -> list[dict[str, Any]]:
    """The manifests of the restore on the component's page."""
    page = (Path(__file__).parents[2] / "docs/components/backup-schedule.md").read_text()
    block = page.split("cat > aside.yaml <<EOF\n")[1].split("\nEOF\n")[0]
    return list(yaml.safe_load_all(block))


def test_delivered_modules_import_nothing_that_an_image_may_lack() -> None:
    package = Path(config.__file__).parent
    for name in config.DELIVERED:
        lines = (package / name).read_text().splitlines()
        imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert imported <= {
            "argparse", "collections", "contextlib", "dataclasses", "datetime", "gzip", "http", "itertools", "json", "os", "pathlib", "re",
            "shutil", "subprocess", "sys", "threading", "tierstack", "time", "typing",
        }  # fmt: skip
