"""tierstack: Pulumi components that grow a web shop from one Docker host to Kubernetes by configuration."""

import dataclasses
import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    __version__: str
    from tierstack.app_cluster import (
        AnalysisArgs,
        AppCluster,
        AppClusterArgs,
        ExperimentArgs,
        HealthArgs,
        HttpArgs,
        HttpServerArgs,
        MigrationArgs,
        MirrorArgs,
        OutboundArgs,
        OutboundNetwork,
        PhpFpmArgs,
        QueueScaling,
        ReleaseArgs,
        ReleaseBeside,
        ReleaseStep,
        ReleaseStrategy,
        RoleArgs,
        SecretDelivery,
        TrafficArgs,
        UploadsArgs,
    )
    from tierstack.backup_schedule import (
        BackupSchedule,
        BackupScheduleArgs,
        DatabaseDumps,
        DatabaseDumpsArgs,
        DrillArgs,
        DumpJobArgs,
        FileBackups,
        FileBackupsArgs,
        FilesDrillArgs,
        KeepArgs,
    )
    from tierstack.cluster_addons import Addon, ClusterAddons, ClusterAddonsArgs
    from tierstack.core.errors import ArgumentError, Diagnostic
    from tierstack.core.tier import TIERS, Tier
    from tierstack.database import (
        DatabaseArchiveArgs,
        DatabaseRestoreArgs,
        DatabaseWithReplicas,
        DatabaseWithReplicasArgs,
    )
    from tierstack.dns_records import DNSRecords, DNSRecordsArgs, WebHostArgs
    from tierstack.gateway import Gateway, GatewayArgs
    from tierstack.links import (
        Certificate,
        DatabaseArchive,
        DatabaseConnection,
        DatabaseEngine,
        DockerGateway,
        FileVolume,
        GatewayEndpoint,
        GatewayIdentity,
        KubernetesGateway,
        ObjectStore,
        RedisConnection,
        SecretRef,
        StoreKey,
    )
    from tierstack.mta_sts_host import MtaStsHost, MtaStsHostArgs
    from tierstack.object_storage import ObjectStorage, ObjectStorageArgs, StoreKeyArgs
    from tierstack.platform import DataProtection, DockerHost, Kubernetes, Platform, PlatformKind
    from tierstack.redis_cluster import RedisCluster, RedisClusterArgs, RedisPurpose
    from tierstack.tls import TLS, ACMEArgs, GivenCertificateArgs, LocalCAArgs, TLSArgs

__all__ = [
    "TIERS",
    "TLS",
    "ACMEArgs",
    "Addon",
    "AnalysisArgs",
    "AppCluster",
    "AppClusterArgs",
    "ArgumentError",
    "BackupSchedule",
    "BackupScheduleArgs",
    "Certificate",
    "ClusterAddons",
    "ClusterAddonsArgs",
    "DNSRecords",
    "DNSRecordsArgs",
    "DataProtection",
    "DatabaseArchive",
    "DatabaseArchiveArgs",
    "DatabaseConnection",
    "DatabaseDumps",
    "DatabaseDumpsArgs",
    "DatabaseEngine",
    "DatabaseRestoreArgs",
    "DatabaseWithReplicas",
    "DatabaseWithReplicasArgs",
    "Diagnostic",
    "DockerGateway",
    "DockerHost",
    "DrillArgs",
    "DumpJobArgs",
    "ExperimentArgs",
    "FileBackups",
    "FileBackupsArgs",
    "FileVolume",
    "FilesDrillArgs",
    "Gateway",
    "GatewayArgs",
    "GatewayEndpoint",
    "GatewayIdentity",
    "GivenCertificateArgs",
    "HealthArgs",
    "HttpArgs",
    "HttpServerArgs",
    "KeepArgs",
    "Kubernetes",
    "KubernetesGateway",
    "LocalCAArgs",
    "MigrationArgs",
    "MirrorArgs",
    "MtaStsHost",
    "MtaStsHostArgs",
    "ObjectStorage",
    "ObjectStorageArgs",
    "ObjectStore",
    "OutboundArgs",
    "OutboundNetwork",
    "PhpFpmArgs",
    "Platform",
    "PlatformKind",
    "QueueScaling",
    "RedisCluster",
    "RedisClusterArgs",
    "RedisConnection",
    "RedisPurpose",
    "ReleaseArgs",
    "ReleaseBeside",
    "ReleaseStep",
    "ReleaseStrategy",
    "RoleArgs",
    "SecretDelivery",
    "SecretRef",
    "StoreKey",
    "StoreKeyArgs",
    "TLSArgs",
    "Tier",
    "TrafficArgs",
    "UploadsArgs",
    "WebHostArgs",
]


