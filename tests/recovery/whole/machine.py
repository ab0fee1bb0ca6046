"""A made-up engine, bucket and Docker host whose volumes are directories: as of a machine that can lose power before or
after any command."""

import json
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.engine import StoreAt
from tierstack.backup_schedule.recovery import OnDocker
from tierstack.backup_schedule.restic import files as inside
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.engine.run import Outcome
from tierstack.recovery.host import CommandError, Host

DATABASE = OnDocker(
    docker_host=None, agent="shop-backups-barman", catalog="shop-backups-catalog", config="shop-backups-config",
    image="barman", server="shop-db-primary", database="app", max_lost_seconds=60, max_minutes=60,
    store=StoreAt(config="shop-backups-fetch-config", network="shop-backups-store", ca=None),
)  # fmt: skip
FILES = FilesOnDocker(
    docker_host=None, agent="shop-files-restic", catalog="shop-files-catalog", config="shop-files-fetch-config",
    image="restic", volume="shop-web-uploads", user="10001:10001", network="shop-files", ca=None, max_minutes=60,
    sample=1, bucket=True,
)  # fmt: skip
SNAPSHOT = {"id": "a" * 64, "began": "2026-11-27T02:15:00Z", "size_bytes": 2 * 2**20, "files": 2}
LOOK: dict[str, Any] = {
    "location": "s3://backups/prod/shop-backups",
    "ahead_seconds": 0,
    "system": "7",
    "bases": 2,
    "newest_at": "2026-11-27T07:00:00Z",
    "newest_of": {"00000001": "000000010000000000000009"},
    "drills": '{"result": "good", "size_bytes": 104857600, "rto_seconds": 10, "rows": 40}\n',
    "free_bytes": 10 * 2**30,
    "base": {
        "id": "20261127T030000",
        "ended_at": "2026-11-27T03:01:00Z",
        "size_bytes": 200 * 2**20,
        "version": "170006",
    },
    "segments": 4,
    "needed_bytes": 264 * 2**20,
    "problems": [],
}
LABELS = {"labels": [{"label": "tierstack.dev/environment", "value": "prod"}], "driverOpts": None}
URN = "urn:pulumi:prod::shop::"


class PowerCutError(BaseException):
    """The machine is off: nothing that runs on it goes on."""


def component(kind: str, name: str, **outputs: Any) -> dict[str, Any]:
    token = f"tierstack:index:{kind}"
    return {"type": token, "urn": f"{URN}{token}::{name}", "outputs": outputs}


def volume(kind: str, name: str, physical: str) -> dict[str, Any]:
    type_ = "docker:index/volume:Volume"
    return {
        "type": type_,
        "urn": f"{URN}tierstack:index:{kind}${type_}::{name}",
        "outputs": {"name": physical, **LABELS},
    }


def written(at: str, image: str) -> dict[str, Any]:
    type_ = "pulumi-python:dynamic/docker:VolumeFiles"
    return {"type": type_, "urn": f"{URN}{type_}::{at}-files", "inputs": {"volume": at, "image": image}}


STATE = [
    component("DatabaseWithReplicas", "db"),
    volume("DatabaseWithReplicas", "db-data", "shop-db-data"),
    written("shop-db-config", "postgres"),
    component("BackupSchedule", "backups", recovery=DATABASE.text()),
    component("FileBackups", "files", recovery=FILES.text()),
    component("AppCluster", "web"),
    volume("AppCluster", "web-uploads", "shop-web-uploads"),
    component("RedisCluster", "redis"),
]


@dataclass
class MadeUpEngine:
    """Makes volumes."""

    resources_: list[dict[str, Any]] = field(default_factory=lambda: list(STATE))
    asked: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    answers: list[Outcome] = field(default_factory=list[Outcome])

    def run(self, verb: str, *arguments: str, quiet: bool = False) -> Outcome:
        self.asked.append((verb, *arguments))
        return self.answers.pop(0) if self.answers else Outcome(ok=True)

    def resources(self) -> list[dict[str, Any]]:
        return self.resources_


