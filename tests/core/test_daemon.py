"""What is asked of the Docker daemon, and what is said when it goes wrong, against a daemon that only keeps notes.
`tests/core/docker` does the same with a real one."""

from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests.exceptions

from tierstack.platform import files, ready, run_once


class Container:
    """A container that ends with `code`, or never (None)."""

    def __init__(self, daemon: "Daemon", given: dict[str, Any]) -> None:
        self.daemon, self.given, self.status, self.states = daemon, given, daemon.status, list(daemon.states)
        self.attrs = {"State": self.states.pop(0)} if self.states else {}

    def put_archive(self, path: str, data: bytes) -> None:
        self.daemon.notes.append(f"archive {path} {len(data) > 0}")

    def start(self) -> None:
        self.daemon.notes.append("start")
        self.status = "running"

    def wait(self, timeout: int) -> dict[str, int]:
        self.daemon.notes.append(f"wait {timeout}")
        if self.daemon.code is None:
            raise requests.exceptions.ConnectionError("Read timed out.")
        return {"StatusCode": self.daemon.code}

    def reload(self) -> None:
        if self.states:
            self.attrs = {"State": self.states.pop(0)}

    def logs(self, **_: int) -> bytes:
        return b"the log\n"

    def remove(self, force: bool) -> None:
        self.daemon.notes.append(f"remove {force}")


class Daemon:
    """Hands out one container and notes what is done with it."""

    def __init__(self, code: int | None = 0, states: list[Any] | None = None, status: str = "running") -> None:
        self.code, self.states, self.status = code, states or [], status
        self.notes: list[str] = []
        self.created: dict[str, Any] = {}
        self.present = True
        self.containers = SimpleNamespace(create=self.create, get=self.get)
        self.volumes = SimpleNamespace(list=lambda: [SimpleNamespace(name="v")])
        self.networks = SimpleNamespace(get=lambda name: SimpleNamespace(connect=lambda _: self.notes.append(name)))

    def create(self, image: str, **given: Any) -> Container:
        self.created = {"image": image, **given}
        return Container(self, given)

    def get(self, _: str) -> Container:
        if not self.present:
            raise docker.errors.NotFound("gone")
        return Container(self, {})


@pytest.fixture
def daemon(monkeypatch: pytest.MonkeyPatch) -> Daemon:
    found = Daemon()
    for module in (files, run_once, ready):
        monkeypatch.setattr(module, "client", lambda _: found)
    return found


FILES = {"volume": "v", "files": {"a": "1"}, "image": "i", "uid": 1, "gid": 2, "mode": 256, "__provider": "x"}
RUN = {
    "name": "shop-migrate",
    "image": "i",
    "command": ["php", "migrate"],
    "user": "1:1",
    "networks": ["n", "m", "n"],
    "environment": {},
    "mounts": {"/c": "v"},
    "triggers": {},
    "memory_mb": 64.0,
    "timeout_seconds": 9.0,
}
READY = {"container": "id", "name": "shop-web", "wait_seconds": 0}


class TestFiles:
    def test_they_are_written_by_a_helper_that_can_do_little_and_does_not_stay(self, daemon: Daemon) -> None:
        made = files._Provider().create(FILES)
        assert made.id.startswith("v:")
        assert "__provider" not in (made.outs or {})
        assert daemon.created["network_mode"] == "none"
        assert daemon.created["cap_drop"] == ["ALL"]
        assert daemon.notes == ["archive /volume True", "start", "wait 120", "remove True"]

    def test_an_update_removes_what_is_no_longer_there(self, daemon: Daemon) -> None:
        files._Provider().update("id", {**FILES, "files": {"a": "1", "b": "2"}}, FILES)
        assert "rm -f -- b" in daemon.created["entrypoint"][-1]

    def test_a_failure_shows_the_helper_s_words_and_leaves_nothing(self, daemon: Daemon) -> None:
        daemon.code = 1
        with pytest.raises(RuntimeError, match=r"writing files into volume v failed \(1\): the log"):
            files._Provider().create(FILES)
        assert daemon.notes[-1] == "remove True"

    def test_a_volume_that_is_gone_is_not_made_anew_to_remove_files_from_it(self, daemon: Daemon) -> None:
        daemon.volumes.list = list
        files._Provider().delete("id", FILES)
        assert daemon.created == {}

    def test_a_delete_removes_them(self, daemon: Daemon) -> None:
        files._Provider().delete("id", FILES)
        assert "rm -f -- a" in daemon.created["entrypoint"][-1]


class TestRunOnce:
    def test_success(self, daemon: Daemon) -> None:
        made = run_once._Provider().create(RUN)
        assert made.id == "shop-migrate"
        assert daemon.created["entrypoint"] == ["php"]
        assert daemon.created["command"] == ["migrate"]
        assert daemon.created["network"] == "n"
        assert daemon.created["read_only"]
        assert daemon.notes == ["remove True", "m", "start", "wait 9", "remove True"]

    @pytest.mark.parametrize(
        ("code", "said"),
        [
            (3, "shop-migrate failed with exit code 3; "),
            (None, "shop-migrate did not end within 9 s and was stopped; "),
        ],
    )
    def test_failure(self, daemon: Daemon, code: int | None, said: str) -> None:
        daemon.code = code
        with pytest.raises(RuntimeError) as raised:
            run_once._Provider().create(RUN)
        assert str(raised.value) == f"{said}nothing that needs it was started:\nthe log"
        assert daemon.notes[-1] == "remove True"

    def test_what_is_undone_when_it_goes(self, daemon: Daemon) -> None:
        run_once._Provider().delete("id", RUN)
        assert daemon.created == {}
        run_once._Provider().delete("id", {**RUN, "undo": ["php", "undo"]})
        assert daemon.created["command"] == ["undo"]


STARTING = {"Running": True, "Health": {"Status": "starting"}}
HEALTHY = {"Running": True, "Health": {"Status": "healthy"}}


class TestReady:
    def test_it_waits(self, daemon: Daemon) -> None:
        daemon.states = [STARTING, HEALTHY]
        assert ready._Provider().create({**READY, "wait_seconds": 60}).id == "shop-web"

    def test_it_says_what_is_wrong_when_the_time_is_over(self, daemon: Daemon) -> None:
        daemon.states = [STARTING]
        with pytest.raises(
            RuntimeError, match="container shop-web is starting, after 0 s; the end of its log:\nthe log"
        ):
            ready._Provider().update("id", {}, READY)

    def test_a_start_that_failed_is_tried_again(self, daemon: Daemon) -> None:
        daemon.status, daemon.states = "created", [{"Running": False, "Status": "created"}, HEALTHY]
        ready._Provider().create(READY)
        assert daemon.notes == ["start"]

    def test_a_container_that_is_gone(self, daemon: Daemon) -> None:
        daemon.present = False
        with pytest.raises(RuntimeError, match="container shop-web is not on the host; run `pulumi refresh`"):
            ready._Provider().create(READY)


def test_the_daemon_s_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(docker, "DockerClient", lambda base_url: asked.append(base_url))
    monkeypatch.setattr(docker, "from_env", lambda: asked.append("environment"))
    files.client("tcp://a:1")
    files.client(None)
    assert asked == ["tcp://a:1", "environment"]
