"""A clock in the database: rows that are committed one by one, for as long as somebody looks."""

import subprocess
import tempfile
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from tierstack.recovery.host import Host

REST_SECONDS = 0.05
"""Between two rows."""


class Writer:
    """Feeds a client of the database with a row at a time. The client ends with its input: also where this command is
    killed, nothing goes on writing.

    With all rows in its input at once it would go on in the server's container, and a drill that begins meanwhile would
    take those rows for its own. `insert` is that of a Dialect.
    """

    def __init__(self, host: Host, client: Sequence[str], insert: str) -> None:
        self._insert = insert
        # No pipe: nobody reads it meanwhile. It lives as long as the writer.
        self._printed = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            client,
            env=host.environment,
            stdin=subprocess.PIPE,
            stdout=self._printed,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._feed, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.stop()

    def _feed(self) -> None:
        assert self._process.stdin
        number = 0
        try:
            while not self._over.wait(REST_SECONDS):
                number += 1
                self._process.stdin.write(self._insert.format(number))
                self._process.stdin.flush()
            self._process.stdin.close()
        except OSError:  # the client has ended: what it was told until then counts
            return

    def stop(self) -> str:
        """End it; what the database has acknowledged, `id|seconds since 1970` a line."""
        self._over.set()
        self._thread.join(timeout=5)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._printed.closed:
            return ""
        self._printed.seek(0)
        said = self._printed.read()
        self._printed.close()
        return said
