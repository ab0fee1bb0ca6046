"""The backups of a stack: found in its state, and asked how they are."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tierstack.backup_schedule import ledger, recovery
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.engine import BackupEngine
from tierstack.backup_schedule.engines import ENGINES
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.database.args import MOST_REPLICAS
from tierstack.database.standby import Seen, Server
from tierstack.database.standbys import STANDBY_ENGINES
from tierstack.engine.project import UsageError
from tierstack.recovery import in_state
from tierstack.recovery.dialect import Dialect
from tierstack.recovery.dialects import DIALECTS
from tierstack.recovery.host import CommandError, Host

DATABASE, FILES = "tierstack:index:BackupSchedule", "tierstack:index:FileBackups"
DUMPS = "tierstack:index:DatabaseDumps"


def backups(
    held: Sequence[Mapping[str, Any]], stack: str, name: str | None, *, dumps: bool = False
) -> tuple[str, recovery.OnDocker | recovery.OnKubernetes | FilesOnDocker | DumpsOnDocker]:
    """Name and description of the backups that are meant: those called `name`, else the only ones of a database, else
    the only ones. `dumps`: those are meant, where none are named.

    Raises UsageError where there are none, several, or such as cannot be restored by a command.
    """
    of_databases, of_files, of_dumps = (_said(held, stack, kind) for kind in (DATABASE, FILES, DUMPS))
    found = {**of_databases, **of_files, **of_dumps}
    if not found:
        raise UsageError(f"{stack} has no backups. Give it `backups: {{}}` (docs/components/backup-schedule.md)")
    if dumps and not of_dumps:
        raise UsageError(f"{stack} has no dumps. Give it `dumps: {{}}` (docs/components/database-dumps.md)")
    usual = of_dumps if dumps else of_databases or of_files or of_dumps
    if name is None and len(usual) > 1:
        raise UsageError(
            f"{stack} has several backups: {in_state.listed(usual if dumps else found)}. Name one with --backups"
        )
    chosen = name or next(iter(usual))
    in_state.refuse_unknown(stack, "backups", chosen, found)
    try:
        described = recovery.parsed(found[chosen])
    except TypeError:  # of an older version
        raise _too_little(stack) from None
    if isinstance(described, recovery.OnDocker) and described.server is None:
        raise UsageError(f"the database connection of `{chosen}` names no `container`: give it that of the primary")
    return chosen, described


def _said(held: Sequence[Mapping[str, Any]], stack: str, kind: str) -> dict[str, str]:
    """What backups of one kind say of themselves, by their names."""
    said = {name: outputs.get("recovery") for name, outputs in in_state.components(held, kind).items()}
    if not all(isinstance(one, str) for one in said.values()):
        raise _too_little(stack)
    return {name: str(one) for name, one in said.items()}


def _too_little(stack: str) -> UsageError:
    return UsageError(f"the state of {stack} says too little of its backups: `tierstack up -s {stack}` first")


@dataclass(frozen=True)
class Backups:
    """The backups on a Docker host."""

    at: recovery.OnDocker
    host: Host

    @property
    def server(self) -> str:
        """Container of the primary."""
        assert self.at.server is not None  # else they are not found
        return self.at.server

    @property
    def engine(self) -> BackupEngine:
        """What is backed up."""
        return ENGINES[self.at.engine]

    @property
    def dialect(self) -> Dialect:
        """How its server is asked."""
        return DIALECTS[self.at.engine]

    def status(self) -> dict[str, Any]:
        """What the agent says of them, or an empty document where it does not run."""
        try:
            return json.loads(self.host.run(["docker", "exec", self.at.agent, "cat", str(self.engine.status)]))
        except (CommandError, ValueError):
            return {}

    def drills(self) -> list[dict[str, Any]]:
        """The ledger, the oldest drill first; of the catalog, so that no running agent is needed."""
        return ledger.parsed(self.host.run([*self.engine.catalog_of(self.at.source), "drills"]))

    def record(self, entry: Mapping[str, Any]) -> None:
        """Append a drill to the ledger."""
        self.host.run([*self.engine.catalog_of(self.at.source), "record"], json.dumps(entry) + "\n")

    def server_image(self) -> str:
        """The image of the database's server, which alone starts on its files."""
        return self.host.run(["docker", "inspect", "--format", "{{.Image}}", self.server]).strip()

    def has_replicas(self) -> bool:
        """Whether the database has a replica on this host."""
        return self.host.succeeds(["docker", "inspect", f"{_prefix(self.server)}-replica-1"])

    def data_volume(self) -> str:
        """The volume of the database's data."""
        mounts = self.host.run(["docker", "inspect", "--format", "{{json .Mounts}}", self.server])
        return next(one["Name"] for one in json.loads(mounts) if one["Destination"] == self.engine.data_directory)


def primary_of(first: str, engine: str, host: Host) -> str:
    """Container of the primary: `first`, which was made as it, or the standby that was promoted."""
    asked = STANDBY_ENGINES.get(engine)
    if asked is None:
        return first
    for one in (first, *(f"{_prefix(first)}-replica-{number}" for number in range(1, MOST_REPLICAS + 1))):
        with contextlib.suppress(CommandError, ValueError):
            printed = host.run(asked.ask(one))
            if asked.answer(printed, Seen(server=Server(name=one, container=one, volume=""))).primary:
                return one
    return first


def _prefix(server: str) -> str:
    return re.sub(r"-(primary|replica-[0-9]+)$", "", server)


def now() -> datetime:
    """The time of the machine that runs the command."""
    return datetime.now(UTC)
