"""A report as Markdown for a comment on GitHub or GitLab: a first screen that is never folded, and details below it.

Whatever comes from the plan stands in code, where neither site knows HTML, links or mentions.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from tierstack.diff import details
from tierstack.diff.model import Change, shown_path
from tierstack.diff.noise import STACK
from tierstack.diff.report import (
    Report,
    cost_lines,
    counts,
    kept_data,
    left_out,
    order,
    summary,
    tier_lines,
    unjudged,
    verdict,
)
from tierstack.diff.risk import Finding, Risk
from tierstack.diff.texts import Text, counted, listed, printable, shown

LIMIT = 65_536
"""Characters of a comment on GitHub, as it counts them: UTF-16 units."""
MARKER = re.compile(r"<!-- tierstack-diff: [A-Za-z0-9._/-]+ -->\n")
"""The first line of each comment."""
_MOST = ((8, 40), (6, 24), (4, 12), (2, 6))
"""Findings of a class, and components, on the first screen: fewer, where all their names and values are long."""
_EXAMPLES = 3
"""Findings of a class that has more than the most."""
_ROOM = 2_000
"""Characters that the first screen leaves to what comes below it."""
_CLOSING = "\n\n</details>\n"
_MOST_ERRORS = 10
_LONGEST_ERROR = 1_500
_SYMBOLS = {
    Risk.DATA_LOSS: "🛑",
    Risk.IRREVERSIBLE: "🛑",
    Risk.REFUSED: "🛑",
    Risk.DOWNTIME: "⚠️",
    Risk.PUBLIC: "⚠️",
    Risk.WEAKENS: "⚠️",
    Risk.COST: "💶",
}


def comment(report: Report, limit: int = LIMIT) -> str:
    """The whole report, or as much of the details as fits: the first screen always does."""
    head = next(_heads(report, limit))
    rest = limit - _length(head) - 600  # for what says what is left out
    written: list[str] = []
    missing: dict[str, int] = {}
    for fold in _details(report):
        opening = f"\n<details><summary>{fold.title}</summary>\n"
        rest -= _length(opening) + len(_CLOSING)
        kept: list[str] = []
        for part in fold.parts:
            if (length := _length(part) + 2) <= rest:
                kept.append(part)
                rest -= length
        if kept:
            written.append("\n".join([opening, "\n\n".join(kept)]) + _CLOSING)
        if len(kept) < len(fold.parts):
            missing[fold.name] = len(fold.parts) - len(kept)
    if missing:
        count = counted(sum(missing.values()), "more resource", "more resources")
        written.append(f"\n{count} in the full report (`--output`), of {inline(listed(missing, 6))}.\n")
    if hidden := left_out(report.plan):
        written.append(f"\n<sub>Left out: {hidden}.</sub>\n")
    return head + "".join(written)


def _heads(report: Report, limit: int) -> Iterator[str]:
    """The first screen, as long as it fits; the shortest always is one."""
    for most in _MOST:
        head = "\n".join(_first_screen(report, *most))
        if _length(head) <= limit - _ROOM or most == _MOST[-1]:
            yield head


def marker(report: Report) -> str:
    """The hidden line by which the comment of a stack is found again."""
    name = "/".join(one for one in (report.plan.project, report.plan.stack or report.title) if one)
    return f"<!-- tierstack-diff: {re.sub('[^A-Za-z0-9._/-]|-(?=-)', '_', name)} -->"


def inline(text: Text) -> str:
    """A sentence, with what comes from the plan as code."""
    return "".join(part if isinstance(part, str) else code(part.text) for part in text)


def code(text: str) -> str:
    """Inline code around any text: more backticks than it has, and a space where it begins or ends with one."""
    text = printable(text) or " "
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if "`" in (text[0], text[-1]) or text.strip() == "" else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def block(lines: Sequence[str], language: str = "diff") -> str:
    """A block of code around any lines."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n" + "\n".join(lines) + f"\n{fence}"


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _first_screen(report: Report, findings: int, components: int) -> Iterator[str]:
    calm = "❔" if unjudged(report.plan) else "✅"
    symbol = "🛑" if report.plan.errors else calm if report.worst is None else _SYMBOLS[report.worst]
    yield marker(report)
    yield f"### {symbol} {inline(verdict(report))}"
    yield ""
    if report.is_empty:
        yield from _notes(report)
        return
    for error in report.plan.errors[:_MOST_ERRORS]:
        lines = error[:_LONGEST_ERROR].splitlines()
        yield block([printable(line) for line in lines], "")
    if len(report.plan.errors) > _MOST_ERRORS:
        yield f"and {counted(len(report.plan.errors) - _MOST_ERRORS, 'more error')}"
    if report.plan.errors:
        yield ""
        if not report.plan.changes:
            return
        yield "What the preview says up to there:"
        yield ""
    yield f"{summary(report)[0].upper()}{summary(report)[1:]}."
    yield from _notes(report)
    for risk in report.classes():
        if risk is not Risk.INFORMATION:
            yield from _risk(report, risk, findings)
    if report.plan.tier and not report.plan.errors:
        yield ""
        yield f"**Tier {code(report.plan.tier[0])} → {code(report.plan.tier[1])}**"
        yield ""
        yield from (f"- {inline(line)}" for line in tier_lines(report))
    elif kept := kept_data(report):
        yield ""
        yield inline(kept)
    if report.sentences:
        yield ""
        yield "**By component**"
        yield ""
    for one in report.sentences[:components]:
        name = code(one.component.name) if one.component.name else one.component.kind or "Others"
        yield f"- {name}: {inline(one.says)}"
    if len(report.sentences) > components:
        yield f"- and {counted(len(report.sentences) - components, 'more component')}"
    if report.of(Risk.INFORMATION):
        yield from _risk(report, Risk.INFORMATION, findings)
    yield ""


