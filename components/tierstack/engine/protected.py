"""Data that an update would delete, because the configuration has it no more: named, and deleted only when told to."""

import re
from collections.abc import Sequence

# What the engine says of a resource that is to go. Of one that would be replaced it says something else, and that is
# never done by this flag: the configuration does not do without it.
_REFUSED = re.compile(r'resource "(urn:[^"]+)" cannot be deleted\s+because it is protected')


def refused(messages: Sequence[str]) -> list[str]:
    """URNs of the protected resources that the engine refused to delete."""
    return sorted({urn for message in messages for urn in _REFUSED.findall(message)})


def explained(stack: str, urns: Sequence[str]) -> str:
    """What to do about them, for people."""
    names = "\n".join(f"  {urn.split('::')[-2].rpartition(':')[2]} {urn.rpartition('::')[2]}" for urn in urns)
    return (
        f"The configuration of {stack} does without these, and they hold data:\n{names}\n"
        f"They are kept. To delete them, too, for good:\n  tierstack up --stack {stack} --delete-data"
    )
