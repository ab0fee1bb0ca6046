"""`make docs`: the pages as a static site in build/docs, in an environment of its own (docs/decisions/0045)."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
from pathlib import Path

from toolchain import build, npm_packages, place
from toolchain.docs import navigation

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"
OUTPUT = place.ROOT / "build" / "docs"
STATIC = place.ROOT / "build" / "docs-static"
"""What conf.py takes into the site beside the files of `static`."""
_LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|<link\b(?=[^>]*\brel=[\"']?(?:stylesheet|preload|preconnect|icon|modulepreload))[^>]*\bhref=[\"']?((?:https?:)?//[^\"'\s>]+)"
    r"|(?:url\(|@import )\s*[\"']?((?:https?:)?//[^\"')\s]+)",
    re.IGNORECASE,
)


def environment() -> Path:
    """The Python of the site's environment, made again when its requirements change. Raises SetupError."""
    folder = place.state() / "docs"
    python = folder / "bin" / "python"
    stamp = folder / ".stamp"
    wanted = hashlib.sha256(f"{sys.version_info[:3]} {folder} {REQUIREMENTS.read_text()}".encode()).hexdigest()
    if stamp.exists() and stamp.read_text() == wanted and os.access(python, os.X_OK):
        return python
    place.say("Installing the site's environment from toolchain/docs/requirements.txt ...")
    _run([sys.executable, "-m", "venv", "--clear", folder])
    _run([python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", REQUIREMENTS])
    stamp.write_text(wanted)
    return python


def _run(command: list[str | Path]) -> None:
    env = {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-1500:]
        raise build.SetupError(f"`{' '.join(map(str, command))}` failed:\n{said}")


def npm() -> list[str | Path]:
    """npm of this checkout's environment, or the one on PATH. Raises SetupError."""
    try:
        node = npm_packages.node()
    except (build.SetupError, OSError):
        if found := shutil.which("npm"):
            return [found]
        raise build.SetupError("no npm; `make setup` installs one") from None
    return [node, node.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"]


def mermaid() -> Path:
    """The file that draws diagrams, from npm's registry, checked against its hash. Raises SetupError."""
    pin = tomllib.loads((place.ROOT / "toolchain" / "pins.toml").read_text())["docs"]["mermaid"]
    kept = place.cache() / "docs" / f"mermaid-{pin['version']}.js"
    if kept.exists():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
        patience = ["--fetch-retries=1", "--fetch-timeout=20000"]  # ms
        _run([*npm(), "pack", f"mermaid@{pin['version']}", "--pack-destination", scratch, *patience])
        (archive,) = Path(scratch).glob("*.tgz")
        digest = f"sha512-{base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()}"
        if digest != pin["integrity"]:
            raise build.SetupError(f"mermaid {pin['version']} has the checksum {digest}, pins.toml says otherwise")
        with tarfile.open(archive) as packed:
            member = packed.extractfile("package/dist/mermaid.min.js")
            assert member is not None
            (Path(scratch) / "mermaid.js").write_bytes(member.read())
        (Path(scratch) / "mermaid.js").replace(kept)
    return kept


def loads_from_elsewhere(folder: Path) -> list[str]:
    """What a page or a style of the site would fetch from another server when it is opened: nothing is meant."""
    files = [file for file in sorted(folder.rglob("*")) if file.suffix in (".html", ".css")]
    return [
        f"{file.relative_to(folder)}: {next(filter(None, match.groups()))}"
        for file in files
        for match in _LOADED.finditer(file.read_text(errors="replace"))
    ]


def main() -> int:
    started = time.monotonic()
    STATIC.mkdir(parents=True, exist_ok=True)
    try:
        python = environment()
    except build.SetupError as problem:
        place.say(f"The site was not built: {problem}")
        return 1
    try:
        shutil.copyfile(mermaid(), STATIC / "mermaid.js")
    except build.SetupError as problem:
        place.say(f"Diagrams stay text, because mermaid cannot be had: {problem}")
    shutil.rmtree(OUTPUT, ignore_errors=True)
    command = [python, "-m", "sphinx", "-q", "-b", "html", "--fail-on-warning", "--nitpicky", "--fresh-env"]
    where = ["-c", HERE, "-d", place.state() / "docs-trees", place.ROOT, OUTPUT]
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if subprocess.run([*command, *where], cwd=place.ROOT, env=env, stdin=subprocess.DEVNULL, check=False).returncode:
        place.say("The site was not built: mend what is named above. No warning is accepted.")
        return 1
    shutil.copyfile(OUTPUT / f"{navigation.HOME}.html", OUTPUT / "index.html")
    if found := loads_from_elsewhere(OUTPUT):
        place.say("The site loads from other servers:\n" + "\n".join(found))
        return 1
    pages = sum(1 for _ in OUTPUT.rglob("*.html"))
    place.say(f"{OUTPUT.relative_to(place.ROOT)}/index.html: {pages} pages ({time.monotonic() - started:.1f} s).")
    return 0


if __name__ == "__main__":
    sys.exit(main())
