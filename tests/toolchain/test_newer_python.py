"""The set-up under an old interpreter: it goes on with the newest one that runs."""

import os
import sys
from pathlib import Path

import pytest

from toolchain import place


def test_a_shim_that_cannot_run_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, code in (("python3.14", 127), ("python3.13", 127), ("python3.12", 0), ("python3.11", 0)):
        shim = tmp_path / name
        shim.write_text(f"#!/bin/sh\nexit {code}\n")
        shim.chmod(0o755)
    started: list[str] = []

    def execv(path: str, _arguments: list[str]) -> None:
        started.append(path)
        raise SystemExit

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(sys, "version_info", (3, 9))
    monkeypatch.setenv("PATH", str(tmp_path))
    head = (place.ROOT / "toolchain" / "setup.py").read_text().partition("import argparse")[0]
    with pytest.raises(SystemExit):
        exec(compile(head, "setup.py", "exec"), {})
    assert started == [str(tmp_path / "python3.12")]
