"""What a command meets outside of a project: places to write to, other runs, an engine without a backend, Ctrl-C."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from tests.cli.conftest import Command, Fake
from tests.projects import Checkout
from tierstack.cli import app, main
from tierstack.cli.app import command
from tierstack.engine import aim, comparison, parts, target
from tierstack.engine.output import work_directory
from tierstack.engine.project import LockedError, UsageError, find


def error_of(done: Any) -> str:
    assert isinstance(done.exception, UsageError), done.exception
    return str(done.exception)


@pytest.mark.parametrize(
    ("path", "said"),
    [("absent/x.svg", "the directory absent does not exist"), (".", "is a directory; name a file in it")],
)
def test_a_picture_that_cannot_be_written(tierstack: Command, path: str, said: str) -> None:
    assert said in error_of(tierstack("topology", "-s", "local", "-o", path))
    assert said in error_of(tierstack("dns", "snapshot", "example.org", "--out", path))


def test_a_directory_of_somebody_else(tierstack: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    access = os.access  # of root, which writes everywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path).name != "closed" and access(path, mode))
    assert "is not writable" in error_of(tierstack("topology", "-s", "local", "-o", f"{tmp_path}/closed/x.svg"))


@pytest.mark.usefixtures("pulumi")
def test_a_folder_of_manifests_that_cannot_be_written(tierstack: Command, project: Checkout) -> None:
    (project.folder / "file").write_text("")
    assert "is a file; name a directory" in error_of(tierstack("render", "-s", "prod", "-o", "file"))
    assert "cannot be written: Not a directory" in error_of(tierstack("render", "-s", "prod", "-o", "file/x"))


@pytest.mark.usefixtures("pulumi")
def test_two_runs_that_write_one_folder(tierstack: Command, project: Checkout) -> None:
    final = project.folder / "rendered" / "prod"
    with work_directory(final) as held:
        (held / "half.yaml").write_text("")
        assert f"another run is writing {final}" in error_of(tierstack("render", "-s", "prod"))
        assert (held / "half.yaml").exists()
    assert not held.exists()


def test_what_a_killed_run_left_is_cleared_and_a_finished_one_keeps_its_folder(tmp_path: Path) -> None:
    (tmp_path / ".prod.new" / "1-old").mkdir(parents=True)
    with work_directory(tmp_path / "prod") as fresh:
        assert list(fresh.iterdir()) == []
        fresh.rename(tmp_path / "prod")
        with work_directory(tmp_path / "prod") as other:
            pass
        assert not other.exists()
    assert (tmp_path / "prod").is_dir()


def test_locked_is_exit_code_1() -> None:
    assert LockedError.code == 1


def test_no_backend_says_how_to_choose_one(tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, lambda _: None)
    refusal = "error: PULUMI_ACCESS_TOKEN must be set for login during non-interactive CLI sessions"
    refused = {"code": 1, "err": refusal}
    pulumi.say(stack_init=refused, stack_ls=refused, preview=refused)
    for verb in ("up", "status", "preview"):
        said = error_of(tierstack(verb, "-s", "local"))
        assert "`pulumi login --local`" in said
        assert "PULUMI_BACKEND_URL=file://" in said


def test_an_engine_that_is_not_installed(tierstack: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "install it (https://www.pulumi.com" in error_of(tierstack("render", "-s", "prod"))


@pytest.mark.parametrize(("verb", "said"), [("render", "nothing was changed"), ("up", "run `tierstack up` again")])
@pytest.mark.parametrize("where", ["command", "verb"])
def test_ctrl_c_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], verb: str, said: str, where: str
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("tierstack.cli.deferred.install", lambda: None)
    if where == "command":
        monkeypatch.setattr(app.command, "main", interrupt)
    else:
        monkeypatch.setattr(f"tierstack.cli.{verb}.find", interrupt)
    monkeypatch.setattr(sys, "argv", ["tierstack", verb, "-s", "local"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 130
    (line,) = capsys.readouterr().err.strip().splitlines()  # after the end of the line in which a terminal shows ^C
    assert line.startswith("interrupted; ")
    assert said in line


def test_the_shell_completes_names_of_stacks(project: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project.folder)
    asked = {
        "_TIERSTACK_COMPLETE": "bash_complete",
        "COMP_WORDS": "tierstack check --stack ",
        "COMP_CWORD": "3",
    }
    done = CliRunner().invoke(command, [], env=asked, prog_name="tierstack")
    assert done.stdout.split() == ["plain,local", "plain,prod", "plain,staging"]


def test_every_verb_is_in_the_help_and_shows_how_it_is_called() -> None:
    runner = CliRunner()
    told = runner.invoke(command, ["--help"]).stdout
    for verb in command.list_commands(click.Context(command)):
        assert f"\n  {verb} " in told
        answer = runner.invoke(command, [verb, "-h"], prog_name="tierstack")
        assert answer.exit_code == 0, f"{verb}: {answer.exception!r} {answer.output}"
        (usage, *_) = answer.stdout.splitlines()
        assert usage.startswith(f"Usage: tierstack {verb} ")
    assert "..." not in told.partition("Commands:")[2]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek", "-s", "local"], "no verb `chek`; did you mean `check`?"),
        (["check"], "Missing option '--stack' / '-s'"),
        (["check", "-s", "local", "--platfrom", "docker"], "--platform"),
        (["check", "-s", "local", "--platform", "podman"], "'docker', 'kubernetes', 'render'"),
    ],
)
def test_a_call_that_is_not_understood(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["tierstack", *arguments])
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


PROVIDER = "urn:pulumi:local::other::pulumi:providers:kubernetes::k8s"


def held(**inputs: str) -> list[dict[str, Any]]:
    return [
        {"urn": PROVIDER, "id": "1", "type": "pulumi:providers:kubernetes", "inputs": inputs, "custom": True},
        {
            "urn": "urn:pulumi:local::other::kubernetes:core/v1:ConfigMap::a",
            "id": "shop/a",
            "type": "kubernetes:core/v1:ConfigMap",
            "provider": f"{PROVIDER}::1",
            "custom": True,
            "inputs": {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "shop"}},
        },
    ]


def test_a_program_that_only_renders_is_rendered(tierstack: Command, project: Checkout, pulumi: Fake) -> None:
    (project.folder / "Pulumi.yaml").write_text("name: other\nruntime: yaml\n")
    written = held(renderYamlToDirectory="/x")
    assert parts.is_rendered(written)
    assert not parts.is_rendered(held())
    assert not parts.is_rendered([*written, {"urn": "u", "type": "docker:index/container:Container"}])
    assert not parts.is_rendered([])
    pulumi.say(
        stack_export={"out": json.dumps({"deployment": {"resources": written}})},
        stack_output={"out": json.dumps({"url": "https://shop.invalid"})},
    )
    done = tierstack("up", "-s", "local", "--yes")
    assert (done.exit_code, "local is rendered" in done.stdout) == (0, True), done.exception
    assert json.loads(tierstack("up", "-s", "local", "--json").stdout)["result"] == "succeeded"
    assert "local is rendered" in error_of(tierstack("status", "-s", "local"))


@pytest.mark.parametrize(
    ("runtime", "kept"),
    [("{name: python, options: {virtualenv: env/here}}", True), ("{name: python}", False), ("python", False)],
)
def test_the_base_of_a_comparison_runs_in_the_environment_of_the_working_tree(
    tmp_path: Path, runtime: str, kept: bool
) -> None:
    """Git has no virtual environment, so a checkout of the base has none of its own."""
    for side in ("tree", "base"):
        (tmp_path / side).mkdir()
        (tmp_path / side / "Pulumi.yaml").write_text(f"name: shop\nruntime: {runtime}\n")
    (tmp_path / "tree/env/here/bin").mkdir(parents=True)
    comparison._share_environment(find(tmp_path / "tree"), find(tmp_path / "base"))
    assert (tmp_path / "base/env/here/bin").is_dir() is kept
