"""Files and scripts of PostgreSQL and PgBouncer on a Docker host. Pure: text from values.

The images bring programs only: how a server is made, configured and started stands here.
"""

from collections.abc import Mapping

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.postgresql import sizing
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode, ca_path

CONFIG = POSTGRESQL.server.directory
"""Where servers and standbys find their configuration and start scripts."""
POOLER = POSTGRESQL.pooler.directory
"""Where the pooler finds its configuration and the verifiers of its users."""
DATA = f"{POSTGRESQL.data_directory}/pgdata"
"""The server's files: one directory below the volume's root, so that an interrupted start can begin afresh."""
BACKUP_ROLE = "tierstack_backup"
"""Role of backups: replication, and what Barman's manual asks for ("PostgreSQL connection")."""
REPLICA_ROLE = "tierstack_replica"
"""Role that standbys stream as."""


def verifying(tls: TLSMode) -> str:
    """The part of a connection string with which a client demands TLS and verifies chain and name (libpq manual, "SSL
    Support")."""
    return "sslmode=disable" if tls is TLSMode.DISABLE else f"sslmode=verify-full sslrootcert={ca_path('database')}"


def postgresql_conf(size: DatabaseSize, parameters: Mapping[str, str], tls: TLSMode) -> str:
    """postgresql.conf of a server and of its standbys."""
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
    }
    return "".join(f"{name} = '{_quoted(value)}'\n" for name, value in sorted(settings.items()))


def pg_hba_conf(database: str, user: str, tls: TLSMode) -> str:
    """Who may connect, and from where: `samenet` is the internal network, the only one that a server is in."""
    host = "hostssl" if tls is TLSMode.REQUIRE else "host"
    return f"""\
# The superuser has no password and comes through the socket, which only the server's own container has.
local  all          postgres         peer map=server
host   all          postgres         all      reject
{host}   {database}  {user}  samenet  scram-sha-256
{host}   postgres     {BACKUP_ROLE}    samenet  scram-sha-256
{host}   replication  {BACKUP_ROLE}    samenet  scram-sha-256
{host}   replication  {REPLICA_ROLE}   samenet  scram-sha-256
"""


PG_IDENT_CONF = "server /^.* postgres\n"
"""The only user of the server's container is the superuser, whatever the image calls it."""


def roles_sql(database: str, user: str, verifiers: Mapping[str, str]) -> str:
    """Roles, their passwords and the database, as they should be; safe to repeat."""
    roles = {user: "NOREPLICATION", BACKUP_ROLE: "REPLICATION", REPLICA_ROLE: "REPLICATION"}
    lines = ["SET log_statement = 'none';", "SET log_min_error_statement = 'panic';"]
    for role, replication in roles.items():
        missing = f"WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}')"
        lines += [
            f"SELECT 'CREATE ROLE \"{role}\"' {missing} \\gexec",
            f'ALTER ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS {replication} '
            f"PASSWORD '{verifiers[role]}';",
        ]
    missing = f"WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = '{database}')"
    functions = (
        "pg_backup_start(text, boolean)",
        "pg_backup_stop(boolean)",
        "pg_switch_wal()",
        "pg_create_restore_point(text)",
    )
    lines += [
        f'SELECT \'CREATE DATABASE "{database}" OWNER "{user}"\' {missing} \\gexec',
        f'ALTER DATABASE "{database}" OWNER TO "{user}";',
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC;',
        f"GRANT pg_read_all_settings, pg_read_all_stats, pg_checkpoint TO {BACKUP_ROLE};",
        *(f"GRANT EXECUTE ON FUNCTION pg_catalog.{function} TO {BACKUP_ROLE};" for function in functions),
    ]
    return "\n".join([*lines, ""])


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
    # Under another name until it is complete, so that an interrupted start begins afresh.
    # The built-in locale sorts alike under every C library: the files can move between images and platforms.
    rm -rf "$PGDATA.new"
    initdb -D "$PGDATA.new" --username=postgres --auth=reject --encoding=UTF8 --locale=C \\
        --locale-provider=builtin --builtin-locale=C.UTF-8 --data-checksums
    mv "$PGDATA.new" "$PGDATA"
fi
# What was applied last is kept beside the data: an ordinary start, or one after a crash, starts the server only once.
applied="$PGDATA/tierstack-roles.sql"
if [ ! -e "$applied" ] || [ "$(cat "$applied")" != "$(cat {SECRETS}/roles.sql)" ]; then
    pg_ctl -D "$PGDATA" -w -t 3600 start -o "-c config_file={CONFIG}/postgresql.conf -c listen_addresses=''"
    psql -h /tmp -U postgres -d postgres -X -q -v ON_ERROR_STOP=1 -f {SECRETS}/roles.sql
    pg_ctl -D "$PGDATA" -w -t 3600 -m fast stop
    cp {SECRETS}/roles.sql "$applied.new"
    mv -f "$applied.new" "$applied"
fi
exec postgres -c config_file={CONFIG}/postgresql.conf
"""
"""Start script of the primary."""


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
# A standby refuses to start with less than what its log was written under (manual, "Hot Standby: Administrator's
# Overview"); after the primary got less, it keeps the larger value until its next start.
at_least() {{
    recorded=$(pg_controldata -D "$PGDATA" | sed -n "s/^$2 setting: *//p")
    wanted=$(postgres -C "$1" -c config_file={CONFIG}/postgresql.conf)
    if [ "$recorded" -gt "$wanted" ]; then echo "-c $1=$recorded"; fi
}}
kept=$(at_least max_connections max_connections; at_least max_worker_processes max_worker_processes
    at_least max_wal_senders max_wal_senders; at_least max_prepared_transactions max_prepared_xacts
    at_least max_locks_per_transaction max_locks_per_xact)
exec postgres -c config_file={CONFIG}/postgresql.conf $kept -c cluster_name="$2" -c primary_slot_name="$2" \\
    -c primary_conninfo="$primary"
"""


POOLER_SH = f"""\
# As many files as the host allows: every client and every server connection is one.
ulimit -n "$(ulimit -H -n)"
exec pgbouncer {POOLER}/pgbouncer.ini
"""
"""Start of the pooler."""


def pgbouncer_ini(database: str, direct_host: str, size: DatabaseSize, tls: TLSMode) -> str:
    """pgbouncer.ini of the pooler: what it demands of clients, and that it verifies the server."""
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
    }
    lines = [f"{name} = {value}".rstrip() for name, value in settings.items()]
    server = f"{database} = host={direct_host} port={POSTGRESQL.server.port}"
    return "\n".join(["[databases]", server, "", "[pgbouncer]", *lines, ""])


def userlist(user: str, verifier: str) -> str:
    """userlist.txt of the pooler."""
    return f'"{user}" "{verifier}"\n'


def pgpass(passwords: Mapping[str, str]) -> str:
    """The password file of libpq for some roles, on any host."""
    return "".join(f"*:*:*:{role}:{password}\n" for role, password in sorted(passwords.items()))


def _quoted(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "''")
