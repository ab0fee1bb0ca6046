"""A topology as a picture: SVG for pages, Mermaid for Markdown, JSON for machines. Pure."""

from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from tierstack.core.section import Edge, Node

_BOX, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN, _HEAD = 176, 58, 64, 22, 24, 64
_WIDE = 21
"""Characters of a title that a box holds."""
_COLOURS = {
    "outside": ("#f4f4f5", "#71717a"),
    "proxy": ("#e0f2fe", "#0369a1"),
    "app": ("#dcfce7", "#15803d"),
    "data": ("#fef3c7", "#b45309"),
    "backup": ("#f3e8ff", "#7e22ce"),
}
_FONT = "font-family='ui-sans-serif, system-ui, sans-serif'"


@dataclass(frozen=True)
class Topology:
    """What runs, and who calls whom."""

    title: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def as_dict(topology: Topology) -> dict[str, Any]:
    """For machines."""
    return asdict(topology)


def mermaid(topology: Topology) -> str:
    """A flowchart, as Markdown pages show it."""
    lines = ["flowchart LR"]
    for one in topology.nodes:
        shape = (
            ("[(", ")]") if one.kind in ("data", "backup") else ("([", "])") if one.kind == "outside" else ("[", "]")
        )
        lines.append(f'    {one.id}{shape[0]}"{_title(one)}<br><small>{one.detail}</small>"{shape[1]}')
    for edge in topology.edges:
        arrow = f"-- {edge.label} -->" if edge.label else "-->"
        lines.append(f"    {edge.source} {arrow} {edge.target}")
    return "\n".join(lines) + "\n"


def svg(topology: Topology) -> str:
    """A drawing that needs no other file, readable on light and dark pages."""
    columns: dict[int, list[Node]] = {}
    for one in topology.nodes:
        columns.setdefault(one.column, []).append(one)
    tallest = max(len(column) for column in columns.values())
    inner = tallest * _HEIGHT + (tallest - 1) * _GAP_Y
    width = 2 * _MARGIN + len(columns) * _BOX + (len(columns) - 1) * _GAP_X
    height = _HEAD + inner + _MARGIN
    places: dict[str, tuple[float, float]] = {}
    for index, number in enumerate(sorted(columns)):
        column = columns[number]
        top = _HEAD + (inner - len(column) * _HEIGHT - (len(column) - 1) * _GAP_Y) / 2
        for row, one in enumerate(column):
            places[one.id] = (_MARGIN + index * (_BOX + _GAP_X), top + row * (_HEIGHT + _GAP_Y))
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width} {height:.0f}' width='{width}' role='img'"
        f" aria-label='{escape(topology.title, quote=True)}'>",
        "<defs><marker id='a' viewBox='0 0 8 8' refX='8' refY='4' markerWidth='7' markerHeight='7' orient='auto'>"
        "<path d='M0 0 8 4 0 8z' fill='#71717a'/></marker></defs>",
        f"<rect width='{width}' height='{height:.0f}' rx='14' fill='#ffffff' stroke='#e4e4e7'/>",
        f"<text x='{_MARGIN}' y='38' {_FONT} font-size='17' font-weight='600' fill='#18181b'>"
        f"{escape(topology.title)}</text>",
        *(_line(edge, places) for edge in topology.edges),
        *(_box(one, *places[one.id]) for one in topology.nodes),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _title(one: Node) -> str:
    return f"{one.count} × {one.title}" if one.count > 1 else one.title


def _box(one: Node, x: float, y: float) -> str:
    fill, stroke = _COLOURS[one.kind]
    shape = f"width='{_BOX}' height='{_HEIGHT}' rx='9' fill='{fill}' stroke='{stroke}'"
    # What runs several times is drawn as a pile.
    behind = [
        f"<rect x='{x + 4 * n:.0f}' y='{y - 4 * n:.0f}' {shape} opacity='{0.75 - 0.2 * n:.2f}'/>"
        for n in range(min(one.count, 3) - 1, 0, -1)
    ]
    middle = x + _BOX / 2
    title = _title(one)
    size = 14 if len(title) <= _WIDE else 11
    text = [
        f"<rect x='{x:.0f}' y='{y:.0f}' {shape}/>",
        f"<text x='{middle:.0f}' y='{y + 25:.0f}' {_FONT} font-size='{size}' font-weight='600' fill='{stroke}' "
        f"text-anchor='middle'>{escape(title)}</text>",
        f"<text x='{middle:.0f}' y='{y + 43:.0f}' {_FONT} font-size='11' fill='#52525b' "
        f"text-anchor='middle'>{escape(one.detail)}</text>",
    ]
    return "\n".join([*behind, *text])


def _line(edge: Edge, places: dict[str, tuple[float, float]]) -> str:
    (x1, y1), (x2, y2) = places[edge.source], places[edge.target]
    if x1 == x2:  # within a column: straight down or up
        down = y2 > y1
        start, end = (y1 + _HEIGHT, y2 - 3) if down else (y1, y2 + _HEIGHT + 3)
        path = f"M{x1 + _BOX / 2:.0f} {start:.0f} V{end:.0f}"
        label = (x1 + _BOX / 2 + 8, (start + end) / 2 + 4, "start")
    else:
        start, end = (x1 + _BOX, y1 + _HEIGHT / 2), (x2 - 3, y2 + _HEIGHT / 2)
        bend = (start[0] + end[0]) / 2
        path = f"M{start[0]:.0f} {start[1]:.0f} C{bend:.0f} {start[1]:.0f} {bend:.0f} {end[1]:.0f} "
        path += f"{end[0]:.0f} {end[1]:.0f}"
        label = (bend, (start[1] + end[1]) / 2 - 5, "middle")
    drawn = f"<path d='{path}' fill='none' stroke='#71717a' marker-end='url(#a)'/>"
    if not edge.label:
        return drawn
    x, y, anchor = label
    style = f"{_FONT} font-size='10' fill='#71717a' text-anchor='{anchor}'"
    return f"{drawn}\n<text x='{x:.0f}' y='{y:.0f}' {style}>{escape(edge.label)}</text>"
