"""What FileBackups registers, as golden files; secrets and keys only where they belong; arguments that are wrong."""

import dataclasses
import json
from typing import Any

import pytest
import yaml

from tests.backup_schedule.test_graph import STORE
from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack.backup_schedule import FileBackups
from tierstack.backup_schedule.restic import config
from tierstack.backup_schedule.restic.args import FileBackupsArgs, FilesDrillArgs, KeepArgs
from tierstack.backup_schedule.restic.memory import reserved
from tierstack.links import FileVolume
from tierstack.platform import DataProtection, DockerHost, Kubernetes

pytestmark = pytest.mark.graph

FILES = FileVolume(volume="shop-web-uploads", user="10001:10001")
IMAGE = "sha256:" + "a" * 64


def args(**changes: Any) -> FileBackupsArgs:
    given: dict[str, Any] = {"platform": DockerHost(name="shop"), "files": FILES, "image": IMAGE}
    return FileBackupsArgs(**{**given, **changes})


def registered(**changes: Any) -> Recorder:
    return run_program(lambda: FileBackups("files", args(**changes)))


@pytest.mark.parametrize(("name", "changes"), [("volume", {}), ("bucket", {"store": STORE, "drill": FilesDrillArgs()})])
def test_what_is_registered(name: str, changes: dict[str, Any]) -> None:
    summary = registered(**changes).summary()
    for one in (one for one in summary.values() if "inputs" in one):
        for path in config.program() if "files" in one["inputs"] and "(secret)" in one["inputs"]["files"] else ():
            one["inputs"]["files"]["(secret)"][path] = "(code)"  # golden is what is configured
        for label in one["inputs"].get("labels", []):
            if label["label"] == "tierstack.dev/agent":
                label["value"] = "(hash)"
    golden(f"file-backups-{name}.json", summary)


def test_each_container_has_the_key_of_its_purpose_and_none_sees_what_it_need_not() -> None:
    made = registered(store=STORE)
    for files, purpose in {
        "files-config": "write",
        "files-fetch-config": "drill",
        "files-prune-config": "prune",
    }.items():
        text = made.named(f"{files}-files").inputs["files"].value["aws-credentials"]
        assert text == f"[{purpose}]\naws_access_key_id = {purpose}\naws_secret_access_key = {purpose}-secret\n"
    sees = {
        one: {mount["target"]: mount.get("readOnly", False) for mount in made.named(one, "Container").inputs["mounts"]}
        for one in ("files-restic", "files-prune")
    }
    assert sees["files-restic"] == {
        "/etc/tierstack": True, "/source": True, "/var/lib/restic": False, "/run/tierstack/ca/store": True,
    }  # fmt: skip
    assert "/source" not in sees["files-prune"]
    assert [made.named(one, "Container").inputs["hostname"] for one in sees] == [
        "shop-files-restic",
        "shop-files-prune",
    ]


@pytest.mark.parametrize("changes", [{}, {"password": "a given password of a repository"}])
def test_the_password_stands_only_in_files(changes: dict[str, Any]) -> None:
    made = registered(store=STORE, **changes)
    outputs = made.named("files", "FileBackups").outputs
    (password,) = (outputs[one].value for one in ("repositoryPassword", "repository_password") if one in outputs)
    for one in made.made:
        files = one.inputs.get("files")
        if isinstance(files, Secret) and "settings.json" in files.value:
            assert files.value.get("repository-password") == password
            assert password not in files.value["settings.json"]
        elif "RandomPassword" not in one.type:
            assert password not in json.dumps(one.inputs, default=str), one.name


@pytest.mark.parametrize("protection", list(DataProtection))
def test_backups_and_their_password_are_protected_as_data(protection: DataProtection) -> None:
    made = registered(platform=DockerHost(name="shop", data_protection=protection))
    for name in ("files-catalog", "files-password"):
        assert bool(made.named(name).options.get("protect")) is (protection is not DataProtection.NONE)
    assert bool(made.named("files-catalog").options.get("retainOnDelete")) is (protection is DataProtection.RETAIN)
    assert not made.named("files-config", "Volume").options.get("protect")


def test_settings_change_files_and_not_the_container() -> None:
    before = registered()
    after = registered(schedule="0 * * * *", keep=KeepArgs(hourly=24, daily=None, within_days=2), exclude=["*.tmp"])
    was, now = ({one.name: one.inputs for one in run.made} for run in (before, after))
    assert [name for name in was if was[name] != now[name]] == ["files-config-files"]
    settings = json.loads(after.named("files-config-files").inputs["files"].value["settings.json"])
    assert (settings["keep"], settings["exclude"]) == ({"last": 1, "hourly": 24, "within": 2}, ["*.tmp"])


def test_without_a_bucket_there_is_no_way_out_and_nothing_that_prunes() -> None:
    made = registered()
    assert made.named("files", "Network").inputs["internal"] is True
    assert not [one for one in made.made if "prune" in one.name]
    assert [one.memory_mb for one in reserved(args())] == [512]
    assert [one.memory_mb for one in reserved(args(store=STORE))] == [512, 384]
    external = registered(store=dataclasses.replace(STORE, network=None, ca=None))
    assert not external.named("files", "Network").inputs.get("internal")


def test_alerts_are_those_of_what_there_is() -> None:
    def alerts(**changes: Any) -> dict[str, str]:
        outputs = registered(**changes).named("files", "FileBackups").outputs
        text = next(outputs[one] for one in ("alertRules", "alert_rules") if one in outputs)
        return {one["alert"]: one["expr"] for one in yaml.safe_load(text)["groups"][0]["rules"]}

    plain = alerts()
    assert plain["FileBackupMissing"] == 'tierstack_files_backup_late{name="files",platform="shop"} == 1'
    assert "FileBackupDiskFillsUp" in plain
    assert "FileDrillMissing" not in plain
    with_bucket = alerts(store=STORE, drill=FilesDrillArgs(within_hours=1))
    assert "FileBackupDiskFillsUp" not in with_bucket
    assert "> 3600 or absent(" in with_bucket["FileDrillMissing"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {"platform": Kubernetes(name="shop")},
            "files: are on Kubernetes, where FileBackups makes no backups; make it on a Docker host only",
        ),
        ({"files": FileVolume()}, "files.volume: is missing: the application has no uploads"),
        (
            {"files": FileVolume(volume="x", user="0:0")},
            "files.user = '0:0': is not `uid:gid` of a user other than root",
        ),
        ({"files": FileVolume(volume="x")}, "files.user: is not `uid:gid`"),
        ({"image": None}, "image: is required on a Docker host; give an image with restic and Python, by digest"),
        ({"schedule": "0 30 3 * * *"}, "schedule = '0 30 3 * * *': has 6 fields"),
        ({"check_schedule": "x"}, "check_schedule = 'x': has 1 field"),
        ({"password": "short"}, "password = (hidden): is shorter than 16 characters, or has a line break"),
        ({"keep": KeepArgs(last=0)}, "keep.last = 0: must be at least 1"),
        ({"check_parts": 0}, "check_parts = 0:"),
    ],
)
def test_wrong_arguments(changes: dict[str, Any], says: str) -> None:
    (problem,) = refused(lambda: FileBackups("files", args(**changes))).problems
    assert says in str(problem)
