"""The recovery of the files of one application: what its volume has, and the steps from there."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from tierstack.backup_schedule.engine import CONFINED, Step, step_in, unprivileged
from tierstack.backup_schedule.restic import files as inside
from tierstack.backup_schedule.restic import restore
from tierstack.backup_schedule.restic.repository import OURS
from tierstack.engine.project import UsageError
from tierstack.recovery import files
from tierstack.recovery.host import Host
from tierstack.recovery.restoring import Tell
from tierstack.recovery.whole.lost import LostFiles

MARK = f"{OURS}recovered.json"
"""In the volume: which backup was brought back into it. It is no part of a backup."""


class Holds(Enum):
    """What a volume of files has."""

    NOTHING = "nothing"
    INTERRUPTED = "interrupted"
    """What a recovery that was killed left, beside what was there before."""
    RECOVERED = "recovered"
    DATA = "data"


@dataclass(frozen=True, kw_only=True)
class Recovered:
    """How the recovery of files went."""

    name: str
    snapshot: str
    files: int
    size_bytes: int
    began: datetime
    """When the backup was made."""
    seconds: float | None
    """None: an earlier run had done it."""

    def as_entry(self) -> dict[str, Any]:
        """For machines."""
        speed = round(self.size_bytes / self.seconds) if self.seconds else None
        about = {"snapshot": self.snapshot, "files": self.files, "size_bytes": self.size_bytes}
        at = self.began.isoformat().replace("+00:00", "Z")
        return {"name": self.name, "seconds": self.seconds, "bytes_per_second": speed, "backup_at": at, **about}


class Recovery:
    """The recovery of the files of one application on a host."""

    def __init__(self, of: LostFiles, host: Host, to: datetime | None, *, replace: bool) -> None:
        self.of, self.host, self.to, self.replace = of, host, to, replace
        self.stored = files.StoredFiles(of.at, host)

    @property
    def _to(self) -> str | None:
        return self.to.isoformat() if self.to else None

    def planned(self, now: datetime) -> files.Plan:
        """What will be restored. Raises UsageError where there is no such backup."""
        try:
            return files.planned(self.to, self.stored.snapshots(), [], now)
        except UsageError as error:
            hint = ""
            if "another password" in str(error):
                hint = (
                    ". It is the output `repository_passwords` of the lost stack: set it as `password` of the backups "
                    "of files, as a secret"
                )
            raise UsageError(f"{self.of.name}: {error}{hint}") from None

    def lines(self, plan: files.Plan, now: datetime) -> list[str]:
        """The plan for people."""
        first, *others = plan.lines(now, f"into the volume {self.of.at.volume}")
        return [f"{self.of.name}: {first}", *(f"  {one}" for one in others)]

    def holds(self) -> tuple[Holds, Mapping[str, Any]]:
        """What the volume has, and by which recovery (`MARK`) its files came. Raises UsageError where what an
        earlier restore replaced is in the way."""
        self.host.succeeds(["docker", "rm", "--force", self.of.aside])
        # An empty place of what was replaced is what a kill just before the end leaves.
        script = f"cd {inside.TARGET}; rmdir {inside.BEFORE} 2>/dev/null; cat {MARK} 2>/dev/null; echo; ls -A1"
        mark, *names = self.host.run(self._in_volume(script)).splitlines()
        if {inside.INCOMING, inside.SWAPPING} & {*names}:
            return Holds.INTERRUPTED, {}
        done: dict[str, Any] = json.loads(mark) if mark else {}
        if self.replace and inside.BEFORE in names and not (done and done["to"] == self._to):
            raise UsageError(
                f"{self.of.name}: the volume {self.of.at.volume} holds `{inside.BEFORE}`, the files that an earlier "
                f"restore replaced. Nothing was changed. When nobody needs them: {files.removal(self.of.at)}"
            )
        if done:
            return Holds.RECOVERED, done
        theirs = [one for one in names if one != ".tierstack" and not one.startswith(OURS)]
        return (Holds.DATA if theirs else Holds.NOTHING), {}

    def is_done(self) -> bool:
        """Whether an earlier run has brought the files back. Raises UsageError where the volume has others."""
        holds, mark = self.holds()
        if holds is Holds.RECOVERED and mark["to"] == self._to:
            return True
        if holds in (Holds.NOTHING, Holds.INTERRUPTED) or self.replace:
            return False
        wrong = "holds files" if holds is Holds.DATA else "was recovered to another moment"
        raise UsageError(
            f"{self.of.name}: the volume {self.of.at.volume} {wrong}. Nothing was changed. To replace them: "
            f"--replace-data. They are kept as `{inside.BEFORE}`"
        )

    def carry_out(self, plan: files.Plan, tell: Tell) -> Recovered:
        """Bring the files back."""
        began, at, aside = time.monotonic(), self.of.at, self.of.aside
        holds, _ = self.holds()
        root = ["--user", "0:0", *CONFINED, "--cap-add", "CHOWN", "-v", f"{at.volume}:{inside.TARGET}", at.image]
        files.run_steps(
            self.host,
            [
                Step(
                    "give the volume to the application", [*step_in(aside), *root, "chown", at.user, str(inside.TARGET)]
                )
            ],
            tell,
        )
        if holds is Holds.INTERRUPTED:
            self.host.run(self._in_volume(f"rm -f {inside.TARGET}/{MARK}"))
            for command in restore.undo_in_place(at, aside=aside)[1:]:
                self.host.run(command)
        restored, swap = restore.in_place_commands(at, aside=aside, snapshot=plan.snapshot.id)
        mark = json.dumps({"snapshot": plan.snapshot.id, "to": self._to})
        into = f"{inside.TARGET}/{inside.INCOMING}/{MARK}"
        before = f"{inside.TARGET}/{inside.BEFORE}"
        steps = [
            Step("make the place of what is replaced", self._in_volume(f"mkdir -p {before}")),
            restored,
            Step("note which backup it is", self._in_volume(f'printf %s "$1" > {into}', mark)),
            swap,
            Step("tidy up", self._in_volume(f"rmdir {before} 2>/dev/null || true")),
        ]
        files.run_steps(self.host, steps, tell)
        return self.recovered(plan, round(time.monotonic() - began, 1))

    def recovered(self, plan: files.Plan, seconds: float | None) -> Recovered:
        """How it went. `seconds` None: an earlier run has done it."""
        one = plan.snapshot
        return Recovered(
            name=self.of.name,
            snapshot=one.id,
            files=one.files,
            size_bytes=one.size_bytes,
            began=one.began,
            seconds=seconds,
        )

    def _in_volume(self, script: str, *arguments: str) -> list[str]:
        """A script in the volume, as the user of the files."""
        at = self.of.at
        confined = [*unprivileged(at.user), *CONFINED, "-v", f"{at.volume}:{inside.TARGET}", at.image]
        return [*step_in(self.of.aside), *confined, "sh", "-c", script, *(["sh", *arguments] if arguments else [])]
