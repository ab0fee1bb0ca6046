"""The certificate on Kubernetes: resources of cert-manager, in whose Secrets the keys stay; or a given Secret."""

import base64
from collections.abc import Mapping

import pulumi

from tierstack.links import Certificate
from tierstack.platform import cert_manager
from tierstack.platform.kubernetes import Manifest, cluster
from tierstack.platform.proxy.acme import ordered
from tierstack.tls.args import Issuer, TLSArgs

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
    if args.issuer is Issuer.LOCAL_CA:
        ca = f"{args.platform.name} {name} local CA"
        issuers = cert_manager.own_ca(name, ca, args.ca_lifetime_days, args.local_lifetime_days)
        reference = cert_manager.reference(f"{name}-ca")
    elif args.cluster_issuer is not None:
        issuers = {}
        reference = cert_manager.reference(args.cluster_issuer, "ClusterIssuer")
    else:
        issuers = {f"{name}-acme": _acme(name, args)}
        reference = cert_manager.reference(f"{name}-acme")
    return {**issuers, f"{name}-certificate": _certificate(name, args, reference)}


def _acme(name: str, args: TLSArgs) -> Manifest:
    acme: Manifest = {
        "email": args.acme_email,
        "server": args.acme_directory,
        "privateKeySecretRef": {"name": f"{name}-acme-account"},
        "solvers": [_solver(name, args)],
    }
    if args.acme_ca is not None:
        from tierstack.tls import pem  # what it needs to read certificates takes long to import

        acme["caBundle"] = base64.b64encode(pem.certificates_pem(args.acme_ca).encode()).decode()
    if args.acme_eab is not None:
        reference = {"name": eab_secret_name(name), "key": _EAB_KEY}
        acme["externalAccountBinding"] = {"keyID": args.acme_eab.key_id, "keySecretRef": reference}
    return cert_manager.issuer(f"{name}-acme", {"acme": acme})


def _solver(name: str, args: TLSArgs) -> Manifest:
    """How names are proved."""
    if (dns := args.acme_dns) is not None:
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


def secrets(name: str, args: TLSArgs) -> dict[str, Mapping[str, pulumi.Input[str]]]:
    """The Secrets that the issuer needs: name, then key and value."""
    found: dict[str, Mapping[str, pulumi.Input[str]]] = {}
    if args.acme_dns is not None:
        found[dns_secret_name(name)] = {_TSIG_KEY: args.acme_dns.key_secret}
    if args.acme_eab is not None:
        found[eab_secret_name(name)] = {_EAB_KEY: args.acme_eab.hmac_key}
    return found


def _certificate(name: str, args: TLSArgs, issuer: Manifest) -> Manifest:
    local = args.issuer is Issuer.LOCAL_CA
    spec: Manifest = {
        "secretName": secret_name(name),
        "dnsNames": list(args.hostnames) if local else ordered(args.hostnames),
        **({"duration": cert_manager.hours(args.local_lifetime_days)} if local else {}),
        "renewBeforePercentage": args.renew_before_percent,
        # A new key with every renewal, so that a stolen one is of use for one lifetime at most.
        "privateKey": {**cert_manager.KEY, "rotationPolicy": "Always"},
        "revisionHistoryLimit": 1,
        "usages": ["digital signature", "server auth"],
        "issuerRef": issuer,
    }
    # With ACME the engine must not wait, because the Gateway that answers the challenge may come later.
    return cert_manager.certificate(secret_name(name), spec, wait=local)


def build(name: str, parent: pulumi.Resource, args: TLSArgs) -> Certificate:
    """Register the objects; the certificate is known to others by the name of its Secret."""
    on = cluster(args.platform, parent)
    if args.issuer is Issuer.GIVEN:
        held = on.given_secret(secret_name(name), parent, _given(args), secret_type="kubernetes.io/tls")
        return Certificate(
            hostnames=list(args.hostnames), place=args.platform.place, secret_name=held["tls.crt"].secret_name
        )
    for called, values in secrets(name, args).items():
        on.given_secret(called, parent, values)
    registered: list[pulumi.Resource] = []
    for logical, manifest in manifests(name, args).items():
        registered.append(on.object(logical, parent, manifest, depends_on=registered))
    secret = registered[-1].urn.apply(lambda _: secret_name(name))
    return Certificate(
        hostnames=list(args.hostnames),
        place=args.platform.place,
        secret_name=secret,
        challenge=args.gateway if args.answered_by_gateway else None,
    )


def _given(args: TLSArgs) -> dict[str, pulumi.Input[str]]:
    from tierstack.tls import given  # what it needs to read certificates takes long to import

    # Where manifests are rendered, both come from the store, and the key may be unknown here.
    return {"tls.crt": given.chain_pem(args), "tls.key": given.key_pem(args) or ""}
