"""The page says what the code says: every command of a restore."""

import re
import shlex
from pathlib import Path

from tierstack.backup_schedule import restore
from tierstack.backup_schedule.engine import Source

PAGE = (Path(__file__).parents[2] / "docs/components/backup-schedule.md").read_text()


def test_the_commands_are_those_of_the_code() -> None:
    source = Source(catalog="shop-backups-catalog", config="shop-backups-config", image="$BARMAN")
    shown = PAGE.replace("\\\n", " ")
    for _, command in restore.commands(source, aside="aside", postgres_image="$POSTGRES", time="2026-01-31T12:00:00Z"):
        tail = " ".join(command[-5:])
        assert tail in re.sub(" +", " ", shown)
    assert all(f"{name}=$(docker inspect" in PAGE for name in ("BARMAN", "POSTGRES")), "each variable is defined"


def test_the_commands_in_place_are_those_of_the_code_in_their_order() -> None:
    source = Source(catalog="shop-backups-catalog", config="shop-backups-config", image="$BARMAN")
    names = {"volume": "shop-db-data", "container": "shop-db-primary", "aside": "aside"}
    shown = re.sub(" +", " ", PAGE.replace("\\\n", " "))
    at = shown.index("## Restore in the place of the database")
    for _, command in restore.in_place_commands(source, **names, postgres_image="$POSTGRES"):
        tail = shlex.join(command[-3:])
        assert tail in shown[at:], tail
        at = shown.index(tail, at)
