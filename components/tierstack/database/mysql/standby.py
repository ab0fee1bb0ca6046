"""What servers of MySQL that can each be the primary have besides, on a Docker host: settings, users, statements. Pure:
text from values. `scripts.py` starts them.

Which of them is the primary is said by its files alone: the others have the file `tierstack.standby` beside the data.
No configuration names it, so no update changes it.
"""

import hashlib
from collections.abc import Mapping

from tierstack.core.tier import DatabaseSize
from tierstack.database.engine import SECRETS
from tierstack.database.mysql.engine import MYSQL
from tierstack.database.mysql.files import DATA, PLUGINS, SOCKET_DIRECTORY
from tierstack.database.mysql.proxy import ASKED, CHECK_USER, SOURCE_PORT
from tierstack.platform.internal_ca import TLSMode, ca_path

REPLICA_USER = "tierstack_replica"
"""User that standbys read binary logs and copy the primary as."""
ROOT = MYSQL.data_directory
"""The root of the data volume."""
STANDBY = f"{DATA}/tierstack.standby"
"""Marker of a standby. It lies with the data, so that both are replaced at once."""
APPLIED = f"{DATA}/tierstack.accounts"
"""Which accounts were applied last: the `revision` of their statements."""
FENCED = f"{ROOT}/fenced"
"""Marker of a server that was the primary: who was promoted instead. The server removes it once it follows."""
REJOIN = f"{ROOT}/rejoin"
"""Marker that lets a server give up its data for a copy of the primary when it starts."""
RELAY_LOGS = f"{ROOT}/relay"
STATE = "tierstack_state"
"""Database of what all servers have to know: how often one was promoted, which accounts were applied, and which events
of the primary are disabled."""
FURTHER_CONNECTIONS = 8
"""Connections beyond `max_connections`, which no user can take alone: for the questions of the proxy, so that a full
server is not taken for a dead one, and for standbys and copies."""
NEVER_MS = 4294967295
"""`rpl_semi_sync_source_timeout`, the largest value: a commit waits for a standby for 49 days."""

REPLICA_FILE = f"{SECRETS}/replica.cnf"
"""Option file by which a server asks the primary."""
FOLLOW_FILE = f"{SECRETS}/follow.sql"
"""Statement that starts to follow. The password is given each time: kept by the server, it would lie in its data."""
CLONE_FILE = f"{SECRETS}/clone.sql"
"""Statements that copy the primary."""


def settings(size: DatabaseSize, *, synchronous: bool) -> dict[str, str | None]:
    """Further settings of each server. None: those of a single one that it has not."""
    waits = {
        "plugin_load_add": f"{PLUGINS};semisync_source.so;semisync_replica.so",
        "rpl_semi_sync_source_timeout": str(NEVER_MS),
        "rpl_semi_sync_replica_enabled": "ON",
        # What a standby confirms is on its disk.
        "sync_relay_log": "1",
    }
    return {
        # The start script says both: a standby that runs statements at its start would have data of its own.
        "init_file": None,
        "server_id": None,
        "socket": f"{SOCKET_DIRECTORY}/mysqld.sock",
        "relay_log": f"{RELAY_LOGS}/relay",
        # Who is followed is decided after the start, by comparing.
        "skip_replica_start": "ON",
        "replica_net_timeout": "10",
        "max_connections": str(size.max_connections + FURTHER_CONNECTIONS),
        "max_user_connections": str(size.max_connections),
        **(waits if synchronous else {}),
    }


def runs_events(parameters: Mapping[str, str]) -> bool:
    """Whether the primary's event scheduler runs, by the settings that were given."""
    return parameters.get("event_scheduler", "ON").upper() in ("ON", "1")


def primary_sql(*, synchronous: bool) -> str:
    """What a primary runs at its start where the accounts are up to date."""
    return WAIT_SQL if synchronous else "DO 0;\n"


def users_sql(single: str, verifier: str, *, synchronous: bool) -> str:
    """`files.users_sql` with what standbys and the proxy need. `verifier`: of `REPLICA_USER`.

    The last lines say which accounts these are, so that a server that becomes the primary has nothing to do where they
    are applied already: with `synchronous` each statement waits for a standby.
    """
    tables = [f"GRANT SELECT ON `performance_schema`.`{table}` TO '{CHECK_USER}'@'localhost';" for table in ASKED]
    known = f"caching_sha2_password AS '{verifier}'"
    lines = [
        f"CREATE USER IF NOT EXISTS '{REPLICA_USER}'@'%' IDENTIFIED WITH {known};",
        f"ALTER USER '{REPLICA_USER}'@'%' IDENTIFIED WITH {known};",
        # Manual, "Cloning Remote Data": BACKUP_ADMIN for the donor's side.
        f"GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO '{REPLICA_USER}'@'%';",
        f"CREATE USER IF NOT EXISTS '{CHECK_USER}'@'localhost' IDENTIFIED WITH caching_sha2_password BY '';",
        *tables,
        f"CREATE DATABASE IF NOT EXISTS `{STATE}`;",
        f"CREATE TABLE IF NOT EXISTS `{STATE}`.`promotions` (number INT AUTO_INCREMENT PRIMARY KEY, "
        "server VARCHAR(64) NOT NULL, at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6));",
        f"CREATE TABLE IF NOT EXISTS `{STATE}`.`accounts` (id INT PRIMARY KEY, revision CHAR(64) NOT NULL);",
        f"CREATE TABLE IF NOT EXISTS `{STATE}`.`disabled_events` (place VARCHAR(64) COLLATE utf8mb4_bin, "
        "name VARCHAR(64), PRIMARY KEY (place, name));",
    ]
    body = single + "\n".join([*lines, ""])
    revision = hashlib.sha256(body.encode()).hexdigest()
    applied = f"REPLACE INTO `{STATE}`.`accounts` VALUES (1, '{revision}');\n"
    return body + applied + (WAIT_SQL if synchronous else "")


