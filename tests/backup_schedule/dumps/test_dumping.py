"""One dump: what is not whole fails, so that restic stores nothing. Each case is one that people met with scheduled dumps
in containers (docs/components/database-dumps.md, "What others ran into")."""

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import final

import pytest

from tierstack.backup_schedule.dumps import dumping
from tierstack.backup_schedule.dumps.dumper import Dumper, DumpError, Inspector, cause
from tierstack.backup_schedule.dumps.mysql import MySQL
from tierstack.backup_schedule.dumps.postgresql import PostgreSQL

pytestmark = pytest.mark.pure
LIST = """\
;
; Archive created at 2026-11-27 01:00:00 UTC
;
215; 1259 16389 TABLE public orders app
216; 1259 16390 TABLE public items app
3451; 0 16389 TABLE DATA public orders app
3452; 0 16390 TABLE DATA public items app
3453; 0 16391 TABLE DATA audit log app
3460; 2606 16400 FK CONSTRAINT public items items_order_id_fkey app
"""
SQL = """\
-- MySQL dump 10.13  Distrib 9.7.4
/*!40103 SET TIME_ZONE='+00:00' */;
--
-- Table structure for table `orders`
--
CREATE TABLE `orders` (
  `id` int
);
-- Dumping data for table `orders`
INSERT INTO `orders` VALUES (1,'a\\n-- Dumping data for table `items`');
--
-- Table structure for table `it``ems`
--
CREATE TABLE `it``ems` (
  `id` int
);
INSERT INTO `it``ems` VALUES (1);
--
-- Dumping routines for database 'app'
--
CREATE PROCEDURE `p`() SELECT 1;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
-- Dump completed
"""


@final
class Fake(Dumper):
    """A dump program of the shell; every line is a table."""

    extension = "sql"

    def __init__(self, script: str, before: set[str], after: set[str] | None = None) -> None:
        self.script, self.held = script, [before, before if after is None else after]

    def check(self) -> None:
        pass

    def tables(self, chosen: Sequence[str] | None) -> set[str]:
        return self.held.pop(0)

    def command(self, chosen: Sequence[str] | None) -> list[str]:
        return ["sh", "-c", self.script]

    def inspector(self) -> Inspector:
        return Lines()

    def whole(self, stream: Iterable[bytes]) -> None:
        pass


class Lines(Inspector):
    def __init__(self) -> None:
        self.text = b""

    def feed(self, chunk: bytes) -> None:
        self.text += chunk

    def end(self) -> set[str]:
        if not self.text:
            raise DumpError("it is empty")
        return set(self.text.decode().split())


def made(
    script: str,
    before: set[str],
    after: set[str] | None = None,
    write: Callable[[bytes], object] = lambda _chunk: None,
    seconds: float = 60,
) -> dict[str, object]:
    return dumping.carry_out(Fake(script, before, after), None, write, seconds)


def test_a_whole_dump_is_written_as_it_comes() -> None:
    written: list[bytes] = []
    found = made("printf 'a\\nb\\n'", {"a", "b"}, write=written.append)
    assert b"".join(written) == b"a\nb\n"
    assert (found["tables"], found["size_bytes"]) == (2, 4)


@pytest.mark.parametrize(
    ("script", "before", "after", "says"),
    [
        ("true", {"a"}, None, "it is empty"),
        ("echo a; echo 'pg_dump: error: connection lost' >&2; exit 1", {"a"}, None, "pg_dump: error: connection lost"),
        ("echo a; kill -9 $$", {"a"}, None, "sh was ended by signal 9"),
        ("echo a", {"a", "b"}, None, "the dump lacks tables: b"),
    ],
)
def test_what_is_not_whole_fails(script: str, before: set[str], after: set[str] | None, says: str) -> None:
    with pytest.raises(DumpError, match=says):
        made(script, before, after)


def test_tables_that_come_and_go_meanwhile_are_no_fault() -> None:
    assert made("echo a", {"a", "dropped"}, {"a", "made"})["tables"] == 1


