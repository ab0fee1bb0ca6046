"""Files and scripts of MySQL and HAProxy on a Docker host. Pure: text from values.

The images bring programs only: how a server is made, configured and started stands here.
"""

import re
from collections.abc import Mapping

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.haproxy import HEALTH
from tierstack.database.mysql import sizing
from tierstack.database.mysql.engine import MYSQL, SOCKET, SUPERUSER, local
from tierstack.database.roles import BACKUP, MONITOR, READ, Logins
from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode, ca_path

CONFIG = MYSQL.server.directory
"""Where the server finds its configuration and start script."""
POOLER = MYSQL.pooler.directory
"""Where the proxy finds its configuration."""
DATA = f"{MYSQL.data_directory}/data"
"""The server's files: one directory below the volume's root, so that an interrupted start can begin afresh."""
BINARY_LOGS = f"{MYSQL.data_directory}/binlog"
TEMPORARY = f"{MYSQL.data_directory}/tmp"
"""What sorts and changes of tables write: too much for the container's /tmp, which is memory."""
SLOW_LOG, SLOW_LOG_MB = f"{TEMPORARY}/slow.log", 16
"""Slow statements go to the container's output from a file, because the server logs to nothing else. Emptied when it is
larger."""
PLUGINS = "auth_socket.so;mysql_clone.so"
SOCKET_DIRECTORY = "/run/tierstack/socket"
"""Where a server with standbys has its socket, which the proxy shares; `SOCKET` leads there."""
_SERVER_USER = "mysql"
"""What the image calls user 999, by which the socket knows who comes from the server's own container."""


def my_cnf(
    size: DatabaseSize, parameters: Mapping[str, str], tls: TLSMode, further: Mapping[str, str | None] | None = None
) -> str:
    """my.cnf of the server. `further`: what servers with standbys have besides; None: what they have not."""
    encryption = {
        # The server reads a certificate again only where it can verify it.
        "ssl_ca": ca_path("database"),
        "ssl_cert": f"{SERVER_DIRECTORY}/{CERTIFICATE}",
        "ssl_key": f"{SERVER_DIRECTORY}/{KEY}",
        "tls_version": "TLSv1.2,TLSv1.3",
        "require_secure_transport": "ON" if tls is TLSMode.REQUIRE else "OFF",
    }
    clear = {"tls_version": "", "auto_generate_certs": "OFF"}
    settings: dict[str, str | None] = {
        "datadir": DATA,
        "tmpdir": TEMPORARY,
        "log_bin": f"{BINARY_LOGS}/binlog",
        "init_file": f"{SECRETS}/users.sql",
        "socket": SOCKET,
        "pid_file": f"{TEMPORARY}/mysqld.pid",
        "port": str(MYSQL.server.port),
        "bind_address": "*",
        "mysqlx": "OFF",
        "server_id": "1",
        # CLONE: base backups are copies of the running server.
        "plugin_load_add": PLUGINS,
        "character_set_server": "utf8mb4",
        "collation_server": "utf8mb4_0900_ai_ci",
        "default_time_zone": "+00:00",
        "skip_name_resolve": "ON",
        "local_infile": "OFF",
        "secure_file_priv": "NULL",
        "log_error_verbosity": "2",
        "slow_query_log_file": SLOW_LOG,
        # Containers may not ask for it. `loose`: builds without NUMA do not know the setting.
        "loose_innodb_numa_interleave": "OFF",
        **(clear if tls is TLSMode.DISABLE else encryption),
        **sizing.server_settings(size, dict(parameters)),
        **(further or {}),
    }
    known = {name: value for name, value in sorted(settings.items()) if value is not None}
    return "[mysqld]\n" + "".join(f"{name} = {_quoted(value)}\n" for name, value in known.items())


_BACKUP = "REPLICATION CLIENT, REPLICATION SLAVE, BACKUP_ADMIN, SHOW_ROUTINE"
"""What a clone and a stream of binary logs need of the server (manual, "Cloning Remote Data", "mysqlbinlog"), and what
tells where the logs are. `SHOW_ROUTINE`: a dump has the stored programs too (manual, "mysqldump")."""
_DUMPED = "SELECT, SHOW VIEW, TRIGGER, EVENT"
"""What a dump needs of a database. mysqldump leaves out, without a word, the triggers and events that its user may not
change: MySQL has no right to see them only. All rows it may read already, by a clone."""


