"""`tierstack diff`: what a change does to a stack, for a reviewer."""

import json as json_format
import sys
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import Any, cast

import click
import yaml

from tierstack.cli import options, posting, show
from tierstack.core.errors import ArgumentError
from tierstack.diff.beside import reads
from tierstack.diff.cost import Prices
from tierstack.diff.document import Written, document, written
from tierstack.diff.html import page
from tierstack.diff.manifests import Manifest, compared
from tierstack.diff.markdown import comment
from tierstack.diff.model import Plan
from tierstack.diff.preview import UnreadableError, parsed, read
from tierstack.diff.report import Report
from tierstack.diff.report import report as make_report
from tierstack.diff.risk import Risk
from tierstack.engine import comparison, volumes
from tierstack.engine.aim import aim, refuse_if_applied
from tierstack.engine.project import UsageError, find
from tierstack.engine.run import RunFailedError, engine
from tierstack.engine.target import Target
from tierstack.posting.environment import ForgeName

MET = 3
"""Exit code where the change has a risk that `--fail-on` names."""


class Format(Enum):
    """How a report is written."""

    MARKDOWN = "markdown"
    HTML = "html"
    JSON = "json"


_BY_SUFFIX = {".html": Format.HTML, ".htm": Format.HTML, ".json": Format.JSON}


@click.command(
    short_help="Say what a change does, for a reviewer.",
    epilog=options.examples(
        "tierstack diff -s prod --base origin/main        (a rendered stack, without a cluster)",
        "pulumi preview --json | tierstack diff -         (any Pulumi project)",
        "tierstack diff --rendered old/prod new/prod --fail-on data-loss --output report.html",
        "tierstack diff -s prod --base HEAD^1 --post github --labels  (one comment per stack, GITHUB_TOKEN)",
    ),
)
@click.argument("preview", type=options.a_path(dash=True), required=False)
@click.option("--stack", "-s", metavar="NAME", help="Run the preview of this stack.")
@click.option("--base", metavar="REVISION", help="With --stack: a Git revision to compare a rendered stack with.")
@click.option(
    "--rendered",
    type=(options.a_path(), options.a_path()),
    metavar="BEFORE AFTER",
    help="Two directories of manifests, before and after.",
)
@click.option(
    "--report",
    type=options.a_path(),
    metavar="FILE",
    help="With --post: a report that `--output FILE.json` wrote, such as in an earlier job.",
)
@click.option(
    "--reader",
    type=options.a_path(),
    multiple=True,
    metavar="FILE",
    help="`pulumi stack export` of another stack, which is named where it reads outputs that change. Repeatable.",
)
@click.option(
    "--fail-on",
    type=click.Choice([one.value for one in Risk]),
    multiple=True,
    help="End with exit code 3 on a risk of this class. Repeatable.",
)
@click.option(
    "--output",
    "-o",
    type=options.a_path(),
    multiple=True,
    metavar="FILE",
    help="Also write the full report: FILE.md, FILE.html, FILE.json. Repeatable.",
)
@click.option(
    "--prices",
    type=options.a_path(),
    metavar="FILE",
    help="YAML with `currency`, `cpu`, `memory_gib`, `disk_gib`: of a month.",
)
@click.option(
    "--post",
    **options.choice(ForgeName),
    help="Make the report the stack's one comment on the pull request. Token: GITHUB_TOKEN or GITLAB_TOKEN.",
)
@click.option(
    "--pull-request",
    type=click.IntRange(min=1),
    metavar="NUMBER",
    help="With --post: its number. Default: what CI says.",
)
@click.option(
    "--labels", is_flag=True, help="With --post: also set a label for each class of risk, `infra: data-loss`."
)
@click.option("--title", default="", metavar="NAME", help="Name of the stack in the report.")
@click.option(
    "--format",
    **options.choice(Format),
    default=Format.MARKDOWN.value,
    help="Form on standard output. Default: markdown.",
)
@options.json
@options.cwd
def run(
    preview: Path | None,
    stack: str | None,
    base: str | None,
    rendered: tuple[Path, Path] | None,
    report: Path | None,
    reader: tuple[Path, ...],
    fail_on: tuple[str, ...],
    output: tuple[Path, ...],
    prices: Path | None,
    post: ForgeName | None,
    pull_request: int | None,
    labels: bool,
    title: str,
    format: Format,
    json: bool,
    cwd: Path,
) -> None:
    """Say what a change does: what is lost, stops, becomes public, protects less or costs more, and what to do instead.

    The Markdown on standard output fits into a comment of GitHub: its first screen is always whole, details are cut
    where they do not fit. Changes nothing. PREVIEW is a file with what `pulumi preview --json` printed; `-`: standard
    input. Exit code 1: the preview failed, and the report says why.
    """
    given = [one for one in (preview, rendered, stack, report) if one is not None]
    if len(given) != 1 or (base is not None and stack is None):
        raise UsageError(
            "name one source: a FILE of `pulumi preview --json` (or `-`), --rendered BEFORE AFTER, --stack NAME "
            "(with --base REVISION for a rendered stack), or --report FILE with --post"
        )
    if post is None and (labels or pull_request is not None or report is not None):
        raise UsageError("--labels, --pull-request and --report go with --post; add `--post github` or `--post gitlab`")
    request = posting.pull_request(post, pull_request, labels=labels) if post else None
    if report:
        if reader or output or prices or title or json or format is not Format.MARKDOWN:
            raise UsageError(
                "--report posts what was written: give --reader, --output, --prices, --title and --format where "
                "it is made"
            )
        result = posting.written_report(report)
    else:
        try:
            plan = _plan(preview, rendered, stack, base, title, cwd)
        except UsageError as error:
            if not request:
                raise
            if not stack:
                request.post_failure(str(error))
                raise
            plan = Plan((), project=find(cwd).name, stack=stack, errors=(str(error),))
        plan = replace(plan, readers=_readers(reader, plan))
        made = make_report(plan, title=title, prices=_prices(prices) if prices else None)
        for file in output:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(_written(made, _BY_SUFFIX.get(file.suffix, Format.MARKDOWN), limit=None), encoding="utf-8")
        print(_written(made, Format.JSON if json else format), end="", flush=True)
        result = written(made)
    _end(result, fail_on, request.post(result) if request else 0)


