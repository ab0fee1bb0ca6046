"""What every HAProxy before a database on a Docker host has in common. Pure."""

HEALTH_PORT = 8404
"""Where the proxy answers whether it runs, on its own loopback address: beside the clients and their limit."""

_HEALTHY = f"""\
if command -v wget >/dev/null; then exec wget -q -T 2 -O /dev/null http://127.0.0.1:{HEALTH_PORT}/; fi
exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{HEALTH_PORT}
printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3
read -r _ code _ <&3 && [ "$code" = 200 ]'
"""

PROBE = ["sh", "-c", _HEALTHY]
"""Command that succeeds once the proxy runs. Images of HAProxy have one of the two: wget where they stand on Alpine,
bash where they stand on Debian."""

HEALTH = f"""\
frontend health
    mode http
    bind 127.0.0.1:{HEALTH_PORT}
    timeout client 5s
    http-request return status 200
"""
"""The part of haproxy.cfg that `PROBE` asks."""
