"""What a cron expression means, against a slow reading of crontab(5), minute by minute."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.backup_schedule.cron import Cron, CronError, parse, six_fields

START = datetime(2024, 1, 1, tzinfo=UTC)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "now", "previous", "following"),
    [
        ("30 3 * * *", "2026-11-21T03:29", "2026-11-20T03:30", "2026-11-21T03:30"),
        ("30 3 * * *", "2026-11-21T03:30", "2026-11-21T03:30", "2026-11-22T03:30"),
        ("*/15 * * * *", "2026-11-21T00:07", "2026-11-21T00:00", "2026-11-21T00:15"),
        ("0 0 1 jan *", "2026-11-21T00:00", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("0 0 29 2 *", "2026-11-21T00:00", "2024-02-29T00:00", "2028-02-29T00:00"),
        ("0 0 29 2 *", "2099-01-01T00:00", "2096-02-29T00:00", "2104-02-29T00:00"),
        ("0 4 * * 7", "2026-11-21T00:00", "2026-11-15T04:00", "2026-11-22T04:00"),
        ("0 4 * * Sun", "2026-11-21T00:00", "2026-11-15T04:00", "2026-11-22T04:00"),
        # Both days restricted: either is enough.
        ("0 4 1 * fri", "2026-12-01T04:00", "2026-12-01T04:00", "2026-12-04T04:00"),
        ("5/20 2 * * *", "2026-11-21T02:30", "2026-11-21T02:25", "2026-11-21T02:45"),
        # 30 February never comes, but a Monday does.
        ("0 0 30 2 1", "2026-02-03T00:00", "2026-02-02T00:00", "2026-02-09T00:00"),
    ],
)
def test_neighbours(expression: str, now: str, previous: str, following: str) -> None:
    cron = parse(expression)
    assert cron.previous(at(now)) == at(previous)
    assert cron.following(at(now)) == at(following)


def slow(cron: Cron, now: datetime) -> bool:
    return now.minute in cron.minutes and now.hour in cron.hours and cron.on(now)


fields = st.tuples(
    st.sampled_from(["*", "*/7", "0", "5,50", "10-20/3", "59"]),
    st.sampled_from(["*", "*/5", "0", "3", "22-23"]),
    st.sampled_from(["*", "1", "31", "*/10", "28-31"]),
    st.sampled_from(["*", "1", "2", "feb-mar", "*/2"]),
    st.sampled_from(["*", "0", "7", "mon-fri", "6"]),
).map(" ".join)


@given(fields, st.integers(0, 366 * 24 * 60))
def test_previous_is_the_last_minute_that_fires(expression: str, minutes: int) -> None:
    try:
        cron = parse(expression)
    except CronError:
        return
    now = START + timedelta(minutes=minutes, seconds=30)
    found = cron.previous(now)
    assert found <= now
    assert slow(cron, found)
    between = min(int((now - found).total_seconds() // 60), 3000)
    assert not any(slow(cron, now - timedelta(minutes=back)) for back in range(between))
    assert cron.previous(cron.following(now)) == cron.following(now)


@pytest.mark.parametrize(
    ("five", "six"),
    [
        ("30 3 * * *", "0 30 3 * * *"),
        ("0 0 1 jan *", "0 0 0 1 jan *"),
        ("0 4 * * 7", "0 0 4 * * 0"),
        ("0 4 * * 5-7", "0 0 4 * * 0,5,6"),
        ("0 4 * * mon-fri", "0 0 4 * * 1,2,3,4,5"),
        ("0 4 * * */2", "0 0 4 * * */2"),
    ],
)
def test_six_fields(five: str, six: str) -> None:
    assert six_fields(five) == six


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@daily", "is a word of some crons only; write `0 0 * * *`"),
        ("daily", "has 1 field; write five"),
        ("0 0 3 * * *", "leave the seconds out: `0 3 * * *`"),
    ],
)
def test_what_other_crons_take_is_told(text: str, says: str) -> None:
    with pytest.raises(CronError) as told:
        parse(text)
    assert says in str(told.value)