def _plan(
    preview: Path | None,
    rendered: tuple[Path, Path] | None,
    stack: str | None,
    base: str | None,
    title: str,
    cwd: Path,
) -> Plan:
    if rendered:
        return compared(_manifests(rendered[0]), _manifests(rendered[1]), stack=title)
    return _run(stack, base, cwd) if stack else _read(cast(Path, preview))


def _end(result: Written, fail_on: Sequence[str], code: int) -> None:
    """The exit code: what the preview and the risks say comes before whether it was posted."""
    if result.failed:
        show.end(ok=False)
    if met := [one for one in result.classes if one.value in fail_on]:
        show.warn(f"{show.bad('the change has risks of:')} {', '.join(met)}")
        raise click.exceptions.Exit(MET)
    if code:
        raise click.exceptions.Exit(code)


def _written(made: Report, format: Format, limit: int | None = 0) -> str:
    if format is Format.JSON:
        return json_format.dumps(document(made), indent=2, ensure_ascii=False) + "\n"
    if format is Format.HTML:
        return page(made)
    return comment(made) if limit is not None else comment(made, limit=sys.maxsize)


def _run(stack: str, base: str | None, cwd: Path) -> Plan:
    """The plan of a preview that is run now. A configuration with problems is a plan that failed: whoever reads the
    report learns of it where the last one stood."""
    project = find(cwd)
    failed = Plan(changes=(), project=project.name, stack=stack)
    try:
        found = aim(project, stack, None)
        if found.target is Target.RENDER and base is None:
            refuse_if_applied(project, stack, found)
            raise UsageError(
                f"{stack} is rendered, so no state says what it is now. Compare it with a Git revision: "
                f"`tierstack diff --stack {stack} --base origin/main`; or compare two folders: --rendered BEFORE AFTER"
            )
        if base is not None:
            if found.target in (Target.DOCKER, Target.KUBERNETES):
                raise UsageError(
                    f"{stack} is applied to {found.shown}, so its preview needs that, and compares with its state. "
                    "Leave --base out; or compare renderings of both revisions: --rendered BEFORE AFTER"
                )
            result = comparison.compared(project, stack, found, base)
            plan = _planned(result.printed, result.ok, failed)
            return replace(plan, notes=(*plan.notes, *result.notes), tier=result.tier)
        with engine(project, stack, found.config) as pulumi:
            is_new = pulumi.create_stack()
            refresh = ["--refresh"] if not is_new and found.on_docker(pulumi) else []
            ok, printed = pulumi.preview_json(*refresh)
            if refresh and not ok and volumes.refused([printed]):
                show.volumes_gone(volumes.missing(pulumi.resources(), found.platform))
                ok, printed = pulumi.preview_json()
        return _planned(printed, ok, failed)
    except ArgumentError as error:
        return replace(failed, errors=(str(error),))
    except RunFailedError as error:
        return replace(failed, errors=tuple(error.messages))


def _planned(printed: str, ok: bool, failed: Plan) -> Plan:
    """The plan in what the engine printed; where it is none, the engine said why."""
    try:
        plan = read(parsed(printed))
    except UnreadableError:
        return replace(failed, errors=(printed or "the engine said nothing",))
    if not ok and not plan.errors:
        return replace(plan, errors=("the engine ended with an error and did not say which",))
    return plan if plan.stack else replace(plan, project=failed.project, stack=failed.stack)


def _read(preview: Path) -> Plan:
    given = str(preview) == "-"
    name = "standard input" if given else str(preview)
    try:
        text = sys.stdin.read() if given else preview.read_text(encoding="utf-8")
        if not text.strip():
            raise UnreadableError("is empty: what should have written it failed; see its own messages")
        return read(parsed(text))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}") from None
    except UnreadableError as error:
        raise UsageError(f"{name} {error}") from None


def _readers(files: Sequence[Path], plan: Plan) -> tuple[str, ...]:
    """The stacks among `files` that read the outputs of this one."""
    found: set[str] = set()
    for file in files:
        try:
            document: Any = json_format.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read: {error}; make it with `pulumi stack export`") from None
        if not isinstance(document, dict) or not {"deployment", "steps"} & {*cast(dict[str, Any], document)}:
            raise UsageError(f"{file} is no state of a stack; make it with `pulumi stack export`")
        found.add(reads(cast(dict[str, Any], document), plan.project, plan.stack))
    return tuple(sorted(found - {""}))


def _manifests(folder: Path) -> Sequence[Manifest]:
    """The manifests in the YAML files below a folder."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a directory; name a folder of manifests, such as `tierstack render` writes")
    found: list[Manifest] = []
    for file in sorted([*folder.rglob("*.yaml"), *folder.rglob("*.yml")]):
        try:
            documents = list(yaml.load_all(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise UsageError(f"{file} is not YAML: {error}") from None
        found += [
            cast(Manifest, one) for one in documents if isinstance(one, dict) and file.name != "kustomization.yaml"
        ]
    return found


def _prices(file: Path) -> Prices:
    try:
        given: Any = yaml.safe_load(file.read_text(encoding="utf-8"))
        if not isinstance(given, dict):
            raise ValueError("is not a map")
        return Prices.of(cast(dict[str, Any], given))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{file}: {error}") from None
