"""The groups of TLS's arguments: one for each way to get the certificate signed."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.keys import DOCKER_ONLY, within
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.platform import PlatformKind

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""The ACME directory of Let's Encrypt (its documentation, "Getting started")."""
ACME_LIFETIME_HOURS = 2160
"""Hours that a certificate of Let's Encrypt is valid: 90 days; 64 from 2027-02-10, 45 from 2028-02-16 (Let's Encrypt,
"Decreasing Certificate Lifetimes to 45 Days")."""


@dataclass(kw_only=True)
class ExternalAccountArgs:
    """External account binding (RFC 8555 section 7.3.4): the customer's account at a CA that asks for one, such as
    ZeroSSL or Google Trust Services."""

    key_id: str
    """Id of the key, as the CA shows it."""
    hmac_key: pulumi.Input[str] = field(metadata={"secret": True})
    """The key itself, base64url as the CA shows it."""


@dataclass(kw_only=True)
class LocalCAArgs:
    """A CA of the stack's own, that clients must be told to trust: for machines of developers and for tests."""

    lifetime_days: int = field(default=90, metadata=within(1, 825, "days"))
    """Days that a certificate is valid, 1 to 825 (more is refused by Apple's systems even from a CA that the user
    trusts, support.apple.com/103769)."""
    ca_lifetime_days: int = field(default=3650, metadata=within(2, 7300, "days"))
    """Days that the CA itself is valid, 2 to 7300, and at least twice the certificate's."""


@dataclass(kw_only=True)
class ACMEArgs:
    """A CA that speaks ACME (RFC 8555): Traefik asks it on a Docker host, cert-manager on Kubernetes. It decides by
    itself how long a certificate is valid: a public CA at most 200 days since 2026-03-15, 100 from 2027-03-15, 47 from
    2029-03-15 (CA/Browser Forum ballot SC-081v3)."""

    email: str
    """Address of the account at the CA, such as `ops@shop.example`."""
    server: str = LETS_ENCRYPT
    """URL of the ACME directory, https. Default: that of Let's Encrypt."""
    ca: str | None = None
    """The CA of a private ACME server as PEM; names that only a private DNS knows are then allowed. None: a public
    CA."""
    eab: ExternalAccountArgs | None = None
    """The external account, for CAs that ask for one. None: the CA asks for none."""
    dns: Rfc2136Args | None = None
    """The name server at which names are proved by DNS-01 (RFC 8555 section 8.4), needed for wildcards. None: they are
    proved by HTTP-01 at port 80."""
    resolvers: list[str] | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker with `dns`: name servers, `address` or `address:port`, that must show a record before the CA is asked to
    look. None: the servers of the zone, as the host's resolver finds them."""
    caa: str | None = None
    """The name by which the CA calls itself in CAA records (RFC 8659), `ca.example.org`. None: known for the
    directories of Let's Encrypt, Google Trust Services, ZeroSSL and SSL.com."""
    lifetime_hours: int | None = field(default=None, metadata=within(1, 4800, "hours") | DOCKER_ONLY)
    """Docker: hours that the CA's certificates are valid, 1 to 4800: Traefik goes by it to renew. None: 2160, the 90
    days of Let's Encrypt."""

    @property
    def expected_hours(self) -> int:
        """Hours that a certificate of the CA is valid, as far as Docker knows."""
        return ACME_LIFETIME_HOURS if self.lifetime_hours is None else self.lifetime_hours

    @property
    def validation_method(self) -> str:
        """How names are proved to the CA, as CAA records call it (RFC 8657 section 4)."""
        return "http-01" if self.dns is None else "dns-01"

    def answered_by_gateway(self, kind: PlatformKind) -> bool:
        """Whether a Gateway of Kubernetes answers the challenges."""
        return kind is PlatformKind.KUBERNETES and self.validation_method == "http-01"


@dataclass(kw_only=True)
class GivenCertificateArgs:
    """A certificate that somebody else signed: chain and key are given, and renewed by whoever gives them."""

    certificate_pem: str | None = None
    """The chain as PEM, the certificate itself first, then each one's issuer; the root may be left out. None: it is in
    `certificate_path`."""
    certificate_path: str | None = None
    """A file with the chain, relative to the program. None: it is in `certificate_pem`."""
    private_key_pem: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The key as PEM, unencrypted. None: it is in `private_key_path`, or, where manifests are rendered, in the
    platform's `secret_store`."""
    private_key_path: str | None = None
    """A file with the key, relative to the program. None: it is in `private_key_pem`."""
