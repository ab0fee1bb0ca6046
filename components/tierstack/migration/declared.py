"""The rules of migrations, as whoever meets their codes wants to know them (pure). Their examples are run by a test.

An example is SQL of PostgreSQL, unless it begins with `-- mysql`.
"""

import functools

from tierstack.core import diagnostics
from tierstack.core.diagnostics import Severity

ACCEPTED = "can be allowed for a statement, with a reason"
_PG_ALTER = "PostgreSQL: ALTER TABLE, Notes"
_PG_LOCKS = "PostgreSQL: Explicit Locking"
_MY_DDL = "MySQL: Online DDL Operations"
declare = functools.partial(diagnostics.declare, ignorable=False, accepted=ACCEPTED)


declare(
    "migration-not-judged",
    "Each statement must be one that the guard can judge.",
    "",
    why="What is not understood may do anything, and is never counted as harmless.",
    wrong="DO $$ BEGIN EXECUTE 'DROP TABLE orders'; END $$;",
    right="COMMENT ON TABLE orders IS 'one row an order';",
)
declare(
    "migration-drop-object",
    "Nothing that a running release uses may be dropped.",
    "",
    why="The release that still runs fails at its next use, and what a table held is gone.",
    wrong="DROP TABLE carts;",
    right="DROP TRIGGER carts_touch ON carts;",
)
declare(
    "migration-drop-column",
    "A column that a running release uses may not be dropped.",
    _PG_ALTER,
    why="The release that still runs names the column in its queries, and each of them fails.",
    wrong="ALTER TABLE orders DROP COLUMN note;",
    right="ALTER TABLE orders ALTER COLUMN note DROP NOT NULL;",
)
declare(
    "migration-rename",
    "A table, column or other object that a running release uses may not be renamed.",
    "",
    why="The release that still runs asks for the old name, and the new one for the new name: one of them fails.",
    wrong="ALTER TABLE orders RENAME COLUMN note TO remark;",
    right="ALTER TABLE orders ADD COLUMN remark text;",
)
declare(
    "migration-type-change",
    "The type of a column may only change where no row is written anew and the old release can read it.",
    f"{_PG_ALTER}; {_MY_DDL}",
    why="The server copies the table while nobody writes, and the old release may be refused.",
    wrong="ALTER TABLE orders ALTER COLUMN id TYPE bigint;",
    right="ALTER TABLE orders ADD COLUMN id_new bigint;",
)
declare(
    "migration-required-column",
    "A new column must have a default or take NULL.",
    _PG_ALTER,
    why="The release that still runs inserts rows without it and is refused; on PostgreSQL the statement itself fails.",
    wrong="ALTER TABLE orders ADD COLUMN channel text NOT NULL;",
    right="ALTER TABLE orders ADD COLUMN channel text NOT NULL DEFAULT 'web';",
)
declare(
    "migration-set-not-null",
    "NOT NULL must be preceded by a validated CHECK.",
    _PG_ALTER,
    why="The server reads all rows under ACCESS EXCLUSIVE: nobody reads or writes the table meanwhile.",
    wrong="ALTER TABLE orders ALTER COLUMN channel SET NOT NULL;",
    right=(
        "ALTER TABLE orders ADD CONSTRAINT channel_given CHECK (channel IS NOT NULL) NOT VALID;\n"
        "ALTER TABLE orders VALIDATE CONSTRAINT channel_given;\n"
        "ALTER TABLE orders ALTER COLUMN channel SET NOT NULL;"
    ),
)
declare(
    "migration-drop-default",
    "A default that a running release relies on must stay.",
    f"{_PG_ALTER}; MySQL: ALTER TABLE, MODIFY",
    Severity.ERROR,
    Severity.WARNING,
    why="The release that still runs inserts rows without the column. MODIFY and CHANGE drop what they do not repeat.",
    wrong="ALTER TABLE orders ADD channel text NOT NULL DEFAULT 'web';\nALTER TABLE orders ALTER channel DROP DEFAULT;",
    right="ALTER TABLE orders ADD channel text NOT NULL DEFAULT 'web';",
)
declare(
    "migration-index",
    "An index on a large table must be built while writes go on.",
    f"PostgreSQL: CREATE INDEX, Building Indexes Concurrently; {_MY_DDL}",
    why="Writes wait until the index is built.",
    wrong="CREATE INDEX orders_email ON orders (email);",
    right="CREATE INDEX CONCURRENTLY orders_email ON orders (email);",
)
declare(
    "migration-invalid-index",
    "A build of an index that may be repeated must drop what an earlier one left behind.",
    "PostgreSQL: CREATE INDEX, Building Indexes Concurrently",
    Severity.WARNING,
    why="A build that fails leaves an INVALID index under the name, and IF NOT EXISTS is content with it.",
    wrong="CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_email ON orders (email);",
    right="DROP INDEX CONCURRENTLY IF EXISTS orders_email;\nCREATE INDEX CONCURRENTLY orders_email ON orders (email);",
)
declare(
    "migration-drop-index",
    "An index should be dropped without a queue of queries behind it.",
    "PostgreSQL: DROP INDEX",
    Severity.WARNING,
    why="DROP INDEX needs ACCESS EXCLUSIVE: it waits for the longest transaction, and all queries wait for it.",
    wrong="DROP INDEX orders_email;",
    right="DROP INDEX CONCURRENTLY orders_email;",
)
declare(
    "migration-in-transaction",
    "What needs no transaction, or gains nothing in one, must run outside of it.",
    _PG_LOCKS,
    Severity.ERROR,
    Severity.WARNING,
    why="CONCURRENTLY fails in a transaction, and a lock that an earlier statement took is held until its end.",
    wrong="BEGIN;\nCREATE INDEX CONCURRENTLY orders_email ON orders (email);\nCOMMIT;",
    right="CREATE INDEX CONCURRENTLY orders_email ON orders (email);",
)
declare(
    "migration-foreign-key",
    "A foreign key on a large table must be added without reading it under a lock that stops writes.",
    f"{_PG_ALTER}; {_MY_DDL}",
    why="Writes to the table wait until all rows are compared; on PostgreSQL writes to the other table wait, too.",
    wrong="ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);",
    right="ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;",
)
declare(
    "migration-check",
    "A CHECK on a large table must be added without reading it under a lock.",
    f"{_PG_ALTER}; {_MY_DDL}",
    why="PostgreSQL lets nobody read or write until all rows are compared; MySQL copies the table.",
    wrong="ALTER TABLE orders ADD CONSTRAINT total_positive CHECK (total >= 0);",
    right="ALTER TABLE orders ADD CONSTRAINT total_positive CHECK (total >= 0) NOT VALID;",
)
declare(
    "migration-unique",
    "A UNIQUE, PRIMARY KEY or EXCLUDE constraint must use an index that was built before.",
    _PG_ALTER,
    why="The server builds the index under ACCESS EXCLUSIVE: nobody reads or writes the table meanwhile.",
    wrong="ALTER TABLE users ADD CONSTRAINT users_email UNIQUE (email);",
    right=(
        "CREATE UNIQUE INDEX CONCURRENTLY users_email ON users (email);\n"
        "ALTER TABLE users ADD CONSTRAINT users_email UNIQUE USING INDEX users_email;"
    ),
)
declare(
    "migration-rewrite",
    "A large table may not be written anew while others write to it.",
    f"{_PG_ALTER}; {_MY_DDL}",
    Severity.ERROR,
    Severity.WARNING,
    why="Writes wait until the copy is done; where they go on, the copy takes as much space and lag again.",
    wrong="ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();",
    right="ALTER TABLE orders ADD token uuid;\nALTER TABLE orders ALTER token SET DEFAULT gen_random_uuid();",
)
declare(
    "migration-rows-lost",
    "A migration may not delete all rows of a table that was there before.",
    "",
    why="The rows are gone when the statement ends, and a rollback of the release does not bring them back.",
    wrong="TRUNCATE orders;",
    right="DELETE FROM orders WHERE created_at < '2020-01-01';",
)
declare(
    "migration-update-all",
    "All rows of a large table should be changed in batches.",
    "",
    Severity.WARNING,
    Severity.ERROR,
    why="Each row stays locked until the statement ends, and PostgreSQL writes all of them a second time.",
    wrong="UPDATE orders SET channel = 'web';",
    right="UPDATE orders SET channel = 'web' WHERE id BETWEEN 1 AND 10000 AND channel IS NULL;",
)
declare(
    "migration-lock",
    "A statement may not keep readers or writers away while it works.",
    f"{_PG_LOCKS}; MySQL: LOCK TABLES",
    Severity.ERROR,
    Severity.WARNING,
    why="All who need the table wait until the lock is released, and their requests with them.",
    wrong="LOCK TABLE orders IN ACCESS EXCLUSIVE MODE;",
    right="REINDEX TABLE CONCURRENTLY orders;",
)
declare(
    "migration-sequence-restart",
    "A sequence may not give a number a second time.",
    "PostgreSQL: ALTER SEQUENCE",
    Severity.ERROR,
    Severity.WARNING,
    why="The release that still runs inserts a row with a number that is taken, and is refused.",
    wrong="ALTER SEQUENCE invoice_numbers RESTART;",
    right="SELECT setval('invoice_numbers', (SELECT max(number) FROM invoices));",
)
declare(
    "migration-server",
    "A migration may not change the server for everybody.",
    "",
    why="Other applications, replicas and backups use it too, and a rollback of the release leaves it changed.",
    wrong="ALTER DATABASE shop SET default_transaction_read_only = on;",
    right="SET statement_timeout = '30s';",
)
declare(
    "migration-refused",
    "A statement must be one that the server takes.",
    "PostgreSQL: DROP INDEX; CREATE INDEX",
    why="The migration stops there, and what came before it stays.",
    wrong="DROP INDEX CONCURRENTLY orders_email, orders_total;",
    right="DROP INDEX CONCURRENTLY orders_email;\nDROP INDEX CONCURRENTLY orders_total;",
)
declare(
    "migration-revoke",
    "A right or a login that a running release uses should stay.",
    "",
    Severity.WARNING,
    Severity.ERROR,
    why="The release that still runs is refused at its next query.",
    wrong="REVOKE INSERT ON orders FROM shop;",
    right="GRANT INSERT ON orders TO shop;",
)
declare(
    "migration-lock-timeout",
    "What needs ACCESS EXCLUSIVE should give up soon when it does not get it.",
    "PostgreSQL: lock_timeout",
    Severity.ADVICE,
    why="While it waits for one long transaction, all queries of the table queue behind it.",
    wrong="ALTER TABLE orders ADD COLUMN remark text;",
    right="SET lock_timeout = '2s';\nALTER TABLE orders ADD COLUMN remark text;",
)
