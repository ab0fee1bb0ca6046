"""What runs in the containers of backups finds there what it imports: a module is delivered, or of the same package."""

import ast
from collections.abc import Iterator, Mapping

import pytest

from tierstack.backup_schedule import config as postgresql
from tierstack.backup_schedule.dumps import config as dumps
from tierstack.backup_schedule.mysql import files as mysql
from tierstack.backup_schedule.restic import config as restic

PROGRAMS = {
    "postgresql": postgresql.program(store=False),
    "postgresql-bucket": postgresql.program(store=True),
    "mysql": mysql.program(store=False),
    "mysql-bucket": mysql.program(store=True),
    "files": restic.program(),
    "dumps": dumps.program(),
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_what_is_imported_at_once_is_delivered(program: Mapping[str, str]) -> None:
    assert program
    assert list(lacking(program, at_once=True)) == []


@pytest.mark.parametrize("name", [one for one in PROGRAMS if one not in ("postgresql", "mysql")])
def test_what_is_imported_later_is_delivered_too(name: str) -> None:
    """Without a bucket, agents never come to what they import for one."""
    assert list(lacking(PROGRAMS[name])) == []


def lacking(program: Mapping[str, str], *, at_once: bool = False) -> Iterator[str]:
    """The imports of tierstack that a program of files by their paths cannot make, each with its file."""
    for path, text in program.items():
        tree = ast.parse(text)
        for node in tree.body if at_once else ast.walk(tree):
            if not isinstance(node, ast.ImportFrom) or not (node.module or "").startswith("tierstack"):
                continue
            folder = f"lib/{(node.module or '').replace('.', '/')}"
            for one in node.names:  # a module of the package, or a name of the module
                if not {f"{folder}/{one.name}.py", f"{folder}.py"} & set(program):
                    yield f"{path}: from {node.module} import {one.name}"


def test_one_that_is_left_out_is_seen() -> None:
    program = {name: text for name, text in restic.program().items() if not name.endswith("/status.py")}
    assert any("import stamp" in one or "import status" in one for one in lacking(program))
