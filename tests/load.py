"""Customers: a steady load of orders that keeps account of what was acknowledged, what failed, and when."""

import http.client
import json
import socket
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import pairwise
from types import TracebackType
from typing import Any

from tests.waiting import until

PAUSE = 0.2
"""Seconds between two requests of one customer."""


@dataclass(frozen=True)
class Site:
    """Where the shop answers: a name for TLS, the address behind it, and the CA to trust."""

    name: str
    address: str
    trusted: ssl.SSLContext
    port: int = 443

    def connection(self, timeout: float = 30) -> http.client.HTTPSConnection:
        """A new connection; the name goes into TLS, the address is where it leads."""
        connection = http.client.HTTPSConnection(self.name, self.port, timeout=timeout, context=self.trusted)
        connection._create_connection = lambda address, *rest: socket.create_connection(  # type: ignore[attr-defined]
            (self.address, self.port), *rest
        )
        return connection

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any, bytes]:
        """Status, headers and body of one request on a connection of its own."""
        connection = self.connection()
        try:
            connection.request(method, path, json.dumps(body) if body is not None else None, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


@dataclass
class Account:
    """What the customers saw."""

    orders: dict[str, str] = field(default_factory=dict[str, str])
    """Idempotency key → id of every order that was acknowledged (201, or 200 after a retry)."""
    answers: Counter[str] = field(default_factory=Counter[str])
    """Requests by status, or by the name of the error."""
    failures: list[tuple[float, str]] = field(default_factory=list[tuple[float, str]])
    """When (monotonic) and how requests failed."""
    written: list[float] = field(default_factory=list[float])
    """When orders were acknowledged."""

    @property
    def failed(self) -> int:
        """Requests that a customer saw fail."""
        return len(self.failures)

    def longest_gap(self, since: float, until: float | None = None) -> float:
        """The longest time without an acknowledged order, in seconds, from `since` on."""
        end = until or time.monotonic()
        times = [since, *sorted(at for at in self.written if since <= at <= end)]
        return max((later - earlier for earlier, later in pairwise(times)), default=end - since)


class Customers:
    """Threads that order and look at the shop until the `with` block ends."""

    def __init__(self, site: Site, count: int = 2) -> None:
        self.site = site
        self.account = Account()
        self._count = count
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> "Customers":
        for number in range(self._count):
            thread = threading.Thread(target=self._shop, args=(number,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def until_written(self, moment: float, seconds: float = 180) -> None:
        """Wait until an order begun after `moment` is acknowledged."""
        self.until(lambda: any(at > moment for at in self.account.written[-50:]), seconds)

    def until(self, reached: Callable[[], bool], seconds: float) -> None:
        """Wait for something while the load goes on."""
        until(lambda: f"the load goes on; answers: {dict(self.account.answers)}", reached, seconds)

    def _shop(self, number: int) -> None:
        connection = self.site.connection()
        step = 0
        key = seen = ""
        while not self._end.is_set():
            step += 1
            ordering = bool(key) or step % 2 == number % 2
            if ordering and not key:
                key = str(uuid.uuid4())
            outcome, body = self._one(connection, key if ordering else None, seen)
            now = time.monotonic()
            with self._lock:
                self.account.answers[outcome] += 1
                if outcome in ("200", "201"):
                    if ordering:
                        self.account.orders[key] = seen = str(json.loads(body)["id"])
                        self.account.written.append(now)
                        key = ""
                else:
                    # The same key again: an order whose answer was lost must not be made twice.
                    self.account.failures.append((now, outcome))
            if not outcome.isdigit():
                connection.close()
                connection = self.site.connection()
            self._end.wait(PAUSE)
        connection.close()

    @staticmethod
    def _one(connection: http.client.HTTPSConnection, key: str | None, seen: str) -> tuple[str, bytes]:
        try:
            if key:
                body = json.dumps({"sku": "tea", "quantity": 1})
                connection.request("POST", "/api/orders", body, {"Idempotency-Key": key})
            else:
                connection.request("GET", f"/api/orders/{seen}" if seen else "/")
            answer = connection.getresponse()
            return str(answer.status), answer.read()
        except (OSError, http.client.HTTPException) as error:
            # An idle connection that the server closed is no failed request: clients ask again on a new one.
            if isinstance(error, http.client.RemoteDisconnected):
                with suppress(OSError):
                    connection.close()
            return type(error).__name__, b""
