"""What a command needs to know of dumps, to restore from them: an output, as JSON. Pure."""

import json
from dataclasses import asdict, dataclass, field

DUMPS = "dumps"
"""The `kind` of the output."""


@dataclass(frozen=True, kw_only=True)
class DumpsOnDocker:
    """Dumps of a database on a Docker host."""

    docker_host: str | None
    """Address of the daemon. None: that of the environment."""
    agent: str
    """Container of the agent."""
    catalog: str
    """Volume with the ledger, and with the repository where there is no bucket."""
    config: str
    """Volume with the program, the password, and the key that only reads."""
    image: str
    """The image of the agent."""
    user: str
    """`uid:gid` of the server's files."""
    engine: str
    """What is dumped: the value of a `DatabaseEngine`."""
    server: str | None
    """Container of the primary. None: of a connection that was written by hand and names none."""
    database: str
    """Name of the database."""
    network: str | None
    """Network in which the bucket answers. None: there is no bucket."""
    ca: str | None
    """Volume with what the bucket's endpoint is verified by. None: the CAs that the image trusts."""
    jobs: dict[str, list[str] | None]
    """The dumps by their names, with their tables. None: the whole database."""
    checks: dict[str, str] = field(default_factory=dict[str, str])
    """What a drill asks, by name."""
    max_minutes: int
    """Minutes that a restore may take."""

    def text(self) -> str:
        """As the output has it."""
        return json.dumps({"kind": DUMPS, **asdict(self)})

    @property
    def usual(self) -> str:
        """The dump that is meant where none is named: the first of the whole database, else the first."""
        return next((name for name, tables in self.jobs.items() if tables is None), next(iter(self.jobs)))
