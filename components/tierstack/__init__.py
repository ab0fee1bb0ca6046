"""tierstack: Pulumi components that grow a web shop from one Docker host to Kubernetes by configuration."""

from tierstack.dns_records import DNSRecords, DNSRecordsArgs
from tierstack.errors import ArgumentError, Problem
from tierstack.platform import DataProtection, DockerHost, Kubernetes, Platform, PlatformKind
from tierstack.tier import TIERS, Tier
from tierstack.wiring import Certificate, DatabaseConnection, RedisConnection, SecretRef

__all__ = [
    "TIERS",
    "ArgumentError",
    "Certificate",
    "DNSRecords",
    "DNSRecordsArgs",
    "DataProtection",
    "DatabaseConnection",
    "DockerHost",
    "Kubernetes",
    "Platform",
    "PlatformKind",
    "Problem",
    "RedisConnection",
    "SecretRef",
    "Tier",
]
