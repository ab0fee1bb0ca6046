"""Scripts in the containers of MySQL's servers with standbys, on a Docker host. Pure: text from values."""

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.mysql.engine import SOCKET, SUPERUSER, local
from tierstack.database.mysql.files import (
    BINARY_LOGS,
    CONFIG,
    DATA,
    FOREIGN,
    INITIALIZE,
    SOCKET_DIRECTORY,
    beside_sh,
)
from tierstack.database.mysql.proxy import HOLD, SOURCE_PORT
from tierstack.database.mysql.standby import (
    APPLIED,
    CLONE_FILE,
    CONFIGURED_SQL,
    EVENTS_SQL,
    FENCED,
    FOLLOW_FILE,
    NOTE_EVENTS_SQL,
    REJOIN,
    RELAY_LOGS,
    REPLICA_FILE,
    REVISION_SED,
    STANDBY,
    STATE,
    WAIT_SQL,
    configured,
)
from tierstack.platform.internal_ca import TLSMode

COPY = f"{DATA}.new"
"""Where a copy of the primary is made."""
APPLY_SECONDS = 600
"""How long a server that is promoted may take to apply what it received; then it says so, and goes on."""
_TORN = "13121"
"""ER_SERVER_RELAY_LOG_READ_FAILURE: a relay log ends in the middle of an event, because its server was killed."""
_PURGED = "13114"
"""ER_SERVER_SOURCE_FATAL_ERROR_READING_BINLOG: the primary refuses; mostly it lacks binary logs that are needed."""

_ALL = 2**63 - 2
"""The largest number of a GTID (manual, "GTID Format and Storage")."""
_RECIPIENT = "/tmp/recipient.sock"
"""Socket of the server that copies the primary: nothing else is to take it for the server itself."""

_ASK = f"""\
ask() {{
    {" ".join(local("mysql", SUPERUSER))} --batch --skip-column-names --raw "$@"
}}
"""
_NOTE = f"""\
revision() {{
    sed -n "{REVISION_SED}" {SECRETS}/users.sql
}}
# Notes that the accounts are up to date, where the server says so.
noted=
note() {{
    [ ! "$noted" ] && [ ! -e {STANDBY} ] || return 0
    if [ "$(cat {APPLIED} 2>/dev/null)" = "$(revision)" ]; then
        noted=yes
        return 0
    fi
    applied=$(ask --execute="SELECT revision FROM {STATE}.accounts" 2>/dev/null) || return 1
    [ "$applied" = "$(revision)" ] || return 1
    echo "$applied" >{APPLIED}.new
    mv {APPLIED}.new {APPLIED}
}}
"""


def _library(host: str) -> str:
    """`ask` this server, `primary` asks the one that is it, and `have` is what this one has of transactions."""
    return f"""\
{_ASK}\
primary() {{
    mysql --defaults-file={REPLICA_FILE} --host={host} --port={SOURCE_PORT} --connect-timeout=3 --batch \\
        --skip-column-names --raw --execute="$1"
}}
have() {{
    ask --execute="SELECT REPLACE(GTID_SUBTRACT(CONCAT_WS(',', @@GLOBAL.gtid_executed,
        (SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status
            WHERE CHANNEL_NAME = '')), ''), '\\n', '')"
}}
"""


def server_sh(size: DatabaseSize, host: str, tls: TLSMode) -> str:
    """Start script of every server. `host`: the endpoint of the primary."""
    return f"""\
# Starts a server (arguments: its name, its number, `first` or `standby`, hosts of the other servers). It is a standby
# where its files have tierstack.standby, and the primary otherwise. Without files the first one makes them, unless
# another server answers; the others copy the primary. Beside the server one loop deletes the oldest binary logs once
# they exceed their limit, and one lets a standby follow the primary.
set -eu
umask 077
data={DATA}
name=$1 number=$2 kind=$3
shift 3
{_library(host)}\
{_NOTE}\
minute=0
events() {{
    minute=$(((minute + 1) % 60))
    [ "$minute" != 1 ] || [ -e {STANDBY} ] || ask --execute="{NOTE_EVENTS_SQL}" 2>/dev/null
}}
copy() {{
    echo "copying the primary" >&2
    rm -rf {COPY} "$data.recipient" {BINARY_LOGS} {RELAY_LOGS}
    until primary "SELECT 1" >/dev/null; do sleep 1; done
    mysqld --no-defaults --initialize-insecure --datadir="$data.recipient" --skip-log-bin \\
        --innodb-redo-log-capacity=8M --loose-innodb-numa-interleave=OFF
    mysqld --defaults-file={CONFIG}/my.cnf --datadir="$data.recipient" --socket={_RECIPIENT} --pid-file=/tmp/pid \\
        --skip-networking --skip-log-bin --server-id="$number" --tmpdir=/tmp --innodb-buffer-pool-size=128M \\
        --innodb-redo-log-capacity=8M --event-scheduler=OFF --slow-query-log=OFF &
    recipient=$!
    asks="--no-defaults --socket={_RECIPIENT} --user={SUPERUSER}"
    until mysqladmin $asks ping >/dev/null 2>&1; do
        kill -0 "$recipient"
        sleep 0.2
    done
    mysql $asks <{CLONE_FILE}
    kill "$recipient"
    wait "$recipient" || :
    rm -rf "$data.recipient"
    : >{COPY}/{STANDBY.rpartition("/")[2]}
    sync
    mv {COPY} "$data"
}}
rm -f {SOCKET} {SOCKET_DIRECTORY}/*
if [ -e {REJOIN} ]; then
    rm -rf "$data"
    copy
    rm -f {REJOIN} {FENCED}
fi
if [ ! -s "$data/mysql.ibd" ]; then
{FOREIGN}    for other; do
        if mysqladmin --no-defaults --connect-timeout=3 --host="$other" --user=none ping >/dev/null 2>&1; then
            kind=standby
        fi
    done
    if [ "$kind" = first ]; then
{INITIALIZE}    else
        copy
    fi
fi
mkdir -p {RELAY_LOGS}
ln -s {SOCKET_DIRECTORY}/mysqld.sock {SOCKET}
{beside_sh(size)}\
{_follow(host, tls)}\
while sleep 1; do
    follow || :
    note || :
    events || :
done &
if [ -e {STANDBY} ]; then
    role="--read-only=ON --super-read-only=ON --event-scheduler=OFF"
# An ordinary start, or one after a crash, finds the accounts up to date: statements that no standby has yet would look
# like data that a promotion loses.
elif [ "$(cat {APPLIED} 2>/dev/null)" = "$(revision)" ]; then
    role=--init-file={CONFIG}/primary.sql
else
    role=--init-file={SECRETS}/users.sql
fi
exec mysqld --defaults-file={CONFIG}/my.cnf --server-id="$number" --report-host="$name" $role
"""


