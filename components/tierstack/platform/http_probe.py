"""How the daemon asks an HTTP server inside a container, by what images of HAProxy have."""


def http_probe(port: int, path: str) -> list[str]:
    """A command that succeeds where 127.0.0.1 answers `path` with 200: by wget, which images on Alpine have, else by
    bash, which those on Debian have."""
    script = f"""\
if command -v wget >/dev/null; then exec wget -q -T 2 -O /dev/null http://127.0.0.1:{port}{path}; fi
exec bash -c 'exec 3<>/dev/tcp/127.0.0.1/{port}
printf "GET {path} HTTP/1.0\\r\\n\\r\\n" >&3
read -r _ code _ <&3 && [ "$code" = 200 ]'
"""
    return ["sh", "-c", script]
