"""The arguments of DatabaseWithReplicas, and the rules that they must satisfy."""

import dataclasses
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import MISSING, Diagnostic, declare, rule
from tierstack.core.keys import DOCKER_ONLY, KUBERNETES_ONLY, within
from tierstack.core.tier import TIERS, DatabaseSize, Tier, poolers_in_rollout, server_connections
from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.engine import DataEngine
from tierstack.database.engines import ENGINES
from tierstack.database.restore import DatabaseRestoreArgs
from tierstack.links import DatabaseEngine
from tierstack.platform import Platform, PlatformKind, image_problems, name_problems
from tierstack.platform.internal_ca import MOST_GENERATIONS, TLSMode, generation_problems

MOST_REPLICAS = 4
"""Standbys of one primary on Kubernetes; each takes the whole log."""

declare(
    "database-connections",
    "The pools must fit into `max_connections`, and each pool into its clients.",
    "PostgreSQL and MySQL: max_connections; PgBouncer: default_pool_size; HAProxy: maxconn",
    wrong="database: {max_connections: 100, pool_size: 120}",
    right="database: {max_connections: 150, pool_size: 120}",
)
declare(
    "database-memory",
    "Each connection needs memory to sort and join in.",
    "PostgreSQL: work_mem; MySQL: How MySQL Uses Memory",
)
declare(
    "database-wal-storage",
    "On Docker, the log must fit into the volume of the data.",
    wrong="database: {storage_gb: 20, wal_storage_gb: 50}",
    right="database: {storage_gb: 50, wal_storage_gb: 20}",
)
declare(
    "database-poolers",
    "A database on a Docker host has one pooler.",
    wrong="platform: {kind: docker}, database: {poolers: 2}",
    right="platform: {kind: docker}, database: {pool_size: 40}",
)
declare(
    "database-platform",
    "A database must run on a platform that its engine can be built on.",
    wrong="platform: {kind: kubernetes}, database: {engine: mysql}",
    right="platform: {kind: docker}, database: {engine: mysql}",
)
declare("database-parameter", "A setting of the server must be written as in its manual, on one line.")
declare(
    "database-parameter-owned",
    "Settings that tierstack decides cannot be given.",
    wrong='database: {parameters: {max_connections: "200"}}',
    right="database: {max_connections: 200}",
)


