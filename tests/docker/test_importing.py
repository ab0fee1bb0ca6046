"""The smallest program of docs/importing.md, with its own text, on a real daemon."""

import json
from pathlib import Path

import yaml

from tests.projects import ROOT, Checkout
from tests.support import containers_of, docker_client, image

PREFIX = "t-importing"


def test_the_smallest_program_of_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs/importing.md").read_text()
    section = page.partition("## The smallest program")[2].partition("## Examples")[0]
    program = section.partition("```python\n")[2].partition("```")[0]
    described = yaml.safe_load(section.partition("```yaml\n")[2].partition("```")[0])
    assert described["runtime"]["options"] == {"virtualenv": ".venv"}  # here it is the one that runs the tests
    (tmp_path / "state").mkdir()
    (tmp_path / "__main__.py").write_text(program.replace('"shop-dev"', f'"{PREFIX}"'))
    (tmp_path / "Pulumi.yaml").write_text(yaml.safe_dump({**described, "runtime": "python"}))
    checkout = Checkout(tmp_path)
    checkout.pulumi("stack", "init", "dev")

    def configure(valkey: str) -> None:
        (tmp_path / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": {"image:valkey": valkey}}))

    docker_client()
    configure(f"valkey/valkey:8.1@sha256:{64 * '0'}")  # as on the page: a preview pulls nothing
    planned = json.loads(checkout.pulumi("preview", "--json", "-s", "dev").stdout)
    assert planned["changeSummary"]["create"] == int(section.partition("# ")[2].rpartition(" to create")[0].split()[-1])
    configure(image("valkey:8.1"))
    try:
        checkout.pulumi("up", "--yes", "--skip-preview", "-s", "dev")
        checkout.pulumi("preview", "--expect-no-changes", "-s", "dev")
        for one in containers_of(PREFIX):
            one.remove(force=True)  # by hand: `down` finds none, and goes on
    finally:
        done = checkout.tierstack("down", "-s", "dev", "--delete-data", "--yes")
    assert "gone already: the rest follows" in done.stderr
    assert [one.name for one in containers_of(PREFIX)] == []
