"""`tierstack topology`: a picture of what a configuration runs."""

import json as jsonlib
from enum import Enum
from pathlib import Path

import click

from tierstack.cli import options
from tierstack.core.errors import ArgumentError
from tierstack.engine.output import check_file
from tierstack.engine.project import find
from tierstack.engine.target import Target, on
from tierstack.stack import picture


class Format(Enum):
    """How a picture is written."""

    SVG = "svg"
    MERMAID = "mermaid"
    JSON = "json"


@click.command(
    short_help="A picture of what runs and who calls whom.",
    epilog=options.examples("tierstack topology -s prod -o prod.svg", "tierstack topology -s local --format mermaid"),
)
@options.stack
@options.platform
@click.option(
    "--format",
    **options.choice(Format),
    default=Format.SVG.value,
    help="How it is written. Default: svg.",
)
@click.option("--output", "-o", type=options.a_path(), metavar="FILE", help="Default: standard output.")
@options.cwd
def run(stack: str, platform: Target | None, format: Format, output: Path | None, cwd: Path) -> None:
    """A picture of what runs and who calls whom, made from the configuration."""
    if output:
        check_file(output, "--output")
    project = find(cwd)
    config = project.config(stack)
    found = project.check(stack, on(config, platform, stack) if platform else config)
    if found.problems:
        raise ArgumentError(f"configuration of stack {stack}", found.problems)
    topology: picture.Topology = found.topology()
    if format is Format.JSON:
        text = jsonlib.dumps(picture.as_dict(topology), indent=2, ensure_ascii=False) + "\n"
    else:
        text = picture.svg(topology) if format is Format.SVG else picture.mermaid(topology)
    if output:
        output.write_text(text)
    else:
        print(text, end="")
