"""What an engine's backups on a Docker host are to the rest of tierstack.

The component, `tierstack restore` and `tierstack drill` ask a `BackupEngine`, and know no engine by name. To add one:

| where | what |
|---|---|
| `backup_schedule/facts.py` | one line: what arguments and checks ask |
| `backup_schedule/<engine>/agent.py` | what runs in the container, with the verbs of the others |
| `backup_schedule/<engine>/engine.py` | a `BackupEngine`: its files, and the commands of a restore |
| `backup_schedule/engines.py` | one line: which `BackupEngine` it is |
| `recovery/<engine>.py` | a `Dialect`: in which words a drill asks its server |

All agents write the same `status.json` and ledger, so metrics and alerts are the same for all of them.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

import pulumi

from tierstack.links import DatabaseConnection
from tierstack.platform.internal_ca import ca_directory


class Step(NamedTuple):
    """One command of a restore."""

    what: str
    """What it does, as progress tells it."""
    command: list[str]


WITHOUT_RIGHTS = ["--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
CONFINED = ["--network", "none", *WITHOUT_RIGHTS]


def step_in(aside: str) -> list[str]:
    """The beginning of a step in a container with the name of the restore: `docker rm --force` ends it."""
    return ["docker", "run", "--rm", "--name", aside]


def unprivileged(user: str) -> list[str]:
    """Options of a container that changes nothing but what is mounted. `user`: ids of user and group."""
    return ["--user", user, "--read-only", "--tmpfs", "/tmp", "--init"]


def variables(environment: Mapping[str, str]) -> list[str]:
    """A container's variables, as options."""
    return [part for key, value in environment.items() for part in ("-e", f"{key}={value}")]


@dataclass(frozen=True, kw_only=True)
class StoreAt:
    """How a container of the host reads the bucket."""

    config: str
    """Volume with the program, the settings and the key that only reads."""
    network: str
    """Network in which the endpoint is reached."""
    ca: str | None
    """Volume with what the endpoint is verified by. None: the CAs that the image trusts."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a Docker host keeps the backups."""

    catalog: str
    """Volume with the backups."""
    config: str
    """Volume with the agent's configuration."""
    image: str
    """The image of the agent."""
    store: StoreAt | None = None
    """The bucket that restores read from. None: they read the catalog."""