if not TYPE_CHECKING:
    # A name is imported when it is used: who needs the arguments of one component needs not wait for all of them.
    _HOMES = {
        "app_cluster": (
            *("AppCluster", "AppClusterArgs", "HealthArgs", "HttpArgs", "HttpServerArgs", "MigrationArgs"),
            *("OutboundArgs", "OutboundNetwork", "PhpFpmArgs", "QueueScaling", "RoleArgs", "SecretDelivery"),
            *("AnalysisArgs", "ExperimentArgs", "MirrorArgs", "ReleaseArgs", "ReleaseBeside", "ReleaseStep"),
            *("ReleaseStrategy", "TrafficArgs", "UploadsArgs"),
        ),
        "backup_schedule": (
            *("BackupSchedule", "BackupScheduleArgs", "DrillArgs"),
            *("DatabaseDumps", "DatabaseDumpsArgs", "DumpJobArgs"),
            *("FileBackups", "FileBackupsArgs", "FilesDrillArgs", "KeepArgs"),
        ),
        "cluster_addons": ("Addon", "ClusterAddons", "ClusterAddonsArgs"),
        "core.errors": ("ArgumentError", "Diagnostic"),
        "core.tier": ("TIERS", "Tier"),
        "database": (
            *("DatabaseArchiveArgs", "DatabaseRestoreArgs"),
            *("DatabaseWithReplicas", "DatabaseWithReplicasArgs"),
        ),
        "dns_records": ("DNSRecords", "DNSRecordsArgs", "WebHostArgs"),
        "gateway": ("Gateway", "GatewayArgs"),
        "links": (
            *("Certificate", "DatabaseArchive", "DatabaseConnection", "DatabaseEngine", "DockerGateway"),
            *(
                "FileVolume",
                "GatewayEndpoint",
                "GatewayIdentity",
                "KubernetesGateway",
                "ObjectStore",
                "RedisConnection",
                "SecretRef",
            ),
            "StoreKey",
        ),
        "mta_sts_host": ("MtaStsHost", "MtaStsHostArgs"),
        "object_storage": ("ObjectStorage", "ObjectStorageArgs", "StoreKeyArgs"),
        "platform": ("DataProtection", "DockerHost", "Kubernetes", "Platform", "PlatformKind"),
        "redis_cluster": ("RedisCluster", "RedisClusterArgs", "RedisPurpose"),
        "tls": ("TLS", "ACMEArgs", "GivenCertificateArgs", "LocalCAArgs", "TLSArgs"),
    }

    def __getattr__(name: str) -> object:
        if name == "__version__":
            value = importlib.import_module("importlib.metadata").version("tierstack")
        else:
            home = next((home for home, names in _HOMES.items() if name in names), None)
            if home is None:
                raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
            value = getattr(importlib.import_module(f"{__name__}.{home}"), name)
            if dataclasses.is_dataclass(value) and all(field.kw_only for field in dataclasses.fields(value)):
                # Before the component that takes it is imported, which would do so: it may be made first.
                importlib.import_module(f"{__name__}.core.calls").prepare(value)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return [*globals(), *(name for name in __all__ if name not in globals()), "__version__"]
