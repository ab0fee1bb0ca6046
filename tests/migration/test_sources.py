"""Output of frameworks, as they print it."""

import pytest

from tests.migration.cases import said
from tests.migration.test_guard import MY, PG, judged
from tierstack.migration import sources

# cakephp/phinx#1568, and its 0.16
PHINX = """\
Phinx by CakePHP - https://phinx.org. 0.16.6

using config file ./phinx.yml
using config parser yml
using migration paths
 - /srv/shop/db/migrations
 - /srv/shop/modules/orders/migrations
using seed paths
 - /srv/shop/db/seeds
warning no environment specified, defaulting to: mysql
using adapter mysql
using database shop
using table prefix x_
ordering by creation time
dry-run mode enabled
CREATE TABLE `phinxlog` (`version` BIGINT(20) NOT NULL, PRIMARY KEY (`version`)) ENGINE = InnoDB CHARACTER SET utf8;

 == 20260101000000 AddNote: migrating
START TRANSACTION;
ALTER TABLE `orders` ADD `note` VARCHAR(255) NULL;
DELETE FROM `carts`
 USING `carts` JOIN `users` ON `users`.`id` = `carts`.`user_id`;
COMMIT;
INSERT INTO `phinxlog` (`version`, `migration_name`, `start_time`, `end_time`, `breakpoint`) VALUES ('20260101000000', 'AddNote', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 0);
 == 20260101000000 AddNote: migrated 0.0034s

All Done. Took 0.0100s
"""
CAKE = """\
using paths
 - /srv/shop/config/Migrations
using environment default
using connection default
dry-run mode enabled
using adapter mysql
using database shop
ordering by creation time

 == 20260101000000 DropNote: migrating
ALTER TABLE `orders` DROP COLUMN `note`
 == 20260101000000 DropNote: migrated 0.0034s

All Done. Took 0.0100s
"""


def test_what_phinx_prints_around_its_statements() -> None:
    source = sources.read(PHINX.replace("DELETE FROM `carts`\n USING `carts`", "SELECT 1 FROM `carts`"), MY, "-")
    assert [(one.line, one.text.split()[0]) for one in source.statements] == [
        (16, "CREATE"), (19, "START"), (20, "ALTER"), (21, "SELECT"), (22, "COMMIT"), (23, "INSERT"),
    ]  # fmt: skip
    assert said(judged(CAKE, MY)) == ["drop-column"]


def test_a_line_of_a_statement_that_looks_like_one_of_phinx_stays_in_it() -> None:
    (delete,) = [one for one in sources.read(PHINX, MY, "-").statements if one.text.startswith("DELETE")]
    assert "USING `carts` JOIN" in delete.text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (PHINX.replace("using adapter mysql", "PHP Fatal error: no memory"), 11),
        (PHINX.replace("COMMIT;", "  --== ERROR ==--  skipping :SQLSTATE[42S02]"), 23),
    ],
)
def test_what_phinx_does_not_print_is_not_judged(text: str, line: int) -> None:
    for engine in (MY, PG):
        unread = [one for one in sources.read(text, engine, "-").statements if one.unread]
        assert [one.line for one in unread][:1] == [line]


def test_phinx_has_nothing_to_do() -> None:
    head, _, rest = PHINX.partition("CREATE TABLE")
    source = sources.read(head + "\n" + rest[rest.index("All Done") :], MY, "-")
    assert (source.statements, source.nothing) == ([], True)
    assert not sources.read(head, MY, "-").nothing  # cut off


LARAVEL = """\
   INFO  Preparing database.

  Creating migration table ................................................................ 12.34ms DONE

   INFO  Running migrations.

  2026_01_01_000000_add_note ...............................................................
  ⇂ alter table "orders" add column "note" varchar(255) null
"""


@pytest.mark.parametrize(
    "text",
    [
        LARAVEL,
        'Migration table created successfully.\nAddNote: alter table "orders" add column "note" text null\n',
        "   INFO  Migration table created successfully.\n\n   INFO  Nothing to migrate.\n",
        "Migration table created successfully.\nNothing to migrate.\n",
    ],
)
def test_laravel_makes_its_own_table_first(text: str) -> None:
    assert said(judged(text)) == []
    assert not [one for one in sources.read(text, PG, "-").statements if one.unread]


@pytest.mark.parametrize(
    "text",
    [
        "   ALERT  Application In Production.\n\n Are you sure you want to run this command? (yes/no) [no]:\n",
        "**************************************\n*     Application In Production!     *\n",
        "   WARN  Command cancelled.\n",
        "Command Canceled!\n",
    ],
)
def test_a_question_that_nobody_answered(text: str) -> None:
    assert sources.is_unanswered(text)
    for sql in ("INSERT INTO a VALUES ('Application in production');", "-- Application in production\nSELECT 1;"):
        assert not sources.is_unanswered(sql)
