"""ACME in Traefik (pure): the resolver that gets the certificate, where it keeps it, and when it renews.

Traefik cannot be told when to renew. `certificatesDuration` chooses one row of a table in its source
(pkg/provider/acme/provider.go, getCertificateRenewDurations): how long before the end it renews, and how often it
looks. The table is here, so that the share of the lifetime that was asked for can be kept, or refused at preview.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import pulumi

from tierstack.links import AcmeClient, DnsUpdates

STORAGE = "/var/lib/tierstack/acme"
"""Where the volume with account and certificates is mounted."""
CA, TSIG = "acme/ca.pem", "acme/tsig"
"""Paths in the configuration volume."""
MOST_PERCENT = 75
"""The largest share of a lifetime that may be left at a renewal: with less than a quarter between two renewals, the
limits of public CAs come near (Let's Encrypt, "Rate limits": 5 certificates for the same names in a week)."""
_TTL, _BETWEEN = 1, 5
"""Seconds that a challenge's record may be kept by caches, and between two challenges: a name and its wildcard are
proved by different values of one record, so the first must be forgotten before the second is looked at."""
_BEFORE_ASKING = "3s"
"""Between a challenge of HTTP-01 and the moment when the CA is asked to look: at its start Traefik renews what is due
before it answers at port 80, and a renewal that fails then is tried again at the next look only, perhaps in a day."""


@dataclass(frozen=True)
class Renewal:
    """One row of Traefik's table."""

    duration_hours: int
    """What `certificatesDuration` must at least be to choose it."""
    before_minutes: int
    """How long before the end Traefik renews."""
    every_minutes: int
    """How often it looks."""

    def percent(self, lifetime_hours: int) -> int:
        """The share of a lifetime that is left at the renewal, rounded up."""
        return -(-self.before_minutes * 100 // (lifetime_hours * 60))


_DAY = 24 * 60
RENEWALS = (
    Renewal(1, 20, 1),
    Renewal(24, 6 * 60, 10),
    Renewal(7 * 24, 2 * _DAY, 2 * 60),
    Renewal(30 * 24, 10 * _DAY, _DAY // 2),
    Renewal(90 * 24, 30 * _DAY, _DAY),
    Renewal(365 * 24, 120 * _DAY, 7 * _DAY),
)
"""The table of Traefik 3.7.12, and of every version from 3.6.7 on (which choose the third row from 6 days on)."""


def renewal(lifetime_hours: int, percent: int) -> Renewal | None:
    """The row that renews last among those that leave at least `percent` of a lifetime; None where there is none."""
    for row in RENEWALS:
        if percent <= row.percent(lifetime_hours) <= MOST_PERCENT:
            return row
    return None


def possible_percent(lifetime_hours: int) -> list[int]:
    """The shares that Traefik can keep for a lifetime, smallest first; each also serves for a smaller one."""
    return [share for row in RENEWALS if (share := row.percent(lifetime_hours)) <= MOST_PERCENT]


def resolver_name(client: AcmeClient) -> str:
    """The name of the resolver, another for another CA: Traefik would keep a certificate of the CA before."""
    return f"acme-{hashlib.sha256(client.server.encode()).hexdigest()[:8]}"


def resolvers(client: AcmeClient, home: str, entry_point: str, hmac_key: str | None = None) -> dict[str, Any]:
    """`certificatesResolvers` of the static configuration. `home`: where the configuration volume is mounted;
    `entry_point`: the one that port 80 leads to; `hmac_key`: a secret."""
    row = renewal(client.lifetime_hours, client.renew_before_percent)
    assert row  # the rules of TLS ask for one
    found: dict[str, Any] = {
        "email": client.email,
        "caServer": client.server,
        "storage": f"{STORAGE}/acme.json",
        "keyType": "EC256",
        "certificatesDuration": row.duration_hours,
    }
    if client.ca_pem is not None:
        found["caCertificates"] = [f"{home}/{CA}"]
    if client.eab_key_id is not None:
        found["eab"] = {"kid": client.eab_key_id, "hmacEncoded": hmac_key or ""}
    if client.dns is None:
        found["httpChallenge"] = {"entryPoint": entry_point, "delay": _BEFORE_ASKING}
    else:
        found["dnsChallenge"] = {"provider": "rfc2136", **_checks(client.dns)}
    return {resolver_name(client): {"acme": found}}


def _checks(dns: DnsUpdates) -> dict[str, Any]:
    if dns.resolvers is None:
        return {}
    # Where the resolvers are named, the zone's own servers may be out of reach.
    return {"resolvers": dns.resolvers, "propagation": {"requireAllRNS": True, "disableANSChecks": True}}


def wanted(client: AcmeClient, hostnames: list[str]) -> dict[str, Any]:
    """The store's default certificate, which Traefik then gets. It serves every router without one of its own, so no
    router has to name the resolver."""
    first, *others = ordered(hostnames)
    domain: dict[str, Any] = {"main": first, **({"sans": others} if others else {})}
    return {"defaultGeneratedCert": {"resolver": resolver_name(client), "domain": domain}}


def ordered(hostnames: list[str]) -> list[str]:
    """The names that an order asks for: without those that a wildcard beside them covers, because Let's Encrypt
    refuses an order with both."""
    wild = {name[2:] for name in hostnames if name.startswith("*.")}
    return [name for name in hostnames if name.startswith("*.") or name.partition(".")[2] not in wild]


def files(client: AcmeClient) -> dict[str, pulumi.Input[str]]:
    """Files that the resolver reads, by their path in the configuration volume."""
    found: dict[str, pulumi.Input[str]] = {}
    if client.ca_pem is not None:
        found[CA] = client.ca_pem
    if client.dns is not None:
        found[TSIG] = pulumi.Output.secret(client.dns.key_secret)
    return found


def secrets(client: AcmeClient) -> dict[str, pulumi.Input[str]]:
    """What is read at the start only, and may not stand where anyone can read it."""
    given = {"tsig": client.dns.key_secret if client.dns else None, "eab": client.eab_hmac_key}
    return {name: pulumi.Output.secret(value) for name, value in given.items() if value is not None}


def environment(client: AcmeClient, home: str) -> dict[str, pulumi.Input[str]]:
    """Variables of the container: how updates are signed, and where the key's file is."""
    if client.dns is None:
        return {}
    return {
        "RFC2136_NAMESERVER": client.dns.server,
        "RFC2136_TSIG_KEY": client.dns.key_name,
        "RFC2136_TSIG_ALGORITHM": client.dns.key_algorithm,
        "RFC2136_TSIG_SECRET_FILE": f"{home}/{TSIG}",
        "RFC2136_DNS_TIMEOUT": str(client.dns.timeout_seconds),
        "RFC2136_TTL": str(_TTL),
        "RFC2136_SEQUENCE_INTERVAL": str(_BETWEEN),
    }
