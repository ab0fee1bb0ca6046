"""The report as a table and as JSON, and what the command ends with (pure)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from toolchain.outdated.known import LIST_ONLY, Known, Vulnerability
from toolchain.outdated.newest import Versions
from toolchain.outdated.pinned import Pin
from toolchain.outdated.versions import is_older, key, newer


@dataclass(frozen=True)
class Row:
    """One pin with what is known about it."""

    pin: Pin
    newer: tuple[str, ...] = ()
    unknown: str = ""
    """Why newer versions could not be looked up; "" if they were."""
    vulnerabilities: tuple[Vulnerability, ...] = field(default=())


def rows(pins: Sequence[Pin], versions: Versions, known: Known) -> list[Row]:
    """One row for each pin, and for each vulnerable dependency of a pin."""
    by_pin: dict[Pin, list[Vulnerability]] = {}
    for one in known.found:
        by_pin.setdefault(one.pin, []).append(one)
    table: list[Row] = []
    for pin in sorted({*pins, *by_pin}):
        name = (pin.kind, pin.name)
        there = versions.known.get(name, ())
        unknown = versions.unknown.get(name, "")
        if is_older(there, pin.version):
            unknown = f"its list ends at {max(there, key=key)}, before the pinned {pin.version}"
        table.append(Row(pin, tuple(newer(pin.version, there)), unknown, tuple(by_pin.get(pin, ()))))
    return table


def exit_code(table: Sequence[Row], known: Known, *, strict: bool) -> int:
    """1 if a pin has a known vulnerability; `strict`: or is behind, or something could not be looked up. Else 0."""
    if any(row.vulnerabilities for row in table):
        return 1
    return int(strict and (bool(known.unasked) or any(row.newer or row.unknown for row in table)))


def _columns(lines: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]


def text(table: Sequence[Row], known: Known, held: Mapping[str, str]) -> str:
    """Vulnerabilities, then pins that are behind and why, then what could not be looked up."""
    parts: list[str] = []
    vulnerable = [row for row in table if row.vulnerabilities]
    if vulnerable:
        lines = [("VULNERABLE", "VERSION", "ADVISORY", "FIXED IN", "WHAT")]
        lines += [
            (row.pin.name, row.pin.version, one.id, ", ".join(one.fixed) or "no version", one.summary)
            for row in vulnerable
            for one in row.vulnerabilities
        ]
        parts.append("\n".join(_columns(lines)))
    behind = [row for row in table if row.newer]
    if behind:
        lines = [("BEHIND", "VERSION", "NEWER", "PINNED IN")]
        lines += [(r.pin.name, r.pin.version, ", ".join(r.newer), ", ".join(r.pin.where)) for r in behind]
        parts.append("\n".join(_columns(lines)))
    names = {row.pin.name for row in (*vulnerable, *behind)}
    if reasons := [f"  {name}: {reason}" for name, reason in held.items() if name in names]:
        parts.append("HELD BACK\n" + "\n".join(reasons))
    unknown: dict[str, list[str]] = {}
    for row in table:
        if row.unknown:
            unknown.setdefault(row.unknown, []).append(row.pin.name)
    if unknown or known.unasked:
        lines = [f"  newest version of {', '.join(dict.fromkeys(names))}: {why}" for why, names in unknown.items()]
        lines += [f"  {source}: {why}" for source, why in known.unasked.items()]
        parts.append("NOT LOOKED UP\n" + "\n".join(lines))
    count = sum(len(row.vulnerabilities) for row in vulnerable)
    unsure = sum(bool(row.unknown) for row in table)
    kinds = ", ".join(kind for kind in LIST_ONLY if any(row.pin.kind == kind for row in table))
    parts.append(
        f"{len(table)} pins: {len(vulnerable)} with known vulnerabilities ({count}), {len(behind)} behind, "
        f"{unsure} without an answer.\n"
        f"The list in toolchain/outdated/advisories.toml is of {known.list_date}."
        + (f" Only it knows vulnerabilities of: {kinds}." if kinds else "")
    )
    return "\n\n".join(parts)


def as_json(table: Sequence[Row], known: Known, held: Mapping[str, str]) -> str:
    """The same for programs: `pins` with all of them, `not_looked_up`, `advisory_list`, `list_only` (kinds of pins)."""
    pins = [
        {
            "kind": row.pin.kind,
            "name": row.pin.name,
            "version": row.pin.version,
            "pinned_in": list(row.pin.where),
            "newer": list(row.newer),
            "held_back": held.get(row.pin.name),
            "not_looked_up": row.unknown or None,
            "vulnerabilities": [
                {"id": one.id, "fixed_in": list(one.fixed), "summary": one.summary, "source": one.source}
                for one in row.vulnerabilities
            ],
        }
        for row in table
    ]
    data = {"pins": pins, "not_looked_up": known.unasked, "advisory_list": known.list_date, "list_only": LIST_ONLY}
    return json.dumps(data, indent=2)
