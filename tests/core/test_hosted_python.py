"""The Python that runs dynamic resources, where a component host makes components."""

import sys
from pathlib import Path

import pulumi
import pytest

from tierstack.platform import hosted_python
from tierstack.platform.shared import Run, hosted


def program(folder: Path, name: str, code: int) -> str:
    """A program in place of a Python, which ends with `code`."""
    file = folder / name
    file.write_text(f"#!/bin/sh\nexit {code}\n")
    file.chmod(0o755)
    return str(file)


def test_one_that_has_tierstack(tmp_path: Path) -> None:
    assert hosted_python.lacking(program(tmp_path, "with", 0)) is None
    assert hosted_python.lacking(str(Path(sys.executable).parent / "python3")) is None


def test_one_that_has_not(tmp_path: Path) -> None:
    python = program(tmp_path, "without", 1)
    said = hosted_python.lacking(python)
    assert said is not None
    assert f"{python} has no tierstack" in said
    assert "virtualenv: .venv" in said
    assert "there is no python3 on PATH" in str(hosted_python.lacking(None))
    assert "has no tierstack" in str(hosted_python.lacking(str(tmp_path / "nowhere" / "bin" / "python")))


@pytest.mark.parametrize("named", [False, True])
def test_it_matters_in_a_host_alone(named: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin", "python3", 1)
    program(tmp_path / "bin", "python", 0)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    if named:
        monkeypatch.setenv("PULUMI_RUNTIME_VIRTUALENV", str(tmp_path))
    else:
        monkeypatch.delenv("PULUMI_RUNTIME_VIRTUALENV", raising=False)
    hosted_python.require()
    with hosted(Run()):
        if named:
            hosted_python.require()
        else:
            with pytest.raises(pulumi.RunError, match="has no tierstack"):
                hosted_python.require()
