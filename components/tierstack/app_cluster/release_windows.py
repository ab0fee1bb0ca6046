"""When releases may begin (pure): `Mon-Thu 09:00-16:00`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(
    rf"(?P<first>{'|'.join(DAYS)})(?:-(?P<last>{'|'.join(DAYS)}))? "
    r"(?P<from>[01]\d:[0-5]\d|2[0-3]:[0-5]\d)-(?P<to>[01]\d:[0-5]\d|2[0-3]:[0-5]\d|24:00)"
)


@dataclass(frozen=True)
class Window:
    """Hours of some days of the week."""

    days: frozenset[int]
    """0 is Monday, as in `datetime.weekday`."""
    begins: time
    ends: time
    """The first moment after it; 00:00 means the end of the day."""

    def contains(self, moment: datetime) -> bool:
        """Whether a local time is inside."""
        at = moment.time()
        return moment.weekday() in self.days and self.begins <= at and (self.ends == time() or at < self.ends)


def window(text: str) -> Window | None:
    """The window that is written as `Mon-Thu 09:00-16:00` or `Sat 10:00-24:00`. None: `text` is no window.

    Days may go over the end of the week (`Fri-Mon`), times not over midnight: write two windows.
    """
    found = _WINDOW.fullmatch(text)
    if found is None:
        return None
    first = DAYS.index(found["first"])
    last = DAYS.index(found["last"] or found["first"])
    days = frozenset((first + step) % 7 for step in range((last - first) % 7 + 1))
    begins = time.fromisoformat(found["from"])
    ends = time() if found["to"] == "24:00" else time.fromisoformat(found["to"])
    if (ends != time() and ends <= begins) or found["to"] == "00:00":
        return None
    return Window(days, begins, ends)


def is_open(windows: Sequence[str] | None, timezone: str, moment: datetime) -> bool:
    """Whether a release may begin at `moment` (with a time zone of its own). No windows: always. What is no window,
    which the rules refuse, is never open."""
    from zoneinfo import ZoneInfo  # loads much, and most checks need none

    local = moment.astimezone(ZoneInfo(timezone))
    return windows is None or any(one is not None and one.contains(local) for one in map(window, windows))
