"""The shell environment in which stacks run: written to `.state/env.sh`, sourced by the Makefile."""

import os
import secrets
import shlex
import shutil
from pathlib import Path

from toolchain import find, place, schemas
from toolchain.pins import GROUPS, Pins, Tool

ENGINE = "pulumi"


def ours(pins: Pins) -> dict[Tool, Path]:
    """The programs that the set-up has fetched or built; the others are found by whoever runs them."""
    found = {tool: find.find(tool, pins) for tool in pins.group(*GROUPS)}
    return {tool: one.path for tool, one in found.items() if one and one.source in ("built", "download")}


def link_farm(programs: dict[Tool, Path]) -> Path:
    """One directory with every program but the plugins, so that PATH gets one entry. Rewritten atomically.

    The engine warns of a language host on PATH unless it lies beside the engine's own file, so that one is no symbolic
    link (workspace.getPluginInfoAndPath in the engine's SDK).
    """
    target = place.state() / "bin"
    target.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, Path] = {}
    for tool, path in programs.items():
        if not tool.plugin:
            for program in path.parent.iterdir():
                wanted.setdefault(program.name, program)
    for old in target.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, program in wanted.items():
        (put_file if name == ENGINE else put_link)(target / name, program)
    return target


def install_plugins(programs: dict[Tool, Path]) -> None:
    """The plugins where the engine looks for those that it installed itself: found on PATH, it warns of each."""
    for tool, path in programs.items():
        if tool.plugin:
            folder = place.pulumi_home() / "plugins" / f"resource-{tool.plugin}-v{tool.version}"
            folder.mkdir(parents=True, exist_ok=True)
            put_link(folder / tool.name, path)


def put_link(link: Path, program: Path) -> None:
    if not link.is_symlink() or link.readlink() != program:
        fresh = link.with_name(f".{link.name}.{os.getpid()}")
        fresh.symlink_to(program)
        fresh.replace(link)


def put_file(file: Path, program: Path) -> None:
    """The same file under a second name, or a copy where the two lie on different file systems."""
    if not file.is_symlink() and file.exists():
        there, wanted = file.stat(), program.stat()
        if (there.st_size, there.st_mtime_ns) == (wanted.st_size, wanted.st_mtime_ns):
            return
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.hardlink_to(program)
    except OSError:
        shutil.copy2(program, fresh)
    fresh.replace(file)


def passphrase_file() -> Path:
    """Protects the secrets in this checkout's local state. Made once, readable by its owner only."""
    file = place.state() / "passphrase"
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(secrets.token_urlsafe(32))
    return file


def variables() -> dict[str, str]:
    """What a stack needs besides PATH, as defaults: a variable that is already set stays as it is."""
    backend = place.state() / "pulumi"
    backend.mkdir(parents=True, exist_ok=True)
    return {
        # Without files of attributes beside the state's: those are written in place, and an engine that is killed in
        # that moment leaves a state that it cannot read (gocloud.dev/blob/fileblob).
        "PULUMI_BACKEND_URL": f"file://{backend}?metadata=skip",
        "PULUMI_HOME": str(place.pulumi_home()),
        "PULUMI_SKIP_UPDATE_CHECK": "true",
    }


_PASSPHRASE_FILE = "PULUMI_CONFIG_PASSPHRASE_FILE"
_SET = "TIERSTACK_SET_"
"""Prefix of the variables that keep what this file set, so that the next one can tell it from what the user set."""


def _assigned(name: str, value: str) -> str:
    return f"{name}={shlex.quote(value)} {_SET}{name}={shlex.quote(value)}"


def script(pins: Pins) -> str:
    """POSIX shell that sets the environment. Contains no secret."""
    programs = ours(pins)
    install_plugins(programs)
    path = os.pathsep.join((str(place.venv() / "bin"), str(link_farm(programs))))
    lines = [
        f"{place.WRITTEN} Use it with: . .state/env.sh",
        f'export PATH={shlex.quote(path)}:"$PATH"',
        f"export TIERSTACK_SCHEMAS={shlex.quote(schemas.location(pins))}",
    ]
    defaults = variables()
    # What another checkout's file set in the same shell is no choice of the user: the state and the passphrase of one
    # would be used with the configuration of the other.
    lines += [
        f'[ -z "${{{_SET}{name}:-}}" ] || [ "${{{name}:-}}" != "${{{_SET}{name}}}" ] || unset {name}'
        for name in (*defaults, _PASSPHRASE_FILE)
    ]
    lines += [f'[ -n "${{{name}:-}}" ] || export {_assigned(name, value)}' for name, value in defaults.items()]
    lines += [
        f'if [ -z "${{PULUMI_CONFIG_PASSPHRASE+set}}${{{_PASSPHRASE_FILE}+set}}" ]; then',
        f"    export {_assigned(_PASSPHRASE_FILE, str(passphrase_file()))}",
        "fi",
    ]
    return "\n".join(lines) + "\n"


def write(pins: Pins) -> Path:
    place.state().mkdir(exist_ok=True)
    place.state().chmod(0o700)
    file = place.state() / "env.sh"
    text = script(pins)
    if not file.exists() or file.read_text() != text:
        fresh = file.with_name(f".env.sh.{os.getpid()}")
        fresh.write_text(text)
        fresh.replace(file)
    return file
