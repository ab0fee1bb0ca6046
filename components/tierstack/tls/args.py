"""What TLS takes. The groups stand in `options.py`, their rules in `rules.py`."""

from dataclasses import dataclass, field

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic
from tierstack.core.hostnames import hostname_problems
from tierstack.core.keys import KUBERNETES_ONLY, within
from tierstack.links import GatewayIdentity
from tierstack.platform import Platform
from tierstack.tls import rules
from tierstack.tls.options import ACMEArgs, GivenCertificateArgs, LocalCAArgs


@dataclass(kw_only=True)
class TLSArgs:
    """One certificate for the hostnames of a site, renewed in time. At most one of `local_ca`, `acme`, `cluster_issuer`
    and `given` says who signs it; without them a local CA does."""

    platform: Platform
    """Where it is used. On Docker the engine or Traefik makes it; on Kubernetes cert-manager (1.16 or newer) does."""
    hostnames: list[str]
    """The names it is for, lower case, at most 100; `*.example.org` stands for one label. The first one names the
    certificate."""
    local_ca: LocalCAArgs | None = None
    """Signed by a CA of the stack's own, with these lifetimes. None: `acme`, `cluster_issuer` or `given` says who
    signs; without them a local CA with the default lifetimes does."""
    acme: ACMEArgs | None = None
    """Signed by a CA that speaks ACME, such as Let's Encrypt. None: ACME is not used."""
    cluster_issuer: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: signed through this ClusterIssuer of cert-manager, which exists: for CAs that do not speak ACME, and
    for DNS hosts that take no RFC 2136. None: no ClusterIssuer is used."""
    given: GivenCertificateArgs | None = None
    """Signed by somebody else: chain and key. None: no certificate is given."""
    gateway: GatewayIdentity | None = None
    """The Gateway that will show it: `GatewayIdentity(name="gateway")`. Required on Kubernetes with `acme` by HTTP-01,
    because its port 80 answers the challenges; other certificates need none. None: no Gateway answers challenges."""
    renew_before_percent: int = field(default=34, metadata=within(5, 90, "percent"))
    """Renew when this share of the lifetime is left, in percent, 5 to 90. Default 34: a third, as Let's Encrypt
    advises. A share and not a time, so that it stays right as public lifetimes fall. Traefik has fixed times and takes
    the next one that is not later. With `given`: below it a preview warns."""
    physical_name: str | None = None
    """What the names of its objects begin with, where that is not the component's name: give the old name here when the
    component is renamed, and nothing is replaced. None: the component's name."""

    @property
    def signing_ca(self) -> LocalCAArgs | None:
        """The local CA that signs: where nobody else does, one with its defaults. None: somebody else signs."""
        if self.acme or self.cluster_issuer is not None or self.given:
            return None
        return self.local_ca or LocalCAArgs()

    @property
    def validation_method(self) -> str | None:
        """How names are proved to the CA, as CAA records call it (RFC 8657 section 4); None where another decides."""
        return self.acme.validation_method if self.acme else None

    @property
    def answered_by_gateway(self) -> bool:
        """Whether a Gateway of Kubernetes answers the challenges."""
        return self.acme is not None and self.acme.answered_by_gateway(self.platform.kind)

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        signers = {name: getattr(self, name) for name in ("local_ca", "acme", "cluster_issuer", "given")}
        found = self.platform.problems() + rules.one_issuer(signers)
        public = self.cluster_issuer is not None or (self.acme is not None and self.acme.ca is None)
        found += hostname_problems("hostnames", self.hostnames, public=public)
        found += bound_problems(self)
        if self.local_ca is not None:
            found += rules.of_local_ca(self.local_ca)
        if self.acme is not None:
            found += rules.of_acme(self.acme, self.platform, self.hostnames, self.gateway, self.renew_before_percent)
        if self.cluster_issuer is not None:
            found += rules.of_cluster_issuer(self.cluster_issuer, self.platform.kind)
        if self.given is not None:
            from tierstack.tls import given  # what it needs to read certificates takes long to import

            found += given.problems_of(self.given, self.hostnames, self.platform)
        return found
