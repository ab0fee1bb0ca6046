"""Files and scripts of PostgreSQL and PgBouncer on a Docker host. Pure: text from values.

The images bring programs only: how a server is made, configured and started stands here.
"""

from collections.abc import Mapping, Sequence

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.postgresql import sizing
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.database.postgresql.grants import grants_sql
from tierstack.database.roles import BACKUP, MONITOR, READ, Logins
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode, ca_path

CONFIG = POSTGRESQL.server.directory
"""Where servers and standbys find their configuration and start scripts."""
POOLER = POSTGRESQL.pooler.directory
"""Where the pooler finds its configuration and the verifiers of its users."""
ROOT = POSTGRESQL.data_directory
"""The root of the data volume."""
DATA = f"{ROOT}/pgdata"
"""The server's files: one directory below the volume's root, so that an interrupted start can begin afresh."""
APPLIED = f"{DATA}/tierstack-roles.sql"
"""The roles that were applied last."""
REPLICA_ROLE = "tierstack_replica"
"""Role that standbys stream as."""


def verifying(tls: TLSMode) -> str:
    """The part of a connection string with which a client demands TLS and verifies chain and name (libpq manual, "SSL
    Support")."""
    return "sslmode=disable" if tls is TLSMode.DISABLE else f"sslmode=verify-full sslrootcert={ca_path('database')}"


def postgresql_conf(
    size: DatabaseSize, parameters: Mapping[str, str], tls: TLSMode, further: Mapping[str, str] | None = None
) -> str:
    """postgresql.conf of a server and of its standbys. `further`: what servers with a proxy have besides."""
    encryption = {
        "ssl": "on",
        "ssl_cert_file": f"{SERVER_DIRECTORY}/{CERTIFICATE}",
        "ssl_key_file": f"{SERVER_DIRECTORY}/{KEY}",
        "ssl_min_protocol_version": "TLSv1.2",
    }
    settings = {
        "data_directory": DATA,
        "hba_file": f"{CONFIG}/pg_hba.conf",
        "ident_file": f"{CONFIG}/pg_ident.conf",
        "listen_addresses": "*",
        "unix_socket_directories": "/tmp",
        "timezone": "UTC",
        "log_timezone": "UTC",
        **({} if tls is TLSMode.DISABLE else encryption),
        **sizing.server_settings(size, dict(parameters)),
        **(further or {}),
    }
    return "".join(f"{name} = '{_quoted(value)}'\n" for name, value in sorted(settings.items()))


def pg_hba_conf(database: str, owner: str, tls: TLSMode, further: str = "") -> str:
    """Who may connect, and from where: `samenet` is the internal network, the only one that a server is in.

    `+owner` is every login that is a member of the owner, so that none of them needs another file. `further`: lines
    that servers with a proxy have besides, with `{host}` for the kind of connection.
    """
    host = "hostssl" if tls is TLSMode.REQUIRE else "host"
    return f"""\
# The superuser has no password and comes through the socket, which only the server's own container has.
local  all          postgres         peer map=server
host   all          postgres         all      reject
{host}   {database}  +{owner}  samenet  scram-sha-256
{host}   {database}  {READ}     samenet  scram-sha-256
{host}   {database}  {MONITOR}  samenet  scram-sha-256
{host}   postgres     {BACKUP}    samenet  scram-sha-256
{host}   replication  {BACKUP}    samenet  scram-sha-256
{host}   replication  {REPLICA_ROLE}   samenet  scram-sha-256
{further.format(host=host)}"""


PG_IDENT_CONF = "server /^.* postgres\n"
"""The only user of the server's container is the superuser, whatever the image calls it."""


