"""`tierstack topology`: a picture of what a configuration runs."""

import json as jsonlib
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from tierstack.cli.options import Folder, On, Stack
from tierstack.core.errors import ArgumentError
from tierstack.engine.output import check_file
from tierstack.engine.project import find
from tierstack.engine.target import on
from tierstack.stack import picture

EXAMPLES = (
    "Examples: [bold]tierstack topology -s prod -o prod.svg[/bold]; "
    "[bold]tierstack topology -s local --format mermaid[/bold]"
)


class Format(Enum):
    """How a picture is written."""

    SVG = "svg"
    MERMAID = "mermaid"
    JSON = "json"


def run(
    stack: Stack,
    platform: On = None,
    format: Annotated[Format, typer.Option(help="How it is written.")] = Format.SVG,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Default: standard output.")] = None,
    cwd: Folder = Path(),
) -> None:
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
