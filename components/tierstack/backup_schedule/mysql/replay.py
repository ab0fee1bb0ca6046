"""A restore: a base backup, and the binary logs after it until a moment or a transaction.

The agent in the container runs this very file. It imports the standard library only.

The logs are cut where the restore ends and put beside the copy as relay logs, which a server of the agent's own applies
as a replica does: in parallel, leaving out what the copy has, and byte by byte what the primary wrote. Nothing that is
not wanted is ever near it. At the end the transactions of the server are compared with those that had to be there.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tierstack.backup_schedule import status
from tierstack.backup_schedule.mysql import server
from tierstack.backup_schedule.mysql.binlog import BrokenLogError, Log, Transaction, read
from tierstack.backup_schedule.mysql.catalog import Catalog, Copy, judged, moment, number, size
from tierstack.core.gtids import Gtid, GtidSet, parse_set

RELAY = "relay-bin"
_CHUNK = 2**20
Lengths = Mapping[str, Mapping[str, int]]
"""Bytes of each binary log, by history and name."""


class RestoreError(Exception):
    """A restore that is not possible; the message says what is missing and what to do."""


@dataclass(frozen=True)
class Goal:
    """Where a restore ends: at a moment, with a transaction, or (neither) with the last one that arrived."""

    at: datetime | None = None
    gtid: Gtid | None = None

    def passed(self, one: Transaction) -> bool:
        """Whether a transaction is one too many, unless it is the one that was named."""
        return self.at is not None and one.committed > self.at.timestamp() * 1_000_000


@dataclass
class Chosen:
    """What a restore is made of."""

    copy: Copy
    logs: list[Log] = field(default_factory=list[Log])
    """Read until where they are used."""
    cut: str | None = None
    """What was left out at the end of the newest log, because it had not arrived whole."""

    @property
    def gtids(self) -> GtidSet:
        """The transactions that the restored server has to have."""
        found = parse_set(self.copy.gtids)
        for log in self.logs:
            found |= log.contained
        return found

    @property
    def last(self) -> Transaction | None:
        """The last transaction of the logs. None: there is none after the copy."""
        return next((log.last for log in reversed(self.logs) if log.last), None)


def choose(
    catalog: Catalog, goal: Goal, received: Lengths | None = None, holes: Mapping[str, str] | None = None
) -> Chosen:
    """The copy and the logs for a goal. `received`: how much of the logs counts; left out: all of it. `holes`: what is
    missing after the end of a log that is here, in words, by its name. Raises RestoreError."""
    copy = starting(catalog.copies(), goal)
    found, lengths = Chosen(copy), None if received is None else received.get(copy.history, {})
    names = catalog.logs(copy.history)
    usable = {
        name: path
        for name, path in names.items()
        if number(name) >= number(copy.first_log) and (lengths is None or name in lengths)
    }
    executed, reached = parse_set(copy.gtids), goal.gtid is not None and goal.gtid in parse_set(copy.gtids)
    before: Log | None = None
    if usable and copy.first_log not in usable:
        raise RestoreError(_missing(copy, copy.first_log, None))
    for name, path in usable.items():
        if reached:
            break
        if before and number(name) != number(before.path.name) + 1:
            follows = f"{name.rpartition('.')[0]}.{number(before.path.name) + 1:06}"
            raise RestoreError(_missing(copy, follows, _last(found)))
        log = _read(path, goal, None if lengths is None else lengths[name])
        named = goal.gtid is not None and goal.gtid in log.contained
        if holes and name in holes and log.stopped is None and not named:
            log.torn, log.damaged = holes[name], True
        if not log.begun and not log.damaged and name == list(usable)[-1]:
            break  # it has just been begun
        _follows(copy, executed, before, log, found)
        found.logs.append(log)
        before, reached = log, log.stopped is not None or named
    _ends(found, goal, reached, catalog)
    return found


def starting(held: Sequence[Copy], goal: Goal) -> Copy:
    """The copy that a restore begins with. `held`: all of them, the oldest first. Raises RestoreError."""
    if not held:
        raise RestoreError("there is no base backup")
    by_id = {one.id: one for one in held}
    if goal.gtid is not None:
        without = [one for one in held if goal.gtid not in parse_set(one.gtids)]
        if not without:
            raise RestoreError(
                f"--to = {goal.gtid}: is before the oldest base backup, which ended at {held[0].end}; what came "
                "before it cannot be told apart"
            )
        # Of the server that made the transaction: another's logs never had it.
        same = [one for one in without if one.history.partition(".")[0] == goal.gtid.server]
        return (same or without)[-1]
    start = status.starting(judged(held), goal.at)
    if start is None:
        ends = ", ".join(one.end for one in held)
        at = status.stamp(goal.at) if goal.at else ""
        raise RestoreError(f"--time = {at}: no base backup had ended by then; base backups ended at: {ends}")
    return by_id[start.id]


def _read(path: Path, goal: Goal, most: int | None) -> Log:
    """A log until the goal. A transaction that was named is the last one that counts."""
    reached = False

    def stop(one: Transaction) -> bool:
        nonlocal reached
        if reached or goal.passed(one):
            return True
        reached = one.gtid == goal.gtid
        return False

    try:
        return read(path, stop, size=most)
    except BrokenLogError as error:
        raise RestoreError(f"{error}; {_EARLIER}") from None


def _follows(copy: Copy, executed: GtidSet, before: Log | None, log: Log, found: Chosen) -> None:
    """Raise RestoreError where transactions are missing between the copy, or the log before, and a log."""
    name = log.path.name
    if not log.begun:
        raise RestoreError(f"{name} {log.torn}; {_until(_last(found))}")
    if before is None:
        if not log.previous <= executed:
            raise RestoreError(f"{name} begins after the base backup {copy.id} ends: transactions between are missing")
    elif log.previous != before.after:
        missing = log.previous - before.after
        why = f"{before.path.name} {before.torn}" if before.torn else f"{name} does not follow {before.path.name}"
        raise RestoreError(
            f"{why}: {len(missing)} transactions are missing ({_short(missing)}); {_until(_last(found))}"
        )
    if log.damaged:
        raise RestoreError(f"{name} {log.torn}; {_until(log.last or _last(found))}")


def _ends(found: Chosen, goal: Goal, reached: bool, catalog: Catalog) -> None:
    newest = found.logs[-1] if found.logs else None
    if newest and newest.torn and not reached:
        found.cut = f"{newest.path.name} {newest.torn}"
    if goal.gtid is not None and not reached:
        raise RestoreError(f"--to = {goal.gtid}: is in no binary log that arrived; leave it out to restore all of them")
    if goal.at is None or reached:
        return
    known = [moment(found.copy.end), catalog.until(found.copy.history)]
    if found.last:
        known.append(datetime.fromtimestamp(found.last.committed / 1_000_000, UTC))
    # A copy has everything that was committed before it began.
    later = (one for one in catalog.copies() if one.history == found.copy.history)
    known += [moment(one.begin) for one in later if parse_set(one.gtids) <= found.gtids]
    if newest and newest.closed_at is not None:
        known.append(datetime.fromtimestamp(newest.closed_at, UTC))
    received = max(one for one in known if one)
    if goal.at > received:
        raise RestoreError(
            f"--time = {status.stamp(goal.at)}: is after the last binary log, which arrived at "
            f"{status.stamp(received)}; leave --time out to restore everything that was received"
        )


_EARLIER = "restore to a moment before it, with --to"


def _missing(copy: Copy, name: str, last: Transaction | None) -> str:
    return (
        f"the binary log {name} is missing: nothing after it can be restored from the base backup {copy.id}; "
        f"{_until(last)}"
    )


def _until(last: Transaction | None) -> str:
    """What can be restored in spite of it."""
    if last is None:
        return "restore to a moment that another base backup serves, with --to"
    at = datetime.fromtimestamp(last.committed / 1_000_000, UTC).isoformat(timespec="milliseconds")
    return f"the last transaction before that was committed at {at.replace('+00:00', 'Z')}: --to {last.gtid}"


def _last(found: Chosen) -> Transaction | None:
    return found.last


def _short(missing: GtidSet) -> str:
    text = str(missing)
    return text if len(text) <= 120 else f"{text[:117]}..."


def needed_bytes(found: Chosen) -> int:
    """Bytes that a restore writes: the copy, and the logs once as they are and once in the tables, at most."""
    return found.copy.size_bytes + 2 * sum(log.end for log in found.logs)


def carry_out(found: Chosen, to: Path, bring: Callable[[Copy, Path], None], say: Callable[[str], None]) -> None:
    """Make the data directory `to`, which is new or empty. `bring`: brings the files of a copy there. Raises
    RestoreError, CopyError and ServerError."""
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    bring(found.copy, to)
    work = to.parent / f"{to.name}.restore"
    server.removed(work)
    wanted = found.gtids
    if not wanted <= parse_set(found.copy.gtids):
        _replay(found, to, work, wanted, say)
    server.removed(work)


def _replay(found: Chosen, to: Path, work: Path, wanted: GtidSet, say: Callable[[str], None]) -> None:
    relay = work / "relay"
    relay.mkdir(mode=0o700, parents=True)
    _relay_logs(found.logs, relay)
    given = {
        **found.copy.settings,
        "relay-log": str(relay / RELAY),
        "relay-log-index": str(relay / f"{RELAY}.index"),
        "relay-log-recovery": "OFF",
        "replica-parallel-workers": "4",
        # What is lost with the machine meanwhile is restored again; a clean end writes everything.
        "innodb-flush-log-at-trx-commit": "0",
        "innodb-doublewrite": "OFF",
        "innodb-redo-log-capacity": "512M",
    }
    with server.Private(to, work / "server", {**given, "innodb-buffer-pool-size": "512M"}) as own:
        own.ask(
            f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = 'none', RELAY_LOG_FILE = '{RELAY}.000001', RELAY_LOG_POS = 4;"
            " START REPLICA SQL_THREAD;"
        )
        _await(own, wanted)
        own.ask("STOP REPLICA; RESET REPLICA ALL;")
        there = parse_set("".join(own.ask("SELECT @@GLOBAL.gtid_executed").split()).replace("\\n", ""))
    if (there - wanted) or (wanted - there):
        raise RestoreError(f"the restored server has other transactions than it should: {there}, not {wanted}")
    say(f"replayed {len(wanted - parse_set(found.copy.gtids)):,} transactions")


def _relay_logs(logs: Sequence[Log], relay: Path) -> None:
    """The logs under the names of relay logs, each until where it is used."""
    names: list[str] = []
    for index, log in enumerate(logs, 1):
        path = relay / f"{RELAY}.{index:06}"
        left = log.end
        with log.path.open("rb") as source, path.open("wb") as written:
            while left and (chunk := source.read(min(_CHUNK, left))):
                written.write(chunk)
                left -= len(chunk)
        if left:
            raise RestoreError(f"{log.path.name} has become shorter while it was copied: restore again")
        names.append(f"{path}\n")
    (relay / f"{RELAY}.index").write_text("".join(names))


def _await(own: server.Private, wanted: GtidSet) -> None:
    """Wait until everything is applied. Raises RestoreError with the first error of the replay."""
    errors = (
        "SELECT LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_coordinator"
        " WHERE LAST_ERROR_NUMBER UNION ALL SELECT LAST_ERROR_NUMBER, LAST_ERROR_MESSAGE FROM"
        " performance_schema.replication_applier_status_by_worker WHERE LAST_ERROR_NUMBER"
    )
    question = f"SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed);"
    while True:
        # In this order: one that ended between the two questions has applied everything.
        failed = own.ask(errors).strip()
        runs = own.ask("SELECT SERVICE_STATE FROM performance_schema.replication_applier_status").strip() == "ON"
        if own.ask(question).strip() == "1":
            return
        if failed:
            raise RestoreError(f"the binary logs cannot be replayed: {' '.join(failed.split())}")
        if not runs:
            raise RestoreError(f"the replay of the binary logs ended too early: {own.logged()}")
        time.sleep(0.1)


def lengths(catalog: Catalog) -> Lengths:
    """How long the binary logs are now: what arrives later is no part of a restore."""
    histories = {one.history for one in catalog.copies()}
    return {one: {name: size(path) for name, path in catalog.logs(one).items()} for one in histories}
