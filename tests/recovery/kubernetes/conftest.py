"""A cluster that is played by a program called kubectl."""

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.recovery.kubernetes import fake_kubectl
from tierstack.backup_schedule.recovery import OnKubernetes
from tierstack.recovery.host import CommandError, Host
from tierstack.recovery.kubernetes import found
from tierstack.recovery.kubernetes.found import ClusterBackups
from tierstack.recovery.kubernetes.kubectl import Kubectl

AT = OnKubernetes(
    context="shop-cluster",
    namespace="shop",
    cluster="db",
    object_store="db-archive",
    read_store="db-reader",
    server_name="db-2",
    bucket_port=9000,
    operator_namespace="cnpg-system",
    database="app",
    checks={"orders": "SELECT count(*) > 0 FROM orders"},
    max_lost_seconds=120,
    max_minutes=60,
)
LIVE = {
    "metadata": {"name": "db"},
    "spec": {
        "imageName": "postgresql:17.6@sha256:00",
        "storage": {"size": "5Gi", "storageClass": "fast", "resizeInUseVolumes": True},
        "walStorage": {"size": "2Gi"},
        "resources": {"limits": {"cpu": "2", "memory": "1Gi"}, "requests": {"cpu": "2", "memory": "1Gi"}},
    },
    "status": {"currentPrimary": "db-1"},
}
BACKUP = {
    "spec": {"cluster": {"name": "db"}},
    "metadata": {"name": "backups-1"},
    "status": {"phase": "completed", "backupId": "20261126T033000", "stoppedAt": "2026-11-26T03:31:00Z"},
}
STORE = {
    "metadata": {"name": "db-archive"},
    "status": {"serverRecoveryWindow": {"db-2": {"firstRecoverabilityPoint": "2026-11-20T00:00:00Z"}}},
}


class Played:
    """What the program plays, and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.say(
            objects={
                "cluster.postgresql.cnpg.io/db": LIVE,
                "backup.postgresql.cnpg.io/backups-1": BACKUP,
                "objectstore.barmancloud.cnpg.io/db-archive": STORE,
            },
            restores="ready",
            logs="",
            lost_seconds=0,
            archives=True,
            volumes_stay=2,
            refuses={},
        )

    @property
    def state(self) -> dict[str, Any]:
        file = self.folder / "state.json"
        return json.loads(file.read_text()) if file.exists() else {}

    def say(self, **changes: Any) -> None:
        (self.folder / "state.json").write_text(json.dumps({**self.state, **changes}))

    def put(self, key: str, one: dict[str, Any]) -> None:
        self.say(objects={**self.state["objects"], key: one})

    def without(self, key: str) -> None:
        self.say(objects={name: one for name, one in self.state["objects"].items() if name != key})

    def names(self, *kinds: str) -> set[str]:
        return {key for key in self.state["objects"] if key.split("/")[0] in kinds}

    def calls(self) -> list[str]:
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    program = tmp_path / "kubectl-bin" / "kubectl"
    program.parent.mkdir()
    script = Path(__file__).parent / "fake_kubectl.py"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {script} "$@"\n')
    program.chmod(0o700)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_CLUSTER", str(tmp_path))
    monkeypatch.setattr(found, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(Host, "run", _run)
    return Played(tmp_path)


def _run(_host: Host, command: Sequence[str], stdin: str | None = None) -> str:
    """In this process, which is faster; a writer has a process of its own."""
    code, said = fake_kubectl.call(command, stdin)
    if code:
        raise CommandError(f"`{' '.join(command)}` failed with exit code {code}: {said}")
    return said


@pytest.fixture
def backups() -> ClusterBackups:
    return ClusterBackups(AT, Kubectl(AT.context, AT.namespace))
