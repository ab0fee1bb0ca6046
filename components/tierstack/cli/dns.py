"""`tierstack dns`: what is wrong with a domain's records, and what the DNS says of the names that they depend on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tierstack.cli import show
from tierstack.cli.project import Json, UsageError
from tierstack.dns_records.check import check_zone
from tierstack.dns_records.findings import Severity
from tierstack.dns_records.kept_answers import KeptAnswers, KeptAnswersError, Recording
from tierstack.dns_records.mta_sts_fetch import fetch
from tierstack.dns_records.observe import check_live
from tierstack.dns_records.spf_lookups import DnsResolver

app = typer.Typer(no_args_is_help=True, help="Records of a domain.")

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


@app.callback()
def group() -> None:
    """Records of a domain."""


@app.command(
    epilog="Examples: [bold]tierstack dns check example.org[/bold]; "
    "[bold]tierstack dns check example.org --zone example.org.zone --answers dns.json[/bold]"
)
def check(
    domain: Annotated[str, typer.Argument(help="The domain: example.org")],
    zone: Annotated[Path | None, typer.Option(help="Judge this zone file, offline.")] = None,
    selector: Annotated[list[str] | None, typer.Option(help="A DKIM selector to look at (repeatable).")] = None,
    answers: Annotated[
        Path | None, typer.Option(help="With --zone: answers of the DNS that `tierstack dns snapshot` kept.")
    ] = None,
    json: Json = False,
) -> None:
    """What is wrong with the web and mail records of a domain, each with its rule and its remedy."""
    if zone is not None:
        found = check_zone(_text(zone), domain, _kept(answers) if answers else None)
    elif answers is not None:
        raise UsageError("--answers goes with --zone: without a zone file the DNS itself is asked")
    else:
        found = check_live(domain, DnsResolver(), selector or [], fetch)
    broken = any(one.severity is Severity.ERROR for one in found)
    if json:
        show.as_json({"domain": domain, "ok": not broken, "findings": [one.as_dict() for one in found]})
    else:
        for one in found:
            style = _STYLES.get(one.severity, "dim")
            show.out.print(f"[{style}]{one.severity.value:<8}[/] {escape(one.sentence)}")
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
    asked = Recording(DnsResolver())
    if zone is None:
        check_live(domain, asked)
    else:
        check_zone(_text(zone), domain, asked)
    if not asked.answers:
        raise UsageError("the DNS gave no answer: check the network")
    asked.write(out, datetime.now(UTC).date().isoformat())
    show.out.print(f"{escape(str(out))}: {len(asked.answers)} answers")


def _text(zone: Path) -> str:
    if not zone.is_file():
        raise UsageError(f"{zone} is not a file")
    return zone.read_text()


def _kept(path: Path) -> KeptAnswers:
    try:
        return KeptAnswers.read(path)
    except KeptAnswersError as problem:
        raise UsageError(f"{path} {problem}") from None
