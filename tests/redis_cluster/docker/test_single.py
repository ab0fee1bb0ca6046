"""One node by the real engine on a real daemon: what it keeps, whom it lets in, and what is never in plaintext."""

import subprocess
from collections.abc import Iterator, Sequence

import pytest

from tests.support import Stack, docker_client, image
from tests.waiting import until

PLATFORM = "t-redis-one"
PROGRAM = """
import pulumi
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform import DataProtection, DockerHost
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs

platform = DockerHost(name="{platform}", data_protection=DataProtection.{protection})
redis = RedisCluster("redis", RedisClusterArgs(
    platform=platform, image="{image}", memory_mb={memory}, tls=TLSMode("{tls}"), ca_generation={generation},
))
pulumi.export("user", redis.connection.user)
pulumi.export("password", redis.connection.password.value)
pulumi.export("network", redis.connection.network)
"""
CA = "/run/tierstack/ca/redis/ca.crt"
TLS = ("-p", "6380", "--tls", "--cacert", CA)


def program(protection: str = "NONE", memory: int = 64, tls: str = "require", generation: int = 1) -> str:
    return PROGRAM.format(
        platform=PLATFORM,
        protection=protection,
        memory=memory,
        image=image("valkey:8.1"),
        tls=tls,
        generation=generation,
    )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    made = Stack(tmp_path_factory.mktemp("redis"), "t-redis-one")
    made.write(program())
    try:
        made.up()
        yield made
    finally:
        made.write(program())
        made.up()
        made.destroy()
    left = docker_client().api
    named = {"filters": {"name": PLATFORM}}
    assert left.containers(all=True, **named) == []
    assert left.networks(**named) == []
    assert (left.volumes(**named)["Volumes"] or []) == []


MARK = "next answer:"


def ask(
    stack: Stack, *words: str, password: str | None = None, tls: tuple[str, ...] = TLS, each: Sequence[str] = ()
) -> str:
    """The answer of the node to another container of its network; with `each`, the answers to all these commands, each
    after a line with MARK."""
    outputs = stack.outputs()
    client = ["valkey-cli", "-h", "redis", "--user", outputs["user"], *tls]
    loop = f'for words in "$@"; do echo "{MARK}"; {" ".join(client)} $words 2>&1; done'
    output = docker_client().containers.run(
        image("valkey:8.1"),
        ["sh", "-fc", loop, "each", *each] if each else [*client, *words],
        network=outputs["network"],
        volumes={f"{PLATFORM}-redis-ca": {"bind": "/run/tierstack/ca/redis", "mode": "ro"}} if tls else {},
        environment={"REDISCLI_AUTH": outputs["password"] if password is None else password},
        remove=True,
        stderr=True,
    )
    return output.decode().strip()


def healthy() -> bool:
    one = docker_client().containers.get(f"{PLATFORM}-redis")
    return one.attrs["State"]["Health"]["Status"] == "healthy"


def test_it_answers_with_its_password_only(stack: Stack) -> None:
    assert ask(stack, "SET", "key", "value") == "OK"
    assert ask(stack, "GET", "key") == "value"
    assert "WRONGPASS" in ask(stack, "GET", "key", password="wrong")
    assert "NOAUTH" in ask(stack, "GET", "key", password="")


ALLOWED = [
    *("INFO", "KEYS *", "FLUSHDB", "SORT list", "CLIENT LIST", "CLIENT SETNAME worker-1", "EVAL return(1) 0", "ROLE"),
    *("PUBLISH orders 1", "XADD stream * a 1", "WAIT 0 1", "SCAN 0", "SELECT 1", "BLPOP none 0.01", "MEMORY USAGE key"),
]
REFUSED = [
    *("CONFIG GET maxmemory", "CONFIG SET appendonly no", "ACL LIST", "ACL SETUSER app +@all", "SHUTDOWN NOSAVE"),
    *("LATENCY RESET", "MONITOR", "REPLICAOF NO ONE", "FLUSHALL", "CLIENT KILL TYPE normal", "CLIENT PAUSE 10"),
    *("SLOWLOG GET", "BGREWRITEAOF", "MODULE LIST", "FAILOVER", "MIGRATE host 6379 key 0 10"),
]


def test_applications_may_use_it_and_may_not_administer_it(stack: Stack) -> None:
    commands = [*ALLOWED, *REFUSED]
    said = ask(stack, each=commands).split(f"{MARK}\n")[1:]
    refused = [command for command, answer in zip(commands, said, strict=True) if "NOPERM" in answer]
    assert refused == REFUSED


def test_nothing_changes_without_a_change(stack: Stack) -> None:
    stack.unchanged()


def test_the_password_is_nowhere_in_clear(stack: Stack) -> None:
    password = stack.outputs()["password"]
    assert len(password) == 32
    container = docker_client().containers.get(f"{PLATFORM}-redis")
    container.exec_run(["/bin/sh", "/etc/redis/health.sh"])
    shown = [str(container.attrs), str(container.top()), container.logs().decode()]
    shown += [file.read_text(errors="replace") for file in (stack.folder / "state").rglob("*") if file.is_file()]
    shown.append(subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout)
    assert not any(password in text for text in shown)
    for file in ("password", "app-password"):
        said = container.exec_run(["stat", "-c", "%a %u", f"/etc/redis/{file}"]).output.decode()
        assert said.split() == ["400", "999"]


def test_what_was_written_survives_a_kill_and_a_change_of_size(stack: Stack) -> None:
    ask(stack, "SET", "kept", "yes")
    container = docker_client().containers.get(f"{PLATFORM}-redis")
    container.kill()
    container.start()
    until("healthy after the kill", healthy)
    assert ask(stack, "GET", "kept") == "yes"
    stack.write(program(memory=96))
    stack.up()
    assert f"maxmemory:{96 * 1024 * 1024}" in ask(stack, "INFO", "memory").split()
    assert ask(stack, "GET", "kept") == "yes"
    assert docker_client().containers.get(f"{PLATFORM}-redis").id != container.id


def test_a_stop_is_an_orderly_end(stack: Stack) -> None:
    container = docker_client().containers.get(f"{PLATFORM}-redis")
    container.stop(timeout=20)
    container.reload()
    assert container.attrs["State"]["ExitCode"] == 0
    assert "ready to exit" in container.logs(tail=3).decode()
    container.start()
    until("healthy after the stop", healthy)


def test_protected_data_is_not_deleted(stack: Stack) -> None:
    stack.write(program("PROTECT"))
    stack.up()
    done = stack.run("destroy", "--yes", "--skip-preview", "--stack=t-redis-one", check=False)
    assert done.returncode != 0
    assert "redis-data" in done.stdout + done.stderr
    assert "protected" in done.stdout + done.stderr
    assert docker_client().volumes.get(f"{PLATFORM}-redis-data")
