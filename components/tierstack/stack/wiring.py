"""From settings to the arguments of each component, with what other components hand over given by the caller.

The program passes the real links; a check without an engine passes placeholders (`plan.Plan`).
"""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import pulumi
from pydantic import SecretStr

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.catalog import Addon
from tierstack.cluster_addons.required import AddonsMode, Needs
from tierstack.core.arguments import load
from tierstack.core.errors import ArgumentError, Problem
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.dns_records.args import DNSRecordsArgs, JudgedZone
from tierstack.dns_records.mail.mta_sts.record import host_name
from tierstack.gateway.args import GatewayArgs
from tierstack.links import (
    Certificate,
    DatabaseConnection,
    GatewayEndpoint,
    GatewayIdentity,
    ObjectStore,
    RedisConnection,
)
from tierstack.links.database import RETENTION_DAYS
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform import Platform, PlatformKind
from tierstack.platform.proxy import TRAEFIK_CLASS
from tierstack.platform.proxy.traefik import read_seconds
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
class ComponentArgs:
    """Makes the arguments of every component of a stack."""

    settings: Any
    images: Images
    platform: Platform
    root: Path = Path()
    """The project's directory: paths in the settings are relative to it, and the engine runs a program in its own."""
    protect: Callable[[str], pulumi.Input[str]] = str
    """What is made of a secret: an output that stays secret, in the program."""

    def tls(self, gateway: GatewayIdentity) -> TLSArgs:
        hostnames = self.settings.tls.hostnames or self.settings.app.hostnames
        if not self.settings.tls.hostnames:
            hostnames = list(dict.fromkeys([*hostnames, *self.policy_hosts()]))
        wired: dict[str, Any] = {"hostnames": hostnames, "gateway": gateway}
        if given := self._given("tls").get("given"):
            files = {
                key: str(self.root / given[key]) for key in ("certificate_path", "private_key_path") if given.get(key)
            }
            wired["given"] = {**given, **files}
        return self._make(TLSArgs, "tls", **wired)

    def gateway(self, certificate: Certificate) -> GatewayArgs:
        return self._make(
            GatewayArgs,
            "gateway",
            certificate=certificate,
            trusted_proxies=self.trusted_proxies(),
            **self._reading("gateway"),
        )

    def _reading(self, section: str) -> dict[str, int]:
        """How long a proxy waits for a request, unless `section` says it: by the largest body of the application."""
        if "read_timeout_seconds" in self._given(section):
            return {}
        return {"read_timeout_seconds": read_seconds(self.settings.app.max_body_mb)}

    def trusted_proxies(self) -> list[str] | None:
        """What stands in front of the proxy: written at the gateway, or at the addons that install the proxy."""
        installed = self.settings.addons.trusted_proxies if self._installs_addons() else None
        given = self.settings.gateway.trusted_proxies
        return installed if given is None else given

    def _installs_addons(self) -> bool:
        return self.platform.kind is PlatformKind.KUBERNETES and self.settings.addons.mode is AddonsMode.INSTALL

    def object_storage(self) -> ObjectStorageArgs | None:
        if self.settings.object_storage is None:
            return None
        return self._make(ObjectStorageArgs, "object_storage")

    def database(self, store: ObjectStore | None) -> DatabaseWithReplicasArgs:
        """`store`: the bucket of backups. None: there is none."""
        archive: dict[str, Any] | None = None
        if store and self.settings.backups and self.platform.kind is PlatformKind.KUBERNETES:
            given: dict[str, Any] = self._given("database").get("archive") or {}
            archive = {**given, "store": store, "retention_days": self._retention_days()}
        return self._make(DatabaseWithReplicasArgs, "database", tier=self.settings.tier, archive=archive)

    def _retention_days(self) -> int:
        """How long backups are kept, on either platform."""
        given = self.settings.backups.retention_days
        return RETENTION_DAYS if given is None else given

    def redis(self) -> RedisClusterArgs:
        return self._make(RedisClusterArgs, "redis", tier=self.settings.tier)

    def app(self, gateway: GatewayEndpoint, database: DatabaseConnection, redis: RedisConnection) -> AppClusterArgs:
        return self._make(
            AppClusterArgs, "app", tier=self.settings.tier, gateway=gateway, database=database, redis=redis
        )

    def backups(self, database: DatabaseConnection) -> BackupScheduleArgs | None:
        if self.settings.backups is None:
            return None
        # On Kubernetes the archive of the database has it.
        kept = self._retention_days() if self.platform.kind is PlatformKind.DOCKER else None
        return self._make(BackupScheduleArgs, "backups", database=database, retention_days=kept)

    def mta_sts(self, gateway: GatewayEndpoint) -> MtaStsHostArgs | None:
        policy = self.policy
        if policy is None:
            return None
        given = {key: value for key, value in self._given("mta_sts").items() if key != "served_here"}
        given.setdefault("nginx_command", None if self.images.nginx else self.settings.app.nginx_command)
        known = {"image": self.images.nginx or self.images.app, "platform": self.platform, "gateway": gateway}
        domain = self.settings.dns.domain
        return self._made(MtaStsHostArgs, "mta_sts", {**given, **known, "domain": domain, "policy": policy})

    def policy_hosts(self) -> list[str]:
        """The host of the MTA-STS policy, where this stack serves one."""
        return [host_name(self.settings.dns.domain)] if self.policy is not None else []

    @functools.cached_property
    def policy(self) -> str | None:
        """The MTA-STS policy that this stack serves. None: it serves none."""
        return self.zone.policy if self.zone and self.settings.mta_sts.served_here else None

    @functools.cached_property
    def zone(self) -> JudgedZone | None:
        """The records of the domain with what is wrong with them. None: the stack computes none."""
        return self.records.judged() if self.records else None

    @functools.cached_property
    def records(self) -> DNSRecordsArgs | None:
        """The arguments of the records, before another component gives the address of the MTA-STS policy."""
        return self.dns()

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

    def _make(self, cls: type[A], section: str, **wired: Any) -> A:
        return self._made(
            cls, section, {**self._given(section), **self._images(section), "platform": self.platform, **wired}
        )

    def _made(self, cls: type[A], section: str, values: dict[str, Any]) -> A:
        made, problems = load(cls, values)
        if problems:
            raise ArgumentError("configuration", [in_section(section, one) for one in problems])
        return cast(A, made)

    def _given(self, section: str) -> dict[str, Any]:
        return cast(Section, getattr(self.settings, section)).written(self.protect)

    def _images(self, section: str) -> dict[str, str]:
        wanted = _IMAGES[self.platform.kind].get(section, {})
        # A tool that writes files needs no more than a shell, which the image of Redis has.
        chosen = {**self.images.model_dump(), "tools": self.images.tools or self.images.redis}
        return {argument: chosen[name] for argument, name in wanted.items() if chosen[name] is not None}


_WIRED = {"database.archive.retention_days": "backups.retention_days"}
"""Arguments that the key of another section gives."""


def is_masked(settings: Any, path: str) -> bool:
    """Whether the setting at `path` is a secret that stands encrypted in the file."""
    value = functools.reduce(lambda section, key: getattr(section, key, None), path.split("."), settings)
    return isinstance(value, SecretStr) and value.get_secret_value() == MASKED


def in_section(section: str, problem: Problem, kind: PlatformKind = PlatformKind.DOCKER) -> Problem:
    """The problem of an argument at the key of the settings that gave it."""
    first, _, rest = problem.path.partition(".")
    if first in ("platform", "tier"):
        return problem
    image = _IMAGES[kind].get(section, {}).get(first)
    if image and not rest:
        return dataclasses.replace(problem, path=f"images.{image}")
    path = f"{section}.{problem.path}"
    return dataclasses.replace(problem, path=_WIRED.get(path, path))
