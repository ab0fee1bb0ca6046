"""A report as one HTML page that needs nothing else: no script, no font, no image."""

from collections.abc import Iterator
from html import escape

from tierstack.diff import details
from tierstack.diff.model import shown_path
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
from tierstack.diff.texts import Text, plain, printable, shown

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8881; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.4rem; border-left: .4rem solid; padding-left: .6rem; }
h1.stop { border-color: #c62828; } h1.care { border-color: #ef6c00; } h1.fine { border-color: #2e7d32; }
h2 { font-size: 1.05rem; margin: 1.5rem 0 .3rem; }
code, pre { font: .88em/1.45 ui-monospace, monospace; background: var(--soft); border-radius: .2rem; }
code { padding: .1em .25em; overflow-wrap: anywhere; } pre { padding: .6rem; overflow-x: auto; }
li { margin: .3rem 0; } .why, .instead { display: block; font-size: .93em; opacity: .85; }
.del { color: #c62828; } .add { color: #2e7d32; }
details { border-top: 1px solid var(--line); padding: .4rem 0; } summary { cursor: pointer; }
footer { margin-top: 2rem; font-size: .85em; opacity: .7; }
@media print { details > * { display: block; } }
"""
_LOUD = (Risk.DATA_LOSS, Risk.IRREVERSIBLE, Risk.REFUSED)


def page(report: Report) -> str:
    """The whole report."""
    title = escape(plain(verdict(report)))
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>"
    )
    return "\n".join([head, *_body(report), "</body>\n</html>\n"])


def _body(report: Report) -> Iterator[str]:
    tone = "fine" if report.worst is None else "stop" if report.worst in _LOUD else "care"
    yield f'<h1 class="{"stop" if report.plan.errors else tone}">{_inline(verdict(report))}</h1>'
    yield from (f"<pre>{escape(error)}</pre>" for error in report.plan.errors)
    if not report.is_empty:
        yield f"<p>{escape(summary(report))}.</p>"
    notes = (*report.plan.notes, *unjudged(report.plan))
    yield from (f"<p>{_inline(note)}</p>" for note in notes)
    for risk in report.classes():
        yield f"<h2>{risk.heading}</h2>\n<ul>"
        if risk is Risk.COST:
            yield from (f"<li>{_inline(line)}</li>" for line in cost_lines(report))
        yield from map(_finding, report.of(risk))
        yield "</ul>"
    if report.plan.tier and not report.plan.errors:
        before, after = map(_safe, report.plan.tier)
        yield f"<h2>Tier <code>{before}</code> → <code>{after}</code></h2>\n<ul>"
        yield from (f"<li>{_inline(line)}</li>" for line in tier_lines(report))
        yield "</ul>"
    elif kept := kept_data(report):
        yield f"<p>{_inline(kept)}</p>"
    if report.sentences:
        yield "<h2>By component</h2>\n<ul>"
        for one in report.sentences:
            name = one.component.name or one.component.kind or "others"
            yield f"<li><code>{escape(name)}</code>: {_inline(one.says)}</li>"
        yield "</ul>\n<h2>Details</h2>"
        yield from _details(report)
    for one in report.plan.beside:
        if one.type == STACK:
            lines = "\n".join(map(_line, details.lines(one)))
            yield f"<details><summary>Outputs of the stack</summary><pre>{lines}</pre></details>"
    if report.plan.warnings:
        said = escape("\n".join(report.plan.warnings))
        yield f"<details><summary>Warnings of the preview</summary><pre>{said}</pre></details>"
    if hidden := left_out(report.plan):
        yield f"<footer>Left out: {escape(hidden)}.</footer>"


def _finding(one: Finding) -> str:
    because = ", ".join(
        f"<code>{_safe(shown_path(p.path))}</code>"
        + ("" if p.lines else f" <code>{_safe(shown(p.old))}</code> → <code>{_safe(shown(p.new))}</code>")
        for p in one.because[:3]
    ) or ", ".join(f"<code>{_safe(reason)}</code>" for reason in one.reasons)
    why = f'<span class="why">Because of {because}.</span>' if because else ""
    instead = f'<span class="instead">Instead: {_inline(one.instead)}</span>' if one.instead else ""
    return f"<li>{_inline(one.subject)}{_inline(one.what)}.{why}{instead}</li>"


def _details(report: Report) -> Iterator[str]:
    for sentence in report.sentences:
        name = sentence.component.name or sentence.component.kind or "others"
        what = "Other changes" if name == "others" else f"Changes of <code>{escape(name)}</code>"
        title = f"{what}: {counts(sentence.changes)}"
        yield f"<details><summary>{title}</summary>"
        for change in order(sentence.changes):
            verb, what = details.heading(change)
            yield f"<p><b>{verb}</b> <code>{_safe(what)}</code></p>"
            if lines := list(details.lines(change)):
                yield "<pre>" + "\n".join(map(_line, lines)) + "</pre>"
        yield "</details>"


def _line(line: str) -> str:
    kind = {"-": "del", "+": "add"}.get(line[:1])
    return f'<span class="{kind}">{escape(line)}</span>' if kind else escape(line)


def _inline(text: Text) -> str:
    return "".join(escape(part) if isinstance(part, str) else f"<code>{_safe(part.text)}</code>" for part in text)


def _safe(text: str) -> str:
    return escape(printable(text))
