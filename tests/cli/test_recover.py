"""recover: what it asks of the engine, in which order, and what it says; on a made-up host."""

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command, Fake
from tests.recovery.whole.machine import STATE, Machine
from tierstack.cli import recover
from tierstack.engine.project import UsageError
from tierstack.recovery.whole.stack import StackRecovery

STEPS = [
    "make volumes, networks and keys; nothing runs yet",
    "look at the backups",
    "recover the database of backups",
    "recover the files of files",
    "make sure that nobody else writes to the bucket",
    "bring up everything else",
    "read every table",
    "preview once more",
]


class Answering(Machine):
    """Its database answers as a running one does."""

    def run(self, command: Any, stdin: str | None = None) -> str:
        if stdin and "relkind = 'r'" in stdin:
            return "0"
        return "3\n4\n" if stdin and "gexec" in stdin else super().run(command, stdin)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pulumi: Fake) -> Machine:
    (tmp_path / "host").mkdir()
    found = Answering(None, root=tmp_path / "host")
    monkeypatch.setattr(recover, "StackRecovery", functools.partial(StackRecovery, host=lambda _: found))
    # What it ends with looks at the containers of the state, which this host has not.
    pulumi.say(stack_export={"out": json.dumps({"deployment": {"resources": STATE}})})
    return found


def test_data_comes_before_everything_that_uses_it(tierstack: Command, pulumi: Fake, machine: Machine) -> None:
    done = tierstack("recover", "-s", "local", "--json")
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["result"], said["wrong"]) == ("recovered", [])
    assert [one["what"] for one in said["steps"]] == STEPS
    assert said["databases"][0]["base"] == "20261127T030000"
    assert (said["files"][0]["files"], said["empty"]) == (2, ["Redis `redis`: queues, sessions, caches"])
    assert said["verified"][0] | {"checks": {}} == {
        "name": "backups", "tables": 2, "rows": 7, "rows_in_last_drill": 40, "checks": {}, "wrong": [],
    }  # fmt: skip
    first, second = [call["arguments"] for call in pulumi.calls() if "up" in call["arguments"]]
    assert [one for one in first if one.startswith("--target=")]
    assert "--refresh" in second
    assert not [one for one in second if one.startswith("--target=")]


def test_a_plan_makes_nothing_but_what_holds_data(tierstack: Command, pulumi: Fake, machine: Machine) -> None:
    done = tierstack("recover", "-s", "local", "--plan")
    assert "backups: database `app` to the last write in the bucket" in done.stdout
    assert pulumi.verbs().count("up") == 1
    assert not [one for one in machine.ran if "schedule.fetch" in one]


def test_people_read_steps_sizes_and_speed(tierstack: Command, pulumi: Fake, machine: Machine) -> None:
    done = tierstack("recover", "-s", "local", "--yes")
    for step in STEPS:
        assert f"{step}: " in done.stdout
    assert "backups: 2 tables, 7 rows (40 in the last good drill)" in done.stdout
    assert "files: 2 files, 2.0 MiB in " in done.stdout
    assert "local is recovered in " in done.stdout


def test_an_update_that_fails_says_that_the_data_is_there(tierstack: Command, pulumi: Fake, machine: Machine) -> None:
    failed = {"code": 1, "err": "", "events": [{"diagnosticEvent": {"severity": "error", "message": "no image"}}]}
    pulumi.say(up=[{}, failed])
    done = tierstack("recover", "-s", "local", "--yes")
    assert done.exit_code == 1
    assert "no image" in done.stderr
    assert "The data is restored. `tierstack recover -s local` goes on from here." in done.stderr


def test_a_stack_on_kubernetes_is_restored_by_its_configuration(tierstack: Command, pulumi: Fake) -> None:
    with pytest.raises(UsageError, match=r"is not on a Docker host.*docs/how-to/restore-on-kubernetes"):
        tierstack("recover", "-s", "prod", "--json", catch_exceptions=False)
    assert pulumi.calls() == []


def test_a_word_is_no_moment(tierstack: Command) -> None:
    done = tierstack("recover", "-s", "local", "--to", "yesterday", standalone_mode=True)
    assert done.exit_code == 2
    assert "it is no moment; write one such as 2026-01-31T12:00:00Z" in done.output


def test_a_moment_needs_its_zone(tierstack: Command) -> None:
    done = tierstack("recover", "-s", "local", "--to", "2026-01-31T12:00:00", standalone_mode=True)
    assert done.exit_code == 2
    assert "it has no time zone; write one such as 2026-01-31T12:00:00Z" in done.output
