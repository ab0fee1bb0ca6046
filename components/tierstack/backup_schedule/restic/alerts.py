"""Alerting rules for backups by restic that are late, incomplete, damaged or unobserved (pure)."""

from tierstack.backup_schedule.alerts import CRITICAL, DISK, UNOBSERVED, WARNING, Rule, drills, of_several
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


def text(name: str, args: FileBackupsArgs) -> str:
    """The rule file of a FileBackups."""
    rules = [*_RULES]
    if args.store is None:
        rules.append(Rule("FileBackupDiskFillsUp", *DISK))
    if args.drill:
        rules += drills(args.drill.within_hours, "no restore of the files was proven to work", "File")
    return of_several(name, args.platform, rules, PREFIX)  # one for each application
