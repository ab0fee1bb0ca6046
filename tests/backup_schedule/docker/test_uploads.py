"""Files of an application, backed up by restic into a real bucket on the same host, and into a volume: restores byte by
byte, a restic that is killed, a store that is away, a password that is another one, and keys that are apart.

Prints the figures that docs/measurements.md quotes; run it with -s to see them.
"""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.backup_schedule.docker.commands import status_of, tierstack
from tests.support import Stack, docker_client, image, run_command
from tests.waiting import until
from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.restic import agent, files, repository

NAME = "t-uploads"
VOLUME, CATALOG = f"{NAME}-data", f"{NAME}-files-catalog"
AGENT, PRUNE, LOCAL, GATEWAY = (f"{NAME}-{one}" for one in ("files-restic", "files-prune", "local-restic", "storage"))
ASIDE = f"{NAME}-aside"
USER = "10001:10001"
copying: dict[str, str] = {}
"""What the command prints of copying files back: what it does, and how."""
PROGRAM = """
import pulumi
import pulumi_docker as docker
from tierstack import *

platform = DockerHost(name="{name}", data_protection=DataProtection.NONE)
storage = ObjectStorage("storage", ObjectStorageArgs(platform=platform, bucket="backups", prefix="prod",
    self_hosted=True, image="{versitygw}", probe_image="{barman}", versioning=True))
uploads = FileVolume(volume="{volume}", user="{user}")
made = FileBackups("files", FileBackupsArgs(
    platform=platform, files=uploads, image="{restic}", store=storage.store, first_backup_minutes=5,
    keep=KeepArgs(last=3, daily=None), drill=FilesDrillArgs(sample=50), check_parts=2{more}))
local = FileBackups("local", FileBackupsArgs(
    platform=platform, files=uploads, image="{restic}", first_backup_minutes=5, keep=KeepArgs(last=2, daily=None)))
pulumi.export("location", made.location)
pulumi.export("repository_password", made.repository_password)
"""


def program(more: str = "") -> str:
    images = {"barman": "barman:3", "versitygw": "versitygw:1.8", "restic": "restic:0.18"}
    made = {key: image(name) for key, name in images.items()}
    return PROGRAM.format(name=NAME, volume=VOLUME, user=USER, more=more, **made)


def shell(script: str, volume: str = VOLUME) -> str:
    """A script in the volume, as the owner of its files."""
    # No `-w`: it makes the directory in the container, and an empty volume then takes over its owner, root.
    mounted = ["-v", f"{volume}:/files"]
    return run_command(
        "docker", "run", "--rm", "--user", USER, *mounted, image("restic:0.18"), "sh", "-c", f"cd /files && {script}"
    )


