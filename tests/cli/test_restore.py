"""`tierstack restore` says what makes it impossible before it shows a plan."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Command
from tierstack.cli import restore, restore_files
from tierstack.engine.project import UsageError
from tierstack.recovery import files, restoring
from tierstack.recovery.files import StoredFiles

pytestmark = pytest.mark.pure
AT = SimpleNamespace(catalog="shop-backups", source=None)
DATABASE = SimpleNamespace(engine=SimpleNamespace(gtids=False), dialect=SimpleNamespace(title="PostgreSQL"), at=AT)


def refuse(*_: Any) -> None:
    raise UsageError("it is in the way")


@pytest.mark.parametrize("given", [[], ["--in-place", "--replace-data"]])
@pytest.mark.parametrize("of_files", [False, True])
def test_what_is_in_the_way_is_told_instead_of_a_plan(
    tierstack: Command, monkeypatch: pytest.MonkeyPatch, given: list[str], of_files: bool
) -> None:
    at: Any = AT
    stored: Any = StoredFiles(at, at) if of_files else SimpleNamespace(host=None, **vars(DATABASE))
    monkeypatch.setattr(restore, "backups_of", lambda *_: (Path(), stored))
    for module, name in (
        (restoring, "refuse_existing"),
        (restoring, "refuse_in_place"),
        (restore_files, "refuse_existing"),
        (files, "refuse_in_place"),
    ):
        monkeypatch.setattr(module, name, refuse)
    with pytest.raises(UsageError, match="it is in the way"):
        tierstack("restore", "-s", "prod", *given, "--yes", catch_exceptions=False)
