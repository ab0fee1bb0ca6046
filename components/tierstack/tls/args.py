"""What TLS takes. The rules of it stand in `rules.py`."""

from dataclasses import dataclass, field
from enum import Enum

import pulumi

from tierstack.core.errors import Problem
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.links import GatewayIdentity
from tierstack.platform import Platform, PlatformKind

LOCAL_LIFETIME_DAYS = 90
"""Lifetime of a certificate of the local CA where none is given."""
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""The ACME directory of Let's Encrypt (its documentation, "Getting started")."""
ACME_LIFETIME_HOURS = 2160
"""Hours that a certificate of Let's Encrypt is valid: 90 days; 64 from 2027-02-10, 45 from 2028-02-16 (Let's Encrypt,
"Decreasing Certificate Lifetimes to 45 Days")."""


class Issuer(Enum):
    """Who signs the certificate."""

    LOCAL_CA = "local-ca"
    """A CA of the stack's own, that clients must be told to trust: for machines of developers and for tests."""
    ACME = "acme"
    """A CA by ACME (RFC 8555): Traefik asks it on a Docker host, cert-manager on Kubernetes."""
    GIVEN = "given"
    """Somebody else: chain and key are given, and renewed by whoever gives them."""


@dataclass(kw_only=True)
class ExternalAccountArgs:
    """External account binding (RFC 8555 section 7.3.4): the customer's account at a CA that asks for one, such as
    ZeroSSL or Google Trust Services."""

    key_id: str
    """Id of the key, as the CA shows it."""
    hmac_key: pulumi.Input[str] = field(metadata={"secret": True})
    """The key itself, base64url as the CA shows it."""


@dataclass(kw_only=True)
class TLSArgs:
    """One certificate for the hostnames of a site, renewed in time."""

    platform: Platform
    """Where it is used. On Docker the engine or Traefik makes it; on Kubernetes cert-manager (1.16 or newer) does."""
    hostnames: list[str]
    """The names it is for, lower case, at most 100; `*.example.org` stands for one label. The first one names the
    certificate."""
    issuer: Issuer = Issuer.LOCAL_CA
    """`local-ca` (default), `acme` or `given`."""
    cluster_issuer: str | None = None
    """Kubernetes with `acme`: name of a ClusterIssuer that exists, for whatever an Issuer made here cannot do. None:
    an Issuer is made from what follows."""
    acme_email: str | None = None
    """With `acme`: address of the account at the CA. None: `cluster_issuer` is used."""
    acme_server: str | None = None
    """URL of the ACME directory, https. None: Let's Encrypt."""
    acme_ca: str | None = None
    """With `acme`: the CA of a private ACME server as PEM; names that only a private DNS knows are then allowed. None:
    a public CA."""
    acme_eab: ExternalAccountArgs | None = None
    """With `acme`: the external account, for CAs that ask for one. None: the CA asks for none."""
    acme_dns: Rfc2136Args | None = None
    """With `acme`: the name server at which names are proved by DNS-01 (RFC 8555 section 8.4), needed for wildcards.
    None: they are proved by HTTP-01 at port 80."""
    acme_resolvers: list[str] | None = None
    """Docker with `acme_dns`: name servers, `address` or `address:port`, that must show a record before the CA is asked
    to look. None: the servers of the zone, as the host's resolver finds them."""
    acme_caa: str | None = None
    """With `acme`: the name by which the CA calls itself in CAA records (RFC 8659), `ca.example.org`. None: known for
    the directories of Let's Encrypt, Google Trust Services, ZeroSSL and SSL.com."""
    acme_lifetime_hours: int | None = None
    """Docker with `acme`: hours that the CA's certificates are valid, 1 to 4800: Traefik goes by it to renew. None:
    2160, the 90 days of Let's Encrypt."""
    gateway: GatewayIdentity | None = None
    """The Gateway that will show it: `GatewayIdentity(name="gateway")`. Required on Kubernetes with `acme` by HTTP-01,
    because its port 80 answers the challenges; other certificates need none. None: no Gateway answers challenges."""
    certificate_pem: str | None = None
    """With `given`: the chain as PEM, the certificate itself first, then each one's issuer; the root may be left out.
    None: it is in `certificate_path`."""
    certificate_path: str | None = None
    """With `given`: a file with the chain, relative to the program. None: it is in `certificate_pem`."""
    private_key_pem: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """With `given`: the key as PEM, unencrypted. None: it is in `private_key_path`, or, where manifests are rendered,
    in the platform's `secret_store`."""
    private_key_path: str | None = None
    """With `given`: a file with the key, relative to the program. None: it is in `private_key_pem`."""
    lifetime_days: int | None = None
    """With `local-ca`: days that a certificate is valid, 1 to 825 (more is refused by Apple's systems even from a CA
    that the user trusts, support.apple.com/103769). A public CA decides by itself: at most 200 days since 2026-03-15,
    100 from 2027-03-15, 47 from 2029-03-15 (CA/Browser Forum ballot SC-081v3). None: 90."""
    ca_lifetime_days: int = 3650
    """With `local-ca`: days that the CA itself is valid, at most 7300, and at least twice the certificate's."""
    renew_before_percent: int = 34
    """Renew when this share of the lifetime is left, in percent, 5 to 90. Default 34: a third, as Let's Encrypt
    advises. A share and not a time, so that it stays right as public lifetimes fall. Traefik has fixed times and takes
    the next one that is not later. With `given`: below it a preview warns."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def local_lifetime_days(self) -> int:
        """Days that a certificate of the local CA is valid."""
        return LOCAL_LIFETIME_DAYS if self.lifetime_days is None else self.lifetime_days

    @property
    def acme_lifetime(self) -> int:
        """Hours that a certificate of the ACME CA is valid, as far as Docker knows."""
        return ACME_LIFETIME_HOURS if self.acme_lifetime_hours is None else self.acme_lifetime_hours

    @property
    def acme_directory(self) -> str:
        """URL of the ACME directory."""
        return self.acme_server or LETS_ENCRYPT

    @property
    def answered_by_gateway(self) -> bool:
        """Whether a Gateway of Kubernetes answers the challenges."""
        return self.platform.kind is PlatformKind.KUBERNETES and self.validation_method == "http-01"

    @property
    def validation_method(self) -> str | None:
        """How names are proved to the CA, as CAA records call it (RFC 8657 section 4); None where another decides."""
        if self.issuer is not Issuer.ACME or self.cluster_issuer is not None:
            return None
        return "http-01" if self.acme_dns is None else "dns-01"

    def problems(self) -> list[Problem]:
        """Everything that is wrong with the arguments."""
        from tierstack.tls.rules import problems_of  # the rules need the types above

        return problems_of(self)
