"""How PostgreSQL is asked for its role, fenced and promoted: commands for a Docker host. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import final

from tierstack.database.engine import SECRETS
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.database.postgresql.files import CONFIG, DATA, REPLICA_ROLE, ROOT, verifying
from tierstack.database.postgresql.standby import FENCED, REJOIN
from tierstack.database.standby import Command, Lost, Seen, Server, Servers, StandbyEngine, Steps, from_mapping
from tierstack.platform.internal_ca import TLSMode

_STATE = """\
SELECT row_to_json(state) FROM (SELECT
    NOT pg_is_in_recovery() AS primary,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())
        ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint AS at,
    pg_wal_lsn_diff(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
        ELSE pg_current_wal_flush_lsn() END, '0/0')::bigint AS replayed,
    CASE WHEN pg_is_in_recovery() THEN greatest((SELECT received_tli FROM pg_stat_wal_receiver),
            (SELECT timeline_id FROM pg_control_checkpoint()),
            (SELECT max(('x' || left(name, 8))::bit(32)::int) FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}'))
        ELSE ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int END AS timeline,
    EXISTS (SELECT FROM pg_stat_wal_receiver WHERE status = 'streaming') AS streams,
    CASE WHEN pg_is_in_recovery() AND pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()
        THEN coalesce(extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()), 0)
        ELSE 0 END::float AS lag_seconds,
    CASE WHEN pg_is_in_recovery() THEN pg_get_wal_replay_pause_state() <> 'not paused' ELSE false END AS paused
) AS state"""

# One that was away for too long has lost its slot, and would copy the primary for nothing.
_LOST = """\
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE wal_status = 'lost' AND NOT active AND slot_name IN (NAMES)"""
_SLOTS = """\
SELECT pg_create_physical_replication_slot(name, true) FROM unnest(ARRAY[NAMES]) AS name
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)"""
_NO_SLOTS = """\
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE pg_is_in_recovery() AND NOT active AND slot_name IN (NAMES)"""
_CLIENTS = """\
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND usename <> 'postgres' AND usename NOT LIKE 'tierstack%'"""

_LOOK = f"""\
export LC_ALL=C
[ -s {DATA}/PG_VERSION ] || {{ echo absent; exit; }}
[ ! -e {DATA}/standby.signal ] || echo standby
[ ! -e {FENCED} ] || echo "fenced $(cat {FENCED})"
# The control file has the timeline of the last checkpoint, which may be older than a promotion.
echo "wal $(ls {DATA}/pg_wal | grep -E '^[0-9A-F]{{24}}$' | cut -c1-8 | sort | tail -n 1)"
pg_controldata -D {DATA}
"""
_CLEAN = ("shut down", "shut down in recovery")

_READ_LOG = f"""\
export LC_ALL=C TZ=UTC
pg_waldump --path={DATA}/pg_wal --timeline="$1" --start="$2" --rmgr=Transaction 2>&1
echo end
"""
_COMMIT = re.compile(
    r"len \(rec/tot\): +\d+/ *(\d+), tx: +\d+, lsn: ([0-9A-F]+)/([0-9A-F]+), .*desc: COMMIT(?:_PREPARED)? (\S+ \S+)"
)
_NO_MORE = ("could not find a valid record after", "invalid record length", "error in WAL record")
"""What pg_waldump says at the end of a log."""

_FENCE = f"""\
set -eu
[ -s {DATA}/PG_VERSION ]
echo "$1" >{FENCED}.new
mv {FENCED}.new {FENCED}
touch {DATA}/standby.signal
sync {DATA}/standby.signal {FENCED} {DATA} {ROOT} 2>/dev/null || sync
"""


_CLIENT = ["psql", "-h", "/tmp", "-U", "postgres", "-d", "postgres", "-XAtq", "-v", "ON_ERROR_STOP=1"]


@final
class _PostgreSQL(StandbyEngine):
    title = "PostgreSQL"
    unit = "bytes"

    def question(self) -> Command:
        return [*_CLIENT, "-c", _STATE]

    def answer(self, printed: str, seen: Seen) -> Seen:
        return from_mapping(json.loads(printed), seen)

    def look(self, image: str, volume: str) -> Command:
        return _beside(image, volume, _LOOK)

    def found(self, printed: str, seen: Seen) -> Seen:
        lines = printed.splitlines()
        if "absent" in lines:
            return replace(seen, holds_data=False)
        known = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
        newest = next((line.partition(" ")[2] for line in lines if line.startswith("wal ")), "") or "0"
        fenced = next((line.partition(" ")[2] for line in lines if line.startswith("fenced ")), "")
        return replace(
            seen,
            primary="standby" not in lines,
            fenced_for=fenced,
            at=_number(known["Latest checkpoint location"]),
            timeline=max(int(newest, 16), int(known["Latest checkpoint's TimeLineID"])),
            clean=known["Database cluster state"] in _CLEAN,
        )

    def read_log(self, image: str, old: Seen, target: Seen) -> Command:
        # From where the target has replayed to, which is where a record begins.
        return _beside(image, old.server.volume, _READ_LOG, str(old.timeline), _lsn(target.replayed))

    def lost(self, printed: str, target: Seen) -> Lost:
        if not printed.rstrip().endswith("end"):
            return Lost(transactions=None)
        times = [
            datetime.fromisoformat(at).replace(tzinfo=UTC)
            for length, high, low, at in _COMMIT.findall(printed)
            if _end(int(high, 16) << 32 | int(low, 16), int(length)) > target.at
        ]
        if not times and not any(said in printed for said in _NO_MORE):
            return Lost(transactions=None)
        return Lost(transactions=len(times), first=min(times, default=None), last=max(times, default=None))

    def fence(self, image: str, old: Server, target: Server) -> Command:
        return _beside(image, old.volume, _FENCE, target.name)

    def unfence(self, image: str, old: Server) -> Command:
        return _beside(image, old.volume, f"rm -f {DATA}/standby.signal {FENCED}")

    def forget_fence(self, container: str) -> Command:
        return ["docker", "exec", container, "rm", "-f", FENCED]

    def prepare(self, target: Server, others: Sequence[Server]) -> Steps:
        statements = [one.replace("NAMES", _quoted(others)) for one in (_LOST, _SLOTS)]
        return [("the new primary keeps its log for the others", _psql(target.container, *statements))]

    def unprepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return [("it keeps no log", _psql(target.container, _NO_SLOTS.replace("NAMES", _quoted(others))))]

    def promote(self, target: Server) -> Command:
        return _psql(target.container, "SELECT CASE WHEN pg_is_in_recovery() THEN pg_promote(false) END")

    def settle(self, target: Server) -> Command:
        return ["docker", "exec", target.container, "sh", f"{CONFIG}/roles.sh"]

    def write(self, servers: Servers, target: Server) -> Command:
        conninfo = (
            f"host={servers.endpoint} user={REPLICA_ROLE} dbname=postgres passfile={SECRETS}/pgpass connect_timeout=5 "
            f"{verifying(TLSMode(servers.tls))}"
        )
        # A transaction that is written down, and waits for no standby.
        own = "psql -h /tmp -U postgres -d postgres -Xqtc 'SET synchronous_commit = local; SELECT txid_current()'"
        asked = f'psql -w "{conninfo}" -XAtc "SELECT current_setting(\'cluster_name\')"'
        return ["docker", "exec", target.container, "sh", "-c", f"{own} >/dev/null && {asked}"]

    def clients(self, container: str) -> Command:
        return _psql(container, _CLIENTS)

    def rejoin(self, image: str, server: Server) -> Command:
        return _beside(image, server.volume, f"echo rewind >{REJOIN}.new && mv {REJOIN}.new {REJOIN}")

    def hold(self, pooler: str, old: Server, seconds: int) -> Steps:
        # PgBouncer: PAUSE and RESUME by signals. The second command ends a pause whose command was killed.
        later = ["docker", "exec", "--detach", pooler, "sh", "-c", f"sleep {seconds}; kill -USR2 1"]
        return [
            ("let clients go on in any case", later),
            ("let clients wait", ["docker", "kill", "--signal", "USR1", pooler]),
        ]

    def quiesce(self, old: Server, target: Server) -> Steps:
        return ()

    def let_go(self, pooler: str, old: Server | None) -> Steps:
        return [("clients go on", ["docker", "kill", "--signal", "USR2", pooler])]


POSTGRESQL_STANDBY = _PostgreSQL()


def _psql(container: str, *statements: str) -> Command:
    local = ["docker", "exec", "--env", "PGOPTIONS=-c synchronous_commit=local", "--env", "PGCONNECT_TIMEOUT=5"]
    return [*local, container, *_CLIENT, *(part for one in statements for part in ("-c", one))]


def _quoted(servers: Sequence[Server]) -> str:
    return ", ".join(f"'{one.name}'" for one in servers)


def _beside(image: str, volume: str, script: str, *arguments: str) -> Command:
    """A command with the data of a server, in a container of its own without a network."""
    owner = "{}:{}".format(*POSTGRESQL.server.owner)
    limits = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    run = ["docker", "run", "--rm", *limits, "--user", owner, "--volume", f"{volume}:{ROOT}"]
    return [*run, "--entrypoint", "sh", image, "-c", script, "sh", *arguments]


def _number(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


def _lsn(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


_PAGE, _HEADER = 8192, 24


def _end(start: int, length: int) -> int:
    """Where a record ends: padded to 8 bytes, and with the header of each page that begins in it."""
    end = start + (length + 7) // 8 * 8
    return end + _HEADER * (end // _PAGE - start // _PAGE)
