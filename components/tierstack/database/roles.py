"""Who logs in to a database, and with the password of which generation. Pure.

What is in a database belongs to its owner, a role that does not log in. Two login roles are members of the owner and
take turns: the application logs in as the one, while the other still has the password of the generation before. So a
rotation has no moment at which a client that runs is refused. CloudNativePG, besides, writes the owner's password back
from a Secret at every promotion, so that a rotated password of the owner would be undone by a failover.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BACKUP = "tierstack_backup"
"""Reads everything, and streams the log."""
READ = "tierstack_read"
"""Reads the owner's tables."""
MONITOR = "tierstack_monitor"
"""Reads statistics and settings, and no table."""


@dataclass(frozen=True, kw_only=True)
class Logins:
    """The roles by which applications log in."""

    owner: str
    generation: int
    """Generation of the password that applications are given. 0: they log in as the owner."""
    owner_logs_in: bool
    """Whether the owner's password is valid: that of generation 0."""

    @property
    def active(self) -> str:
        """The role that applications are given."""
        return login_of(self.owner, self.generation)

    @property
    def generations(self) -> dict[str, int]:
        """Login role → generation of its password: the active one, then the one before."""
        valid = [one for one in (self.generation, self.generation - 1) if one > 0]
        return {login_of(self.owner, one): one for one in valid}


def login_of(owner: str, generation: int) -> str:
    """The role that has the password of `generation`."""
    return f"{owner}_{'ba'[generation % 2]}" if generation else owner


def logins(owner: str, generation: int, made: Mapping[str, Any] | None) -> Logins:
    """The roles by which applications log in. `made`: what the component had as its outputs so far, empty where it was
    not made yet. None: nobody knows.

    The password before the first generation is the owner's. It stays valid during generation 1, but only where there
    may be applications that have it: the database was made with generation 0, or before there were generations.
    """
    used = generation == 1 and (made is None or made.get("owner_logs_in") is True or last_generation(made) == 0)
    return Logins(owner=owner, generation=generation, owner_logs_in=generation == 0 or used)


def last_generation(outputs: Mapping[str, Any]) -> int | None:
    """The generation of a component that had these outputs. None: it has none yet."""
    given = outputs.get("password_generation")
    if isinstance(given, int | float):
        return int(given)
    return 0 if "user" in outputs else None
