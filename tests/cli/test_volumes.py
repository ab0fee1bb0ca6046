"""A volume of the state that somebody removed: the engine cannot refresh it, so it is made before the update."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from tests.cli.conftest import Command, Fake
from tests.cli.test_interrupted import OURS, container, resource, state
from tierstack.engine import aim, parts, resume, target, volumes
from tierstack.engine.project import UnreachableError, UsageError

pytestmark = pytest.mark.pure
DATA = container("Volume", "shop-db-data") | {"id": "shop-db-data", "protect": True}
FILES = container("Volume", "shop-db-config") | {"id": "shop-db-config"}


class Daemon:
    """Volumes of a daemon: those that are there, and those that were made."""

    def __init__(self) -> None:
        self.there: list[str] = []
        self.made: list[dict[str, Any]] = []
        self.containers = SimpleNamespace(list=lambda **_: [])
        self.volumes = SimpleNamespace(list=self._list, create=self._create)

    def _list(self) -> list[Any]:
        return [SimpleNamespace(name=name) for name in self.there]

    def _create(self, name: str, **given: Any) -> None:
        self.made.append({"name": name, **given})


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    one = Daemon()
    for module in (volumes, parts, resume):
        monkeypatch.setattr(module, "client", lambda _host: one)
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, lambda _: None)
    return one


@pytest.fixture(autouse=True)
def applied(pulumi: Fake) -> None:
    held = state(resources=[resource("pulumi:pulumi:Stack", "shop"), DATA, FILES])
    pulumi.say(stack_init={"code": 1, "err": "stack 'local' already exists"})
    pulumi.say(stack_export={"out": json.dumps({"version": 3, "deployment": held})})


def engine_ran(pulumi: Fake, verb: str) -> list[str]:
    return next(one["arguments"] for one in pulumi.calls() if verb in one["arguments"])


def test_up_makes_it_anew_and_says_so(tierstack: Command, pulumi: Fake, daemon: Daemon) -> None:
    daemon.there = ["shop-db-config"]
    done = tierstack("up", "-s", "local", "--yes", "--empty-volumes")
    assert daemon.made == [{"name": "shop-db-data", "driver": "local", "driver_opts": {}, "labels": OURS}]
    assert "volume shop-db-data is not on the Docker host any more: it is made anew, empty; what it held" in done.output
    assert "--refresh" in engine_ran(pulumi, "up")


@pytest.mark.parametrize("flags", [("--yes",), ("--json",), ()])
def test_up_makes_no_volume_of_data_unasked(
    flags: tuple[str, ...], tierstack: Command, pulumi: Fake, daemon: Daemon
) -> None:
    """A job that nobody watches would start the application on an empty database."""
    done = tierstack("up", "-s", "local", *flags)
    assert isinstance(done.exception, UsageError)
    said = str(done.exception)
    assert "volume shop-db-data, which held data, is not on the Docker host any more. Nothing was changed" in said
    assert "--empty-volumes" in said
    assert not daemon.made
    assert not any("up" in one["arguments"] for one in pulumi.calls())


def test_up_makes_a_volume_without_data_by_itself(tierstack: Command, pulumi: Fake, daemon: Daemon) -> None:
    daemon.there = ["shop-db-data"]
    tierstack("up", "-s", "local", "--yes")
    assert [one["name"] for one in daemon.made] == ["shop-db-config"]


def test_up_touches_no_volume_that_is_there(tierstack: Command, pulumi: Fake, daemon: Daemon) -> None:
    daemon.there = ["shop-db-config", "shop-db-data", "other"]
    assert "not on the Docker host" not in tierstack("up", "-s", "local", "--yes").output
    assert not daemon.made


def test_a_preview_makes_nothing_and_still_shows_a_plan(tierstack: Command, pulumi: Fake, daemon: Daemon) -> None:
    gone = "refreshing …Volume::shop-db-data: Unable to inspect volume: Error: No such volume: shop-db-data"
    event = {"diagnosticEvent": {"severity": "error", "message": gone, "urn": DATA["urn"]}}
    daemon.there = ["shop-db-config"]
    pulumi.say(preview=[{"code": 255, "events": [event]}, {}])
    done = tierstack("preview", "-s", "local")
    assert done.exit_code == 0
    assert not daemon.made
    assert (
        "volume shop-db-data is not on the Docker host any more: `tierstack up --empty-volumes` makes it anew"
        in done.output
    )
    asked = [one["arguments"] for one in pulumi.calls() if "preview" in one["arguments"]]
    assert ["--refresh" in one for one in asked] == [True, False]


def test_a_daemon_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from docker.errors import DockerException

    def away(_host: str | None) -> Any:
        raise DockerException("connection refused")

    monkeypatch.setattr(volumes, "client", away)
    with pytest.raises(UnreachableError, match="connection refused"):
        volumes.missing([DATA], None)