def test_a_dump_that_takes_too_long_is_ended() -> None:
    with pytest.raises(DumpError, match="it was ended after"):
        made("echo a; exec sleep 60", {"a"}, seconds=0.3)


def test_a_program_whose_output_nobody_takes_is_ended(tmp_path: Path) -> None:
    def refuse(_chunk: bytes) -> None:
        raise BrokenPipeError

    with pytest.raises(DumpError, match="the repository took no more"):
        made(f"echo $$ > {tmp_path}/pid; echo a; exec sleep 60", {"a"}, write=refuse)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_why_is_one_line() -> None:
    said = (
        "pg_dump: warning: x\npg_dump: error: aborting because of server version mismatch\npg_dump: detail: server 18"
    )
    assert cause(said) == "pg_dump: error: aborting because of server version mismatch pg_dump: detail: server 18"
    assert cause("") == "it said nothing"


# The programs of the engines, which are played by scripts ------------------------------------------------------------


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def write(**scripts: str) -> None:
        for name, script in scripts.items():
            (folder / name).write_text(f"#!/bin/sh\n{script}\n")
            (folder / name).chmod(0o755)

    return write


def postgresql() -> PostgreSQL:
    return PostgreSQL({"conninfo": "host=db", "lock_seconds": 5})


def mysql() -> MySQL:
    return MySQL({"database": "app", "lock_seconds": 5})


def test_a_client_of_another_version_is_refused(programs: Callable[..., None]) -> None:
    programs(
        psql='case "$*" in *--version) echo "psql (PostgreSQL) 17.12";; *) echo 180001;; esac',
        pg_dump='echo "pg_dump (PostgreSQL) 17.12 (Debian 17.12-0)"',
        pg_restore='echo "pg_restore (PostgreSQL) 17.12"',
        mysql="echo 8.4.6",
        mysqldump='echo "mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))"',
    )
    with pytest.raises(DumpError, match=r"pg_dump of the image is 17\.12, and the server is 18: give an image"):
        postgresql().check()
    with pytest.raises(DumpError, match=r"the server is 8\.4: give an image with the client programs of MySQL 8\.4"):
        mysql().check()
    programs(mysql="echo 9.7.4")
    mysql().check()


def listing(text: bytes) -> set[str]:
    inspector = postgresql().inspector()
    for at in range(0, len(text), 7):
        inspector.feed(text[at : at + 7])
    return inspector.end()


def test_the_tables_of_a_custom_dump_are_those_whose_rows_it_has(programs: Callable[..., None], tmp_path: Path) -> None:
    (tmp_path / "list").write_text(LIST)
    # As the real one: it reads the beginning, and ends while the data still comes.
    programs(pg_restore=f"head -c 20 >/dev/null; cat {tmp_path}/list")
    assert listing(b"PGDMP" + b"x" * 500_000) == {"public orders", "public items", "audit log"}
    with pytest.raises(DumpError, match="no dump in its custom format"):
        listing(b"ERROR" + b"x" * 100)
    programs(
        pg_restore="cat >/dev/null; echo 'pg_restore: error: unsupported version (1.16) in file header' >&2; exit 1"
    )
    with pytest.raises(DumpError, match=r"unsupported version \(1.16\)"):
        listing(b"PGDMP" + b"x" * 100)


def test_a_list_that_is_longer_than_a_pipe_holds_up_nothing(programs: Callable[..., None]) -> None:
    script = "import sys\nsys.stdin.buffer.read(5)\nfor i in range(9000): print(f'1; 0 {i} TABLE DATA public t{i} app')"
    programs(pg_restore=f'exec {sys.executable} -c "{script}"')
    assert len(listing(b"PGDMP" + b"x" * 1_000_000)) == 9000


def statements(text: str, part: int = 11) -> set[str]:
    inspector = mysql().inspector()
    content = text.encode()
    for at in range(0, len(content), part):
        inspector.feed(content[at : at + part])
    return inspector.end()


