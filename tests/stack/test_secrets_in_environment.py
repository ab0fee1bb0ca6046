"""A secret among the plain variables of an application is a warning, unless the file has it encrypted."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tierstack.core.diagnostics import Diagnostic
from tierstack.stack.check import judge

CASES = Path(__file__).parent.parent / "cases" / "settings"
CODE = "secret-in-environment"


@pytest.fixture
def config() -> dict[str, Any]:
    given = yaml.safe_load((CASES / "base.yaml").read_text())
    put(given, "app.environment", {"APP_ENV": "production", "STRIPE_SECRET_KEY": "sk_live_0123456789"})
    put(given, "app.roles.mail", {"command": ["mail"], "environment": {"SMTP_PASSWORD": "hunter2"}})
    put(given, "docker.app.environment", {"X_TOKEN": "hunter2-hunter2"})
    return given


def found(config: dict[str, Any], *secret_keys: str) -> dict[str, Diagnostic]:
    report = judge(config, frozenset(secret_keys), "test", "shop")
    assert report.problems == []
    return {one.path: one for one in report.findings()[0] if one.code == CODE}


def test_each_is_told_where_it_stands_and_none_is_shown(config: dict[str, Any]) -> None:
    said = found(config)
    assert said.keys() == {
        "app.environment.STRIPE_SECRET_KEY",
        "app.roles.mail.environment.SMTP_PASSWORD",
        "docker.app.environment.X_TOKEN",
    }
    assert "--path 'app.secrets.SMTP_PASSWORD'" in said["app.roles.mail.environment.SMTP_PASSWORD"].hint
    assert not [one.line for one in said.values() if "hunter2" in one.line or "sk_live" in one.line]


def test_what_is_encrypted_is_none(config: dict[str, Any]) -> None:
    # In a check the encrypted values are masked, and the others are judged.
    put(config, "app.environment.STRIPE_SECRET_KEY", "(secret)")
    assert found(config, "app").keys() == {
        "app.roles.mail.environment.SMTP_PASSWORD",
        "docker.app.environment.X_TOKEN",
    }


def test_during_an_update_nobody_knows_which_values_are_encrypted(config: dict[str, Any]) -> None:
    assert found(config, "app").keys() == {"docker.app.environment.X_TOKEN"}


def test_one_that_is_no_secret_is_accepted_by_its_place(config: dict[str, Any]) -> None:
    put(config, "ignore", {f"{CODE}@docker.app.environment.X_TOKEN": "a name", f"{CODE}@app.roles": "of the catcher"})
    assert found(config).keys() == {"app.environment.STRIPE_SECRET_KEY"}
