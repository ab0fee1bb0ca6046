"""A project, the command in this process, and an engine that only writes down what it is asked for."""

import json
import os
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from tests.projects import Checkout
from tierstack.cli.app import command

# A stand-in for `pulumi`: appends its arguments and configuration to calls.jsonl, and answers as answers.json says.
_PULUMI = """#!{python}
import json, os, sys
folder = os.environ["FAKE_PULUMI"]
arguments = sys.argv[1:]
words = [one for one in arguments if not one.startswith("-")]
files = [one.partition("=")[2] for one in arguments if one.startswith("--config-file=")]
config = open(files[0]).read() if files else None
environment = {{key: value for key, value in os.environ.items() if key.startswith("PULUMI_")}}
with open(folder + "/calls.jsonl", "a") as log:
    print(json.dumps({{"arguments": arguments, "config": config, "environment": environment}}), file=log)
answers = json.load(open(folder + "/answers.json"))
answer = next((answers[key] for key in (" ".join(words[:2]), words[0]) if key in answers), {{}})
if isinstance(answer, list):
    asked = [json.loads(line)["arguments"] for line in open(folder + "/calls.jsonl")]
    asked = [[one for one in call if not one.startswith("-")][: len(words[:2])] for call in asked]
    answer = answer[min(asked.count(words[:2]), len(answer)) - 1]
for one in arguments:
    if one.startswith("--event-log="):
        with open(one.partition("=")[2], "w") as log:
            for event in answer.get("events", []):
                print(json.dumps(event), file=log)
print(answer.get("out", ""))
print(answer.get("err", ""), file=sys.stderr)
sys.exit(answer.get("code", 0))
"""


class Fake:
    """The stand-in's answers (a list: one call after the other, the last for all that follow), and what it was asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers: dict[str, Any] = {"stack ls": {"out": json.dumps([{"name": "local"}])}}
        self.say()

    def say(self, **answers: Any) -> None:
        self.answers |= {key.replace("_", " "): value for key, value in answers.items()}
        (self.folder / "answers.json").write_text(json.dumps(self.answers))

    def calls(self) -> list[dict[str, Any]]:
        log = self.folder / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def verbs(self) -> list[str]:
        """The commands, without options."""
        words = [[one for one in call["arguments"] if not one.startswith("-")] for call in self.calls()]
        return [" ".join(one[:2]) if one[0] in ("stack", "state") else one[0] for one in words]


@pytest.fixture(autouse=True)
def nothing_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test of the command's logic depends on the daemon, cluster or state that this machine happens to have."""
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/no-state")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no-daemon.sock")
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "no-cluster"))


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "pulumi"
    program.write_text(_PULUMI.format(python=sys.executable))
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_PULUMI", str(folder))
    return Fake(folder)


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Checkout]:
    before, modules = list(sys.path), dict(sys.modules)
    yield Checkout.make(tmp_path / "project")
    # The command imports the project's own program; the next test has another project.
    sys.path[:] = before
    for name in [one for one in sys.modules if one.split(".")[0] == "stacks" and one not in modules]:
        del sys.modules[name]


Command = Callable[..., Result]


@pytest.fixture
def tierstack(project: Checkout, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in the project; what main() turns into an exit code comes as an exception."""
    monkeypatch.chdir(project.folder)
    monkeypatch.setenv("COLUMNS", "200")
    runner = CliRunner()

    def call(*arguments: str, **options: Any) -> Result:
        return runner.invoke(command, list(arguments), **options)

    return call
