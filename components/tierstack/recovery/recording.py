"""What all drills have in common: how they end, and how the ledger keeps that."""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.status import stamp
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.found import now
from tierstack.recovery.host import CommandError


@dataclass(kw_only=True)
class Drilled:
    """What a drill found, as the ledger keeps it."""

    result: str = ledger.NOT_VERIFIED
    """`good`, `bad` or `not verified`."""
    began_at: str = field(default_factory=lambda: stamp(now()))
    ended_at: str = ""
    backups: str
    """Name of the component that makes the backups."""
    why: list[str] = field(default_factory=list[str])
    """What was not as it should be; empty for a good one."""

    def as_entry(self) -> dict[str, Any]:
        """As a line of the ledger."""
        return asdict(self)

    def conclude(self, found: list[str], unproven: str | None = None) -> None:
        """What the result is, by what was found wrong. `unproven`: why a drill that found nothing wrong has proven
        nothing. None: it has."""
        self.why = found or ([unproven] if unproven else [])
        self.result = ledger.BAD if found else ledger.NOT_VERIFIED if unproven else ledger.GOOD


def slow(rto_seconds: float | None, max_minutes: int) -> list[str]:
    """What is wrong with how long a restore took."""
    if (rto_seconds or 0) <= max_minutes * 60:
        return []
    return [f"the restore took {rto_seconds:g} s; at most {max_minutes * 60} s may pass"]


@contextmanager
def recorded(
    result: Drilled, record: Callable[[Mapping[str, Any]], None], clean_up: Callable[[], object]
) -> Generator[None]:
    """Record the drill that is made within, and remove what it restored. One that cannot be carried out is recorded
    too, as `not verified`."""
    try:
        with signals.ending_as_interrupts():
            yield
    except UsageError as error:
        result.why = [str(error)]
    except KeyboardInterrupt:
        result.why = ["it was interrupted"]
        raise
    finally:
        with signals.held_back():
            _end(result, record, clean_up)


def _end(result: Drilled, record: Callable[[Mapping[str, Any]], None], clean_up: Callable[[], object]) -> None:
    """Also where the removal fails the drill is recorded."""
    try:
        clean_up()
    except CommandError as error:
        result.why.append(f"what it restored was not removed: {error}")
        result.result = ledger.BAD if result.result == ledger.GOOD else result.result
    finally:
        result.ended_at = stamp(now())
        record(result.as_entry())


def ledger_line(one: Mapping[str, Any], figures: str) -> str:
    """An entry of the ledger for people, with the figures of its kind."""
    why = f"  {' '.join('; '.join(one['why']).split())}" if one["why"] else ""
    return f"{one['ended_at']}  {one['result']:<12}  {figures}{why}"


def figure(seconds: float | None) -> str:
    """Seconds for people; `?` where they were not measured."""
    return "?" if seconds is None else f"{seconds:g} s"
