"""Configuration of Traefik (pure): the static part it starts with, and the dynamic part it watches.

JSON is YAML, so the files are JSON under names that Traefik looks for.
"""

import json
from typing import Any

HOME = "/etc/tierstack/gateway"
"""Where the configuration volume is mounted."""
STATIC = "static.yaml"
TLS = "dynamic/tls.yaml"
"""Paths in the volume. Only `dynamic/` is watched, so that files being written beside it are not read."""
HTTP, HTTPS, INTERNAL = 8080, 8443, 8082
"""Ports in the container: above 1023, because nothing runs as root. INTERNAL serves ping and metrics."""

READ_SECONDS = 300
"""How long a client may take to send one request, header and body, in seconds, where nothing asks for more: 16 MiB, the
default `max_body_mb` of an AppCluster, take 256 s at `SLOWEST_CLIENT_KB`. Traefik's own default is 60."""
SLOWEST_CLIENT_KB = 64
"""KiB/s of the slowest client whose upload is meant to arrive: half a megabit, an ADSL or 3G upstream."""

_CIPHERS = [
    f"TLS_{kind}_WITH_{cipher}"
    for cipher in ("AES_128_GCM_SHA256", "AES_256_GCM_SHA384", "CHACHA20_POLY1305_SHA256")
    for kind in ("ECDHE_ECDSA", "ECDHE_RSA")
]
# Query strings carry tokens (password resets, signed links), and headers carry sessions: neither is logged.
_UNLOGGED = ("RequestPath", "RequestLine", "ClientUsername")

LOGGING: dict[str, Any] = {
    "log": {"level": "INFO", "format": "json"},
    "accessLog": {
        "format": "json",
        "bufferingSize": 100,
        "fields": {"names": dict.fromkeys(_UNLOGGED, "drop"), "headers": {"defaultMode": "drop"}},
    },
}
"""The part of the static configuration that says what is logged, on every platform."""
TLS_PROFILE: dict[str, Any] = {"minVersion": "VersionTLS12", "cipherSuites": _CIPHERS}
"""TLS 1.2 and up with forward secrecy (Mozilla's `intermediate` profile), on every platform."""


def read_seconds(max_body_mb: int) -> int:
    """Seconds that an entry point must give its clients for a body of `max_body_mb` MiB, at least `READ_SECONDS`.

    Applications share an entry point, so it follows the one with the largest bodies."""
    return max(READ_SECONDS, max_body_mb * 1024 // SLOWEST_CLIENT_KB)


def reading(read_timeout_seconds: int) -> dict[str, Any]:
    """The part of an entry point's `transport` that says how long a client may take to send a request."""
    return {"respondingTimeouts": {"readTimeout": f"{read_timeout_seconds}s"}}


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
            **LOGGING,
            "ping": {"entryPoint": "internal"},
            "metrics": {"prometheus": {"entryPoint": "internal", "addRoutersLabels": True}},
            "providers": {
                "providersThrottleDuration": "100ms",
                "file": {"directory": f"{HOME}/dynamic", "watch": True},
            },
            "entryPoints": {
                "http": {
                    "address": f":{HTTP}",
                    "forwardedHeaders": forwarded,
                    "http": {"redirections": {"entryPoint": redirect}},
                },
                "https": {
                    "address": f":{HTTPS}",
                    "forwardedHeaders": forwarded,
                    "http": {"tls": {}},
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
    return dump({"tls": {**certificates, "options": {"default": TLS_PROFILE}}})


def dump(value: Any) -> str:
    """A configuration file's text, the same for the same value."""
    return json.dumps(value, indent=1, sort_keys=True) + "\n"
