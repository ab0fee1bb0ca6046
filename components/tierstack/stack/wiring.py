"""From settings to the arguments of each component, with what other components hand over given by the caller.

The program passes the real connections; a check without an engine passes stand-ins. Both judge the same arguments.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import pulumi
from pydantic import SecretStr

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.backup_schedule.names import object_store_name
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.catalog import Addon
from tierstack.cluster_addons.required import AddonsMode, Needs
from tierstack.core.arguments import load
from tierstack.core.errors import ArgumentError, Problem
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.mta_sts import host_name
from tierstack.gateway.args import TRAEFIK_CLASS, GatewayArgs
from tierstack.gateway.traefik import read_seconds
from tierstack.links import Certificate, DatabaseConnection, GatewayEndpoint, RedisConnection, SecretRef, TrustedCA
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform import Platform, PlatformKind
from tierstack.platform.internal_ca import TLSMode
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.stack.derive import Section
from tierstack.stack.settings import MASKED, Images
from tierstack.tls.args import TLSArgs

A = TypeVar("A")

# Which argument of a component is which image, for each kind of platform.
_IMAGES: dict[PlatformKind, dict[str, dict[str, str]]] = {
    PlatformKind.DOCKER: {
        "gateway": {"image": "traefik", "tools_image": "tools"},
        "app": {"image": "app", "nginx_image": "nginx"},
        "database": {"image": "postgres", "pooler_image": "pgbouncer"},
        "redis": {"image": "redis"},
        "backups": {"image": "barman"},
    },
    PlatformKind.KUBERNETES: {
        "app": {"image": "app", "nginx_image": "nginx"},
        "database": {"image": "postgres", "pooler_image": "pgbouncer"},
        "redis": {"image": "redis", "proxy_image": "haproxy"},
    },
}


@dataclasses.dataclass(frozen=True)
class Rooms:
    """The arguments of every component of a stack."""

    settings: Any
    images: Images
    platform: Platform
    root: Path = Path()
    """The project's directory: paths in the settings are relative to it, and the engine runs a program in its own."""
    protect: Callable[[str], pulumi.Input[str]] = str
    """What is made of a secret: an output that stays secret, in the program."""

    def tls(self) -> TLSArgs:
        hostnames = self.settings.tls.hostnames or self.settings.app.hostnames
        if not self.settings.tls.hostnames:
            hostnames = list(dict.fromkeys([*hostnames, *self.policy_hosts()]))
        files = {
            key: str(self.root / value)
            for key in ("certificate_path", "private_key_path")
            if (value := getattr(self.settings.tls, key)) is not None
        }
        return self._make(TLSArgs, "tls", hostnames=hostnames, **files)

    def gateway(self, certificate: Certificate) -> GatewayArgs:
        return self._make(
            GatewayArgs,
            "gateway",
            certificate=certificate,
            trusted_proxies=self.trusted_proxies(),
            **self._reading("gateway"),
        )

    def _reading(self, room: str) -> dict[str, int]:
        """How long a proxy waits for a request, unless `room` says it: by the largest body of the application."""
        if "read_timeout_seconds" in self._given(room):
            return {}
        return {"read_timeout_seconds": read_seconds(self.settings.app.max_body_mb)}

    def trusted_proxies(self) -> list[str] | None:
        """What stands in front of the proxy: written at the gateway, or at the addons that install the proxy."""
        installed = self.settings.addons.trusted_proxies if self._installs_addons() else None
        given = self.settings.gateway.trusted_proxies
        return installed if given is None else given

    def _installs_addons(self) -> bool:
        return self.platform.kind is PlatformKind.KUBERNETES and self.settings.addons.mode is AddonsMode.INSTALL

    def database(self, archive: str | None) -> DatabaseWithReplicasArgs:
        kubernetes = self.platform.kind is PlatformKind.KUBERNETES
        wired = {"archive": archive} if archive and kubernetes else {}
        return self._make(DatabaseWithReplicasArgs, "database", tier=self.settings.tier, **wired)

    def redis(self) -> RedisClusterArgs:
        return self._make(RedisClusterArgs, "redis", tier=self.settings.tier)

    def app(self, gateway: GatewayEndpoint, database: DatabaseConnection, redis: RedisConnection) -> AppClusterArgs:
        return self._make(
            AppClusterArgs, "app", tier=self.settings.tier, gateway=gateway, database=database, redis=redis
        )

    def backups(self, database: DatabaseConnection) -> BackupScheduleArgs | None:
        if self.settings.backups is None:
            return None
        return self._make(BackupScheduleArgs, "backups", database=database)

    def mta_sts(self, gateway: GatewayEndpoint) -> MtaStsHostArgs | None:
        policy = self._policy()
        if policy is None:
            return None
        given = {key: value for key, value in self._given("mta_sts").items() if key != "served_here"}
        given.setdefault("nginx_command", None if self.images.nginx else self.settings.app.nginx_command)
        known = {"image": self.images.nginx or self.images.app, "platform": self.platform, "gateway": gateway}
        domain = self.settings.dns.domain
        return self._made(MtaStsHostArgs, "mta_sts", {**given, **known, "domain": domain, "policy": policy})

    def policy_hosts(self) -> list[str]:
        """The host of the MTA-STS policy, where this stack serves one."""
        return [host_name(self.settings.dns.domain)] if self._policy() is not None else []

    def _policy(self) -> str | None:
        dns = self.dns() if self.settings.mta_sts.served_here else None
        return dns.mta_sts_policy if dns else None

    def dns(self, mta_sts_url: pulumi.Input[str] | None = None) -> DNSRecordsArgs | None:
        if self.settings.dns is None:
            return None
        given = self._given("dns")
        if publish := given.get("publish"):
            publish.setdefault("data_protection", self.platform.data_protection)
            if "external_dns" in publish:
                given["platform"] = self.platform
            elif self.platform.renders:
                del given["publish"]  # what is rendered changes nothing anywhere
        return self._made(DNSRecordsArgs, "dns", {**given, "mta_sts_url": mta_sts_url})

    def addons(self) -> ClusterAddonsArgs | None:
        """The operators, where this stack installs them."""
        if not self._installs_addons():
            return None
        given = {key: value for key, value in self._given("addons").items() if key != "mode"}
        # The proxy is the same one, so what stands in front of it is written once.
        given["trusted_proxies"] = self.trusted_proxies()
        if given.get("manifests"):
            given["manifests"] = str(self.root / given["manifests"])
        given.setdefault("keda", self.settings.app.worker_queue is not None)
        # As long as the application may take: later answers come from nobody.
        given.setdefault("response_timeout_seconds", self.settings.app.request_timeout_seconds + 5)
        if "stop_seconds" not in given and (app := self._longest_request()) > ClusterAddonsArgs.stop_seconds:
            given["stop_seconds"] = app
        return self._made(ClusterAddonsArgs, "addons", {**given, **self._reading("addons"), "platform": self.platform})

    def _longest_request(self) -> int:
        """Seconds that the application lets a request take when what serves it stops."""
        app = self.settings.app
        return app.request_timeout_seconds if app.stop_seconds is None else app.stop_seconds

    def needs(self) -> Needs | None:
        """What must be in the cluster before; None where the stack applies nothing to one, or installs it."""
        applies = self.platform.kind is PlatformKind.KUBERNETES and not self.platform.renders
        if not applies or self.settings.addons.mode is AddonsMode.INSTALL:
            return None
        found = [Addon.GATEWAY_API, Addon.CERT_MANAGER, Addon.CLOUDNATIVE_PG]
        if self.settings.gateway.gateway_class == TRAEFIK_CLASS:
            found.append(Addon.TRAEFIK)
        if self.settings.backups is not None:
            found.append(Addon.BARMAN_CLOUD)
        if self.settings.app.worker_queue is not None:
            found.append(Addon.KEDA)
        return Needs(tuple(found), self.settings.gateway.gateway_class)

    def _make(self, cls: type[A], room: str, **wired: Any) -> A:
        return self._made(cls, room, {**self._given(room), **self._images(room), "platform": self.platform, **wired})

    def _made(self, cls: type[A], room: str, values: dict[str, Any]) -> A:
        made, problems = load(cls, values)
        if problems:
            raise ArgumentError("configuration", [in_section(room, one) for one in problems])
        return cast(A, made)

    def _given(self, room: str) -> dict[str, Any]:
        return cast(Section, getattr(self.settings, room)).given(self.protect)

    def _images(self, room: str) -> dict[str, str]:
        wanted = _IMAGES[self.platform.kind].get(room, {})
        # A tool that writes files needs no more than a shell, which the image of Redis has.
        chosen = {**self.images.model_dump(), "tools": self.images.tools or self.images.redis}
        return {argument: chosen[name] for argument, name in wanted.items() if chosen[name] is not None}

    def _encrypted(
        self, database: DatabaseConnection, redis: RedisConnection
    ) -> tuple[DatabaseConnection, RedisConnection]:
        """The stand-ins with a CA where the stores have one: what an application may set depends on it."""
        database.ca = None if self.database(None).tls is TLSMode.DISABLE else TrustedCA()
        redis.ca = None if self.redis().tls is TLSMode.DISABLE else TrustedCA()
        return database, redis

    def problems(self) -> list[Problem]:
        """Every rule of every component, judged on stand-ins for what other components hand over."""
        certificate, gateway, database, redis = stand_ins(self.platform, self.settings.app.hostnames)
        archive = archive_name(self.settings)
        rooms: Mapping[str, Callable[[], Any]] = {
            "tls": self.tls,
            "gateway": lambda: self.gateway(certificate),
            "app": lambda: self.app(gateway, *self._encrypted(database, redis)),
            "database": lambda: self.database(archive),
            "redis": self.redis,
            "backups": lambda: self.backups(database),
            "mta_sts": lambda: self.mta_sts(gateway),
            "dns": self.dns,
            "addons": self.addons,
        }
        found: list[Problem] = []
        for room, make in rooms.items():
            try:
                args = make()
            except ArgumentError as error:
                found += error.problems
                continue
            if args is not None:
                found += [in_section(room, one, self.platform.kind) for one in args.problems()]
        # Nothing can be said of a secret that nothing decrypts here; the update sees it.
        found = [one for one in found if not _masked(self.settings, one.path)]
        # Each component judges the platform; a reader needs to hear of it once.
        return [one for index, one in enumerate(found) if one not in found[:index]]


def _masked(settings: Any, path: str) -> bool:
    """Whether the setting at `path` is a secret that stands encrypted in the file."""
    value = functools.reduce(lambda section, key: getattr(section, key, None), path.split("."), settings)
    return isinstance(value, SecretStr) and value.get_secret_value() == MASKED


def in_section(room: str, problem: Problem, kind: PlatformKind = PlatformKind.DOCKER) -> Problem:
    """The problem of an argument at the key of the settings that gave it."""
    first, _, rest = problem.path.partition(".")
    if first in ("platform", "tier"):
        return problem
    image = _IMAGES[kind].get(room, {}).get(first)
    if image and not rest:
        return dataclasses.replace(problem, path=f"images.{image}")
    return dataclasses.replace(problem, path=f"{room}.{problem.path}")


def archive_name(settings: Any) -> str | None:
    """Kubernetes: the ObjectStore that `backups` makes and the database archives its log to."""
    return object_store_name("backups") if settings.backups is not None else None


def stand_ins(
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
        cluster=None if docker else "db",
    )
    redis = RedisConnection(
        host="redis", port="6379", password=secret, network=network, client_labels=labels, endpoint_labels=labels
    )
    return certificate, gateway, database, redis
