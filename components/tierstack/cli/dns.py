"""`tierstack dns check`: what is wrong with a domain's records, live or in a zone file."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tierstack.cli import show
from tierstack.cli.project import Json, UsageError
from tierstack.dns_records.check import check_zone
from tierstack.dns_records.findings import Severity
from tierstack.dns_records.observe import check_live
from tierstack.dns_records.spf_lookups import DnsResolver

app = typer.Typer(no_args_is_help=True, help="Records of a domain.")

_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}


@app.callback()
def group() -> None:
    """Records of a domain."""


@app.command(
    epilog="Examples: [bold]tierstack dns check example.org[/bold]; "
    "[bold]tierstack dns check example.org --zone example.org.zone[/bold]"
)
def check(
    domain: Annotated[str, typer.Argument(help="The domain: example.org")],
    zone: Annotated[Path | None, typer.Option(help="Judge this zone file, offline.")] = None,
    selector: Annotated[list[str] | None, typer.Option(help="A DKIM selector to look at (repeatable).")] = None,
    json: Json = False,
) -> None:
    """What is wrong with the web and mail records of a domain, each with its rule and its remedy."""
    if zone is not None:
        if not zone.is_file():
            raise UsageError(f"{zone} is not a file")
        found = check_zone(zone.read_text(), domain)
    else:
        found = check_live(domain, DnsResolver(), selector or [])
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
