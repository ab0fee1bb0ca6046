"""The files that Barman and its agent read. Pure."""

import json
from importlib import resources

from tierstack.backup_schedule import agent
from tierstack.platform.internal_ca import ca_path

DELIVERED = ("cron.py", "ledger.py", "metrics.py", "status.py", "target.py", "agent.py")
"""Modules of this package that run in the container, under the same name as here."""


def conninfo(host: str, port: str, user: str, database: str, *, verified: bool) -> str:
    """How Barman and its agent connect (libpq manual, "Connection Strings"); the password stands in a file.
    `verified`: over TLS only, to a server whose certificate is of the internal CA."""
    encryption = f" sslmode=verify-full sslrootcert={ca_path('database')}" if verified else ""
    return (
        f"host={host} port={port} user={user} dbname={database} passfile={agent.CONFIG}/pgpass"
        f" connect_timeout=10 application_name=barman{encryption}"
    )


def barman_conf(connection: str, retention_days: int) -> str:
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
        # Never remove the last backup, however old.
        "minimum_redundancy": "1",
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


def settings_json(schedule: str, connection: str, labels: dict[str, str]) -> str:
    """What the agent reads anew every minute. `labels`: those of its metrics."""
    return json.dumps({"schedule": schedule, "conninfo": connection, "labels": labels}, indent=2) + "\n"


def program() -> dict[str, str]:
    """The agent's own modules, by their path below the configuration directory."""
    package = resources.files("tierstack.backup_schedule")
    return {f"lib/tierstack/backup_schedule/{name}": (package / name).read_text() for name in DELIVERED}
