"""The shell environment in which stacks run: written to `.state/env.sh`, sourced by the Makefile."""

import os
import secrets
import shlex
from pathlib import Path

from toolchain import find, place, schemas
from toolchain.pins import GROUPS, Pins


def link_farm(pins: Pins) -> Path:
    """One directory with a link to every program found, so that PATH gets one entry. Rewritten atomically."""
    target = place.state() / "bin"
    target.mkdir(parents=True, exist_ok=True)
    wanted: dict[str, Path] = {}
    for tool in pins.group(*GROUPS):
        found = find.find(tool, pins)
        if found and found.source in ("built", "download"):
            for program in found.path.parent.iterdir():
                wanted.setdefault(program.name, program)
    for old in target.iterdir():
        if old.name not in wanted:
            old.unlink()
    for name, program in wanted.items():
        link = target / name
        if not link.is_symlink() or link.readlink() != program:
            fresh = target / f".{name}.{os.getpid()}"
            fresh.symlink_to(program)
            fresh.replace(link)
    return target


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


def script(pins: Pins) -> str:
    """POSIX shell that sets the environment. Contains no secret."""
    path = os.pathsep.join((str(place.venv() / "bin"), str(link_farm(pins))))
    lines = [
        "# Written by toolchain/setup.py. Use it with: . .state/env.sh",
        f'export PATH={shlex.quote(path)}:"$PATH"',
        f"export TIERSTACK_SCHEMAS={shlex.quote(schemas.location(pins))}",
    ]
    for name, value in variables().items():
        lines.append(f'[ -n "${{{name}:-}}" ] || export {name}={shlex.quote(value)}')
    lines += [
        'if [ -z "${PULUMI_CONFIG_PASSPHRASE+set}${PULUMI_CONFIG_PASSPHRASE_FILE+set}" ]; then',
        f"    export PULUMI_CONFIG_PASSPHRASE_FILE={shlex.quote(str(passphrase_file()))}",
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
