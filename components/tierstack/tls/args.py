"""The arguments of TLS."""

import re
from dataclasses import dataclass
from enum import Enum

from tierstack.errors import MISSING, Problem, out_of_range
from tierstack.platform import Platform, PlatformKind, name_problems
from tierstack.tls.hostnames import hostname_problems

LOCAL_LIFETIME_DAYS = 90
"""Lifetime of a certificate of the local CA where none is given."""
LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"
"""The ACME directory of Let's Encrypt (its documentation, "Getting started")."""


class Issuer(Enum):
    """Who signs the certificate."""

    LOCAL_CA = "local-ca"
    """A CA of the stack's own, that clients must be told to trust: for machines of developers and for tests."""
    ACME = "acme"
    """A public CA by ACME (RFC 8555), through cert-manager."""


@dataclass(kw_only=True)
class TLSArgs:
    """One certificate for the hostnames of a site, renewed in time."""

    platform: Platform
    """Where it is used. On Docker the engine makes it; on Kubernetes cert-manager (1.16 or newer) does."""
    hostnames: list[str]
    """The names it is for, lower case, at most 100; `*.example.org` stands for one label. The first one names the
    certificate."""
    issuer: Issuer = Issuer.LOCAL_CA
    """`local-ca` (default) or `acme`."""
    cluster_issuer: str | None = None
    """Kubernetes with `acme`: name of a ClusterIssuer that exists; needed for wildcards, which only DNS-01 proves.
    None: an Issuer is made from `acme_email`."""
    acme_email: str | None = None
    """Kubernetes with `acme`: address of the account at the CA. None: `cluster_issuer` is used."""
    acme_server: str | None = None
    """URL of the ACME directory, https. None: Let's Encrypt."""
    acme_gateway: str | None = None
    """Name of the Gateway, in the platform's namespace, whose port 80 answers HTTP-01 challenges. None: `gateway`."""
    lifetime_days: int | None = None
    """With `local-ca`: days that a certificate is valid, 1 to 825 (more is refused by Apple's systems even from a CA
    that the user trusts, support.apple.com/103769). A public CA decides by itself: at most 200 days since 2026-03-15,
    100 from 2027-03-15, 47 from 2029-03-15 (CA/Browser Forum ballot SC-081v3). None: 90."""
    ca_lifetime_days: int = 3650
    """With `local-ca`: days that the CA itself is valid, at most 7300, and at least twice the certificate's."""
    renew_before_percent: int = 34
    """Renew when this share of the lifetime is left, in percent, 5 to 90. Default 34: a third, as Let's Encrypt
    advises. A share and not a time, so that it stays right as public lifetimes fall."""

    @property
    def local_lifetime_days(self) -> int:
        """Days that a certificate of the local CA is valid."""
        return LOCAL_LIFETIME_DAYS if self.lifetime_days is None else self.lifetime_days

    def problems(self) -> list[Problem]:
        """Everything that is wrong with the arguments."""
        public = self.issuer is Issuer.ACME
        found = self.platform.problems()
        found += hostname_problems("hostnames", self.hostnames, public=public)
        found += out_of_range("renew_before_percent", self.renew_before_percent, 5, 90, "percent")
        return found + (self._acme_problems() if public else self._local_problems())

    def _local_problems(self) -> list[Problem]:
        found = out_of_range("lifetime_days", self.lifetime_days, 1, 825, "days")
        found += out_of_range("ca_lifetime_days", self.ca_lifetime_days, 2, 7300, "days")
        if not found and self.ca_lifetime_days < 2 * self.local_lifetime_days:
            wrong = f"is shorter than two lifetimes of a certificate ({self.local_lifetime_days} days each)"
            instead = f"write at least {2 * self.local_lifetime_days}"
            found.append(Problem("ca_lifetime_days", self.ca_lifetime_days, wrong, instead))
        for key in ("cluster_issuer", "acme_email", "acme_server", "acme_gateway"):
            if (value := getattr(self, key)) is not None:
                wrong = "means something only with the issuer `acme`"
                found.append(Problem(key, value, wrong, "remove it, or write `issuer: acme`"))
        return found

    def _acme_problems(self) -> list[Problem]:
        found: list[Problem] = []
        if self.platform.kind is PlatformKind.DOCKER:
            wrong = "is not available on a Docker host in this version"
            instead = "write `issuer: local-ca`, or use a Kubernetes platform with cert-manager"
            return [Problem("issuer", "acme", wrong, instead)]
        if self.lifetime_days is not None:
            wrong = "cannot be chosen: the public CA decides it"
            found.append(Problem("lifetime_days", self.lifetime_days, wrong, "remove it"))
        if self.cluster_issuer is not None:
            found += name_problems("cluster_issuer", self.cluster_issuer)
            for key in ("acme_email", "acme_server", "acme_gateway"):
                if (value := getattr(self, key)) is not None:
                    wrong = "belongs to an issuer of one's own, but `cluster_issuer` names another"
                    found.append(Problem(key, value, wrong, "give one of the two"))
            return found
        if self.acme_email is None:
            wrong = "is required with the issuer `acme`"
            instead = "give the address of the account, or `cluster_issuer`"
            found.append(Problem("acme_email", MISSING, wrong, instead))
        elif not _EMAIL.fullmatch(self.acme_email):
            found.append(Problem("acme_email", self.acme_email, "is not a mail address", "write one, `ops@…`"))
        if self.acme_server is not None and not _HTTPS.fullmatch(self.acme_server):
            wrong = "is not an https address (RFC 8555 section 6.1)"
            found.append(Problem("acme_server", self.acme_server, wrong, f"write one such as {LETS_ENCRYPT}"))
        if self.acme_gateway is not None:
            found += name_problems("acme_gateway", self.acme_gateway)
        for index, name in enumerate(self.hostnames):
            if name.startswith("*."):
                wrong = "is a wildcard, which HTTP-01 cannot prove (RFC 8555 section 8.3)"
                instead = "name each host, or give a `cluster_issuer` that uses DNS-01"
                found.append(Problem(f"hostnames[{index}]", name, wrong, instead))
        return found


_EMAIL = re.compile(r"[^@\s]+@[^@\s.]+(\.[^@\s.]+)+")
_HTTPS = re.compile(r"https://[^\s/]+(/\S*)?")
