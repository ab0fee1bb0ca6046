"""What the processes of an application get on both platforms (pure): environment, secrets, and a release's name."""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum

from tierstack.app_cluster import limits, server
from tierstack.app_cluster.args import AppClusterArgs, SecretDelivery, ServerKind
from tierstack.core import tier
from tierstack.core.memory import Phase, Reserved
from tierstack.links import TrustedCA
from tierstack.platform.internal_ca import ca_path

SECRETS = "/run/tierstack/secrets"
"""Where secrets are mounted as files: one for each, named like its variable."""

EXPORT = f"""set -eu
for file in {SECRETS}/*; do
  value=$(cat "$file")
  export "${{file##*/}}=$value"
done
exec "$@\""""
"""POSIX sh that exports every secret under its file's name and becomes the command: `docker inspect` and the process
list show neither."""

_LAYOUT = 2  # raise it when containers of the same arguments are made differently: their names must then differ

# What changes no container of a release: counts, the proxy's part, and the migration, which runs before it.
_OUTSIDE = {
    *("platform", "tier", "gateway", "database", "redis", "secrets", "hostnames"),
    *("replicas", "max_replicas", "workers", "max_workers", "children", "child_memory_mb", "web_memory_mb"),
    *("migrate_command", "migrate_timeout_seconds", "rate_limit", "rate_burst", "hsts_seconds"),
    *("content_security_policy", "frame_options", "uploads_gb", "uploads_access_mode", "outbound_ports"),
    *("uploads_storage_class", "physical_name", "outbound_networks", "worker_queue"),
}


def release(args: AppClusterArgs) -> str:
    """12 hexadecimal digits that name a release: another image, or anything else that shapes its containers, is
    another release, which starts beside the one before. Known at preview."""
    shape: dict[str, object] = {
        field.name: _plain(getattr(args, field.name)) for field in fields(args) if field.name not in _OUTSIDE
    }
    shape["layout"] = _LAYOUT
    shape["labels"] = args.platform.labels
    shape["host"] = args.hostnames[0]
    shape["memory"] = web_memory_mb(args)
    shape["secrets"] = secret_names(args)
    shape["environment"] = plain_environment(args)
    shape["files"] = files(args)
    return digest(shape)


def digest(value: object, length: int = 12) -> str:
    """Hexadecimal digits that stand for `value` (anything JSON)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:length]


def _plain(value: object) -> object:
    return value.value if isinstance(value, Enum) else value


def files(args: AppClusterArgs) -> dict[str, str]:
    """Configuration files of a release, by their name under `server.CONFIG`."""
    if args.server is ServerKind.HTTP:
        return {}
    return {server.NGINX: server.nginx(args), server.FPM: server.fpm(args)}


def plain_environment(args: AppClusterArgs) -> dict[str, str]:
    """Variables of all processes that are known at preview."""
    given: dict[str, str] = {}
    if args.database:
        given |= {
            "DB_CONNECTION": "pgsql",
            "DB_DATABASE": args.database.database,
            "DB_USERNAME": args.database.user,
            "DB_PERSISTENT": "true" if args.persistent_connections else "false",
        }
    if args.database and args.database.ca:
        # libpq reads its own variables itself; frameworks that name a mode of their own read it from DB_SSLMODE.
        given |= {"DB_SSLMODE": "verify-full", "PGSSLMODE": "verify-full", "PGSSLROOTCERT": ca_path("database")}
    if args.redis and args.redis.ca:
        given |= {"REDIS_SCHEME": "tls", "REDIS_CAFILE": ca_path("redis")}
    if args.uploads_path:
        given["UPLOADS_DIR"] = args.uploads_path
    if args.secret_delivery is SecretDelivery.FILE:
        given |= {f"{name}_FILE": f"{SECRETS}/{name}" for name in secret_names(args)}
    return given | (args.environment or {})


def trusted(args: AppClusterArgs) -> dict[str, TrustedCA]:
    """The internal CAs that processes verify servers by, by what they are of (see `internal_ca`)."""
    known = {"database": args.database and args.database.ca, "redis": args.redis and args.redis.ca}
    return {of: ca for of, ca in known.items() if ca}


def secret_names(args: AppClusterArgs) -> list[str]:
    """Variables that are secret, those of the connections included."""
    names = {*(args.secrets or {})}
    if args.database:
        names.add("DB_PASSWORD")
    if args.redis:
        names.add("REDIS_PASSWORD")
    return sorted(names)


def web_memory_mb(args: AppClusterArgs) -> int:
    """MiB of a web container that runs the application."""
    return args.web_memory_mb or limits.web_memory_mb(args)


def reserved(args: AppClusterArgs) -> list[Reserved]:
    """Docker: the memory of its containers. There is one scheduler: the old one stops before a new one starts."""
    counts = args.counts
    found = [Reserved(web_memory_mb(args), counts.replicas, Phase.RELEASE)]
    if args.server is ServerKind.PHP_FPM:
        found.append(Reserved(limits.nginx_memory_mb(args), counts.replicas, Phase.RELEASE))
    found.append(Reserved(args.worker_memory_mb, counts.workers, Phase.RELEASE))
    if args.scheduler_command:
        found.append(Reserved(args.worker_memory_mb))
    if args.migrate_command:
        found.append(Reserved(args.worker_memory_mb, phase=Phase.ONCE))
    return found


def web_cpu(args: AppClusterArgs) -> float:
    """Cores that a web container is reserved."""
    return args.web_cpu or tier.web_cpu(args.counts.children)


def fpm_command(args: AppClusterArgs) -> list[str]:
    """The whole command line of PHP-FPM."""
    options = [part for key, value in server.php_options(args).items() for part in ("-d", f"{key}={value}")]
    configuration = ["--fpm-config", f"{server.CONFIG}/{server.FPM}"]
    return [*(args.fpm_command or ["php-fpm"]), "--nodaemonize", *configuration, *options]


def nginx_command(args: AppClusterArgs) -> list[str]:
    """The whole command line of nginx; `-e` because its built-in error log lies in a read-only place."""
    return [*(args.nginx_command or ["nginx"]), "-e", "stderr", "-c", f"{server.CONFIG}/{server.NGINX}"]


def with_secrets(args: AppClusterArgs, command: Sequence[str]) -> list[str]:
    """`command` as a process that gets its secrets from the mounted files."""
    if args.secret_delivery is SecretDelivery.FILE or not secret_names(args):
        return list(command)
    return ["/bin/sh", "-c", EXPORT, "sh", *command]


def web_check(args: AppClusterArgs) -> list[str]:
    """Docker: a command in the web container that exits 0 once it can serve requests, and while it answers then."""
    if args.server is ServerKind.PHP_FPM:
        return _http_check(args, server.READY, server.PROBES)
    alive = _http_check(args, args.health_path, args.health_port or args.port)
    if args.readiness_path is None:
        return alive
    # As `server.READY` does it: noted in /tmp, which is empty again after a restart.
    noted, ready = "/tmp/.tierstack-ready", _http_check(args, args.readiness_path, args.port)
    return [
        "/bin/sh",
        "-c",
        f"{{ test -e {noted} || {{ {shlex.join(ready)} && : > {noted}; }}; }} && {shlex.join(alive)}",
    ]


def _http_check(args: AppClusterArgs, path: str, port: int) -> list[str]:
    """A command in the web container that exits 0 when `path` answers below 400."""
    client = args.health_client or [
        *("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "3"),
        *("--header", f"Host: {args.hostnames[0]}", "--header", "X-Forwarded-Proto: https"),
    ]
    return [*client, f"http://127.0.0.1:{port}{path}"]
