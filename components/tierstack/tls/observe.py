"""The certificate that a server shows, as a client sees it."""

import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast


class RefusedError(Exception):
    """A client would get no connection; the text says why."""


@dataclass(frozen=True)
class Shown:
    """A certificate that a client accepts."""

    host: str
    not_before: datetime
    not_after: datetime
    serial: str
    """Hexadecimal."""
    issuer: str
    protocol: str
    """`TLSv1.3`."""

    def percent_left(self, now: datetime) -> int:
        """The share of its lifetime that is left."""
        return percent_left(self.not_before, self.not_after, now)


def percent_left(start: datetime, end: datetime, now: datetime) -> int:
    """The share of a lifetime that is left, in whole percent rounded down; negative once it is over."""
    return int((end - now) / (end - start) * 100 // 1)


def look(host: str, port: int, context: ssl.SSLContext, *, address: str | None = None, timeout: float = 10.0) -> Shown:
    """The certificate at `port` for `host`, which `context` must trust.

    `address`: where to connect, instead of where the DNS says. `timeout` in seconds. Raises RefusedError.
    """
    context.hostname_checks_common_name = False  # as browsers do (RFC 9525 section 6.3)
    try:
        with (
            socket.create_connection((address or host, port), timeout) as plain,
            context.wrap_socket(plain, server_hostname=host) as wrapped,
        ):
            found, protocol = cast(dict[str, Any], wrapped.getpeercert()), wrapped.version() or ""
    except ssl.SSLCertVerificationError as error:
        raise RefusedError(f"the certificate is refused: {error.verify_message}") from None
    except (OSError, UnicodeError) as error:  # UnicodeError: an address that is no name
        raise RefusedError(f"no TLS at {address or host}:{port}: {error}") from None
    issuer = {key: value for part in found["issuer"] for key, value in part}
    return Shown(
        host=host,
        not_before=_time(found["notBefore"]),
        not_after=_time(found["notAfter"]),
        serial=found["serialNumber"].lower(),
        issuer=issuer.get("commonName") or issuer.get("organizationName") or "",
        protocol=protocol,
    )


def _time(text: str) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(text), UTC)
