"""The groups of arguments of an AppCluster. Their rules are in `rules.py` and `role_rules.py`."""

import ipaddress
from dataclasses import dataclass, field
from enum import Enum

from tierstack.core.errors import MISSING, Diagnostic, rule
from tierstack.core.keys import DOCKER_ONLY, KUBERNETES_ONLY, within
from tierstack.platform.kubernetes import operators


class SecretDelivery(Enum):
    """How processes get their secrets; `docker inspect` shows them in neither case."""

    ENV = "env"
    """As environment variables of the process (`DB_PASSWORD`), as Laravel reads them."""
    FILE = "file"
    """As files, named by environment variables (`DB_PASSWORD_FILE=/run/…/DB_PASSWORD`)."""


@dataclass(kw_only=True)
class PhpFpmArgs:
    """nginx and PHP-FPM from the image, with configuration of tierstack's."""

    document_root: str
    """Directory of the public files in the image, such as `/srv/shop/public`."""
    front_controller: str = "index.php"
    """The script in the document root that answers every path that is not a file; no other script runs. Default:
    `index.php`."""
    children: int | None = field(default=None, metadata=within(1, 1000))
    """PHP-FPM children of each web container: how many requests it answers at a time. 1 to 1000. None: from the
    tier."""
    child_memory_mb: int | None = field(default=None, metadata=within(8, 16384, "MiB"))
    """PHP's memory_limit, in MiB for each child. 8 to 16384. None: from the tier."""
    memory_mb: int | None = field(default=None, metadata=within(32, 262144, "MiB"))
    """Hard limit of a PHP-FPM container in MiB. 32 to 262144. None: children × child_memory_mb + 64, four bodies of
    `http.max_body_mb` (at least 64 MiB), and what `settings` give to opcache."""
    cpu: float | None = field(default=None, metadata=within(0.01, 128, "cores") | KUBERNETES_ONLY)
    """Kubernetes: cores that a PHP-FPM container is reserved, and that the autoscaler measures against. 0.01 to 128.
    None: 1 for each 24 children, at least 0.25."""
    settings: dict[str, str] | None = None
    """Further settings of PHP, written as in php.ini, such as `{"opcache.memory_consumption": "256"}`. They are options
    of PHP-FPM's command, so those that need a start work too. `opcache.validate_timestamps` is 0, because the code of
    an image does not change. None: no further ones."""
    command: list[str] | None = None
    """How to start PHP-FPM; `--nodaemonize` and the configuration are added. None: `["php-fpm"]`, found on the PATH, as
    in the official image; Debian's own package calls it `php-fpm8.4`."""
    nginx_command: list[str] | None = None
    """How to start nginx. None: `["nginx"]`."""
    port: int = field(default=8080, metadata=within(1024, 65535))
    """Port of nginx inside the container. 1024 to 65535, because nothing runs as root; not 18080. Default: 8080."""


@dataclass(kw_only=True)
class HttpServerArgs:
    """A server of the image's own, such as Laravel Octane, FrankenPHP or Node.js."""

    command: list[str]
    """How to start it, in the foreground, such as `["php", "artisan", "octane:start", "--host=0.0.0.0",
    "--port=8080"]`."""
    memory_mb: int = field(metadata=within(32, 262144, "MiB"))
    """Hard limit of a container in MiB, such as `512`. 32 to 262144. It has no default, because only you know your
    server."""
    concurrency: int | None = field(default=None, metadata=within(1, 1000))
    """Requests that a container answers at a time, each with a database connection, such as the workers of Octane; for
    the sums of `tierstack check`. 1 to 1000. None: as many as the children of PHP-FPM in the tier."""
    cpu: float | None = field(default=None, metadata=within(0.01, 128, "cores") | KUBERNETES_ONLY)
    """Kubernetes: cores that a container is reserved, and that the autoscaler measures against. 0.01 to 128. None: 1
    for each 24 of `concurrency`, at least 0.25."""
    port: int = field(default=8080, metadata=within(1024, 65535))
    """Port that it listens on, on all addresses. 1024 to 65535, because nothing runs as root. Default: 8080."""


