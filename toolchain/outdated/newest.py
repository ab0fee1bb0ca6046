"""Which versions exist, asked through the ordinary client of each registry. The readers of the answers are pure."""

import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolchain import build, download
from toolchain.outdated.pinned import ACTION, DEBIAN, DOCS, GO, NPM, PYTHON, Pin

IMAGES_RUN = "trixie"
"""Release of Debian that the images are built from."""

LOCKED_FOR = "3.11"
"""Oldest Python that the lock is made for: what only newer ones can install is not offered alone."""

SECONDS = 180.0
"""A registry that takes longer has not answered."""


@dataclass
class Versions:
    """Versions that exist, by kind and name, and what could not be asked."""

    known: dict[tuple[str, str], list[str]] = field(default_factory=dict[tuple[str, str], list[str]])
    unknown: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    """Why a name got no answer."""


def run(
    command: Sequence[str], cwd: Path, env: dict[str, str] | None = None, accept: tuple[int, ...] = (0,)
) -> tuple[str, str]:
    """Standard output of a command, and the reason why it is of no use ("": it ended with a code of `accept`)."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS
        )
    except FileNotFoundError:
        return "", f"{command[0]} is not installed"
    except subprocess.TimeoutExpired:
        return "", f"{command[0]} got no answer within {SECONDS:.0f} s"
    # A code that also stands for findings comes with a report; without one the program has failed.
    if done.returncode == 0 or (done.returncode in accept and done.stdout.strip()):
        return done.stdout, ""
    return done.stdout, next((line.strip() for line in done.stderr.splitlines()[::-1] if line.strip()), "no output")


def json_stream(text: str) -> list[dict[str, object]]:
    """The objects of a text with one JSON value after the other."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while match := re.compile(r"\S").search(text, position):
        value, position = decoder.raw_decode(text, match.start())
        found.append(value)
    return found


def read_go(text: str, into: Versions) -> None:
    """What `go list -m -versions -json -e` prints."""
    for module in json_stream(text):
        name = (GO, str(module["Path"]))
        if versions := module.get("Versions"):
            into.known[name] = list(map(str, versions)) if isinstance(versions, list) else []
        else:
            error = module.get("Error")
            said = str(error.get("Err", "")) if isinstance(error, dict) else ""
            # Without the address that was asked, which differs from module to module: the report groups by reason.
            into.unknown[name] = (said.splitlines() or ["the proxy lists no version"])[-1].rpartition('": ')[2].strip()


def read_pip(text: str, names: Sequence[str], into: Versions) -> None:
    """What `uv pip compile` prints for bare names: the newest version of each, or one for each range of Pythons."""
    latest: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.MULTILINE):
        latest.setdefault(normal(name), []).append(version)
    for name in names:
        if versions := latest.get(normal(name)):
            into.known[PYTHON, name] = versions
        else:
            into.unknown[PYTHON, name] = "the index lists no version"


def normal(name: str) -> str:
    """A Python package's name as the index compares it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def read_npm(text: str, names: Sequence[str], into: Versions) -> None:
    """What `npm outdated --json` prints: nothing for what is up to date. Raises ValueError for a report of an error."""
    rows = json.loads(text or "{}")
    if "code" in (error := rows.get("error", {})):
        raise ValueError(error.get("summary") or error["code"])
    for name in names:
        into.known[NPM, name] = [rows[name]["latest"]] if name in rows else []


def read_tags(text: str) -> list[str]:
    """Version tags in what `git ls-remote --tags --refs` prints."""
    return re.findall(r"refs/tags/(v?\d[\w.-]*)$", text, re.MULTILINE)


def read_apt(text: str, into: Versions) -> None:
    """What `apt-cache policy NAME…` prints: the candidate without epoch and Debian's own revision."""
    for name, candidate in re.findall(r"^(\S+):\n(?:.*\n)??\s+Candidate: (\S+)", text, re.MULTILINE):
        if match := re.match(r"(?:\d+:)?(\d[\d.]*\d)", candidate):
            into.known[DEBIAN, name] = [match.group(1)]


