"""The page names every argument and no other, and says the numbers that the code has."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from tierstack.app_cluster import AppClusterArgs
from tierstack.gateway import GatewayArgs

DOCS = Path(__file__).parents[2] / "docs/components"


@pytest.mark.parametrize(("page", "args"), [("app-cluster.md", AppClusterArgs), ("gateway.md", GatewayArgs)])
def test_every_argument_is_on_the_page(page: str, args: type) -> None:
    text = (DOCS / page).read_text()
    table = text[text.index("## Arguments") : text.index("## When something fails")]
    named = {
        name for row in re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert named == {field.name for field in fields(args)}


def test_defaults_are_those_of_the_code() -> None:
    text = (DOCS / "app-cluster.md").read_text()
    for name in ("port", "migrate_timeout_seconds", "max_body_mb", "hsts_seconds", "request_timeout_seconds"):
        default = next(field.default for field in fields(AppClusterArgs) if field.name == name)
        assert f"| `{name}` | {default} |" in text, name