@dataclass(frozen=True)
class Machine(Host):
    """A Docker host. `off`: number of the command at which the power goes, and whether before it or after."""

    root: Path = Path()
    off: tuple[int, bool] | None = None
    fails: Callable[[str], bool] = lambda _: False
    seen: dict[str, Any] = field(default_factory=lambda: dict(LOOK))
    extensions: str = ""
    version: str = "postgres (PostgreSQL) 17.6 (Debian 17.6-1)"
    restored: str = "restored"
    ran: list[str] = field(default_factory=list[str])
    state: dict[str, Any] = field(default_factory=dict[str, Any])

    def check(self) -> None:
        return

    def directory(self, name: str) -> Path:
        found = self.root / name
        found.mkdir(exist_ok=True)
        return found

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        if self.state.get("off"):
            raise PowerCutError
        said = " ".join(command)
        self.ran.append(said)
        if self.off == (len(self.ran), False):
            self.state["off"] = True
            raise PowerCutError
        if self.fails(said):
            raise CommandError("no")
        answer = self._carried_out([*command], said, stdin)
        if self.off == (len(self.ran), True):
            self.state["off"] = True
            raise PowerCutError
        return answer

    def follow(self, command: Sequence[str], each: Callable[[str], None]) -> None:
        for line in self.run(command).splitlines():
            each(line)

    def succeeds(self, command: Sequence[str]) -> bool:
        try:
            self.run(command)
        except CommandError:
            return False
        return True

    def _carried_out(self, command: list[str], said: str, stdin: str | None) -> str:
        if command[1] == "exec":
            return self._asked(command[-1])
        if command[1:3] == ["volume", "inspect"] and not (self.root / command[3]).exists():
            raise CommandError("no such volume")
        if command[1:3] == ["volume", "create"]:
            self.directory(command[-1])
        if command[1] != "run":
            return ""
        image = next(one for one in ("barman", "restic", "postgres") if one in command)
        inner = command[command.index(image) + 1 :]
        if inner[-1] == "--version":
            return self.version
        mounted = [command[at + 1].split(":") for at, one in enumerate(command) if one == "-v"]
        places = {place: self.directory(name) for name, place, *_ in mounted}
        if "tierstack.backup_schedule.look" in said:
            return json.dumps(self.seen)
        if "tierstack.backup_schedule.fetch" in said:
            return self._fetched(places[Path("/restore").as_posix()])
        if inside.__name__ in said:
            return self._files(inner, places.get("/restore", Path()))
        if "--detach" in command or inner[0] == "chown":
            return ""
        return self._shell(inner, places, stdin)

    def _asked(self, statement: str) -> str:
        if "pg_is_in_recovery" in statement:
            return "f"
        if "json_build_object" in statement:
            return json.dumps({"system": "7", "timeline": 2, "size_bytes": 300 * 2**20})
        return self.extensions if "pg_extension" in statement else "postgres\napp\n"

    def _fetched(self, root: Path) -> str:
        held = root / "pgdata.recovered"
        held.mkdir()  # as `barman-cloud-restore`, which refuses a directory that holds anything
        (held / "barman_wal").mkdir()
        for name in ("base", "restore.conf", "restore_hba.conf"):
            (held / name).write_text(self.restored)
        return '{"restored_bytes": 1, "total_bytes": 2}'

    def _files(self, inner: list[str], root: Path) -> str:
        verb = inner[3]
        if verb == "list":
            return json.dumps({"snapshots": [SNAPSHOT]})
        if verb == "restore":
            incoming = root / inside.INCOMING
            incoming.mkdir()
            for name in ("kept", "gone"):
                (incoming / name).write_text("then")
        else:
            {"swap": inside.swap, "undo": inside.undo}[verb](root)
        return ""

    def _shell(self, inner: list[str], places: dict[str, Path], stdin: str | None) -> str:
        for place, directory in places.items():
            inner = [re.sub(rf"(?<![\w.]){place}\b", str(directory), one) for one in inner]
        done = subprocess.run(inner, capture_output=True, text=True, input=stdin)
        if done.returncode:
            raise CommandError(done.stdout + done.stderr)
        return done.stdout
