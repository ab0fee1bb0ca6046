"""A drill on Kubernetes: the archive is restored beside the database, while a clock writes into that."""

import re
import time
from datetime import UTC, datetime, timedelta

from tierstack.backup_schedule import ledger
from tierstack.backup_schedule.status import stamp
from tierstack.engine.project import UsageError
from tierstack.recovery import signals
from tierstack.recovery.drill import Result, acknowledged, faults, measure
from tierstack.recovery.found import now
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import aside as beside
from tierstack.recovery.kubernetes.found import CLUSTER, ClusterBackups
from tierstack.recovery.kubernetes.writer import KEPT, PREPARE, Writer

Tell = beside.Tell
# A server writes the history of its new timeline when nothing more is in the archive. PostgreSQL cuts fractions of a
# second off: the moment is the end of that second, so that no loss is overlooked.
_MOMENT = r"""
SELECT extract(epoch FROM modification) + 1 FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{8}\.history$' ORDER BY name DESC LIMIT 1;
"""
# PostgreSQL quotes the names, and its client runs what comes out. Partitions are counted, not the tables above them.
_COUNTS = """\
SELECT format('SELECT count(*) FROM ONLY %I.%I', nspname, relname)
FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind IN ('r', 'm') AND relpersistence <> 't' AND relispopulated
AND nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast', 'tierstack_drill') ORDER BY nspname, relname \\gexec
"""
_UNLOGGED = "SELECT count(*) FROM pg_class WHERE relkind = 'r' AND relpersistence = 'u'"


def run(backups: ClusterBackups, name: str, tell: Tell) -> Result:
    """Make a drill and record it. One that cannot be carried out is recorded too, as `not verified`."""
    aside = backups.name("drill")
    began = now()
    _refuse_beside_another(backups, aside, began)
    result = Result(
        result=ledger.NOT_VERIFIED, began_at=stamp(began), ended_at="", backups=name, database=backups.at.database
    )
    try:
        with signals.ending_as_interrupts():
            _carry_out(backups, aside, result, tell)
        result.why = faults(result, backups.at)
        result.result = ledger.BAD if result.why else ledger.GOOD
    except (CommandError, UsageError) as error:
        result.why = [str(error)]
    except KeyboardInterrupt:
        result.why = ["it was interrupted"]
        raise
    finally:
        with signals.held_back():
            _end(backups, aside, result)
    return result


def _end(backups: ClusterBackups, aside: str, result: Result) -> None:
    """Remove what was restored, and record the drill also where that fails."""
    try:
        beside.remove(backups, aside)
    except CommandError as error:
        result.why.append(f"what it restored was not removed: {error}")
        result.result = ledger.BAD if result.result == ledger.GOOD else result.result
    finally:
        result.ended_at = stamp(now())
        backups.record(result.as_entry())


def _refuse_beside_another(backups: ClusterBackups, aside: str, at: datetime) -> None:
    """Raise UsageError where another drill runs; remove what is left of one that was killed."""
    there = backups.kubectl.get(CLUSTER, aside)
    if there is None:
        return
    age = at - datetime.fromisoformat(there["metadata"]["creationTimestamp"])
    if age < timedelta(minutes=2 * backups.at.max_minutes):
        raise UsageError(
            f"another drill of these backups runs, or was killed: Cluster {aside}, {age.total_seconds():.0f} s old. "
            f"If none runs: {beside.removing(backups, aside)}"
        )
    beside.remove(backups, aside)


def _carry_out(backups: ClusterBackups, aside: str, result: Result, tell: Tell) -> None:
    base = backups.status().get("last_backup")
    if not base or not base["id"]:
        raise CommandError(f"there is no base backup yet: kubectl -n {backups.at.namespace} get backups")
    result.base_backup, result.size_bytes = base["id"], base["size_bytes"]
    live = backups.primary(backups.at.cluster)
    first = acknowledged(backups.ask(live, PREPARE))
    start = time.monotonic()
    with Writer(backups.kubectl.host, backups.client(live)) as writer:
        tell("rows are written with a clock, and the archive is restored aside:")
        beside.put_aside(backups, aside, None, tell)
        restored = backups.primary(aside)
        result.rto_seconds = round(time.monotonic() - start, 1)
        moment = datetime.fromtimestamp(float(backups.ask(restored, _MOMENT)), UTC)
        printed = writer.stop()
    result.moment = stamp(moment)
    kept = acknowledged(backups.ask(restored, KEPT))
    measure(result, [*first, *acknowledged(printed)], kept, moment)
    _look(backups, restored, result, tell)


def _look(backups: ClusterBackups, restored: str, result: Result, tell: Tell) -> None:
    """Read every table, and ask what the configuration asks."""
    try:
        counts = [int(one) for one in backups.ask(restored, _COUNTS).split()]
    except CommandError as error:
        if not _is_of_the_data(str(error)):
            raise
        result.unreadable = str(error)
        return
    result.tables, result.rows = len(counts), sum(counts)
    tell(f"  read {result.tables} tables, {result.rows:,} rows")
    if unlogged := int(backups.ask(restored, _UNLOGGED)):
        tell(f"  {unlogged} of them are UNLOGGED: PostgreSQL brings those back empty, from any backup")
    for name, statement in backups.at.checks.items():
        result.checks[name] = backups.ask(restored, statement).strip() == "t"
        tell(f"  check {name}: {'true' if result.checks[name] else 'not true'}")


def _is_of_the_data(said: str) -> bool:
    """Whether it was PostgreSQL that refused, and not the way to it."""
    return re.search(r"(?m)(^|: )ERROR: ", said) is not None
