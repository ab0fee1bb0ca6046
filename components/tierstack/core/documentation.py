"""What the text below a field says of it, and the example in it.

Not for what is right: reading sources takes a while.
"""

import ast
import functools
import inspect
import itertools
import re
import textwrap
from typing import Any, cast

from tierstack.core.keys import Group, keys_of

_EXAMPLE = re.compile(r"[Ss]uch as `([^`]+)`")


@functools.cache
def attribute_documentation(cls: type[Any]) -> dict[str, str]:
    """The text below each field of a class, as one line each."""
    body = cast(ast.ClassDef, ast.parse(textwrap.dedent(inspect.getsource(cls))).body[0]).body
    found: dict[str, str] = {}
    for field, text in itertools.pairwise(body):
        documents = isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
        if documents and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            found[field.target.id] = " ".join(str(text.value.value).split())  # pyright: ignore
    return found


def documentation(group: type[Any]) -> dict[str, str]:
    """What is said of each key of a group, as one line each."""
    sources = group.DOCUMENTED_BY if issubclass(group, Group) else (group,)
    below = {name: text for one in sources for name, text in attribute_documentation(one).items()}
    return {name: " ".join((key.text or below.get(name, "")).split()) for name, key in keys_of(group).items()}


def example(group: type[Any], name: str) -> str | None:
    """The example that the text of a key gives: `such as …`. None: it gives none, or its source is not there."""
    try:
        found = _EXAMPLE.search(documentation(group).get(name, ""))
    except (OSError, TypeError, SyntaxError):
        return None
    return found[1] if found else None
