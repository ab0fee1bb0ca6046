"""`tierstack up` and `down` killed at definite moments: a resource waits for a reader of a named pipe, and then more."""

import json
import os
import signal
import subprocess
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.projects import Checkout, kill, session

pytestmark = pytest.mark.long

STACK = "test"
_CHECK = """
from types import SimpleNamespace
from tierstack.platform import Kubernetes

def judge(config, secret_keys, stack, project):
    return SimpleNamespace(problems=[], advice=[], capacity=[], notes=[], platform=Kubernetes(name="test"), needs=None)
"""
_WAITS = '''
from pathlib import Path
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

HERE = Path(__file__).parent

def meet(doing, props):
    """Say what is done; where there are pipes, that one is there, and wait until one may go on."""
    with (HERE / "done").open("a") as log:
        print(doing, props["value"], file=log)
    if (HERE / "there").exists():
        (HERE / "there").open("w").close()
        (HERE / "go").open().close()

class _Provider(ResourceProvider):
    def create(self, props):
        meet("create", props)
        return CreateResult("waits", {"value": props["value"]})

    def diff(self, _id, _olds, _news):
        return DiffResult(changes=_olds["value"] != _news["value"])

    def update(self, _id, _olds, _news):
        meet("update", _news)
        return UpdateResult({"value": _news["value"]})

    def delete(self, _id, _props):
        meet("delete", _props)

class Ours(Resource, module="tierstack", name="Waits"):
    def __init__(self, value, opts):
        super().__init__(_Provider(), "waits", {"value": value}, opts)

class Theirs(Resource, name="Waits"):
    def __init__(self, value, opts):
        super().__init__(_Provider(), "waits", {"value": value}, opts)
'''
_MAIN = """
import pulumi
import pulumi_random as random
from program.waits import Ours, Theirs

config = pulumi.Config()
before = random.RandomPassword("before", length=20)
waits = {"ours": Ours, "theirs": Theirs}[config.require("whose")](config.require("value"), pulumi.ResourceOptions(depends_on=before))
random.RandomPassword("after", length=20, opts=pulumi.ResourceOptions(depends_on=waits))
"""


class Project(Checkout):
    """A project with three resources, the second of which waits while a pipe is there."""

    def set(self, value: str, whose: str = "ours") -> None:
        (self.folder / f"Pulumi.{STACK}.yaml").write_text(f"config: {{test:value: {value}, test:whose: {whose}}}\n")

    def waiting(self, verb: str) -> "subprocess.Popen[str]":
        """A run of the command that has come to the resource that waits."""
        for name in ("there", "go"):
            os.mkfifo(self.folder / "program" / name)
        process = self.start(verb, "-s", STACK, "--yes")
        (self.folder / "program" / "there").open().close()
        (self.folder / "program" / "there").unlink()
        return process

    def killed_while_it_waits(self, verb: str, **how: bool) -> None:
        kill(self.waiting(verb), **how)
        self.go_on()

    def go_on(self) -> None:
        """Let what waits go on, if it is still there."""
        go = self.folder / "program" / "go"
        with suppress(OSError):  # nobody waits
            os.close(os.open(go, os.O_WRONLY | os.O_NONBLOCK))
        go.unlink()

    def done(self) -> list[str]:
        """What the resource has done, in its order."""
        return (self.folder / "program" / "done").read_text().splitlines()

    def pending(self) -> list[str]:
        return [one["type"] for one in self.state(STACK).get("pending_operations") or []]

    def locks(self) -> list[Path]:
        return list((self.folder / "state" / ".pulumi" / "locks").rglob("*.json"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "program").mkdir()
    (tmp_path / "state").mkdir()
    (tmp_path / "Pulumi.yaml").write_text("name: test\nruntime: python\nmain: program/\n")
    for name, text in (("__init__", ""), ("check", _CHECK), ("waits", _WAITS), ("__main__", _MAIN)):
        (tmp_path / "program" / f"{name}.py").write_text(text)
    (tmp_path / "kubeconfig").touch()
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "kubeconfig"))
    one = Project(tmp_path)
    one.set("one")
    return one


def urns(deployment: dict[str, Any]) -> list[str]:
    return [resource["urn"] for resource in deployment["resources"]]


def converged(project: Project) -> None:
    """Nothing is there twice, nothing is under way, nobody holds the stack, and nothing is left to do."""
    deployment = project.state(STACK)
    assert len(set(urns(deployment))) == len(urns(deployment))
    assert project.pending() == []
    assert project.locks() == []
    assert project.json("preview", "-s", STACK)["steps"] == []


def password(project: Project) -> str:
    state = json.loads(project.pulumi("stack", "export", "--show-secrets", "--stack", STACK).stdout)["deployment"]
    (found,) = [one for one in state["resources"] if one["urn"].endswith("::before")]
    return found["outputs"]["result"]["plaintext"]


