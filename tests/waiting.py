"""Waiting for what another process does, and a free port to listen on: what tests of real servers share."""

import socket
import time
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")


def until(
    what: str | Callable[[], str], ask: Callable[[], Answer | None], seconds: float = 60, *, every: float = 0.05
) -> Answer:
    """The first answer that is neither None nor false; fails with `what` where none came within `seconds`.

    `what` is asked at that moment where it is a function: for a log, or what was counted meanwhile.
    """
    deadline = time.monotonic() + seconds
    while not (answer := ask()):
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(every)
    return answer


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens; another process may take it before the caller does."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
