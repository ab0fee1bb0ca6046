"""The client that proves the way to the database: it tries again, and tells what the last try said."""

import os
import subprocess
from pathlib import Path

import pytest

from tierstack.database.postgresql import docker


@pytest.mark.parametrize(("works_at", "code", "tries"), [(1, 0, 1), (3, 0, 3), (9, 2, 3)])
def test_a_login_that_does_not_work_at_once(tmp_path: Path, works_at: int, code: int, tries: int) -> None:
    psql = tmp_path / "psql"
    psql.write_text(
        f'#!/bin/sh\necho "$*" >>{tmp_path}/tries\n'
        f'[ "$(wc -l <{tmp_path}/tries)" -ge {works_at} ] || {{ echo "no answer" >&2; exit 2; }}\n'
    )
    psql.chmod(0o755)
    done = subprocess.run(
        ["/bin/sh", "-c", docker._LOGIN, "login", "host=db"],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (code, "no answer\n" if code else "")
    assert (tmp_path / "tries").read_text().splitlines() == ["host=db -Xqwtc SELECT 1"] * tries
