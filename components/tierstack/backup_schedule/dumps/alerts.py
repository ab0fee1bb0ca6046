"""Alerting rules for dumps that are late, small, damaged or unobserved (pure)."""

from tierstack.backup_schedule.alerts import CRITICAL, DISK, UNOBSERVED, WARNING, Rule, drills, of_several
from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs
from tierstack.backup_schedule.dumps.figures import PREFIX

_HALF = "the newest dump has less than half the bytes of those before it"
_RULES: tuple[Rule, ...] = (
    Rule("DumpMissing", "{late} == 1", "15m", CRITICAL, "no dump was made"),
    Rule("DumpShrunk", "{shrunk} == 1", "15m", CRITICAL, _HALF),
    Rule("DumpFailing", "{failing} == 1", "30m", WARNING, "dumps fail; `status.json` says why"),
    Rule("DumpRepositoryDamaged", "{repository_damaged} == 1", "0m", CRITICAL, "a dump cannot be read back"),
    Rule("DumpRepositoryUnchecked", "{repository_check_late} == 1", "15m", WARNING, "dumps were not read back"),
    Rule("DumpsUnhealthy", "{healthy} == 0", "30m", WARNING, "`status.json` names what is wrong"),
    Rule("DumpsUnobserved", UNOBSERVED[0], "15m", CRITICAL, UNOBSERVED[1]),
)


def text(name: str, args: DatabaseDumpsArgs) -> str:
    """The rule file of a DatabaseDumps."""
    rules = [*_RULES]
    if args.store is None:
        rules.append(Rule("DumpDiskFillsUp", *DISK))
    if args.drill:
        rules += drills(args.drill.within_hours, "no restore of a dump was proven to work", "Dump")
    return of_several(name, args.platform, rules, PREFIX)  # one for each database