def _follow(host: str, tls: TLSMode) -> str:
    return f"""\
said= ticks=0 applying=
say() {{
    [ "$said" = "$1" ] || echo "$1" >&2
    said=$1
}}
# What only this server has, although it should be a standby. The primary's own is the primary's: a standby may have it
# a moment before the primary says so.
own() {{
    mine=$(have) && theirs=$(primary "SELECT CONCAT_WS(',', NULLIF(REPLACE(@@GLOBAL.gtid_executed, '\\n', ''), ''),
        CONCAT(@@GLOBAL.server_uuid, ':1-{_ALL}'))") || return 1
    ask --execute="SELECT GTID_SUBTRACT('$mine', '$theirs')"
}}
follow() {{
    [ -e {STANDBY} ] || return 0
    ticks=$((ticks + 1))
    state=$(ask --execute="SELECT COALESCE((SELECT CONCAT(SERVICE_STATE, ' ', LAST_ERROR_NUMBER)
        FROM performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''), 'OFF 0'), COALESCE((SELECT
        MAX(LAST_ERROR_NUMBER) FROM performance_schema.replication_applier_status_by_worker), 0), COALESCE((SELECT
        LAST_ERROR_NUMBER FROM performance_schema.replication_applier_status_by_coordinator LIMIT 1), 0),
        COALESCE(({CONFIGURED_SQL}), '-')" 2>/dev/null) || return 0
    set -- $state
    receiving=$1 refused=$2 broken=$3/$4 whom=$5
    # What it has received is applied whether or not there is a primary.
    if [ ! "$applying" ] && [ "$whom" != - ]; then
        ask --execute="START REPLICA SQL_THREAD" && applying=yes
    fi
    if [ "$receiving" = ON ]; then
        said=
        [ ! -e {FENCED} ] || rm -f {FENCED}
        [ $((ticks % 10)) = 0 ] || return 0
        lacks=$(own 2>/dev/null) || return 0
        [ "$lacks" ] || return 0
        ask --execute="STOP REPLICA IO_THREAD"
    fi
    # The primary refuses: again each half minute.
    if [ "$refused" = {_PURGED} ] && [ $((ticks % 30)) != 1 ]; then
        return 0
    fi
    lacks=$(own 2>/dev/null) || {{ say "waiting for a primary"; return 0; }}
    if [ "$lacks" ]; then
        say "this standby does not follow: it has transactions that the primary lacks: $lacks. To give them up: \\
tierstack database rejoin --replace-data"
        return 0
    fi
    case $broken in
    *{_TORN}*)
        # The primary has all of it, so it can be received again.
        ask --execute="STOP REPLICA; RESET REPLICA; START REPLICA SQL_THREAD"
        ;;
    esac
    if [ "$whom" != "{configured(host, tls)}" ]; then
        # This drops what was received and not applied, so never before the primary is known to have it.
        ask --execute="STOP REPLICA"
        ask <{CONFIG}/source.sql
        ask --execute="START REPLICA SQL_THREAD"
        applying=yes
    fi
    ask <{FOLLOW_FILE}
    [ "$refused" != {_PURGED} ] || say "the primary refuses: $(ask --execute="SELECT LAST_ERROR_MESSAGE FROM \\
performance_schema.replication_connection_status WHERE CHANNEL_NAME = ''")"
}}
"""


