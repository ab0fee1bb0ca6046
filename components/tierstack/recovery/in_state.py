"""Components in the state of a stack, and which of them a name on the command line means. Pure."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from tierstack.core.errors import nearest
from tierstack.engine.project import UsageError


def components(held: Sequence[Mapping[str, Any]], kind: str) -> dict[str, Mapping[str, Any]]:
    """The outputs of the components of a type, by their names."""
    return {
        str(one["urn"]).rpartition("::")[2]: one.get("outputs") or {}
        for one in held
        if one["type"] == kind and not one.get("delete")
    }


def listed(names: Collection[str]) -> str:
    """Names for a message."""
    return ", ".join(f"`{one}`" for one in sorted(names))


def refuse_unknown(stack: str, what: str, name: str, known: Collection[str]) -> None:
    """Raise UsageError where a stack has no such component. `what`: what it is called, `database`."""
    if name not in known:
        guess = nearest(name, list(known))
        hint = f"did you mean `{guess}`?" if guess else f"there is {listed(known)}"
        raise UsageError(f"{stack} has no {what} `{name}`; {hint}")
