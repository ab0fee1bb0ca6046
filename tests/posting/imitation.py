"""Imitations of the REST APIs of GitHub and GitLab on this machine: comments in pages, labels, and failures to order."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "ghs_correcthorsebattery"
BOT = {"login": "github-actions[bot]", "type": "Bot", "id": 7}
PERSON = {"login": "someone", "type": "User", "id": 8}


@dataclass
class Api:
    """What the pull request has, what was asked, and what is answered out of turn."""

    account: dict[str, Any] = field(default_factory=lambda: dict(BOT))
    comments: list[dict[str, Any]] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    failures: list[tuple[str, int, dict[str, str], bool]] = field(default_factory=list)
    """(pattern of `METHOD path`, status, headers, whether it is carried out all the same), each used once."""
    next_page_at: str = ""
    """Another server that the link of the next page names."""
    url: str = ""

    def add(self, body: str, user: dict[str, Any] | None = None) -> dict[str, Any]:
        one = {"id": 100 + len(self.comments), "body": body, "user": user or self.account}
        one["author"] = {"id": one["user"]["id"]}
        self.comments.append(one)
        return one

    def fail(self, pattern: str, status: int, times: int = 1, *, carried_out: bool = False, **headers: str) -> None:
        named = {key.replace("_", "-"): value for key, value in headers.items()}
        self.failures += [(pattern, status, named, carried_out)] * times

    def asked(self, method: str) -> list[str]:
        return [path for one, path in self.requests if one == method]

    def bodies(self) -> list[str]:
        return [one["body"] for one in self.comments]


class _Handler(BaseHTTPRequestHandler):
    api: Api

    def answer(self) -> None:
        where = urlsplit(self.path)
        path, query = unquote(where.path), parse_qs(where.query)
        length = int(self.headers.get("Content-Length") or 0)
        sent: dict[str, Any] = json.loads(self.rfile.read(length)) if length else {}
        self.api.requests.append((self.command, path))
        for index, (pattern, status, headers, carried_out) in enumerate(self.api.failures):
            if re.fullmatch(pattern, f"{self.command} {path}"):
                del self.api.failures[index]
                if carried_out:
                    self.carry_out(path, query, sent)
                return self.say(status, {"message": f"imitated {status}"}, headers)
        if TOKEN not in f"{self.headers.get('Authorization')} {self.headers.get('PRIVATE-TOKEN')}":
            return self.say(401, {"message": "Bad credentials"})
        return self.say(*self.carry_out(path, query, sent))

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = answer

    def say(self, status: int, document: Any, headers: dict[str, str] | None = None) -> None:
        body = b"" if document is None else json.dumps(document).encode()
        self.send_response(status)
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def carry_out(
        self, path: str, query: dict[str, list[str]], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        raise NotImplementedError

    def page(self, found: list[Any], query: dict[str, list[str]]) -> tuple[int, Any, dict[str, str]]:
        size, number = int(query["per_page"][0]), int(query.get("page", ["1"])[0])
        more = len(found) > size * number
        base = self.api.next_page_at or self.api.url
        link = (
            f'<{base}{urlsplit(self.path).path}?per_page={size}&page={number + 1}>; rel="next", <{base}/x>; rel="last"'
        )
        return 200, found[size * (number - 1) : size * number], {"Link": link} if more else {}

    def write(self, number: str, body: str) -> tuple[int, Any, dict[str, str]]:
        for one in self.api.comments:
            if str(one["id"]) == number:
                one["body"] = body
                return 200, one, {}
        return 404, {"message": "Not Found"}, {}

    def remove(self, number: str) -> tuple[int, Any, dict[str, str]]:
        self.api.comments[:] = [one for one in self.api.comments if str(one["id"]) != number]
        return 204, None, {}

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _GitHub(_Handler):
    def carry_out(
        self, path: str, query: dict[str, list[str]], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        api, method = self.api, self.command
        if path == "/user":
            is_app = api.account["type"] == "Bot"
            return (
                (403, {"message": "Resource not accessible by integration"}, {}) if is_app else (200, api.account, {})
            )
        if path == "/repos/shop/shop/issues/12/comments":
            if method == "GET":
                return self.page(api.comments, query)
            return 201, api.add(sent["body"]), {}
        if one := re.fullmatch(r"/repos/shop/shop/issues/comments/(\d+)", path):
            return self.write(one[1], sent["body"]) if method == "PATCH" else self.remove(one[1])
        if path == "/repos/shop/shop/issues/12/labels":
            if method == "GET":
                return self.page([{"name": name} for name in api.labels], query)
            api.labels += [name for name in sent["labels"] if name not in api.labels]
            return 200, [], {}
        if (one := re.fullmatch(r"/repos/shop/shop/issues/12/labels/(.+)", path)) and one[1] in api.labels:
            api.labels.remove(one[1])
            return 200, [], {}
        return 404, {"message": "Not Found"}, {}


class _GitLab(_Handler):
    def carry_out(
        self, path: str, query: dict[str, list[str]], sent: dict[str, Any]
    ) -> tuple[int, Any, dict[str, str]]:
        api, method = self.api, self.command
        request = "/projects/shop/web/merge_requests/12"
        if path == "/user":
            return 200, api.account, {}
        if path == f"{request}/notes":
            return self.page(api.comments, query) if method == "GET" else (201, api.add(sent["body"]), {})
        if one := re.fullmatch(rf"{request}/notes/(\d+)", path):
            return self.write(one[1], sent["body"]) if method == "PUT" else self.remove(one[1])
        if path == request:
            for name in sent.get("add_labels", "").split(","):
                api.labels += [name] if name and name not in api.labels else []
            api.labels[:] = [name for name in api.labels if name not in sent.get("remove_labels", "").split(",")]
            return 200, {"labels": api.labels}, {}
        return 404, {"message": "404 Not found"}, {}


@contextmanager
def serving(kind: str) -> Iterator[Api]:
    """The API of `github` or `gitlab`, with pull request 12."""
    api = Api()
    handler = type("Handler", (_GitHub if kind == "github" else _GitLab,), {"api": api})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def environment(kind: str, api: Api) -> dict[str, str]:
    """What CI sets, and the token."""
    if kind == "github":
        return {
            "GITHUB_TOKEN": TOKEN,
            "GITHUB_REPOSITORY": "shop/shop",
            "GITHUB_REF": "refs/pull/12/merge",
            "GITHUB_API_URL": api.url,
        }
    return {
        "GITLAB_TOKEN": TOKEN,
        "CI_API_V4_URL": api.url,
        "CI_PROJECT_ID": "shop/web",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_COMMIT_SHA": "ab" * 20,
    }
