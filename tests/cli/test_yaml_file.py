"""How a stack's file is read: as the engine reads it, and what is said where that is not what is meant."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command
from tests.projects import Checkout
from tierstack.engine import yaml_file
from tierstack.engine.project import ConfigurationError, find

SCALARS: list[dict[str, Any]] = yaml.safe_load(
    (Path(__file__).parents[1] / "cases" / "settings" / "scalars.yaml").read_text()
)


@pytest.mark.parametrize("case", SCALARS, ids=lambda case: case["text"])
def test_a_plain_value(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(f"config:\n  shop:app:\n    a: [{{k: {case['text']}}}]\n")
    document, written = yaml_file.read(file)
    found = document["config"]["shop:app"]["a"][0]["k"]
    assert (found, type(found) is bool) == (case["value"], type(case["value"]) is bool)
    assert isinstance(found, str) == isinstance(case["value"], str)
    place = written.get(("config", "shop:app", "a", 0, "k"))
    assert (place.otherwise if place else "").startswith(case.get("said", ""))
    assert bool(place and place.otherwise) == ("said" in case)


@pytest.mark.parametrize("case", SCALARS, ids=lambda case: case["text"])
def test_what_is_written_for_a_run_is_the_same_to_every_reader(case: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(yaml_file.text({case["text"]: [case["text"]], "value": case["value"]}))
    given = {case["text"]: [case["text"]], "value": case["value"]}
    assert yaml_file.load(file) == yaml.safe_load(file.read_text()) == given


@pytest.mark.parametrize("key", ["no", "on", "yes", "off", "y", "12:30", "2026-11-26"])
def test_a_key_is_a_text(key: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(f"config:\n  {key}: {{a: 1}}\n")
    assert yaml_file.load(file) == {"config": {key: {"a": 1}}}


@pytest.mark.parametrize("text", ["config: !!int 12:30\n", "config: {a: !!float x}\n", "? [a]\n: b\n"])
def test_a_value_that_is_not_what_its_tag_says(text: str, tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match=r"Pulumi\.x\.yaml is not YAML: line 1"):
        yaml_file.load(file)


def test_an_alias_of_what_it_is_in_is_no_endless_loop(tmp_path: Path) -> None:
    file = tmp_path / "Pulumi.x.yaml"
    file.write_text("config: &all\n  a: 1\n  b: *all\n")
    assert yaml_file.read(file)[1].keys() == {("config", "a")}


def test_values_are_shown_as_they_are_written(tierstack: Command, project: Checkout) -> None:
    file = project.folder / "Pulumi.local.yaml"
    text = file.read_text()
    assert "  shop:app:\n" in text
    more = "    environment: {VERSION: 1.10, MODE: 0644, DEBUG: TRUE, BUILT: 2026-11-26, RIGHT: '1.10', AT: 12:30}\n"
    file.write_text(text.replace("  shop:app:\n", f"  shop:app:\n{more}    service_time_ms: 020\n", 1))
    done = tierstack("check", "-s", "local")
    assert done.exit_code == 1
    said = [line.partition(" [")[0].strip() for line in done.stderr.splitlines() if line.startswith("  ")]
    assert said == [
        'app.environment.VERSION = 1.10: is a number; write `VERSION: "1.10"`: without the quotes YAML reads a number, not a text',
        'app.environment.MODE = 0644: is a whole number; write `MODE: "0644"`: without the quotes YAML reads a number, not a text',
        'app.environment.DEBUG = TRUE: is true or false; write `DEBUG: "TRUE"`: without the quotes YAML reads true or false, not a text',
        "app.environment.BUILT: is a date to YAML; write it in quotes",
        "app.service_time_ms: is the octal number 16, not 020, to YAML; write `20` without the leading zero, or `16`",
    ]


def test_an_application_named_no(project: Checkout) -> None:
    file = project.folder / "Pulumi.local.yaml"
    document = yaml.safe_load(file.read_text())
    app = document["config"].pop("shop:app")
    (project.folder / "Pulumi.local.yaml").write_text(
        yaml.safe_dump(document) + "  shop:apps:\n    no: " + yaml.safe_dump(app, default_flow_style=True, width=9999)
    )
    assert find(project.folder).config("local").values["apps"].keys() == {"no"}
