"""How MySQL is asked for its role, fenced and promoted: commands for a Docker host. Pure."""

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import final

from tierstack.core.gtids import GtidSet, parse_set
from tierstack.database.mysql.engine import MYSQL, SUPERUSER, local
from tierstack.database.mysql.files import BINARY_LOGS, CONFIG, DATA
from tierstack.database.mysql.proxy import BEHIND_SQL, LAG_SQL
from tierstack.database.mysql.standby import FENCED, REJOIN, REPLICA_FILE, ROOT, STANDBY, STATE
from tierstack.database.standby import Command, Lost, Seen, Server, Servers, StandbyEngine, Steps, from_mapping

_STATE_SQL = f"""\
SELECT JSON_OBJECT(
    'identity', @@GLOBAL.server_uuid,
    'applied', REPLACE(@@GLOBAL.gtid_executed, '\\n', ''),
    'history', REPLACE(GTID_SUBTRACT(CONCAT_WS(',', @@GLOBAL.gtid_executed, (SELECT RECEIVED_TRANSACTION_SET
        FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = '')), ''), '\\n', ''),
    'receives', (SELECT SERVICE_STATE FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''),
    'applies', (SELECT SERVICE_STATE FROM performance_schema.replication_applier_status WHERE CHANNEL_NAME = ''),
    'lag', IF({BEHIND_SQL}, ({LAG_SQL}), 0))"""

_QUESTION = f"""\
set -eu
ask() {{
    {" ".join(local("mysql", SUPERUSER))} --connect-timeout=5 --batch --skip-column-names --raw --execute="$1"
}}
[ ! -e {STANDBY} ] || echo standby
ask "$1"
# A single server has none.
ask "SELECT MAX(number) FROM {STATE}.promotions" 2>/dev/null || :
"""

_CLIENTS = """\
SELECT COUNT(*) FROM performance_schema.processlist WHERE USER NOT IN ('root', 'system user', 'event_scheduler')
    AND USER NOT LIKE 'tierstack%'
    AND (COMMAND <> 'Sleep' OR ID IN (SELECT trx_mysql_thread_id FROM information_schema.INNODB_TRX))"""
"""A client that only stays connected has nothing to end: it could hold its connection for hours."""

_LOOK = f"""\
[ -s {DATA}/mysql.ibd ] || {{ echo absent; exit; }}
[ ! -e {STANDBY} ] || echo standby
[ ! -e {FENCED} ] || echo "fenced $(cat {FENCED})"
"""

# The newest log first, until one begins with nothing that the target lacks. What a log begins with is in its second
# event; sets are compared here, as the server does not run.
_READ_LOG = f"""\
export LC_ALL=C TZ=UTC
known=$1
covered() {{
    awk -v known="$known" -v asked="$1" 'function parts(set, into,    servers, one, all, i, j, n, m) {{
        n = split(set, servers, ",")
        for (i = 1; i <= n; i++) {{
            m = split(servers[i], one, ":")
            for (j = 2; j <= m; j++) into[one[1] " " one[j]] = 1
        }}
    }}
    BEGIN {{
        parts(known, has); parts(asked, wanted)
        for (one in wanted) {{
            split(one, w, " "); n = split(w[2], a, "-"); first = a[1] + 0; last = a[n] + 0; inside = 0
            for (other in has) {{
                split(other, h, " "); m = split(h[2], b, "-")
                if (h[1] == w[1] && b[1] + 0 <= first && last <= b[m] + 0) inside = 1
            }}
            if (!inside) exit 1
        }}
    }}'
}}
logs=
for log in $(awk '{{ line[NR] = $0 }} END {{ for (i = NR; i; i--) print line[i] }}' {BINARY_LOGS}/binlog.index); do
    logs="{BINARY_LOGS}/${{log##*/}} $logs"
    begins=$(mysqlbinlog --base64-output=decode-rows "{BINARY_LOGS}/${{log##*/}}" 2>/dev/null | awk '
        /Previous-GTIDs/ {{ on = 1; next }}
        on && /^# at / {{ exit }}
        on {{ sub(/^# */, ""); gsub(/[^0-9a-fA-F,:-]/, ""); printf "%s", $0 }}')
    if covered "$begins"; then break; fi
done
[ -n "$logs" ] || exit 1
{{
    mysqlbinlog --base64-output=decode-rows --exclude-gtids="$known" $logs 2>/tmp/errors || echo "failed"
}} | grep -E "^(SET @@SESSION.GTID_NEXT= |# immediate_commit_timestamp=|failed)"
tail -n 1 /tmp/errors
echo end
"""
_TRANSACTION = re.compile(
    r"^# immediate_commit_timestamp=(\d+).*\nSET @@SESSION\.GTID_NEXT= '([0-9a-fA-F-]{36}:[^']+)'", re.MULTILINE
)

