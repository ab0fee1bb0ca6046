"""What is asked of the Docker daemon, and what is said when it goes wrong, against a daemon that only keeps notes.
`tests/core/docker` does the same with a real one."""

import io
import socket
import tarfile
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker.errors
import pytest
import requests.exceptions

from tierstack.platform import files, pulled_image, ready, run_once
from tierstack.platform.daemon import answers


@pytest.mark.parametrize(
    ("answer", "there"),
    [
        (b"HTTP/1.0 200 OK\r\n\r\nOK", True),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        (b"", False),
        (None, False),
    ],
    ids=["OK", "unwell", "silent", "absent"],
)
@pytest.mark.parametrize("named", ["platform", "environment"])
def test_whether_a_daemon_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, answer: bytes | None, there: bool
) -> None:
    path = tmp_path / "daemon.sock"
    server = socket.socket(socket.AF_UNIX)
    if answer is not None:
        server.bind(str(path))
        server.listen()

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            assert connection.recv(1024).startswith(b"GET /_ping ")
            connection.sendall(answer or b"")

    if answer is not None:
        threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setenv("DOCKER_HOST", f"unix://{path}" if named == "environment" else "unix:///nowhere")
    with server:
        assert answers(f"unix://{path}" if named == "platform" else None) is there


def test_a_daemon_on_another_machine_is_asked_by_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere")
    assert answers("tcp://127.0.0.1:1") is False


class Container:
    """A container that ends with `code`, or never (None)."""

    def __init__(self, daemon: "Daemon", given: dict[str, Any]) -> None:
        self.daemon, self.given, self.status, self.states = daemon, given, daemon.status, list(daemon.states)
        self.attrs: dict[str, Any] = {"State": self.states.pop(0)} if self.states else {}
        self.attrs |= {"Config": {"StopTimeout": daemon.stop_timeout}, "RestartCount": 50}
        self.labels = daemon.labels

    def put_archive(self, path: str, data: bytes) -> None:
        self.daemon.notes.append(f"archive {path} {len(data) > 0}")

    def get_archive(self, path: str) -> tuple[list[bytes], None]:
        """A file of the volume as the daemon hands it out: a tar with its owner and mode."""
        if path not in self.daemon.files:
            raise docker.errors.NotFound("no such file")
        uid, gid, mode, content = self.daemon.files[path]
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            entry = tarfile.TarInfo(path)
            entry.uid, entry.gid, entry.mode, entry.size = uid, gid, mode, len(content)
            tar.addfile(entry, io.BytesIO(content))
        return [buffer.getvalue()], None

    def restart(self, timeout: int) -> None:
        self.daemon.notes.append(f"restart {timeout}")

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
            self.attrs["State"] = self.states.pop(0)
        self.attrs["RestartCount"] += self.daemon.restarts

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
        self.labels = {"app.kubernetes.io/managed-by": "tierstack"}
        self.files: dict[str, tuple[int, int, int, bytes]] = {"/volume/a": (1, 2, 0o400, b"1")}
        self.here, self.registry = {"i"}, {"r@sha256:1"}
        self.images = SimpleNamespace(get=self.image)
        self.api = SimpleNamespace(pull=self.pull)
        self.present = True
        self.stop_timeout: int | None = None
        self.restarts = 0  # between two looks
        self.containers = SimpleNamespace(create=self.create, get=self.get)
        self.volumes = SimpleNamespace(list=lambda: [SimpleNamespace(name="v")])
        self.networks = SimpleNamespace(get=lambda name: SimpleNamespace(connect=lambda _: self.notes.append(name)))

    def image(self, name: str) -> SimpleNamespace:
        if name not in self.here:
            raise docker.errors.ImageNotFound(f"No such image: {name}")
        return SimpleNamespace(id=name)

    def pull(self, repository: str, tag: str, **_: bool) -> list[dict[str, str]]:
        self.notes.append(f"pull {repository} {tag}")
        if f"{repository}@{tag}" not in self.registry:
            return [{"status": "Pulling"}, {"error": "manifest unknown"}]
        self.here.add(f"{repository}@{tag}")
        return [{"status": "Pulled"}]

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
    for module in (files, run_once, ready, pulled_image):
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
        assert daemon.notes == ["archive /volume True", "start", "wait 600", "remove True"]

    def test_a_host_that_is_too_busy_is_told(self, daemon: Daemon) -> None:
        daemon.code = None
        with pytest.raises(RuntimeError, match=r"into volume v did not end within 600 s: the host is too busy"):
            files._Provider().create(FILES)
        assert daemon.notes[-1] == "remove True"

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

    @pytest.mark.parametrize(
        "now", [{}, {"/volume/a": (1, 2, 0o400, b"2")}, {"/volume/a": (0, 2, 0o400, b"1")}, {"/volume/a": (1, 2, 0o644, b"1")}]
    )  # fmt: skip
    def test_what_somebody_else_changed_is_seen_and_not_deleted(self, daemon: Daemon, now: dict[str, Any]) -> None:
        provider = files._Provider()
        as_written = provider.read("id", FILES).outs
        assert not provider.diff("id", as_written, FILES).changes
        daemon.files = now
        seen = provider.read("id", FILES).outs
        assert seen["files"] == {}
        assert provider.diff("id", seen, FILES).changes
        provider.delete("id", FILES)
        assert "rm -f -- a" not in daemon.created["entrypoint"][-1]

    def test_a_volume_that_is_gone_is_seen(self, daemon: Daemon) -> None:
        daemon.volumes.list = list
        assert files._Provider().read("id", FILES).id == ""
        assert daemon.created == {}

    def test_without_its_image_nothing_is_seen_and_nothing_breaks(self, daemon: Daemon) -> None:
        daemon.here.clear()
        assert files._Provider().read("id", FILES).outs["files"] == FILES["files"]
        files._Provider().delete("id", FILES)
        assert daemon.created == {}


