"""Building with a compiler that only pretends: progress, failure, interruption, resumption, the lock."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.waiting import until
from toolchain import build, find, place, setup, system
from toolchain.build import SetupError
from toolchain.pins import Pins

Program = Callable[..., Path]

# Writes its arguments to $LOG and a program to the file after -o; hangs on the package named in $HANG.
FAKE_GO = """
echo "$@" >> "$LOG"
case "$1" in
version) echo "go version go1.26.8 linux/amd64"; exit 0 ;;
list) exit 0 ;;
build) ;;
*) echo "unexpected: $*" >&2; exit 2 ;;
esac
while [ $# -gt 1 ]; do
    if [ "$1" = -o ]; then out=$2; fi
    shift
done
case "$out" in */"$HANG") touch "$LOG.hanging"; echo $$ > "$LOG.pid"; exec sleep 600 ;; esac
case "$out" in */"$FAIL") echo "main.go:1: no luck"; exit 1 ;; esac
printf '#!/bin/sh\\n' > "$out"; chmod +x "$out"
"""


@pytest.fixture
def log(home: Path, program: Program, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with the pretended Go; the file lists how it was called."""
    program("go", FAKE_GO)
    monkeypatch.setenv("LOG", str(home / "go.log"))
    monkeypatch.setenv("HANG", "none")
    monkeypatch.setenv("FAIL", "none")
    return home / "go.log"