@dataclass(frozen=True, kw_only=True)
class Goal:
    """Where a restore ends; neither: with the last write that was received."""

    time: str | None = None
    """A moment, RFC 3339 with a zone."""
    gtid: str | None = None
    """MySQL: the last transaction."""

    @property
    def arguments(self) -> list[str]:
        """As the agent takes it."""
        named = (("--time", self.time), ("--gtid", self.gtid))
        return [part for name, value in named if value is not None for part in (name, value)]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the agent is told, beside how it connects."""

    schedule: str
    """When base backups are made: cron, in UTC."""
    retention_days: int
    """Length of the recovery window."""
    least_copies: int
    """Base backups that stay, however old they are."""
    labels: dict[str, str]
    """Labels of its metrics."""
    store: dict[str, Any] | None = None
    """The bucket that it copies them into. None: there is none."""


@dataclass(frozen=True, kw_only=True)
class BackupEngine(ABC):
    """The backups of one engine."""

    module: str
    """The agent: the module that runs in the container."""
    prune: str
    """The module that removes from a bucket what is no longer kept."""
    container: str
    """What the name of its container ends with."""
    owner: tuple[int, int]
    """User and group of the container, as the server's: what it restores then belongs to the server. The image's
    catalog directory belongs to them, and a new volume takes that over."""
    config: Path
    """Where the container finds its configuration."""
    catalog: Path
    """Where it has the backups."""
    environment: Mapping[str, str]
    """What every run of the agent needs."""
    forgets: bool
    """Whether the primary keeps something for the agent that its verb `forget` removes in the end."""
    prepare_seconds: int
    """How long the agent's verb `prepare` waits for the primary."""
    data_directory: str
    """Where the server has its volume."""
    before: str
    """What a restore in place calls what was there before, in that volume."""
    restoring: str
    """The step in which the agent restores; it prints the moment as of which."""
    gtids: bool
    """Whether a restore can end with a transaction that is named by its GTID."""

    @property
    def python(self) -> list[str]:
        """The command of the agent; its verb follows."""
        return ["python3", "-m", self.module]

    @property
    def status(self) -> Path:
        """The agent's judgement."""
        return self.catalog / "status.json"

    @abstractmethod
    def program(self, *, store: bool = False) -> dict[str, str]:
        """The modules that run in the container, by their path below the configuration directory. `store`: those for a
        bucket too."""

    @abstractmethod
    def pruning(self, retention_days: int, least_copies: int) -> dict[str, Any]:
        """What `prune` is told, beside the bucket."""

    @abstractmethod
    def sent(self) -> list[str]:
        """The command that prints, in the agent's container, how far the log was sent to the bucket."""

    @abstractmethod
    def reached(self, sent: str, position: str) -> bool:
        """Whether what `sent` prints is at least the position that a Dialect asks for."""

    @abstractmethod
    def files(self, database: DatabaseConnection, wanted: Wanted) -> dict[str, pulumi.Input[str]]:
        """The agent's configuration, by its path below that directory."""

    @abstractmethod
    def catalog_of(self, source: Source) -> list[str]:
        """The command that runs the agent on the catalog alone; its verb follows."""

    @abstractmethod
    def aside_commands(self, source: Source, *, aside: str, server_image: str, goal: Goal) -> list[Step]:
        """The commands that restore into a new volume and start the server on it, as the container `aside`, without a
        network. What `restoring` prints has the moment as of which."""

    @abstractmethod
    def in_place_commands(
        self, source: Source, *, volume: str, container: str, aside: str, server_image: str, goal: Goal
    ) -> list[Step]:
        """The commands that put a restore in the place of the database `container` with the data volume `volume`. What
        it held stays beside it as `before`."""

    @abstractmethod
    def reserve_in_place(self, source: Source, *, volume: str, aside: str) -> list[str]:
        """The command before `in_place_commands`: an empty `before`. It fails where there is one (`File exists`)."""

    @abstractmethod
    def undo_in_place(self, source: Source, *, volume: str, container: str, aside: str) -> list[list[str]]:
        """The commands after an `in_place_commands` that failed or was interrupted: the old data back in its place, and
        the database started. The first removes the container `aside`, and may fail."""


def delivered(names: Iterable[str]) -> dict[str, str]:
    """Modules that run in a container, by their path below its configuration directory. `names`: below this package
    (`mysql/agent.py`), or below `tierstack` (`core/gtids.py`)."""
    package = resources.files("tierstack")
    paths = [name if name.startswith("core/") else f"backup_schedule/{name}" for name in names]
    return {f"lib/tierstack/{path}": package.joinpath(path).read_text() for path in paths}


def from_store(store: StoreAt, config: Path, environment: Mapping[str, str]) -> list[str]:
    """Options of a container that reads the bucket, and has neither the catalog nor a key that writes. `config`: where
    it finds its configuration."""
    ca = ["-v", f"{store.ca}:{ca_directory('store')}:ro"] if store.ca else []
    mounted = ["-v", f"{store.config}:{config}:ro", *ca]
    return ["--network", store.network, *WITHOUT_RIGHTS, *variables(environment), *mounted]


FOR_STORE = ("bucket.py", "layout.py", "pruning.py", "rounds.py", "shipping.py")
"""Modules that run where there is a bucket, whatever the engine."""


def digest(program: Mapping[str, str]) -> str:
    """12 hexadecimal digits for a program: a container that runs another one is replaced."""
    return hashlib.sha256("".join(program.values()).encode()).hexdigest()[:12]
