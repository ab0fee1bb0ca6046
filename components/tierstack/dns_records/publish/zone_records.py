"""The resource that holds the records of a zone by name and type, so that a preview shows each change.

It publishes the records at a DNS host and writes the zone file, where either is asked for. The inputs are what the
host is told; the state is what it was told last, and with it what belongs to this stack.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pulumi
from pulumi.dynamic import (
    CheckFailure,
    CheckResult,
    CreateResult,
    DiffResult,
    ReadResult,
    Resource,
    ResourceProvider,
    UpdateResult,
)
from pulumi.runtime.rpc import UNKNOWN

from tierstack.dns_records.publish.args import limits_of
from tierstack.dns_records.publish.hosts import Host
from tierstack.dns_records.publish.plan import Limits, large_changes
from tierstack.dns_records.publish.switch import readiness
from tierstack.dns_records.records.model import RecordSet
from tierstack.dns_records.records.zonefile import render

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
    """Keeps the zone at the DNS host, and the zone file, equal to the records."""

    # The provider holds nothing, so its pickled form in the state needs no encryption.
    serialize_as_secret_always = False

    def check(self, _olds: Props, news: Props) -> CheckResult:
        """Refuse at preview what the update would refuse: large deletes, sets of others, a switch too early."""
        if "publish" not in news:
            return CheckResult(news, [])
        owned, (wanted, late) = _owned(_olds, news), _sets(news)
        # What another resource gives only during the update is judged then.
        supposed = {**{key: one for key, one in owned.items() if key in late}, **wanted}
        ready = readiness(owned, supposed, news.get("switches") or {}, _olds.get("quiet_from") or {}, datetime.now(UTC))
        problems = list(ready.problems)
        limits = limits_of(news)
        if owned != supposed:
            if _is_known(news["publish"]) and _is_known(news.get("credentials")):
                problems += _host(news).judge(owned, supposed, limits)
            else:
                problems += large_changes(owned, supposed, str(news["publish"]["zone"]), limits)
        inputs = {**news, **({"quiet_from": ready.quiet_from} if ready.quiet_from else {})}
        return CheckResult(inputs, [CheckFailure("", one.line) for one in problems])

    def create(self, props: Props) -> CreateResult:
        """Publish the records and write the file."""
        _publish({}, props)
        _write(props)
        return CreateResult(str(props["domain"]), _outputs(props))

    def read(self, id_: str, props: Props) -> ReadResult:
        """The own records as they stand at the host now; others are not looked at."""
        if "publish" not in props:
            return ReadResult(id_, _outputs(props))
        found = _host(props).read(_sets(props)[0])
        fresh = {**_outputs(props), "records": {key: as_inputs(one) for key, one in sorted(found.items())}}
        # As inputs too, so that the next preview shows record by record what it would set right.
        return ReadResult(id_, fresh, fresh)

    def diff(self, _id: str, _olds: Props, _news: Props) -> DiffResult:
        """Changed records, or a zone file that is gone or was edited. Another domain is another zone."""
        replaces = ["domain"] if _olds.get("domain") != _news.get("domain") else []
        keys = ("domain", "records", "ttl", "zone_file_path", "publish", "credentials")
        changed = any(_olds.get(key) != _news.get(key) for key in keys) or not _is_written(_news)
        return DiffResult(changes=changed, replaces=replaces, delete_before_replace=False)

    def update(self, _id: str, _olds: Props, _news: Props) -> UpdateResult:
        """Publish what changed, write the file anew, and remove one that has moved."""
        _publish(_olds, _news)
        if _olds.get("zone_file_path") != _news.get("zone_file_path"):
            _remove(_olds)
        _write(_news)
        return UpdateResult(_outputs(_news))

    def delete(self, _id: str, _props: Props) -> None:
        """Withdraw the own records, and remove the file, unless somebody else has written another zone into it."""
        if "publish" in _props:
            # Deleting the resource is what was asked for, so nothing is too large; the engine's protection is the flag.
            _host(_props).publish(_sets(_props)[0], {}, Limits(max_delete_percent=100, allow_ns_changes=True))
        if _is_written(_props):
            _remove(_props)


def _publish(olds: Props, news: Props) -> None:
    if "publish" in news:
        _host(news).publish(_owned(olds, news), _sets(news)[0], limits_of(news))


def _host(props: Props) -> Host:
    return Host(props["publish"], props.get("credentials") or {})


def _owned(olds: Props, news: Props) -> dict[str, RecordSet]:
    """What this stack has published at the host of `news`: at another host, and for another domain, nothing yet."""

    def place(props: Props) -> tuple[object, ...]:
        publish = cast(Props, props.get("publish") or {})
        settings = cast(Props, publish.get("settings") or {})
        return props.get("domain"), publish.get("host"), publish.get("zone"), settings.get("host"), settings.get("port")

    return _sets(olds)[0] if place(olds) == place(news) else {}


def _sets(props: Props) -> tuple[dict[str, RecordSet], set[str]]:
    """The record sets by key, and the keys of those whose values are known only during the update."""
    records = cast(dict[str, list[str]], props.get("records") or {})
    known = {key: values for key, values in records.items() if _is_known(values)}
    return {one.key: one for one in from_inputs(known)}, set(records) - set(known)


def _is_known(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_known, cast(dict[str, Any], value).values()))
    if isinstance(value, list):
        return all(map(_is_known, cast(list[Any], value)))
    return value != UNKNOWN


def _text(props: Props) -> str:
    return render(from_inputs(props["records"]), str(props["domain"]), int(props["ttl"]))


def _outputs(props: Props) -> Props:
    return {key: value for key, value in props.items() if not key.startswith("__")}


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
        publish: Mapping[str, Any],
        opts: pulumi.ResourceOptions,
    ) -> None:
        """`records` maps `www.example.org A` to values with their TTL in seconds: `3600 192.0.2.1`.

        `publish` are the further inputs of a zone that is published (`PublishArgs.inputs`), else nothing.
        """
        props: Props = {"domain": domain, "records": records, "ttl": ttl, **publish}
        if zone_file_path:
            props["zone_file_path"] = zone_file_path
        super().__init__(ZoneRecordsProvider(), name, props, opts)
