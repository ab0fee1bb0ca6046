"""`tierstack dns`: what is wrong with a domain's records, and what the DNS says of the names that they depend on."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tierstack.cli import show
from tierstack.cli.options import Json
from tierstack.dns_records import ignores
from tierstack.dns_records.mail.mta_sts.fetch import fetch
from tierstack.dns_records.resolve.kept_answers import KeptAnswers, KeptAnswersError, Recording
from tierstack.dns_records.resolve.resolvers import DnsResolver
from tierstack.dns_records.rules import Severity
from tierstack.dns_records.zone.check import check_zone
from tierstack.dns_records.zone.observe import check_live
from tierstack.engine.output import check_file
from tierstack.engine.project import UsageError

app = typer.Typer(no_args_is_help=True, help="Records of a domain.")


@app.callback()
def group() -> None:
    """Records of a domain."""


@app.command(
    epilog="Examples: [bold]tierstack dns check example.org[/bold]; "
    "[bold]tierstack dns check example.org --zone example.org.zone --answers dns.json[/bold]"
)
def check(
    domain: Annotated[str, typer.Argument(help="The domain: example.org")],
    zone: Annotated[Path | None, typer.Option(help="Judge this zone file, offline; `-` reads standard input.")] = None,
    selector: Annotated[list[str] | None, typer.Option(help="A DKIM selector to look at (repeatable).")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="With --zone: answers of the DNS that `tierstack dns snapshot` kept.")
    ] = None,
    ignore: Annotated[
        list[str] | None,
        typer.Option(help="A finding that is meant: RULE, RULE@NAME, and =REASON after it (repeatable)."),
    ] = None,
    json: Json = False,
) -> None:
    """What is wrong with the web and mail records of a domain, each with its rule and its remedy."""
    accepted = _accepted(ignore or [])
    if zone is not None:
        found = check_zone(_octets(zone), domain, _kept(answers) if answers else None, selector or [])
    elif answers is not None:
        raise UsageError("--answers goes with --zone: without a zone file the DNS itself is asked")
    else:
        found = check_live(domain, DnsResolver(), selector or [], fetch)
    found, ignored = ignores.set_aside(found, accepted, domain.rstrip(".").lower())
    broken = any(one.severity is Severity.ERROR for one in found)
    if json:
        show.as_json({"domain": domain, **show.diagnostics(found, ignored)})
    else:
        show.findings(found, ignored, show.out)
        if not broken:
            show.out.print(f"[bold green]{escape(domain)}: no errors[/]")
    raise typer.Exit(1 if broken else 0)


@app.command(epilog="Example: [bold]tierstack dns snapshot example.org --zone example.org.zone --out dns.json[/bold]")
def snapshot(
    domain: Annotated[str, typer.Argument(help="The domain: example.org")],
    out: Annotated[Path, typer.Option(help="Where the answers are written; `dns_answers_path` reads them.")],
    zone: Annotated[
        Path | None, typer.Option(help="The zone file to judge. None: the zone as the DNS shows it.")
    ] = None,
) -> None:
    """Ask the DNS all that judging a zone asks, and keep the answers for previews without a network."""
    check_file(out, "--out")
    asked = Recording(DnsResolver())
    if zone is None:
        check_live(domain, asked)
    else:
        check_zone(_octets(zone), domain, asked)
    if not asked.answers:
        raise UsageError("the DNS gave no answer: check the network")
    asked.write(out, datetime.now(UTC).date().isoformat())
    show.out.print(f"{escape(str(out))}: {len(asked.answers)} answers")


def _accepted(given: list[str]) -> dict[str, str]:
    """What `--ignore` names: a rule, or a rule and a name → the reason."""
    accepted: dict[str, str] = {}
    for one in given:
        key, _, reason = one.partition("=")
        accepted[key.strip()] = reason.strip() or "given on the command line"
    if wrong := ignores.problems(accepted, "--ignore"):
        raise UsageError("; ".join(str(one).replace("--ignore.", "--ignore ", 1) for one in wrong))
    return accepted


def _octets(zone: Path) -> bytes:
    """A zone file as it stands; `-` is the standard input."""
    try:
        return sys.stdin.buffer.read() if str(zone) == "-" else zone.read_bytes()
    except OSError as problem:
        raise UsageError(f"{zone} cannot be read: {problem.strerror}") from None


def _kept(path: Path) -> KeptAnswers:
    try:
        return KeptAnswers.read(path)
    except KeptAnswersError as problem:
        raise UsageError(f"{path} {problem}") from None
