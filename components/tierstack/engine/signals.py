"""Signals while something is changed: one that ends the command must not end it in the middle."""

import contextlib
import signal
import threading
from collections.abc import Callable, Generator
from types import FrameType

ENDING = (signal.SIGTERM, signal.SIGHUP)
"""What ends the command beside Ctrl-C: a job that is cancelled, a connection that breaks."""


@contextlib.contextmanager
def ending_as_interrupts() -> Generator[None]:
    """Raise KeyboardInterrupt for them too, so that what has to be put back is put back. Python itself would end at
    once. One that is ignored, as by `nohup`, stays ignored."""
    with _handled(_interrupt, [one for one in ENDING if signal.getsignal(one) is signal.SIG_DFL]):
        yield


@contextlib.contextmanager
def held_back() -> Generator[None]:
    """Let nothing interrupt what must be done as a whole. A signal that comes meanwhile is lost."""
    with _handled(signal.SIG_IGN, [signal.SIGINT, *ENDING]):
        yield


@contextlib.contextmanager
def handled(handler: Callable[[int, FrameType | None], object]) -> Generator[None]:
    """Call a function for Ctrl-C and for what ends the command, instead of raising. One that is ignored stays so."""
    numbers = [one for one in (signal.SIGINT, *ENDING) if signal.getsignal(one) is not signal.SIG_IGN]
    with _handled(handler, numbers):
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def _handled(handler: "signal._HANDLER", numbers: list[signal.Signals]) -> Generator[None]:  # pyright: ignore[reportPrivateUsage]
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's
        yield
        return
    before = {one: signal.signal(one, handler) for one in numbers}
    try:
        yield
    finally:
        for one, handled in before.items():
            signal.signal(one, handled)
