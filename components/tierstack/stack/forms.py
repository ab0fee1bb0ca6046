"""A component in the form of several, or several in the form of one: a single problem instead of one for each key."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

from tierstack.core.diagnostics import MISSING, Diagnostic
from tierstack.stack.sections import SECTIONS


def mistaken_forms(
    groups: Mapping[str, frozenset[str]], laid: Mapping[str, Any], overlay: Mapping[str, Any], kind: str
) -> dict[str, Diagnostic]:
    """The problem of each key whose content is in the other form, by the key.

    `groups`: the keys of a component, by the key of its section; `laid`: the configuration with the part for `kind`,
    `overlay`, over it.
    """
    found: dict[str, Diagnostic] = {}
    for one in SECTIONS:
        if one.several and (one.key in laid) is not (one.several in laid):
            key = one.key if one.key in laid else one.several
            given = laid[key]
            if isinstance(given, dict) and given:
                problem = _problem(one.key, one.several, key, cast(dict[str, Any], given), groups[one.key])
                if problem and key in overlay:
                    problem = replace(problem, path=f"{kind}.{key}")
                found |= {key: problem} if problem else {}
    return found


def _problem(one: str, several: str, key: str, given: Mapping[str, Any], keys: frozenset[str]) -> Diagnostic | None:
    shown = ", ".join(f"`{name}`" for name in [*given][:3])
    if key == several and _is_one(given, keys):
        message = f"holds the keys of one ({shown}), where names belong"
        hint = f"rename it to `{one}`, or write the keys below a name, such as `{several}.shop`"
        return Diagnostic(key, MISSING, message, hint, "unknown-key")
    if key == one and _are_several(given, keys):
        return Diagnostic(key, MISSING, f"holds several ({shown})", f"rename it to `{several}`", "unknown-key")
    return None


def _is_one(given: Mapping[str, Any], keys: frozenset[str]) -> bool:
    """Whether most of what stands where names belong are keys of one component."""
    known = [name for name in given if name in keys]
    named = [
        name for name in known if isinstance(given[name], dict) and keys & cast(dict[str, Any], given[name]).keys()
    ]
    return len(known) * 2 > len(given) and len(named) < len(known)


def _are_several(given: Mapping[str, Any], keys: frozenset[str]) -> bool:
    """Whether all that stands where keys of one component belong are groups of such keys."""
    return not any(name in keys for name in given) and all(
        isinstance(one, dict) and bool(keys & cast(dict[str, Any], one).keys()) for one in given.values()
    )
