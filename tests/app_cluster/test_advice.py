"""What is allowed in an application, and rarely meant."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tierstack.app_cluster.advice import is_scheduler
from tierstack.app_cluster.options import RoleArgs
from tierstack.app_cluster.plaintext import is_secret

CASES = Path(__file__).parents[1] / "cases/app_cluster"
ENVIRONMENTS: dict[str, list[dict[str, Any]]] = yaml.safe_load((CASES / "environments.yaml").read_text())


@pytest.mark.parametrize(
    "case", ENVIRONMENTS["harmless"] + ENVIRONMENTS["secret"], ids=lambda case: case["name"].replace(" ", "-")
)
def test_secrets_in_environments(case: dict[str, Any]) -> None:
    assert [name for name, value in case["set"].items() if is_secret(name, value)] == case.get("expect", [])


def test_there_are_enough_of_both() -> None:
    assert {kind: len(cases) >= 25 for kind, cases in ENVIRONMENTS.items()} == {"harmless": True, "secret": True}


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("scheduler", ["php", "bin/console", "run"], True),
        ("cron", ["/srv/shop/bin/loop"], True),
        ("tasks", ["php", "artisan", "schedule:work"], True),
        ("tasks", ["supercronic", "/etc/crontab"], True),
        ("tasks", ["/usr/sbin/crond", "-f"], True),
        ("tasks", ["sh", "-c", "while true; do php artisan schedule:run; sleep 60; done"], True),
        ("worker", ["php", "artisan", "queue:work"], False),
        ("cron", ["php", "artisan", "queue:work", "--queue=cron"], False),
        ("scheduler", ["php", "bin/console", "messenger:consume", "async"], False),
        ("worker", ["php", "artisan", "horizon"], False),
        ("reschedule", ["php", "bin/reschedule"], False),
        ("mail", ["php", "bin/mail", "--cron"], False),
    ],
)
def test_which_roles_are_schedulers(name: str, command: list[str], expected: bool) -> None:
    assert is_scheduler(name, RoleArgs(command=command)) is expected
