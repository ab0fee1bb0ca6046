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


def opening(most: int, check_seconds: int, *, resting: str, every: str = "") -> str:
    """The beginning of haproxy.cfg before servers that can each be the primary. `most`: connections of a frontend;
    `check_seconds`: between two questions to a server; `resting`: what may be silent for long; `every`: what stands at
    each server."""
    return f"""\
global
    log stdout format raw local0 notice
    maxconn {2 * most}
    hard-stop-after 1h

resolvers docker
    parse-resolv-conf
    timeout resolve 1s
    timeout retry 500ms
    # A server that is gone leaves at once: its address may be another one's next.
    hold valid 1s
    hold nx 1s
    hold obsolete 1s

defaults
    mode tcp
    log global
    option clitcpka
    option srvtcpka
    option redispatch 1
    retries 3
    timeout connect 1s
    timeout check 3s
    # {resting} may rest; who is gone is found by keep-alives.
    timeout client 24d
    timeout server 24d
    timeout queue 1s
    default-server {every}inter {check_seconds}s fastinter 300ms downinter {check_seconds}s fall 2 rise 1
"""
