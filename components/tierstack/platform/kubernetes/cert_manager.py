"""Resources of cert-manager that several components make (pure)."""

from collections.abc import Sequence

from tierstack.platform.kubernetes.manifest import WAIT_READY, Manifest, manifest

KEY: Manifest = {"algorithm": "ECDSA", "size": 256, "encoding": "PKCS8"}
"""The key of every certificate; its `rotationPolicy` is added."""


def hours(days: int) -> str:
    """A duration as the API server writes it back: any other form would show as a change in the next preview."""
    return f"{days * 24}h0m0s"


def reference(name: str, kind: str = "Issuer") -> Manifest:
    """An `issuerRef`."""
    return {"group": "cert-manager.io", "kind": kind, "name": name}


def issuer(name: str, spec: Manifest) -> Manifest:
    """An Issuer."""
    return manifest("cert-manager.io/v1", "Issuer", name, spec)


def certificate(name: str, spec: Manifest, *, wait: bool = True) -> Manifest:
    """A Certificate. `wait`: the engine waits until it is issued."""
    return manifest("cert-manager.io/v1", "Certificate", name, spec, annotations=WAIT_READY if wait else None)


def server_certificate(
    secret_name: str,
    dns_names: Sequence[str],
    issuer: Manifest,
    *,
    renew_before_percent: int,
    days: int | None = None,
    wait: bool = True,
) -> Manifest:
    """The Certificate of a server, in a Secret of its own name. `days` it is valid; None: as its issuer says. It is
    renewed when `renew_before_percent` of them are left."""
    spec: Manifest = {
        "secretName": secret_name,
        "dnsNames": list(dns_names),
        **({} if days is None else {"duration": hours(days)}),
        "renewBeforePercentage": renew_before_percent,
        # A new key with every renewal, so that a stolen one is of use for one lifetime at most.
        "privateKey": {**KEY, "rotationPolicy": "Always"},
        "revisionHistoryLimit": 1,
        "usages": ["digital signature", "server auth"],
        "issuerRef": issuer,
    }
    return certificate(secret_name, spec, wait=wait)


def own_ca(name: str, common_name: str, days: int, certificate_days: int) -> dict[str, Manifest]:
    """A CA that signs itself, in the Secret `<name>-ca`, and an Issuer `<name>-ca` that signs with it.

    By logical name, each after those that it needs. `days` it is valid; `certificate_days`: what it signs at most.
    """
    ca: Manifest = {
        "isCA": True,
        "commonName": common_name[:64],
        "subject": {"organizations": ["tierstack"]},
        "secretName": f"{name}-ca",
        "duration": hours(days),
        # Renewed while it still outlives every certificate that it may sign.
        "renewBefore": hours(certificate_days),
        # A renewed CA keeps its key: what was signed before stays valid for whoever trusts the new one.
        "privateKey": {**KEY, "rotationPolicy": "Never"},
        "revisionHistoryLimit": 1,
        "usages": ["cert sign", "crl sign"],
        "issuerRef": reference(f"{name}-self-signed"),
    }
    return {
        f"{name}-self-signed": issuer(f"{name}-self-signed", {"selfSigned": {}}),
        f"{name}-ca-certificate": certificate(f"{name}-ca", ca),
        f"{name}-ca": issuer(f"{name}-ca", {"ca": {"secretName": f"{name}-ca"}}),
    }
