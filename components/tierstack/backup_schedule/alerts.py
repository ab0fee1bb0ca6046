"""Alerting rules for backups that are late, broken or unobserved (pure), as Prometheus reads them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import yaml

from tierstack.backup_schedule import cron, status
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.backup_schedule.metrics import PREFIX
from tierstack.platform import Platform, PlatformKind

CRITICAL, WARNING = "critical", "warning"
_PLUGIN = "barman_cloud_cloudnative_pg_io"
"""Prefix of the barman-cloud plugin's metrics, which the instances show beside CloudNativePG's own."""
_OCCURRENCES = 1000
"""Times of a schedule that are looked at for its longest pause; a daily one has all its patterns in 365."""


class Rule(NamedTuple):
    """One alert."""

    alert: str
    expression: str
    """When it fires. `{…}` is a metric of an agent, by its name without the prefix (`with_metrics`)."""
    lasting: str
    """How long the expression holds before."""
    severity: str
    what: str
    """What is wrong then, in words."""


UNOBSERVED = (
    f"absent({{healthy}}) or time() - {{checked_timestamp_seconds}} > {status.STALE.total_seconds():.0f}",
    "nothing reports the backups, so nobody sees them fail",
)
"""Expression and words of a rule about an agent that is gone or stuck."""
DISK = ("{disk_free_bytes} / {disk_size_bytes} < 0.1", "15m", WARNING, "less than 10 % of the disk is free")
"""The rest of a rule about the disk of a repository, after its name."""


def labels(name: str, platform: Platform) -> dict[str, str]:
    """The labels of the metrics of a component on a Docker host."""
    return {"platform": platform.name, "name": name}


def text(name: str, args: BackupScheduleArgs) -> str:
    """The rule file of a BackupSchedule."""
    if args.platform.kind is PlatformKind.DOCKER:
        return rule_file(name, args.platform, with_metrics(_docker(args), PREFIX, labels(name, args.platform)))
    return rule_file(name, args.platform, _kubernetes(args))


def rule_file(name: str, platform: Platform, rules: Sequence[Rule]) -> str:
    """A rule file of Prometheus, as YAML: `rule_files` reads it, and `spec` of a PrometheusRule has the same form."""
    made = [
        {
            "alert": rule.alert,
            "expr": rule.expression,
            "for": rule.lasting,
            "labels": {"severity": rule.severity, "platform": platform.name, "environment": platform.environment},
            "annotations": {"summary": f"backups of {platform.name}: {rule.what}"},
        }
        for rule in rules
    ]
    group = {"name": f"{platform.name}-{name}", "rules": made}
    return yaml.safe_dump({"groups": [group]}, sort_keys=False, width=1000)


def with_metrics(rules: Sequence[Rule], prefix: str, of: Mapping[str, str]) -> list[Rule]:
    """Rules whose metrics have their full names and the labels `of`."""
    shown = ",".join(f'{key}="{value}"' for key, value in sorted(of.items()))

    class Metrics(dict[str, str]):
        def __missing__(self, what: str) -> str:
            return f"{prefix}_{what}{{{shown}}}"

    return [rule._replace(expression=rule.expression.format_map(Metrics())) for rule in rules]


def of_several(name: str, platform: Platform, rules: Sequence[Rule], prefix: str) -> str:
    """The rule file of backups of which a stack may have several: each rule says which. `prefix`: of their metrics."""
    named = [rule._replace(what=f"{rule.what} ({name})") for rule in rules]
    return rule_file(name, platform, with_metrics(named, prefix, labels(name, platform)))


def drill_missing(within_hours: int) -> str:
    """Expression: no drill was good for so long. Before the first drill there is no metric: absence is what the alert
    is for."""
    seconds = timedelta(hours=within_hours).total_seconds()
    good = "{drill_good_timestamp_seconds}"
    return f"time() - {good} > {seconds:.0f} or absent({good})"


def drills(within_hours: int, unproven: str, prefix: str = "") -> list[Rule]:
    """Rules for a drill that is due within so many hours. `unproven`: what no good one means; `prefix`: of their
    names."""
    return [
        Rule(f"{prefix}DrillMissing", drill_missing(within_hours), "15m", CRITICAL, unproven),
        Rule(f"{prefix}DrillBad", "{drill_good} == 0", "0m", CRITICAL, "the last drill was not good"),
    ]


def longest_pause(schedule: str) -> timedelta:
    """The longest time between two base backups of a schedule."""
    when, at = cron.parse(schedule), datetime(2026, 1, 1, tzinfo=UTC)
    longest = timedelta()
    for _ in range(_OCCURRENCES):
        following = when.following(at)
        longest, at = max(longest, following - at), following
        if at.year > 2034:  # a leap day and its next one were among them
            break
    return longest


_STORE: tuple[Rule, ...] = (
    Rule("WalNotStored", "{store_behind_seconds} > 300", "0m", CRITICAL, "WAL is not in the bucket"),
    Rule("BaseBackupNotStored", "{store_base_backups} == 0", "30m", CRITICAL, "no base backup is in the bucket"),
)
_HALF = "the newest base backup has less than half the bytes of the one before"
_FREE = "{catalog_free_bytes} / {catalog_size_bytes} < 0.1"
_ALWAYS: tuple[Rule, ...] = (
    Rule("BaseBackupMissing", "{base_backup_late} == 1", "15m", CRITICAL, "no base backup was made"),
    Rule("BaseBackupShrunk", "{base_backup_shrunk} == 1", "15m", WARNING, _HALF),
    Rule("WalNotStreaming", "{wal_streaming} == 0", "5m", CRITICAL, "no WAL arrives"),
    Rule("BackupsUnhealthy", "{healthy} == 0", "30m", WARNING, "`status.json` names what is wrong"),
    Rule("BackupCatalogFillsUp", _FREE, "15m", WARNING, "less than 10 % of the catalog's disk is free"),
    Rule("BackupsUnobserved", UNOBSERVED[0], "15m", CRITICAL, UNOBSERVED[1]),
)


def _docker(args: BackupScheduleArgs) -> list[Rule]:
    """By the judgement of the agent, which knows the schedule, gaps in the WAL and its disk."""
    proven = drills(args.drill.within_hours, "no restore was proven to work") if args.drill else []
    return [*proven, *(_STORE if args.store else ()), *_ALWAYS]


def _kubernetes(args: BackupScheduleArgs) -> list[Rule]:
    """By what CloudNativePG and its plugin show at each instance."""
    of = f'namespace="{args.platform.name}",pod=~"{args.archive.cluster}-[0-9]+"'
    latest = f"max({_PLUGIN}_last_available_backup_timestamp{{{of}}})"
    failed, archived = (f"max(cnpg_pg_stat_archiver_{what}_time{{{of}}})" for what in ("last_failed", "last_archived"))
    seconds = (longest_pause(args.schedule) + status.LATE).total_seconds()
    return [
        Rule("BaseBackupMissing", f"time() - {latest} > {seconds:.0f}", "15m", CRITICAL, "no base backup was made"),
        Rule("WalNotArchived", f"{failed} > {archived}", "15m", CRITICAL, "WAL does not reach the bucket"),
        Rule("BackupsUnobserved", f"absent({latest})", "15m", CRITICAL, UNOBSERVED[1]),
    ]
