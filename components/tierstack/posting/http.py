"""Requests to the API of a forge: a token that goes nowhere else, and a bounded number of tries."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPMessage
from typing import IO, Any
from urllib.parse import urlsplit

TRIES = 3
"""Of one request, where the server fails or asks to wait."""
_PAUSES = (1.0, 4.0)
"""Seconds before the second and the third try."""
_LONGEST_PAUSE = 60.0
"""Seconds to wait at most where the server says how long (`Retry-After`)."""
_SECONDS = 30
_MOST_PAGES = 100
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class PostError(Exception):
    """A report that could not be posted: why, and what to do."""


class RefusedError(PostError):
    """An answer of 400 to 499: another try gets the same one."""

    def __init__(self, status: int, said: str) -> None:
        super().__init__(said)
        self.status = status


class UnansweredError(PostError):
    """No answer, or one of 500 and above: whether the request was carried out is not known."""


@dataclass(frozen=True)
class Answer:
    """What a server says: the document, and the address of the next page."""

    document: Any
    next: str = ""


class _Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: it would take the token to another place."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stay)


@dataclass(frozen=True)
class Client:
    """One API, with the headers that every request has."""

    base: str
    """Its address, without a slash at the end. HTTPS, but for this machine itself."""
    headers: Mapping[str, str]
    pause: Callable[[float], None] = time.sleep

    def __post_init__(self) -> None:
        where = urlsplit(self.base)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in _LOOPBACK):
            raise PostError(f"{self.base}: the token would be sent in plaintext; use the https:// address of the API")

    def pages(self, path: str) -> Iterator[Any]:
        """The elements of all pages of a list."""
        address = self.base + path
        for _ in range(_MOST_PAGES):
            answer = self._tried("GET", address, None)
            yield from answer.document
            if not answer.next:
                return
            if urlsplit(answer.next)[:2] != urlsplit(self.base)[:2]:
                raise PostError(f"the next page is at another server ({answer.next}); the token is not sent there")
            address = answer.next
        raise PostError(f"{path} has more than {_MOST_PAGES} pages")

    def ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The answer to a request that may be sent twice. Raises RefusedError and UnansweredError."""
        return self._tried(method, self.base + path, body).document

    def ask_once(self, method: str, path: str, body: Mapping[str, Any]) -> Any:
        """The answer to a request that makes something, so that another try might make it twice."""
        return self._tried(method, self.base + path, body, unanswered=False).document

    def _tried(self, method: str, address: str, body: Mapping[str, Any] | None, *, unanswered: bool = True) -> Answer:
        """The answer, at the latest to the third try. `unanswered`: whether what may have been carried out is tried
        again; what a server refused for now always is."""
        for pause in _PAUSES:
            try:
                return self._sent(method, address, body)
            except _WaitError as error:
                self.pause(error.seconds)
            except UnansweredError:
                if not unanswered:
                    raise
                self.pause(pause)
        return self._sent(method, address, body)

    def _sent(self, method: str, address: str, body: Mapping[str, Any] | None) -> Answer:
        path = urlsplit(address).path
        headers = {"User-Agent": "tierstack", "Content-Type": "application/json", **self.headers}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(address, data=data, headers=headers, method=method)  # noqa: S310 https only
        try:
            with _OPENER.open(request, timeout=_SECONDS) as answer:
                document: bytes = answer.read()
                found = re.search(r'<([^>]+)>;\s*rel="next"', answer.headers.get("Link", ""))
                return Answer(json.loads(document) if document else None, found[1] if found else "")
        except urllib.error.HTTPError as error:
            with error:
                said = f"{method} {path}: {error.code} {_message(error.read()) or error.reason}"
            if error.code >= 500:
                raise UnansweredError(said) from None
            if error.code == 429 or (error.code == 403 and error.headers.get("Retry-After")):
                raise _WaitError(error.code, said, _seconds(error.headers.get("Retry-After"))) from None
            raise RefusedError(error.code, said) from None
        except (OSError, HTTPException, ValueError) as error:
            raise UnansweredError(f"{method} {path}: no answer that can be read ({error})") from None


class _WaitError(RefusedError):
    """The server asks to wait."""

    def __init__(self, status: int, said: str, seconds: float) -> None:
        super().__init__(status, said)
        self.seconds = seconds


def _seconds(given: str | None) -> float:
    return min(float(given), _LONGEST_PAUSE) if given and given.isdecimal() else _PAUSES[-1]


def _message(said: bytes) -> str:
    """What an error says in words."""
    try:
        document: Any = json.loads(said)
        text = document.get("message") or document.get("error") or ""
    except (ValueError, AttributeError):
        return ""
    return " ".join(str(text).split())[:300]
