"""The certificate on Kubernetes: resources of cert-manager, in whose Secrets the keys stay; or a given Secret."""

import base64
from collections.abc import Mapping

import pulumi

from tierstack.links import Certificate
from tierstack.platform.kubernetes import cert_manager
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.plan import in_order
from tierstack.platform.proxy.acme import ordered
from tierstack.tls.args import TLSArgs
from tierstack.tls.options import ACMEArgs, GivenCertificateArgs

_TSIG_KEY, _EAB_KEY = "tsig-secret", "hmac-key"
"""Keys inside the Secrets."""


def secret_name(name: str) -> str:
    """The kubernetes.io/tls Secret that holds the certificate."""
    return f"{name}-certificate"


def dns_secret_name(name: str) -> str:
    """The Secret with the key that signs dynamic updates."""
    return f"{name}-acme-dns"


def eab_secret_name(name: str) -> str:
    """The Secret with the key of the external account."""
    return f"{name}-acme-eab"


def manifests(name: str, args: TLSArgs) -> dict[str, Manifest]:
    """The objects by logical name, each after those that it needs."""
    issuers: dict[str, Manifest] = {}
    if ca := args.signing_ca:
        common_name = f"{args.platform.name} {name} local CA"
        issuers = cert_manager.own_ca(name, common_name, ca.ca_lifetime_days, ca.lifetime_days)
        reference = cert_manager.reference(f"{name}-ca")
    elif args.acme:
        issuers = {f"{name}-acme": _acme(name, args, args.acme)}
        reference = cert_manager.reference(f"{name}-acme")
    else:
        assert args.cluster_issuer  # a given certificate needs no objects of cert-manager
        reference = cert_manager.reference(args.cluster_issuer, "ClusterIssuer")
    return {**issuers, f"{name}-certificate": _certificate(name, args, reference)}


def _acme(name: str, args: TLSArgs, acme: ACMEArgs) -> Manifest:
    spec: Manifest = {
        "email": acme.email,
        "server": acme.server,
        "privateKeySecretRef": {"name": f"{name}-acme-account"},
        "solvers": [_solver(name, args, acme)],
    }
    if acme.ca is not None:
        from tierstack.tls import pem  # what it needs to read certificates takes long to import

        spec["caBundle"] = base64.b64encode(pem.certificates_pem(acme.ca).encode()).decode()
    if acme.eab is not None:
        reference = {"name": eab_secret_name(name), "key": _EAB_KEY}
        spec["externalAccountBinding"] = {"keyID": acme.eab.key_id, "keySecretRef": reference}
    return cert_manager.issuer(f"{name}-acme", {"acme": spec})


def _solver(name: str, args: TLSArgs, acme: ACMEArgs) -> Manifest:
    """How names are proved."""
    if (dns := acme.dns) is not None:
        updates = {
            "nameserver": dns.address,
            "tsigKeyName": dns.key_name,
            "tsigAlgorithm": dns.key_algorithm.value.replace("-", "").upper(),
            "tsigSecretSecretRef": {"name": dns_secret_name(name), "key": _TSIG_KEY},
        }
        return {"dns01": {"rfc2136": updates}}
    assert args.gateway  # the rules ask for it
    gateway = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": args.platform.name,
        "name": args.gateway.name,
    }
    return {"http01": {"gatewayHTTPRoute": {"parentRefs": [gateway]}}}


def secrets(name: str, acme: ACMEArgs) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """The Secrets that the issuer needs: name, then key and value."""
    found: dict[str, Mapping[str, pulumi.Input[str]]] = {}
    if acme.dns is not None:
        found[dns_secret_name(name)] = {_TSIG_KEY: acme.dns.key_secret}
    if acme.eab is not None:
        found[eab_secret_name(name)] = {_EAB_KEY: acme.eab.hmac_key}
    return found


def _certificate(name: str, args: TLSArgs, issuer: Manifest) -> Manifest:
    ca = args.signing_ca
    return cert_manager.server_certificate(
        secret_name(name),
        args.hostnames if ca else ordered(args.hostnames),
        issuer,
        renew_before_percent=args.renew_before_percent,
        days=ca.lifetime_days if ca else None,
        # With ACME the engine must not wait, because the Gateway that answers the challenge may come later.
        wait=ca is not None,
    )


def build(name: str, parent: pulumi.Resource, args: TLSArgs) -> Certificate:
    """Register the objects; the certificate is known to others by the name of its Secret."""
    on = cluster(args.platform, parent)
    if args.given:
        held = on.given_secret(secret_name(name), parent, _given(args.given), secret_type="kubernetes.io/tls")
        return Certificate(
            hostnames=list(args.hostnames), place=args.platform.place, secret_name=held["tls.crt"].secret_name
        )
    for called, values in secrets(name, args.acme).items() if args.acme else ():
        on.given_secret(called, parent, values)
    made = on.apply(parent, in_order(manifests(name, args)))
    secret = made[f"{name}-certificate"].urn.apply(lambda _: secret_name(name))
    return Certificate(
        hostnames=list(args.hostnames),
        place=args.platform.place,
        secret_name=secret,
        challenge=args.gateway if args.answered_by_gateway else None,
    )


def _given(pair: GivenCertificateArgs) -> dict[str, pulumi.Input[str]]:
    from tierstack.tls import given  # what it needs to read certificates takes long to import

    # Where manifests are rendered, both come from the store, and the key may be unknown here.
    return {"tls.crt": given.chain_pem(pair), "tls.key": given.key_pem(pair) or ""}
