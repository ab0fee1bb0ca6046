"""What is said to the reader of a stack's configuration names its keys, where the arguments are called otherwise."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from tests.stack import test_settings as settings
from tests.stack import test_several as several
from tests.stack.changes import put
from tests.stack.test_all_at_once import TOGETHER
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.places import steps
from tierstack.stack.check import judge
from tierstack.stack.mending import key_at
from tierstack.stack.sections import SECTIONS
from tierstack.stack.settings import OVERLAYS

ARGUMENTS = {name for one in SECTIONS for key in one.images for name in (key.docker, key.kubernetes) if name}
"""Arguments that `images` gives."""
CASES = [
    *((case, settings.problems_of) for case in [*settings.WRONG, *TOGETHER]),
    *((case, several.problems_of) for case in several.WRONG),
]


@pytest.mark.parametrize(("case", "problems_of"), CASES, ids=[case["name"].replace(" ", "-") for case, _ in CASES])
def test_every_place_is_a_key_and_no_argument_of_an_image_is_named(
    case: dict[str, Any], problems_of: Callable[[dict[str, Any]], list[Diagnostic]]
) -> None:
    unknown = ("unknown-key", "unknown-rule", "ignore-refused", "ignore-reason")
    wrong = [
        str(one)
        for one in problems_of(case)
        if (one.code not in unknown and one.path not in OVERLAYS and key_at(steps(one.path)) is None)
        or (ARGUMENTS - {"image"}) & set(re.findall(r"`(\w+)`", f"{one.message} {one.hint}"))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            {"tier": "1M", "database": {"replicas": 1, "synchronous": True}, "images.haproxy": None, "redis.nodes": 1},
            "`replicas` of at least 1 and `images.haproxy`",
        ),
        (
            {"platform.kind": "kubernetes", "file_backups": {}, "app.uploads": {"path": "/srv/uploads"}},
            "file_backups: are on Kubernetes",
        ),
        ({"dns.mail": {"mta_sts": {}}, "images.app": "registry.example/shop:1"}, "images.app = "),
        ({"tier": "1M", "images.haproxy": None}, "images.haproxy: is required with three Redis nodes"),
        ({"file_backups": {}, "images.restic": None}, "images.restic: is required"),
    ],
)
def test_a_message_names_keys(change: dict[str, Any], line: str) -> None:
    config = yaml.safe_load((settings.CASES / "base.yaml").read_text())
    for path, value in change.items():
        put(config, path, value)
    said = [str(one) for one in judge(config, frozenset(), "test", "shop").problems]
    assert any(line in one for one in said), said


def test_what_is_there_for_one_of_several_names_that_one() -> None:
    """Backups of files are told where the application has its uploads."""
    config = yaml.safe_load((settings.CASES / "base.yaml").read_text())
    config["apps"] = {"shop": config.pop("app") | {"user": "0:0", "uploads": {"path": "/srv/uploads"}}}
    config["file_backups"] = {}
    config["images"]["restic"] = config["images"]["barman"]
    said = [one.path for one in judge(config, frozenset(), "test", "shop").problems]
    assert said
    assert {path for path in said if not path.startswith("apps.shop.")} == set()
