"""The internal CA on Kubernetes, where no operator of the store has one: resources of cert-manager (pure).

Keys are made in the cluster and stay in their Secrets; cert-manager renews in time, and the kubelet brings the files of
running pods up to date within a minute or two.
"""

from tierstack.internal_ca import CA_DAYS
from tierstack.platform.kubernetes import Manifest

CERTIFICATE_DAYS = 90
"""Days that a certificate is valid: nobody has to be there when it is renewed."""
_API = "cert-manager.io/v1"
_KEY: Manifest = {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"}
_WAIT = {"pulumi.com/waitFor": "condition=Ready"}


def ca_secret(name: str) -> str:
    """The Secret whose `ca.crt` clients trust."""
    return f"{name}-ca"


def server_secret(name: str) -> str:
    """The Secret with `tls.crt` and `tls.key` of the server."""
    return f"{name}-server-tls"


def manifests(name: str, namespace: str, dns_names: list[str]) -> dict[str, Manifest]:
    """The CA of `name` and a certificate of it for `dns_names`, by logical name, each after those that it needs."""
    ca: Manifest = {
        "isCA": True,
        "commonName": f"{namespace} {name} internal CA"[:64],
        "subject": {"organizations": ["tierstack"]},
        "secretName": ca_secret(name),
        "duration": _hours(CA_DAYS),
        "renewBefore": _hours(CERTIFICATE_DAYS),
        # A renewed CA keeps its key: what was signed before stays valid for whoever trusts the new one.
        "privateKey": {**_KEY, "rotationPolicy": "Never"},
        "revisionHistoryLimit": 1,
        "usages": ["cert sign", "crl sign"],
        "issuerRef": _by(f"{name}-self-signed"),
    }
    server: Manifest = {
        "secretName": server_secret(name),
        "dnsNames": dns_names,
        "duration": _hours(CERTIFICATE_DAYS),
        "renewBeforePercentage": 34,
        "privateKey": {**_KEY, "rotationPolicy": "Always"},
        "revisionHistoryLimit": 1,
        "usages": ["digital signature", "server auth"],
        "issuerRef": _by(f"{name}-ca"),
    }
    return {
        f"{name}-self-signed": _object("Issuer", f"{name}-self-signed", {"selfSigned": {}}),
        f"{name}-ca-certificate": _object("Certificate", ca_secret(name), ca),
        f"{name}-ca": _object("Issuer", f"{name}-ca", {"ca": {"secretName": ca_secret(name)}}),
        f"{name}-server-tls": _object("Certificate", server_secret(name), server),
    }


def _object(kind: str, name: str, spec: Manifest) -> Manifest:
    metadata: Manifest = {"name": name, **({"annotations": _WAIT} if kind == "Certificate" else {})}
    return {"apiVersion": _API, "kind": kind, "metadata": metadata, "spec": spec}


def _by(issuer: str) -> Manifest:
    return {"group": "cert-manager.io", "kind": "Issuer", "name": issuer}


def _hours(days: int) -> str:
    # As the API server writes a duration back: any other form would show as a change in the next preview.
    return f"{days * 24}h0m0s"
