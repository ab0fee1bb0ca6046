"""What every HAProxy before a database on a Docker host has in common. Pure."""

from tierstack.platform.http_probe import http_probe

HEALTH_PORT = 8404
"""Where the proxy answers whether it runs, on its own loopback address: beside the clients and their limit."""

PROBE = http_probe(HEALTH_PORT, "/")
"""Command that succeeds once the proxy runs."""

HEALTH = f"""\
frontend health
    mode http
    bind 127.0.0.1:{HEALTH_PORT}
    timeout client 5s
    http-request return status 200
"""
"""The part of haproxy.cfg that `PROBE` asks."""
