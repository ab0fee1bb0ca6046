"""System packages: named with one command, installed where that is allowed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import system
from toolchain.build import SetupError

Program = Callable[..., Path]


def needs(home: Path) -> tuple[system.Need, ...]:
    return tuple(
        system.Need(name, f"{name}-package", ("core",), (home / "path" / name).exists, f"reason for {name}")
        for name in ("first", "second")
    )


@pytest.fixture
def root(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(system, "NEEDS", needs(home))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("CI", raising=False)
    return home


def test_root_on_debian_installs_all_in_one_go(root: Path, program: Program) -> None:
    program(
        "apt-get",
        f'echo "$@" >> {root}/called; [ "$2" = update ] || touch {root}/path/first {root}/path/second',
    )
    system.ensure({"core"})
    assert (root / "called").read_text() == "-qq update\n-qq install -y first-package second-package\n"


def test_an_update_that_fails_does_not_stop_the_installation(root: Path, program: Program) -> None:
    program("apt-get", f'[ "$2" = install ] && touch {root}/path/first {root}/path/second')
    system.ensure({"core"})


def test_others_are_told_the_one_command(root: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("apt-get", f"touch {root}/must-not-happen")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SetupError) as problem:
        system.ensure({"core"})
    assert str(problem.value) == (
        "Missing system packages:\n  first: reason for first\n  second: reason for second\n"
        "Install them with:\n  sudo apt-get install -y first-package second-package"
    )
    assert not (root / "must-not-happen").exists()


def test_ci_may_use_sudo(root: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    program("apt-get", f"touch {root}/path/first {root}/path/second")
    program("sudo", f'[ "$1" = -n ] && shift && PATH={root}/path:$PATH exec "$@"')
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("CI", "true")
    system.ensure({"core"})


def test_a_failed_installation_is_an_error_with_its_reason(root: Path, program: Program) -> None:
    program("apt-get", "echo no such package >&2; exit 100")
    with pytest.raises(SetupError, match=r"(?s)Install them with:\n  apt-get install.*no such package"):
        system.ensure({"core"})


def test_what_is_there_is_left_alone(root: Path) -> None:
    for name in ("first", "second"):
        (root / "path" / name).touch()
    system.ensure({"core"})  # and no apt-get exists that could have been called