_FENCE = f"""\
set -eu
[ -s {DATA}/mysql.ibd ]
echo "$1" >{FENCED}.new
mv {FENCED}.new {FENCED}
: >{STANDBY}
sync {STANDBY} {FENCED} {DATA} {ROOT} 2>/dev/null || sync
"""


@final
class _MySQL(StandbyEngine):
    title = "MySQL"
    unit = "transactions"

    def question(self) -> Command:
        return ["sh", "-c", _QUESTION, "ask", _STATE_SQL]

    def answer(self, printed: str, seen: Seen) -> Seen:
        lines = printed.splitlines()
        said = json.loads(next(line for line in lines if line.startswith("{")))
        promotions = lines[-1] if lines[-1].isdigit() else "0"
        return from_mapping(
            {
                "primary": "standby" not in lines,
                "identity": said["identity"],
                "history": said["history"],
                "at": _count(said["history"]),
                "replayed": _count(said["applied"]),
                "timeline": int(promotions),
                "streams": said["receives"] == "ON",
                "paused": said["receives"] is not None and said["applies"] != "ON",
                "lag_seconds": max(0.0, float(said["lag"] or 0)),
            },
            seen,
        )

    def compared(self, seen: Sequence[Seen]) -> list[Seen]:
        primary = next((one for one in seen if one.primary and one.answers), None)
        return [one if primary in (None, one) or not one.answers else _beside_primary(one, primary) for one in seen]

    def look(self, image: str, volume: str) -> Command:
        return _beside(image, volume, _LOOK)

    def found(self, printed: str, seen: Seen) -> Seen:
        lines = printed.splitlines()
        if "absent" in lines:
            return replace(seen, holds_data=False)
        fenced = next((line.partition(" ")[2] for line in lines if line.startswith("fenced ")), "")
        return replace(seen, primary="standby" not in lines, fenced_for=fenced)

    def read_log(self, image: str, old: Seen, target: Seen) -> Command:
        return _beside(image, old.server.volume, _READ_LOG, target.history)

    def lost(self, printed: str, target: Seen) -> Lost:
        lines = printed.splitlines()
        if not lines or lines[-1] != "end":
            return Lost(transactions=None)
        lacking = [(_moment(at), name) for at, name in _TRANSACTION.findall(printed)]
        # What is cut off at the end of the newest log was acknowledged to nobody.
        if "failed" in lines and not any("read" in line for line in lines[-2:]):
            return Lost(transactions=None)
        times = [at for at, _ in lacking]
        return Lost(
            transactions=len(lacking),
            first=min(times, default=None),
            last=max(times, default=None),
            names=_joined([name for _, name in lacking]),
        )

    def fence(self, image: str, old: Server, target: Server) -> Command:
        return _beside(image, old.volume, _FENCE, target.name)

    def unfence(self, image: str, old: Server) -> Command:
        return _beside(image, old.volume, f"rm -f {STANDBY} {FENCED}")

    def forget_fence(self, container: str) -> Command:
        return ["docker", "exec", container, "rm", "-f", FENCED]

    def prepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return ()  # binary logs are kept by their size, whoever reads them

    def unprepare(self, target: Server, others: Sequence[Server]) -> Steps:
        return ()

    def promote(self, target: Server) -> Command:
        return ["docker", "exec", target.container, "sh", f"{CONFIG}/promote.sh"]

    def settle(self, target: Server) -> Command:
        return ["docker", "exec", target.container, "sh", f"{CONFIG}/accounts.sh"]

    def write(self, servers: Servers, target: Server) -> Command:
        # The number of the promotion was written down already; a further write would wait for a standby.
        asked = "SELECT IF(@@GLOBAL.read_only, '', @@GLOBAL.report_host)"
        client = ["mysql", f"--defaults-file={REPLICA_FILE}", f"--host={servers.endpoint}", "--connect-timeout=5"]
        return ["docker", "exec", target.container, *client, "--batch", "--skip-column-names", f"--execute={asked}"]

    def clients(self, container: str) -> Command:
        asks = ["--batch", "--skip-column-names", f"--execute={_CLIENTS}"]
        return ["docker", "exec", container, *local("mysql", SUPERUSER), *asks]

    def rejoin(self, image: str, server: Server) -> Command:
        return _beside(image, server.volume, f": >{REJOIN}")

    def hold(self, pooler: str, old: Server, seconds: int) -> Steps:
        held = ["docker", "exec", "--detach", old.container, "sh", f"{CONFIG}/hold.sh", str(seconds)]
        return [
            ("let clients wait", held),
            ("clients wait", ["docker", "exec", old.container, "sh", f"{CONFIG}/hold.sh", "noticed"]),
        ]

    def quiesce(self, old: Server, target: Server) -> Steps:
        received = ["docker", "exec", target.container, "sh", f"{CONFIG}/hold.sh", "received", old.container]
        return [
            (f"{old.container} takes no writes", ["docker", "exec", old.container, "sh", f"{CONFIG}/hold.sh", "quiet"]),
            (f"{target.container} has received all", received),
            ("streams end", ["docker", "exec", old.container, "sh", f"{CONFIG}/hold.sh", "streams"]),
        ]

    def let_go(self, pooler: str, old: Server | None) -> Steps:
        if old is None:
            return ()
        return [("clients go on", ["docker", "exec", old.container, "sh", f"{CONFIG}/hold.sh", "end"])]


