"""The internal CA: certificates with which databases and Redis prove to their clients who they are. Pure.

Each component has a CA of its own, because what may speak for the database must not speak for Redis. Clients get its
certificate only, as a file whose content may change while they run: libpq, PHP and Redis read it at each connection.
On Docker the CA is made in the engine (`docker.py`); on Kubernetes the operators of the cluster keep it.
"""

from enum import Enum

from tierstack.core.errors import Diagnostic, rule
from tierstack.platform import PlatformKind

__all__ = [
    "CA_FILE",
    "CERTIFICATE",
    "CERTIFICATE_DAYS",
    "KEY",
    "SERVER_DIRECTORY",
    "TLSMode",
    "ca_directory",
    "ca_path",
    "generation_problems",
]

CA_FILE = "ca.crt"
"""The file with the CA's certificate, and its key in a Secret (cert-manager and CloudNativePG call it so)."""
CERTIFICATE, KEY = "tls.crt", "tls.key"
"""Files of a server: its certificate and the key of it."""
SERVER_DIRECTORY = "/etc/tierstack/tls"
"""Where a server has them."""
CERTIFICATE_DAYS = 365
"""Days that a certificate of the internal CA on Docker is valid. An update renews it in the last third: who updates
once in 120 days never meets its end. The public limits (47 days from 2029) are for CAs that others must trust."""
CA_DAYS = 3650
"""Days that the CA itself is valid; renewed with the same key while it still outlives every certificate."""

MOST_GENERATIONS = 1000
"""Largest `ca_generation`: more changes of a CA than anybody makes."""


class TLSMode(Enum):
    """Whether connections are encrypted (TLS 1.2 or newer), and the server's certificate verified by its clients."""

    REQUIRE = "require"
    """Only TLS: a connection in plaintext is refused."""
    ALLOW = "allow"
    """Both: the application uses TLS, others may still connect in plaintext. The step between the other two that lets a
    stack change under traffic."""
    DISABLE = "disable"
    """No certificates, and clients verify nothing."""


def ca_directory(of: str) -> str:
    """Where a client of `of` (`database`, `redis`) has the CA's file."""
    return f"/run/tierstack/ca/{of}"


def ca_path(of: str) -> str:
    """The CA's file in a client of `of`."""
    return f"{ca_directory(of)}/{CA_FILE}"


@rule(
    "ca-generation",
    "`ca_generation` needs an internal CA on a Docker host.",
    wrong="database: {tls: disable, ca_generation: 2}",
    right="database: {ca_generation: 2}",
)
def generation_problems(generation: int, mode: TLSMode, kind: PlatformKind) -> list[Diagnostic]:
    """What is wrong with `ca_generation`."""
    if generation != 1 and kind is PlatformKind.KUBERNETES:
        wrong = "means something only on a Docker platform: on Kubernetes an operator keeps the CA"
        return [Diagnostic("ca_generation", generation, wrong, "remove it")]
    if generation != 1 and mode is TLSMode.DISABLE:
        return [
            Diagnostic("ca_generation", generation, "means nothing without certificates", "remove it, or change `tls`")
        ]
    return []
