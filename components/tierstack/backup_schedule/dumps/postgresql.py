"""How PostgreSQL is dumped: by pg_dump in its custom format, without compression, which restic does faster.

The agent in the container runs this very file. It imports the standard library only.
"""

import contextlib
import json
import re
import subprocess
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import IO, Any, final

from tierstack.backup_schedule.dumps.dumper import Dumper, DumpError, Inspector, cause

MAGIC = b"PGDMP"
LEFT_OUT = "tierstack_drill"
"""Schema of drills, which belongs to nobody's application."""
# Rows are in ordinary tables and in partitions; of these also the tables above them.
_TABLES = f"""\
SELECT coalesce(json_agg(json_build_array(nspname, relname, (
    SELECT coalesce(json_agg(json_build_array(relnamespace::regnamespace::text, relname)), '[]')
    FROM pg_partition_ancestors(c.oid) AS above JOIN pg_class ON oid = above.relid))), '[]')
FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND relpersistence <> 't'
AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', '{LEFT_OUT}')
AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_class'::regclass AND objid = c.oid AND deptype = 'e');
"""  # noqa: S608 - a constant
_ENTRY = re.compile(r"\d+; \d+ \d+ (.+)")
_DATA = ("TABLE DATA", "MATERIALIZED VIEW DATA", "BLOBS", "BLOB DATA")
_KINDS = (*_DATA, "FK CONSTRAINT")
"""Kinds of entries that are looked at."""
_PROGRAMS = ("pg_dump", "psql", "pg_restore")


