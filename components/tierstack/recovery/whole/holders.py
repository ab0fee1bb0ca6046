"""What an update makes first in a recovery: everything that holds or reads data, and nothing that runs beside.

It is an update of the stack's own program with targets, so any program can be recovered, and no key of a configuration
says that a recovery is under way: one that was left behind would take the applications of a running stack away.
"""

import re
from collections.abc import Sequence
from typing import Protocol

from tierstack.engine.project import UsageError
from tierstack.engine.run import Outcome, RunFailedError

_COMPONENTS = ("DatabaseWithReplicas", "BackupSchedule", "FileBackups", "ObjectStorage", "AppCluster", "RedisCluster")
TARGETS = (
    "**pulumi:providers:docker::**",
    "**dynamic/docker:Claim::**",
    *(f"**tierstack:index:{one}::*" for one in _COMPONENTS),
    # The bucket's keys are known when it was probed. One on the host is there only if its volume was brought over.
    "**tierstack:index:ObjectStorage$**",
    "**tierstack:index:DatabaseWithReplicas$docker:index/volume:Volume::*-data",
    # Its files name the image of the server.
    "**tierstack:index:DatabaseWithReplicas$**::*-config",
    "**tierstack:index:DatabaseWithReplicas$**::*-config-files",
    *(
        f"**tierstack:index:{backups}$**::*-{one}"
        for backups in ("BackupSchedule", "FileBackups")
        for one in ("catalog", "catalog-files", "fetch-config", "fetch-files", "fetch-config-files")
    ),
    "**tierstack:index:BackupSchedule$docker:index/network:Network::*",
    "**tierstack:index:FileBackups$docker:index/network:Network::*",
    "**tierstack:index:FileBackups$random:**",
    # The volume of the uploads, and the file by which it belongs to the application.
    "**tierstack:index:AppCluster$**::*-uploads",
)
"""Patterns of URNs, as the engine takes them."""
_LEFT_OUT = re.compile(r"depends on '(urn:[^']+)' which was (?:was )?not specified")


class Updates(Protocol):
    """The engine, as far as a recovery asks it."""

    def run(self, verb: str, *arguments: str, quiet: bool = False) -> Outcome:
        """One run of the engine."""
        ...


def refresh(pulumi: Updates) -> None:
    """Take what the host has lost out of a state that outlived it. Raises RunFailedError with what the engine says."""
    outcome = pulumi.run("refresh", "--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress", quiet=True)
    if not outcome.ok:
        raise RunFailedError(outcome.messages)


def make(pulumi: Updates) -> None:
    """Make what holds and reads data. Raises RunFailedError with what the engine says, and UsageError where the backups
    cannot be read without something that runs on the host."""
    targets = [*TARGETS]
    while True:
        flags = [f"--target={one}" for one in targets]
        outcome = pulumi.run("up", "--yes", "--skip-preview", "--suppress-outputs", *flags, quiet=True)
        if outcome.ok:
            return
        left_out = left_out_by(outcome.messages)
        if left_out is None or left_out in targets:
            raise RunFailedError(outcome.messages)
        if not is_component(left_out):
            raise UsageError(needed(left_out))
        targets.append(left_out)  # a component of the program's own, around one of ours


def left_out_by(messages: Sequence[str]) -> str | None:
    """The URN that a target depends on, and that is none itself, by what the engine says."""
    return next((found[1] for one in messages if (found := _LEFT_OUT.search(one))), None)


def is_component(urn: str) -> bool:
    """Whether a URN is that of a component: its token has no folder, as those of providers' resources have."""
    return "/" not in urn.split("::")[2].rpartition("$")[2]


def needed(urn: str) -> str:
    """What to tell of a resource that a recovery does not make, and needs."""
    kind, name = urn.split("::")[2].rpartition("$")[2].rpartition(":")[2], urn.rpartition("::")[2]
    return (
        f"the backups are read by means of {kind} `{name}`, which a recovery does not make. It needs a bucket outside "
        "of the host (`object_storage` with `endpoint_url` or `region`), or volumes of the host that were brought over"
        ": docs/how-to/restore-a-host.md"
    )
