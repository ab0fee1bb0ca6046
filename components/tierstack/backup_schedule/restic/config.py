"""The files that the agent, the pruning container and restores read. Pure."""

import json
from typing import Any

from tierstack.backup_schedule.engine import delivered
from tierstack.backup_schedule.restic.args import FileBackupsArgs

DELIVERED = (
    *("cron.py", "keeping.py", "ledger.py", "metrics.py", "status.py", "bucket.py", "layout.py", "pruning.py"),
    *("output.py", "rounds.py"),
    *(f"restic/{name}.py" for name in ("agent", "figures", "files", "judgement", "pruning", "repository")),
)
"""Modules of this package that run in the containers, under the same name as here."""
TAG = "files"
"""Tag of the snapshots, by which they are found and kept."""


def settings(args: FileBackupsArgs, host: str, labels: dict[str, str], store: dict[str, Any] | None) -> str:
    """What the containers read anew at each job. `host`: what snapshots are said to be of."""
    document: dict[str, Any] = {
        "host": host,
        "tag": TAG,
        "schedule": args.schedule,
        "check_schedule": args.check_schedule,
        "check_parts": args.check_parts,
        "exclude": args.exclude or [],
        "keep": args.keep.rules,
        "labels": labels,
        "store": store,
    }
    return json.dumps(document, indent=2) + "\n"


def program() -> dict[str, str]:
    """The modules that run in the containers, by their path below the configuration directory."""
    return delivered(DELIVERED)
