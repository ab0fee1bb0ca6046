"""The stacks of Docker tests have no problem: what brings them up runs seldom, and a rule that was made since may refuse them."""

from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any

import pytest
import yaml

from tests.backup_schedule.docker import recover_shop
from tests.recovery.docker import test_runbooks
from tests.stack.changes import put
from tests.support import GOLDEN
from tierstack.stack.check import judge
from tierstack.stack.settings import MASKED

ROOT = GOLDEN.parents[2]
MODULES = (test_runbooks, recover_shop)
SECRETS: Mapping[ModuleType, Iterable[str]] = {recover_shop: recover_shop.SECRETS}
"""Paths of what a test sets encrypted."""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_the_stack_has_no_problem(module: ModuleType) -> None:
    given = yaml.safe_load((ROOT / "Pulumi.local.yaml").read_text())["config"]
    config: dict[str, Any] = {key.removeprefix("shop:"): value for key, value in given.items()}
    configure: Callable[[dict[str, Any]], None] = module.configure
    configure(config)
    for path in SECRETS.get(module, ()):
        put(config, path, MASKED)
    assert judge(config, frozenset(), "test", "shop").problems == []
