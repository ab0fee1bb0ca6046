"""The resource behind the preview: it writes, repairs, moves and removes the zone file."""

from pathlib import Path
from typing import Any

import pytest

from tierstack.dns_records.publish.zone_records import ZoneRecordsProvider, as_inputs, from_inputs
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.records.zonefile import parse

SETS = [
    RecordSet("example.org", "A", ("198.51.100.1", "198.51.100.2"), 300),
    RecordSet("example.org", "TXT", ("v=spf1 -all", "with  two spaces"), 3600),
]


@pytest.fixture
def props(tmp_path: Path) -> dict[str, Any]:
    return {
        "domain": "example.org",
        "ttl": 3600.0,
        "records": {one.key: as_inputs(one) for one in SETS},
        "zone_file_path": str(tmp_path / "zones" / "example.org.zone"),
    }


def written(props: dict[str, Any]) -> list[RecordSet]:
    sets, findings = parse(Path(props["zone_file_path"]).read_text(), "example.org")
    assert not findings
    return sets


def test_inputs_hold_all_of_a_set() -> None:
    assert from_inputs({one.key: as_inputs(one) for one in SETS}) == SETS


def test_create_writes_the_file_and_names_the_zone(props: dict[str, Any]) -> None:
    result = ZoneRecordsProvider().create(props)
    assert result.id == "example.org"
    assert result.outs == props
    assert written(props) == SETS
    assert [path.name for path in Path(props["zone_file_path"]).parent.iterdir()] == ["example.org.zone"]


def test_without_a_path_nothing_is_written(props: dict[str, Any], tmp_path: Path) -> None:
    del props["zone_file_path"]
    provider = ZoneRecordsProvider()
    assert "zone_file_path" not in provider.create(props).outs
    assert not provider.diff("example.org", props, props).changes
    provider.delete("example.org", props)
    assert not list(tmp_path.iterdir())


def test_nothing_changed_is_no_diff(props: dict[str, Any]) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    assert not provider.diff("example.org", props, dict(props)).changes


def test_a_changed_record_is_a_diff_and_no_replacement(props: dict[str, Any]) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    news = {**props, "records": {**props["records"], "example.org A": ["300 198.51.100.9"]}}
    diff = provider.diff("example.org", props, news)
    assert (diff.changes, diff.replaces) == (True, [])
    provider.update("example.org", props, news)
    assert written(news)[0].values == ("198.51.100.9",)


def test_another_domain_is_another_zone(props: dict[str, Any]) -> None:
    provider = ZoneRecordsProvider()
    assert provider.diff("example.org", props, {**props, "domain": "example.net"}).replaces == ["domain"]


@pytest.mark.parametrize("damage", ["gone", "edited"])
def test_a_file_that_was_touched_is_repaired(props: dict[str, Any], damage: str) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    path = Path(props["zone_file_path"])
    if damage == "gone":
        path.unlink()
    else:
        path.write_text(path.read_text() + "evil IN A 198.51.100.66\n")
    assert provider.diff("example.org", props, props).changes
    provider.update("example.org", props, props)
    assert written(props) == SETS


def test_a_moved_file_leaves_nothing_behind(props: dict[str, Any], tmp_path: Path) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    news = {**props, "zone_file_path": str(tmp_path / "new.zone")}
    provider.update("example.org", props, news)
    assert not Path(props["zone_file_path"]).exists()
    assert written(news) == SETS


def test_delete_removes_the_file_once(props: dict[str, Any]) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    provider.delete("example.org", props)
    assert not Path(props["zone_file_path"]).exists()
    provider.delete("example.org", props)


def test_delete_leaves_a_file_that_holds_something_else(props: dict[str, Any]) -> None:
    provider = ZoneRecordsProvider()
    provider.create(props)
    Path(props["zone_file_path"]).write_text("; mine\n")
    provider.delete("example.org", props)
    assert Path(props["zone_file_path"]).read_text() == "; mine\n"
