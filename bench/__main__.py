"""`python -m bench`: preview and up of the library against a hand-written program with the same resources."""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from bench.measure import Project, Run

PER_SHOP = 68  # resources of one shop
SHARED = 3  # provider, namespace, and the policy that closes it
PROGRAMS = {"tierstack": "bench.ours", "by hand": "bench.handwritten"}
COMMANDS: dict[str, Callable[[Project], Run]] = {
    "preview": lambda project: project.preview(),
    "up": lambda project: project.up(),
    "render": lambda project: project.up(checkpoints=False),
}
"""`render` is `up` that writes its state once, at the end: what `make render` does."""

EXAMPLES = """examples:
  python -m bench                                   about 50, 100 and 1,000 resources, 3 rounds
  python -m bench --sizes 50 --rounds 1             one quick look
  python -m bench --commands preview,render         leave out `up` with its checkpoints
  python -m bench --json > bench.json               figures of every single run

Both programs run in turn within each round, so that a busy machine hits both. Needs what `make setup` gives."""


def main() -> None:
    parser = argparse.ArgumentParser(
        "python -m bench", description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", default="50,100,1000", help="resources, about; default 50,100,1000")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is run; the median counts; default 3")
    parser.add_argument("--commands", default=",".join(COMMANDS), help="of preview, up, render; default all")
    parser.add_argument("--json", action="store_true", help="every run as JSON on stdout, instead of a table")
    given = parser.parse_args()
    commands = given.commands.split(",")
    if unknown := [name for name in commands if name not in COMMANDS]:
        parser.error(f"--commands: {', '.join(unknown)}: use {', '.join(COMMANDS)}")
    try:
        sizes = [int(size) for size in given.sizes.split(",")]
    except ValueError:
        parser.error(f"--sizes {given.sizes}: write whole numbers with commas, such as 50,100")
    if min(sizes) < 1 or given.rounds < 1:
        parser.error("--sizes and --rounds must be at least 1")
    figures = measure(sizes, commands, given.rounds)
    if given.json:
        runs = [
            {"program": program, "command": command, "size": size, "runs": [asdict(run) for run in found]}
            for (program, command, size), found in figures.items()
        ]
        json.dump({"machine": machine(), "measured": runs}, sys.stdout, indent=2)
        print()
    else:
        report(figures, sizes, commands, given.rounds)


Figures = dict[tuple[str, str, int], list[Run]]


def measure(sizes: list[int], commands: list[str], rounds: int) -> Figures:
    """Every program × command × size, `rounds` times, the programs in turn."""
    figures: Figures = {}
    steps = rounds * len(sizes) * len(commands) * len(PROGRAMS)
    done, start = 0, time.monotonic()
    with tempfile.TemporaryDirectory(prefix="tierstack-bench-") as folder:
        for module in PROGRAMS.values():
            Project(Path(folder) / f"{module}-first", module, 1).preview()
        for size in sizes:
            shops = max(1, round(size / PER_SHOP))
            projects = {
                name: Project(Path(folder) / f"{module}-{size}", module, shops) for name, module in PROGRAMS.items()
            }
            for number in range(rounds):
                for command in commands:
                    # The order changes from round to round: who comes second finds a warmer page cache.
                    for name in sorted(PROGRAMS, reverse=bool(number % 2)):
                        run = COMMANDS[command](projects[name])
                        figures.setdefault((name, command, size), []).append(run)
                        done += 1
                        shown = f"{command} of {shops} shops, {name}: {run.wall_s:.1f} s, CPU {run.cpu_s:.1f} s"
                        print(f"[{done}/{steps}, {time.monotonic() - start:.0f} s] {shown}", file=sys.stderr)
    return figures


def median(figures: Figures, key: tuple[str, str, int], field: str) -> float:
    return statistics.median(getattr(run, field) for run in figures[key])


def report(figures: Figures, sizes: list[int], commands: list[str], rounds: int) -> None:
    """Medians as a table, ours against theirs."""
    rows = [["command", "resources", "wall s", "CPU s", "peak MiB", "state KiB"]]
    for size in sizes:
        for command in commands:
            cells = [command, str(PER_SHOP * max(1, round(size / PER_SHOP)) + SHARED)]
            for field in ("wall_s", "cpu_s", "peak_mb", "state_kb"):
                ours, theirs = (median(figures, (name, command, size), field) for name in PROGRAMS)
                digits = 2 if field.endswith("_s") else 0
                cells.append(f"{ours:.{digits}f} / {theirs:.{digits}f} = {ours / theirs:.2f}" if theirs else "")
            rows.append(cells)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    print(f"median of {rounds}; tierstack / by hand = ratio")
    for first, *others in rows:
        print(
            first.ljust(widths[0]),
            *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)),
            sep="  ",
        )
    print(json.dumps(machine()))


def machine() -> dict[str, str | float | int]:
    """What the figures depend on."""
    packages = {name: version(name) for name in ("pulumi", "pulumi-kubernetes")}
    load = round(os.getloadavg()[2], 1)
    return {"date": time.strftime("%Y-%m-%d"), "cores": os.cpu_count() or 0, "load_15min": load, **packages}


if __name__ == "__main__":
    main()
