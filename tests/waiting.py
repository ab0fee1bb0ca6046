"""Waiting for what another process does, and a free port to listen on: what tests of real servers share."""

import contextlib
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Answer = TypeVar("Answer")
BACKOFF_SECONDS = 10
"""A container that ran for less is started again only after a pause, which Docker's daemon doubles each time: of ten
kills in a row the tenth would measure 51 s of that."""


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


_given: set[int] = set()


def free_port() -> int:
    """A port of 127.0.0.1 on which nobody listens, another one at each call.

    It is none that the kernel gives to whoever asks for any: every program of the engine does, and took one that a
    container was about to listen on.
    """
    above = _first_dynamic_port()
    for _ in range(1000):
        port = random.SystemRandom().randrange(LOWEST_PORT, above)
        if port in _given:
            continue
        with socket.socket() as one, contextlib.suppress(OSError):
            one.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise AssertionError("no free port")


LOWEST_PORT = 10_000
"""Below it are the ports of well-known servers, which may start at any moment."""


def _first_dynamic_port() -> int:
    """The lowest of the ports that the kernel gives to a socket which asks for any: ip(7), ip_local_port_range; IANA's
    where the system does not tell."""
    try:
        low = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0]
    except OSError:
        return 49152
    return max(int(low), LOWEST_PORT + 1000)
