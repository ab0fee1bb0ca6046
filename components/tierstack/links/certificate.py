"""Certificates, and what clients verify servers by."""

from dataclasses import dataclass, field

import pulumi

from tierstack.links.gateway import GatewayIdentity


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
    """External account binding (RFC 8555 section 7.3.4): id of the key. None: no external account."""
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
    challenge: GatewayIdentity | None = None
    """Kubernetes: the Gateway that answers the challenges of its CA; another one refuses it. None: no Gateway does."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