WAIT_SQL = "SET GLOBAL rpl_semi_sync_source_enabled = ON;\n"
"""From now on commits wait for a standby. Never before the accounts are applied at a start: until then no standby can
connect."""
REVISION_SED = r"s/^REPLACE INTO .* VALUES (1, '\(.*\)');$/\1/p"
"""What prints the revision of `users_sql`."""


def replica_cnf(password: str, tls: TLSMode) -> str:
    """`REPLICA_FILE`."""
    verifying = {"ssl-mode": "VERIFY_IDENTITY", "ssl-ca": ca_path("database")}
    clear = {"ssl-mode": "DISABLED", "get-server-public-key": "ON"}
    chosen = clear if tls is TLSMode.DISABLE else verifying
    values: Mapping[str, str] = {"user": REPLICA_USER, "password": password, "protocol": "TCP", **chosen}
    return "[client]\n" + "".join(f"{name} = {value}\n" for name, value in values.items())


def source_sql(host: str, tls: TLSMode) -> str:
    """Statement that says whom a standby follows: who stands behind the endpoint of the primary."""
    verifying = f"SOURCE_SSL = 1, SOURCE_SSL_CA = '{ca_path('database')}', SOURCE_SSL_VERIFY_SERVER_CERT = 1"
    clear = "SOURCE_SSL = 0, GET_SOURCE_PUBLIC_KEY = 1"
    return (
        f"CHANGE REPLICATION SOURCE TO SOURCE_HOST = '{host}', SOURCE_PORT = {SOURCE_PORT}, "
        f"SOURCE_USER = '{REPLICA_USER}', SOURCE_AUTO_POSITION = 1, SOURCE_CONNECT_RETRY = 1, SOURCE_RETRY_COUNT = 1, "
        f"SOURCE_HEARTBEAT_PERIOD = 2, {clear if tls is TLSMode.DISABLE else verifying};\n"
    )


def configured(host: str, tls: TLSMode) -> str:
    """What a standby says of whom it follows (`CONFIGURED_SQL`) where that is `source_sql`."""
    encrypted = tls is not TLSMode.DISABLE
    return f"{host}:{SOURCE_PORT}/{REPLICA_USER}/{'YES' if encrypted else 'NO'}/{'YES' if encrypted else 'NO'}"


CONFIGURED_SQL = """\
SELECT CONCAT(HOST, ':', PORT, '/', USER, '/', SSL_ALLOWED, '/', SSL_VERIFY_SERVER_CERTIFICATE)
FROM performance_schema.replication_connection_configuration WHERE CHANNEL_NAME = ''"""


def follow_sql(password: str) -> str:
    """`FOLLOW_FILE`."""
    return f"START REPLICA IO_THREAD USER = '{REPLICA_USER}' PASSWORD = '{password}';\n"


def clone_sql(host: str, password: str, into: str, tls: TLSMode) -> str:
    """`CLONE_FILE`: copies the primary into the directory `into`."""
    encrypted = tls is not TLSMode.DISABLE
    secured = f"SET GLOBAL clone_ssl_ca = '{ca_path('database')}';\n" if encrypted else ""
    return (
        f"SET GLOBAL clone_valid_donor_list = '{host}:{SOURCE_PORT}';\n{secured}"
        f"CLONE INSTANCE FROM '{REPLICA_USER}'@'{host}':{SOURCE_PORT} IDENTIFIED BY '{password}' "
        f"DATA DIRECTORY = '{into}' REQUIRE {'SSL' if encrypted else 'NO SSL'};\n"
    )


_DISABLED_SQL = "SELECT EVENT_SCHEMA, EVENT_NAME FROM information_schema.EVENTS WHERE STATUS = 'DISABLED'"
NOTE_EVENTS_SQL = (
    f"DELETE FROM {STATE}.disabled_events WHERE (place, name) NOT IN ({_DISABLED_SQL}); "
    f"INSERT IGNORE INTO {STATE}.disabled_events {_DISABLED_SQL}"
)
"""Statements for the primary, which write only where something has changed. A standby shows each event as disabled, and
does not know which of them are so on the primary."""
EVENTS_SQL = f"""\
SELECT CONCAT('SET SESSION sql_mode = ', QUOTE(SQL_MODE), ', time_zone = ', QUOTE(TIME_ZONE), '; ALTER DEFINER = ',
    QUOTE(SUBSTRING_INDEX(DEFINER, '@', 1)), '@', QUOTE(SUBSTRING_INDEX(DEFINER, '@', -1)), ' EVENT `',
    REPLACE(EVENT_SCHEMA, '`', '``'), '`.`', REPLACE(EVENT_NAME, '`', '``'), '` ENABLE;')
FROM information_schema.EVENTS
WHERE (STATUS IN ('REPLICA_SIDE_DISABLED', 'SLAVESIDE_DISABLED')
        OR (STATUS = 'ENABLED' AND ORIGINATOR <> @@GLOBAL.server_id))
    AND (EVENT_SCHEMA, EVENT_NAME) NOT IN (SELECT place, name FROM {STATE}.disabled_events)"""
"""Statements that let events run on a server that was promoted: one that came from another server does not run. Each
keeps who it runs as, and its mode."""
