"""A YAML file that somebody wrote by hand: what is wrong with it is told in one line each, with the file's line.

It is read as the engine reads it (decision 40): `no` and `12:30` are texts, `04000` is an octal number.
"""

import datetime
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast

import yaml
from yaml.constructor import ConstructorError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from tierstack.core.written import Written
from tierstack.engine.usage import ConfigurationError


def load(path: Path, remedy: str = "write `key: value` lines") -> dict[str, Any]:
    """The map in `path`, as `read` gives it."""
    return read(path, remedy)[0]


def read(
    path: Path, remedy: str = "write `key: value` lines"
) -> tuple[dict[str, Any], dict[tuple[str | int, ...], Written]]:
    """(The map in `path`, its plain values that are no text, as they stand there); an empty file is an empty map.

    Raises ConfigurationError where the file cannot be read, is not YAML or not a map (`remedy` says what to write), and
    where a map holds a key twice: YAML forbids that (1.2.2 section 3.2.1.3), and its reader would take the last one.
    """
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        loader = _Loader(text)
        root = loader.get_single_node()
        if twice := list(_twice(root)) if root else []:
            raise ConfigurationError("\n".join(f"{path.name}: {one}" for one in twice))
        document: Any = cast(Any, loader).construct_document(root) if root else None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path.name} is not YAML: it is not text in UTF-8") from None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"{path.name} is not YAML: {_said(error, text)}") from None
    if document is None:
        return {}, {}
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path.name} is not a map; {remedy}")
    whole = {str(key): value for key, value in cast(dict[Any, Any], document).items()}
    return whole, dict(_plain(root, ()) if root else ())


def text(document: Mapping[str, Any]) -> str:
    """The text of a file from which any reader of YAML gets `document`: every text in it is quoted."""
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False)


class _Dumper(yaml.SafeDumper):
    """Quotes each text: what is a number to one reader (`12e4`, `0o17`) is none to another."""


def _quoted(dumper: yaml.SafeDumper, value: str) -> Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style='"')  # pyright: ignore[reportUnknownMemberType]


_Dumper.add_representer(str, _quoted)


