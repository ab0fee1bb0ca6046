"""Locks of the engine: read from its refusal, removed only where their process is certainly gone."""

import os
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tierstack.engine import locks as module
from tierstack.engine.locks import Lock, explained, is_refusal, locks

NOW = datetime.now(UTC).replace(microsecond=0)
REFUSAL = """error: the stack is currently locked by 2 lock(s). Either wait for the other process(es) to end or delete the \
lock file with `pulumi cancel`.
  file:///home/me/my%20shop/.pulumi/locks/organization/shop/local/3f.json: created by me@laptop (pid 42) at 2026-11-21T10:00:00Z
  s3://bucket/.pulumi/locks/organization/shop/local/4a.json: created by ci@runner-7 (pid 7) at 2026-11-21T11:00:00+01:00
"""


def dead() -> int:
    """The id of a process that has been, and is no more."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def lock(**given: Any) -> Lock:
    usual = {"where": "file:///state/lock.json", "user": "me", "host": socket.gethostname(), "since": NOW}
    return Lock(**{**usual, "pid": os.getpid(), **given})


@pytest.fixture(autouse=True)
def all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_sees_all_processes", lambda: True)


def test_both_locks_of_a_refusal_are_read() -> None:
    first, second = locks(REFUSAL)
    assert first == Lock(
        where="file:///home/me/my%20shop/.pulumi/locks/organization/shop/local/3f.json",
        user="me",
        host="laptop",
        pid=42,
        since=datetime(2026, 11, 21, 10, tzinfo=UTC),
    )
    assert first.file == Path("/home/me/my shop/.pulumi/locks/organization/shop/local/3f.json")
    assert (second.host, second.since, second.file) == ("runner-7", first.since, None)


@pytest.mark.parametrize(
    ("where", "file"),
    [
        ("file://~/.pulumi/locks/a.json", Path.home() / ".pulumi/locks/a.json"),
        ("file:///state/.pulumi/locks/a.json?no_tmp_dir=true", Path("/state/.pulumi/locks/a.json")),
        ("gs://bucket/.pulumi/locks/a.json", None),
    ],
)
def test_where_a_lock_lies(where: str, file: Path | None) -> None:
    assert lock(where=where).file == file


def test_only_lines_of_the_refusal_are_kept_from_the_user() -> None:
    assert [is_refusal(line) for line in REFUSAL.splitlines()] == [True, True, True]
    assert not is_refusal(" +  docker:index:Container web creating (3s) created by me@laptop")
    assert locks("Updating (local):\n + 3 created") == []


@pytest.mark.parametrize(
    ("given", "stale"),
    [
        pytest.param({}, False, id="its process runs"),
        pytest.param({"pid": "dead"}, True, id="its process is gone"),
        pytest.param({"since": NOW - timedelta(days=400)}, True, id="its number is another process's by now"),
        pytest.param({"pid": 1, "since": NOW - timedelta(seconds=1)}, False, id="another user's process runs"),
        pytest.param({"pid": "dead", "host": "elsewhere"}, False, id="made on another machine"),
        pytest.param({"pid": "dead", "where": "s3://bucket/lock.json"}, False, id="in a bucket that others share"),
    ],
)
def test_a_lock_is_stale_only_where_that_is_certain(given: dict[str, Any], stale: bool) -> None:
    assert lock(**{**given, **({"pid": dead()} if given.get("pid") == "dead" else {})}).is_stale() is stale


def test_a_process_that_nobody_has_buried_is_gone() -> None:
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert lock(pid=process.pid).is_stale()
    process.wait()


def test_in_a_container_nothing_is_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    """It sees its own processes only: the one that holds the lock may run in another one of the same host name."""
    monkeypatch.setattr(module, "_sees_all_processes", lambda: False)
    assert not lock(pid=dead()).is_stale()


def test_its_own_file_is_removed_and_no_other(tmp_path: Path) -> None:
    mine, other = tmp_path / "mine.json", tmp_path / "other.json"
    mine.touch()
    other.touch()
    one = lock(where=f"file://{mine}")
    one.remove()
    one.remove()  # somebody else was quicker
    assert list(tmp_path.iterdir()) == [other]


def test_what_the_user_is_told_names_every_holder_and_what_to_do() -> None:
    said = explained("local", locks(REFUSAL))
    assert "process 42 of me on laptop, since 2026-11-21 10:00:00" in said
    assert "process 7 of ci on runner-7" in said
    assert "`pulumi cancel --stack local`" in said