@final
class PostgreSQL(Dumper):
    """pg_dump, pg_restore and psql of the server's major version."""

    extension = "dump"

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.conninfo: str = settings["conninfo"]
        self.lock_seconds: int = settings["lock_seconds"]

    def check(self) -> None:
        server = int(self._ask("SHOW server_version_num;")) // 10000
        for program in _PROGRAMS:
            said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
            found = re.search(r"\) (\d+)", said)
            if found is None or int(found[1]) != server:
                raise DumpError(
                    f"{program} of the image is {said.split()[2]}, and the server is {server}: give an image with the "
                    f"client programs of PostgreSQL {server}"
                )

    def tables(self, chosen: Sequence[str] | None) -> set[str]:
        held = self._tables()
        if chosen is None:
            return set(held)
        wanted = {_of_list(one): one for one in chosen}
        if missing := sorted(one for name, one in wanted.items() if not any(name in of for of in held.values())):
            raise DumpError(f"tables {', '.join(missing)} are not in the database")
        return {name for name, of in held.items() if of & wanted.keys()}

    def _tables(self) -> dict[str, set[str]]:
        """Every table that has rows, with itself and the partitioned tables above it."""
        rows: list[tuple[str, str, list[list[str]]]] = json.loads(self._ask(_TABLES))
        return {
            f"{schema} {name}": {f"{schema} {name}", *(" ".join(one) for one in above)} for schema, name, above in rows
        }

    def command(self, chosen: Sequence[str] | None) -> list[str]:
        what = [f"--exclude-schema={LEFT_OUT}"]
        if chosen is not None:
            # The definitions of everything, because `--table` leaves out types and functions that a table needs.
            others = self._tables().keys() - self.tables(chosen)
            what += ["--no-large-objects", *(f"--exclude-table-data={_pattern(one)}" for one in sorted(others))]
        how = ["--format=custom", "--compress=none", f"--lock-wait-timeout={self.lock_seconds}s", "--no-password"]
        return ["pg_dump", f"--dbname={self.conninfo}", *how, *what]

    def inspector(self) -> Inspector:
        return _Listing()

    def whole(self, stream: Iterable[bytes]) -> None:
        """Turn all of it into SQL, as a restore does, and throw that away."""
        with subprocess.Popen(
            ["pg_restore", "--file=/dev/null"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        ) as reader:
            assert reader.stdin
            assert reader.stderr
            with contextlib.suppress(BrokenPipeError):
                for chunk in stream:
                    reader.stdin.write(chunk)
            with contextlib.suppress(BrokenPipeError):
                reader.stdin.close()
            said = reader.stderr.read().decode(errors="replace")
        if reader.returncode:
            raise DumpError(f"pg_restore cannot read the dump: {cause(said)}")

    def _ask(self, statement: str) -> str:
        command = ["psql", "--no-psqlrc", "-qAt", "-v", "ON_ERROR_STOP=1", "--no-password", f"--dbname={self.conninfo}"]
        done = subprocess.run(command, input=statement, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise DumpError(cause(done.stderr))
        return done.stdout.strip()


class _Listing(Inspector):
    """Reads the table of contents at the beginning of a dump, by `pg_restore --list`."""

    def __init__(self) -> None:
        self._begin = b""
        # What it prints goes into files, which live as long as this: nobody reads it while the dump is written.
        self._listed = tempfile.TemporaryFile()  # noqa: SIM115
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115
        self._reader: subprocess.Popen[bytes] | None = subprocess.Popen(
            ["pg_restore", "--list"], stdin=subprocess.PIPE, stdout=self._listed, stderr=self._errors
        )

    def feed(self, chunk: bytes) -> None:
        if len(self._begin) < len(MAGIC):
            self._begin += chunk[: len(MAGIC)]
        if self._reader is None:
            return
        assert self._reader.stdin
        try:
            self._reader.stdin.write(chunk)
            self._reader.stdin.flush()
        except BrokenPipeError:  # it has read the table of contents, and wants no data
            self._end()

    def end(self) -> set[str]:
        self._end()
        if not self._begin.startswith(MAGIC):
            raise DumpError("what pg_dump wrote is no dump in its custom format")
        listed, said = map(_text, (self._listed, self._errors))
        found = [kind_of(line) for line in listed.splitlines()]
        if not any(found):
            raise DumpError(f"pg_restore cannot read the dump: {cause(said)}")
        return {name for kind, name in found if kind == "TABLE DATA"}

    def _end(self) -> None:
        reader, self._reader = self._reader, None
        if reader is None:
            return
        assert reader.stdin
        with contextlib.suppress(BrokenPipeError):
            reader.stdin.close()
        reader.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def kind_of(line: str) -> tuple[str, str]:
    """Kind and `schema name` of an entry of `pg_restore --list`; empty for what is looked at by nobody."""
    entry = _ENTRY.fullmatch(line.strip())
    if entry is None:
        return "", ""
    for kind in _KINDS:
        if entry[1].startswith(f"{kind} "):
            # Behind the name the owner, which is a plain one.
            return kind, entry[1].removeprefix(f"{kind} ").rpartition(" ")[0]
    return "other", ""


def contents(listed: str) -> list[str]:
    """The tables whose rows are in a dump, as people write them."""
    return sorted(_for_people(name) for kind, name in map(kind_of, listed.splitlines()) if kind == "TABLE DATA")


def selection(listed: str, tables: Collection[str] | None) -> str:
    """The lines of `pg_restore --list` that are restored. With `tables` all definitions, and the rows of those tables;
    no foreign keys, because the rows that they name are not there."""
    wanted = None if tables is None else {_of_list(one) for one in tables}
    kept: list[str] = []
    for line in listed.splitlines():
        kind, name = kind_of(line)
        left_out = kind == "FK CONSTRAINT" or (kind in _DATA and not (kind == "TABLE DATA" and name in (wanted or ())))
        if wanted is None or not left_out:
            kept.append(line)
    return "\n".join(kept) + "\n"


def _of_list(table: str) -> str:
    schema, dot, name = table.rpartition(".")
    return f"{schema if dot else 'public'} {name}"


def _pattern(name: str) -> str:
    """Exactly the table `schema name`: without quotes letters would be made small, and some are patterns."""
    return ".".join('"{}"'.format(part.replace('"', '""')) for part in name.split(" ", 1))


def _for_people(name: str) -> str:
    schema, _, table = name.partition(" ")
    return table if schema == "public" else f"{schema}.{table}"
