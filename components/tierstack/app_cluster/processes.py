"""What the processes of a release get on both platforms (pure): commands, environment, secrets and memory."""

import shlex
from collections.abc import Sequence

from tierstack.app_cluster import limits, server
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.options import SecretDelivery
from tierstack.app_cluster.release import Release
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


def files(app: Application, release: Release) -> dict[str, str]:
    """Configuration files of a release, by their name under `server.CONFIG`."""
    if not release.php:
        return {}
    return {server.NGINX: server.nginx(app, release), server.FPM: server.fpm(release)}


def plain_environment(app: Application, release: Release) -> dict[str, str]:
    """Variables of all processes that are known at preview."""
    given = {key: one.plain[key] for one in connected(app) for key in one.plain}
    if app.uploads:
        given["UPLOADS_DIR"] = app.uploads.path
    if release.secret_delivery is SecretDelivery.FILE:
        given |= {f"{name}_FILE": f"{SECRETS}/{name}" for name in secret_names(app)}
    return {**given, **release.environment}


def secret_names(app: Application) -> list[str]:
    """Variables that are secret, those of the connections included."""
    return sorted({*app.secrets, *(one.password for one in connected(app))})


def web_memory_mb(release: Release) -> int:
    """MiB of a web container that runs the application."""
    return release.web.memory_mb or limits.web_memory_mb(release)


def reserved(release: Release) -> list[Reserved]:
    """Docker: the memory of its containers. Of a single role the old one stops before a new one starts."""
    counts = release.counts
    found = [Reserved(web_memory_mb(release), counts.replicas, Phase.RELEASE)]
    if release.php:
        found.append(Reserved(limits.nginx_memory_mb(release), counts.replicas, Phase.RELEASE))
    for name, role in release.roles.items():
        phase = Phase.ALWAYS if role.single else Phase.RELEASE
        found.append(Reserved(role.memory_mb, counts.roles[name].count, phase))
    if release.migration:
        found.append(Reserved(release.migration.memory_mb, phase=Phase.ONCE))
    return found


def web_cpu(release: Release) -> float:
    """Cores that a web container is reserved."""
    return release.web.cpu or tier.web_cpu(release.counts.children)


def fpm_command(release: Release) -> list[str]:
    """The whole command line of PHP-FPM."""
    options = [part for key, value in server.php_options(release).items() for part in ("-d", f"{key}={value}")]
    configuration = ["--fpm-config", f"{server.CONFIG}/{server.FPM}"]
    command = release.php.command if release.php else None
    return [*(command or ["php-fpm"]), "--nodaemonize", *configuration, *options]


def nginx_command(release: Release) -> list[str]:
    """The whole command line of nginx; `-e` because its built-in error log lies in a read-only place."""
    command = release.php.nginx_command if release.php else None
    return [*(command or ["nginx"]), "-e", "stderr", "-c", f"{server.CONFIG}/{server.NGINX}"]


def with_secrets(app: Application, release: Release, command: Sequence[str]) -> list[str]:
    """`command` as a process that gets its secrets from the mounted files."""
    if release.secret_delivery is SecretDelivery.FILE or not secret_names(app):
        return list(command)
    return ["/bin/sh", "-c", EXPORT, "sh", *command]


def web_check(app: Application, release: Release) -> list[str]:
    """Docker: a command in the web container that exits 0 once it can serve requests, and while it answers then."""
    if release.php:
        return _http_check(app, release, server.READY, server.PROBES)
    alive = _http_check(app, release, release.health.path, release.health.port or release.web.port)
    if release.health.readiness_path is None:
        return alive
    # As `server.READY` does it: noted in /tmp, which is empty again after a restart.
    noted, ready = "/tmp/.tierstack-ready", _http_check(app, release, release.health.readiness_path, release.web.port)
    return [
        "/bin/sh",
        "-c",
        f"{{ test -e {noted} || {{ {shlex.join(ready)} && : > {noted}; }}; }} && {shlex.join(alive)}",
    ]


def _http_check(app: Application, release: Release, path: str, port: int) -> list[str]:
    """A command in the web container that exits 0 when `path` answers below 400."""
    client = release.health.client or [
        *("curl", "--fail", "--silent", "--show-error", "--output", "/dev/null", "--max-time", "3"),
        *("--header", f"Host: {app.hostnames[0]}", "--header", "X-Forwarded-Proto: https"),
    ]
    return [*client, f"http://127.0.0.1:{port}{path}"]
