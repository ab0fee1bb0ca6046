"""`tierstack compare`: two environments of one program, from their configuration files."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command, Fake
from tests.projects import Checkout
from tierstack.core.errors import ArgumentError
from tierstack.engine.project import UsageError


def test_what_is_meant_and_nothing_else(tierstack: Command, pulumi: Fake) -> None:
    result = tierstack("compare", "staging", "prod")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert "  tier: 100k → 1M" in lines
    assert "  platform.data_protection: protect → retain" in lines
    assert lines[-1].startswith("staging → prod: ")
    assert "0 surprising" in lines[-1]
    assert pulumi.calls() == []


def test_a_surprise_comes_first_and_ends_with_3(tierstack: Command, project: Checkout) -> None:
    project.config("prod", lambda config: (config.pop("backups"), config["images"].update(app="x@sha256:" + "7" * 64)))
    result = tierstack("compare", "staging", "prod")
    assert result.exit_code == 3
    assert result.stdout.splitlines()[:2] == ["Surprising", '  backups: {"retention_days": 7} → not set']
    assert "promote the same digest" in result.stdout
    found = json.loads(tierstack("compare", "staging", "prod", "--json").stdout)
    assert found["surprising"] == 2
    assert [one["path"] for one in found["differences"][:2]] == ["backups", "images.app"]
    assert {*found["differences"][0]} == {"path", "first", "second", "judgement", "why"}


def test_the_other_way_round_other_things_surprise(tierstack: Command) -> None:
    result = tierstack("compare", "prod", "staging")
    assert result.exit_code == 3
    assert "staging protects its data less than prod" in result.stdout


def test_no_secret_is_shown(tierstack: Command, project: Checkout) -> None:
    secret = {"secure": "v1:correct:horse"}
    project.config("prod", lambda config: config["app"].update(secrets={"PIN": secret, "ONE": secret}))
    project.config("staging", lambda config: config["app"].update(secrets={"PIN": secret}))
    result = tierstack("compare", "staging", "prod")
    assert "app.secrets.ONE: not set → [secret]" in result.stdout
    assert "Not compared, because both are encrypted: app.secrets.PIN" in result.stdout
    assert "correct" not in result.stdout


def test_a_program_that_exports_no_stack(tmp_path: Path, tierstack: Command) -> None:
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "Pulumi.yaml").write_text("name: mine\nruntime: nodejs\n")
    for stack, size in (("a", 1), ("b", 2)):
        config = f"config:\n  mine:size: {size}\n  aws:region: r{size}\n"
        (tmp_path / "plain" / f"Pulumi.{stack}.yaml").write_text(config)
    result = tierstack("compare", "a", "b", "-C", str(tmp_path / "plain"))
    assert "  aws:region" not in result.stdout.replace('["aws:region"]: r1 → r2', "")
    assert "  size: 1 → 2" in result.stdout.splitlines()


def test_what_cannot_be_compared(tierstack: Command, project: Checkout) -> None:
    with pytest.raises(UsageError, match="compared with itself"):
        tierstack("compare", "prod", "prod", catch_exceptions=False)
    with pytest.raises(UsageError, match="no stack `nowhere`"):
        tierstack("compare", "prod", "nowhere", catch_exceptions=False)
    project.config("prod", lambda config: config["backups"].update(retention_days=0))
    with pytest.raises(ArgumentError, match=r"backups\.retention_days = 0"):
        tierstack("compare", "staging", "prod", catch_exceptions=False)
