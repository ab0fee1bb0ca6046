"""Servers of PostgreSQL that can each be the primary, on a Docker host: start script and proxy. Pure: text from values.

Which of them is the primary is said by its files alone: the others have PostgreSQL's own `standby.signal`. No
configuration names it, so no update changes it.
"""

import struct

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.haproxy import HEALTH, opening
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.database.postgresql.files import (
    APPLIED,
    AT_LEAST,
    CONFIG,
    DATA,
    INITDB,
    REPLICA_ROLE,
    ROLES_SH,
    ROOT,
    verifying,
)
from tierstack.platform.internal_ca import TLSMode, ca_path

CHECK_ROLE = "tierstack_check"
"""Role that the proxy asks each server as. It has no rights."""
PROXY = "/etc/tierstack/haproxy"
"""Where the proxy finds its configuration."""
READ_PORT = 5433
"""Port of the proxy for reads."""
FENCED = f"{ROOT}/fenced"
"""Marker of a server that was the primary: who was promoted instead. The server removes it once it follows."""
REJOIN = f"{ROOT}/rejoin"
"""Marker that lets a server give up its data for that of the primary when it starts: `rewind`, then `copy`."""
CHECK_SECONDS = 1
"""How often the proxy asks each server; two answers that fail take it out."""
READ_LIFETIME = 10
"""Seconds after which a pooled connection for reads is made again, at a server that holds then."""


def server_sh(tls: TLSMode) -> str:
    """Start script of every server."""
    primary = f"user={REPLICA_ROLE} passfile={SECRETS}/pgpass {verifying(tls)}"
    return f"""\
# Starts a server (arguments: its name, `first` or `standby`, endpoint of the primary, hosts of the other servers).
# It is a standby where its files have standby.signal, and the primary otherwise. Without files the first one makes the
# cluster, unless another server answers; the others copy the primary.
set -eu
umask 077
export LC_ALL=C PGDATA={DATA}
name=$1 kind=$2 primary="host=$3 {primary} application_name=$1"
shift 3
slot() {{
    # Before the copy, so that the primary keeps every segment that it will need: from now on, not from the first use.
    create="CREATE_REPLICATION_SLOT $name PHYSICAL RESERVE_WAL"
    said=$(psql -w "$primary replication=true" -Xqtc "$create" 2>&1) && return
    case $said in *"already exists"*) ;; *) echo "$said" >&2 && exit 1 ;; esac
}}
copy() {{
    rm -rf "$PGDATA.new"
    slot
    pg_basebackup -d "$primary" -w -D "$PGDATA.new" -X stream -S "$name" -c fast
    touch "$PGDATA.new/standby.signal"
    mv "$PGDATA.new" "$PGDATA"
}}
if [ -e {REJOIN} ]; then
    # A rewind that was cut short leaves files that only a copy mends, so the marker says what comes next.
    if [ "$(cat {REJOIN})" = rewind ] && [ -e "$PGDATA/PG_VERSION" ]; then
        echo copy >{REJOIN}.new && mv {REJOIN}.new {REJOIN}
        # One that crashed is recovered first, by itself: not as a standby, nor beside a server of its number of before.
        # Files that it may not write would end it.
        rm -f "$PGDATA/standby.signal" "$PGDATA/postmaster.pid" {APPLIED}
        if pg_rewind -D "$PGDATA" --config-file={CONFIG}/postgresql.conf \\
            --source-server="$primary dbname=postgres"; then
            rm -rf "$PGDATA"/pg_replslot/*
            touch "$PGDATA/standby.signal"
        else
            rm -rf "$PGDATA"
        fi
    else
        rm -rf "$PGDATA"
    fi
    [ -e "$PGDATA/PG_VERSION" ] || copy
    slot
    rm -f {REJOIN} {FENCED}
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -e "$PGDATA" ]; then
        echo "$PGDATA holds something that is no PostgreSQL cluster; it is left as it is" >&2
        exit 1
    fi
    for other; do
        # 0: accepts connections; 1: answers, and refuses them for now.
        answer=0
        pg_isready -q -t 3 -h "$other" || answer=$?
        [ "$answer" -gt 1 ] || kind=standby
    done
    if [ "$kind" = first ]; then
{INITDB}
    else
        copy
    fi
fi
kept=
if [ -e "$PGDATA/standby.signal" ]; then
{AT_LEAST}
    if [ -e {FENCED} ]; then
        # Slots of the time when it was the primary would keep its log for readers that are elsewhere.
        rm -rf "$PGDATA"/pg_replslot/*
        # One that has data of its own starts on its own timeline only, so that this can be read. What it was told of a
        # newer one it is told again.
        for segment in "$PGDATA"/pg_wal/????????????????????????; do own=${{segment##*/}}; done
        for history in "$PGDATA"/pg_wal/????????.history; do
            newer=${{history##*/}}
            [ ! "${{newer%.history}}" \\> "${{own%????????????????}}" ] || rm -f "$history"
        done
    fi
# An ordinary start, or one after a crash, finds roles up to date and starts the server only once.
elif [ ! -e {APPLIED} ] || [ "$(cat {APPLIED})" != "$(cat {SECRETS}/roles.sql)" ]; then
    pg_ctl -D "$PGDATA" -w -t 3600 start -o "-c config_file={CONFIG}/postgresql.conf -c listen_addresses=''"
    sh {CONFIG}/roles.sh
    pg_ctl -D "$PGDATA" -w -t 3600 -m fast stop
fi
exec postgres -c config_file={CONFIG}/postgresql.conf $kept -c cluster_name="$name" -c primary_slot_name="$name" \\
    -c primary_conninfo="$primary"
"""


