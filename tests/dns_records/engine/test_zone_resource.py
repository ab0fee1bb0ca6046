"""The resource's own methods against a real server, as the engine calls them."""

from pathlib import Path
from typing import Any

import pytest

from tests.dns_records.servers import KEYS, ZONE, Server, running
from tierstack.dns_records.publish.hosts import PublishError
from tierstack.dns_records.publish.zone_records import ZoneRecordsProvider

PROVIDER = ZoneRecordsProvider()
A = f"www.{ZONE} A"


def props(server: Server, *, ip: str = "192.0.2.1", key: str = "tierstack", **more: Any) -> dict[str, Any]:
    settings = {"host": "127.0.0.1", "port": float(server.port), "key_name": key, "timeout": 5.0}
    settings["key_algorithm"] = "hmac-sha256"
    return {
        "__provider": "code",
        "domain": ZONE,
        "ttl": 3600.0,
        "records": {A: [f"300 {ip}"]},
        "publish": {"host": "rfc2136", "zone": ZONE, "settings": settings},
        "credentials": {"key_secret": KEYS[key]},
        **more,
    }


def test_the_life_of_a_published_zone(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "zone"
    first = props(server, zone_file_path=str(file))
    before = server.sets()
    assert not PROVIDER.check({}, first).failures
    made = PROVIDER.create(first)
    assert made.outs == {key: value for key, value in first.items() if key != "__provider"}
    assert server.sets()[A] == ["300 192.0.2.1"]
    assert "www 300 IN A 192.0.2.1" in file.read_text()
    read = PROVIDER.read(ZONE, first)
    assert read.outs == read.inputs == made.outs

    news = props(server, ip="192.0.2.2", zone_file_path=str(file))
    assert not PROVIDER.check(first, news).failures
    assert PROVIDER.diff(ZONE, first, news).changes
    PROVIDER.update(ZONE, first, news)
    assert server.sets()[A] == ["300 192.0.2.2"]
    PROVIDER.delete(ZONE, news)
    assert server.sets() == before
    assert not file.exists()
    PROVIDER.delete(ZONE, news)  # a second time is no error


def test_drift_is_read_as_outputs_and_inputs(server: Server) -> None:
    PROVIDER.create(props(server))
    server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
    read = PROVIDER.read(ZONE, props(server))
    assert read.inputs
    assert read.outs == read.inputs
    assert read.outs["records"] == {A: ["300 203.0.113.1"]}
    (failure,) = PROVIDER.check(props(server), props(server, ip="192.0.2.2")).failures
    assert "was changed at the DNS host by another writer" in failure.reason
    assert not PROVIDER.check(read.inputs, props(server, ip="192.0.2.2")).failures, "after the refresh it is known"
    with pytest.raises(PublishError, match="another writer"):
        PROVIDER.delete(ZONE, props(server))
    PROVIDER.delete(ZONE, {**props(server), **read.outs})
    assert A not in server.sets()


def test_a_set_of_others_is_refused_before_anything_is_made(server: Server) -> None:
    server.write(f"www.{ZONE}", "A", ["203.0.113.1"])
    (failure,) = PROVIDER.check({}, props(server)).failures
    assert "is at the DNS host already, not by this stack" in failure.reason
    assert not PROVIDER.check({}, props(server, adopt=[A])).failures


def test_publishing_begins_and_ends_without_a_hole(server: Server) -> None:
    unpublished = {key: value for key, value in props(server).items() if key not in ("publish", "credentials")}
    PROVIDER.create(unpublished)
    assert A not in server.sets()
    assert PROVIDER.diff(ZONE, unpublished, props(server)).changes
    PROVIDER.update(ZONE, unpublished, props(server))
    assert server.sets()[A] == ["300 192.0.2.1"]
    PROVIDER.update(ZONE, props(server), unpublished)
    assert server.sets()[A] == ["300 192.0.2.1"], "leaving a host leaves it as it is"


def test_a_new_key_is_an_update_that_changes_no_record(server: Server) -> None:
    PROVIDER.create(props(server))
    news = props(server, key="colleague")
    assert PROVIDER.diff(ZONE, props(server), news).changes
    assert not PROVIDER.check(props(server), news).failures
    assert PROVIDER.update(ZONE, props(server), news).outs == {k: v for k, v in news.items() if k != "__provider"}
    PROVIDER.delete(ZONE, news)
    assert A not in server.sets()


def test_another_server_takes_all_and_the_old_one_keeps_what_it_has(server: Server, tmp_path: Path) -> None:
    with running(server.kind, tmp_path / "other") as other:
        PROVIDER.create(props(server))
        PROVIDER.update(ZONE, props(server), props(other, ip="192.0.2.2"))
        assert other.sets()[A] == ["300 192.0.2.2"]
        assert server.sets()[A] == ["300 192.0.2.1"]
