"""The script that starts a node, run by a shell with a server that shows what it was given."""

import subprocess
from pathlib import Path

import pytest

from tierstack.redis_cluster import RedisPurpose, node

pytestmark = pytest.mark.pure


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A container's directories, below a folder of the test."""
    for folder in ("etc", "data/appendonlydir", "tmp", "bin"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc" / "redis.conf").write_text(node.config(RedisPurpose.QUEUE, 64, replicated=False))
    (tmp_path / "etc" / node.PASSWORD_FILE).write_text("of-the-nodes")
    return tmp_path


def start(place: Path, server: str = "valkey-server") -> subprocess.CompletedProcess[str]:
    binary = place / "bin" / server
    binary.write_text('#!/bin/sh\nexec cat "$1"\n')
    binary.chmod(0o755)
    script = node.start_script()
    for inside, outside in ((node.CONFIG_DIR, "etc"), (node.DATA_DIR, "data"), (node.RUN_CONFIG, "tmp/redis.conf")):
        script = script.replace(inside, str(place / outside))
    path = {"PATH": f"{place / 'bin'}:/usr/bin:/bin"}
    return subprocess.run(["/bin/sh", "-c", script], env=path, capture_output=True, text=True, check=False)


def test_applications_have_a_user_where_there_is_a_password_for_one(place: Path) -> None:
    assert "user " not in start(place).stdout
    (place / "etc" / node.APPLICATION_FILE).write_text("of-the-application")
    lines = start(place).stdout.splitlines()
    assert f"user app on >of-the-application {node.APPLICATION_RIGHTS}" in lines
    assert "requirepass of-the-nodes" in lines
    assert (place / "tmp" / "redis.conf").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("server", "header", "file", "writer"),
    [
        ("valkey-server", b"REDIS0011", "dump.rdb", None),  # Redis 7.2, and Valkey up to 8
        ("valkey-server", b"REDIS0009", "appendonlydir/appendonly.aof.1.base.rdb", None),
        ("valkey-server", b"VALKEY080", "dump.rdb", None),
        ("redis-server", b"REDIS0013", "dump.rdb", None),
        ("redis-server", b"", "dump.rdb", None),
        ("valkey-server", b"*2\r\n$6\r\n", "appendonlydir/appendonly.aof.1.incr.aof", None),
        ("valkey-server", b"REDIS0012", "appendonlydir/appendonly.aof.1.base.rdb", "Redis 7.4 or newer"),
        ("valkey-server", b"REDIS0013", "dump.rdb", "Redis 7.4 or newer"),
        ("redis-server", b"VALKEY080", "dump.rdb", "Valkey 9 or newer"),
    ],
)
def test_files_that_a_server_cannot_read_stop_it_before_it_starts(
    place: Path, server: str, header: bytes, file: str, writer: str | None
) -> None:
    path = place / "data" / file
    path.write_bytes(header + bytes(range(20)))
    done = start(place, server)
    assert path.read_bytes() == header + bytes(range(20))
    if writer is None:
        assert (done.returncode, "error" in done.stdout) == (0, False)
    else:
        assert done.returncode == 1
        first, *_ = done.stdout.splitlines()
        assert first.startswith(f"error: {path} was written by {writer}, and ")
        assert first.endswith("cannot read it. Nothing was changed.")
        assert "requirepass" not in done.stdout


@pytest.mark.parametrize(
    ("purpose", "policy", "kept"),
    [
        (RedisPurpose.QUEUE, "noeviction", "yes"),
        (RedisPurpose.SESSION, "volatile-ttl", "yes"),
        (RedisPurpose.CACHE, "allkeys-lru", "no"),
    ],
)
def test_a_purpose_decides_what_is_dropped_and_what_is_kept(purpose: RedisPurpose, policy: str, kept: str) -> None:
    lines = node.config(purpose, 64, replicated=True).splitlines()
    assert f"maxmemory-policy {policy}" in lines
    assert f"appendonly {kept}" in lines
    assert ("min-replicas-to-write 1" in lines) is (kept == "yes")
