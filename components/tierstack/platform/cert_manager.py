"""Resources of cert-manager that more than one room makes (pure)."""

from tierstack.platform.kubernetes import Manifest

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
    return {"apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": name}, "spec": spec}


def certificate(name: str, spec: Manifest, *, wait: bool = True) -> Manifest:
    """A Certificate. `wait`: the engine waits until it is issued."""
    metadata: Manifest = {"name": name}
    if wait:
        metadata["annotations"] = {"pulumi.com/waitFor": "condition=Ready"}
    return {"apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": metadata, "spec": spec}


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
