"""What one component hands to another: endpoints, credentials, certificates. The same types on both platforms."""

from tierstack.links.certificate import AcmeClient, Certificate, DnsUpdates, TrustedCA
from tierstack.links.database import DatabaseArchive, DatabaseConnection, DatabaseEngine
from tierstack.links.files import FileVolume
from tierstack.links.gateway import DockerGateway, GatewayEndpoint, GatewayIdentity, KubernetesGateway
from tierstack.links.object_store import ObjectStore, StoreKey, StorePurpose
from tierstack.links.redis import RedisConnection
from tierstack.links.secrets import SecretRef

__all__ = [
    "AcmeClient",
    "Certificate",
    "DatabaseArchive",
    "DatabaseConnection",
    "DatabaseEngine",
    "DnsUpdates",
    "DockerGateway",
    "FileVolume",
    "GatewayEndpoint",
    "GatewayIdentity",
    "KubernetesGateway",
    "ObjectStore",
    "RedisConnection",
    "SecretRef",
    "StoreKey",
    "StorePurpose",
    "TrustedCA",
]
