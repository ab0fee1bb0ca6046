"""What each change means for a running release and for a full table (pure).

A rule is a function of a change: it says what happens, under which lock, and writes out the steps instead. A table that
the same input made is empty and known to no release, so nothing is said of it.
"""

from tierstack.migration import declared
from tierstack.migration.rules import columns, constraints, locks, release, server
from tierstack.migration.rules.base import judge
from tierstack.migration.rules.locks import values_used

__all__ = ["columns", "constraints", "declared", "judge", "locks", "release", "server", "values_used"]
