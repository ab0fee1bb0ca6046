"""A restore aside that does not come about: told in the words of the command, and nothing is left of it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from tests.recovery.test_drill import AT
from tierstack.engine.project import UsageError
from tierstack.recovery import restoring
from tierstack.recovery.found import Backups
from tierstack.recovery.host import CommandError, Host

pytestmark = pytest.mark.pure
NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Refusing(Host):
    """A host on which the agent's restore fails with what it `says`."""

    says: str = ""
    ran: list[str] = field(default_factory=list[str])

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        said = " ".join(command)
        self.ran.append(said)
        if " restore --to " in said:
            raise CommandError(f"`docker run --rm …` failed with exit code 1: {self.says}")
        return ""

    def succeeds(self, command: Sequence[str]) -> bool:
        self.ran.append(" ".join(command))
        return True


REFUSED = "--time = 2026-11-27T12:00:00Z: is after the last binary log, which arrived at …; leave --time out to restore"


@pytest.mark.parametrize("before", ["", "2026-11-27T12:01:00Z what was received by now is restored: …\n"])
def test_a_moment_that_is_not_reached_is_told_as_the_option_is_called(before: str) -> None:
    host = Refusing(None, before + REFUSED)
    with pytest.raises(UsageError) as told:
        restoring.put_aside(Backups(AT, host), "aside", NOON, lambda _line: None)
    assert str(told.value).startswith("--to = 2026-11-27T12:00:00Z: is after the last binary log")
    assert "docker" not in str(told.value)
    assert "--time" not in str(told.value)
    assert told.value.code == 2
    assert host.ran[-2:] == ["docker rm --force aside", "docker volume rm aside"]


def test_a_transaction_that_is_not_there_is_told_too() -> None:
    host = Refusing(None, "--to = 3E11FA47-71CA-11E1-9E33-C80AA9429562:23: is in no binary log that arrived")
    with pytest.raises(UsageError, match=r"^--to = 3E11FA47.*: is in no binary log"):
        restoring.put_aside(Backups(AT, host), "aside", NOON, lambda _line: None)


def test_nothing_is_left_of_what_failed_otherwise() -> None:
    host = Refusing(None, "No space left on device")
    with pytest.raises(CommandError, match="No space left on device"):
        restoring.put_aside(Backups(AT, host), "aside", NOON, lambda _line: None)
    assert host.ran[-1] == "docker volume rm aside"


class Empty(Host):
    """A host without a container."""

    def run(self, command: Sequence[str], stdin: str | None = None) -> str:
        raise CommandError("Error: No such object")

    def succeeds(self, command: Sequence[str]) -> bool:
        return False


def test_a_restore_in_place_of_a_container_that_is_gone_is_refused_before_its_plan() -> None:
    with pytest.raises(UsageError, match=r"container shop-db-primary is not on the Docker host.*`tierstack up`"):
        restoring.refuse_in_place(Backups(AT, Empty(None)), "aside")
