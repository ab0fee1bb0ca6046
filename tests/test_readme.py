"""The first page: its example is the file that runs."""

import re
import runpy
from pathlib import Path

import pulumi
import pytest

from tests.support import run_program

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "compose" / "__main__.py"


def test_the_example_of_the_first_page_is_the_file() -> None:
    assert f"```python\n{EXAMPLE.read_text()}```" in (ROOT / "README.md").read_text()
    assert len(EXAMPLE.read_text().splitlines()) <= 25


COMPOSED = {
    "AppCluster",
    "BackupSchedule",
    "DatabaseWithReplicas",
    "DNSRecords",
    "Gateway",
    "RedisCluster",
    "TLS",
}


@pytest.mark.graph
@pytest.mark.parametrize(("example", "more"), [("compose", set()), ("kubernetes", {"ObjectStorage"})])
def test_the_examples_compose_every_component(example: str, more: set[str]) -> None:
    pulumi.runtime.set_all_config(
        {
            f"image:{name}": f"registry.example/{name}:17@sha256:{'0' * 64}"
            for name in ("app", "traefik", "valkey", "postgres", "pgbouncer", "barman")
        }
    )
    made = run_program(lambda: runpy.run_path(str(ROOT / "examples" / example / "__main__.py"))).made
    kinds = {one.type.rpartition(":")[2] for one in made if one.type.startswith("tierstack:")}
    assert kinds == COMPOSED | more


def test_each_release_has_the_headings_of_keep_a_changelog_once_and_in_order() -> None:
    order = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
    releases = (ROOT / "CHANGELOG.md").read_text().split("\n## ")[1:]
    for release in releases:
        headings = re.findall(r"^### (.*)$", release, flags=re.MULTILINE)
        assert headings == [one for one in order if one in headings], release.partition("\n")[0]
