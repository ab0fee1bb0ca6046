"""The files that the agent, the pruning container and restores read. Pure."""

import json
from typing import Any

import pulumi

from tierstack.backup_schedule import config as postgresql
from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs
from tierstack.backup_schedule.engine import delivered
from tierstack.backup_schedule.mysql import files as mysql
from tierstack.backup_schedule.restic.config import DELIVERED as OF_RESTIC
from tierstack.links import DatabaseEngine, SecretRef

DELIVERED = (
    *OF_RESTIC,
    *(f"dumps/{name}.py" for name in ("agent", "dumper", "dumpers", "dumping", "fetch", "figures", "judgement")),
    *("dumps/postgresql.py", "dumps/mysql.py"),
)
"""Modules of this package that run in the containers, under the same name as here."""


def settings(
    args: DatabaseDumpsArgs, host: str, labels: dict[str, str], store: dict[str, Any] | None, at: tuple[str, str]
) -> str:
    """What the containers read anew at each job; none of it is secret. `host`: what snapshots are said to be of; `at`:
    host and port of the primary."""
    document: dict[str, Any] = {
        "host": host,
        "tag": "dumps",
        "engine": args.database.engine,
        "database": args.database.database,
        "conninfo": _conninfo(args, at),
        "lock_seconds": args.lock_seconds,
        "longest_minutes": args.longest_minutes,
        "jobs": {
            name: {"schedule": one.schedule, "tables": one.tables, "keep": one.keep.rules}
            for name, one in args.all_jobs.items()
        },
        "check_schedule": args.check_schedule,
        "check_parts": args.check_parts,
        "labels": labels,
        "store": store,
    }
    return json.dumps(document, indent=2) + "\n"


def _conninfo(args: DatabaseDumpsArgs, at: tuple[str, str]) -> str | None:
    if args.database.engine != DatabaseEngine.POSTGRESQL.value:
        return None
    verified, database = args.database.ca is not None, args.database.database
    return postgresql.conninfo(*at, _user(args), database, verified=verified, application="tierstack-dumps")


def _user(args: DatabaseDumpsArgs) -> str:
    assert args.facts is not None  # by the arguments' rules
    return args.facts.login(args.database)[0] or ""


def login(args: DatabaseDumpsArgs) -> dict[str, pulumi.Input[str]]:
    """The file by which the dump program logs in. Only the agent has it."""
    assert args.facts is not None  # by the arguments' rules
    user, password = _user(args), (args.facts.login(args.database)[1] or SecretRef()).value
    verified = args.database.ca is not None
    known = pulumi.Output.secret(pulumi.Output.all(args.database.direct_host, args.database.direct_port, password))
    if args.database.engine == DatabaseEngine.POSTGRESQL.value:
        return {"pgpass": known.apply(lambda at: postgresql.pgpass(user, str(at[2] or "")))}
    return {
        "client.cnf": known.apply(
            lambda at: mysql.client_cnf(str(at[0]), str(at[1]), user, str(at[2] or ""), verified=verified)
        )
    }


def program() -> dict[str, str]:
    """The modules that run in the containers, by their path below the configuration directory."""
    return delivered(DELIVERED)
