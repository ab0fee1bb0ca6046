#!/usr/bin/env python3
"""Sets up engine, providers, test tools and Python environment. See docs/toolchain.md."""

import os
import sys

# The one file that an old interpreter gets to see: nothing below may be newer than Python 3.6's grammar.
if sys.version_info < (3, 11):  # noqa: UP036
    import shutil
    import subprocess

    for _minor in (14, 13, 12, 11):
        _newer = shutil.which("python3.%d" % _minor)  # noqa: UP031
        # A shim of pyenv is on PATH also for versions that are not selected, and then fails.
        if _newer and subprocess.call([_newer, "-c", ""], stderr=subprocess.DEVNULL) == 0:
            os.execv(_newer, [_newer] + sys.argv)  # noqa: RUF005
    sys.exit("tierstack needs Python 3.11 or newer; this is %s." % sys.version.split()[0])  # noqa: UP031

import argparse
import signal
import subprocess
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from toolchain import (
    addons,
    build,
    doctor,
    download,
    environment,
    find,
    npm_packages,
    place,
    python_env,
    schemas,
    system,
)
from toolchain.pins import GROUPS, Pins, Tool, at_least, load, parse_version

EXAMPLES = """examples:
  python3 toolchain/setup.py                          what `make setup` does: groups core and test
  python3 toolchain/setup.py images                   the programs that go into locally built images
  python3 toolchain/setup.py docker                   the system packages of the Docker platform
  python3 toolchain/setup.py dns                      BIND, Knot and PowerDNS, for tests that publish to them
  python3 toolchain/setup.py cluster images           what `make cluster` runs, from kube-apiserver to the operators
  python3 toolchain/setup.py --check cluster          build nothing: exit 1 and name what is missing
  python3 toolchain/setup.py --print-path traefik     where a program is (or: schemas, addons, npm)
  eval "$(python3 toolchain/setup.py --env)"          the environment in which stacks run
  python3 toolchain/setup.py --doctor [--json]        what is there, what is missing, how to get it

environment:
  TIERSTACK_CACHE         cache directory (default: ~/.cache/tierstack)
  TIERSTACK_NO_DOWNLOAD   when set, no vendor download is tried
"""


ALL = (*GROUPS, "docker", "dns")  # the last two stand for system packages only


def fetch(tool: Tool, pins: Pins) -> str:
    """Take `tool` from its vendor. Returns "" or the reason why that was not possible."""
    source = pins.tools[tool.comes_with] if tool.comes_with else tool
    engine = find.find(pins.tools["pulumi"], pins)
    if source.archive:
        return download.fetch_archive(source)
    if tool.plugin and engine:
        return download.install_plugin(tool, engine.path)
    return "the vendor offers no archive"


def require_go(tool: Tool, reason: str, pins: Pins) -> None:
    system.ensure({"build"})
    program = build.go_program() or "go"
    version = find.run_version(Path(program), ("version",))
    if not at_least(parse_version(version), pins.minimum["go_bootstrap"]):
        raise build.SetupError(
            f"{tool.name} has to be built because {reason}, and that needs Go {pins.minimum['go']} "
            f"(or {pins.minimum['go_bootstrap']} and newer, which fetches it); found: {version or 'no go'}. "
            "Install it from go.dev/dl, or put pulumi on PATH: pulumi.com/docs/install."
        )


def programs(groups: list[str], pins: Pins) -> None:
    absent = [tool for tool in pins.group(*groups) if find.find(tool, pins) is None]
    if not absent:
        return
    with place.lock(place.cache() / "toolchain" / "lock"):
        build.sweep()
        absent = [tool for tool in absent if find.find(tool, pins) is None]  # another set-up may have made it
        minutes = sum(tool.minutes for tool in absent)
        if absent:
            names = ", ".join(tool.name for tool in absent)
            place.say(f"Needed: {names}; about {minutes:.0f} min on two cores if all are built.")
        fetching = None
        for number, tool in enumerate(absent, 1):
            position = f"[{number}/{len(absent)}] "
            if find.find(tool, pins):  # an archive may have brought several
                continue
            reason = fetch(tool, pins)
            if not reason:
                place.say(f"{position}Downloaded {tool.name}.")
                continue
            require_go(tool, reason, pins)
            fetching = fetching or build.prefetch(absent[number:])
            build.build(tool, position)


