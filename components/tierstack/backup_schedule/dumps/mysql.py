"""How MySQL is dumped: by mysqldump in one transaction.

The agent in the container runs this very file. It imports the standard library only.
"""

import re
import subprocess
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, final

from tierstack.backup_schedule.dumps.dumper import Dumper, DumpError, Inspector, cause

CLIENT = "/etc/tierstack/client.cnf"
BEGIN, END = b"-- MySQL dump ", b"-- Dump completed"
"""The first line of a dump, and its last."""
_TABLES = """\
SELECT TABLE_NAME, ENGINE FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE'
"""
_CREATED = re.compile(rb"^CREATE TABLE `((?:[^`]|``)+)` \(", re.MULTILINE)
_SECTION = re.compile(rb"-- (?:Table structure|Dumping data|Temporary view structure) for \w+ `((?:[^`]|``)+)`")
_FINAL = re.compile(rb"-- (?:Final view structure|Dumping routines|Dumping events)|/\*!40103 SET TIME_ZONE=@OLD")
_MASKED = re.compile(rb"^  `((?:[^`]|``)+)` \w+(?:\([^)\n]*\))?[^'\n]* MASKING POLICY `", re.MULTILINE)
_TAIL_BYTES = 4096
_VERSION = re.compile(r"(\d+)\.(\d+)\.")


@final
class MySQL(Dumper):
    """mysqldump and mysql of the server's release."""

    extension = "sql"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.database: str = settings["database"]
        self.lock_seconds: int = settings["lock_seconds"]

    def check(self) -> None:
        said = subprocess.run(["mysqldump", "--version"], capture_output=True, text=True, check=True).stdout
        server, client = (_VERSION.search(one) for one in (self._ask("SELECT VERSION()"), said))
        if not server or not client or server.groups() != client.groups():
            wanted = ".".join(server.groups()) if server else "that release"
            raise DumpError(
                f"mysqldump of the image is `{said.strip()}`, and the server is {wanted}: give an image with the "
                f"client programs of MySQL {wanted}"
            )

    def tables(self, chosen: Sequence[str] | None) -> set[str]:
        rows = [line.split("\t") for line in self._ask(_TABLES).splitlines()]
        held = {name: engine for name, engine in rows if chosen is None or name in chosen}
        if missing := sorted(set(chosen or ()) - held.keys()):
            raise DumpError(f"tables {', '.join(missing)} are not in the database")
        if other := sorted(name for name, engine in held.items() if engine != "InnoDB"):
            raise DumpError(
                f"tables {', '.join(other)} are not InnoDB, so their rows would be of another moment than the others': "
                "ALTER TABLE … ENGINE=InnoDB, or name the tables of the dump"
            )
        return set(held)

    def command(self, chosen: Sequence[str] | None) -> list[str]:
        # A slow bucket must not end the connection, and a migration must not hold up the dump for a year.
        session = f"SET SESSION net_write_timeout=3600, lock_wait_timeout={self.lock_seconds}"
        return [
            "mysqldump",
            f"--defaults-file={CLIENT}",
            "--single-transaction",
            "--quick",
            "--routines",
            "--events",
            "--triggers",
            "--hex-blob",
            # Both need rights on the whole server, and a dump of one database is no copy of a server.
            "--no-tablespaces",
            "--set-gtid-purged=OFF",
            # They are objects of the server, too, and listing them needs SELECT on a table of performance_schema.
            # mysqldump before 9.7 has no such option.
            "--loose-skip-masking-policies",
            # Alike dumps are alike, byte by byte.
            "--skip-dump-date",
            "--default-character-set=utf8mb4",
            "--max-allowed-packet=1G",
            f"--init-command={session}",
            self.database,
            *(chosen or ()),
        ]

    def inspector(self) -> Inspector:
        return _Statements()

    def whole(self, stream: Iterable[bytes]) -> None:
        reader = _Statements()
        for chunk in stream:
            reader.feed(chunk)
        reader.end()

    def _ask(self, statement: str) -> str:
        command = ["mysql", f"--defaults-file={CLIENT}", "--batch", "--skip-column-names", "--connect-timeout=10"]
        done = subprocess.run([*command, self.database], input=statement, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise DumpError(cause(done.stderr))
        return done.stdout


class _Statements(Inspector):
    """Looks for the first line, the last line, and the tables between."""

    def __init__(self) -> None:
        self._begin = self._open = self._tail = b""
        self._names: set[str] = set()
        self._masked: set[str] = set()

    def feed(self, chunk: bytes) -> None:
        if len(self._begin) < len(BEGIN):
            self._begin += chunk[: len(BEGIN)]
        self._tail = (self._tail + chunk)[-_TAIL_BYTES:]
        lines, newline, self._open = (self._open + chunk).rpartition(b"\n")
        self._names.update(_unquoted(one) for one in _CREATED.findall(lines + newline))
        self._masked.update(_unquoted(one) for one in _MASKED.findall(lines + newline))

    def end(self) -> set[str]:
        if not self._begin.startswith(BEGIN):
            raise DumpError("what mysqldump wrote does not begin as a dump")
        if not self._tail.rstrip().rpartition(b"\n")[2].startswith(END):
            raise DumpError("the dump has no end: its last line is not `-- Dump completed`")
        if self._masked:
            raise DumpError(
                f"columns {', '.join(sorted(self._masked))} have a masking policy, so the dump may have masked values: "
                "name the tables without one in `tables`, and keep base backups (`BackupSchedule`)"
            )
        return self._names


def selected(lines: Iterable[bytes], tables: Collection[str]) -> Iterator[bytes]:
    """The lines of a dump that make some of its tables, with their rows and triggers, and the settings around them."""
    keeping = True
    for line in lines:
        if line.startswith((b"-- ", b"/*!40103 ")):
            if section := _SECTION.match(line):
                keeping = _unquoted(section[1]) in tables
            elif final_part := _FINAL.match(line):
                keeping = final_part[0].startswith(b"/*")
        if keeping:
            yield line


def _unquoted(name: bytes) -> str:
    return name.replace(b"``", b"`").decode()