ACCOUNTS_SH = f"""\
# Takes changed accounts and passwords over, while the server runs.
set -eu
{_ASK}\
{_NOTE}\
if [ -e {STANDBY} ]; then
    # It gets the accounts from the primary; its own password may be another one.
    ask --execute="STOP REPLICA IO_THREAD" || :
    exit 0
fi
# The accounts may have come from the primary of before.
note || {{
    ask <{SECRETS}/users.sql
    note
}}
"""


def promote_sh(*, synchronous: bool, events: bool) -> str:
    """Script that promotes a standby. `events`: whether its event scheduler is to run."""
    return f"""\
# Promotes this standby: it applies all that it has received, and takes writes. Each step may be done again.
set -eu
{_ASK}\
[ -e {STANDBY} ] || exit 0
ask --execute="STOP REPLICA IO_THREAD; START REPLICA SQL_THREAD" || :
began=$(date +%s)
received="SELECT COALESCE(MAX(RECEIVED_TRANSACTION_SET), '') FROM performance_schema.replication_connection_status"
until [ "$(ask --execute="SELECT GTID_SUBSET(($received), @@GLOBAL.gtid_executed)")" = 1 ]; do
    error=$(ask --execute="SELECT LAST_ERROR_MESSAGE FROM performance_schema.replication_applier_status_by_worker
        WHERE LAST_ERROR_NUMBER <> 0 LIMIT 1")
    if [ "$error" ]; then
        echo "it cannot apply what it has received: $error" >&2
        exit 1
    fi
    if [ $(($(date +%s) - began)) -ge {APPLY_SECONDS} ]; then
        echo "it still applies what it has received" >&2
        exit 1
    fi
    sleep 0.1
done
# First only the superuser may write, so that what follows is there before clients come. The new number waits for no
# standby; commits of clients do.
ask <<SQL
STOP REPLICA;
RESET REPLICA ALL;
SET GLOBAL super_read_only = OFF;
INSERT INTO {STATE}.promotions (server) VALUES (@@GLOBAL.report_host);
SQL
ask --execute="{_quoted(EVENTS_SQL)}" | ask
ask <<SQL
{WAIT_SQL if synchronous else ""}\
{"SET GLOBAL event_scheduler = ON;" if events else ""}
SET GLOBAL read_only = OFF;
SQL
rm -f {STANDBY} {FENCED}
sync {DATA} 2>/dev/null || sync
"""


def hold_sh(host: str, tls: TLSMode) -> str:
    """Script that lets clients wait before this primary. `host`: the endpoint of the primary."""
    # A server itself is asked by the name of its container, which is in no certificate.
    chain = "" if tls is TLSMode.DISABLE else "--ssl-mode=VERIFY_CA"
    return f"""\
# Lets new clients wait before this primary (argument: for how many seconds) or go on (`end`), waits until they wait
# (`noticed`), lets it take no writes (`quiet`), waits until this standby has all of a server (`received HOST`), or ends
# the streams of this primary (`streams`). A hold ends by itself: then the server takes writes again.
set -eu
{_library(host)}\
holder() {{
    ask --execute="SELECT COALESCE(IS_USED_LOCK('{HOLD}'), '')"
}}
release() {{
    held=$(holder)
    [ ! "$held" ] || ask --execute="KILL $held" || :
}}
writable() {{
    [ -e {STANDBY} ] || ask --execute="SET GLOBAL super_read_only = OFF; SET GLOBAL read_only = OFF"
}}
case $1 in
end)
    release
    writable
    ;;
noticed)
    tries=0
    while primary "SELECT 1" >/dev/null 2>&1 && [ "$tries" -lt 30 ]; do
        tries=$((tries + 1))
        sleep 0.2
    done
    ;;
quiet)
    # It waits for commits, and those may wait for a standby.
    timeout 10 {" ".join(local("mysql", SUPERUSER))} --execute="SET GLOBAL super_read_only = ON"
    ;;
received)
    theirs=$(mysql --defaults-file={REPLICA_FILE} {chain} --host="$2" --connect-timeout=5 --batch --raw \\
        --skip-column-names --execute="SELECT REPLACE(@@GLOBAL.gtid_executed, '\\n', '')")
    tries=0
    until [ "$(ask --execute="SELECT GTID_SUBSET('$theirs', '$(have)')")" = 1 ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || {{ echo "it has not received all of $2 yet" >&2; exit 1; }}
        sleep 0.1
    done
    ;;
streams)
    # A server that shuts down waits for 10 s for those who read its log.
    for stream in $(ask --execute="SELECT ID FROM performance_schema.processlist WHERE COMMAND LIKE 'Binlog Dump%'"); do
        ask --execute="KILL $stream" || :
    done
    ;;
*)
    release
    ask --execute="SELECT GET_LOCK('{HOLD}', 5), SLEEP($1)" >/dev/null 2>&1 || :
    # Unless a later call holds.
    [ "$(holder)" ] || writable
    ;;
esac
"""


def _quoted(sql: str) -> str:
    """SQL between double quotes of a shell."""
    return sql.replace("\\", "\\\\").replace("`", "\\`").replace("$", "\\$").replace('"', '\\"')
