"""Constant load on the example shop, and what became of each request."""

import http.client
import json
import multiprocessing
import re
import socket
import ssl
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

_PROCESSES, _THREADS = 2, 2
"""Together half the children of one web container: with more of them busy, the shop answers 503 where its database has no
answer within 2 s (`Bulkhead`), as on a host that is busy with other work, and that is no fault of a release."""
_ON_ONE_CONNECTION = 50


@dataclass
class Counted:
    """What became of the requests."""

    answers: Counter[str] = field(default_factory=Counter[str])
    """By status and version: `200 1`; or what went wrong."""
    orders: int = 0
    """Orders that were acknowledged."""
    seconds: float = 0

    @property
    def sent(self) -> int:
        return sum(self.answers.values())

    @property
    def failed(self) -> int:
        """Requests without an answer, or with one of 500 and above."""
        return sum(count for what, count in self.answers.items() if not what.startswith(("2", "3", "4")))

    def of(self, version: str) -> int:
        """Answers of a version."""
        return sum(count for what, count in self.answers.items() if what.endswith(f" {version}"))

    def failed_of(self, version: str) -> int:
        """Answers of 500 and above of a version."""
        return sum(count for what, count in self.answers.items() if re.fullmatch(rf"5\d\d {re.escape(version)}", what))

    def __str__(self) -> str:
        rate = self.sent / self.seconds if self.seconds else 0
        return (
            f"{self.sent:,} sent ({rate:.0f}/s, {self.orders:,} orders), {self.failed:,} failed: {dict(self.answers)}"
        )


@contextmanager
def load(host: str, port: int, ca: str, per_second: int) -> Iterator[Counted]:
    """Requests at a constant rate while the block runs, or as fast as they are answered: of three, two ask for the start
    page and one orders. Every one is of a visitor without a cookie. What they came to is in the result when the block
    has ended."""
    counted, began = Counted(), time.monotonic()
    rate = per_second / _PROCESSES
    context = multiprocessing.get_context("spawn")
    pipes: list[Connection] = []
    processes: list[Any] = []
    for _ in range(_PROCESSES):
        ours, theirs = context.Pipe()
        one = context.Process(target=_process, args=(theirs, host, port, ca, rate), daemon=True)
        one.start()
        pipes.append(ours)
        processes.append(one)
    try:
        yield counted
    finally:
        for pipe in pipes:
            pipe.send("stop")
        for pipe, one in zip(pipes, processes, strict=True):
            answers, orders = pipe.recv()
            counted.answers += answers
            counted.orders += orders
            one.join()
        counted.seconds = time.monotonic() - began


def _process(pipe: Connection, host: str, port: int, ca: str, rate: float) -> None:
    stop, answers, lock = threading.Event(), Counter[str](), threading.Lock()
    orders = [0]
    arguments = (stop, answers, lock, orders, host, port, ca, rate / _THREADS)
    threads = [threading.Thread(target=_visitor, args=arguments) for _ in range(_THREADS)]
    for one in threads:
        one.start()
    pipe.recv()
    stop.set()
    for one in threads:
        one.join()
    pipe.send((answers, orders[0]))


def _visitor(
    stop: threading.Event,
    answers: Counter[str],
    lock: threading.Lock,
    orders: list[int],
    host: str,
    port: int,
    ca: str,
    rate: float,
) -> None:
    trust = ssl.create_default_context(cadata=ca)
    own, placed, number = Counter[str](), 0, 0
    due = time.monotonic()
    while not stop.is_set():
        connection = http.client.HTTPSConnection(host, port, timeout=30, context=trust)
        connection._create_connection = lambda address, *rest: socket.create_connection(  # type: ignore[attr-defined]
            ("127.0.0.1", address[1]), *rest
        )
        for _ in range(_ON_ONE_CONNECTION):
            # What a slow host keeps from being sent in time is not made up for at once.
            due = max(due + 1 / rate, time.monotonic() - 1)
            if stop.wait(max(0, due - time.monotonic())):
                break
            number += 1
            try:
                what = _ask(connection, order=number % 3 == 0)
            except (OSError, http.client.HTTPException) as error:
                own[f"{type(error).__name__}: {error}"] += 1
                break
            own[what] += 1
            placed += what.startswith("201")
        connection.close()
    with lock:
        answers.update(own)
        orders[0] += placed


def _ask(connection: http.client.HTTPSConnection, *, order: bool) -> str:
    if order:
        body = json.dumps({"sku": "tea", "quantity": 1})
        headers = {"Content-Type": "application/json", "Idempotency-Key": uuid.uuid4().hex}
        connection.request("POST", "/api/orders", body, headers)
    else:
        connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return f"{answer.status} {answer.getheader('x-app-version') or '?'}"