def _go(names: list[str], versions: Versions) -> None:
    with tempfile.TemporaryDirectory() as nowhere:
        env = build.go_environment() | {"GOFLAGS": "-mod=mod"}
        command = [build.go_program() or "go", "list", "-m", "-versions", "-json", "-e", *names]
        text, reason = run(command, Path(nowhere), env, accept=(0, 1))
    read_go(text, versions)
    for name in names:
        if (GO, name) not in versions.known:
            versions.unknown.setdefault((GO, name), reason or "no answer")


def _python(names: list[str], root: Path, versions: Versions) -> None:
    # Not `uv pip list --outdated`: it knows the packages of this environment alone, which are not all that are pinned.
    options = ["--quiet", "--universal", "--python-version", LOCKED_FOR, "--no-deps", "--no-header", "--no-annotate"]
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch) / "names.txt"
        wanted.write_text("\n".join(names) + "\n")
        text, reason = run(["uv", "pip", "compile", *options, str(wanted)], root)
    if text and not reason:
        read_pip(text, names, versions)
    else:
        versions.unknown |= {(PYTHON, name): reason or "no answer" for name in names}


def _npm(names: list[str], root: Path, versions: Versions) -> None:
    text, reason = run(
        ["npm", "outdated", "--json", "--package-lock-only"],
        root / "toolchain/npm",
        accept=(0, 1),  # 1: something is outdated
    )
    try:
        if reason:
            raise ValueError(reason)
        read_npm(text, names, versions)
    except (ValueError, KeyError, TypeError) as error:
        versions.unknown |= {(NPM, name): str(error) for name in names}


def _npm_alone(names: list[str], root: Path, versions: Versions) -> None:
    """Packages that are taken without their dependencies, so that no lock file has them."""
    for name in names:
        text, reason = run(["npm", "view", name, "version"], root)
        if re.fullmatch(r"\d\S*", version := text.strip()):
            versions.known[NPM, name] = [version]
        else:
            versions.unknown[NPM, name] = reason or "no answer"


def _actions(names: list[str], root: Path, versions: Versions) -> None:
    host = os.environ.get("GITHUB_SERVER_URL", "https://github.com")
    answers = download.answers(host)
    for name in names:
        text, reason = "", f"{host} does not answer"
        if answers:
            text, reason = run(["git", "ls-remote", "--tags", "--refs", f"{host}/{name}"], root)
        if tags := read_tags(text):
            versions.known[ACTION, name] = tags
        else:
            versions.unknown[ACTION, name] = reason or "it has no version tags"


def codename() -> str:
    """Release of Debian that this machine runs, such as `trixie`; "" elsewhere."""
    try:
        return platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    except OSError:
        return ""


def _debian(names: list[str], root: Path, versions: Versions) -> None:
    if codename() != IMAGES_RUN:
        reason = f"only a machine with Debian {IMAGES_RUN} has the package lists of the images"
        versions.unknown |= {(DEBIAN, name): reason for name in names}
        return
    text, reason = run(["apt-cache", "policy", *names], root)
    read_apt(text, versions)
    for name in names:
        if (DEBIAN, name) not in versions.known:
            versions.unknown[DEBIAN, name] = reason or "this system's package lists do not have it"


def ask(pins: Sequence[Pin], root: Path) -> Versions:
    """Ask for all pins. Never raises: what does not answer stands in `unknown` with its reason."""
    versions = Versions()
    names = {kind: sorted({p.name for p in pins if p.kind == kind}) for kind in (GO, PYTHON, NPM, ACTION, DEBIAN)}
    if names[GO]:
        _go(names[GO], versions)
    alone = sorted({pin.name for pin in pins if pin.kind == NPM and pin.where == (DOCS,)})
    names[NPM] = [name for name in names[NPM] if name not in alone]
    _npm_alone(alone, root, versions)
    for kind, asking in ((PYTHON, _python), (NPM, _npm), (ACTION, _actions), (DEBIAN, _debian)):
        if names[kind]:
            asking(names[kind], root, versions)
    return versions
