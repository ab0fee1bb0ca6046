"""What an AppCluster takes. The rules of it stand in `rules.py`."""

from dataclasses import dataclass, field

import pulumi

from tierstack.app_cluster.application import Application
from tierstack.app_cluster.counts import AppCounts, role_counts
from tierstack.app_cluster.options import (
    HealthArgs,
    HttpArgs,
    HttpServerArgs,
    MigrationArgs,
    OutboundArgs,
    PhpFpmArgs,
    RoleArgs,
    SecretDelivery,
    UploadsArgs,
)
from tierstack.app_cluster.release import Release, RequestLimits
from tierstack.app_cluster.release_options import ReleaseArgs, TrafficArgs
from tierstack.app_cluster.release_rules import release_problems
from tierstack.app_cluster.rules import claims_of, count_problems, problems_of
from tierstack.app_cluster.running import Running, running
from tierstack.app_cluster.traffic_rules import same_release_problems, traffic_problems
from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic
from tierstack.core.keys import KUBERNETES_ONLY, within
from tierstack.core.tier import TIERS, Tier
from tierstack.links import DatabaseConnection, GatewayEndpoint, RedisConnection
from tierstack.platform import Platform
from tierstack.platform.claims import Claim


@dataclass(kw_only=True)
class AppClusterArgs:
    """Arguments of AppCluster: a web application with its background processes and migrations."""

    platform: Platform
    """Where it runs."""
    tier: Tier
    """What it is sized for: gives every count and size left out."""
    image: pulumi.Input[str]
    """The application's image, by digest. All processes run from it."""
    hostnames: list[str]
    """Names that it answers to, in lower case, such as `[shop.example, www.shop.example]`; the first is in `url`.
    `*.example.org` covers one label (not for the first)."""
    gateway: GatewayEndpoint
    """The Gateway in front of it."""
    php: PhpFpmArgs | None = None
    """nginx and PHP-FPM answer requests. Give this or `http_server`. None: the image has a server of its own."""
    http_server: HttpServerArgs | None = None
    """A server of the image's own answers requests. Give this or `php`. None: nginx and PHP-FPM do."""
    nginx_image: pulumi.Input[str] | None = None
    """`php`: image of nginx by digest, where the application's has none; it sees a copy of the document root. None: the
    application's image."""
    replicas: int | None = field(default=None, metadata=within(1, 500))
    """Web containers; on Kubernetes what the autoscaler starts from. 1 to 500. None: from the tier."""
    max_replicas: int | None = field(default=None, metadata=within(1, 500) | KUBERNETES_ONLY)
    """Kubernetes: ceiling of the autoscaler. 1 to 500. None: from the tier, or `replicas` if that is more."""
    roles: dict[str, RoleArgs] | None = field(default=None, metadata={"names": ("worker", "scheduler")})
    """Background processes by name, such as `worker`, `mail` and `scheduler`. A name is a DNS label of at most 18
    characters and stands in the names of containers and Deployments. None: only web containers run."""
    migration: MigrationArgs | None = None
    """What a release runs to its end before code of it runs. None: nothing."""
    release: ReleaseArgs = field(default_factory=ReleaseArgs)
    """How `tierstack release` brings a new release into production: strategy, steps, and by what it is judged."""
    traffic: TrafficArgs | None = None
    """The releases that run at this moment, and who gets which; `tierstack release` writes it. None: the release of the
    arguments alone, with all requests."""
    http: HttpArgs = field(default_factory=HttpArgs)
    """Limits, time-outs and security headers of requests."""
    health: HealthArgs = field(default_factory=HealthArgs)
    """How it is known that a web container is alive, and ready for traffic."""
    uploads: UploadsArgs | None = None
    """A volume for files that users upload. None: no volume."""
    outbound: OutboundArgs = field(default_factory=OutboundArgs, metadata=KUBERNETES_ONLY)
    """Kubernetes: what pods may reach, beside the namespace and DNS."""
    environment: dict[str, str] | None = None
    """Environment variables of all processes; no secrets. None: only those of the connections."""
    secrets: dict[str, pulumi.Input[str]] | None = field(default=None, metadata={"secret": True})
    """Secret environment variables, by name. None: only the passwords of the connections."""
    secret_delivery: SecretDelivery = SecretDelivery.ENV
    """`env` or `file`. Default: `env`."""
    user: str = "10001:10001"
    """`uid:gid` of all processes; not root. Official PHP images use `33:33` for www-data. Default:
    `10001:10001`."""
    writable_paths: list[str] | None = None
    """Directories that processes may write temporary files into, beside /tmp; in memory, at most 64 MiB each. None:
    only /tmp."""
    database: DatabaseConnection | None = None
    """Gives DB_HOST, DB_PORT, DB_DATABASE, DB_USERNAME, DB_PASSWORD, and DB_DIRECT_HOST and DB_DIRECT_PORT to the
    migration; and what clients of its engine read: DB_CONNECTION, and where it is encrypted DB_SSLMODE, PGSSLMODE and
    PGSSLROOTCERT (PostgreSQL) or MYSQL_ATTR_SSL_CA (MySQL). None: no database, and none of these variables."""
    persistent_connections: bool | None = None
    """Whether processes keep their database connections between requests; sets DB_PERSISTENT to `true` or `false`,
    which the application must read (Laravel: `PDO::ATTR_PERSISTENT => env('DB_PERSISTENT')` in the `options` of
    config/database.php). A new connection for each request costs PgBouncer ten times the CPU; a kept one holds a
    connection of MySQL. None: `true` with PostgreSQL, `false` with MySQL."""
    redis: RedisConnection | None = None
    """Gives REDIS_HOST, REDIS_PORT, REDIS_PASSWORD; REDIS_USERNAME where it has a user for applications; where it is
    encrypted, REDIS_SCHEME (`tls`) and REDIS_CAFILE. None: these variables are not set."""
    more_redis: dict[str, RedisConnection] | None = None
    """Further Redis stores by name, a DNS label. The name is part of the variables: `cache` gives REDIS_CACHE_HOST,
    REDIS_CACHE_PORT and so on, as `redis` gives REDIS_HOST.
    Laravel reads them in the connection `cache` below `redis` in config/database.php, with `env('REDIS_CACHE_HOST')`;
    plain PHP with `getenv('REDIS_CACHE_HOST')`. None: no further ones."""
    service_time_ms: float | None = field(default=None, metadata=within(0.1, 3600000, "ms"))
    """Mean time in ms that a request occupies a child, for `tierstack check`. 0.1 to 3600000. None: 15, until you
    measure yours."""
    cpu_time_ms: float | None = field(default=None, metadata=within(0.01, 3600000, "ms"))
    """Mean CPU time in ms that a request takes in nginx and PHP, for `tierstack check`. 0.01 to 3600000. None: 1, as
    the example shop takes; frameworks take several times that, so measure yours."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def keeps_connections(self) -> bool:
        """Whether processes keep their database connections between requests."""
        if self.persistent_connections is None:
            return self.database is None or self.database.transaction_pooling
        return self.persistent_connections

    @property
    def counts(self) -> AppCounts:
        """The counts and sizes that hold: those given, else those of the tier."""
        size, php, server = TIERS[self.tier].app, self.php, self.http_server
        children = php.children if php else server.concurrency if server else None
        child_memory_mb = php.child_memory_mb if php else None
        replicas = size.replicas if self.replicas is None else self.replicas
        return AppCounts(
            replicas=replicas,
            max_replicas=max(replicas, size.max_replicas) if self.max_replicas is None else self.max_replicas,
            children=size.children if children is None else children,
            child_memory_mb=size.child_memory_mb if child_memory_mb is None else child_memory_mb,
            roles=role_counts(self.roles, size),
        )

    @property
    def application(self) -> Application:
        """What all releases share."""
        return Application(
            platform=self.platform,
            gateway=self.gateway,
            hostnames=self.hostnames,
            http=self.http,
            user=self.user,
            uploads=self.uploads,
            outbound=self.outbound,
            secrets=self.secrets or {},
            database=self.database,
            persistent_connections=self.keeps_connections,
            redis=self.redis,
            more_redis=self.more_redis or {},
        )

    @property
    def described(self) -> Release:
        """The release that the arguments describe, as if it took all requests."""
        return Release(
            image=self.image,
            nginx_image=self.nginx_image,
            php=self.php,
            http_server=self.http_server,
            requests=RequestLimits(
                max_body_mb=self.http.max_body_mb,
                request_timeout_seconds=self.http.request_timeout_seconds,
                stop_seconds=self.http.stop_seconds,
            ),
            health=self.health,
            environment=self.environment or {},
            secret_delivery=self.secret_delivery,
            writable_paths=self.writable_paths or [],
            roles=self.roles or {},
            migration=self.migration,
            counts=self.counts,
        )

    @property
    def running(self) -> Running:
        """The releases that run. Raises DescriptionError where one cannot be read, which the rules refuse."""
        return running(self.described, self.traffic)

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        app, described = self.application, self.described
        found = problems_of(app, described) + bound_problems(self)
        found += count_problems(self.counts) + release_problems(self.release)
        if self.traffic is None:
            return found
        found += traffic_problems(self.traffic, app, described)
        return found or same_release_problems(self.traffic, app, described)

    def claims(self) -> list[Claim]:
        """What no other component of the program can have."""
        return claims_of(self.application)
