"""What a command needs to know of backups of files, to restore from them: an output, as JSON. Pure."""

import json
from dataclasses import asdict, dataclass

FILES = "files"
"""The `kind` of the output."""


@dataclass(frozen=True, kw_only=True)
class FilesOnDocker:
    """Backups of files on a Docker host."""

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
    volume: str
    """The volume that is backed up."""
    user: str
    """`uid:gid` of its files."""
    network: str | None
    """Network in which the bucket answers. None: there is no bucket."""
    ca: str | None
    """Volume with what the bucket's endpoint is verified by. None: the CAs that the image trusts."""
    max_minutes: int
    """Minutes that a restore may take."""
    sample: int
    """Files whose content a drill compares."""
    bucket: bool
    """Whether restores read a bucket."""

    def text(self) -> str:
        """As the output has it."""
        return json.dumps({"kind": FILES, **asdict(self)})
