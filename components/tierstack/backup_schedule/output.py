"""What the programs in the containers write: lines of their log, and documents that are replaced at once.

It runs in the container, and is imported by health checks, so it imports little.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.status import stamp


def say(text: str) -> None:
    """A line in the container's log."""
    print(f"{stamp(datetime.now(UTC))} {text}", flush=True)


def publish(path: Path, document: dict[str, Any]) -> None:
    """Replace a document, so that nobody reads half of it."""
    staged = path.with_suffix(".new")
    staged.write_text(json.dumps(document, indent=2) + "\n")
    staged.replace(path)
