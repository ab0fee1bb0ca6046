"""What an AppCluster takes. The rules of it stand in `rules.py`."""

import ipaddress
from dataclasses import dataclass, field
from enum import Enum

import pulumi

from tierstack.core.errors import MISSING, Problem, out_of_range
from tierstack.core.tier import TIERS, Tier
from tierstack.links import DatabaseConnection, GatewayEndpoint, RedisConnection
from tierstack.platform import Platform
from tierstack.platform.claims import Claim


class ServerKind(Enum):
    """How the application speaks HTTP."""

    PHP_FPM = "php-fpm"
    """nginx and PHP-FPM from the image, with configuration of ours."""
    HTTP = "http"
    """The image has a server of its own, started by `command`."""


class SecretDelivery(Enum):
    """How processes get their secrets; `docker inspect` shows them in neither case."""

    ENV = "env"
    """As environment variables of the process (`DB_PASSWORD`), as Laravel reads them."""
    FILE = "file"
    """As files, named by environment variables (`DB_PASSWORD_FILE=/run/…/DB_PASSWORD`)."""


@dataclass(kw_only=True)
class OutboundNetwork:
    """A network outside the namespace that the application may reach."""

    cidr: str
    """The network, such as `10.20.0.0/16`; a single address ends with `/32`."""
    ports: list[int]
    """TCP ports there, such as `[9200]`."""

    def problems(self, path: str) -> list[Problem]:
        """The rules of a network and its ports."""
        found: list[Problem] = []
        for index, port in enumerate(self.ports):
            found += out_of_range(f"{path}.ports[{index}]", port, 1, 65535)
        if not self.ports:
            found.append(Problem(f"{path}.ports", MISSING, "is empty", "write the ports, such as `[9200]`"))
        try:
            network = ipaddress.ip_network(self.cidr, strict=False)
        except ValueError:
            wrong, instead = "is not a network in CIDR notation (RFC 4632)", "write one such as `10.20.0.0/16`"
            return [*found, Problem(f"{path}.cidr", self.cidr, wrong, instead)]
        if str(network) != self.cidr:
            wrong = "is not written as a network: prefix length given, all bits after it 0"
            found.append(Problem(f"{path}.cidr", self.cidr, wrong, f"write `{network}`"))
        return found


@dataclass(kw_only=True)
class QueueScaling:
    """The Redis list by whose length KEDA scales the workers. A list has no age: jobs that wait long count only as
    jobs that wait."""

    list_name: str
    """Key of the list of waiting jobs, with the prefix of the application: Laravel's default queue is
    `laravel_database_queues:default`."""
    jobs_per_worker: int = 20
    """Waiting jobs for which one more worker runs. 1 to 1000000. Default: 20."""
    database_index: int = 0
    """Number of the Redis database that holds the list. 0 to 15. Default: 0."""
    keda_namespace: str = "keda"
    """Namespace of KEDA's operator, which must reach Redis. Default: `keda`."""


