"""DNSRecords as a part of stacks."""

from tierstack.core.section import Presence, Section
from tierstack.dns_records.args import DNSRecordsArgs

SECTION = Section(
    key="dns",
    text="The records of the domain. Left out: none are computed.",
    args=DNSRecordsArgs,
    component="tierstack.dns_records:DNSRecords",
    name="dns",
    presence=Presence.OPTIONAL,
    wired=("mta_sts_url", "ignore"),
)
