"""What the SPF records of common mail providers include, on one day, for counting lookups offline.

Only the shape is kept, for it changes rarely; the networks change often and are nobody's business but the
provider's, so flattening asks the live DNS. Taken from public DNS answers as customers of the providers quote
them, compared with the providers' manuals. The live DNS is the judge when they disagree.
"""

from collections.abc import Mapping, Sequence

from tierstack.dns_records.records.model import host
from tierstack.dns_records.resolve.names import LookupUnavailableError

TAKEN = "2026-11-21"
"""The day of the snapshot (ISO 8601)."""

SNAPSHOT: dict[str, tuple[str, ...]] = {
    # Networks only since 2025; four lookups before (`_netblocks` to `_netblocks3`).
    "_spf.google.com": (),
    "spf.protection.outlook.com": (),
    "amazonses.com": (),
    "spf.brevo.com": (),
    "spf.sendinblue.com": (),
    "spf.mtasv.net": (),
    "spf.messagingengine.com": (),
    # Five lookups with its own: the dearest of the presets.
    "mailgun.org": ("include:_spf.mailgun.org", "include:_spf.eu.mailgun.org"),
    "_spf.mailgun.org": ("include:_spf1.mailgun.org", "include:_spf2.mailgun.org"),
    "_spf1.mailgun.org": (),
    "_spf2.mailgun.org": (),
    "_spf.eu.mailgun.org": (),
}
"""Name → the terms of its SPF record that cause lookups; none means networks only."""


class SnapshotResolver:
    """What the SPF records of common providers included on a day (`TAKEN`); good for counting
    only."""

    def __init__(self, records: Mapping[str, Sequence[str]] = SNAPSHOT, taken: str = TAKEN) -> None:
        self._records = records
        self.taken = taken

    def lookup(self, name: str, type: str) -> list[str]:
        """A record of the shape that the snapshot holds; everything else is unknown to it."""
        if type != "TXT" or host(name) not in self._records:
            raise LookupUnavailableError(f"{name} is not in the snapshot of {self.taken}")
        return [" ".join(["v=spf1", *self._records[host(name)], "-all"])]
