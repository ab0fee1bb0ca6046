"""A drill on Kubernetes: the archive is restored beside the database, while a clock writes into that."""

import re
import time
from datetime import UTC, datetime, timedelta

from tierstack.backup_schedule.status import stamp
from tierstack.engine.project import UsageError
from tierstack.recovery.drill import Result, acknowledged, judge, look, measure
from tierstack.recovery.found import now
from tierstack.recovery.host import CommandError
from tierstack.recovery.kubernetes import aside as beside
from tierstack.recovery.kubernetes import found as found_
from tierstack.recovery.kubernetes.found import CLUSTER, ClusterBackups
from tierstack.recovery.postgresql import SEGMENT, PostgreSQL
from tierstack.recovery.recording import recorded
from tierstack.recovery.writer import Writer

Tell = beside.Tell
# A server writes the history of its new timeline when nothing more is in the archive. PostgreSQL cuts fractions of a
# second off: the moment is the end of that second, so that no loss is overlooked.
_MOMENT = r"""
SELECT extract(epoch FROM modification) + 1 FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{8}\.history$' ORDER BY name DESC LIMIT 1;
"""
_POSTGRESQL = PostgreSQL()


def run(backups: ClusterBackups, name: str, tell: Tell) -> Result:
    """Make a drill and record it. One that cannot be carried out is recorded too, as `not verified`."""
    aside = backups.name("drill")
    _refuse_beside_another(backups, aside, now())
    result = Result(backups=name, database=backups.at.database)
    with recorded(result, backups.record, lambda: beside.remove(backups, aside)):
        _carry_out(backups, aside, result, tell)
        judge(result, backups.at)
    return result


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
    first = acknowledged(backups.ask(live, _POSTGRESQL.prepare))
    with Writer(backups.kubectl.host, backups.client(live), _POSTGRESQL.insert) as writer:
        _await_rows(backups, live, tell)
        start = time.monotonic()
        tell("rows are written with a clock, and the archive is restored aside:")
        beside.put_aside(backups, aside, None, tell)
        restored = backups.primary(aside)
        result.rto_seconds = round(time.monotonic() - start, 1)
        moment = datetime.fromtimestamp(float(backups.ask(restored, _MOMENT)), UTC)
        printed = writer.stop()
    result.moment = stamp(moment)
    kept = acknowledged(backups.ask(restored, _POSTGRESQL.kept))
    measure(result, [*first, *acknowledged(printed)], kept, moment)
    look(result, _POSTGRESQL, lambda asked: backups.ask(restored, asked), backups.at, _is_of_the_data, tell)


def _await_rows(backups: ClusterBackups, live: str, tell: Tell) -> None:
    """Wait until the first rows are archived: before that, none can come back. Where they do not arrive within the time
    whose writes may be lost, the drill goes on and finds that."""
    segment, began = backups.ask(live, SEGMENT).strip(), time.monotonic()
    while not backups.archived(live, segment) and time.monotonic() - began < backups.at.max_lost_seconds:
        time.sleep(found_.LOOK_SECONDS)
    tell(f"the first rows are archived: {time.monotonic() - began:.1f} s")


def _is_of_the_data(error: CommandError) -> bool:
    """Whether it was PostgreSQL that refused, and not the way to it."""
    return re.search(r"(?m)(^|: )ERROR: ", str(error)) is not None
