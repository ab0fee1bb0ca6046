"""tierstack: Pulumi components that grow a web shop from one Docker host to Kubernetes by configuration."""

from tierstack.app_cluster import AppCluster, AppClusterArgs, SecretDelivery, ServerKind
from tierstack.backup_schedule import BackupDestination, BackupSchedule, BackupScheduleArgs, object_store_name
from tierstack.cluster_addons import Addon, ClusterAddons, ClusterAddonsArgs
from tierstack.database import DatabaseWithReplicas, DatabaseWithReplicasArgs
from tierstack.dns_records import DNSRecords, DNSRecordsArgs, WebHostArgs
from tierstack.errors import ArgumentError, Problem
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.mta_sts_host import MtaStsHost, MtaStsHostArgs
from tierstack.platform import DataProtection, DockerHost, Kubernetes, Platform, PlatformKind
from tierstack.redis_cluster import RedisCluster, RedisClusterArgs, RedisPurpose
from tierstack.tier import TIERS, Tier
from tierstack.tls import TLS, Issuer, TLSArgs
from tierstack.wiring import Certificate, DatabaseConnection, GatewayEndpoint, RedisConnection, SecretRef

__all__ = [
    "TIERS",
    "TLS",
    "Addon",
    "AppCluster",
    "AppClusterArgs",
    "ArgumentError",
    "BackupDestination",
    "BackupSchedule",
    "BackupScheduleArgs",
    "Certificate",
    "ClusterAddons",
    "ClusterAddonsArgs",
    "DNSRecords",
    "DNSRecordsArgs",
    "DataProtection",
    "DatabaseConnection",
    "DatabaseWithReplicas",
    "DatabaseWithReplicasArgs",
    "DockerHost",
    "Gateway",
    "GatewayArgs",
    "GatewayEndpoint",
    "Issuer",
    "Kubernetes",
    "MtaStsHost",
    "MtaStsHostArgs",
    "Platform",
    "PlatformKind",
    "Problem",
    "RedisCluster",
    "RedisClusterArgs",
    "RedisConnection",
    "RedisPurpose",
    "SecretDelivery",
    "SecretRef",
    "ServerKind",
    "TLSArgs",
    "Tier",
    "WebHostArgs",
    "object_store_name",
]
