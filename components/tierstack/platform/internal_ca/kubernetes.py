"""The internal CA on Kubernetes, where no operator of the store has one: resources of cert-manager (pure).

Keys are made in the cluster and stay in their Secrets; cert-manager renews in time, and the kubelet brings the files of
running pods up to date within a minute or two.
"""

from tierstack.platform.internal_ca import CA_DAYS
from tierstack.platform.kubernetes import cert_manager
from tierstack.platform.kubernetes.manifest import Manifest

CERTIFICATE_DAYS = 90
"""Days that a certificate is valid: nobody has to be there when it is renewed."""


def ca_secret(name: str) -> str:
    """The Secret whose `ca.crt` clients trust."""
    return f"{name}-ca"


def server_secret(name: str) -> str:
    """The Secret with `tls.crt` and `tls.key` of the server."""
    return f"{name}-server-tls"


def manifests(name: str, namespace: str, dns_names: list[str]) -> dict[str, Manifest]:
    """The CA of `name` and a certificate of it for `dns_names`, by logical name, each after those that it needs."""
    server = cert_manager.server_certificate(
        server_secret(name),
        dns_names,
        cert_manager.reference(f"{name}-ca"),
        renew_before_percent=34,
        days=CERTIFICATE_DAYS,
    )
    return {
        **cert_manager.own_ca(name, f"{namespace} {name} internal CA", CA_DAYS, CERTIFICATE_DAYS),
        f"{name}-server-tls": server,
    }
