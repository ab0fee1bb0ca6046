"""Records of services: SRV (RFC 2782), TLSA (RFC 6698) and SVCB or HTTPS (RFC 9460)."""

import re
from collections.abc import Callable, Collection, Sequence

from tierstack.core.diagnostics import Diagnostic
from tierstack.dns_records.mail.misplaced import alias_targets
from tierstack.dns_records.records.model import RecordSet, fields, host, relative
from tierstack.dns_records.resolve.names import Names
from tierstack.dns_records.rules import ERROR, WARNING, declare, error, warning

declare("srv-name", "An SRV record stands at `_service._protocol`.", "RFC 2782", WARNING)
declare("svcb-loop", "HTTPS and SVCB records do not lead back to themselves.", "RFC 9460 §2.4.2", ERROR)
declare("tlsa-field", "The fields of a TLSA record fit together.", "RFC 6698 §7", ERROR)
declare("tlsa-name", "A TLSA record stands at `_port._protocol`.", "RFC 6698 §3", WARNING)

_PRIVATE = "255"
"""The value that RFC 6698 §7 leaves for private use."""
_TLSA_FIELDS = (("usage", 3), ("selector", 1), ("matching type", 2))


def check(sets: Sequence[RecordSet], names: Names) -> list[Diagnostic]:
    """What is wrong with the records of services in a zone."""
    # What stands at the target of an alias is asked for by the alias' name; an instance by the list of its service
    # (DNS-SD, RFC 6763 §4.1).
    listed = {host(value) for one in sets if one.type == "PTR" and one.name.startswith("_") for value in one.values}
    led_to = alias_targets(sets) | listed
    return [finding for one in sets if one.type in _CHECKS for finding in _CHECKS[one.type](one, names, led_to)]


def _first_labels(name: str, domain: str) -> tuple[str, str]:
    first, _, rest = relative(name, domain).partition(".")
    return first, rest.partition(".")[0]


def _srv(one: RecordSet, names: Names, led_to: Collection[str]) -> list[Diagnostic]:
    first, second = _first_labels(one.name, names.domain)
    if one.name in led_to or first == "*" or (first.startswith("_") and (second.startswith("_") or second == "*")):
        return []
    message = "is not named `_service._protocol`, so no client asks for it"
    return [warning("srv-name", one.key, message, "write a name such as `_imaps._tcp`")]


def _tlsa(one: RecordSet, names: Names, led_to: Collection[str]) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    first, second = _first_labels(one.name, names.domain)
    named = re.fullmatch(r"_\d{1,5}|\*", first) and second.startswith("_")
    if not named and not first.startswith("_tlsa") and one.name not in led_to:
        message = "is not named `_port._protocol`, so no client asks for it"
        fix = "write a name such as `_25._tcp.mail`"
        found.append(warning("tlsa-name", one.key, message, fix))
    for value in one.values:
        for (name, most), given in zip(_TLSA_FIELDS, fields(value), strict=False):
            if int(given) > most and given != _PRIVATE:
                message = f"`{given}` is not a {name} of TLSA"
                found.append(error("tlsa-field", one.key, message, f"write 0 to {most}"))
    return found


def _service(one: RecordSet, _names: Names, _led_to: Collection[str]) -> list[Diagnostic]:
    for value in one.values:
        priority, target = fields(value)[:2]
        if priority == "0" and host(target) == one.name:
            message = "is an alias of itself"
            fix = "name the host that serves it, or write priority 1 for this host itself"
            return [error("svcb-loop", one.key, message, fix)]
    return []


_CHECKS: dict[str, Callable[[RecordSet, Names, Collection[str]], list[Diagnostic]]] = {
    "HTTPS": _service,
    "SRV": _srv,
    "SVCB": _service,
    "TLSA": _tlsa,
}