def users_sql(database: str, logins: Logins, verifiers: Mapping[str, str]) -> str:
    """The database and all users, as they should be. The server runs it at each start before it takes connections
    (`init_file`), so each statement is safe to repeat, and stands on a line of its own. It is run while clients are
    connected, too, so none of them is refused in between. `verifiers`: of every user that logs in over the network.
    """
    # In a grant an underscore would stand for any character.
    tables = "`{}`.*".format(database.replace("_", "\\_"))
    owner = f"'{logins.owner}'@'%'"
    lines = [
        f"CREATE DATABASE IF NOT EXISTS `{database}`;",
        f"ALTER USER '{SUPERUSER}'@'localhost' IDENTIFIED WITH auth_socket AS '{_SERVER_USER}';",
    ]
    for name in (READ, MONITOR):
        lines += _known(f"'{name}'@'localhost'", f"auth_socket AS '{_SERVER_USER}'")
    for name, known in verifiers.items():
        lines += _known(f"'{name}'@'%'", f"caching_sha2_password AS '{known}'")
    # A role is an account that is locked (manual, "CREATE ROLE").
    lines += [
        f"CREATE ROLE IF NOT EXISTS {owner};",
        f"ALTER USER {owner} ACCOUNT {'UNLOCK' if logins.owner_logs_in else 'LOCK'};",
        # All but to hand it on: migrations are the application's.
        f"GRANT ALL ON {tables} TO {owner};",
    ]
    for name in logins.generations:
        lines += [f"GRANT {owner} TO '{name}'@'%';", f"ALTER USER '{name}'@'%' DEFAULT ROLE {owner};"]
    for host in ("localhost", "%"):
        lines += [
            f"GRANT SELECT, SHOW VIEW ON {tables} TO '{READ}'@'{host}';",
            f"GRANT PROCESS, REPLICATION CLIENT ON *.* TO '{MONITOR}'@'{host}';",
            f"GRANT SELECT ON `performance_schema`.* TO '{MONITOR}'@'{host}';",
        ]
    lines += [
        # It had more before base backups were copies.
        f"REVOKE ALL PRIVILEGES, GRANT OPTION FROM '{BACKUP}'@'%';",
        f"GRANT {_BACKUP} ON *.* TO '{BACKUP}'@'%';",
        f"GRANT {_DUMPED} ON {tables} TO '{BACKUP}'@'%';",
    ]
    return "\n".join([*lines, ""])


USERS_SH = f"{' '.join(local('mysql', SUPERUSER))} <{SECRETS}/users.sql"
"""Command that applies `users_sql` to the running server."""


def _known(account: str, by: str) -> list[str]:
    return [f"CREATE USER IF NOT EXISTS {account} IDENTIFIED WITH {by};", f"ALTER USER {account} IDENTIFIED WITH {by};"]


INITIALIZE = f"""\
    # Under another name until it is complete, so that an interrupted start begins afresh.
    rm -rf "$data.new" {BINARY_LOGS}
    mysqld --no-defaults --initialize-insecure --datadir="$data.new" --skip-log-bin \\
        --character-set-server=utf8mb4
    mv "$data.new" "$data"
"""
"""Makes the files of a server, in `$data`."""
FOREIGN = """\
    if [ -e "$data" ]; then
        echo "$data holds something that is no MySQL data directory; it is left as it is" >&2
        exit 1
    fi
"""
"""Ends a start where something else lies in `$data`."""