def make_schemas(pins: Pins) -> None:
    """In the environment just made, because reading YAML takes a library."""
    if schemas.folder(pins).is_dir():
        return
    with place.lock(place.cache() / "toolchain" / "lock"):
        done = subprocess.run(
            [place.venv() / "bin" / "python", "-m", "toolchain.schemas"],
            cwd=place.ROOT,
            stdout=subprocess.DEVNULL,
        )
    if done.returncode:
        raise build.SetupError("The schemas that manifests are checked against could not be made.")


def node_packages() -> None:
    """A registry that does not answer costs a few tests, which name it in their last lines, and not the set-up."""
    try:
        npm_packages.make()
    except build.SetupError as error:
        place.say(f"{error}\nThe tests of programs in JavaScript are left out.")


def set_up(groups: list[str], pins: Pins) -> None:
    started = time.monotonic()
    system.ensure({"core", *groups})
    with place.lock(place.state() / "lock"):
        python_env.ensure()
        programs(groups, pins)
        if "test" in groups:
            make_schemas(pins)
            node_packages()
        if {"test", "cluster"} & set(groups):
            addons.make(pins)
        environment.write(pins)
    place.say(f"Ready: {', '.join(groups)} ({time.monotonic() - started:.1f} s).")
    if "docker" in groups and not system.docker_version():
        where = os.environ.get("DOCKER_HOST", "the default socket")
        place.say(f"No Docker daemon answers at {where}. Start it: systemctl start docker, or as root: dockerd")


FOLDERS = {
    "schemas": (schemas.folder, "test"),
    "addons": (addons.folder, "test"),
    "npm": (lambda _: npm_packages.folder(), "test"),
}
"""What is made beside the programs: where it is, and the group that makes it."""


def print_path(name: str, pins: Pins) -> int:
    if name in FOLDERS:
        folder, group = FOLDERS[name]
        path = folder(pins)
        found = path if path.is_dir() else None
    elif name in pins.tools:
        program = find.find(pins.tools[name], pins)
        found, group = program.path if program else None, pins.tools[name].group
    else:
        place.say(f"{name}: no such program; known: {', '.join([*pins.tools, *FOLDERS])}")
        return 2
    if found is None:
        place.say(f"{name} is not there yet; get it with: python3 toolchain/setup.py {group}")
        return 1
    print(found)
    return 0


def check(groups: list[str], pins: Pins) -> int:
    """Name what a set-up of `groups` would still have to get; 1 when there is any."""
    absent = [tool.name for tool in pins.group(*groups) if find.find(tool, pins) is None]
    absent += [name for name, (folder, group) in FOLDERS.items() if group in groups and not folder(pins).is_dir()]
    absent += [need.name for need in system.missing({"core", *groups})]
    if absent:
        place.say(f"missing: {', '.join(absent)}")
    return 1 if absent else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "groups", nargs="*", metavar="GROUP", help=f"what to set up: {', '.join(ALL)} (default: core test)"
    )
    parser.add_argument("--print-path", metavar="NAME", help="print where a program is")
    parser.add_argument("--check", action="store_true", help="exit 1 if anything of the groups is missing")
    parser.add_argument("--env", action="store_true", help="print the shell environment for stacks")
    parser.add_argument("--doctor", action="store_true", help="print what is there and what is missing")
    parser.add_argument("--json", action="store_true", help="with --doctor: as JSON")
    options = parser.parse_args()
    unknown = [name for name in options.groups if name not in ALL]
    if unknown:
        parser.error(f"unknown group {', '.join(unknown)}; use {', '.join(ALL)}")
    pins = load()
    if options.print_path:
        return print_path(options.print_path, pins)
    if options.doctor:
        return doctor.main(pins, as_json=options.json)
    if options.check:
        return check(options.groups or ["core", "test"], pins)
    if options.env:
        print(environment.write(pins).read_text(), end="")
        return 0
    # A polite kill must take the compiler with it, as Ctrl-C does: this handler raises KeyboardInterrupt.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        set_up(options.groups or ["core", "test"], pins)
    except build.SetupError as problem:
        place.say(f"\nSet-up failed: {problem}")
        return 1
    except KeyboardInterrupt:
        place.say("\nInterrupted. What was finished is kept; run it again to go on.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
