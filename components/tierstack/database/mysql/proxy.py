"""The proxy before servers of MySQL that can each be the primary, on a Docker host. Pure: text from values.

It asks each server for its role by a statement in MySQL's protocol. A password cannot be sent that way: what a client
answers depends on what the server said, and encryption begins inside of the protocol. So the question comes through the
server's own socket, which lies in a volume of the two, as a user without a password and without rights elsewhere.
"""

import struct

from tierstack.core.tier import DatabaseSize
from tierstack.database.haproxy import HEALTH, opening
from tierstack.database.mysql.engine import MYSQL
from tierstack.database.mysql.sizing import QUEUE_SECONDS

CHECK_USER = "tierstack_check"
"""User that the proxy asks as. It has no password, and comes through the socket only."""
PROXY = "/etc/tierstack/haproxy"
"""Where the proxy finds its configuration."""
READ_PORT = 3307
"""Port of the proxy for reads."""
SOURCE_PORT = 3308
"""Port of the proxy for standbys and clones: the primary, and nobody waits for one. A standby must compare what it has
before it follows another primary."""
CHECK_SECONDS = 1
"""How often the proxy asks each server; two answers that fail take it out."""
HOLD = "tierstack_hold"
"""Lock that a session on the primary holds while new clients are to wait."""
SOCKETS = "/run/tierstack/mysql"
"""Where the proxy finds the sockets of the servers, each in a directory of its own."""

LAG_SQL = """\
SELECT TIMESTAMPDIFF(MICROSECOND, COALESCE(
    MIN(NULLIF(APPLYING_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP, 0)),
    MAX(LAST_APPLIED_TRANSACTION_ORIGINAL_COMMIT_TIMESTAMP)), SYSDATE(6)) / 1000000
FROM performance_schema.replication_applier_status_by_worker"""
"""Seconds since the commit of the transaction that is applied now, else of the last one that was. It counts only where
something received is not applied yet."""
BEHIND_SQL = """\
NOT GTID_SUBSET((SELECT RECEIVED_TRANSACTION_SET FROM performance_schema.replication_connection_status
    WHERE CHANNEL_NAME = ''), @@GLOBAL.gtid_executed)"""
"""Whether something received is not applied yet."""
ASKED = ("replication_connection_status", "replication_applier_status_by_worker")
"""Tables of `performance_schema` that the question reads."""

_ROLE_SQL = f"""\
SELECT CONCAT('tierstack-', CASE
    WHEN NOT @@GLOBAL.read_only THEN IF(IS_USED_LOCK('{HOLD}') IS NULL, 'primary', 'held')
    WHEN COALESCE((SELECT SERVICE_STATE FROM performance_schema.replication_connection_status
        WHERE CHANNEL_NAME = ''), 'OFF') <> 'ON' THEN 'alone'
    WHEN NOT {BEHIND_SQL} THEN 'standby'
    WHEN ({LAG_SQL}) < SECONDS THEN 'standby'
    ELSE 'behind' END)"""
"""What a server is: primary, standby, or one that is to be left alone."""


def haproxy_cfg(servers: dict[str, str], size: DatabaseSize, lag_seconds: int) -> str:
    """haproxy.cfg of the proxy. `servers`: name → host.

    Writes go to the one that is the primary; to none where two say so. Where there is none, a client is tried again
    each second at a server that never answers, so it waits; the proxy has no queue before servers that are down. Reads
    go to standbys, and to the primary where none is left.
    """
    most = (size.max_connections + 16) * (1 + size.replicas) + size.max_client_connections
    port = MYSQL.server.port

    # Names are asked for while it runs: a start that waited for those of servers that are not there yet took minutes.
    def listed(how: str) -> str:
        return "\n".join(
            f"    server {name} {host}:{port} resolvers docker resolve-prefer ipv4 init-addr none "
            + how.format(name=name)
            for name, host in servers.items()
        )

    asked = f"""\
    option tcp-check
    tcp-check connect
    tcp-check expect binary {_GREETING.hex()}
    tcp-check send-binary {_login().hex()}
    tcp-check expect binary {_WELCOME.hex()}
    tcp-check send-binary {_question(lag_seconds).hex()}
"""
    checked = f"check addr unix@{SOCKETS}/{{name}}/mysqld.sock"
    return f"""\
{opening(most, CHECK_SECONDS, resting="Streams and kept connections")}
frontend write
    bind :{port}
    maxconn {most}
    # Two primaries: no write, before it goes to the wrong one.
    tcp-request connection reject if {{ nbsrv(source) gt 1 }}
    default_backend primary

frontend read
    bind :{READ_PORT}
    maxconn {most}
    tcp-request connection reject if {{ nbsrv(standbys) eq 0 }} {{ nbsrv(source) gt 1 }}
    use_backend standbys if {{ nbsrv(standbys) gt 0 }}
    default_backend primary

frontend source
    bind :{SOURCE_PORT}
    maxconn {most}
    tcp-request connection reject if {{ nbsrv(source) gt 1 }}
    default_backend source

backend primary
    # Once a second, until there is a primary.
    retries {QUEUE_SECONDS}
{listed("track source/{name}")}
    server waiting 127.0.0.1:9 backup

backend source
{asked}    tcp-check expect string tierstack-primary
{listed(checked)}

backend standbys
    balance leastconn
{asked}    tcp-check expect string tierstack-standby
{listed(checked)}

{HEALTH}"""


# MySQL source code documentation, "Protocol Basics", "Connection Phase" and "Command Phase".
_GREETING = b"\0\x0a"
"""The server's first packet, and version 10 of the protocol."""
_WELCOME = bytes.fromhex("000002000000")
"""The third packet says that all is well: no rows, and no id."""
_LONG_PASSWORD, _PROTOCOL_41, _TRANSACTIONS = 0x1, 0x200, 0x2000
_SECURE_CONNECTION, _PLUGIN_AUTH = 0x8000, 0x80000
_UTF8MB4 = 255


def _packet(number: int, body: bytes) -> bytes:
    return struct.pack("<I", len(body))[:3] + bytes([number]) + body


def _login() -> bytes:
    """An answer to the greeting, with an empty password."""
    flags = _LONG_PASSWORD | _PROTOCOL_41 | _TRANSACTIONS | _SECURE_CONNECTION | _PLUGIN_AUTH
    head = struct.pack("<IIB23x", flags, 2**24, _UTF8MB4)
    return _packet(1, head + CHECK_USER.encode() + b"\0\0" + b"caching_sha2_password\0")


def _question(lag_seconds: int) -> bytes:
    """Question and goodbye; the server reads them one after the other."""
    return _packet(0, b"\x03" + _ROLE_SQL.replace("SECONDS", str(lag_seconds)).encode()) + _packet(0, b"\x01")
