"""Alerting rules for backups by restic that are late, incomplete, damaged or unobserved (pure)."""

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
from tierstack.backup_schedule.restic.args import FileBackupsArgs
from tierstack.backup_schedule.restic.figures import PREFIX

_RULES: tuple[Rule, ...] = (
    Rule("FileBackupMissing", "{backup_late} == 1", "15m", CRITICAL, "no backup of the files was made"),
    Rule(
        "FileBackupShrunk", "{backup_shrunk} == 1", "15m", CRITICAL, "the newest backup has less than half of the files"
    ),
    Rule("FileBackupIncomplete", "{unreadable} > 0", "15m", WARNING, "some files could not be read"),
    Rule("FileRepositoryDamaged", "{repository_damaged} == 1", "0m", CRITICAL, "the check of the repository failed"),
    Rule("FileRepositoryUnchecked", "{repository_check_late} == 1", "15m", WARNING, "the repository was not checked"),
    Rule("FileBackupsUnhealthy", "{healthy} == 0", "30m", WARNING, "`status.json` names what is wrong"),
    Rule("FileBackupsUnobserved", UNOBSERVED[0], "15m", CRITICAL, UNOBSERVED[1]),
)
_FREE = "{disk_free_bytes} / {disk_size_bytes} < 0.1"


def text(name: str, args: FileBackupsArgs) -> str:
    """The rule file of a FileBackups."""
    rules = [*_RULES]
    if args.store is None:
        rules.append(Rule("FileBackupDiskFillsUp", _FREE, "15m", WARNING, "less than 10 % of the disk is free"))
    if args.drill:
        missing = drill_missing(args.drill.within_hours)
        rules.append(Rule("FileDrillMissing", missing, "15m", CRITICAL, "no restore of the files was proven to work"))
        rules.append(Rule("FileDrillBad", "{drill_good} == 0", "0m", CRITICAL, "the last drill was not good"))
    # A stack may have several, one for each application.
    named = [rule._replace(what=f"{rule.what} ({name})") for rule in rules]
    return rule_file(name, args.platform, with_metrics(named, PREFIX, labels(name, args.platform)))
