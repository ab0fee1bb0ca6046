"""One node: its configuration and the scripts that start and check it, the same on both platforms.

In the container, /etc/redis holds redis.conf, start.sh, health.sh, password and app-password, read-only; /data is the
volume; the configuration with the passwords in it is written to /tmp, which is memory.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tierstack.platform.internal_ca import CERTIFICATE, KEY, SERVER_DIRECTORY, TLSMode, ca_path
from tierstack.redis_cluster.args import APPLICATION_USER, RedisPurpose

PORT = 6379
TLS_PORT = 6380
"""Where it speaks TLS: a port of its own, because a server has one for each, and may have both."""
CONFIG_DIR = "/etc/redis"
DATA_DIR = "/data"
RUN_CONFIG = "/tmp/redis.conf"
UID = 999
"""User and group that own the data in the official images of Valkey and Redis (Debian variants) and in ours."""
SERVER = '"$(command -v valkey-server || command -v redis-server)"'
CLIENT = '"$(command -v valkey-cli || command -v redis-cli)"'
_CERTIFICATE, _KEY = f"{SERVER_DIRECTORY}/{CERTIFICATE}", f"{SERVER_DIRECTORY}/{KEY}"


PASSWORD_FILE, APPLICATION_FILE = "password", "app-password"
"""Files of CONFIG_DIR: the password of the default user, and that of APPLICATION_USER where there is one."""
APPLICATION_RIGHTS = (
    "~* &* +@all -@admin -@dangerous "
    # Dangerous for their cost or for what they delete, and used by applications: caches that are cleared, queues that
    # count their workers, monitoring pages.
    "+flushdb +info +keys +sort +sort_ro +client|list +role"
)
"""ACL rules: all keys and channels, all commands but those of two categories (valkey.io/topics/acl). Refused are
CONFIG, ACL, SHUTDOWN, DEBUG, MONITOR, REPLICAOF, FLUSHALL, SAVE and their like."""


@dataclass(frozen=True, kw_only=True)
class User:
    """An ACL user of a node, beside the default user and that of applications."""

    name: str
    file: str
    """File of CONFIG_DIR with the password."""
    rights: str
    """ACL rules."""


def container_memory_mb(memory_mb: int) -> int:
    """MiB of the container: half as much again as maxmemory, for pages copied while a child saves, buffers and
    fragmentation (valkey.io/topics/admin: "if the instance is write-heavy, up to 2 times"; queues are small)."""
    return memory_mb * 3 // 2 + 32


def config(purpose: RedisPurpose, memory_mb: int, *, replicated: bool, tls: TLSMode = TLSMode.DISABLE) -> str:
    """redis.conf without the password.

    `replicated`: it has replicas, and refuses writes when none of them has answered for 10 seconds (the server's
    default): what a primary acknowledges while cut off would be lost when the others elect a new one.
    """
    lines = {
        "bind": "* -::*",
        "port": str(PORT),
        "protected-mode": "yes",
        "dir": DATA_DIR,
        "maxmemory": f"{memory_mb}mb",
        "tcp-keepalive": "60",
        "timeout": "0",
        "maxclients": "10000",
        # How long a new replica waits for another one that could share its copy of the data, in seconds.
        "repl-diskless-sync-delay": "1",
        # A stop waits so long for replicas to have everything; the platform allows more than that.
        "shutdown-timeout": "10",
    }
    if purpose.is_durable:
        lines |= {
            "maxmemory-policy": "volatile-ttl" if purpose is RedisPurpose.SESSION else "noeviction",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "aof-use-rdb-preamble": "yes",
            # The append-only file is the copy of the data; snapshots beside it would only cost memory and disk.
            "save": '""',
        }
        if replicated:
            lines |= {"min-replicas-to-write": "1", "min-replicas-max-lag": "10"}
    else:
        lines |= {"maxmemory-policy": "allkeys-lru", "appendonly": "no", "save": '""'}
    if tls is not TLSMode.DISABLE:
        lines |= {
            "port": "0" if tls is TLSMode.REQUIRE else str(PORT),
            "tls-port": str(TLS_PORT),
            "tls-cert-file": _CERTIFICATE,
            "tls-key-file": _KEY,
            "tls-protocols": '"TLSv1.2 TLSv1.3"',
            # Clients prove themselves by the password.
            "tls-auth-clients": "no",
        }
    return "".join(f"{key} {value}\n" for key, value in lines.items())


LOAD_SECONDS = 600
"""How long a node may load its data, or wait for Sentinels, before it counts as one that does not start: 10 minutes."""


_APPLICATION = f"{CONFIG_DIR}/{APPLICATION_FILE}"
_FOREIGN = f"""\
# A snapshot begins with the name and version of its format. Valkey reads REDIS0001 to REDIS0011 (Redis up to 7.2), and
# Redis none of VALKEY. A server that is given another one stops with words that name neither.
server=$(basename {SERVER})
for file in {DATA_DIR}/dump.rdb {DATA_DIR}/appendonlydir/*.rdb; do
    [ -f "$file" ] || continue
    case "$server:$(head -c 9 "$file")" in
    valkey-server:REDIS000? | valkey-server:REDIS001[01] | valkey-server:VALKEY* | redis-server:REDIS*) ;;
    valkey-server:REDIS*)
        echo "error: $file was written by Redis 7.4 or newer, and Valkey cannot read it. Nothing was changed."
        echo "Give the image of Redis again, or move the data to a new RedisCluster with Valkey."
        exit 1 ;;
    redis-server:VALKEY*)
        echo "error: $file was written by Valkey 9 or newer, and Redis cannot read it. Nothing was changed."
        echo "Give the image of Valkey again, or move the data to a new RedisCluster with Redis."
        exit 1 ;;
    esac
done
"""


_RUN = f"exec {SERVER} {RUN_CONFIG}\n"


def start_script(
    join: str = "",
    *,
    users: Sequence[User] = (),
    application_rights: str = APPLICATION_RIGHTS,
    run: str = _RUN,
) -> str:
    """Start of a node; `join` is what makes it one of several (see topology), and `run` starts the server."""
    more = "".join(f'    echo "user {one.name} on >$(cat {CONFIG_DIR}/{one.file}) {one.rights}"\n' for one in users)
    return f"""\
#!/bin/sh
# Passwords reach the server in a file of memory, never on a command line.
set -eu
umask 077
{_FOREIGN}export REDISCLI_AUTH="$(cat {CONFIG_DIR}/{PASSWORD_FILE})"
{{
    cat {CONFIG_DIR}/redis.conf
    echo "requirepass $REDISCLI_AUTH"
    echo "masterauth $REDISCLI_AUTH"
    [ ! -f {_APPLICATION} ] || echo "user {APPLICATION_USER} on >$(cat {_APPLICATION}) {application_rights}"
{more}}} >{RUN_CONFIG}
{join}unset REDISCLI_AUTH
{run}"""


def local_client(tls: TLSMode) -> str:
    """The command-line client as it asks the node that it runs beside."""
    return CLIENT if tls is TLSMode.DISABLE else f"{CLIENT} --tls --cacert {ca_path('redis')} -p {TLS_PORT}"


def reload_script(tls: TLSMode) -> str:
    """Run in a node whose certificate has changed: connections stay, new ones see the new one. The server reads the
    files again although their names are the same (valkey.io/topics/encryption; one command sets both or none)."""
    return f"""\
#!/bin/sh
export REDISCLI_AUTH="$(cat {CONFIG_DIR}/password)"
said=$(timeout 10 {local_client(tls)} config set tls-cert-file {_CERTIFICATE} tls-key-file {_KEY} 2>&1)
echo "$said"
[ "$said" = OK ]
"""


_NOTICE = f"""\
# Where nobody else tells it that its certificate was renewed, this is what notices.
now=$(cksum <{_CERTIFICATE})
if [ "$now" != "$(cat /tmp/certificate 2>/dev/null)" ]; then
    timeout 2 {CLIENT} config set tls-cert-file {_CERTIFICATE} tls-key-file {_KEY} 2>/dev/null | grep -qx OK &&
        echo "$now" >/tmp/certificate
fi
"""


def health_script(tls: TLSMode = TLSMode.DISABLE, *, notice: bool = False) -> str:
    """A node is well when it answers, has loaded its data and, as a replica, is in step with its primary. `notice`: it
    also lets the node read a renewed certificate, by its plaintext port."""
    client = local_client(tls)
    return f"""\
#!/bin/sh
export REDISCLI_AUTH="$(cat {CONFIG_DIR}/password)"
timeout 2 {client} ping 2>/dev/null | grep -qx PONG || exit 1
{_NOTICE if notice else ""}state=$(timeout 2 {client} --raw info replication | tr -d '\\r')
case "$state" in
*role:master*) exit 0 ;;
*master_link_status:up*) exit 0 ;;
esac
exit 1
"""


def files(conf: str, join: str = "") -> Mapping[str, str]:
    """The files of a node in /etc/redis, without the password."""
    return {"redis.conf": conf, "start.sh": start_script(join), "health.sh": health_script()}