def contents(volume: str = VOLUME) -> str:
    """Names, owners, modes, times and sums of everything in a volume but what is ours."""
    listed = "find . -name '.tierstack*' -prune -o ! -name . -printf '%p %m %U:%G %T@ %l\\n' | sort"
    sums = "find . -name '.tierstack*' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum"
    return shell(f"{listed}; {sums}", volume)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    docker_client()
    stack = Stack(tmp_path_factory.mktemp("uploads"), "backups")
    stack.write(program())
    try:
        run_command("docker", "volume", "create", VOLUME)
        owner = ["--user", "0:0", "-v", f"{VOLUME}:/files"]
        run_command("docker", "run", "--rm", *owner, image("restic:0.18"), "chown", USER, "/files")
        shell("mkdir -p a/b && for i in $(seq 200); do echo file $i > a/b/$i; done && echo private > 'a/ü name' "
              "&& chmod 600 'a/ü name' && ln -s b/1 a/link && truncate -s 64M sparse && head -c 20M /dev/urandom > big")  # fmt: skip
        stack.up()
        yield stack
    finally:
        subprocess.run(["docker", "start", GATEWAY], capture_output=True)
        stack.run("destroy", "--yes", "--skip-preview", "--refresh", "--stack=backups")
        shutil.rmtree(stack.folder)
        left = run_command("docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"name={NAME}")
        left += run_command("docker", "volume", "ls", "-q", "--filter", f"name={NAME}").replace(VOLUME, "")
        subprocess.run(["docker", "volume", "rm", "-f", ASIDE, VOLUME], capture_output=True)
    assert left.replace(ASIDE, "").split() == []


def status(container: str = AGENT) -> dict[str, Any]:
    return status_of(container, agent.STATUS)


def run_agent(verb: str, container: str = AGENT, module: str = "agent") -> "subprocess.CompletedProcess[str]":
    command = ["docker", "exec", container, "python3", "-m", f"tierstack.backup_schedule.restic.{module}", verb]
    return subprocess.run(command, capture_output=True, text=True)


def backup(container: str = AGENT) -> datetime:
    """Make a backup now; a moment after it."""
    done = run_agent("backup", container)
    assert done.returncode == 0, done.stdout + done.stderr
    time.sleep(1.1)  # a moment is told to the second
    return datetime.now(UTC).replace(microsecond=0)


def restic(*arguments: str) -> str:
    """restic in the container of the agent, as its user could run it."""
    code = (
        "import json, os; from tierstack.backup_schedule.restic import agent, repository as r; "
        "print(r.Repository(agent.settings(), 'write').run(*json.loads(os.environ['GIVEN'])))"
    )
    return run_command("docker", "exec", "-e", f"GIVEN={json.dumps(arguments)}", AGENT, "python3", "-c", code)


def well() -> bool:
    return bool(status()["healthy"])


def test_the_first_backup_is_there_when_the_update_ends(stack: Stack) -> None:
    for container in (AGENT, LOCAL):
        found = status(container)
        assert (found["healthy"], found["faults"], found["backups"]) == (True, [], 1)
        assert found["last_backup"]["files"] == 203  # links are none
    assert stack.outputs()["location"] == f"s3://backups/prod/{NAME}-files"
    until("what prunes has looked", lambda: run_agent("health", PRUNE, "pruning").returncode == 0, 120, every=1)
    stack.unchanged()


def test_keys_are_apart_and_nowhere_in_the_clear(stack: Stack) -> None:
    profiles = [
        run_command("docker", "run", "--rm", "--user", USER, "-v", f"{NAME}-{volume}:/c:ro", image("restic:0.18"),
                    "sed", "-n", "s/^\\[\\(.*\\)\\]$/\\1/p", "/c/aws-credentials")
        for volume in ("files-config", "files-fetch-config", "files-prune-config")
    ]  # fmt: skip
    assert profiles == ["write", "drill", "prune"]
    secrets = [
        run_command("docker", "exec", AGENT, "cat", f"{repository.CONFIG}/{repository.PASSWORD}"),
        run_command(
            "docker", "exec", AGENT, "sed", "-n", "s/^aws_secret_access_key = //p", "/etc/tierstack/aws-credentials"
        ),
    ]
    assert [len(one) for one in secrets] == [40, 40]
    assert stack.outputs()["repository_password"] == secrets[0]
    running = subprocess.Popen(
        ["docker", "exec", AGENT, "python3", "-m", "tierstack.backup_schedule.restic.agent", "backup"]
    )
    listed = ""
    while running.poll() is None:
        listed += run_command("docker", "top", AGENT, "-eo", "pid,args")
    assert "restic --quiet backup" in listed
    both = [run_command("docker", verb, one) for verb in ("inspect", "logs") for one in (AGENT, PRUNE)]
    for shown in (stack.state(), listed, *both):
        assert not [one for one in secrets if one in shown]


def test_the_key_that_writes_deletes_locks_and_nothing_else(stack: Stack) -> None:
    code = """
import json
from tierstack.backup_schedule.bucket import Bucket
from tierstack.backup_schedule.restic import agent, repository
b = Bucket(agent.settings()["store"], repository.CONFIG, "write")
for one in [*b.objects("restic/data/")][:1] + [*b.objects("restic/snapshots/")][:1]:
    try:
        b.s3.delete_object(Bucket=b.name, Key=one["Key"]); print("deleted", one["Key"])
    except b.s3.exceptions.ClientError as error:
        print(error.response["Error"]["Code"])
"""
    assert run_command("docker", "exec", AGENT, "python3", "-c", code).split() == ["AccessDenied", "AccessDenied"]
    assert restic("list", "locks", "--no-lock").split() == []


def test_a_restore_to_a_moment_is_exact(stack: Stack) -> None:
    shell("echo before > a/b/changed && touch -d '2020-02-03 04:05:06.789' a/b/7")
    wanted, moment = contents(), backup()
    shell("echo after > a/b/changed && rm -r a/b/1* big && echo new > a/new")
    backup()
    to = ["--backups", "files", "--to", moment.isoformat()]
    plan = tierstack(stack, "restore", *to, "--plan").stdout
    assert "204 files, 84.0 MiB, into the new volume" in plan
    said = tierstack(stack, "restore", *to, "--aside", ASIDE, "--yes").stdout
    print(f"\n{plan}{said}")
    assert contents(ASIDE) == wanted
    copying.update(line.strip().split(":  ", 1) for line in said.splitlines() if line.startswith("  copy "))
    run_command("sh", "-c", copying["copy one file"].replace("PATH/OF/FILE", "'a/b/11'"))
    was = shell("stat -c '%n %u %g %a %.Y' a/b/11 && cat a/b/11", ASIDE)
    assert shell("stat -c '%n %u %g %a %.Y' a/b/11 && cat a/b/11") == was
    shell("rm a/b/11")
    assert int(shell("du -k sparse | cut -f1", ASIDE)) < 1024, "holes come back as holes"
    assert "volume or container t-uploads-aside already" in tierstack(
        stack, "restore", *to, "--aside", ASIDE, "--yes", code=2
    ).stderr  # fmt: skip
    assert tierstack(stack, "restore", "--backups", "files", "--to", "2020-01-01T00:00:00Z", code=2)


def test_a_restore_in_place_keeps_what_was_there(stack: Stack) -> None:
    now, wanted = contents(), contents(ASIDE)
    assert "add --replace-data" in tierstack(stack, "restore", "--backups", "files", "--in-place", code=2).stderr
    listed = json.loads(run_command("docker", "exec", AGENT, "cat", str(agent.JOBS)))["snapshots"]
    to = ["--to", listed[-2]["began"]]
    said = tierstack(stack, "restore", "--backups", "files", *to, "--in-place", "--replace-data", "--yes").stdout
    print(f"\n{said}")
    assert contents() == wanted
    kept = shell(f"cat {files.BEFORE}/a/new {files.BEFORE}/a/b/changed")
    assert kept == "new\nafter"
    again = tierstack(stack, "restore", "--backups", "files", "--in-place", "--replace-data", "--yes", code=2).stderr
    assert f"holds `{files.BEFORE}`" in again
    backup()
    last = status_after_tick()["last_backup"]
    assert last["files"] == 204, "what a restore left beside is no part of a backup"
    shell(f"rm -r {files.BEFORE} a/b/1*")
    run_command("sh", "-c", copying["copy all"])
    assert contents() == wanted
    assert now != wanted
    assert status()["faults"] == []


def status_after_tick() -> dict[str, Any]:
    """The status once the agent has looked again, which it does as soon as a backup of its own has ended, or at its next minute."""
    newest = json.loads(run_command("docker", "exec", AGENT, "cat", str(agent.JOBS)))["snapshots"][-1]["id"]
    until("the agent looks", lambda: status()["last_backup"]["id"] == newest, 120, every=1)
    return status()


def test_a_drill_compares_and_one_that_cannot_is_not_verified(stack: Stack) -> None:
    said = tierstack(stack, "drill", "--backups", "files").stdout
    print(f"\n{said}")
    assert "204 files came back, 50 of them compared" in said
    entry = json.loads(run_command("docker", "exec", AGENT, "cat", str(agent.DRILLS)))
    assert (entry["result"], entry["source"], entry["different"]) == (ledger.GOOD, "bucket", [])
    shell("find . -type f -exec touch {} +")
    assert tierstack(stack, "drill", "--backups", "files", code=1).stderr.startswith(
        "not verified:\n  no file could be"
    )
    history = tierstack(stack, "drill", "history", "--backups", "files", code=1).stdout.splitlines()
    assert ["good  " in one for one in history] == [True, False]
    assert not run_command("docker", "volume", "ls", "-q", "--filter", "name=-drill")


def test_a_killed_restic_leaves_nothing_in_the_way(stack: Stack) -> None:
    shell("head -c 200M /dev/urandom > large")
    job = subprocess.Popen(
        ["docker", "exec", AGENT, "python3", "-m", "tierstack.backup_schedule.restic.agent", "backup"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    until("restic holds a lock", lambda: restic("list", "locks", "--no-lock").split(), 60, every=0.1)
    kill = "for p in /proc/[0-9]*; do grep -qsx restic $p/comm && kill -9 ${p#/proc/}; done; true"
    run_command("docker", "exec", AGENT, "sh", "-c", kill)
    assert job.communicate()[0].count("exit code -9") == 1
    assert restic("list", "locks", "--no-lock").split()
    began = time.monotonic()
    done = run_agent("backup")
    print(f"\nthe backup after a kill: {time.monotonic() - began:.1f} s\n{done.stdout}")
    assert done.returncode == 0
    assert "removed 1 locks of a job that was killed" in done.stdout
    assert restic("list", "locks", "--no-lock").split() == []
    checked = run_agent("check")
    assert (checked.returncode, "whole; read part 1 of 2" in checked.stdout) == (0, True), checked.stdout


def test_what_shrinks_is_a_fault(stack: Stack) -> None:
    shell("rm large")
    backup()
    found = status_after_tick()
    assert found["backup_shrunk"] is True
    assert "less than half of" in found["faults"][0]
    backup()
    assert status_after_tick()["faults"] == []


def test_a_file_that_cannot_be_read_is_told(stack: Stack) -> None:
    as_root = ["docker", "run", "--rm", "--user", "0:0", "-v", f"{VOLUME}:/files", image("restic:0.18")]
    run_command(*as_root, "sh", "-c", "echo secret > /files/root && chmod 600 /files/root")
    backup()
    assert status_after_tick()["faults"] == [
        "the last backup lacks 1 files, which the application's user may not read"
    ]  # fmt: skip
    run_command(*as_root, "rm", "/files/root")
    backup()


def test_a_store_that_is_away_is_told_and_caught_up_with(stack: Stack) -> None:
    run_command("docker", "stop", "--time", "1", GATEWAY)
    try:
        began = time.monotonic()
        done = run_agent("backup")
        print(f"\ntold after {time.monotonic() - began:.0f} s: {done.stdout}")
        assert done.returncode == 1
        assert (
            "backup failed: s3:https://storage:7070/backups/prod/t-uploads-files/restic does not answer:" in done.stdout
        )
        until("the agent says so", lambda: any("does not answer" in one for one in status()["faults"]), 120, every=1)
    finally:
        run_command("docker", "start", GATEWAY)
    until("the store is back", lambda: run_agent("backup").returncode == 0, 120, every=1)
    until(lambda: json.dumps(status()), well, 120, every=1)


def test_another_password_is_one_clear_error_and_nothing_is_written(stack: Stack) -> None:
    before = restic("snapshots", "--no-lock")
    stack.write(program(', password="another password of enough length"'))
    stack.up()
    done = run_agent("backup")
    assert done.returncode == 1
    assert done.stdout.count("\n") == 1
    assert "was made with another password: nothing is written" in done.stdout
    stack.write(program())
    stack.up()
    assert restic("snapshots", "--no-lock") == before
    assert run_agent("backup").returncode == 0


def test_only_what_the_rules_keep_stays(stack: Stack) -> None:
    for _ in range(2):
        backup()
    assert run_agent("now", PRUNE, "pruning").stdout.count("kept by --keep-last 3: 3 backups") == 1
    assert len(json.loads(restic("snapshots", "--json", "--no-lock"))) == 3
    assert run_agent("check").returncode == 0
    for _ in range(3):
        backup(LOCAL)
    listed = json.loads(run_command("docker", "exec", LOCAL, "cat", str(agent.JOBS)))["snapshots"]
    assert len(listed) == 2
    said = tierstack(stack, "restore", "--backups", "local", "--aside", f"{ASIDE}-local", "--yes").stdout
    assert "restored in" in said
    assert contents(f"{ASIDE}-local") == contents()
    run_command("docker", "volume", "rm", f"{ASIDE}-local")


def test_damage_is_found_by_the_check(stack: Stack) -> None:
    packs = f"find {repository.CATALOG}/restic/data -type f | head -1"
    damage = f"p=$({packs}) && chmod u+w $p && printf X | dd of=$p bs=1 seek=20 conv=notrunc 2>/dev/null"
    run_command("docker", "exec", LOCAL, "sh", "-c", damage)
    for _ in range(10):  # it reads a tenth each time
        run_agent("check", LOCAL)
    said = status_of(LOCAL, agent.STATUS)
    until("damage is told", lambda: status_of(LOCAL, agent.STATUS)["repository_damaged"], 120, every=1)
    assert said is not None
