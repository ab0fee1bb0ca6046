"""Every diagnostic names a place that its reader finds in what they wrote: a key that is there, or one that is missing
in a part that is there."""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import pytest

from tests.stack import test_settings as settings
from tests.stack import test_several as several
from tests.stack.changes import put
from tests.tls import test_wrong_args as tls
from tierstack.core.diagnostics import HIDDEN, Diagnostic
from tierstack.core.places import steps

Case = dict[str, Any]


def is_nowhere(written: Mapping[str, Any], one: Diagnostic) -> bool:
    """Whether a reader looks for the place in vain. A whole section may be left out: its key is then one to write. A
    value that is hidden is one that somebody wrote."""
    section, *inside = steps(one.path)
    left_out = 0 if one.value is HIDDEN else 2 if inside and section not in written else 1
    return missing_parts(written, one.path) > left_out


def missing_parts(written: object, path: str) -> int:
    """How many steps of a path lead to nothing in what was written."""
    place = list(steps(path))
    while place:
        inside = cast(Any, written)
        step, *rest = place
        if isinstance(step, int):
            if not isinstance(inside, Sequence) or step >= len(cast(Any, inside)):
                return len(place)
            written, place = inside[step], rest
            continue
        if not isinstance(inside, Mapping):
            return len(place)
        # A key may have dots in it: `opcache.memory_consumption`.
        texts = [str(one) for one in place if isinstance(one, str)]
        length = next((n for n in range(len(texts), 0, -1) if ".".join(texts[:n]) in inside), 0)
        if not length:
            return len(place)
        written, place = cast(Any, inside)[".".join(texts[:length])], place[length:]
    return 0


CASES = [
    *((case, settings.BASE, settings.problems_of) for case in settings.WRONG),
    *((case, several.SEVERAL, several.problems_of) for case in several.WRONG),
]


@pytest.mark.parametrize(
    ("case", "base", "problems_of"), CASES, ids=[case["name"].replace(" ", "-") for case, _, _ in CASES]
)
def test_every_path_is_one_that_was_written_or_is_missing_there(
    case: Case, base: dict[str, Any], problems_of: Callable[[Case], list[Diagnostic]]
) -> None:
    config = copy.deepcopy(base)
    for path, value in case["set"].items():
        put(config, path, value)
    assert [str(one) for one in problems_of(case) if is_nowhere(config, one)] == []


@pytest.mark.graph
@pytest.mark.parametrize("case", tls.TABLE["cases"], ids=lambda case: case["name"].replace(" ", "-"))
def test_every_path_of_tls_is_one_that_was_written_or_is_missing_there(case: Case) -> None:
    given = tls.laid_over(tls.TABLE["bases"][case["base"]], case["given"])
    assert [str(one) for one in tls.problems_of(case) if is_nowhere(given, one)] == []


def test_what_is_written_is_found() -> None:
    written = {"app": {"php": {"settings": {"opcache.memory": "1"}}}, "web": [{"ipv4": []}]}
    paths = ["app.php", "app.php.settings.opcache.memory", "web[0].ipv4", "app.php.port", "app.http.port", "web[1].a"]
    assert [missing_parts(written, path) for path in paths] == [0, 0, 0, 1, 2, 2]