@dataclass(kw_only=True)
class AppClusterArgs:
    """Arguments of AppCluster: a web application with its queue workers, scheduler and migrations."""

    platform: Platform
    """Where it runs."""
    tier: Tier
    """What it is sized for: gives every count and size left out."""
    image: pulumi.Input[str]
    """The application's image, by digest. All processes run from it."""
    hostnames: list[str]
    """Names that it answers to, in lower case; the first is in `url`. `*.example.org` covers one label (not for the
    first)."""
    gateway: GatewayEndpoint
    """The Gateway in front of it."""
    server: ServerKind = ServerKind.PHP_FPM
    """`php-fpm` or `http`."""
    document_root: str | None = None
    """php-fpm: directory of the public files in the image, such as `/srv/shop/public`. Required there."""
    front_controller: str = "index.php"
    """php-fpm: the script in the document root that answers whatever is no file."""
    port: int = 8080
    """Port inside the container; above 1023, because nothing runs as root."""
    command: list[str] | None = None
    """http: how to start the server. Required there."""
    fpm_command: list[str] | None = None
    """php-fpm: how to start PHP-FPM; `--nodaemonize` and the configuration are added. None: `["php-fpm"]`, found on
    the PATH, as in the official image; Debian's own package calls it `php-fpm8.4`."""
    nginx_command: list[str] | None = None
    """php-fpm: how to start nginx. None: `["nginx"]`."""
    nginx_image: pulumi.Input[str] | None = None
    """php-fpm: image of nginx by digest, where the application's has none; it sees a copy of the document root. None:
    the application's image."""
    php_settings: dict[str, str] | None = None
    """php-fpm: further settings of PHP, written as in php.ini, such as `{"opcache.memory_consumption": "256"}`. None:
    none."""
    user: str = "10001:10001"
    """`uid:gid` of all processes; not root. Official PHP images use 33:33 for www-data."""
    replicas: int | None = None
    """Web containers; on Kubernetes what the autoscaler starts from. None: from the tier."""
    max_replicas: int | None = None
    """Kubernetes: ceiling of the autoscaler. None: from the tier, or `replicas` if that is more."""
    workers: int | None = None
    """Queue workers; 0 for none. None: from the tier if there is a `worker_command`, else 0."""
    max_workers: int | None = None
    """Kubernetes: ceiling of the workers' autoscaler. None: from the tier, or `workers` if that is more."""
    worker_queue: QueueScaling | None = None
    """Kubernetes: scale the workers by the length of this queue and by CPU, whichever asks for more; needs KEDA in the
    cluster. None: by CPU alone, which workers that wait for others hardly use."""
    children: int | None = None
    """php-fpm: children of each web container: how many requests it answers at a time. None: from the tier."""
    child_memory_mb: int | None = None
    """php-fpm: memory_limit of a child, in MiB. None: from the tier."""
    web_memory_mb: int | None = None
    """Hard limit of a web container in MiB. None: children × child_memory_mb + 64, four bodies of `max_body_mb` (at
    least 64 MiB), and what `php_settings` give to opcache."""
    web_cpu: float | None = None
    """Cores that a web container is reserved, and that the autoscaler measures against. None: 1 for each 24
    children, at least 0.25."""
    worker_memory_mb: int = 256
    """Hard limit of a worker or the scheduler, in MiB."""
    worker_cpu: float = 0.25
    """Cores that a worker is reserved."""
    worker_command: list[str] | None = None
    """How to start a queue worker, such as `["php", "artisan", "queue:work"]`. None: there is no queue."""
    worker_health_command: list[str] | None = None
    """Exits with 0 while the worker is well. None: it is well while it runs."""
    scheduler_command: list[str] | None = None
    """How to start the scheduler in the foreground, such as `["php", "artisan", "schedule:work"]`. None: none."""
    scheduler_health_command: list[str] | None = None
    """Exits with 0 while the scheduler is well. None: it is well while it runs."""
    migrate_command: list[str] | None = None
    """What to run to its end before code of a new release, on the direct connection; must be safe to repeat. None:
    nothing."""
    migrate_timeout_seconds: int = 900
    """How long that may take, in seconds."""
    health_path: str = "/health"
    """Path that answers 200 while the process is alive; must not ask database or Redis, whose trouble no restart
    mends. php-fpm: used only where there is no `readiness_path`, because PHP-FPM tells by itself that it is alive."""
    health_port: int | None = None
    """http: port of the server on which `health_path` is answered apart from the work, such as that of its metrics or
    of its management. None: `port`; then a server whose workers all wait for a database does not answer, so only one
    that has been silent for 10 minutes is restarted."""
    readiness_path: str | None = None
    """Path that answers 2xx when a new container can serve requests; asked until it does, before it gets traffic, and
    not afterwards, because taking every container away mends no database. None: `health_path`."""
    environment: dict[str, str] | None = None
    """Environment variables of all processes; no secrets. None: only those of the connections."""
    secrets: dict[str, pulumi.Input[str]] | None = field(default=None, metadata={"secret": True})
    """Secret environment variables, by name. None: only the passwords of the connections."""
    secret_delivery: SecretDelivery = SecretDelivery.ENV
    """`env` or `file`."""
    uploads_path: str | None = None
    """Directory of files that users upload, kept in a volume that all processes share; not `document_root`, and no
    parent of it. None: no volume."""
    uploads_gb: int = 20
    """Kubernetes: GiB of that volume."""
    uploads_access_mode: str = "ReadWriteMany"
    """Kubernetes: access mode of that volume. `ReadWriteOnce` keeps every pod on one node."""
    uploads_storage_class: str | None = None
    """Kubernetes: StorageClass of that volume, one that several nodes can mount (NFS, CephFS). None: the platform's."""
    database: DatabaseConnection | None = None
    """Gives DB_CONNECTION, DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME, DB_PASSWORD, and DB_DIRECT_HOST and
    DB_DIRECT_PORT to the migration; where it is encrypted, DB_SSLMODE, PGSSLMODE and PGSSLROOTCERT. None: none."""
    persistent_connections: bool = True
    """Whether processes keep their database connections between requests; sets DB_PERSISTENT to `true` or `false`,
    which the application must read (Laravel: `PDO::ATTR_PERSISTENT => env('DB_PERSISTENT')` in the `options` of
    config/database.php). A new connection for each request costs the pooler ten times the CPU."""
    service_time_ms: float | None = None
    """Mean time in ms that a request occupies a child, for `tierstack check`. None: 15, until you measure yours."""
    cpu_time_ms: float | None = None
    """Mean CPU time in ms that a request takes in nginx and PHP, for `tierstack check`. None: 1, as the example shop
    takes; frameworks take several times that, so measure yours."""
    redis: RedisConnection | None = None
    """Gives REDIS_HOST, REDIS_PORT and REDIS_PASSWORD; where it is encrypted, REDIS_SCHEME (`tls`) and REDIS_CAFILE.
    None: no Redis."""
    health_client: list[str] | None = None
    """Command in the web container that fetches an HTTP address, given last, and exits with 0 when it answers below
    400; such as `["wget", "-q", "-O", "/dev/null"]`. None: curl. Docker only."""
    writable_paths: list[str] | None = None
    """Directories that processes may write temporary files into, beside /tmp; in memory, at most 64 MiB each. None:
    none."""
    rate_limit: int = 100
    """Requests/s that one client address may make in the long run; more get 429. 0: no limit."""
    rate_burst: int = 200
    """Requests that one client address may make at once."""
    max_body_mb: int = 16
    """php-fpm: largest request body in MiB; larger ones get 413. A replica holds four of that size at a time in memory,
    and answers 503 to further ones. With `http`, the image's server limits bodies."""
    hsts_seconds: int = 31536000
    """max-age of Strict-Transport-Security (RFC 6797) in seconds. 0: not sent."""
    content_security_policy: str | None = None
    """Content-Security-Policy of answers (W3C CSP 3). None: left to the application."""
    frame_options: str = "SAMEORIGIN"
    """X-Frame-Options of answers (RFC 7034): `DENY` or `SAMEORIGIN`."""
    request_timeout_seconds: int = 60
    """How long the application may take for one request, in seconds; sending and receiving do not count."""
    stop_seconds: int | None = None
    """How long running requests may take when a web container stops, in seconds; then they are cut off. None:
    `request_timeout_seconds`."""
    worker_stop_seconds: int = 60
    """How long the job in hand may take when a worker stops, in seconds."""
    outbound_ports: list[int] | None = None
    """Kubernetes: TCP ports that pods may reach at public addresses. None: 443 (HTTPS) and 587 (mail)."""
    outbound_networks: list[OutboundNetwork] | None = None
    """Kubernetes: private networks that pods may reach too, such as that of a search engine or a mail relay. None:
    none."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def counts(self) -> "AppCounts":
        """The counts and sizes that hold: those given, else those of the tier."""
        size = TIERS[self.tier].app
        replicas = size.replicas if self.replicas is None else self.replicas
        workers = self.workers
        if workers is None:
            workers = size.workers if self.worker_command else 0
        return AppCounts(
            replicas=replicas,
            max_replicas=max(replicas, size.max_replicas) if self.max_replicas is None else self.max_replicas,
            workers=workers,
            max_workers=max(workers, size.max_workers) if self.max_workers is None else self.max_workers,
            children=size.children if self.children is None else self.children,
            child_memory_mb=size.child_memory_mb if self.child_memory_mb is None else self.child_memory_mb,
        )

    def problems(self) -> list[Problem]:
        """Everything that is wrong with the arguments."""
        from tierstack.app_cluster.rules import problems_of  # the rules need the types above

        return problems_of(self)

    def claims(self) -> list[Claim]:
        """What no other component of the program can have."""
        from tierstack.app_cluster.rules import claims_of

        return claims_of(self)


@dataclass(frozen=True, kw_only=True)
class AppCounts:
    """Counts and sizes of an application, settled."""

    replicas: int
    max_replicas: int
    workers: int
    max_workers: int
    children: int
    child_memory_mb: int
