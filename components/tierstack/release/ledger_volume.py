"""The volume of a Docker host that holds the ledger of releases.

No state has it, so `tierstack down` names it where data stays, and deletes it where none does.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from tierstack.platform import claim
from tierstack.platform.daemon import client


def name_of(platform: str) -> str:
    """The name of the volume of a platform."""
    return f"{platform}-releases"


@dataclass(frozen=True)
class LedgerVolume:
    """A ledger that is there."""

    name: str
    docker_host: str | None

    def __str__(self) -> str:
        return f"volume {self.name} (the ledger of releases)"

    def remove(self) -> None:
        """Delete it, for good. Raises DockerException where the daemon refuses, as while a release is made."""
        from docker.errors import NotFound

        with suppress(NotFound):
            client(self.docker_host).volumes.get(self.name).remove()


def volumes_of(resources: Sequence[Mapping[str, Any]]) -> list[LedgerVolume]:
    """The ledgers of the platforms that a state, given as its resources, has claimed. Raises DockerException where a
    daemon does not answer."""
    found: list[LedgerVolume] = []
    for one in resources:
        if one["type"] != claim.TYPE:
            continue
        outputs = cast(Mapping[str, Any], one.get("outputs") or {})
        ledger = LedgerVolume(name_of(str(outputs["name"])), outputs.get("docker_host"))
        there = client(ledger.docker_host).volumes.list(filters={"name": ledger.name})
        if any(volume.name == ledger.name for volume in there):
            found.append(ledger)
    return found
