"""How PostgreSQL is asked."""

from typing import final

from tierstack.backup_schedule import restore
from tierstack.recovery.dialect import Ask, Contents, Dialect

# PostgreSQL quotes the names, and its client runs what comes out. Partitions are counted, not the tables above them.
_COUNTS = """\
SELECT format('SELECT count(*) FROM ONLY %I.%I', nspname, relname)
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence <> 't' AND relispopulated
AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tierstack_drill') ORDER BY nspname, relname \\gexec
"""
_UNLOGGED = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"
SEGMENT = "SELECT pg_walfile_name(pg_current_wal_insert_lsn());"
"""The segment that takes the next write."""
OPTIONS = "-c statement_timeout=0 -c transaction_timeout=0 -c enable_indexonlyscan=off"
"""The database may have limits for its clients; and an index alone says nothing of its table."""


@final
class PostgreSQL(Dialect):
    """PostgreSQL 17 or newer."""

    title = "PostgreSQL"
    waiting = "replay the write-ahead log"
    prepare = """\
CREATE SCHEMA IF NOT EXISTS tierstack_drill;
CREATE TABLE IF NOT EXISTS tierstack_drill.clock (id bigint PRIMARY KEY, at timestamptz NOT NULL);
TRUNCATE tierstack_drill.clock;
INSERT INTO tierstack_drill.clock VALUES (0, clock_timestamp()) RETURNING id, extract(epoch FROM at);
"""
    insert = """\
INSERT INTO tierstack_drill.clock VALUES ({}, clock_timestamp()) RETURNING id, extract(epoch FROM at);
"""
    position = SEGMENT
    # Where nothing of the first drill came back, there is no table either.
    kept = (
        "SELECT 'SELECT id, extract(epoch FROM at) FROM tierstack_drill.clock' "
        "WHERE to_regclass('tierstack_drill.clock') IS NOT NULL \\gexec\n"
    )

    def client(self, container: str, database: str) -> list[str]:
        given = ["docker", "exec", "-i", "-e", f"PGOPTIONS={OPTIONS}", container]
        return [*given, "psql", "-h", "/tmp", "-U", "postgres", "-d", database, "-qAt", "-v", "ON_ERROR_STOP=1"]

    def ready(self, container: str) -> tuple[list[str], str]:
        # Not that of the shop: at the moment that was asked for there may have been none.
        return restore.query(container, "postgres", "SELECT pg_is_in_recovery()"), "f"

    def contents(self, ask: Ask, database: str) -> Contents:
        rows = [int(one) for one in ask(_COUNTS).split()]
        unlogged = int(ask(_UNLOGGED))
        notes = [f"{unlogged} of them are UNLOGGED: PostgreSQL brings those back empty, from any backup"]
        return Contents(rows=rows, notes=notes if unlogged else [])

    def true(self, answer: str) -> bool:
        return answer == "t"

    def look(self, container: str, database: str) -> str:
        return f"docker exec {container} psql -h /tmp -U postgres -d {database}"
