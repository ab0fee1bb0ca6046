"""Whatever stands at a host, whatever we own and want: what is not ours is never touched, and a refusal changes nothing."""

import logging
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from octodns.provider.base import BaseProvider
from octodns.record import Create, Delete
from octodns.zone import Zone

from tierstack.dns_records.publish.hosts import Host, PublishError, _record, _set
from tierstack.dns_records.publish.plan import Limits
from tierstack.dns_records.records.model import RecordSet

ZONE = "shop.example"
VALUES = {"A": ("192.0.2.1", "192.0.2.2"), "CNAME": ("a.example.net.", "b.example.net."), "TXT": ("one", "v=x; two")}


class Memory(BaseProvider):
    """A DNS host in memory."""

    SUPPORTS_GEO = SUPPORTS_DYNAMIC = False
    SUPPORTS_ROOT_NS = True
    SUPPORTS = frozenset(VALUES)

    log = logging.getLogger("Memory")

    def __init__(self, live: dict[str, Any]) -> None:
        super().__init__("memory")
        self.live = live

    def populate(self, zone: Any, target: bool = False, lenient: bool = False) -> bool:
        for one in self.live.values():
            zone.add_record(one, lenient=True)
        return True

    def _apply(self, plan: Any) -> None:
        for change in plan.changes:
            key = f"{change.record.fqdn} {change.record._type}"
            if isinstance(change, Delete):
                del self.live[key]
            else:
                assert (key in self.live) is not isinstance(change, Create)
                self.live[key] = change.new


@st.composite
def zones(draw: st.DrawFn) -> dict[str, RecordSet]:
    """Up to two names with an address or an alias, and perhaps a text: zones as DNS allows them."""
    found: dict[str, RecordSet] = {}
    for name in draw(st.sets(st.sampled_from(["a", "b", "c"]), max_size=3)):
        kinds = draw(st.sampled_from([("A",), ("CNAME",), ("TXT",), ("A", "TXT")]))
        for kind in kinds:
            values = (draw(st.sampled_from(VALUES[kind])),)
            one = RecordSet(f"{name}.{ZONE}", kind, values, draw(st.sampled_from([60, 300])))
            found[one.key] = one
    return found


def at_host(sets: dict[str, RecordSet]) -> Memory:
    zone = Zone(f"{ZONE}.", [])
    return Memory({f"{one.name}. {one.type}": _record(zone, one) for one in sets.values()})


def refusal(host: Host, owned: dict[str, RecordSet], wanted: dict[str, RecordSet], limits: Limits) -> list[str]:
    """What publishing says against it; nothing where it is done."""
    try:
        host.publish(owned, wanted, limits)
    except PublishError as refused:
        return [str(one) for one in refused.problems]
    return []


def shown(memory: Memory) -> dict[str, RecordSet]:
    return {one.key: one for one in map(_set, memory.live.values())}


@settings(max_examples=400)
@given(owned=zones(), wanted=zones(), others=zones(), adopt=st.sampled_from([(), ("*",), (f"a.{ZONE} A",)]))
def test_only_what_is_ours_or_adopted_changes(
    owned: dict[str, RecordSet], wanted: dict[str, RecordSet], others: dict[str, RecordSet], adopt: tuple[str, ...]
) -> None:
    # Ours stand at the host, unless others took their place.
    names = {one.name for one in others.values()}
    live = {**{key: one for key, one in owned.items() if one.name not in names}, **others}
    memory = at_host(live)
    host = Host({"host": "powerdns", "zone": ZONE, "settings": {}}, {})
    host._open = lambda: memory
    limits = Limits(adopt=adopt, max_delete_percent=100)
    problems = host.judge(owned, wanted, limits)
    assert shown(memory) == live, "judging changes nothing"
    said = refusal(host, owned, wanted, limits)
    assert said == [str(one) for one in problems], "as the preview said"
    if said:
        assert shown(memory) == live
        return
    after = shown(memory)
    assert {key: after[key] for key in wanted} == wanted
    assert not (set(owned) - set(wanted)) & set(after), "what is ours and not wanted is gone"
    for key in set(live) & set(owned):
        assert live[key].values == owned[key].values or live[key] == wanted.get(key), f"{key} was changed by another"
    for name in {one.name for one in wanted.values()}:
        kinds = {one.type for one in after.values() if one.name == name}
        assert "CNAME" not in kinds or len(kinds) == 1, f"{name}: a server would have dropped one of {kinds}"
    gone = set(live) - set(after)
    for key in gone - set(owned):
        assert adopt == ("*",) or key in adopt, f"{key} of others is gone"
        beside = [one for one in wanted.values() if one.name == live[key].name]
        assert any("CNAME" in (one.type, live[key].type) for one in beside), f"{key} stood in nobody's way"
    for key in set(live) & set(after) - set(wanted):
        assert after[key] == live[key], f"{key} of others was changed"
    for key in set(live) & set(wanted) - set(owned):
        assert live[key] == wanted[key] or adopt == ("*",) or key in adopt, f"{key} was taken over without a word"
