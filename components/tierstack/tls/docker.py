"""The certificate on a Docker host: from a local CA inside the engine, whose keys are secrets of its state; given; or
got by the Gateway's proxy itself."""

import pulumi
import pulumi_tls as tls

from tierstack.links import AcmeClient, Certificate, DnsUpdates
from tierstack.tls.args import TLSArgs
from tierstack.tls.options import ACMEArgs, GivenCertificateArgs, LocalCAArgs

HOURS_PER_DAY = 24
LONGEST_COMMON_NAME = 64
"""Characters of a common name (RFC 5280 appendix A.1, ub-common-name)."""


def renew_before_hours(lifetime_days: int, percent: int) -> int:
    """Hours before the end at which an update renews the certificate: its share of the lifetime, at least one."""
    return max(1, lifetime_days * HOURS_PER_DAY * percent // 100)


def common_name(hostnames: list[str]) -> str | None:
    """The common name of the certificate: its first hostname, where that is not too long; clients ignore it."""
    return hostnames[0] if len(hostnames[0]) <= LONGEST_COMMON_NAME else None


def build(name: str, parent: pulumi.Resource, args: TLSArgs) -> Certificate:
    """What the Gateway needs to show the certificate."""
    if args.acme:
        client = acme_client(args.acme, args.renew_before_percent)
        return Certificate(hostnames=list(args.hostnames), place=args.platform.place, acme=client)
    if args.given:
        return _given(args, args.given)
    assert args.signing_ca  # by the rules: a ClusterIssuer needs Kubernetes
    return _local(name, parent, args, args.signing_ca)


def acme_client(acme: ACMEArgs, renew_before_percent: int) -> AcmeClient:
    """How the proxy gets the certificate. Its key and that of the account never leave the proxy's volume."""
    return AcmeClient(
        server=acme.server,
        email=acme.email,
        lifetime_hours=acme.expected_hours,
        renew_before_percent=renew_before_percent,
        dns=_updates(acme),
        ca_pem=_ca(acme),
        eab_key_id=acme.eab.key_id if acme.eab else None,
        eab_hmac_key=acme.eab.hmac_key if acme.eab else None,
    )


def _ca(acme: ACMEArgs) -> str | None:
    from tierstack.tls import pem  # what it needs to read certificates takes long to import

    return pem.certificates_pem(acme.ca) if acme.ca is not None else None


def _updates(acme: ACMEArgs) -> DnsUpdates | None:
    dns = acme.dns
    if dns is None:
        return None
    return DnsUpdates(
        server=dns.address,
        key_name=dns.key_name,
        key_algorithm=dns.key_algorithm.value,
        key_secret=dns.key_secret,
        timeout_seconds=dns.timeout,
        resolvers=acme.resolvers,
    )


def _given(args: TLSArgs, pair: GivenCertificateArgs) -> Certificate:
    from tierstack.tls import given  # what it needs to read certificates takes long to import

    key = given.key_pem(pair)
    assert key is not None  # the rules ask for it
    return Certificate(
        hostnames=list(args.hostnames),
        place=args.platform.place,
        certificate_pem=given.chain_pem(pair),
        private_key_pem=pulumi.Output.secret(key),
    )


def _local(name: str, parent: pulumi.Resource, args: TLSArgs, own: LocalCAArgs) -> Certificate:
    """A CA and a certificate signed by it.

    The engine sees at every preview how long they last, and renews them by a replace: what uses them follows in the
    same update. Between updates nothing renews, so an update is due once in the share of the lifetime that is left.
    """
    opts = pulumi.ResourceOptions(parent=parent)
    ca_key = tls.PrivateKey(f"{name}-ca-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
    ca = tls.SelfSignedCert(
        f"{name}-ca",
        private_key_pem=ca_key.private_key_pem,
        subject={"common_name": f"{args.platform.name} {name} local CA", "organization": "tierstack"},
        is_ca_certificate=True,
        set_subject_key_id=True,
        allowed_uses=["cert_signing", "crl_signing"],
        validity_period_hours=own.ca_lifetime_days * HOURS_PER_DAY,
        # Renewed while it still outlives every certificate that it may sign.
        early_renewal_hours=own.lifetime_days * HOURS_PER_DAY,
        opts=opts,
    )
    key = tls.PrivateKey(f"{name}-key", algorithm="ECDSA", ecdsa_curve="P256", opts=opts)
    request = tls.CertRequest(
        f"{name}-request",
        private_key_pem=key.private_key_pem,
        dns_names=args.hostnames,
        subject={"common_name": common_name(args.hostnames)},
        opts=opts,
    )
    certificate = tls.LocallySignedCert(
        f"{name}-certificate",
        cert_request_pem=request.cert_request_pem,
        ca_private_key_pem=ca_key.private_key_pem,
        ca_cert_pem=ca.cert_pem,
        set_subject_key_id=True,
        # An ECDSA key signs; only RSA key exchange, which TLS 1.3 has dropped, would need key_encipherment.
        allowed_uses=["digital_signature", "server_auth"],
        validity_period_hours=own.lifetime_days * HOURS_PER_DAY,
        early_renewal_hours=renew_before_hours(own.lifetime_days, args.renew_before_percent),
        opts=opts,
    )
    return Certificate(
        hostnames=list(args.hostnames),
        place=args.platform.place,
        certificate_pem=certificate.cert_pem,
        private_key_pem=pulumi.Output.secret(key.private_key_pem),
        ca_pem=ca.cert_pem,
    )
