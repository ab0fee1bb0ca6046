"""How MySQL is asked: as its superuser, who comes through the socket in the server's own container."""

from typing import final

from tierstack.database.mysql.engine import SUPERUSER, local
from tierstack.recovery.dialect import Ask, Contents, Dialect, UnreadableError

_TABLES = """\
SELECT CONCAT('SELECT COUNT(*) FROM `', REPLACE(TABLE_NAME, '`', '``'), '`;'),
    CONCAT('CHECKSUM TABLE `', REPLACE(TABLE_NAME, '`', '``'), '` EXTENDED;')
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE' ORDER BY TABLE_NAME;
"""


@final
class MySQL(Dialect):
    """MySQL 8.4 or 9.7."""

    title = "MySQL"
    waiting = "start until it takes writes"
    prepare = """\
CREATE DATABASE IF NOT EXISTS tierstack_drill;
CREATE TABLE IF NOT EXISTS tierstack_drill.clock (id BIGINT PRIMARY KEY, at DECIMAL(20, 6) NOT NULL);
TRUNCATE tierstack_drill.clock;
INSERT INTO tierstack_drill.clock VALUES (0, UNIX_TIMESTAMP(SYSDATE(6)));
SELECT CONCAT(id, '|', at) FROM tierstack_drill.clock;
"""
    insert = """\
SET @id = {};
INSERT INTO tierstack_drill.clock VALUES (@id, UNIX_TIMESTAMP(SYSDATE(6)));
SELECT CONCAT(id, '|', at) FROM tierstack_drill.clock WHERE id = @id;
"""
    position = "SHOW BINARY LOG STATUS;"
    # Where nothing of the first drill came back, there is no table either.
    kept = """\
SET @there = EXISTS (SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'tierstack_drill');
SET @rows = IF(@there, 'SELECT CONCAT(id, ''|'', at) FROM tierstack_drill.clock', 'DO 0');
PREPARE asked FROM @rows;
EXECUTE asked;
"""

    def client(self, container: str, database: str) -> list[str]:
        # Unbuffered: what was acknowledged is printed at once.
        how = ["--batch", "--skip-column-names", "--raw", "--unbuffered", database]
        return ["docker", "exec", "-i", container, *local("mysql", SUPERUSER), *how]

    def ready(self, container: str) -> tuple[list[str], str]:
        asks = ["--batch", "--skip-column-names", "--execute=SELECT @@GLOBAL.read_only"]
        return ["docker", "exec", container, *local("mysql", SUPERUSER), *asks], "0"

    def contents(self, ask: Ask, database: str) -> Contents:
        pairs = [line.split("\t") for line in ask(_TABLES).splitlines()]
        if not pairs:
            return Contents(rows=[], notes=[])
        rows = [int(one) for one in ask("\n".join(count for count, _ in pairs)).split()]
        # Beside the rows it reads what is stored apart from them, such as long texts.
        for line in ask("\n".join(checksum for _, checksum in pairs)).splitlines():
            table, checksum = line.rsplit("\t", 1)
            if checksum == "NULL":
                raise UnreadableError(f"CHECKSUM TABLE gives nothing for {table}")
        return Contents(rows=rows, notes=[])

    def true(self, answer: str) -> bool:
        return answer not in ("", "0", "NULL")

    def look(self, container: str, database: str) -> str:
        return f"docker exec -it {container} {' '.join(local('mysql', SUPERUSER))} {database}"