@dataclass(kw_only=True)
class HttpArgs:
    """What holds for every request: limits, time-outs and security headers."""

    rate_limit: int = field(default=100, metadata=within(0, 1000000, "requests/s"))
    """Requests/s that one client address may make in the long run; more get 429. 0 to 1000000; 0: no limit. Default:
    100."""
    rate_burst: int = field(default=200, metadata=within(1, 1000000, "requests"))
    """Requests that one client address may make at once. 1 to 1000000. Default: 200."""
    max_body_mb: int = field(default=16, metadata=within(1, 2048, "MiB"))
    """`php`: largest request body in MiB; larger ones get 413. A replica holds four of that size at a time in memory,
    and answers 503 to further ones. With `http_server`, the image's server limits bodies. 1 to 2048. Default: 16."""
    request_timeout_seconds: int = field(default=60, metadata=within(1, 3600, "seconds"))
    """How long the application may take for one request, in seconds; sending and receiving do not count. 1 to 3600.
    Default: 60."""
    stop_seconds: int | None = field(default=None, metadata=within(1, 3600, "seconds"))
    """How long running requests may take when a web container stops, in seconds; then they are cut off. 1 to 3600.
    None: `request_timeout_seconds`."""
    hsts_seconds: int = field(default=31536000, metadata=within(0, 63072000, "seconds"))
    """max-age of Strict-Transport-Security (RFC 6797) in seconds. 0 to 63072000; 0: not sent. Default: 31536000, a
    year."""
    content_security_policy: str | None = None
    """Content-Security-Policy of answers (W3C CSP 3). None: left to the application."""
    frame_options: str = "SAMEORIGIN"
    """X-Frame-Options of answers (RFC 7034): `DENY` or `SAMEORIGIN`. Default: `SAMEORIGIN`."""


