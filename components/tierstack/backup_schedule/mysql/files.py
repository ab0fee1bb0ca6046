"""The files that the agent of a MySQL reads. Pure."""

import json

from tierstack.backup_schedule.engine import FOR_STORE, Wanted, delivered
from tierstack.backup_schedule.mysql.server import quoted
from tierstack.platform.internal_ca import ca_path

SHARED = ("cron.py", "keeping.py", "ledger.py", "metrics.py", "output.py", "status.py", "target.py")
OWN = ("agent.py", "binlog.py", "catalog.py", "copies.py", "replay.py", "restoring.py", "server.py", "stream.py")
CORE = ("core/gtids.py",)
"""Modules that run in the container, under the same names as here."""
OWN_FOR_STORE = ("bucket.py", "fetch.py", "outgoing.py", "parts.py", "prune.py")
"""Those that run where there is a bucket."""


def client_cnf(host: str, port: str, user: str, password: str, *, verified: bool) -> str:
    """The option file of MySQL's programs (manual, "Using Option Files"). `verified`: over TLS only, to a server whose
    certificate is of the internal CA."""
    encryption = (
        {"ssl-mode": "VERIFY_IDENTITY", "ssl-ca": ca_path("database")}
        if verified
        else {"ssl-mode": "DISABLED", "get-server-public-key": "ON"}
    )
    given = {"host": host, "port": port, "user": user, "password": password, **encryption}
    return "[client]\n" + "".join(f"{name}={quoted(value)}\n" for name, value in given.items())


def settings_json(host: str, port: str, user: str, wanted: Wanted, *, verified: bool) -> str:
    """What the agent reads anew every minute. None of it is secret."""
    given = {
        "host": host,
        "port": port,
        "user": user,
        "ca": ca_path("database") if verified else None,
        "schedule": wanted.schedule,
        "retention_days": wanted.retention_days,
        "least_copies": wanted.least_copies,
        "labels": wanted.labels,
        **({"store": wanted.store} if wanted.store else {}),
    }
    return json.dumps(given, indent=2) + "\n"


def program(*, store: bool = False) -> dict[str, str]:
    """The agent's own modules, by their path below the configuration directory. `store`: those for a bucket too."""
    own = (*OWN, *(OWN_FOR_STORE if store else ()))
    return delivered((*SHARED, *(FOR_STORE if store else ()), *(f"mysql/{name}" for name in own), *CORE))
