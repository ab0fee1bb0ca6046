"""The resource that holds the records of a zone by name and type, so that a preview shows each change.

It writes the zone file where one is asked for. Publishing to a DNS host belongs into the same four methods:
the inputs are already what a host is told, and what it was told last is already the state.
"""

from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

from tierstack.dns_records.records import RecordSet
from tierstack.dns_records.zonefile import render

Props = dict[str, Any]


def as_inputs(one: RecordSet) -> list[str]:
    """The values of a set as the preview shows them: `3600 192.0.2.1`, the TTL in seconds first."""
    return [f"{one.ttl} {value}" for value in one.values]


def from_inputs(records: dict[str, list[str]]) -> list[RecordSet]:
    """The record sets of the inputs `{"www.example.org A": ["3600 192.0.2.1"]}`."""
    found: list[RecordSet] = []
    for key, values in records.items():
        name, _, kind = key.partition(" ")
        pairs = [value.partition(" ") for value in values]
        found.append(RecordSet(name, kind, tuple(value for _, _, value in pairs), min(int(ttl) for ttl, _, _ in pairs)))
    return found


class ZoneRecordsProvider(ResourceProvider):
    """Keeps the zone file equal to the records."""

    # The provider holds nothing, so its pickled form in the state needs no encryption.
    serialize_as_secret_always = False

    def create(self, props: Props) -> CreateResult:
        """Write the file."""
        _write(props)
        return CreateResult(str(props["domain"]), _outputs(props))

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Changed records, or a zone file that is gone or was edited. Another domain is another zone."""
        replaces = ["domain"] if _olds.get("domain") != _news.get("domain") else []
        keys = ("domain", "records", "ttl", "zone_file_path")
        changed = any(_olds.get(key) != _news.get(key) for key in keys) or not _is_written(_news)
        return DiffResult(changes=changed, replaces=replaces, delete_before_replace=False)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Write the file anew, and remove one that has moved."""
        if _olds.get("zone_file_path") != _news.get("zone_file_path"):
            _remove(_olds)
        _write(_news)
        return UpdateResult(_outputs(_news))

    def delete(self, _id: str, _props: Props) -> None:
        """Remove the file, unless somebody else has written another zone into it."""
        if _is_written(_props):
            _remove(_props)


def _text(props: Props) -> str:
    return render(from_inputs(props["records"]), str(props["domain"]), int(props["ttl"]))


def _outputs(props: Props) -> Props:
    return {key: props[key] for key in ("domain", "records", "ttl", "zone_file_path") if key in props}


def _path(props: Props) -> Path | None:
    given = props.get("zone_file_path")
    return Path(str(given)) if given else None


def _is_written(props: Props) -> bool:
    path = _path(props)
    if path is None:
        return True
    try:
        return path.read_text(encoding="utf-8") == _text(props)
    except (OSError, ValueError, AttributeError, TypeError):
        # Absent, unreadable, or with records that are known only during the update.
        return False


def _write(props: Props) -> None:
    path = _path(props)
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    # A reader sees the old zone or the new one, never half of one.
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(_text(props), encoding="utf-8")
    fresh.replace(path)


def _remove(props: Props) -> None:
    path = _path(props)
    if path is not None:
        path.unlink(missing_ok=True)


class ZoneRecords(Resource, module="tierstack", name="ZoneRecords"):
    """The records of one zone."""

    def __init__(
        self,
        name: str,
        *,
        domain: str,
        records: dict[str, pulumi.Input[list[str]]],
        ttl: int,
        zone_file_path: str | None,
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`records` maps `www.example.org A` to values with their TTL in seconds: `3600 192.0.2.1`."""
        props: Props = {"domain": domain, "records": records, "ttl": ttl}
        if zone_file_path:
            props["zone_file_path"] = zone_file_path
        super().__init__(ZoneRecordsProvider(), name, props, opts)