class TestImages:
    def test_what_is_there_is_not_pulled(self, daemon: Daemon) -> None:
        files._Provider().create(FILES)
        run_once._Provider().create(RUN)
        assert not any("pull" in note for note in daemon.notes)

    @pytest.mark.parametrize("image", ["r@sha256:1", "r:1.2@sha256:1"])
    def test_what_is_not_there_is_pulled_by_digest(self, daemon: Daemon, image: str) -> None:
        files._Provider().create({**FILES, "image": image})
        run_once._Provider().create({**RUN, "image": image})
        made = pulled_image._Provider().create({"image": image})
        assert next(note for note in daemon.notes if "pull" in note) == "pull r sha256:1"
        assert daemon.created["image"] == made.id == "r@sha256:1"

    @pytest.mark.parametrize(
        ("image", "said"),
        [
            ("sha256:2", "image sha256:2 is not on the Docker host; build or load it there"),
            ("r.example:5000/s@sha256:2", "image r.example:5000/s@sha256:2 cannot be pulled: manifest unknown; check its name"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_had(self, daemon: Daemon, image: str, said: str) -> None:
        with pytest.raises(RuntimeError, match=said):
            run_once._Provider().create({**RUN, "image": image})
        assert daemon.created == {}

    def test_a_registry_that_wants_to_know_who_asks(self, daemon: Daemon) -> None:
        def refuse(*_: str, **__: object) -> None:
            raise docker.errors.APIError("500", explanation="unauthorized: authentication required")

        daemon.api.pull = refuse
        with pytest.raises(RuntimeError, match=r"run `docker login r\.example:5000` on the machine"):
            pulled_image._Provider().create({"image": "r.example:5000/s@sha256:2"})

    def test_an_image_that_was_removed_is_pulled_again(self, daemon: Daemon) -> None:
        provider = pulled_image._Provider()
        made = provider.create({"image": "r@sha256:1"})
        assert provider.read(made.id, made.outs).id == made.id
        daemon.here.clear()
        assert provider.read(made.id, made.outs).id == ""


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

    def test_a_container_of_somebody_else_is_left_alone(self, daemon: Daemon) -> None:
        daemon.labels = {}
        with pytest.raises(RuntimeError, match="container shop-migrate exists, and tierstack did not make it"):
            run_once._Provider().create(RUN)
        assert daemon.notes == []

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
            RuntimeError,
            match="container shop-web is starting, after 0 s; the end of its log:\nthe log\nMend the cause and update",
        ):
            ready._Provider().update("id", {}, READY)

    def test_one_that_ends_again_and_again_is_not_waited_for(
        self, daemon: Daemon, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It had ended before, too: what counts is what it does now."""
        pauses: list[float] = []
        monkeypatch.setattr(ready.time, "sleep", pauses.append)
        daemon.states, daemon.restarts = [{"Restarting": True, "Status": "restarting", "ExitCode": 1}], 1
        with pytest.raises(RuntimeError, match=r"its last exit code was 1, and it has ended 10 times, after 0 s;"):
            ready._Provider().create({**READY, "wait_seconds": 3600})
        assert len(pauses) == 10

    def test_a_start_that_failed_is_tried_again(self, daemon: Daemon) -> None:
        daemon.status, daemon.states = "created", [{"Running": False, "Status": "created"}, HEALTHY]
        ready._Provider().create(READY)
        assert daemon.notes == ["start"]

    def test_a_container_that_is_not_well_is_seen_and_restarted(self, daemon: Daemon) -> None:
        provider, hangs = ready._Provider(), {"Running": True, "Health": {"Status": "unhealthy"}}
        daemon.states = [HEALTHY]
        assert not provider.diff("id", provider.read("id", READY).outs, READY).changes
        daemon.states = [hangs]
        seen = provider.read("id", READY).outs
        assert provider.diff("id", seen, READY).changes
        daemon.states = [hangs, HEALTHY]
        daemon.stop_timeout = 7
        provider.update("id", seen, READY)
        assert daemon.notes == ["restart 7"]

    def test_an_unhealthy_container_of_another_release_is_only_waited_for(self, daemon: Daemon) -> None:
        daemon.states = [{"Running": True, "Health": {"Status": "unhealthy"}}, HEALTHY]
        ready._Provider().update("id", {**READY, "container": "another"}, {**READY, "wait_seconds": 60})
        assert daemon.notes == []

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
