"""What is there and what is missing, for people and as JSON."""

import json
import os
import platform
import sys
from dataclasses import asdict, dataclass

from toolchain import find, place, python_env, schemas, system
from toolchain.pins import GROUPS, Pins


@dataclass(frozen=True)
class Row:
    """One line of the report. `required` is false for what only some commands need."""

    name: str
    required: bool
    version: str  # "" when it is missing
    source: str
    remedy: str = ""

    @property
    def ok(self) -> bool:
        return bool(self.version)


def examine(pins: Pins) -> list[Row]:
    rows = [Row("python", True, platform.python_version(), sys.executable)]
    ready = python_env.ready()
    rows.append(Row(".venv", True, "as locked" if ready else "", str(place.venv()) if ready else "", "make setup"))
    for need in system.NEEDS:
        present = need.present()
        remedy = f"{system.install_command([need])}   ({need.why})"
        rows.append(
            Row(
                need.name,
                "core" in need.groups,
                "present" if present else "",
                "system" if present else "",
                remedy,
            )
        )
    for tool in pins.group(*GROUPS):
        found = find.find(tool, pins)
        remedy = "make setup" if tool.group in ("core", "test") else f"python3 toolchain/setup.py {tool.group}"
        if found:
            rows.append(Row(tool.name, tool.group == "core", found.version, f"{found.source}: {found.path}"))
        else:
            rows.append(
                Row(
                    tool.name,
                    tool.group == "core",
                    "",
                    "",
                    f"{remedy}   (about {tool.minutes:g} min when built)",
                )
            )
    made = schemas.folder(pins).is_dir()
    rows.append(
        Row(
            "schemas",
            False,
            "as pinned" if made else "",
            str(schemas.folder(pins)) if made else "",
            "make setup",
        )
    )
    daemon = system.docker_version()
    where = os.environ.get("DOCKER_HOST", "default socket")
    rows.append(
        Row(
            "docker daemon",
            False,
            daemon,
            where if daemon else "",
            "start Docker, or set DOCKER_HOST; without it stacks are rendered",
        )
    )
    return rows


def table(rows: list[Row]) -> str:
    width = max(len(row.name) for row in rows)
    version_width = max(len(row.version) for row in rows)
    lines: list[str] = []
    for row in rows:
        mark = "ok" if row.ok else ("MISSING" if row.required else "absent")
        detail = row.source if row.ok else f"get it: {row.remedy}"
        lines.append(f"{mark:<8} {row.name:<{width}}  {row.version:<{version_width}}  {detail}".rstrip())
    return "\n".join(lines)


def main(pins: Pins, *, as_json: bool) -> int:
    rows = examine(pins)
    if as_json:
        print(json.dumps([asdict(row) | {"ok": row.ok} for row in rows], indent=2))
    else:
        print(table(rows))
    lacking = [row.name for row in rows if row.required and not row.ok]
    if lacking:
        place.say(f"\nRequired and missing: {', '.join(lacking)}")
    return 1 if lacking else 0
