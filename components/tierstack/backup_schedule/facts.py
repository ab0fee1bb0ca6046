"""What arguments and checks ask of an engine that can be backed up on a Docker host. Pure; `engine.py` has the rest."""

from dataclasses import dataclass

from tierstack.links import DatabaseEngine


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One engine."""

    image: str
    """The image of its backup container, as an error asks for it."""
    memory_mb: int
    """Limit of that container in MiB where none is given."""


FACTS: dict[str, Facts] = {
    DatabaseEngine.POSTGRESQL.value: Facts(image="an image with Barman", memory_mb=512),
    DatabaseEngine.MYSQL.value: Facts(
        image="an image with MySQL of the server's version and Python",
        # A server of its own fetches each base backup.
        memory_mb=768,
    ),
}
"""By the `engine` of a connection."""
