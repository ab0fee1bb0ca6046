"""What tests of backups ask of containers, and the command as its user calls it."""

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.support import Stack, run_command


def status_of(container: str, path: Path) -> dict[str, Any]:
    """What an agent says of itself."""
    return json.loads(run_command("docker", "exec", container, "cat", str(path)))


def drop(aside: str) -> None:
    """Remove a database that was restored aside, where there is one."""
    subprocess.run(["docker", "rm", "-f", aside], capture_output=True)
    subprocess.run(["docker", "volume", "rm", aside], capture_output=True)


def tierstack(stack: Stack, *arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    """The command in the folder of the stack, as its user calls it."""
    verbs = arguments[: 2 if arguments[1:2] == ("history",) else 1]
    command = ["tierstack", *verbs, "-s", "backups", *arguments[len(verbs) :]]
    done = subprocess.run(command, cwd=stack.folder, env=stack.environ(), capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def say_whose(agent: str, text: str | None) -> str:
    """Write of which database the backups in the bucket of an agent are, through the store, which keeps a checksum of
    each object. None: nothing is written. What was said before."""
    code = (
        "import json, sys; from pathlib import Path; from tierstack.backup_schedule.bucket import IDENTITY, Bucket; "
        "config = Path('/etc/tierstack'); "
        "bucket = Bucket(json.loads((config / 'settings.json').read_text())['store'], config, 'write'); "
        "print((bucket.get(IDENTITY) or b'').decode()); "
        "sys.argv[1:] and bucket.put(IDENTITY, sys.argv[1].encode())"
    )
    return run_command("docker", "exec", agent, "python3", "-c", code, *([text] if text else []))


def refuse_shown_keys(stack: Stack, name: str, agent: str, user: str, image: str) -> None:
    """Each container of backups with a bucket has the key of its purpose, and the one that writes is in the clear
    nowhere: neither in the state, nor in the description or log of the agent. `user`: owner of the files; `image`: one
    with `sed`."""
    profiles = {
        volume: run_command("docker", "run", "--rm", "--user", user, "-v", f"{name}-{volume}:/c:ro", image,
            "sed", "-n", "s/^\\[\\(.*\\)\\]$/\\1/p", "/c/aws-credentials")
        for volume in ("backups-config", "backups-fetch-config", "backups-prune-config")
    }  # fmt: skip
    assert list(profiles.values()) == ["write", "drill", "prune"]
    secret = run_command(
        "docker", "exec", agent, "sed", "-n", "s/^aws_secret_access_key = //p", "/etc/tierstack/aws-credentials"
    )
    assert len(secret) == 40
    for text in (stack.state(), run_command("docker", "inspect", agent), run_command("docker", "logs", agent)):
        assert secret not in text