STANDBY_ROLES_SH = f"""\
# On a standby there is nothing to do: it gets what the primary has.
[ "$(psql -h /tmp -U postgres -d postgres -XAtc 'SELECT pg_is_in_recovery()')" != t ] || exit 0
# Roles wait for no standby: the first one comes after them.
export PGOPTIONS='-c synchronous_commit=local'
{ROLES_SH}"""
"""`ROLES_SH` for servers that may be standbys."""

HBA = f"""\
# What pg_rewind reads, and the question of the proxy, which can send a password only as it is.
{{host}}   postgres     {REPLICA_ROLE}   samenet  scram-sha-256
{{host}}   postgres     {CHECK_ROLE}     samenet  password
"""
"""Further lines of pg_hba.conf."""

_REWIND = (
    "pg_ls_dir(text, boolean, boolean)",
    "pg_stat_file(text, boolean)",
    "pg_read_binary_file(text)",
    "pg_read_binary_file(text, bigint, bigint, boolean)",
)
GRANTS = (
    # Manual, "pg_rewind": a role without superuser's rights. The same files are in a base backup, which it may take.
    *(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {REPLICA_ROLE};" for function in _REWIND),
    # A server whose connections are all taken is no server that is down.
    f"GRANT pg_use_reserved_connections TO {CHECK_ROLE};",
)
"""Further statements for the database `postgres`."""


def settings(names: list[str], *, synchronous: bool) -> dict[str, str]:
    """Further settings of the servers called `names`."""
    waits = {"synchronous_standby_names": standby_names(names)} if synchronous else {}
    return {"reserved_connections": str(_RESERVED), **waits}


_RESERVED = 3
"""Of the connections that poolers leave: one question is under way at each moment, and one more while a proxy is
replaced."""


def standby_names(names: list[str]) -> str:
    """`synchronous_standby_names`: any of the others. A server never waits for itself."""
    return "ANY 1 ({})".format(", ".join(f'"{name}"' for name in names))


def haproxy_cfg(
    servers: dict[str, str], direct_host: str, size: DatabaseSize, tls: TLSMode, password: str, lag_seconds: int
) -> str:
    """haproxy.cfg of the proxy. `servers`: name → host. `password`: of `CHECK_ROLE`.

    Each server is asked for its role by a statement, over the same encryption as clients. Writes go to the one that is
    the primary; to none where two say so. Reads go to standbys, and to the primary where none is left.
    """
    verified = tls is not TLSMode.DISABLE
    connect = "tcp-check connect ssl alpn postgresql" if verified else "tcp-check connect"
    ssl = f" check-ssl verify required ca-file {ca_path('database')} verifyhost {direct_host}" if verified else ""
    most = (size.max_connections + 16) * (1 + size.replicas)
    lines = [
        f"    server {name} {host}:{POSTGRESQL.server.port} resolvers docker resolve-prefer ipv4 "
        f"init-addr last,libc,none{ssl}"
        for name, host in servers.items()
    ]
    listed = "\n".join(lines)
    asked = f"""\
    option tcp-check
    {connect}
    tcp-check send-binary {_startup().hex()}
    tcp-check expect binary {_PASSWORD_WANTED.hex()}
    tcp-check send-binary {_question(password, lag_seconds).hex()}
"""
    return f"""\
{opening(most, CHECK_SECONDS, resting="Streams, LISTEN and pooled connections", every="check ")}
frontend write
    bind :{POSTGRESQL.server.port}
    maxconn {most}
    # Two primaries: no write, before it goes to the wrong one.
    tcp-request connection reject if {{ nbsrv(primary) gt 1 }}
    default_backend primary

frontend read
    bind :{READ_PORT}
    maxconn {most}
    tcp-request connection reject if {{ nbsrv(standbys) eq 0 }} {{ nbsrv(primary) gt 1 }}
    use_backend standbys if {{ nbsrv(standbys) gt 0 }}
    default_backend primary

backend primary
{asked}    tcp-check expect string tierstack-primary
{listed}

backend standbys
    balance leastconn
{asked}    tcp-check expect string tierstack-standby
{listed}

{HEALTH}"""


_ROLE_SQL = """\
SELECT 'tierstack-' || CASE
    WHEN NOT pg_is_in_recovery() THEN 'primary'
    WHEN NOT EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 'alone'
    WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn() THEN 'standby'
    WHEN clock_timestamp() - pg_last_xact_replay_timestamp() < interval 'SECONDS s' THEN 'standby'
    ELSE 'behind' END"""
"""What a server is: primary, standby, or a standby that is to be left alone. One that has replayed all it received does
not lag, however long ago the last write was; the time of the last replayed commit counts only where something is left
to replay."""


# PostgreSQL manual, "Frontend/Backend Protocol": what a client sends, and the request for a password over TLS.
_PASSWORD_WANTED = struct.pack("!cII", b"R", 8, 3)


def _startup() -> bytes:
    values = {"user": CHECK_ROLE, "database": "postgres", "application_name": "tierstack_proxy"}
    body = b"".join(f"{key}\0{value}\0".encode() for key, value in values.items()) + b"\0"
    return struct.pack("!II", len(body) + 8, 3 << 16) + body


def _question(password: str, lag_seconds: int) -> bytes:
    """Password, question and goodbye; the server reads them one after the other."""
    messages = {b"p": password, b"Q": _ROLE_SQL.replace("SECONDS", str(lag_seconds))}
    sent = b"".join(
        kind + struct.pack("!I", len(text.encode()) + 5) + text.encode() + b"\0" for kind, text in messages.items()
    )
    return sent + struct.pack("!cI", b"X", 4)
