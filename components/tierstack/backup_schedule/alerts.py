"""Alerting rules for backups that are late, broken or unobserved (pure), as Prometheus reads them."""

from datetime import UTC, datetime, timedelta
from typing import Any

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


def labels(name: str, args: BackupScheduleArgs) -> dict[str, str]:
    """The labels of these backups' metrics on a Docker host."""
    return {"platform": args.platform.name, "name": name}


def text(name: str, args: BackupScheduleArgs) -> str:
    """A rule file of Prometheus, as YAML: `rule_files` reads it, and `spec` of a PrometheusRule has the same form."""
    rules = _docker(name, args) if args.platform.kind is PlatformKind.DOCKER else _kubernetes(args)
    group = {"name": f"{args.platform.name}-{name}", "rules": rules}
    return yaml.safe_dump({"groups": [group]}, sort_keys=False, width=1000)


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


def _docker(name: str, args: BackupScheduleArgs) -> list[dict[str, Any]]:
    """By the judgement of the agent, which knows the schedule, gaps in the WAL and its disk."""
    of = ",".join(f'{key}="{value}"' for key, value in sorted(labels(name, args).items()))

    def metric(what: str) -> str:
        return f"{PREFIX}_{what}{{{of}}}"

    seen = f"time() - {metric('checked_timestamp_seconds')} > {status.STALE.total_seconds():.0f}"
    room = f"{metric('catalog_free_bytes')} / {metric('catalog_size_bytes')} < 0.1"
    drills: list[dict[str, Any]] = []
    if args.drill:
        good = metric("drill_good_timestamp_seconds")
        seconds = timedelta(hours=args.drill.within_hours).total_seconds()
        # Before the first drill there is no metric: absence is what the alert is for.
        missing = f"time() - {good} > {seconds:.0f} or absent({good})"
        drills = [
            alert("DrillMissing", missing, "15m", CRITICAL, args.platform, "no restore was proven to work"),
            alert(
                "DrillBad", f"{metric('drill_good')} == 0", "0m", CRITICAL, args.platform, "the last drill was not good"
            ),
        ]
    store = [
        alert(
            "WalNotStored",
            f"{metric('store_behind_seconds')} > 300",
            "0m",
            CRITICAL,
            args.platform,
            "WAL is not in the bucket",
        ),
        alert(
            "BaseBackupNotStored",
            f"{metric('store_base_backups')} == 0",
            "30m",
            CRITICAL,
            args.platform,
            "no base backup is in the bucket",
        ),
    ]
    return [
        *drills,
        *(store if args.store else []),
        alert(
            "BaseBackupMissing",
            f"{metric('base_backup_late')} == 1",
            "15m",
            CRITICAL,
            args.platform,
            "no base backup was made",
        ),
        alert(
            "BaseBackupShrunk",
            f"{metric('base_backup_shrunk')} == 1",
            "15m",
            WARNING,
            args.platform,
            "the newest base backup has less than half the bytes of the one before",
        ),
        alert("WalNotStreaming", f"{metric('wal_streaming')} == 0", "5m", CRITICAL, args.platform, "no WAL arrives"),
        alert(
            "BackupsUnhealthy",
            f"{metric('healthy')} == 0",
            "30m",
            WARNING,
            args.platform,
            "`status.json` names what is wrong",
        ),
        alert(
            "BackupCatalogFillsUp", room, "15m", WARNING, args.platform, "less than 10 % of the catalog's disk is free"
        ),
        alert(
            "BackupsUnobserved",
            f"absent({metric('healthy')}) or {seen}",
            "15m",
            CRITICAL,
            args.platform,
            "nothing reports the backups, so nobody sees them fail",
        ),
    ]


def _kubernetes(args: BackupScheduleArgs) -> list[dict[str, Any]]:
    """By what CloudNativePG and its plugin show at each instance."""
    of = f'namespace="{args.platform.name}",pod=~"{args.archive.cluster}-[0-9]+"'
    latest = f"max({_PLUGIN}_last_available_backup_timestamp{{{of}}})"
    failed, archived = (f"max(cnpg_pg_stat_archiver_{what}_time{{{of}}})" for what in ("last_failed", "last_archived"))
    seconds = (longest_pause(args.schedule) + status.LATE).total_seconds()
    return [
        alert(
            "BaseBackupMissing",
            f"time() - {latest} > {seconds:.0f}",
            "15m",
            CRITICAL,
            args.platform,
            "no base backup was made",
        ),
        alert(
            "WalNotArchived", f"{failed} > {archived}", "15m", CRITICAL, args.platform, "WAL does not reach the bucket"
        ),
        alert(
            "BackupsUnobserved",
            f"absent({latest})",
            "15m",
            CRITICAL,
            args.platform,
            "nothing reports the backups, so nobody sees them fail",
        ),
    ]


def alert(name: str, expression: str, lasting: str, severity: str, platform: Platform, what: str) -> dict[str, Any]:
    """One rule: it fires where `expression` holds for `lasting`. `what`: what is wrong then, in words."""
    return {
        "alert": name,
        "expr": expression,
        "for": lasting,
        "labels": {"severity": severity, "platform": platform.name, "environment": platform.environment},
        "annotations": {"summary": f"backups of {platform.name}: {what}"},
    }