def builds(log: Path) -> list[str]:
    """Names of the programs built, in order."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [line.split(" -o ")[1].split()[0].rsplit("/", 1)[1] for line in lines if line.startswith("build ")]


def test_everything_missing_is_built_once_in_order(few: Pins, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    setup.programs(["core"], few)
    assert builds(log) == ["pulumi", "pulumi-language-python", "pulumi-resource-random"]
    said = capsys.readouterr().err
    assert "[1/3] Building pulumi 3.259.0 from Go modules (about 1 min on two cores)" in said
    assert "[3/3] Built pulumi-resource-random in" in said
    setup.programs(["core"], few)
    assert len(builds(log)) == 3


def test_checksums_are_those_of_the_checkout(few: Pins, log: Path) -> None:
    build.build(few.tools["pulumi"])
    assert "-mod=readonly" in log.read_text()


def test_a_changed_tool_is_built_alone(few: Pins, log: Path) -> None:
    setup.programs(["core"], few)
    (few.tools["pulumi-resource-random"].source / "main.go").write_text("package main")
    setup.programs(["core"], few)
    assert builds(log)[3:] == ["pulumi-resource-random"]


def test_a_failed_build_says_why_and_leaves_nothing(few: Pins, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAIL", "pulumi-language-python")
    with pytest.raises(SetupError, match=r"(?s)pulumi-language-python could not be built.*no luck"):
        setup.programs(["core"], few)
    assert find.find(few.tools["pulumi"], few) is not None
    assert find.find(few.tools["pulumi-language-python"], few) is None
    assert list((place.cache() / "toolchain").glob("*.tmp-*")) == []


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A child whose parent has not asked yet is still listed, but runs no more.
    return Path(f"/proc/{pid}/stat").read_text().split(") ")[1].startswith("Z")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_set_up_goes_on_where_it_stopped(few: Pins, log: Path, home: Path, how: signal.Signals) -> None:
    """In a process of its own, because it is killed."""
    script = home / "interrupted.py"
    script.write_text(
        "import signal, sys\n"
        f"sys.path.insert(0, {str(Path(setup.__file__).parent.parent)!r})\n"
        "from pathlib import Path\n"
        "from toolchain import pins, place, setup\n"
        f"place.ROOT = Path({str(place.ROOT)!r}); pins.HERE = place.ROOT / 'toolchain'\n"
        "from toolchain.pins import Pins, Tool\n"
        # Interrupts too: a shell's job in the background, as CI may be, is born deaf to them.
        "signal.signal(signal.SIGTERM, signal.default_int_handler)\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"setup.programs(['core'], {few!r})\n"
    )
    hanging = {**os.environ, "HANG": "pulumi-language-python"}
    process = subprocess.Popen([sys.executable, script], env=hanging, stderr=subprocess.DEVNULL)
    until("the program has started", (home / "go.log.pid").exists)
    until("it has written its id", lambda: (home / "go.log.pid").read_text().strip())
    process.send_signal(how)
    assert process.wait(timeout=30) != 0
    assert gone(int((home / "go.log.pid").read_text()))
    assert find.find(few.tools["pulumi-language-python"], few) is None
    (place.cache() / "toolchain" / "left.tmp-by-a-power-cut").mkdir()

    setup.programs(["core"], few)
    assert builds(log) == [
        "pulumi",
        "pulumi-language-python",
        "pulumi-language-python",
        "pulumi-resource-random",
    ]
    assert list((place.cache() / "toolchain").glob("*.tmp-*")) == []


def test_a_second_set_up_waits_and_then_finds_everything(
    few: Pins, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with place.lock(place.cache() / "toolchain" / "lock"):
        second = threading.Thread(target=setup.programs, args=(["core"], few))
        second.start()
        message = f"Another set-up is running (process {os.getpid()}); waiting for it."
        said: list[str] = []

        def waits() -> bool:
            said.append(capsys.readouterr().err)
            return message in "".join(said)

        until("the second says that it waits", waits, 30)
        for tool in few.group("core"):
            build.build(tool)
    second.join(timeout=30)
    assert not second.is_alive()
    assert len(builds(log)) == 3


def test_without_go_the_message_says_what_to_do(few: Pins, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (build, system):
        monkeypatch.setattr(module, "go_program", lambda: None)
    monkeypatch.setattr(system, "may_install", lambda: False)
    with pytest.raises(SetupError, match=r"(?s)Missing system packages:\n  go: .*apt-get install -y golang-go"):
        setup.programs(["core"], few)


def test_an_old_go_is_named(few: Pins, program: Program) -> None:
    program("go", "echo go version go1.19.8 linux/amd64")
    with pytest.raises(SetupError, match=r"pulumi has to be built because .* needs Go 1\.26 .*found: 1\.19\.8"):
        setup.programs(["core"], few)


def test_a_module_with_another_checksum_is_refused(program: Program, home: Path) -> None:
    program("go", f"""echo '{{"Sum": "h1:other=", "Dir": "{home}"}}'""")
    with pytest.raises(SetupError, match=r"has the checksum h1:other=, pins\.toml says h1:pinned="):
        build.module_dir("example.org/m@v1.0.0", "h1:pinned=")
    assert build.module_dir("example.org/m@v1.0.0", "h1:other=") == home


def test_launchers_lie_executable_beside_the_binary(few: Pins, log: Path, home: Path, program: Program) -> None:
    upstream = home / "upstream"
    for name in ("cmd/launch", "dist/one", "dist/two"):
        (upstream / name).parent.mkdir(parents=True, exist_ok=True)
        (upstream / name).write_text("#!/bin/sh\n")
    program(
        "go",
        FAKE_GO.replace("list) exit 0 ;;", f"""mod) echo '{{"Sum": "h1:x=", "Dir": "{upstream}"}}'; exit 0 ;;"""),
    )
    tool = replace(
        few.tools["pulumi-language-python"],
        launchers="example.org/m@v1.0.0", launchers_sum="h1:x=", launcher_files=("cmd/launch", "dist/*"),
    )  # fmt: skip
    build.build(tool)
    folder = find.build_home(tool) / "bin"
    assert sorted(file.name for file in folder.iterdir()) == [
        "launch",
        "one",
        "pulumi-language-python",
        "two",
    ]
    assert all(os.access(file, os.X_OK) for file in folder.iterdir())
