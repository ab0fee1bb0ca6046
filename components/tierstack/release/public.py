"""Smoke tests through the public URL."""

import base64
import http.client

from tierstack.app_cluster.traffic_routes import PROBE_USER, RELEASE_HEADER
from tierstack.engine.health import NoAddressError, status_of

REFUSED = "answers 401"
"""What is wrong where the proxy does not take the password."""


def smoke(hostname: str, port: int, path: str, ca: str | None, release: str | None, token: str | None) -> str | None:
    """Ask the public URL for `path`, as a visitor, or with `token` of one release whatever its weight is. None: it
    answered below 400; else what is wrong."""
    headers: dict[str, str] = {}
    if release and token:
        password = base64.b64encode(f"{PROBE_USER}:{token}".encode()).decode()
        headers = {RELEASE_HEADER: release, "Authorization": f"Basic {password}"}
    try:
        status = status_of(hostname, port, path, ca=ca, headers=headers)
    except NoAddressError:
        return f"{hostname} has no address where the command runs"
    except (OSError, http.client.HTTPException) as error:
        return f"does not answer: {error}"
    return f"answers {status}" if status >= 400 else None
