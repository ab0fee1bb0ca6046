"""Backups in a bucket, as a drill meets them: what was written a moment ago is not there yet."""

import time
from collections.abc import Mapping, Sequence
from random import SystemRandom
from typing import Any

from tierstack.backup_schedule.layout import CLOSE_SECONDS
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError
from tierstack.recovery.restoring import Tell


def base_of(status: Mapping[str, Any]) -> str:
    """The base backup that a restore to now begins with. Raises CommandError where the bucket has none."""
    store: Mapping[str, Any] | None = status.get("store")
    base = store.get("base") if store else None
    if not base:
        raise CommandError("there is no base backup in the bucket yet: see `tierstack status`")
    return str(base)


def await_row(backups: Backups, client: Sequence[str], tell: Tell) -> None:
    """Wait until the first rows of a drill are in the bucket, and then for a part of the time between two rounds: a
    loss comes at any moment of it. Where they do not arrive within the time whose writes may be lost, the drill goes on
    and finds that."""
    wanted = backups.host.run(client, backups.dialect.position)
    began = time.monotonic()
    while not _reached(backups, wanted) and time.monotonic() - began < backups.at.max_lost_seconds:
        time.sleep(0.5)
    tell(f"the first rows are in the bucket: {time.monotonic() - began:.1f} s")
    time.sleep(SystemRandom().uniform(0, CLOSE_SECONDS))


def _reached(backups: Backups, wanted: str) -> bool:
    engine = backups.engine
    try:
        return engine.reached(backups.host.run(["docker", "exec", backups.at.agent, *engine.sent()]), wanted)
    except CommandError:
        return False  # nothing was sent yet
