"""`tierstack restore` says what makes it impossible before it shows a plan."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Command
from tierstack.cli import restore, restore_dumps, restore_files
from tierstack.engine.project import UsageError
from tierstack.recovery import files, restoring
from tierstack.recovery.dumps import StoredDumps
from tierstack.recovery.files import StoredFiles

pytestmark = pytest.mark.pure
AT = SimpleNamespace(catalog="shop-backups", source=None)
DATABASE = SimpleNamespace(engine=SimpleNamespace(gtids=False), dialect=SimpleNamespace(title="PostgreSQL"), at=AT)


def refuse(*_: Any) -> None:
    raise UsageError("it is in the way")


IN_PLACE = ["--in-place", "--replace-data"]
AT_ANY: Any = AT
STORED = {
    "database": SimpleNamespace(host=None, **vars(DATABASE)),
    "files": StoredFiles(AT_ANY, AT_ANY),
    "dumps": StoredDumps(AT_ANY, AT_ANY),
}


@pytest.mark.parametrize(
    ("kind", "given"),
    [("database", []), ("database", IN_PLACE), ("files", []), ("files", IN_PLACE), ("dumps", ["--dump", "all"])],
)
def test_what_is_in_the_way_is_told_instead_of_a_plan(
    tierstack: Command, monkeypatch: pytest.MonkeyPatch, kind: str, given: list[str]
) -> None:
    monkeypatch.setattr(restore, "backups_of", lambda *_, **__: (Path(), STORED[kind]))
    for module, name in (
        (restoring, "refuse_existing"),
        (restoring, "refuse_in_place"),
        (restore_files, "refuse_existing"),
        (files, "refuse_in_place"),
        (restore_dumps, "refuse_existing"),
    ):
        monkeypatch.setattr(module, name, refuse)
    with pytest.raises(UsageError, match="it is in the way"):
        tierstack("restore", "-s", "prod", *given, "--yes", catch_exceptions=False)
