"""What the processes of an application get on both platforms (pure): environment, secrets, and a release's name."""

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import cast

from tierstack.app_cluster import limits, server
from tierstack.app_cluster.args import AppClusterArgs, SecretDelivery
from tierstack.app_cluster.connections import connected
from tierstack.core import tier
from tierstack.core.memory import Phase, Reserved

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

# What changes no container of a release: counts, the proxy's part, the estimates of a check, and the migration, which
# runs before it. Connections, memory, variables and files count by what is made of them.
_OUTSIDE = {
    *("platform", "tier", "gateway", "database", "redis", "more_redis", "secrets", "hostnames"),
    *("replicas", "max_replicas", "php.children", "php.child_memory_mb", "php.memory_mb", "http_server.concurrency"),
    *("http.rate_limit", "http.rate_burst", "http.hsts_seconds", "http.content_security_policy", "http.frame_options"),
    *("uploads.storage_gb", "uploads.access_mode", "uploads.storage_class", "outbound"),
    *("roles.*.count", "roles.*.max_count", "roles.*.queue", "migration"),
    *("service_time_ms", "cpu_time_ms", "physical_name"),
}


def release(args: AppClusterArgs) -> str:
    """12 hexadecimal digits that name a release: another image, or anything else that shapes its containers, is
    another release, which starts beside the one before. Known at preview."""
    names = [field.name for field in fields(args) if field.name not in _OUTSIDE]
    shape = {name: _shape(getattr(args, name), name) for name in names}
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


def _shape(value: object, path: str) -> object:
    """`value` as JSON, without what is outside a release."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, dict):
        return {key: _shape(one, f"{path}.*") for key, one in cast(dict[str, object], value).items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    names = [field.name for field in fields(value) if f"{path}.{field.name}" not in _OUTSIDE]
    return {name: _shape(getattr(value, name), f"{path}.{name}") for name in names}


def files(args: AppClusterArgs) -> dict[str, str]:
    """Configuration files of a release, by their name under `server.CONFIG`."""
    if not args.php:
        return {}
    return {server.NGINX: server.nginx(args), server.FPM: server.fpm(args)}


def plain_environment(args: AppClusterArgs) -> dict[str, str]:
    """Variables of all processes that are known at preview."""
    given = {key: one.plain[key] for one in connected(args) for key in one.plain}
    if args.uploads:
        given["UPLOADS_DIR"] = args.uploads.path
    if args.secret_delivery is SecretDelivery.FILE:
        given |= {f"{name}_FILE": f"{SECRETS}/{name}" for name in secret_names(args)}
    return given | (args.environment or {})


def secret_names(args: AppClusterArgs) -> list[str]:
    """Variables that are secret, those of the connections included."""
    return sorted({*(args.secrets or {}), *(one.password for one in connected(args))})


def web_memory_mb(args: AppClusterArgs) -> int:
    """MiB of a web container that runs the application."""
    return args.web.memory_mb or limits.web_memory_mb(args)


def reserved(args: AppClusterArgs) -> list[Reserved]:
    """Docker: the memory of its containers. Of a single role the old one stops before a new one starts."""
    counts = args.counts
    found = [Reserved(web_memory_mb(args), counts.replicas, Phase.RELEASE)]
    if args.php:
        found.append(Reserved(limits.nginx_memory_mb(args), counts.replicas, Phase.RELEASE))
    for name, role in (args.roles or {}).items():
        phase = Phase.ALWAYS if role.single else Phase.RELEASE
        found.append(Reserved(role.memory_mb, counts.roles[name].count, phase))
    if args.migration:
        found.append(Reserved(args.migration.memory_mb, phase=Phase.ONCE))
    return found


def web_cpu(args: AppClusterArgs) -> float:
    """Cores that a web container is reserved."""
    return args.web.cpu or tier.web_cpu(args.counts.children)


def fpm_command(args: AppClusterArgs) -> list[str]:
    """The whole command line of PHP-FPM."""
    options = [part for key, value in server.php_options(args).items() for part in ("-d", f"{key}={value}")]
    configuration = ["--fpm-config", f"{server.CONFIG}/{server.FPM}"]
    command = args.php.command if args.php else None
    return [*(command or ["php-fpm"]), "--nodaemonize", *configuration, *options]


def nginx_command(args: AppClusterArgs) -> list[str]:
    """The whole command line of nginx; `-e` because its built-in error log lies in a read-only place."""
    command = args.php.nginx_command if args.php else None
    return [*(command or ["nginx"]), "-e", "stderr", "-c", f"{server.CONFIG}/{server.NGINX}"]


def with_secrets(args: AppClusterArgs, command: Sequence[str]) -> list[str]:
    """`command` as a process that gets its secrets from the mounted files."""
    if args.secret_delivery is SecretDelivery.FILE or not secret_names(args):
        return list(command)
    return ["/bin/sh", "-c", EXPORT, "sh", *command]


def web_check(args: AppClusterArgs) -> list[str]:
    """Docker: a command in the web container that exits 0 once it can serve requests, and while it answers then."""
    if args.php:
        return _http_check(args, server.READY, server.PROBES)
    alive = _http_check(args, args.health.path, args.health.port or args.web.port)
    if args.health.readiness_path is None:
        return alive
    # As `server.READY` does it: noted in /tmp, which is empty again after a restart.
    noted, ready = "/tmp/.tierstack-ready", _http_check(args, args.health.readiness_path, args.web.port)
    return [
        "/bin/sh",
        "-c",
        f"{{ test -e {noted} || {{ {shlex.join(ready)} && : > {noted}; }}; }} && {shlex.join(alive)}",
    ]


def _http_check(args: AppClusterArgs, path: str, port: int) -> list[str]:
    """A command in the web container that exits 0 when `path` answers below 400."""
    client = args.health.client or [
        *("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "3"),
        *("--header", f"Host: {args.hostnames[0]}", "--header", "X-Forwarded-Proto: https"),
    ]
    return [*client, f"http://127.0.0.1:{port}{path}"]