def roles_sql(database: str, logins: Logins, verifiers: Mapping[str, str], further: Sequence[str] = ()) -> str:
    """Roles, their passwords and the database, as they should be; safe to repeat, also while clients are connected.

    `verifiers`: of every role that logs in. `further`: statements for the database `postgres`. No statement of them is
    logged, nor shown to who watches sessions.
    """
    owner = logins.owner
    replicating = (BACKUP, REPLICA_ROLE)
    lines = [
        *("SET log_statement = 'none';", "SET log_min_error_statement = 'panic';"),
        *(
            "SET log_min_duration_statement = -1;",
            "SET track_activities = off;",
            "SET client_min_messages = 'warning';",
        ),
    ]
    for role in dict.fromkeys((owner, *verifiers)):
        missing = f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
        login = "LOGIN" if role in verifiers else "NOLOGIN"
        password = f"'{verifiers[role]}'" if role in verifiers else "NULL"
        lines += [
            f"SELECT 'CREATE ROLE \"{role}\"' {missing} \\gexec",
            f'ALTER ROLE "{role}" {login} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS '
            f"{'REPLICATION' if role in replicating else 'NOREPLICATION'} PASSWORD {password};",
        ]
    for role in logins.generations:
        # What a login creates belongs to the owner, and so to the other login too.
        lines += [f'GRANT "{owner}" TO "{role}";', f"ALTER ROLE \"{role}\" SET role = '{owner}';"]
    missing = f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}')"
    functions = (
        "pg_backup_start(text, boolean)",
        "pg_backup_stop(boolean)",
        "pg_switch_wal()",
        "pg_create_restore_point(text)",
    )
    lines += [
        f'SELECT \'CREATE DATABASE "{database}" OWNER "{owner}"\' {missing} \\gexec',
        f'ALTER DATABASE "{database}" OWNER TO "{owner}";',
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;',
        f'GRANT CONNECT ON DATABASE "{database}" TO {READ}, {MONITOR};',
        f"GRANT pg_monitor TO {MONITOR};",
        f"GRANT pg_read_all_settings, pg_read_all_stats, pg_checkpoint TO {BACKUP};",
        *(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {BACKUP};" for function in functions),
        *further,
        f'\\connect "{database}"',
        f"SET ROLE '{owner}';",
    ]
    return "\n".join([*lines, grants_sql(owner)])


ROLES_SH = f"""\
# Brings roles and passwords of the running server up to date. What was applied is kept beside the data.
set -eu
umask 077
psql -h /tmp -U postgres -d postgres -X -q -v ON_ERROR_STOP=1 -f {SECRETS}/roles.sql
cp {SECRETS}/roles.sql {APPLIED}.new
mv -f {APPLIED}.new {APPLIED}
"""
"""Script that applies `roles_sql`: at the start of the primary, and in its container while it runs."""

INITDB = """\
    # Under another name until it is complete, so that an interrupted start begins afresh.
    # The built-in locale sorts alike under every C library: the files can move between images and platforms.
    rm -rf "$PGDATA.new"
    initdb -D "$PGDATA.new" --username=postgres --auth=reject --encoding=UTF8 --locale=C \\
        --locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums
    mv "$PGDATA.new" "$PGDATA"\
"""
"""The part of a start script that makes the cluster."""

PRIMARY_SH = f"""\
# Starts the primary: makes the cluster if there is none, brings roles and passwords up to date, then serves.
set -eu
umask 077
export LC_ALL=C PGDATA={DATA}
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    if [ -e "$PGDATA" ]; then
        echo "$PGDATA holds something that is no PostgreSQL cluster; it is left as it is" >&2
        exit 1
    fi
{INITDB}
fi
# An ordinary start, or one after a crash, finds them up to date and starts the server only once.
if [ ! -e {APPLIED} ] || [ "$(cat {APPLIED})" != "$(cat {SECRETS}/roles.sql)" ]; then
    pg_ctl -D "$PGDATA" -w -t 3600 start -o "-c config_file={CONFIG}/postgresql.conf -c listen_addresses=''"
    sh {CONFIG}/roles.sh
    pg_ctl -D "$PGDATA" -w -t 3600 -m fast stop
fi
exec postgres -c config_file={CONFIG}/postgresql.conf
"""
"""Start script of the primary."""


AT_LEAST = f"""\
# A standby refuses to start with less than what its log was written under (manual, "Hot Standby: Administrator's
# Overview"); after the primary got less, it keeps the larger value until its next start.
at_least() {{
    recorded=$(pg_controldata -D "$PGDATA" | sed -n "s/^$2 setting: *//p")
    wanted=$(postgres -C "$1" -c config_file={CONFIG}/postgresql.conf)
    if [ "$recorded" -gt "$wanted" ]; then echo "-c $1=$recorded"; fi
}}
kept=$(at_least max_connections max_connections; at_least max_worker_processes max_worker_processes
    at_least max_wal_senders max_wal_senders; at_least max_prepared_transactions max_prepared_xacts
    at_least max_locks_per_transaction max_locks_per_xact)"""
"""The part of a start script that sets `$kept`, what a standby is started with besides."""


def replica_sh(tls: TLSMode) -> str:
    """Start script of a standby."""
    return f"""\
# Starts a standby (arguments: host of the primary, name of this standby): copies the primary if there is no copy yet.
set -eu
umask 077
export LC_ALL=C PGDATA={DATA}
primary="host=$1 user={REPLICA_ROLE} passfile={SECRETS}/pgpass application_name=$2 {verifying(tls)}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    rm -rf "$PGDATA.new"
    # The slot comes first, so that the primary keeps every segment that the copy will need.
    pg_receivewal -d "$primary" -w --slot="$2" --create-slot --if-not-exists
    pg_basebackup -d "$primary" -w -D "$PGDATA.new" -X stream -S "$2" -c fast
    mv "$PGDATA.new" "$PGDATA"
fi
touch "$PGDATA/standby.signal"
{AT_LEAST}
exec postgres -c config_file={CONFIG}/postgresql.conf $kept -c cluster_name="$2" -c primary_slot_name="$2" \\
    -c primary_conninfo="$primary"
"""


POOLER_SH = f"""\
# As many files as the host allows: every client and every server connection is one.
ulimit -n "$(ulimit -H -n)"
exec pgbouncer {POOLER}/pgbouncer.ini
"""
"""Start of the pooler."""


def pgbouncer_ini(
    database: str,
    server: tuple[str, int],
    size: DatabaseSize,
    tls: TLSMode,
    further: Mapping[str, str] | None = None,
) -> str:
    """pgbouncer.ini of a pooler: what it demands of clients, and that it verifies the server at (host, port)."""
    encryption = {
        "client_tls_sslmode": tls.value,
        "client_tls_cert_file": f"{SERVER_DIRECTORY}/{CERTIFICATE}",
        "client_tls_key_file": f"{SERVER_DIRECTORY}/{KEY}",
        "server_tls_sslmode": "verify-full",
        "server_tls_ca_file": ca_path("database"),
    }
    clear = {"client_tls_sslmode": "disable", "server_tls_sslmode": "disable"}
    settings = {
        "listen_addr": "*",
        "listen_port": str(POSTGRESQL.pooler.port),
        "unix_socket_dir": "",
        "auth_type": "scram-sha-256",
        "auth_file": f"{POOLER}/userlist.txt",
        "pool_mode": "transaction",
        **(clear if tls is TLSMode.DISABLE else encryption),
        # A replaced server has another address at once.
        "dns_max_ttl": "1",
        "dns_nxdomain_ttl": "1",
        **sizing.pooler_settings(size),
        **(further or {}),
    }
    lines = [f"{name} = {value}".rstrip() for name, value in settings.items()]
    target = "{} = host={} port={}".format(database, *server)
    return "\n".join(["[databases]", target, "", "[pgbouncer]", *lines, ""])


def userlist(verifiers: Mapping[str, str]) -> str:
    """userlist.txt of the pooler."""
    return "".join(f'"{role}" "{verifier}"\n' for role, verifier in verifiers.items())


def pgpass(passwords: Mapping[str, str]) -> str:
    """The password file of libpq for some roles, on any host."""
    return "".join(f"*:*:*:{role}:{password}\n" for role, password in sorted(passwords.items()))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
