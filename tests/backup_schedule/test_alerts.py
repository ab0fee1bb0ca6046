"""What monitoring is told: the metrics of the agent, and rules that name no metric that does not exist."""

import json
import re
import subprocess
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.backup_schedule.test_graph import args
from tests.backup_schedule.test_status import NIGHTLY, NOON, STREAMING, listed
from tierstack.backup_schedule import agent, alerts, metrics, status
from tierstack.platform import DockerHost, Kubernetes

LABELS = {"platform": "shop", "name": "backups"}
DISK = status.Disk(10 * 2**30, 20 * 2**30)


def document(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"found": listed("20261121T033002"), "streamers": STREAMING, "disk": DISK, **changes}
    checks = {"postgresql": {"status": "OK"}}
    wrong = status.faults(NIGHTLY, checks, given["streamers"], given["found"], NOON, disk=given["disk"])
    found, streamers = given["found"], given["streamers"]
    return status.report(NIGHTLY, found, streamers, wrong, NOON, None, None, given["disk"])


def seen(**changes: Any) -> dict[str, float]:
    return metrics.values(document(**changes))


def test_the_metrics_of_good_backups() -> None:
    assert seen() == {
        "healthy": 1,
        "wal_streaming": 1,
        "base_backup_late": 0,
        "base_backup_shrunk": 0,
        "last_base_backup_bytes": 7,
        "last_base_backup_timestamp_seconds": datetime(2026, 11, 21, 3, 30, 2, tzinfo=UTC).timestamp(),
        "restorable_from_timestamp_seconds": datetime(2026, 11, 21, 3, 40, 3, tzinfo=UTC).timestamp(),
        "wal_lag_bytes": 512,
        "catalog_free_bytes": 10 * 2**30,
        "catalog_size_bytes": 20 * 2**30,
        "checked_timestamp_seconds": NOON.timestamp(),
    }


def test_what_is_wrong_is_seen() -> None:
    assert seen(streamers=[])["wal_streaming"] == 0
    assert seen(found=listed("20261119T033002"))["base_backup_late"] == 1
    nothing = seen(found=[], streamers=[])
    assert (nothing["healthy"], nothing["base_backup_late"]) == (0, 1)
    assert "last_base_backup_timestamp_seconds" not in nothing
    full = document(disk=status.Disk(3 * 2**20, 2**30))
    assert full["faults"] == [
        "the catalog's disk is full: 3 of 1024 MiB are free; add disk, or shorten `retention_days`"
    ]
    assert not full["healthy"]


def test_the_page_is_prometheus_text() -> None:
    lines = metrics.text(document(), LABELS).splitlines()
    assert 'tierstack_backups_healthy{name="backups",platform="shop"} 1' in lines
    assert "# TYPE tierstack_backups_healthy gauge" in lines
    sample = re.compile(r'[a-z_]+\{name="backups",platform="shop"\} [0-9.e+]+')
    assert all(line.startswith("# ") or sample.fullmatch(line) for line in lines)


def test_the_server_answers_and_says_nothing_of_other_paths() -> None:
    pages: list[str | None] = [None, "a 1\n"]
    server = metrics.serve(lambda: pages.pop(0), port=0)
    try:
        at = f"http://127.0.0.1:{server.server_address[1]}"
        for path, code in (("/", 404), ("/metrics", 503)):
            with pytest.raises(urllib.error.HTTPError) as caught:
                urllib.request.urlopen(at + path, timeout=10)
            assert caught.value.code == code
        with urllib.request.urlopen(f"{at}/metrics", timeout=10) as answer:
            assert (answer.read(), answer.headers["Content-Type"]) == (b"a 1\n", metrics.CONTENT_TYPE)
    finally:
        server.shutdown()
        server.server_close()


def rules(platform: Any, **changes: Any) -> dict[str, dict[str, Any]]:
    (group,) = yaml.safe_load(alerts.text("backups", args(platform, **changes)))["groups"]
    assert group["name"] == "shop-backups"
    return {rule["alert"]: rule for rule in group["rules"]}


def test_rules_on_a_docker_host_ask_for_metrics_that_the_agent_gives() -> None:
    found = rules(DockerHost(name="shop"))
    assert set(found) == {
        *("BaseBackupMissing", "BaseBackupShrunk", "WalNotStreaming", "BackupsUnhealthy", "BackupCatalogFillsUp"),
        "BackupsUnobserved",
    }
    given = set(re.findall(r"^(\w+\{[^}]*\})", metrics.text(document(), LABELS), re.MULTILINE))
    for rule in found.values():
        asked = set(re.findall(r"tierstack_backups_\w+\{[^}]*\}", rule["expr"]))
        assert asked
        assert asked <= given, rule["expr"]
        assert rule["labels"]["platform"] == "shop"


def test_rules_on_kubernetes_know_the_schedule() -> None:
    found = rules(Kubernetes(name="shop"), schedule="0 3 * * 0")
    assert set(found) == {"BaseBackupMissing", "WalNotArchived", "BackupsUnobserved"}
    assert found["BaseBackupMissing"]["expr"].endswith(f"> {7 * 86400 + 3600}")
    assert 'namespace="shop",pod=~"db-[0-9]+"' in found["WalNotArchived"]["expr"]


@pytest.mark.parametrize(
    ("schedule", "pause"),
    [
        ("30 3 * * *", timedelta(days=1)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 3 * * 1,4", timedelta(days=4)),
        ("0 3 1 * *", timedelta(days=31)),
        ("0 3 29 2 *", timedelta(days=4 * 365 + 1)),
    ],
)
def test_the_longest_pause_of_a_schedule(schedule: str, pause: timedelta) -> None:
    assert alerts.longest_pause(schedule) == pause


def test_a_full_catalog_is_told_and_does_not_stop_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can be written there; the agent goes on, begins no backup, and its status can be read."""
    catalog, config = tmp_path / "catalog", tmp_path / "config"
    for folder in (catalog, config):
        folder.mkdir()
    (config / "settings.json").write_text(json.dumps({"schedule": "30 3 * * *", "conninfo": "", "labels": LABELS}))
    (catalog / "status.json").write_text("what an earlier release left")
    for name, value in {
        "CATALOG": catalog,
        "CONFIG": config,
        "STATUS": catalog / "status.json",
        "HELD": tmp_path / "status.json",
        "barman": lambda *_arguments, **_options: subprocess.CompletedProcess([], 1, "", "No space left on device"),
        "catalog_disk": lambda: status.Disk(0, 2**30),
        "unbroken_since": _no_space,
        "rotate": _no_space,
    }.items():
        monkeypatch.setattr(agent, name, value)
    agent.link_status()
    state = agent.State()
    state.found = listed((datetime.now(UTC) - timedelta(days=3)).strftime("%Y%m%dT%H%M%S"))
    wrong = state.tick()
    assert wrong[0] == "the catalog's disk is full: 0 of 1024 MiB are free; add disk, or shorten `retention_days`"
    assert "no WAL is streaming from the primary" in wrong
    assert "there is no base backup" not in wrong, "what Barman said last still holds"
    assert state.job is None, "no base backup is begun that cannot succeed"
    assert json.loads((catalog / "status.json").read_text())["faults"] == wrong
    page = agent.page()
    assert page
    assert 'tierstack_backups_healthy{name="backups",platform="shop"} 0' in page


def _no_space(*_arguments: object) -> None:
    raise OSError(28, "No space left on device")
