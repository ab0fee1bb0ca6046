"""What a store must be able to do for what is asked of it. Pure: the container of the probe runs this very file, with
the standard library only.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

PUT, LIST, MULTIPART = "put", "list", "multipart"
REFUSES_WRONG_KEY = "refuses_wrong_key"
VERSIONING, OBJECT_LOCK = "versioning", "object_lock"
LIFECYCLE, REPLICATION = "lifecycle", "replication"
PRUNE_KEY, DRILL_KEY = "prune_key", "drill_key"

YES = "yes"
"""The finding of a capability that is there; every other finding says why it is not."""
UNSUPPORTED = "the endpoint does not support it"
"""The finding where the endpoint says so (`NotImplemented`): no change of the bucket or its keys would help."""
ALWAYS = (PUT, LIST, MULTIPART, REFUSES_WRONG_KEY)
"""What every consumer needs."""


class Capability(NamedTuple):
    """One thing that is tried."""

    name: str
    text: str
    """What the probe does, for people."""


CAPABILITIES = (
    Capability(PUT, "an object is written and read back"),
    Capability(LIST, "the listing below the prefix shows it"),
    Capability(MULTIPART, "an object is written in two parts"),
    Capability(REFUSES_WRONG_KEY, "a wrong secret is refused"),
    Capability(VERSIONING, "an object is overwritten, and its old version read"),
    Capability(OBJECT_LOCK, "deleting a locked version is refused, and works when the lock has ended"),
    Capability(LIFECYCLE, "the bucket has a lifecycle rule that is enabled"),
    Capability(REPLICATION, "the bucket has a replication rule that is enabled"),
    Capability(PRUNE_KEY, "the write key cannot delete, and the prune key can"),
    Capability(DRILL_KEY, "the drill key reads, and can neither write nor delete"),
)
"""In the order in which they are tried."""


def missing(wanted: Sequence[str], found: Mapping[str, str]) -> dict[str, str]:
    """What is wanted and was found not to be there, with the reason. What was never tried is not among it."""
    return {name: found[name] for name in wanted if found.get(name, YES) != YES}
