"""The lock of a release (pure): one release at a time, with an owner and an age that whoever waits can read."""

import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tierstack.engine.locks import is_gone

_BOOT = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who makes a release at this moment."""

    by: str
    host: str
    pid: int
    since: str
    """When it began, ISO 8601 in UTC."""

    @staticmethod
    def here(by: str, now: datetime) -> "Holder":
        """This process."""
        return Holder(by=by, host=machine(), pid=os.getpid(), since=now.isoformat(timespec="seconds"))

    @staticmethod
    def parsed(values: Mapping[str, Any]) -> "Holder":
        """The holder in a lock."""
        given = {name: values.get(name) for name in ("by", "host", "since")}
        return Holder(**{name: str(value) for name, value in given.items()}, pid=int(values.get("pid") or 0))

    def as_dict(self) -> dict[str, Any]:
        """For the lock."""
        return asdict(self)

    def is_stale(self) -> bool:
        """Whether its process is certainly gone; false where that cannot be known from here."""
        return self.host == machine() and is_gone(self.pid, datetime.fromisoformat(self.since))

    def described(self, now: datetime) -> str:
        """For people, with its age."""
        age = max(0, int((now - datetime.fromisoformat(self.since)).total_seconds()))
        shown = f"{age} s" if age < 120 else f"{age // 60} min" if age < 7200 else f"{age // 3600} h"
        return f"{self.by}, process {self.pid} on {self.host}, for {shown}"


def machine() -> str:
    """The machine by its name and its last start: machines made from one image have one name."""
    try:
        return f"{socket.gethostname()}/{_BOOT.read_text()[:8]}"
    except OSError:
        return socket.gethostname()
