"""Alerting rules for backups by restic that are late, incomplete, damaged or unobserved (pure)."""

from datetime import timedelta

import yaml

from tierstack.backup_schedule import status
from tierstack.backup_schedule.alerts import CRITICAL, WARNING, alert
from tierstack.backup_schedule.restic.args import FileBackupsArgs
from tierstack.backup_schedule.restic.figures import PREFIX

_RULES = (
    ("FileBackupMissing", "{backup_late} == 1", "15m", CRITICAL, "no backup of the files was made"),
    ("FileBackupShrunk", "{backup_shrunk} == 1", "15m", CRITICAL, "the newest backup has less than half of the files"),
    ("FileBackupIncomplete", "{unreadable} > 0", "15m", WARNING, "some files could not be read"),
    ("FileRepositoryDamaged", "{repository_damaged} == 1", "0m", CRITICAL, "the check of the repository failed"),
    ("FileRepositoryUnchecked", "{repository_check_late} == 1", "15m", WARNING, "the repository was not checked"),
    ("FileBackupsUnhealthy", "{healthy} == 0", "30m", WARNING, "`status.json` names what is wrong"),
)
"""Name, expression, how long it holds, severity and words of each rule. `{…}` is a metric with its labels."""


def labels(name: str, args: FileBackupsArgs) -> dict[str, str]:
    """The labels of the metrics."""
    return {"platform": args.platform.name, "name": name}


def text(name: str, args: FileBackupsArgs) -> str:
    """A rule file of Prometheus, as YAML."""
    of = ",".join(f'{key}="{value}"' for key, value in sorted(labels(name, args).items()))

    class Metrics(dict[str, str]):
        def __missing__(self, what: str) -> str:
            return f"{PREFIX}_{what}{{{of}}}"

    rules = [*_RULES, _unobserved()]
    if args.store is None:
        room = "{disk_free_bytes} / {disk_size_bytes} < 0.1"
        rules.append(("FileBackupDiskFillsUp", room, "15m", WARNING, "less than 10 % of the disk is free"))
    if args.drill:
        seconds = timedelta(hours=args.drill.within_hours).total_seconds()
        good = "{drill_good_timestamp_seconds}"
        # Before the first drill there is no metric: absence is what the alert is for.
        missing = f"time() - {good} > {seconds:.0f} or absent({good})"
        rules.append(("FileDrillMissing", missing, "15m", CRITICAL, "no restore of the files was proven to work"))
        rules.append(("FileDrillBad", "{drill_good} == 0", "0m", CRITICAL, "the last drill was not good"))
    made = [
        alert(title, expression.format_map(Metrics()), lasting, severity, args.platform, f"{what} ({name})")
        for title, expression, lasting, severity, what in rules
    ]
    return yaml.safe_dump(
        {"groups": [{"name": f"{args.platform.name}-{name}", "rules": made}]}, sort_keys=False, width=1000
    )


def _unobserved() -> tuple[str, str, str, str, str]:
    old = f"time() - {{checked_timestamp_seconds}} > {status.STALE.total_seconds():.0f}"
    what = "nothing reports the backups, so nobody sees them fail"
    return ("FileBackupsUnobserved", f"absent({{healthy}}) or {old}", "15m", CRITICAL, what)