MYSQL_STANDBY = _MySQL()


def _beside(image: str, volume: str, script: str, *arguments: str) -> Command:
    """A command with the data of a server, in a container of its own without a network."""
    owner = "{}:{}".format(*MYSQL.server.owner)
    limits = ["--network=none", "--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges"]
    run = ["docker", "run", "--rm", *limits, "--user", owner, "--volume", f"{volume}:{ROOT}"]
    return [*run, "--entrypoint", "sh", image, "-c", script, "sh", *arguments]


def _beside_primary(one: Seen, primary: Seen) -> Seen:
    try:
        own = parse_set(one.history) - parse_set(primary.history)
    except ValueError:  # a set with tags: the server compares it itself before it follows
        return one
    # What the primary made, a standby may have a moment before the primary was asked.
    own.intervals.pop(primary.identity, None)
    return replace(one, own=str(own))


def _count(history: str) -> int:
    numbers = re.findall(r":(\d+)(?:-(\d+))?(?=[:,]|$)", history)
    return sum(int(last or first) - int(first) + 1 for first, last in numbers)


def _moment(microseconds: str) -> datetime:
    return datetime.fromtimestamp(int(microseconds) / 1_000_000, UTC)


def _joined(names: Sequence[str]) -> str:
    """Names of transactions as a set."""
    found = GtidSet()
    tagged: list[str] = []
    for name in names:
        server, _, number = name.lower().partition(":")
        if number.isdigit():
            found.add(server, int(number), int(number))
        else:
            tagged.append(name)
    return ",".join([*([str(found)] if found else []), *tagged])