class _Loader(yaml.SafeLoader):
    """Takes plain values for what go-yaml v3 takes them for, which the engine reads with (its `resolve.go`)."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # pyright: ignore[reportIncompatibleVariableOverride]


_TAG = "tag:yaml.org,2002:"
_DECIMAL = r"[-+]?(?:\.[0-9][0-9_]*|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
_NUMBER = {
    "int": re.compile(r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)$"),
    "float": re.compile(rf"(?:{_DECIMAL}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$"),
}
_WORD = {
    "bool": (re.compile(r"(?:true|True|TRUE|false|False|FALSE)$"), "tTfF"),
    "null": (re.compile(r"(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]),
    "merge": (re.compile(r"<<$"), "<"),
}
_DATE = re.compile(
    r"(\d{4})-(\d{1,2})-(\d{1,2})"
    r"(?:[Tt]\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?(?:Z|[-+]\d\d:\d\d)| \d{1,2}:\d{1,2}:\d{1,2}(?:\.\d+)?)?"
)
for _name, (_pattern, _first) in _WORD.items():
    cast(Any, _Loader).add_implicit_resolver(_TAG + _name, _pattern, _first)
for _name, _pattern in _NUMBER.items():
    cast(Any, _Loader).add_implicit_resolver(_TAG + _name, _pattern, "-+.0123456789")


def _number(loader: _Loader, node: ScalarNode) -> int | float:
    plain = str(node.value).replace("_", "")
    octal = re.fullmatch(r"([-+]?)0([0-7]+)", plain)
    try:
        if octal:
            return int(f"{octal[1]}{octal[2]}", 8)
        if _NUMBER["int"].match(plain):
            return int(plain, 0)
        return float(plain.replace(".inf", "inf").replace(".nan", "nan").replace(".Inf", "inf").replace(".NaN", "nan"))
    except ValueError:
        raise ConstructorError(None, None, f"`{node.value}` is not a number", node.start_mark) from None


for _name in _NUMBER:
    cast(Any, _Loader).add_constructor(_TAG + _name, _number)


def _plain(node: Node, path: tuple[str | int, ...], inside: tuple[Node, ...] = ()) -> Iterator[Any]:
    """(Place, the value as it stands there) of each plain value that is no text, or a date."""
    if node in inside:
        return  # an alias of what it is in
    if isinstance(node, MappingNode):
        for key, value in cast(list[tuple[Node, Node]], node.value):
            if isinstance(key, ScalarNode) and key.tag != f"{_TAG}merge":
                yield from _plain(value, (*path, str(key.value)), (*inside, node))
    elif isinstance(node, SequenceNode):
        for index, value in enumerate(cast(list[Node], node.value)):
            yield from _plain(value, (*path, index), (*inside, node))
    elif isinstance(node, ScalarNode) and node.style is None and (found := _written(node)):
        yield path, found


def _written(node: ScalarNode) -> Written | None:
    text = str(node.value)
    digits = re.fullmatch(r"([-+]?)(0[0-7_]+)", text)
    if digits and node.tag == f"{_TAG}int":
        meant, octal = (f"{digits[1]}{int(digits[2].replace('_', ''), base)}" for base in (10, 8))
        if meant != octal:
            hint = f"write `{meant}` without the leading zero, or `{octal}`"
            return Written(text, f"the octal number {octal}, not {text},", hint)
    if node.tag in (f"{_TAG}int", f"{_TAG}float", f"{_TAG}bool"):
        return Written(text)
    date = _DATE.fullmatch(text) if node.tag == f"{_TAG}str" else None
    if date and _is_date(*map(int, date.groups())):
        return Written(text, "a date", "write it in quotes")
    return None


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        datetime.date(year, month, day)
    except ValueError:
        return False
    return True


def _said(error: yaml.YAMLError, text: str) -> str:
    """The problem and its line. A tab is what an editor puts where YAML wants spaces, and is not to be seen."""
    mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None)
    if mark is None:
        return " ".join(str(error).split())
    for number, line in enumerate(text.splitlines()[: mark.line + 1], 1):
        if "\t" in line[: len(line) - len(line.lstrip())]:
            return f"line {number} begins with a tab; indent with spaces, not tabs"
    if likely := _likely(str(problem or ""), _at(mark), _at(getattr(error, "context_mark", None)), text.splitlines()):
        return likely
    context = getattr(error, "context", None)
    return f"line {mark.line + 1}, column {mark.column + 1}: {f'{context}: ' if context else ''}{problem}"


Place = tuple[int, int]
"""Line and column in a file, both from 0."""


def _at(mark: Any) -> Place | None:
    return None if mark is None else (int(mark.line), int(mark.column))


_NO_SPACE = re.compile(r"(\s*(?:- )?)([\w:-]*\w):((?!//)\S.*)")


def _likely(problem: str, stop: Place | None, start: Place | None, lines: list[str]) -> str | None:
    """The mistake that most likely made the parser stop, in the terms of the file. None: no likely one is known."""
    assert stop
    row, column = stop
    here, number = lines[row] if row < len(lines) else "", row + 1
    first, opened = start or (0, 0)
    if problem == "could not find expected ':'" and start:
        return _colon(lines, first) or f"line {first + 1} has no colon; write `key: value`"
    if problem.startswith(("expected alphabetic or numeric", "found character")) and here[column : column + 1]:
        begins = "*&" if problem.startswith("expected") else "@`%"
        # After `*` and `&` the parser stands behind the sign.
        sign = next((one for one in here[max(0, column - 1) : column + 1] if one in begins), None)
        return sign and f"line {number}: a value that begins with {sign} must stand in quotes"
    if problem.startswith("mapping values are not allowed"):
        before = lines[row - 1] if row else ""
        if row and (glued := _colon(lines, row - 1)):
            return glued
        if before.strip() and ":" not in before and not before.lstrip().startswith("#"):
            return f"line {number - 1} has no colon; write `key: value`"
        if len(here) - len(here.lstrip()) > len(before) - len(before.lstrip()) and ": " in before:
            return f"line {number} is indented below line {number - 1}, which has a value; begin both in one column"
        return f"line {number}: a second `: ` in one line; write a value with `: ` in quotes"
    if problem.startswith("expected <block end>"):
        if here[:column].strip():
            return None
        if start and lines[first][opened : opened + 2] == "- ":
            return f"line {number} is a key in the column of the list of line {first + 1}; indent one of them"
        return f"line {number} is indented otherwise than the keys that it stands among; begin them in one column"
    if problem.startswith("expected ',' or") and start:
        bracket = lines[first][opened]
        return f"line {first + 1}: `{bracket}` has no `{'}' if bracket == '{' else ']'}`; add it"
    if problem == "found unexpected end of stream" and start:
        return f"line {first + 1}: a quotation mark has no other half; add it at the end of the value"
    return None


def _colon(lines: list[str], index: int) -> str | None:
    """What is said of a line such as `memory_mb:512`. None: it is no such line."""
    line = lines[index].rstrip()
    glued = None if ": " in line or line.endswith(":") else _NO_SPACE.fullmatch(line)  # `shop:app:` is whole
    return glued and f"line {index + 1} has no space after a colon; write `{glued[2]}: {glued[3]}`"


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