@dataclass(kw_only=True)
class DatabaseWithReplicasArgs:
    """A PostgreSQL 17 or newer behind PgBouncer, with streaming replicas where the tier has them; or, on Docker, a
    MySQL 8.4 or 9.7 behind HAProxy."""

    platform: Platform
    """Where it runs."""
    tier: Tier
    """What every size that is left out comes from."""
    engine: DatabaseEngine = DatabaseEngine.POSTGRESQL
    """`postgresql` (default), or `mysql` (Docker only). Never change it for a database with data: another server cannot
    read the same files. Make a second DatabaseWithReplicas, and copy the data over."""
    image: pulumi.Input[str]
    """Image of the server by digest (on Docker also an image id). Docker: it needs `sh`, and the programs of the server
    on its PATH. PostgreSQL runs as user 26, as CloudNativePG's images do, and on Kubernetes its tag starts with the
    version. MySQL runs as user 999, which must be called `mysql`, as in the official images."""
    pooler_image: pulumi.Input[str] | None = None
    """What clients connect to, by digest. Docker: required. PostgreSQL: PgBouncer 1.21 or newer, which runs as user
    998; on Docker it needs `sh`, `pgbouncer` and `pg_isready`, on Kubernetes None is the image of the operator. MySQL:
    HAProxy 2.4 or newer, which runs as user 99, with `sh`, and `wget` or `bash`."""
    database: str = "app"
    """Name of the database: lower-case letters, digits and underscores, at most 63."""
    user: str = "app"
    """Owner of the tables; same letters, at most 61 (MySQL: 30). It never logs in. Applications log in as `<user>_a` or
    `<user>_b`, which have all its rights (`password_generation`)."""
    password_generation: int = field(default=1, metadata=within(0, MOST_GENERATIONS))
    """Raise it by one to rotate the password of the application: the other of the two login roles gets a new one, and
    the password before stays valid until the next rotation. 0: the application logs in as `user` itself, as in a
    database that was made before there were login roles. 0 to 1000. Lowering it is refused."""
    replicas: int | None = field(default=None, metadata=within(0, MOST_REPLICAS))
    """Standbys beside the primary. 0 to 4, on Docker 0 to 2, for MySQL with `proxy_image` only. None: from the tier
    (100k: 0, 1M: 2)."""
    proxy_image: pulumi.Input[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: before standbys, HAProxy 2.4 or newer by digest, which runs as user 99, with `sh`, and `wget` or `bash`.
    It stands before the servers, so that a standby can be promoted and reads can go to standbys (`read_host` of the
    connection). None: reads go to the primary, and no standby can be promoted; MySQL has no standbys then."""
    read_lag_seconds: int = field(default=10, metadata=within(1, 3600, "seconds") | DOCKER_ONLY)
    """Docker: with `proxy_image`, seconds that a standby may lag behind. Reads leave one that lags more. 1 to 3600."""
    synchronous: bool = field(default=False, metadata=DOCKER_ONLY)
    """Docker: with `proxy_image`, whether a commit waits until one standby has it on disk. Writes then wait for as long
    as no standby streams. False (default): a commit waits for no standby, and what none has received is lost with the
    primary's volume. A change restarts the servers."""
    poolers: int | None = field(default=None, metadata=within(1, 20))
    """Instances of the pooler. 1 to 20. None: from the tier; always 1 on Docker."""
    read_poolers: int = field(default=0, metadata=within(0, 20) | KUBERNETES_ONLY)
    """Kubernetes: instances of a second pooler, in front of the standbys (`read_host` of the connection). 0 (default):
    there is none, and reads go to the primary. 0 to 20."""
    max_connections: int | None = field(default=None, metadata=within(20, 5000))
    """max_connections of the server. 20 to 5000. None: from the tier; MySQL with standbys: twice the pool of a single
    server, as long as 8 MiB for each fit into `memory_mb`. A change restarts the server."""
    pool_size: int | None = field(default=None, metadata=within(1, 5000))
    """Server connections that each pooler opens at most: poolers × pool_size ≤ max_connections − 13 (MySQL: − 10). On
    Kubernetes a single pooler counts twice, because its successor starts beside it. 1 to 5000. None: from the tier.
    MySQL: as many as `max_connections` leaves, because each connected client holds one; with standbys half of them."""
    max_client_connections: int | None = field(default=None, metadata=within(1, 20000))
    """Client connections that each pooler accepts. 1 to 20000. None: from the tier."""
    pooler_cpu: float | None = field(default=None, metadata=within(0.05, 1, "cores") | KUBERNETES_ONLY)
    """Kubernetes: cores that each pooler is reserved; there is no limit. A PgBouncer is a single thread, so more than 1
    is of no use: raise `poolers` instead. 0.05 to 1. None: from the tier (100k: 0.5, 1M: 1)."""
    memory_mb: int | None = field(default=None, metadata=within(256, 4194304, "MiB"))
    """MiB of each server: its hard limit, from which its buffers are computed. 256 to 4194304. None: from the tier."""
    storage_gb: int | None = field(default=None, metadata=within(1, 65536, "GiB"))
    """GiB of each data volume (Kubernetes; a local Docker volume has no size). 1 to 65536. None: from the tier."""
    wal_storage_gb: int | None = field(default=None, metadata=within(2, 65536, "GiB"))
    """GiB for the log. PostgreSQL: half of it may be held back by a slow or lost consumer; a volume of its own on
    Kubernetes. MySQL: a quarter for the redo log, half for binary logs. 2 to 65536. None: from the tier."""
    cpu: float | None = field(default=None, metadata=within(0.1, 256, "cores"))
    """Cores of each server. Docker: its weight against other containers. 0.1 to 256. None: from the tier."""
    archive: DatabaseArchiveArgs | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: where the write-ahead log is archived; a BackupSchedule needs it. None: it is not archived."""
    restore: DatabaseRestoreArgs | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: the backups that the database is made from. It counts when the database is made, and never again; one
    that exists is not touched. None: the database is made empty."""
    tls: TLSMode = TLSMode.REQUIRE
    """`require` (default), `allow` or `disable`: whether connections are encrypted, and clients verify the server.
    Docker: a stack in use changes from `disable` to `require` without a pause by an update with `allow` between."""
    ca_generation: int = field(default=1, metadata=within(1, MOST_GENERATIONS) | DOCKER_ONLY)
    """Docker: another number, 1 to 1000, makes another CA; the one before it stays trusted. Raise it by one to change
    the CA, and by one more for the old one to be trusted no longer."""
    parameters: dict[str, str] | None = None
    """Further settings of the server (postgresql.conf, my.cnf), or other values for computed ones (`work_mem`,
    `innodb_buffer_pool_size`). None: no further ones. A change restarts the server on Docker; on Kubernetes only where
    the setting needs it."""
    operator_namespace: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: namespace of the engine's operator, which must reach the servers. None: `cnpg-system`."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    def size(self) -> DatabaseSize:
        """The sizes that hold: those given, else those of the tier."""
        size, engine = TIERS[self.tier].database, self.data_engine
        given = {field.name: getattr(self, field.name) for field in dataclasses.fields(size)}
        chosen = {name: value for name, value in given.items() if value is not None}
        if self.platform.kind is PlatformKind.DOCKER:
            chosen["poolers"] = 1
            most = 0 if engine.needs_proxy and self.proxy_image is None else engine.docker_replicas
            chosen.setdefault("replicas", min(size.replicas, most))
        size = dataclasses.replace(size, **chosen)
        if "pool_size" in chosen:
            return size
        return engine.with_pool(size, connections_given=self.max_connections is not None)

    @property
    def namespace_of_operator(self) -> str:
        """Kubernetes: where the operator is."""
        given = self.operator_namespace
        return self.data_engine.operator_namespace if given is None else given

    @property
    def proxied(self) -> bool:
        """Whether a proxy stands before the servers: on Docker, where there are standbys and an image for it."""
        docker = self.platform.kind is PlatformKind.DOCKER
        return bool(docker and self.proxy_image is not None and self.data_engine.proxy and self.size().replicas)

    @property
    def data_engine(self) -> DataEngine:
        """The facts and rules of its engine."""
        return ENGINES[self.engine]

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong, empty when all is well."""
        names = self.data_engine.names
        if self.platform.kind not in self.data_engine.platforms:
            return [*self.platform.problems(), self._not_there()]
        return [
            *self.platform.problems(),
            *self._image_problems(),
            *self._name_problems("database", self.database, names.databases),
            *self._name_problems("user", self.user, names.users),
            *self._platform_problems(),
            *self._restore_problems(),
            *self._replica_problems(),
            *self._proxy_problems(),
            *(bound_problems(self) or self._balance_problems(self.size())),
            *self._parameter_problems(),
            *generation_problems(self.ca_generation, self.tls, self.platform.kind),
        ]

    def _not_there(self) -> Diagnostic:
        engine = self.data_engine
        there = " or ".join(sorted(f"`{kind.value}`" for kind in engine.platforms))
        other = " or ".join(f"`{one.value}`" for one, facts in ENGINES.items() if self.platform.kind in facts.platforms)
        wrong = f"{engine.server.title} is not available on {self.platform.kind.value} yet, only on {there}"
        return Diagnostic("engine", self.engine.value, wrong, f"use {other}, or {there}", "database-platform")

    def _image_problems(self) -> list[Diagnostic]:
        kind, engine = self.platform.kind, self.data_engine
        found = image_problems("image", self.image, kind)
        if not found and isinstance(self.image, str):  # an output is judged once it is known
            found += engine.version_problems(self.image, kind)
        if self.pooler_image is not None:
            found += image_problems("pooler_image", self.pooler_image, kind)
        elif kind is PlatformKind.DOCKER:
            wrong = "is required on a Docker platform"
            found.append(
                Diagnostic(
                    "pooler_image",
                    MISSING,
                    wrong,
                    f"give an image of {engine.pooler.image} by digest",
                    "required-on-platform",
                )
            )
        return found

    @rule(
        "database-name",
        "Names of database and user must be plain ones that nothing else uses.",
        "PostgreSQL: Lexical Structure; MySQL: Schema Object Names",
        wrong="database: {database: my-shop}",
        right="database: {database: my_shop}",
    )
    def _name_problems(self, path: str, value: str, reserved: frozenset[str]) -> list[Diagnostic]:
        names, title = self.data_engine.names, self.data_engine.server.title
        if not names.pattern.fullmatch(value):
            return [Diagnostic(path, value, f"is not a plain {title} name", f"write {names.described}")]
        # What is called by the user too: its two login roles.
        also = [f"{value}_a"] if path == "user" else []
        if value in reserved or any(one.startswith((*names.prefixes, "tierstack_")) for one in (value, *also)):
            wrong = f"is a name that {title}, its pooler or tierstack use themselves"
            return [Diagnostic(path, value, wrong, "write another, such as `app` or `shop`")]
        if not all(map(names.pattern.fullmatch, also)):
            wrong = (
                "is too long: its login roles, which are called after it with `_a` and `_b`, would not be plain "
                f"{title} names"
            )
            return [Diagnostic(path, value, wrong, "write a name that is shorter by two characters")]
        return []

    def _platform_problems(self) -> list[Diagnostic]:
        found: list[Diagnostic] = []
        if self.platform.kind is PlatformKind.DOCKER:
            if self.archive is not None:
                wrong = "means something only on a Kubernetes platform"
                instead = "remove it, and give `connection` to a BackupSchedule, which streams the log itself"
                found.append(Diagnostic("archive", MISSING, wrong, instead, "wrong-platform"))
            if self.restore is not None:
                wrong = "means something only on a Kubernetes platform"
                instead = "remove it, and run `tierstack restore --in-place --replace-data`"
                found.append(Diagnostic("restore", MISSING, wrong, instead, "wrong-platform"))
            if self.pooler_cpu is not None:
                wrong = "means something only on a Kubernetes platform"
                instead = "remove it; the pooler may use a whole core"
                found.append(Diagnostic("pooler_cpu", self.pooler_cpu, wrong, instead, "wrong-platform"))
            if self.poolers not in (None, 1):
                wrong = "a Docker host has one pooler, which carries thousands of clients on one core"
                instead = "remove it, and raise `pool_size` where needed"
                found.append(Diagnostic("poolers", self.poolers, wrong, instead, "database-poolers"))
            if self.read_poolers:
                wrong = "means something only on a Kubernetes platform"
                instead = "remove it; reads go to the primary"
                found.append(Diagnostic("read_poolers", self.read_poolers, wrong, instead, "wrong-platform"))
        given = self.operator_namespace
        return found + (name_problems("operator_namespace", given) if given is not None else [])

    def _restore_problems(self) -> list[Diagnostic]:
        if self.platform.kind is PlatformKind.DOCKER:
            return []
        found = self.archive.problems("archive") if self.archive else []
        return found + (self.restore.problems("restore", self.archive, datetime.now(UTC)) if self.restore else [])

    @rule(
        "database-replicas",
        "Standbys need the 1M tier, and one Docker host has at most two.",
        why="Standbys of one host share its disk and its fate.",
        wrong="tier: 100k, database: {replicas: 1}",
        right="tier: 1M, database: {replicas: 1}",
    )
    def _replica_problems(self) -> list[Diagnostic]:
        if self.replicas is None or self.replicas <= 0:
            return []
        if TIERS[self.tier].database.replicas == 0:
            wrong = f"the {self.tier.value} tier has a single server, whose safety is its backups"
            instead = f"write `tier` = `{Tier.USERS_1M.value}` for standbys, or remove `replicas`"
            return [Diagnostic("replicas", self.replicas, wrong, instead)]
        engine = self.data_engine
        if self.platform.kind is PlatformKind.DOCKER and self.replicas > engine.docker_replicas:
            most = engine.docker_replicas
            wrong = f"a Docker host has at most {most} standbys: they share its disk and its fate"
            instead = f"write a number from 0 to {most}, or move to a Kubernetes platform"
            return [Diagnostic("replicas", self.replicas, wrong, instead)]
        if self.platform.kind is PlatformKind.DOCKER and engine.needs_proxy and self.proxy_image is None:
            wrong = f"standbys of {engine.server.title} stand behind a proxy, and there is no image of it"
            instead = f"give an image of {engine.proxy.image if engine.proxy else 'it'} as `proxy_image`, or remove it"
            return [Diagnostic("replicas", self.replicas, wrong, instead)]
        return []

    def _proxy_problems(self) -> list[Diagnostic]:
        kind, found = self.platform.kind, list[Diagnostic]()
        if kind is not PlatformKind.DOCKER:
            wrong = "means something only on a Docker platform"
            if self.proxy_image is not None:
                hint = "remove it; the operator's Services follow the primary"
                found.append(Diagnostic("proxy_image", MISSING, wrong, hint, "wrong-platform"))
            if self.synchronous:
                hint = "remove it; commits wait for a standby where there are two"
                found.append(Diagnostic("synchronous", self.synchronous, wrong, hint, "wrong-platform"))
            return found
        if self.proxy_image is not None:
            found += image_problems("proxy_image", self.proxy_image, kind)
        return found + self._synchronous_problems()

    @rule(
        "database-synchronous",
        "Commits can wait for a standby only where there is one that can be promoted.",
        why="Without a standby every commit would wait forever.",
        wrong="tier: 1M, database: {replicas: 0, synchronous: true}",
        right="tier: 1M, database: {replicas: 1, synchronous: true}, images: {haproxy: …}",
    )
    def _synchronous_problems(self) -> list[Diagnostic]:
        if not self.synchronous or self.proxied:
            return []
        wrong = "needs standbys behind a proxy, and there is none"
        hint = "remove it, or give `replicas` of at least 1 and a `proxy_image`"
        return [Diagnostic("synchronous", self.synchronous, wrong, hint)]

    @rule(
        "database-read-poolers",
        "A pooler of the standbys needs standbys.",
        wrong="tier: 100k, database: {read_poolers: 2}",
        right="tier: 1M, database: {read_poolers: 2}",
    )
    def _read_problems(self, size: DatabaseSize) -> list[Diagnostic]:
        if not self.read_poolers or size.replicas:
            return []
        wrong = "needs standbys, and `replicas` is 0"
        return [Diagnostic("read_poolers", self.read_poolers, wrong, "remove it, or raise `replicas`")]

    def _balance_problems(self, size: DatabaseSize) -> list[Diagnostic]:
        found = self._read_problems(size)
        reserved = self.data_engine.reserved_connections
        kubernetes = self.platform.kind is PlatformKind.KUBERNETES
        # A standby has the clients of the read poolers instead of those of the others.
        each = max(size.poolers, self.read_poolers)
        if self.proxied:  # where no standby is left, those of the standbys come to the primary, too
            each += 1
        poolers = poolers_in_rollout(each) if kubernetes else each
        opened, available = server_connections(poolers, size.pool_size), size.max_connections - reserved
        if opened > available:
            during = " during an update of the pooler" if poolers > each else ""
            wrong = (
                f"{poolers} × {size.pool_size} = {opened} server connections{during} are more than the {available} "
                f"that max_connections = {size.max_connections} leaves beside {reserved} reserved ones"
            )
            instead = (
                f"write at most {max(1, available // poolers)}, or `max_connections` of at least {opened + reserved}"
            )
            found.append(Diagnostic("pool_size", size.pool_size, wrong, instead, "database-connections"))
        if size.max_client_connections < size.pool_size:
            wrong = f"is less than pool_size = {size.pool_size}: clients could never use the pool"
            instead = f"write at least {size.pool_size}, usually several times as much"
            given = size.max_client_connections
            found.append(Diagnostic("max_client_connections", given, wrong, instead, "database-connections"))
        least, wrong = self.data_engine.least_memory(size)
        if size.memory_mb < least:
            instead = f"write at least {least}, or lower `pool_size`"
            found.append(Diagnostic("memory_mb", size.memory_mb, wrong, instead, "database-memory"))
        if size.wal_storage_gb > size.storage_gb and not kubernetes:
            wrong = f"is more than storage_gb = {size.storage_gb}, whose volume holds the log too"
            instead = f"write at most {size.storage_gb}"
            found.append(Diagnostic("wal_storage_gb", size.wal_storage_gb, wrong, instead, "database-wal-storage"))
        return found

    def _parameter_problems(self) -> list[Diagnostic]:
        engine, rules = self.data_engine, self.data_engine.parameters
        found: list[Diagnostic] = []
        for name, value in (self.parameters or {}).items():
            path = f"parameters.{name}"
            if not rules.pattern.fullmatch(name):
                examples = ", ".join(f"`{one}`" for one in rules.examples)
                wrong = f"is not a name of a {engine.server.title} setting"
                instead = f"write it as the manual does: {examples}"
                found.append(Diagnostic(path, value, wrong, instead, "database-parameter"))
            elif instead := rules.owned.get(name):
                wrong = "is decided by the component"
                found.append(Diagnostic(path, value, wrong, instead, "database-parameter-owned"))
            elif "\n" in value or "\0" in value or not (value.strip() or name in rules.may_be_empty):
                wrong = "is empty, or more than one line"
                instead = "write the value on one line, without quotes"
                found.append(Diagnostic(path, value, wrong, instead, "database-parameter"))
            else:
                found += engine.parameter_problems(path, name, value, self.size())
        return found
