"""Five-field cron in UTC: what an expression means, when it last fired, and how CloudNativePG writes it.

The scheduler in the container runs this very file, so that what is checked at preview is what runs. It imports the
standard library only. Semantics: crontab(5) of Vixie cron; day of month and day of week are alternatives where both
are restricted.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, {name: index + 1 for index, name in enumerate(_MONTHS)}),
    ("day of week", 0, 7, {name: index for index, name in enumerate(_DAYS)}),
)
_LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_HORIZON_DAYS = 8 * 366  # 29 February can be eight years away (1896 to 1904, 2096 to 2104)


class CronError(ValueError):
    """What is wrong with an expression, and what to write instead."""

    def __init__(self, wrong: str, instead: str) -> None:
        super().__init__(f"{wrong}; {instead}")
        self.wrong = wrong
        self.instead = instead


@dataclass(frozen=True)
class Cron:
    """A checked expression: the values of each field, and which of the two day fields are restricted."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool

    def on(self, day: datetime) -> bool:
        """Whether it fires at all on the date of `day`."""
        if day.month not in self.months:
            return False
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return in_month and in_week
        return in_month or in_week

    def previous(self, now: datetime) -> datetime:
        """The last time at or before `now` (UTC) at which it fired."""
        for back in range(_HORIZON_DAYS):
            day = now - timedelta(days=back)
            if self.on(day):
                for hour, minute in self._times(reverse=True):
                    at = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
                    if at <= now:
                        return at
        raise CronError("never fires", "write a date that exists")  # parse() refuses such an expression

    def following(self, now: datetime) -> datetime:
        """The first time after `now` (UTC) at which it fires."""
        for ahead in range(_HORIZON_DAYS):
            day = now + timedelta(days=ahead)
            if self.on(day):
                for hour, minute in self._times(reverse=False):
                    at = day.replace(hour=hour, minute=minute, second=0, microsecond=0)
                    if at > now:
                        return at
        raise CronError("never fires", "write a date that exists")

    def _times(self, *, reverse: bool) -> Iterator[tuple[int, int]]:
        for hour in sorted(self.hours, reverse=reverse):
            for minute in sorted(self.minutes, reverse=reverse):
                yield hour, minute


_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""crontab(5): what other crons take for five fields."""


def parse(expression: str) -> Cron:
    """The expression's meaning. Raises CronError: five fields, in range, and a date that exists."""
    if instead := _NICKNAMES.get(expression.strip()):
        raise CronError("is a word of some crons only", f"write `{instead}`")
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        # CloudNativePG and Quartz put seconds first; a reader of their pages writes six.
        hint = f"leave the seconds out: `{' '.join(fields[1:])}`" if len(fields) == 6 else "such as `30 3 * * *`"
        raise CronError(
            f"has {len(fields)} field{'s' if len(fields) != 1 else ''}",
            f"write five (minute, hour, day of month, month, day of week, in UTC), {hint}",
        )
    minutes, hours, days, months, weekdays = (
        _values(text, *field) for text, field in zip(fields, _FIELDS, strict=True)
    )
    # A star with a step counts as unrestricted in Vixie cron and in CloudNativePG's parser alike.
    any_day, any_weekday = fields[2].startswith("*"), fields[4].startswith("*")
    if any_weekday and not any(day <= _LONGEST_MONTH[month - 1] for month in months for day in days):
        raise CronError("names a date that no year has", "write a day that the month has, such as `30 3 1 2 *`")
    return Cron(minutes, hours, days, months, frozenset(day % 7 for day in weekdays), any_day, any_weekday)


def _values(text: str, name: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, name, 1, high, {}) if slash else 1
        first_text, dash, last_text = span.partition("-")
        if span == "*":
            first, last = low, high
        else:
            first = _number(first_text, name, low, high, names)
            last = _number(last_text, name, low, high, names) if dash else (high if slash else first)
        if first > last:
            raise CronError(f"has a range that runs backwards, `{span}`, as {name}", "write the smaller value first")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, low: int, high: int, names: dict[str, int]) -> int:
    if text.lower() in names:
        return names[text.lower()]
    if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
        raise CronError(
            f"has `{text}` as {name}", f"write {low} to {high}, `*`, a list `a,b`, a range `a-b` or a step `*/n`"
        )
    return int(text)


def six_fields(expression: str) -> str:
    """The expression as CloudNativePG's ScheduledBackup takes it: seconds first, and Sunday only as 0."""
    cron, fields = parse(expression), expression.split()
    if not cron.any_weekday:
        fields[4] = ",".join(str(day) for day in sorted(cron.weekdays))
    return " ".join(["0", *fields])
