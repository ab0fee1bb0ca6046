"""Configuration of Traefik (pure): the static part it starts with, and the dynamic part it watches.

JSON is YAML, so the files are JSON under names that Traefik looks for.
"""

import json
from typing import Any

from tierstack.platform.proxy.sizing import IDLE_SECONDS

HOME = "/etc/tierstack/gateway"
"""Where the configuration volume is mounted."""
DYNAMIC = "dynamic"
"""The folder of the volume that Traefik watches: files being written beside it are not read."""
STATIC, TLS = "static.yaml", f"{DYNAMIC}/tls.yaml"
"""Paths in the volume."""
HTTPS_ENTRY = "https"
"""Name of the entry point for HTTPS, on every platform."""
HTTP, HTTPS, INTERNAL = 8080, 8443, 8082
"""Ports in the container: above 1023, because nothing runs as root. INTERNAL serves ping, metrics, and to the container
itself the API."""
API: dict[str, Any] = {"dashboard": False}
"""Traefik's API, which only reads: what it serves at this moment. No port is opened for it."""
API_RULE = "PathPrefix(`/api/`) && (ClientIP(`127.0.0.1`) || ClientIP(`::1`))"
"""Who may ask the API, at INTERNAL: what runs in the network of the container or pod itself, such as a forwarded port
of the cluster. Applications reach INTERNAL too, and need not know what others there are."""

READ_SECONDS = 300
"""How long a client may take to send one request, header and body, in seconds, where nothing asks for more: 16 MiB, the
default `http.max_body_mb` of an AppCluster, take 256 s at `SLOWEST_CLIENT_KB`. Traefik's own default is 60."""
SLOWEST_CLIENT_KB = 64
"""KiB/s of the slowest client whose upload is meant to arrive: half a megabit, an ADSL or 3G upstream."""

_CIPHERS = [
    f"TLS_{kind}_WITH_{cipher}"
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    for kind in ("ECDHE_ECDSA", "ECDHE_RSA")
]
# Every further field costs CPU at each request. Query strings carry tokens (password resets, signed links), and headers
# carry sessions: neither is logged, so there is no field of a path.
_LOGGED = (
    *("StartUTC", "ClientHost", "RequestMethod", "RequestHost", "RequestContentSize", "TLSVersion"),
    *("RouterName", "ServiceAddr", "RetryAttempts"),
    *("DownstreamStatus", "DownstreamContentSize", "Duration", "OriginStatus", "OriginDuration"),
)

OBSERVED: dict[str, Any] = {
    "log": {"level": "INFO", "format": "json"},
    "accessLog": {
        "format": "json",
        "bufferingSize": 100,
        "fields": {
            "defaultMode": "drop",
            "names": dict.fromkeys(_LOGGED, "keep"),
            "headers": {"defaultMode": "drop"},
        },
    },
    # By its router, and by its service: that is the release, whose answers decide whether it stays. Counting it by its
    # entry point too costs CPU and says the same again: a router has one.
    "metrics": {
        "prometheus": {
            "entryPoint": "internal",
            "addEntryPointsLabels": False,
            "addRoutersLabels": True,
            "addServicesLabels": True,
        }
    },
}
"""The part of the static configuration that says what is logged and counted, on every platform."""
# Characters that a path may hold in encoded form, as in `/search/100%25` or `/tag/C%23`: they reach the application as
# they were sent. The proxy routes by host alone, so no rule of its own can be passed by with them; nginx decodes a path
# once, before it looks for files or compares it with a location, and refuses one that leaves the document root. The
# zero byte has no use in a path, and programs in C end a name there.
_ENCODED = {
    **{f"allowEncoded{one}": True for one in ("Slash", "BackSlash", "Semicolon", "Percent", "QuestionMark", "Hash")},
    "allowEncodedNullCharacter": False,
}
REQUESTS: dict[str, Any] = {
    "encodedCharacters": _ENCODED,
    # In CGI and PHP, `X_Forwarded_For` and `X.Forwarded.For` become the variable of the header that the proxy writes.
    "aliasHeadersStrategy": "delete",
}
"""The part of an entry point's `http` that says which requests it takes, on every platform."""
IDLE_TO_SERVER, IDLE_SERVER_SECONDS = 256, 60
"""Idle connections that are kept to a server, and for how many seconds: shorter than servers keep them, so that the
proxy closes first and no request meets a closing connection."""
DIAL_SECONDS = 2
"""How long the proxy tries to reach a server. One whose host is gone does not answer at all; the next one is tried."""
TLS_PROFILE: dict[str, Any] = {"minVersion": "VersionTLS12", "cipherSuites": _CIPHERS}
"""TLS 1.2 and up with forward secrecy (Mozilla's `intermediate` profile), on every platform."""


