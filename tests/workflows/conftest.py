"""An imitation of the APIs of GitHub and GitLab, and the scripts that users copy."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "examples" / "workflows" / "ci"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


@dataclass
class Api:
    """A server that keeps what it was asked; `answer` gives status and JSON."""

    address: str = ""
    asked: list[Request] = field(default_factory=list[Request])
    answer: Callable[[Request], tuple[int, Any]] = lambda _request: (404, {"message": "Not Found"})


@pytest.fixture
def api() -> Iterator[Api]:
    kept = Api()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            split = urlsplit(self.path)
            given = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            is_json = self.headers.get("Content-Type") == "application/json"
            body = json.loads(given) if given and is_json else parse_qs(given)
            request = Request(self.command, split.path, parse_qs(split.query), dict(self.headers), body)
            kept.asked.append(request)
            status, said = kept.answer(request)
            text = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_PUT = handle_any

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    kept.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield kept
    server.shutdown()
    thread.join()
    server.server_close()


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script of the examples in a folder of its own, with these variables and few others."""

    def started(script: str, *arguments: str, cwd: Path = tmp_path, **variables: str) -> Any:
        # A PATH without this environment: a script has to find what it needs as it would on a runner.
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "LANG": "C.UTF-8", **variables}
        command = [sys.executable] if script.endswith(".py") else ["bash"]
        return subprocess.run(
            [*command, SCRIPTS / script, *arguments],
            cwd=cwd, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    return started