def test_killed_while_it_creates(project: Project) -> None:
    project.killed_while_it_waits("up")
    assert project.pending() == ["creating"]
    assert len(project.locks()) == 1
    before = password(project)

    done = project.tierstack("up", "-s", STACK, "--yes")
    assert "the last run was killed (process " in done.stderr
    assert "its lock is removed" in done.stderr
    assert (
        "the last run of test was interrupted while it was\n  creating Waits waits: `up` makes it again" in done.stderr
    )
    assert "locked" not in done.stdout
    assert "pending operations" not in done.stdout
    assert project.done() == ["create one", "create one"]
    assert password(project) == before
    converged(project)
    assert "interrupted" not in project.json("up", "-s", STACK)


def test_killed_while_it_updates_and_while_it_deletes(project: Project) -> None:
    project.tierstack("up", "-s", STACK)
    project.set("two")
    project.killed_while_it_waits("up")
    assert project.pending() == ["updating"]
    done = project.json("up", "-s", STACK)
    assert done["interrupted"] == [{"operation": "updating", "urn": waits(project), "then": "looked-up"}]
    assert project.done() == ["create one", "update two", "update two"]
    converged(project)

    urn = waits(project)
    project.killed_while_it_waits("down")
    assert project.pending() == ["deleting"]
    done = project.json("down", "-s", STACK)
    assert (done["interrupted"], done["kept"]) == ([{"operation": "deleting", "urn": urn, "then": "looked-up"}], [])
    assert "there is nothing to take down" in project.tierstack("down", "-s", STACK).stdout


def waits(project: Project) -> str:
    (urn,) = [urn for urn in urns(project.state(STACK)) if urn.endswith("::waits")]
    return urn


def test_the_engine_alone_is_killed_and_its_change_taken_back(project: Project) -> None:
    """What it has started lives on beside the next run; it must neither disturb that nor count as one."""
    project.tierstack("up", "-s", STACK)
    project.set("two")
    process = project.waiting("up")
    kill(process, plugins=False)
    assert session(process.pid)
    project.set("one")
    project.tierstack("up", "-s", STACK)
    project.go_on()
    converged(project)
    kill(process)


def test_an_interrupt_ends_what_is_under_way_and_leaves_no_process(project: Project) -> None:
    """Of the command alone, as a job that is cancelled sends it: the engine has a process group of its own."""
    process = project.waiting("up")
    process.send_signal(signal.SIGINT)
    assert process.stdout
    until(process.stdout, "interrupted: ending the operations that are under way")
    assert (project.pending(), len(project.locks())) == (["creating"], 1)
    project.go_on()
    assert "run `tierstack up` again" in process.communicate()[0]
    assert process.returncode == 130
    assert session(process.pid) == []
    assert (project.pending(), project.locks()) == ([], [])
    done = project.tierstack("up", "-s", STACK, "--yes")
    assert "the last run" not in done.stderr
    assert project.done() == ["create one"]
    converged(project)


def test_a_second_interrupt_ends_it_at_once(project: Project) -> None:
    process = project.waiting("up")
    process.send_signal(signal.SIGINT)
    assert process.stdout
    until(process.stdout, "interrupted: ending the operations that are under way")
    process.send_signal(signal.SIGINT)
    process.communicate()
    assert process.returncode == 130
    assert session(process.pid) == []
    project.go_on()
    assert project.pending() == ["creating"]
    done = project.tierstack("up", "-s", STACK, "--yes")
    assert "creating Waits waits: `up` makes it again" in done.stderr
    converged(project)


def until(said: Iterable[str], words: str) -> None:
    """Read to the line that has these words."""
    assert any(words in line for line in said), f"it never said {words!r}"


def test_what_nobody_can_know_is_told(project: Project) -> None:
    """Made by a program's own resource, which may not be one that can be made twice."""
    project.set("one", whose="theirs")
    project.killed_while_it_waits("up")
    done = project.tierstack("up", "-s", STACK, "--yes")
    assert "creating Waits waits: how it ended is not known: see whether it is there, or there twice" in done.stderr
    converged(project)


def test_a_run_that_lives_is_not_disturbed(project: Project) -> None:
    first = project.waiting("up")
    second = project.tierstack("up", "-s", STACK, "--yes", code=1)
    assert "test is locked by another run (process " in second.stderr
    assert "`pulumi cancel --stack test`" in second.stderr
    third = project.json("up", "-s", STACK, code=1)
    assert (third["result"], "wait until it has ended" in third["messages"][0]) == ("failed", True)
    assert project.json("preview", "-s", STACK)["result"] == "succeeded"
    assert (project.pending(), len(project.locks())) == (["creating"], 1)
    project.go_on()
    assert first.communicate()[0].count("locked") == 0
    assert first.returncode == 0
    converged(project)


def test_killed_before_the_stack_was_made(project: Project) -> None:
    """Its lock is there, but no stack yet."""
    project.killed_while_it_waits("up")
    project.pulumi("stack", "rm", STACK, "--yes", "--force", "--preserve-config", code=None)
    for file in (project.folder / "state" / ".pulumi" / "stacks").rglob("test.json*"):
        file.unlink()
    assert len(project.locks()) == 1
    assert "its lock is removed" in project.tierstack("up", "-s", STACK).stderr
    converged(project)
