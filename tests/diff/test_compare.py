"""Only what differs is shown: the changed element of a list, the changed line of a text."""

from typing import Any

import pytest

from tierstack.diff.compare import changed_lines, properties
from tierstack.diff.marks import ABSENT, SECRET, UNKNOWN
from tierstack.diff.model import Item, shown_path


def differences(old: Any, new: Any) -> dict[str, tuple[Any, Any]]:
    return {shown_path(one.path): (one.old, one.new) for one in properties({"v": old}, {"v": new})}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(1, 2, {"v": (1, 2)}, id="a value"),
        pytest.param(3, 3.0, {}, id="the wire makes floats of whole numbers"),
        pytest.param(True, 1, {"v": (True, 1)}, id="a boolean is no number"),
        pytest.param({"a": 1, "b": 2}, {"a": 1, "b": 3}, {"v.b": (2, 3)}, id="a key"),
        pytest.param({"a.b/c": 1}, {"a.b/c": 2}, {'v["a.b/c"]': (1, 2)}, id="a key that needs quotes"),
        pytest.param({}, {"a": {"b": 1}}, {"v.a.b": (ABSENT, 1)}, id="as deep as it is"),
        pytest.param(["a", "b", "c"], ["a", "c"], {"v[1]": ("b", ABSENT)}, id="an element goes"),
        pytest.param(["a", "c"], ["a", "b", "c"], {"v[1]": (ABSENT, "b")}, id="an element comes"),
        pytest.param(["a", "b"], ["a", "x"], {"v[1]": ("b", "x")}, id="an element changes"),
        pytest.param(
            [{"name": "web", "image": "1"}, {"name": "log", "image": "1"}],
            [{"name": "log", "image": "1"}, {"name": "web", "image": "2"}],
            {"v[web].image": ("1", "2")},
            id="elements are found by name, not by place",
        ),
        pytest.param(["A=1", "B=2"], ["B=3", "A=1"], {"v.B": ("2", "3")}, id="variables of a container"),
        pytest.param(["a", "b"], ["b", "a"], {"v": (["a", "b"], ["b", "a"])}, id="another order"),
        pytest.param('{"a":1,"b":[1,2]}', '{"b":[1,3],"a":1}', {"v.b[1]": (2, 3)}, id="JSON in a string"),
        pytest.param('{"a":1', '{"a":2', {"v": ('{"a":1', '{"a":2')}, id="no JSON"),
        pytest.param({"cpu": "1"}, {"cpu": "1000m"}, {}, id="one amount, written differently"),
        pytest.param({"memory": "1Gi"}, {"memory": "2Gi"}, {"v.memory": ("1Gi", "2Gi")}, id="another amount"),
        pytest.param(SECRET, SECRET, {}, id="two secrets"),
        pytest.param("x", SECRET, {"v": ("x", SECRET)}, id="becomes secret"),
        pytest.param("x", UNKNOWN, {"v": ("x", UNKNOWN)}, id="known after the update"),
        pytest.param({"a": "x"}, UNKNOWN, {"v": ({"a": "x"}, UNKNOWN)}, id="a map known after the update"),
        pytest.param([], ["a"], {"v[0]": (ABSENT, "a")}, id="an empty list"),
        pytest.param(ABSENT, [], {"v": (ABSENT, [])}, id="an empty list that is new"),
        pytest.param("", None, {"v": ("", None)}, id="nothing and null"),
    ],
)
def test_what_differs(old: Any, new: Any, expected: dict[str, Any]) -> None:
    assert differences(old, new) == expected


def test_of_a_text_only_the_changed_lines() -> None:
    old = "a: 1\nb: 2\nc: 3\n"
    (found,) = properties({"v": old}, {"v": old.replace("b: 2", "b: 9")})
    assert found.lines == ("-b: 2", "+b: 9")


def test_lines_that_look_like_a_header_are_lines() -> None:
    assert list(changed_lines("a\n-- b\n", "a\n++ c\n")) == ["--- b", "+++ c"]


def test_a_path_names_elements() -> None:
    assert shown_path(("spec", "containers", Item("web"), "env", Item("0"))) == "spec.containers[web].env[0]"
