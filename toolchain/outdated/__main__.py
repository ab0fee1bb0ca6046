"""Compare every pinned version with what exists and with known vulnerabilities. See docs/toolchain.md."""

import argparse
import sys
import tomllib

from toolchain import place
from toolchain.outdated import known, newest, pinned, report


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m toolchain.outdated",
        description=__doc__,
        epilog="Exit code: 1 if a pin has a known vulnerability; with --strict also if one is behind or a registry or "
        "database did not answer; else 0.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--strict", action="store_true", help="exit with 1 also for newer versions and missing answers")
    options = parser.parse_args()
    pins = pinned.read(place.ROOT)
    place.say(f"Looking up {len(pins)} pinned versions (about 1 min) ...")
    settings = tomllib.loads((place.ROOT / "toolchain/pins.toml").read_text())
    versions = newest.ask(pins, place.ROOT)
    vulnerabilities = known.ask(pins, settings["audit"], place.ROOT)
    table = report.rows(pins, versions, vulnerabilities)
    write = report.as_json if options.json else report.text
    print(write(table, vulnerabilities, settings["held"]))
    return report.exit_code(table, vulnerabilities, strict=options.strict)


if __name__ == "__main__":
    sys.exit(main())