@pytest.mark.parametrize("part", [1, 11, 100_000])
def test_the_tables_of_a_dump_of_statements(part: int) -> None:
    assert statements(SQL, part) == {"orders", "it`ems"}


def test_a_dump_of_statements_has_a_beginning_and_an_end() -> None:
    with pytest.raises(DumpError, match="does not begin as a dump"):
        statements(SQL[5:])
    with pytest.raises(DumpError, match="has no end"):
        statements(SQL[:-20])
    with pytest.raises(DumpError, match="has no end"):
        statements(f"{SQL}INSERT INTO x VALUES (1);\n")


@pytest.mark.parametrize("part", [1, 11, 100_000])
@pytest.mark.parametrize("kind", ["varchar(30)", "int unsigned", "enum('a','b')", "text COLLATE utf8mb4_bin"])
def test_columns_whose_values_may_be_masked_are_refused(kind: str, part: int) -> None:
    def table(column: str) -> str:
        return SQL.replace("CREATE TABLE `orders` (\n", f"CREATE TABLE `orders` (\n  {column},\n")

    assert statements(table(f"`ssn` {kind} DEFAULT NULL COMMENT 'no MASKING POLICY `mask`'"), part)
    with pytest.raises(DumpError, match="columns ssn have a masking policy"):
        statements(table(f"`ssn` {kind} MASKING POLICY `mask` DEFAULT NULL"), part)


def test_tables_that_one_transaction_does_not_cover_are_refused(programs: Callable[..., None]) -> None:
    programs(mysql="cat >/dev/null; printf 'orders\\tInnoDB\\nold\\tMyISAM\\n'")
    with pytest.raises(DumpError, match=r"tables old are not InnoDB"):
        mysql().tables(None)
    assert mysql().tables(["orders"]) == {"orders"}
    with pytest.raises(DumpError, match="tables itms are not in the database"):
        mysql().tables(["itms"])


def test_a_table_is_chosen_with_its_partitions(programs: Callable[..., None]) -> None:
    rows = '[["public","orders",[]],["audit","log_1",[["audit","log"]]],["audit","log_2",[["audit","log"]]]]'
    programs(psql=f"cat >/dev/null; echo '{rows}'")
    assert postgresql().tables(None) == {"public orders", "audit log_1", "audit log_2"}
    assert postgresql().tables(["audit.log"]) == {"audit log_1", "audit log_2"}
    with pytest.raises(DumpError, match="tables log are not in the database"):
        postgresql().tables(["log"])
    command = postgresql().command(["audit.log"])
    assert [one for one in command if "exclude-table-data" in one] == ['--exclude-table-data="public"."orders"']
    assert "--no-large-objects" in command
    assert "--no-large-objects" not in postgresql().command(None)


def test_no_command_has_a_secret_or_waits_for_ever() -> None:
    both = [*postgresql().command(None), *mysql().command(None)]
    assert not [one for one in both if "password=" in one]
    assert "--no-password" in both
    assert "--lock-wait-timeout=5s" in both
    assert "--init-command=SET SESSION net_write_timeout=3600, lock_wait_timeout=5" in both
    assert {"--single-transaction", "--routines", "--events", "--triggers", "--no-tablespaces"} <= {*both}


def test_reading_back_finds_a_dump_that_is_cut_short(programs: Callable[..., None]) -> None:
    programs(
        pg_restore="cat >/dev/null; echo 'pg_restore: error: could not read from input file: end of file' >&2; exit 1"
    )
    with pytest.raises(DumpError, match="cannot read the dump: pg_restore: error: could not read from input file"):
        postgresql().whole([b"PGDMP", b"x"])
    programs(pg_restore="cat >/dev/null")
    postgresql().whole([b"PGDMP", b"x"])
    mysql().whole([SQL.encode()])
    with pytest.raises(DumpError, match="has no end"):
        mysql().whole([SQL.encode()[:-30]])
