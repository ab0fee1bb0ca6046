"""Where images come from: official ones by digest, a Debian tree, programs of the toolchain."""

import os
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from toolchain import place, python_env
from toolchain.build import SetupError

ROOT = Path(__file__).resolve().parents[1]
REPOSITORY = "tierstack.local"
SUITE = "trixie"
PYTHON = "3.13"  # of that suite
REGISTRY_PATIENCE = 3.0  # seconds a registry has to name the manifest before we build instead
UNNEEDED = (
    "usr/share/doc/*",
    "usr/share/man/*",
    "usr/share/locale/*",
    "var/cache/apt/*",
    "var/lib/apt/lists/*",
)

Say = Callable[[str, str], None]  # image, what happens


class ImageError(Exception):
    """An image could not be made; the message says which, why and what to do."""


def tag(name: str) -> str:
    return f"{REPOSITORY}/{name}"


def docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True)


def logged(cache: Path, name: str, command: list[str]) -> None:
    """Runs a command with its output in a log file; on failure shows the end of it."""
    log = cache / "logs" / f"{name.replace(':', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        code = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT).returncode
    if code != 0:
        end = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise ImageError(f"{name}: {command[0]} {command[1]} ended with {code}. The end of {log}:\n{end}")


class Official:
    """Official images by digest. A registry that does not answer is asked once only."""

    def __init__(self, table: Mapping[str, Any], say: Say) -> None:
        self.table = table
        self.say = say
        self.silent: set[str] = set()
        self.guard = threading.Lock()

    def digest(self, name: str) -> str | None:
        entry = self.table.get(name)
        return entry["digest"] if entry else None

    def pull(self, name: str, target: str) -> bool:
        """Pulls an image and tags it, if it has a verified digest and its registry answers quickly."""
        digest = self.digest(name)
        if not digest:
            return False
        repository = str(self.table[name]["reference"]).rsplit(":", 1)[0]
        pinned = f"{repository}@{digest}"
        first, _, rest = repository.partition("/")
        registry = first if rest and "." in first else "docker hub"
        with self.guard:
            if registry in self.silent:
                return False
            process = subprocess.Popen(
                ["docker", "pull", pinned], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
            )
            assert process.stdout is not None
            ready, _, _ = select.select([process.stdout], [], [], REGISTRY_PATIENCE)
            # "Pulling from" is docker's first line, once the registry has named the manifest.
            if not ready or "Pulling from" not in process.stdout.readline():
                process.kill()
                process.communicate()
                self.silent.add(registry)
                self.say(name, f"{registry} does not answer: building instead")
                return False
        self.say(name, f"pulling {pinned}")
        process.communicate()
        return process.returncode == 0 and docker("tag", pinned, target).returncode == 0


def debian(official: Official, cache: Path, say: Say) -> str:
    """The image the base is made from: Debian's own by digest, or a tree that debootstrap makes here."""
    name, target = f"base:{SUITE}", tag(f"debootstrap:{SUITE}")
    if official.pull(name, target) or docker("image", "inspect", target).returncode == 0:
        return target
    tree, partial = cache / f"debian-{SUITE}", cache / f"debian-{SUITE}.partial"
    if not tree.exists():
        if shutil.which("debootstrap") is None:
            set_up("docker")
        if shutil.which("debootstrap") is None:
            raise ImageError(f"{name}: debootstrap is missing; install it: apt-get install debootstrap")
        if os.geteuid() != 0:
            raise ImageError(f"{name}: debootstrap needs root; run this once with sudo, or where a registry answers")
        say(name, f"debootstrap {SUITE}, usually 30 s")
        shutil.rmtree(partial, ignore_errors=True)
        mirror = os.environ.get("TIERSTACK_DEBIAN_MIRROR")
        logged(
            cache,
            name,
            ["debootstrap", "--variant=minbase", SUITE, str(partial), *([mirror] if mirror else [])],
        )
        partial.rename(tree)
    excluded = [f"--exclude=./{path}" for path in UNNEEDED]
    with subprocess.Popen(["tar", "-C", str(tree), *excluded, "-c", "."], stdout=subprocess.PIPE) as pack:
        result = subprocess.run(["docker", "import", "-", target], stdin=pack.stdout, capture_output=True, text=True)
    if result.returncode != 0 or pack.returncode != 0:
        raise ImageError(f"{name}: docker import failed: {result.stderr.strip()}")
    return target


def set_up(group: str) -> None:
    """What the set-up knows how to get: programs (images, cluster), system packages (docker)."""
    command = [sys.executable, str(ROOT / "toolchain" / "setup.py"), group]
    subprocess.run(command, stdout=sys.stderr)  # our own output is ids


def program(name: str) -> Path:
    """A program of the toolchain, or the one that TIERSTACK_<NAME> names."""
    given = os.environ.get(f"TIERSTACK_{name.upper().replace('-', '_')}")
    if given:
        path = Path(given)
    else:
        command = [sys.executable, str(ROOT / "toolchain" / "setup.py"), "--print-path", name]
        result = subprocess.run(command, capture_output=True, text=True)
        path = Path(result.stdout.strip() or "absent") if result.returncode == 0 else Path("absent")
    if not path.is_file():
        raise ImageError(f"{name}: no such program yet; get it with `python3 toolchain/setup.py images cluster`")
    return path


def found(name: str) -> bool:
    """Whether a program is there already."""
    try:
        return program(name).is_file()
    except ImageError:
        return False


def python_packages(name: str, requirements: Path, target: Path) -> None:
    """Wheels for the Python of the image's Debian, each checked against its hash."""
    where = ["--target", target, "--python-version", PYTHON, "--only-binary", ":all:"]
    try:
        python_env.ensure()  # it brings uv
        uv = place.venv() / "bin" / "uv"
        python_env.run([uv, "pip", "install", "-q", *where, "--no-deps", "--require-hashes", "-r", requirements])
    except SetupError as error:
        raise ImageError(f"{name}: {error}") from error


def certificate_authorities() -> Path:
    """This machine's bundle of public certificate authorities."""
    for path in (
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/ssl/cert.pem",
    ):
        if Path(path).is_file():
            return Path(path)
    raise ImageError("no certificate authorities here; install them: apt-get install ca-certificates")