def beside_sh(size: DatabaseSize) -> str:
    """What runs beside the server: the slow log goes to the container's output, and old binary logs go."""
    ask = " ".join(local("mysql", SUPERUSER))
    return f"""\
rm -rf {TEMPORARY}
mkdir -p {TEMPORARY} {BINARY_LOGS}
: >{SLOW_LOG}
tail -n +1 -F {SLOW_LOG} 2>/dev/null &
# The server drops binary logs by age alone. The newest are kept, in all at most so many bytes.
keep={sizing.binary_log_mb(size) * 1024 * 1024}
purge() {{
    logs=$({ask} --batch --skip-column-names --execute="SHOW BINARY LOGS" 2>/dev/null) || return 0
    total=0
    while read -r _ bytes _; do total=$((total + bytes)); done <<LOGS
$logs
LOGS
    # The oldest first: the first that may stay, or the one that is being written.
    while read -r name bytes _; do
        first=$name
        [ "$total" -gt "$keep" ] || break
        total=$((total - bytes))
    done <<LOGS
$logs
LOGS
    {ask} --execute="PURGE BINARY LOGS TO '$first'" || return 0
}}
while sleep 60; do
    purge
    # The server appends, so what was shown may go.
    [ "$(wc -c <{SLOW_LOG})" -lt {SLOW_LOG_MB * 1024 * 1024} ] || : >{SLOW_LOG}
done &
"""


def primary_sh(size: DatabaseSize) -> str:
    """Start script of the server."""
    return f"""\
# Starts the server: makes its files if there are none, then serves. A loop beside it deletes the oldest binary logs
# once they exceed their limit.
set -eu
umask 077
data={DATA}
if [ ! -s "$data/mysql.ibd" ]; then
{FOREIGN}{INITIALIZE}fi
{beside_sh(size)}exec mysqld --defaults-file={CONFIG}/my.cnf
"""


def client_cnf(user: str, password: str, database: str, tls: TLSMode) -> str:
    """The file by which a client logs in as an application does."""
    verifying = {"ssl-mode": "VERIFY_IDENTITY", "ssl-ca": ca_path("database")}
    clear = {"ssl-mode": "DISABLED", "get-server-public-key": "ON"}
    settings = {
        "user": user,
        "password": password,
        "port": str(MYSQL.pooler.port),
        "protocol": "TCP",
        "connect-timeout": str(sizing.QUEUE_SECONDS),
        **(clear if tls is TLSMode.DISABLE else verifying),
    }
    lines = [f"{name} = {value}" for name, value in settings.items()]
    return "\n".join(["[client]", *lines, "", "[mysql]", f"database = {database}", ""])


def haproxy_cfg(direct_host: str, size: DatabaseSize, port: int = MYSQL.server.port) -> str:
    """haproxy.cfg of a pooler: so many clients at the server at once, the others wait in its queue. `port`: where the
    server is; before standbys, a port of the proxy.

    Encrypted connections are passed on as they are, to the server that has the key. There is no check of the server:
    one that is down would lose the clients that wait for it.
    """
    idle = sizing.IDLE_SECONDS + 60
    return f"""\
global
    log stdout format raw local0 notice
    maxconn {size.max_client_connections + 16}
    # What a client may still do while the proxy is replaced.
    hard-stop-after 3s

resolvers docker
    parse-resolv-conf
    timeout resolve 1s
    timeout retry 500ms
    # A server that is replaced has another address at once, and none in between: clients wait for it at the old one.
    hold valid 1s
    hold nx 1h
    hold obsolete 1h
    hold timeout 1h
    hold refused 1h
    hold other 1h

defaults
    mode tcp
    log global
    option clitcpka
    option srvtcpka
    timeout connect 2s
    # The server ends idle clients, after {sizing.IDLE_SECONDS} s.
    timeout client {idle}s
    timeout server {idle}s
    timeout queue {sizing.QUEUE_SECONDS}s

frontend clients
    bind :{MYSQL.pooler.port}
    maxconn {size.max_client_connections}
    default_backend server

backend server
    # Once a second, each time at the address that holds then.
    retries {sizing.QUEUE_SECONDS}
    option redispatch 1
    server primary {direct_host}:{port} maxconn {size.pool_size} {_RESOLVED}

{HEALTH}"""


_RESOLVED = "resolvers docker resolve-prefer ipv4 init-addr last,libc,none"
_PLAIN = re.compile(r"[A-Za-z0-9_./:,+*-]*")


def _quoted(value: str) -> str:
    return value if _PLAIN.fullmatch(value) else '"{}"'.format(value.replace("\\", "\\\\"))