def read_seconds(max_body_mb: int) -> int:
    """Seconds that an entry point must give its clients for a body of `max_body_mb` MiB, at least `READ_SECONDS`.

    Applications share an entry point, so it follows the one with the largest bodies."""
    return max(READ_SECONDS, max_body_mb * 1024 // SLOWEST_CLIENT_KB)


def reading(read_timeout_seconds: int) -> dict[str, Any]:
    """The part of an entry point's `transport` that says how long a client may take to send a request, and how long it
    may then be idle."""
    return {"respondingTimeouts": {"readTimeout": f"{read_timeout_seconds}s", "idleTimeout": f"{IDLE_SECONDS}s"}}


def static(
    https_port: int,
    trusted_proxies: list[str],
    stop_seconds: int,
    resolvers: dict[str, Any] | None = None,
    read_timeout_seconds: int = READ_SECONDS,
) -> str:
    """The static configuration; `https_port` is the one that clients see. `resolvers`: those of `acme`, which answer
    HTTP-01 on the entry point `http` before its redirect."""
    forwarded = {"trustedIPs": trusted_proxies}
    redirect = {"to": f":{https_port}", "scheme": "https", "permanent": True}
    return dump(
        {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            **OBSERVED,
            "api": API,
            "ping": {"entryPoint": "internal"},
            "providers": {
                "providersThrottleDuration": "100ms",
                "file": {"directory": f"{HOME}/{DYNAMIC}", "watch": True},
            },
            "entryPoints": {
                "http": {
                    "address": f":{HTTP}",
                    "forwardedHeaders": forwarded,
                    "http": {**REQUESTS, "redirections": {"entryPoint": redirect}},
                    "transport": {"respondingTimeouts": {"idleTimeout": f"{IDLE_SECONDS}s"}},
                },
                HTTPS_ENTRY: {
                    "address": f":{HTTPS}",
                    "forwardedHeaders": forwarded,
                    "http": {**REQUESTS, "tls": {}},
                    "transport": {
                        "lifeCycle": {"graceTimeOut": f"{stop_seconds}s"},
                        **reading(read_timeout_seconds),
                    },
                },
                "internal": {"address": f":{INTERNAL}"},
            },
            **({"certificatesResolvers": resolvers} if resolvers else {}),
        }
    )


def tls(certificate_pem: str, private_key_pem: str) -> str:
    """The certificate and the TLS profile.

    The PEM texts stand in the file itself: Traefik watches this file, not the ones it names, and so certificate and
    key always change together.
    """
    pair = {"certFile": certificate_pem, "keyFile": private_key_pem}
    return _tls({"certificates": [pair], "stores": {"default": {"defaultCertificate": pair}}})


def tls_of(store: dict[str, Any]) -> str:
    """The TLS profile, and a certificate that Traefik gets by itself."""
    return _tls({"stores": {"default": store}})


def _tls(certificates: dict[str, Any]) -> str:
    """With the route to the API: a file of its own could meet that of an application."""
    api = {"entryPoints": ["internal"], "rule": API_RULE, "service": "api@internal"}
    return dump(
        {
            "tls": {**certificates, "options": {"default": TLS_PROFILE}},
            "http": {"routers": {"tierstack_api": api}},
        }
    )


def dump(value: Any) -> str:
    """A configuration file's text, the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
