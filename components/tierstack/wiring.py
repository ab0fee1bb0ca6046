"""What one component hands to another: endpoints, credentials, certificates. The same types on both platforms."""

from dataclasses import dataclass, field

import pulumi


@dataclass(kw_only=True)
class SecretRef:
    """A secret value: inside the engine (Docker), or by name and key of a Kubernetes Secret that it never leaves."""

    value: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The value itself, always a secret output. None on Kubernetes where the cluster makes the value."""
    secret_name: pulumi.Input[str] | None = None
    """Kubernetes: name of the Secret in the platform's namespace. None on Docker."""
    key: str | None = None
    """Kubernetes: key inside the Secret. None on Docker."""

    def as_text(self) -> str:
        """What to do where the secret is wanted as a text."""
        if self.value is not None:
            return "pass its `value`, which is a secret output"
        return "the value never leaves the cluster: pass the whole connection to the argument that takes it"


@dataclass(kw_only=True)
class TrustedCA:
    """The certificates of a server's internal CA, in a file `ca.crt` that clients verify it by; no key is with it.

    The file changes when the CA does, and nothing is restarted: clients read it at each connection.
    """

    volume: pulumi.Input[str] | None = None
    """Docker: the volume with the file. None on Kubernetes."""
    secret_name: pulumi.Input[str] | None = None
    """Kubernetes: the Secret in the platform's namespace whose key `ca.crt` holds it. None on Docker."""


@dataclass(kw_only=True)
class DatabaseConnection:
    """How to reach a PostgreSQL of DatabaseWithReplicas."""

    source = "`connection` of a DatabaseWithReplicas"

    host: pulumi.Input[str]
    """Host of the pooler (transaction mode): what an application uses."""
    port: pulumi.Input[str]
    """Port of the pooler, as text."""
    direct_host: pulumi.Input[str]
    """Host of the primary itself: migrations, advisory locks, LISTEN."""
    direct_port: pulumi.Input[str]
    """Port of the primary, as text."""
    database: str
    """Name of the database."""
    user: str
    """Role that owns the database."""
    password: SecretRef
    """Password of the role."""
    network: pulumi.Input[str] | None = None
    """Docker: network in which the pooler answers."""
    direct_network: pulumi.Input[str] | None = None
    """Docker: network in which the primary answers."""
    client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through to the pooler."""
    direct_client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through to the primary itself."""
    backup_user: str | None = None
    """Docker: role with REPLICATION that backups connect as, in the database `postgres`. None on Kubernetes,
    where the operator does it."""
    backup_password: SecretRef | None = None
    """Docker: its password."""
    cluster: str | None = None
    """Kubernetes: name of the CloudNativePG Cluster. None on Docker."""
    archive: str | None = None
    """Kubernetes: name of the ObjectStore that its write-ahead log is archived to. None: none."""
    client_image: pulumi.Input[str] | None = None
    """Kubernetes: image with `pg_isready`, by which a migration waits for the database. None: it waits by trying."""
    ca: TrustedCA | None = None
    """What clients verify both endpoints by (`sslmode=verify-full`). None: they verify nothing."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""


@dataclass(kw_only=True)
class RedisConnection:
    """How to reach a RedisCluster."""

    source = "`connection` of a RedisCluster"

    host: pulumi.Input[str]
    """Host that always leads to the primary."""
    port: pulumi.Input[str]
    """Port, as text."""
    password: SecretRef
    """Password of the default user."""
    network: pulumi.Input[str] | None = None
    """Docker: network in which it answers."""
    client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through."""
    endpoint_labels: dict[str, str] | None = None
    """Kubernetes: labels of the pods that answer at the endpoint. None on Docker."""
    ca: TrustedCA | None = None
    """What clients verify the endpoint by (`rediss://`, TLS from the first byte). None: it speaks in clear."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""


@dataclass(kw_only=True)
class DnsUpdates:
    """A name server that takes dynamic updates (RFC 2136) signed by a TSIG key (RFC 8945)."""

    server: str
    """Its address or name with its port, `ns1.example.org:53`."""
    key_name: str
    """Name of the key, as the server knows it."""
    key_algorithm: str
    """How the key signs: `hmac-sha256`."""
    key_secret: pulumi.Input[str] = field(metadata={"secret": True})
    """The key itself, base64."""
    timeout_seconds: int = 15
    """How long to wait for an answer."""
    resolvers: list[str] | None = None
    """Name servers that must show a record before the CA is asked to look. None: those of the zone."""


@dataclass(kw_only=True)
class AcmeClient:
    """How a client gets certificates by ACME (RFC 8555)."""

    server: str
    """URL of the CA's directory."""
    email: str
    """Address of the account."""
    lifetime_hours: int
    """Hours that the CA's certificates are valid."""
    renew_before_percent: int
    """The share of the lifetime that is left when it renews."""
    dns: DnsUpdates | None = None
    """Where it proves control of the names by DNS-01. None: by HTTP-01 (RFC 8555 section 8)."""
    ca_pem: str | None = None
    """The CAs that the server's own certificate may come from. None: those that the system trusts."""
    eab_key_id: str | None = None
    """External account binding (RFC 8555 section 7.3.4): id of the key. None: none is asked for."""
    eab_hmac_key: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The key itself, base64url."""


@dataclass(kw_only=True)
class Certificate:
    """A certificate with its key, and the CA that clients must trust where it is not a public one."""

    source = "`certificate` of a TLS"

    hostnames: list[str]
    """The names it is for."""
    certificate_pem: pulumi.Input[str] | None = None
    """Docker: the chain, leaf first. None on Kubernetes, where the Secret holds it."""
    private_key_pem: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """Docker: the key, a secret output. None on Kubernetes."""
    ca_pem: pulumi.Input[str] | None = None
    """The local CA's certificate. None for a public issuer."""
    secret_name: pulumi.Input[str] | None = None
    """Kubernetes: the kubernetes.io/tls Secret that holds it. None on Docker."""
    acme: AcmeClient | None = None
    """Docker: how the proxy gets the certificate itself, and renews it. None: it is given the PEM texts above."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""


@dataclass(kw_only=True)
class GatewayEndpoint:
    """Where applications attach to a Gateway."""

    source = "`endpoint` of a Gateway"

    https_port: int
    """Port that clients use for HTTPS, for the URLs that applications announce."""
    tools_image: pulumi.Input[str] | None = None
    """Docker: an image with /bin/sh that writes files into volumes. None on Kubernetes."""
    network: pulumi.Input[str] | None = None
    """Docker: network that the proxy shares with the applications."""
    volume: pulumi.Input[str] | None = None
    """Docker: volume whose folder `dynamic/` the proxy watches: one file for each application."""
    user: str | None = None
    """Docker: `uid:gid` of the proxy, which reads the files."""
    name: pulumi.Input[str] | None = None
    """Kubernetes: the Gateway in the platform's namespace that routes attach to."""
    gateway_class: str | None = None
    """Kubernetes: its GatewayClass; `traefik` brings rate limits, which the Gateway API lacks."""
    proxy_namespace: str | None = None
    """Kubernetes: namespace of the proxy's pods, the only ones let through to applications."""
    trusted_proxies: list[str] | None = None
    """Networks (CIDR) of what stands in front of the proxy and names the client in X-Forwarded-For. None: nothing."""
    hostnames: list[str] | None = None
    """The names of its certificate, which those of an application must be among. None: not known, and not checked."""
    gateway: str | None = None
    """Name of the Gateway component, behind which a hostname belongs to one application. None: not checked."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
