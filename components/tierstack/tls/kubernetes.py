"""The certificate on Kubernetes: resources of cert-manager, in whose Secrets the keys stay; or a given Secret."""

import base64
from collections.abc import Mapping

import pulumi

from tierstack.gateway.acme import ordered
from tierstack.platform.kubernetes import Manifest, cluster
from tierstack.tls.args import Issuer, TLSArgs
from tierstack.wiring import Certificate

_API = "cert-manager.io/v1"
_TSIG_KEY, _EAB_KEY = "tsig-secret", "hmac-key"
"""Keys inside the Secrets."""
_KEY: Manifest = {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"}
# The engine waits for it; with ACME it must not, because the Gateway that answers the challenge may come later.
_WAIT = {"pulumi.com/waitFor": "condition=Ready"}


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
        issuers = _local_ca(name, args)
        reference = {"kind": "Issuer", "name": f"{name}-ca"}
    elif args.cluster_issuer is not None:
        issuers = {}
        reference = {"kind": "ClusterIssuer", "name": args.cluster_issuer}
    else:
        issuers = {f"{name}-acme": _acme(name, args)}
        reference = {"kind": "Issuer", "name": f"{name}-acme"}
    return {**issuers, f"{name}-certificate": _certificate(name, args, reference)}


def _issuer(name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": _API, "kind": "Issuer", "metadata": {"name": name}, "spec": spec}


def _local_ca(name: str, args: TLSArgs) -> dict[str, Manifest]:
    """A CA that signs itself, and an Issuer that signs with it."""
    ca: Manifest = {
        "apiVersion": _API,
        "kind": "Certificate",
        "metadata": {"name": f"{name}-ca", "annotations": _WAIT},
        "spec": {
            "isCA": True,
            "commonName": f"{args.platform.name} {name} local CA"[:64],
            "subject": {"organizations": ["tierstack"]},
            "secretName": f"{name}-ca",
            "duration": _hours(args.ca_lifetime_days),
            # Renewed while it still outlives every certificate that it may sign.
            "renewBefore": _hours(args.local_lifetime_days),
            # A renewed CA keeps its key: what was signed before stays valid for whoever trusts the new one.
            "privateKey": {**_KEY, "rotationPolicy": "Never"},
            "revisionHistoryLimit": 1,
            "usages": ["cert sign", "crl sign"],
            "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": f"{name}-self-signed"},
        },
    }
    return {
        f"{name}-self-signed": _issuer(f"{name}-self-signed", {"selfSigned": {}}),
        f"{name}-ca-certificate": ca,
        f"{name}-ca": _issuer(f"{name}-ca", {"ca": {"secretName": f"{name}-ca"}}),
    }


def _acme(name: str, args: TLSArgs) -> Manifest:
    acme: Manifest = {
        "email": args.acme_email,
        "server": args.acme_directory,
        "privateKeySecretRef": {"name": f"{name}-acme-account"},
        "solvers": [_solver(name, args)],
    }
    if args.acme_ca is not None:
        acme["caBundle"] = base64.b64encode(args.acme_ca.encode()).decode()
    if args.acme_eab is not None:
        reference = {"name": eab_secret_name(name), "key": _EAB_KEY}
        acme["externalAccountBinding"] = {"keyID": args.acme_eab.key_id, "keySecretRef": reference}
    return _issuer(f"{name}-acme", {"acme": acme})


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
    gateway = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "namespace": args.platform.name,
        "name": args.acme_gateway or "gateway",
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
    metadata: Manifest = {"name": secret_name(name), **({"annotations": _WAIT} if local else {})}
    return {
        "apiVersion": _API,
        "kind": "Certificate",
        "metadata": metadata,
        "spec": {
            "secretName": secret_name(name),
            "dnsNames": list(args.hostnames) if local else ordered(args.hostnames),
            **({"duration": _hours(args.local_lifetime_days)} if local else {}),
            "renewBeforePercentage": args.renew_before_percent,
            # A new key with every renewal, so that a stolen one is of use for one lifetime at most.
            "privateKey": {**_KEY, "rotationPolicy": "Always"},
            "revisionHistoryLimit": 1,
            "usages": ["digital signature", "server auth"],
            "issuerRef": {"group": "cert-manager.io", **issuer},
        },
    }


def _hours(days: int) -> str:
    # As the API server writes a duration back: any other form would show as a change in the next preview.
    return f"{days * 24}h0m0s"


def build(name: str, parent: pulumi.Resource, args: TLSArgs) -> Certificate:
    """Register the objects; the certificate is known to others by the name of its Secret."""
    on = cluster(args.platform)
    if args.issuer is Issuer.GIVEN:
        held = on.given_secret(secret_name(name), parent, _given(args), secret_type="kubernetes.io/tls")
        return Certificate(hostnames=list(args.hostnames), secret_name=held["tls.crt"].secret_name)
    for called, values in secrets(name, args).items():
        on.given_secret(called, parent, values)
    registered: list[pulumi.Resource] = []
    for logical, manifest in manifests(name, args).items():
        registered.append(on.object(logical, parent, manifest, depends_on=registered))
    secret = registered[-1].urn.apply(lambda _: secret_name(name))
    return Certificate(hostnames=list(args.hostnames), secret_name=secret)


def _given(args: TLSArgs) -> dict[str, pulumi.Input[str]]:
    from tierstack.tls import given  # what it needs to read certificates takes long to import

    # Where manifests are rendered, both come from the store, and the key may be unknown here.
    return {"tls.crt": given.chain_pem(args), "tls.key": given.key_pem(args) or ""}
