"""What arguments and containers ask of an engine that can be dumped on a Docker host. Pure."""

import re
from dataclasses import dataclass

from tierstack.links import DatabaseConnection, DatabaseEngine, SecretRef


@dataclass(frozen=True, kw_only=True)
class DumpFacts:
    """One engine."""

    image: str
    """The image of the container, as an error asks for it."""
    owner: tuple[int, int]
    """User and group of the container: those of the server, so that a dump that is fetched belongs to it."""
    reader: str
    """Which user of a connection dumps: `read` or `backup`."""
    table: re.Pattern[str]
    """A name of a table."""
    described: str
    """Such a name, for people."""

    def login(self, database: DatabaseConnection) -> tuple[str | None, SecretRef | None]:
        """Who dumps, and the password."""
        if self.reader == "read":
            return database.read_user, database.read_password
        return database.backup_user, database.backup_password


FACTS: dict[str, DumpFacts] = {
    DatabaseEngine.POSTGRESQL.value: DumpFacts(
        image="an image with pg_dump of the server's version, restic and Python",
        owner=(26, 26),
        # It reads the owner's tables, which is all that pg_dump needs.
        reader="read",
        table=re.compile(r"(?:[A-Za-z_][\w$]{0,62}\.)?[A-Za-z_][\w$]{0,62}"),
        described="`orders`, or with its schema `audit.orders`",
    ),
    DatabaseEngine.MYSQL.value: DumpFacts(
        image="an image with mysqldump of the server's version, restic and Python",
        owner=(999, 999),
        # Triggers and events are shown only to who may change them; this one reads everything already.
        reader="backup",
        table=re.compile(r"[A-Za-z_][\w$]{0,63}"),
        described="`orders`",
    ),
}
"""By the `engine` of a connection."""
