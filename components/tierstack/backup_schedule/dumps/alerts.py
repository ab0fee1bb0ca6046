"""Alerting rules for dumps that are late, small, damaged or unobserved (pure)."""

from tierstack.backup_schedule.alerts import (
    CRITICAL,
    UNOBSERVED,
    WARNING,
    Rule,
    drill_missing,
    labels,
    rule_file,
    with_metrics,
)
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
_FREE = "{disk_free_bytes} / {disk_size_bytes} < 0.1"


def text(name: str, args: DatabaseDumpsArgs) -> str:
    """The rule file of a DatabaseDumps."""
    rules = [*_RULES]
    if args.store is None:
        rules.append(Rule("DumpDiskFillsUp", _FREE, "15m", WARNING, "less than 10 % of the disk is free"))
    if args.drill:
        missing = drill_missing(args.drill.within_hours)
        rules.append(Rule("DumpDrillMissing", missing, "15m", CRITICAL, "no restore of a dump was proven to work"))
        rules.append(Rule("DumpDrillBad", "{drill_good} == 0", "0m", CRITICAL, "the last drill was not good"))
    # A stack may have several, one for each database.
    named = [rule._replace(what=f"{rule.what} ({name})") for rule in rules]
    return rule_file(name, args.platform, with_metrics(named, PREFIX, labels(name, args.platform)))