@dataclass(kw_only=True)
class HealthArgs:
    """How it is known that a web container is alive, and ready for traffic."""

    path: str = "/health"
    """Path that answers 200 while the process is alive; must not ask database or Redis, whose trouble no restart
    mends. `php`: used only where there is no `readiness_path`, because PHP-FPM tells by itself that it is alive.
    Default: `/health`."""
    readiness_path: str | None = None
    """Path that answers 2xx when a new container can serve requests; asked until it does, before it gets traffic, and
    not afterwards, because taking every container away mends no database. None: `path`."""
    port: int | None = field(default=None, metadata=within(1, 65535))
    """`http_server`: port on which `path` is answered apart from the work, such as that of its metrics or of its
    management. 1 to 65535. None: the server's own; then a server whose workers all wait for a database does not answer,
    so only one that has been silent for 10 minutes is restarted."""
    client: list[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: command in the web container that fetches an HTTP address, given last, and exits with 0 when it answers
    below 400; such as `["wget", "-q", "-O", "/dev/null"]`. None: curl."""


@dataclass(kw_only=True)
class UploadsArgs:
    """A volume for files that users upload; web containers, roles and the migration share it."""

    path: str
    """Directory of the files in the containers, such as `/srv/uploads`, and the value of UPLOADS_DIR; not the document
    root, and no parent of it."""
    storage_gb: int = field(default=20, metadata=within(1, 65536, "GiB") | KUBERNETES_ONLY)
    """Kubernetes: GiB of the volume. 1 to 65536. Default: 20."""
    access_mode: str = field(default="ReadWriteMany", metadata=KUBERNETES_ONLY)
    """Kubernetes: `ReadWriteMany`, `ReadWriteOnce` or `ReadWriteOncePod`. `ReadWriteOnce` keeps every pod on one node.
    Default: `ReadWriteMany`."""
    storage_class: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: StorageClass of the volume, one that several nodes can mount (NFS, CephFS). None: the platform's."""


@dataclass(kw_only=True)
class OutboundNetwork:
    """A network outside the namespace that the application may reach."""

    cidr: str
    """The network, such as `10.20.0.0/16`; a single address ends with `/32`."""
    ports: list[int] = field(metadata=within(1, 65535))
    """TCP ports there, such as `[9200]`. 1 to 65535."""

    @rule(
        "outbound-network",
        "A network that pods may reach is written in CIDR notation, with its ports.",
        wrong="outbound: {networks: [{cidr: 10.20.0.5/16, ports: [9200]}]}",
        right="outbound: {networks: [{cidr: 10.20.0.0/16, ports: [9200]}]}",
    )
    def problems(self, path: str) -> list[Diagnostic]:
        """A network that pods may reach is written in CIDR notation, with its ports."""
        found: list[Diagnostic] = []
        if not self.ports:
            found.append(Diagnostic(f"{path}.ports", MISSING, "is empty", "write the ports, such as `[9200]`"))
        try:
            network = ipaddress.ip_network(self.cidr, strict=False)
        except ValueError:
            wrong, instead = "is not a network in CIDR notation (RFC 4632)", "write one such as `10.20.0.0/16`"
            return [*found, Diagnostic(f"{path}.cidr", self.cidr, wrong, instead)]
        if str(network) != self.cidr:
            wrong = "is not written as a network: prefix length given, all bits after it 0"
            found.append(Diagnostic(f"{path}.cidr", self.cidr, wrong, f"write `{network}`"))
        return found


@dataclass(kw_only=True)
class OutboundArgs:
    """Kubernetes: what pods may reach, beside the namespace and DNS."""

    ports: list[int] | None = field(default=None, metadata=within(1, 65535))
    """TCP ports at public addresses. 1 to 65535. None: 443 (HTTPS) and 587 (mail)."""
    networks: list[OutboundNetwork] | None = None
    """Private networks, such as that of a search engine or a mail relay. None: pods reach no private network."""


@dataclass(kw_only=True)
class QueueScaling:
    """The Redis list by whose length KEDA scales a role. A list has no age: jobs that wait long count only as jobs
    that wait."""

    list_name: str
    """Key of the list of waiting jobs, with the prefix of the application, such as
    `laravel_database_queues:default`, the default queue of Laravel."""
    jobs_per_worker: int = field(default=20, metadata=within(1, 1000000))
    """Waiting jobs for which one more process runs. 1 to 1000000. Default: 20."""
    redis: str | None = None
    """Name in `more_redis` of the Redis that holds the list. None: that of `redis`."""
    database_index: int = field(default=0, metadata=within(0, 15))
    """Number of the Redis database that holds the list. 0 to 15. Default: 0."""
    keda_namespace: str = operators.KEDA
    """Namespace of KEDA's operator, which must reach Redis. Default: `keda`."""


@dataclass(kw_only=True)
class RoleArgs:
    """A background process of the application. It has the application's image, variables, secrets and uploads."""

    command: list[str]
    """How it starts, in the foreground, such as `["php", "artisan", "queue:work", "--queue=mail"]`."""
    single: bool = False
    """Whether there are never two at a time: a release stops the old one before the new one starts. Schedulers need
    this. False: a release starts the new ones before the old ones stop."""
    count: int | None = field(default=None, metadata=within(0, 500))
    """Processes, each in a container; on Kubernetes what the autoscaler starts from. 0 to 500; 0: the role does not
    run. None: from the tier for the role named `worker`, else 1."""
    max_count: int | None = field(default=None, metadata=within(0, 500) | KUBERNETES_ONLY)
    """Kubernetes: ceiling of the autoscaler. 0 to 500. None: from the tier for the role named `worker`, or `count` if
    that is more; for any other role `count`, so there is no autoscaler."""
    queue: QueueScaling | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: scale between `count` and `max_count` by the length of this queue and by CPU, whichever asks for
    more; needs KEDA in the cluster. None: by CPU alone, which processes that wait for others hardly use."""
    memory_mb: int = field(default=256, metadata=within(16, 262144, "MiB"))
    """Hard limit of each in MiB. 16 to 262144. Default: 256."""
    cpu: float = field(default=0.25, metadata=within(0.01, 128, "cores") | KUBERNETES_ONLY)
    """Kubernetes: cores that each is reserved. 0.01 to 128. Default: 0.25."""
    stop_seconds: int = field(default=60, metadata=within(1, 86400, "seconds"))
    """How long the job in progress may take after SIGTERM, in seconds; then the process is killed. 1 to 86400. Default:
    60."""
    health_command: list[str] | None = None
    """Exits with 0 while the process is healthy. None: it is healthy while it runs."""
    environment: dict[str, str] | None = None
    """Environment variables of this role alone, in addition to those of the application; the same name here wins. No
    secrets. None: only those of the application."""


@dataclass(kw_only=True)
class MigrationArgs:
    """What a release runs to its end before any of its other containers start."""

    command: list[str]
    """What to run, such as `["php", "artisan", "migrate", "--force"]`; it must be safe to repeat. The database itself
    is at DB_DIRECT_HOST and DB_DIRECT_PORT; DB_HOST is the pooler."""
    timeout_seconds: int = field(default=900, metadata=within(1, 86400, "seconds"))
    """How long it may take, in seconds. 1 to 86400. Default: 900."""
    memory_mb: int = field(default=256, metadata=within(16, 262144, "MiB"))
    """Hard limit in MiB. 16 to 262144. Default: 256."""
    cpu: float = field(default=0.25, metadata=within(0.01, 128, "cores") | KUBERNETES_ONLY)
    """Kubernetes: cores that it is reserved. 0.01 to 128. Default: 0.25."""
