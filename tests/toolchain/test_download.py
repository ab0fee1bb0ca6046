"""The vendor's downloads, from a server of the test's own."""

import hashlib
import io
import socket
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from toolchain import download, find
from toolchain.pins import Pins, Tool


def archive(names: list[str]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name in names:
            data = f"#!/bin/sh\necho {name}\n".encode()
            entry = tarfile.TarInfo(f"pulumi/{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def vendor(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Address of a server and what it serves by path."""
    files: dict[str, bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = files.get(self.path)
            self.send_response(200 if body is not None else 403)
            self.end_headers()
            if body is not None and self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, format: str, *args: object) -> None:
            pass

    monkeypatch.delenv("TIERSTACK_NO_DOWNLOAD")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", files
    server.shutdown()
    thread.join()
    server.server_close()


def offer(vendor: tuple[str, dict[str, bytes]], tool: Tool, names: list[str], sums: str | None = None) -> Tool:
    base, files = vendor
    tool = replace(tool, archive=f"{base}/pulumi-v{{version}}.tar.gz", checksums=f"{base}/sums.txt")
    data = archive(names)
    files["/pulumi-v3.259.0.tar.gz"] = data
    listed = hashlib.sha256(data).hexdigest() if sums is None else sums
    files["/sums.txt"] = f"{'0' * 64}  another.tar.gz\n{listed}  pulumi-v3.259.0.tar.gz\n".encode()
    return tool


def test_an_archive_with_the_published_checksum_is_installed_whole(
    vendor: tuple[str, dict[str, bytes]], few: Pins
) -> None:
    tool = offer(vendor, few.tools["pulumi"], ["pulumi", "pulumi-language-python", "pulumi-language-python-exec"])
    assert download.fetch_archive(tool) == ""
    for name in ("pulumi", "pulumi-language-python"):
        found = find.find(few.tools[name], few)
        assert found is not None
        assert (found.source, found.version) == ("download", "3.259.0")
    assert (found.path.parent / "pulumi-language-python-exec").stat().st_mode & 0o111


@pytest.mark.parametrize(
    ("names", "sums", "reason"),
    [
        (["pulumi", "pulumi-language-python"], "f" * 64, "checksum of pulumi-v3.259.0.tar.gz is"),
        (["pulumi", "pulumi-language-python"], "none", "does not name the archive"),
        (["pulumi"], None, "does not contain pulumi-language-python"),
    ],
)
def test_a_wrong_archive_is_not_used(
    vendor: tuple[str, dict[str, bytes]], few: Pins, names: list[str], sums: str | None, reason: str
) -> None:
    tool = offer(vendor, few.tools["pulumi"], names, sums)
    assert reason in download.fetch_archive(tool)
    assert find.find(tool, few) is None
    assert not list(find.download_home(tool).parent.glob("*.tmp-*"))


def test_a_refusing_vendor_is_given_up(vendor: tuple[str, dict[str, bytes]], few: Pins) -> None:
    tool = replace(few.tools["pulumi"], archive=f"{vendor[0]}/absent", checksums=f"{vendor[0]}/absent")
    assert download.fetch_archive(tool) == "the vendor's download does not answer"


def test_a_silent_vendor_is_given_up_and_not_asked_twice(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIERSTACK_NO_DOWNLOAD")
    monkeypatch.setattr(download, "PROBE_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, never speaks
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        assert not download.answers(url)
        started = time.monotonic()
        monkeypatch.setattr(download, "PROBE_SECONDS", 60)
        assert not download.answers(url)
        assert time.monotonic() - started < 30


def test_a_plugin_is_left_to_the_engine(
    few: Pins, program: Callable[..., Path], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin = few.tools["pulumi-resource-random"]
    monkeypatch.setattr(download, "answers", lambda _url: True)
    engine = program("pulumi", f'echo "$@" > {home}/called; [ "$4" = random ] || exit 1')
    assert download.install_plugin(plugin, engine) == ""
    assert (home / "called").read_text() == "plugin install resource random v4.21.4\n"
    engine = program("pulumi", "echo refused >&2; exit 1")
    assert "refused" in download.install_plugin(plugin, engine)
