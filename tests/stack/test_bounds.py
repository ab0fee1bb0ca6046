"""The range of a number is declared once: an editor, the check and the text of the key go by it."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast, get_origin

import pytest
import yaml

from tests.app_cluster.samples import args
from tests.stack.changes import put
from tests.stack.test_schema import errors
from tierstack.app_cluster.description import description
from tierstack.core.bounds import bound_problems
from tierstack.core.documentation import documentation
from tierstack.core.keys import Bounds, classes_in, is_group, keys_of, plain_in
from tierstack.stack.check import judge
from tierstack.stack.schema import schema
from tierstack.stack.settings import MASKED, settings

CASES = Path(__file__).parent.parent / "cases" / "settings"
BASE: dict[str, Any] = yaml.safe_load((CASES / "base.yaml").read_text())
SCHEMA = schema("shop")
ABOVE: dict[str, Any] = {
    "app.http_server": {"command": ["serve"], "memory_mb": 512},
    "app.roles.NAME": {"command": ["work"]},
    "app.roles.NAME.queue": {"list_name": "queues:default"},
    "app.migration": {"command": ["migrate"]},
    "app.release.steps[0]": {"weight": 5},
    "app.traffic.others[0]": {"description": description(args("kubernetes").described)},
    "app.uploads": {"path": "/srv/uploads"},
    "app.outbound.networks[0]": {"cidr": "10.20.0.0/16", "ports": [9200]},
    "tls.acme": {"email": "ops@shop.example"},
    "tls.acme.dns": {"server": "ns1.shop.example", "key_name": "shop", "key_secret": MASKED},
    "object_storage": {"bucket": "shop-backups"},
    "database.restore": {"server_name": "db"},
    "dns.web[0]": {"ipv4": ["203.0.113.10"]},
    "dns.web[0].switch": {
        "targets": {"blue": {"alias": "a.example."}, "green": {"alias": "b.example."}},
        "active": "blue",
    },
    "dns.records[0]": {"name": "note", "type": "TXT", "values": ["x"]},
    "dns.mail.own_server": {"ipv4": ["203.0.113.20"]},
    "dns.publish.rfc2136": {"server": "ns1.shop.example", "key_name": "shop", "key_secret": MASKED},
}
"""What groups must have beside the number."""


class Place(NamedTuple):
    """A number of the settings."""

    path: str
    bounds: Bounds
    whole: bool
    """Whether it has no fraction."""
    in_list: bool


def _places(group: type[Any], path: str = "") -> Iterator[Place]:
    for name, key in keys_of(group).items():
        where = f"{path}.{name}" if path else name
        kind = plain_in(key.type)
        if key.bounds:
            yield Place(where, key.bounds, float not in classes_in(key.type), get_origin(kind) is list)
        inside = f"{where}[0]" if get_origin(kind) is list else f"{where}.NAME" if get_origin(kind) is dict else where
        for one in classes_in(key.type):
            if is_group(one) and name not in ("apps", "databases", "redis_instances"):  # as their short forms
                yield from _places(one, inside)


PLACES = list(_places(settings()))


def _config(place: Place, value: float) -> dict[str, Any]:
    """A configuration with `value` at a place, on the platform where more is judged."""
    config = copy.deepcopy(BASE)
    config["platform"]["kind"] = "kubernetes"
    if place.path.startswith("app.http_server"):
        del config["app"]["php"]
    steps = place.path.split(".")
    for count in range(1, len(steps)):
        parent = ".".join(steps[:count])
        if parent in ABOVE:
            _set(config, parent, copy.deepcopy(ABOVE[parent]))
    _set(config, place.path, [value] if place.in_list else value)
    return config


def _set(config: dict[str, Any], path: str, value: Any) -> None:
    if path.endswith("[0]"):
        put(config, path.removesuffix("[0]"), [value])
    else:
        *parents, last = path.replace("[0]", ".0").split(".")
        inside: Any = config
        for key in parents:
            inside = inside[int(key)] if isinstance(inside, list) else inside.setdefault(key, {})
        inside[last] = value


def _marked(config: dict[str, Any]) -> bool:
    """Whether an editor marks something."""
    document = {"config": {f"shop:{key}": _encrypted(value) for key, value in config.items()}}
    return bool(errors(document, SCHEMA, SCHEMA))


def _encrypted(value: Any) -> Any:
    """Secrets as they stand in a file."""
    if isinstance(value, list):
        return [_encrypted(one) for one in cast(list[Any], value)]
    if not isinstance(value, dict):
        return {"secure": "v1:x"} if value == MASKED else value
    return {key: _encrypted(one) for key, one in cast(dict[str, Any], value).items()}


def _refused(place: Place, config: dict[str, Any]) -> bool:
    """Whether a check refuses it."""
    found = judge(config, frozenset({"tls", "dns"}), "test", "shop").problems
    if place.bounds.told_by:
        return any(one.code == place.bounds.told_by for one in found)
    return any(one.code == "out-of-range" and one.path.startswith(place.path) for one in found)


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.path)
def test_both_ends_of_a_range_are_right_for_editor_and_check_and_one_beyond_is_wrong(place: Place) -> None:
    step = 1 if place.whole else place.bounds.low / 10 or 0.1
    for value, wrong in (
        (place.bounds.low, False),
        (place.bounds.high, False),
        (place.bounds.low - step, True),
        (place.bounds.high + step, True),
    ):
        config = _config(place, value)
        assert (_marked(config), _refused(place, config)) == (wrong, wrong), value


def test_every_number_of_the_settings_has_a_range_and_says_it() -> None:
    def numbers(group: type[Any], path: str) -> Iterator[str]:
        texts = documentation(group)
        for name, key in keys_of(group).items():
            if {int, float} & {*classes_in(key.type)}:
                text = f"{key.bounds.low:.12g} to {key.bounds.high:.12g}" if key.bounds else "no range"
                if text not in texts[name] and name != "nodes":  # says what each of its two numbers means
                    yield f"{path}.{name}: {text}"
            for one in classes_in(key.type):
                if is_group(one):
                    yield from numbers(one, f"{path}.{name}")

    assert [*numbers(settings(), "")] == []


def test_a_section_that_nothing_is_made_from_is_judged_as_well() -> None:
    config = {**copy.deepcopy(BASE), "addons": {"replicas": 99}}
    assert [str(one) for one in judge(config, frozenset(), "test", "shop").problems] == [
        "addons.replicas = 99: must be at most 9; write a number from 1 to 9"
    ]


def test_numbers_within_lists_and_maps_have_their_place() -> None:
    from tierstack.app_cluster.options import OutboundArgs, OutboundNetwork, RoleArgs

    outbound = OutboundArgs(ports=[443, 0], networks=[OutboundNetwork(cidr="10.0.0.0/8", ports=[70000])])
    assert [one.path for one in bound_problems(outbound, "outbound")] == [
        "outbound.ports[1]",
        "outbound.networks[0].ports[0]",
    ]
    assert bound_problems(RoleArgs(command=["x"], count=0)) == []
