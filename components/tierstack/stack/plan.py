"""The arguments of every component of a stack without any component: what a check and a picture are made of. Pure."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.required import Needs
from tierstack.core.errors import MISSING, ArgumentError, Problem
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.zone.compose import Zone
from tierstack.gateway.args import GatewayArgs
from tierstack.links import (
    Certificate,
    DatabaseArchive,
    DatabaseConnection,
    GatewayEndpoint,
    GatewayIdentity,
    ObjectStore,
    RedisConnection,
    SecretRef,
    TrustedCA,
)
from tierstack.links.database import RETENTION_DAYS
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform import Platform, PlatformKind
from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.stack.wiring import ComponentArgs, in_section, is_masked
from tierstack.tls.args import TLSArgs


class Plan:
    """The arguments of every component, each made once and when it is first asked for, on placeholders for the links.

    Each property raises ArgumentError where the settings of its component cannot be read.
    """

    def __init__(self, components: ComponentArgs) -> None:
        self.components = components
        self.settings: Any = components.settings
        self.platform: Platform = components.platform
        hostnames: list[str] = self.settings.app.hostnames
        self._certificate, self._gateway, self._database, self._redis = placeholders(self.platform, hostnames)

    @functools.cached_property
    def tls(self) -> TLSArgs:
        return self.components.tls(GatewayIdentity(name="gateway"))

    @functools.cached_property
    def gateway(self) -> GatewayArgs:
        return self.components.gateway(self._certificate)

    @functools.cached_property
    def object_storage(self) -> ObjectStorageArgs | None:
        return self.components.object_storage()

    @functools.cached_property
    def database(self) -> DatabaseWithReplicasArgs:
        args = self.object_storage
        key = SecretRef(secret_name="secret", key="key")
        store = args and ObjectStore(bucket=args.bucket, access_key_id=key, secret_access_key=key)
        database = self.components.database(store)
        if database.archive and self._database.archive:
            self._database.archive.retention_days = database.archive.retention_days
        return database

    @functools.cached_property
    def redis(self) -> RedisClusterArgs:
        return self.components.redis()

    @functools.cached_property
    def app(self) -> AppClusterArgs:
        # What an application may set depends on whether the stores have a CA.
        self._database.ca = None if self.database.tls is TLSMode.DISABLE else TrustedCA()
        self._redis.ca = None if self.redis.tls is TLSMode.DISABLE else TrustedCA()
        return self.components.app(self._gateway, self._database, self._redis)

    @functools.cached_property
    def backups(self) -> BackupScheduleArgs | None:
        _ = self.database  # completes the placeholder
        return self.components.backups(self._database)

    @functools.cached_property
    def mta_sts(self) -> MtaStsHostArgs | None:
        return self.components.mta_sts(self._gateway)

    @functools.cached_property
    def dns(self) -> DNSRecordsArgs | None:
        return self.components.records

    @functools.cached_property
    def addons(self) -> ClusterAddonsArgs | None:
        return self.components.addons()

    @functools.cached_property
    def needs(self) -> Needs | None:
        """What must be in the cluster before an update."""
        return self.components.needs()

    @property
    def zone(self) -> Zone | None:
        """The records of the domain. None: no domain is configured, or an argument is wrong."""
        return self.components.zone.zone if self.components.zone else None

    @property
    def policy_hosts(self) -> list[str]:
        """The host of the MTA-STS policy, where this stack serves one."""
        return self.components.policy_hosts()

    def _storage_problems(self) -> list[Problem]:
        """Whether there is a bucket exactly where one is used."""
        kubernetes, given = self.platform.kind is PlatformKind.KUBERNETES, self.settings.object_storage is not None
        if given and not kubernetes:
            wrong = "is used by nothing on a Docker host, where backups go to a volume"
            return [Problem("object_storage", MISSING, wrong, "remove it, or move it below `kubernetes`")]
        if kubernetes and self.settings.backups is not None and not given:
            wrong = "is required for `backups` on Kubernetes: a volume of the cluster would be lost with it"
            return [Problem("object_storage", MISSING, wrong, "give a bucket")]
        if self.settings.database.archive is not None and self.settings.backups is None:
            wrong = "is given, but there are no `backups`, so the database archives nothing"
            return [Problem("database.archive", MISSING, wrong, "add a `backups` section, or remove it")]
        return []

    def problems(self) -> list[Problem]:
        """Every rule of every component."""
        rules: Mapping[str, Callable[[], list[Problem]]] = {
            "tls": lambda: self.tls.problems(),
            "gateway": lambda: self.gateway.problems(),
            "app": lambda: self.app.problems(),
            "database": lambda: self.database.problems(),
            "object_storage": lambda: self.object_storage.problems() if self.object_storage else [],
            "redis": lambda: self.redis.problems(),
            "backups": lambda: self.backups.problems() if self.backups else [],
            "mta_sts": lambda: self.mta_sts.problems() if self.mta_sts else [],
            "dns": lambda: self.components.zone.problems if self.components.zone else [],
            "addons": lambda: self.addons.problems() if self.addons else [],
        }
        found = self._storage_problems()
        for section, judge in rules.items():
            try:
                found += [in_section(section, one, self.platform.kind) for one in judge()]
            except ArgumentError as error:
                found += error.problems
        # Nothing can be said of a secret that nothing decrypts here; the update sees it.
        found = [one for one in found if not is_masked(self.settings, one.path)]
        # Each component judges the platform; a reader needs to hear of it once.
        return [one for index, one in enumerate(found) if one not in found[:index]]


def placeholders(
    platform: Platform, hostnames: list[str]
) -> tuple[Certificate, GatewayEndpoint, DatabaseConnection, RedisConnection]:
    """What components hand over, in the shape of the platform, without any component."""
    docker = platform.kind is PlatformKind.DOCKER
    network = "network" if docker else None
    secret = SecretRef(value="secret") if docker else SecretRef(secret_name="secret", key="password")
    labels = None if docker else {"client": "true"}
    certificate = Certificate(
        hostnames=hostnames,
        certificate_pem="certificate" if docker else None,
        private_key_pem="key" if docker else None,
        secret_name=None if docker else "certificate",
    )
    gateway = GatewayEndpoint(
        https_port=443,
        tools_image=f"sha256:{'0' * 64}" if docker else None,
        network=network,
        volume="volume" if docker else None,
        user="65532:65532" if docker else None,
        name=None if docker else "gateway",
        gateway_class=None if docker else "traefik",
        proxy_namespace=None if docker else "traefik",
    )
    database = DatabaseConnection(
        host="pooler",
        port="6432",
        direct_host="primary",
        direct_port="5432",
        database="app",
        user="app",
        password=secret,
        network=network,
        direct_network=network,
        client_labels=labels,
        direct_client_labels=labels,
        backup_user="backup" if docker else None,
        backup_password=secret if docker else None,
        archive=None
        if docker
        else DatabaseArchive(cluster="db", object_store="db", location="s3://bucket", retention_days=RETENTION_DAYS),
    )
    redis = RedisConnection(
        host="redis", port="6379", password=secret, network=network, client_labels=labels, endpoint_labels=labels
    )
    return certificate, gateway, database, redis
