"""A stack on a Docker host whose daemon is away: told before anything else is."""

import json
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml

from tests.stack.test_settings import BASE
from tests.support import run_program
from tierstack.platform import own_state
from tierstack.stack.program import program

pytestmark = pytest.mark.graph
GONE = "unix:///nonexistent/docker.sock"


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """The configuration as the engine hands it over."""
    monkeypatch.setenv("DOCKER_HOST", GONE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(own_state, "resources", dict[str, Any])
    config = yaml.safe_load(yaml.safe_dump(BASE))
    _hand_over(monkeypatch, config)
    return config


def _hand_over(monkeypatch: pytest.MonkeyPatch, config: dict[str, Any]) -> None:
    texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in config.items()}
    monkeypatch.setenv("PULUMI_CONFIG", json.dumps({f"project:{key}": value for key, value in texts.items()}))


def test_an_update_is_refused_before_anything_is_made() -> None:
    with pytest.raises(pulumi.RunError) as raised:
        run_program(program)
    assert str(raised.value) == (
        f"platform.docker_host: no Docker daemon answers at {GONE}. Nothing was changed. "
        "Start Docker, or set `platform.docker_host` or DOCKER_HOST"
    )


def test_a_preview_says_that_an_update_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(pulumi.log, "warn", lambda message, *_, **__: said.append(message))  # pyright: ignore
    run_program(program, preview=True)
    assert said[0] == (
        f"no Docker daemon answers at {GONE}: an update needs one. "
        "Start Docker, or set `platform.docker_host` or DOCKER_HOST"
    )


def test_where_images_of_the_host_are_asked_for_it_is_the_first_problem(
    monkeypatch: pytest.MonkeyPatch, stack: dict[str, Any]
) -> None:
    stack["images"]["app"] = "local:shop:1"
    stack["app"]["hostnames"] = ["Shop.example"]
    _hand_over(monkeypatch, stack)
    with pytest.raises(pulumi.RunError, match=f"no Docker daemon answers at {GONE}.*; Start Docker, or set") as raised:
        run_program(program)
    assert "docker-unreachable" in str(raised.value).splitlines()[1]


def test_a_cluster_needs_none(monkeypatch: pytest.MonkeyPatch, stack: dict[str, Any]) -> None:
    stack["platform"]["kind"] = "kubernetes"
    _hand_over(monkeypatch, stack)
    run_program(program, preview=True)
