"""Building a tool from its Go module: into a scratch folder, then one rename into the cache."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

from toolchain import find, place
from toolchain.pins import BUILD_FLAGS, LAUNCHERS, Tool

REPORT_SECONDS = 30.0


class SetupError(Exception):
    """Something that the user has to see, with what to do about it."""


def go_environment() -> dict[str, str]:
    """Environment of every `go` command: reproducible, and never above what the machine can hold."""
    env = {k: v for k, v in os.environ.items() if k not in ("GOFLAGS", "GOWORK", "GO111MODULE")}
    env |= {"GOFLAGS": "", "GOWORK": "off", "CGO_ENABLED": "0"}
    if memory_gib() >= 6:
        env.setdefault("GOGC", "400")  # the compiler collects less often: a tenth of the time saved
    return env


def memory_gib() -> float:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (OSError, ValueError):
        return 0.0


def go_program() -> str | None:
    return shutil.which("go") or next((p for p in ("/usr/local/go/bin/go",) if os.access(p, os.X_OK)), None)


def run_go(args: list[str], cwd: Path) -> str:
    """Standard output of a short `go` command. Raises SetupError with its last words."""
    done = subprocess.run(
        [go_program() or "go", *args],
        cwd=cwd,
        env=go_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SetupError(f"`go {' '.join(args)}` failed in {cwd}:\n{done.stderr.strip()[-1500:]}")
    return done.stdout


def module_dir(module: str, expected_sum: str) -> Path:
    """Folder of the unpacked `module@version` with the checksum `expected_sum` (h1:…). Raises SetupError."""
    with tempfile.TemporaryDirectory() as nowhere:
        # The pinned sum is compared right below, so no checksum database has to be reachable.
        env = go_environment() | {"GOFLAGS": "-mod=mod", "GONOSUMDB": "*", "GONOSUMCHECK": "1"}
        done = subprocess.run(
            [go_program() or "go", "mod", "download", "-json", module],
            cwd=nowhere, env=env, capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        info = json.loads(done.stdout)
    except ValueError:
        raise SetupError(f"{module} could not be downloaded: {done.stderr.strip()[-500:]}") from None
    if error := info.get("Error"):
        raise SetupError(f"{module} could not be downloaded: {error}")
    if info["Sum"] != expected_sum:
        raise SetupError(f"{module} has the checksum {info['Sum']}, pins.toml says {expected_sum}; not used")
    return Path(info["Dir"])


def prefetch(tools: list[Tool]) -> threading.Thread:
    """Download the modules of `tools` beside the builds; a failure shows up in the build that needs them."""

    def work() -> None:
        for tool in tools:
            if tool.source.is_dir():
                with suppress(SetupError):
                    run_go(["list", "-mod=readonly", "-deps", "-e", "-f", "", tool.package], tool.source)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def build(tool: Tool, position: str = "") -> None:
    """Build `tool` into `find.build_home(tool)`. Raises SetupError; leaves nothing half-done behind."""
    home = find.build_home(tool)
    home.parent.mkdir(parents=True, exist_ok=True)
    usual = f"{tool.minutes:g} min" if tool.minutes >= 1 else f"{tool.minutes * 60:.0f} s"
    place.say(f"{position}Building {tool.name} {tool.version} from Go modules (about {usual} on two cores) ...")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"{home.name}.tmp-", dir=home.parent) as scratch:
        source, result = Path(scratch) / "source", Path(scratch) / "home"
        shutil.copytree(tool.source, source)
        (result / "bin").mkdir(parents=True)
        if tool.embed_module:
            upstream = Path(json.loads(run_go(["mod", "download", "-json", tool.embed_module], source))["Dir"])
            for name in tool.embed_files:
                shutil.copyfile(upstream / name, source / Path(name).name)
        command = [
            go_program() or "go", "build", *BUILD_FLAGS, "-ldflags", f"-s -w {tool.ldflags}".strip(),
            "-o", str(result / "bin" / tool.name), tool.package,
        ]  # fmt: skip
        compile_with_progress(tool, command, source, started)
        if tool.launchers:
            add_launchers(tool, result / "bin")
        shutil.rmtree(home, ignore_errors=True)
        result.rename(home)
    place.say(f"{position}Built {tool.name} in {time.monotonic() - started:.0f} s.")
    if tool.note:
        place.say(f"  {tool.note}")


def compile_with_progress(tool: Tool, command: list[str], cwd: Path, started: float) -> None:
    log = place.cache() / "toolchain" / f"{tool.name}.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=go_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
        try:
            while True:
                try:
                    code = process.wait(timeout=1 if sys.stderr.isatty() else REPORT_SECONDS)
                    break
                except subprocess.TimeoutExpired:
                    report(tool, time.monotonic() - started)
        finally:
            if process.poll() is None:  # interrupted: leave no compiler behind
                process.terminate()
                process.wait()
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    if code:
        tail = "\n".join(log.read_text().splitlines()[-15:])
        raise SetupError(f"{tool.name} could not be built (everything it said: {log}):\n{tail}")


def report(tool: Tool, elapsed: float) -> None:
    text = f"  {tool.name}: {elapsed:.0f} s of usually {tool.minutes * 60:.0f} s"
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\033[K{text}")
        sys.stderr.flush()
    else:
        place.say(text)


def add_launchers(tool: Tool, into: Path) -> None:
    """Scripts that the binary starts and expects beside itself."""
    upstream = module_dir(tool.launchers, tool.launchers_sum)
    for pattern in tool.launcher_files:
        for file in sorted(upstream.glob(pattern)):
            shutil.copyfile(file, into / file.name)
            (into / file.name).chmod(0o755)
    # Ours go before those of the same names, which they start in the end.
    for file in sorted((tool.source / LAUNCHERS).glob("*")):
        (into / file.name).rename(into / f"{file.name}.sdk")
        shutil.copyfile(file, into / file.name)
        (into / file.name).chmod(0o755)


def sweep() -> None:
    """Remove what interrupted builds left. Only under the lock, when no build of ours can be running."""
    for leftover in (place.cache() / "toolchain").glob("*.tmp-*"):
        shutil.rmtree(leftover, ignore_errors=True)
