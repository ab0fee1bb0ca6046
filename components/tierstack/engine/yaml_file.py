"""A YAML file that somebody wrote by hand: what is wrong with it is told in one line each, with the file's line."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tierstack.engine.usage import UsageError


def load(path: Path, remedy: str = "write `key: value` lines") -> dict[str, Any]:
    """The map in `path`; an empty file is an empty map.

    Raises UsageError where the file cannot be read, is not YAML or not a map (`remedy` says what to write), and where
    a map holds a key twice: YAML forbids that (1.2.2 section 3.2.1.3), and its reader would take the last one.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        if twice := list(_twice(root)) if root else []:
            raise UsageError("\n".join(f"{path.name}: {one}" for one in twice))
        document: Any = cast(Any, loader).construct_document(root) if root else None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not YAML: it is not text in UTF-8") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path.name} is not YAML: {_said(error, text)}") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{path.name} is not a map; {remedy}")
    return {str(key): value for key, value in cast(dict[Any, Any], document).items()}


def _said(error: yaml.YAMLError, text: str) -> str:
    """The problem and its line. A tab is what an editor puts where YAML wants spaces, and is not to be seen."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return " ".join(str(error).split())
    for number, line in enumerate(text.splitlines()[: mark.line + 1], 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return f"line {number} begins with a tab; indent with spaces, not tabs"
    context = getattr(error, "context", None)
    return f"line {mark.line + 1}, column {mark.column + 1}: {f'{context}: ' if context else ''}{problem}"


def _twice(root: Node) -> Iterator[str]:
    """Each key that a map below `root` holds more than once, with its lines."""
    seen: set[int] = set()  # an alias is the node that it stands for
    rest: list[tuple[str, Node]] = [("", root)]
    while rest:
        path, node = rest.pop(0)
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, SequenceNode):
            rest += [(f"{path}[{index}]", one) for index, one in enumerate(cast(list[Node], node.value))]
        if not isinstance(node, MappingNode):
            continue
        lines: dict[str, list[int]] = {}
        for key, value in cast(list[tuple[Node, Node]], node.value):
            name = str(key.value) if isinstance(key, ScalarNode) else ""
            here = f"{path}.{name}" if path else name
            rest.append((here, value))
            if isinstance(key, ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                lines.setdefault(here, []).append(key.start_mark.line + 1)
        for here, at in lines.items():
            if len(at) > 1:
                shown = here.removeprefix("config.")
                yield f"`{shown}` is given {len(at)} times, in lines {_and(at)}; remove all but one"


def _and(lines: list[int]) -> str:
    return f"{', '.join(map(str, lines[:-1]))} and {lines[-1]}"