def _notes(report: Report) -> Iterator[str]:
    for note in (*report.plan.notes, *unjudged(report.plan)):
        yield ""
        yield f"> {inline(note)}"


def _risk(report: Report, risk: Risk, most: int) -> Iterator[str]:
    found = report.of(risk)
    yield ""
    yield f"**{risk.heading}**"
    yield ""
    if risk is Risk.COST:
        yield from (f"- {inline(one)}" for one in cost_lines(report))
    # Who sees that many of a class reads the names of the other classes first.
    most = most if len(found) <= most else min(most, _EXAMPLES)
    for one in found[:most]:
        yield f"- {inline(one.subject)}{inline(one.what)}."
        if any(each.old for each in one.changes) and (because := _because(one)):
            yield f"  Because of {because}."
        if one.instead:
            yield f"  *Instead:* {inline(one.instead)}"
    if len(found) > most:
        yield f"- and {len(found) - most} more"


def _because(one: Finding) -> str:
    if all(each.type == STACK for each in one.changes) and all(p.lines for p in one.because):
        return ""  # an output changes because of itself
    parts = [f"{code(shown_path(p.path))} {_change_of(p.old, p.new)}" for p in one.because[:2] if not p.lines]
    parts += [code(shown_path(p.path)) for p in one.because[:2] if p.lines]
    if len(one.because) > 2:
        parts.append(f"{len(one.because) - 2} more")
    return ", ".join(parts or [code(reason) for reason in one.reasons[:3]])


def _change_of(old: object, new: object) -> str:
    return f"{code(shown(old, 60))} → {code(shown(new, 60))}"


@dataclass(frozen=True)
class _Fold:
    """Details behind one line; each part is written whole or not at all."""

    name: str
    title: str
    parts: list[str]


def _details(report: Report) -> Iterator[_Fold]:
    for one in report.sentences:
        name = one.component.name or one.component.kind or "others"
        what = "Other changes" if name == "others" else f"Changes of {_html(name)}"
        title = f"{what}: {counts(one.changes)}"
        yield _Fold(name, title, [_of_change(change) for change in order(one.changes)])
    for one in report.plan.beside:
        if one.type == STACK:
            yield _Fold("outputs", "Outputs of the stack", [block(list(details.lines(one)))])
    warnings = [printable(line) for one in report.plan.warnings for line in one.splitlines()]
    if warnings:
        yield _Fold("warnings", "Warnings of the preview", [block(warnings[:60], "")])


def _of_change(change: Change) -> str:
    verb, what = details.heading(change)
    found = list(details.lines(change))
    return f"**{verb}** {code(what)}" + (f"\n\n{block(found)}" if found else "")


def _html(text: str) -> str:
    """A name in a summary, which is HTML."""
    return f"<code>{escape(printable(text)).replace('`', '&#96;')}</code>"
