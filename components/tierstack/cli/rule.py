"""`tierstack rule`: what a rule guards, why, and where it stands."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from tierstack.cli import options, show
from tierstack.core.diagnostics import Rule
from tierstack.core.errors import nearest
from tierstack.engine.project import UsageError
from tierstack.stack import rulebook


def _codes(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The codes of all rules, for the completion of a shell."""
    return [CompletionItem(code) for code in sorted(rulebook.rules()) if code.startswith(incomplete)]


@click.command(
    short_help="What a rule guards, why, and where it stands.",
    epilog=options.examples("tierstack rule image-reference", "tierstack rule"),
)
@click.argument("code", required=False, shell_complete=_codes)
@options.json
def run(code: str | None, json: bool) -> None:
    """Explain a rule by its code, which stands in brackets at the end of a finding; without CODE, list all rules.

    Needs no project, no engine and no network.
    """
    if code is None:
        _all(json)
        return
    rules = rulebook.rules()
    if code not in rules:
        guess = nearest(code, rules)
        instead = f"did you mean `{guess}`?" if guess else "`tierstack rule` lists all rules"
        raise UsageError(f"there is no rule `{code}`; {instead}")
    if json:
        show.as_json(_for_machines(rules[code]))
    else:
        _explain(rules[code])


def _all(json: bool) -> None:
    if json:
        listed = [one for group in rulebook.groups().values() for one in group]
        show.as_json({"rules": [_for_machines(one) for one in listed]})
        return
    width = max(len(code) for code in rulebook.rules())
    for title, listed in rulebook.groups().items():
        show.say(show.bold(title))
        for one in listed:
            show.say(f"  {one.code:<{width}}  {'/'.join(one.severities):<13}  {one.guards}")


def _explain(rule: Rule) -> None:
    accepted = rule.accepted or ("can be accepted with `ignore`" if rule.ignorable else "cannot be ignored")
    about = f"({', '.join(rule.severities)}; {accepted})"
    show.say(f"{show.bold(rule.code)} {show.dim(about)}")
    show.say(f"  {rule.guards}")
    for title, text in (("Why", rule.why), ("Wrong", rule.wrong), ("Right", rule.right), ("Source", rule.source)):
        if text:
            show.say(f"  {show.dim(f'{title:<7}')} {text}")
    show.say(f"  {show.dim('From   ')} {rulebook.group_of(rule)}")


def _for_machines(rule: Rule) -> dict[str, Any]:
    return {
        "code": rule.code,
        "from": rulebook.group_of(rule),
        "guards": rule.guards,
        "why": rule.why,
        "severities": list(rule.severities),
        "ignorable": rule.ignorable,
        "source": rule.source,
        "wrong": rule.wrong,
        "right": rule.right,
    }
