"""`tierstack dns`: what is wrong with a domain's records, and what the DNS says of the names that they depend on."""

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from tierstack.cli import options, show
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.ignores import unused
from tierstack.dns_records import ignores
from tierstack.dns_records.mail.mta_sts.fetch import fetch
from tierstack.dns_records.resolve.kept_answers import KeptAnswers, KeptAnswersError, Recording
from tierstack.dns_records.resolve.resolvers import DnsResolver
from tierstack.dns_records.rules import Severity
from tierstack.dns_records.zone.check import check_zone
from tierstack.dns_records.zone.observe import check_live
from tierstack.engine.output import check_file
from tierstack.engine.project import UsageError


@click.group
def run() -> None:
    """Records of a domain."""


@run.command(
    short_help="What is wrong with the records of a domain.",
    epilog=options.examples(
        "tierstack dns check example.org",
        "tierstack dns check example.org --zone example.org.zone --answers dns.json",
    ),
)
@click.argument("domain")
@click.option(
    "--zone",
    type=options.a_path(dash=True),
    metavar="FILE",
    help="Judge this zone file, offline; `-` reads standard input.",
)
@click.option("--selector", multiple=True, metavar="NAME", help="A DKIM selector to look at (repeatable).")
@click.option(
    "--answers",
    type=options.a_path(),
    metavar="FILE",
    help="With --zone: answers of the DNS that `tierstack dns snapshot` kept.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULE",
    help="A finding that is meant: RULE, RULE@NAME, and =REASON after it (repeatable).",
)
@options.json
def check(
    domain: str, zone: Path | None, selector: tuple[str, ...], answers: Path | None, ignore: tuple[str, ...], json: bool
) -> None:
    """What is wrong with the web and mail records of a domain, each with its rule and its remedy."""
    accepted = _accepted(ignore)
    if zone is not None:
        found = check_zone(options.octets(zone), domain, _kept(answers) if answers else None, list(selector))
    elif answers is not None:
        raise UsageError("--answers goes with --zone: without a zone file the DNS itself is asked")
    else:
        found = check_live(domain, DnsResolver(), list(selector), fetch)
    found, ignored = ignores.set_aside(found, accepted, domain.rstrip(".").lower())
    found += [_as_option(one) for one in unused(accepted, ignored)]
    broken = any(one.severity is Severity.ERROR for one in found)
    if json:
        show.as_json({"domain": domain, **show.diagnostics(found, ignored)})
    else:
        show.findings(found, ignored)
        if not broken:
            show.say(show.good(f"{domain}: no errors"))
    show.end(ok=not broken)


@run.command(
    short_help="Keep answers of the DNS for previews without a network.",
    epilog=options.examples("tierstack dns snapshot example.org --zone example.org.zone --out dns.json"),
)
@click.argument("domain")
@click.option(
    "--out",
    type=options.a_path(),
    required=True,
    metavar="FILE",
    help="Where the answers are written; `dns_answers_path` reads them.",
)
@click.option(
    "--zone",
    type=options.a_path(dash=True),
    metavar="FILE",
    help="The zone file to judge. Default: the zone as the DNS shows it.",
)
def snapshot(domain: str, out: Path, zone: Path | None) -> None:
    """Ask the DNS all that judging a zone asks, and keep the answers for previews without a network."""
    check_file(out, "--out")
    asked = Recording(DnsResolver())
    if zone is None:
        check_live(domain, asked)
    else:
        check_zone(options.octets(zone), domain, asked)
    if not asked.answers:
        raise UsageError("the DNS gave no answer: check the network")
    asked.write(out, datetime.now(UTC).date().isoformat())
    show.say(f"{out}: {len(asked.answers)} answers")


def _accepted(given: Sequence[str]) -> dict[str, str]:
    """What `--ignore` names: a rule, or a rule and a name → the reason."""
    accepted: dict[str, str] = {}
    for one in given:
        key, _, reason = one.partition("=")
        accepted[key.strip()] = reason.strip() or "given on the command line"
    if wrong := ignores.problems(accepted):
        raise UsageError("; ".join(_as_option(one).line for one in wrong))
    return accepted


def _as_option(one: Diagnostic) -> Diagnostic:
    """What is said of a key of `ignore`, at the option that gave it."""
    return dataclasses.replace(one, path=f"--ignore {one.path.removeprefix('ignore.')}")


def _kept(path: Path) -> KeptAnswers:
    try:
        return KeptAnswers.read(path)
    except KeptAnswersError as problem:
        raise UsageError(f"{path} {problem}") from None
