"""The files that Barman and its agent read. Pure."""

import json
from typing import Any

from tierstack.backup_schedule import agent
from tierstack.backup_schedule.engine import FOR_STORE, delivered
from tierstack.platform.internal_ca import ca_path

DELIVERED = (
    "choice.py",
    "cron.py",
    "keeping.py",
    "layout.py",
    "ledger.py",
    "metrics.py",
    "output.py",
    "replay.py",
    "status.py",
    "target.py",
    "agent.py",
)
"""Modules of this package that run in the container, under the same name as here."""
DELIVERED_FOR_STORE = (*FOR_STORE, "barman_bucket.py", "barman_outgoing.py", "fetch.py", "look.py", "prune.py")
"""Those that run where there is a bucket."""


def conninfo(host: str, port: str, user: str, database: str, *, verified: bool, application: str = "barman") -> str:
    """How Barman and its agent connect (libpq manual, "Connection Strings"); the password stands in a file.
    `verified`: over TLS only, to a server whose certificate is of the internal CA."""
    encryption = f" sslmode=verify-full sslrootcert={ca_path('database')}" if verified else ""
    return (
        f"host={host} port={port} user={user} dbname={database} passfile={agent.CONFIG}/pgpass"
        f" connect_timeout=10 application_name={application}{encryption}"
    )


def barman_conf(connection: str, retention_days: int, least_copies: int = 1) -> str:
    """Barman's configuration (barman(5)): WAL streamed through a slot, base backups by pg_basebackup."""
    settings = {
        "conninfo": connection,
        "streaming_conninfo": connection,
        "backup_method": "postgres",
        "streaming_archiver": "on",
        "streaming_archiver_name": "barman",
        "slot_name": agent.SLOT,
        # A slot that is gone (a restored primary has none) is made again.
        "create_slot": "auto",
        "compression": "gzip",
        "retention_policy": f"RECOVERY WINDOW OF {retention_days} DAYS",
        # Never remove the last ones, however old.
        "minimum_redundancy": str(least_copies),
    }
    lines = [
        "[barman]",
        f"barman_home = {agent.CATALOG}",
        "barman_user = barman",
        f"log_file = {agent.LOG}",
        "log_level = INFO",
        "",
        f"[{agent.SERVER}]",
        *(f"{key} = {value}" for key, value in settings.items()),
    ]
    return "\n".join(lines) + "\n"


def pgpass(user: str, password: str) -> str:
    """The password file of libpq: colons and backslashes escaped."""
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    return f"*:*:*:{user}:{escaped}\n"


def settings_json(schedule: str, connection: str, labels: dict[str, str], store: dict[str, Any] | None = None) -> str:
    """What the agent reads anew every minute. `labels`: those of its metrics; `store`: the bucket, which it reads when
    it starts."""
    settings: dict[str, Any] = {"schedule": schedule, "conninfo": connection, "labels": labels}
    return json.dumps({**settings, **({"store": store} if store else {})}, indent=2) + "\n"


def program(*, store: bool = False) -> dict[str, str]:
    """The agent's own modules, by their path below the configuration directory. `store`: those for a bucket too."""
    return delivered((*DELIVERED, *(DELIVERED_FOR_STORE if store else ())))
