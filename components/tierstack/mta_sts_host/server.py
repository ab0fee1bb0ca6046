"""Configuration of nginx and Traefik for a policy (pure): the same nginx on both platforms."""

import hashlib
from typing import Any

from tierstack.dns_records.mail.mta_sts.fetch import PATH
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform.proxy.traefik import dump

CONFIG = "/etc/tierstack/mta-sts"
"""Where the files are mounted."""
NGINX, POLICY = "nginx.conf", "mta-sts.txt"
_PRIORITY = 1_000_000
"""Before the routers of wildcards, which Traefik would prefer for their longer rule."""


def nginx(args: MtaStsHostArgs) -> str:
    """nginx.conf: one file, as text/plain and without a redirect, as RFC 8461 §3.3 asks; read anew at each request."""
    return f"""daemon off;
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
    types {{ }}
    default_type text/plain;
    charset utf-8;
    server_tokens off;
    access_log off;
    client_body_temp_path /tmp/body;
    fastcgi_temp_path /tmp/fastcgi;
    proxy_temp_path /tmp/proxy;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    keepalive_timeout 90s;
    server {{
        listen {args.port} default_server;
        location = {PATH} {{
            limit_except GET {{ deny all; }}
            alias {CONFIG}/{POLICY};
        }}
        location / {{ return 404; }}
    }}
}}
"""


def files(args: MtaStsHostArgs) -> dict[str, str]:
    """The files that nginx needs, by their name under `CONFIG`."""
    return {NGINX: nginx(args), POLICY: args.policy}


def command(args: MtaStsHostArgs) -> list[str]:
    """The whole command line of nginx; `-e` because its built-in error log lies in a read-only place."""
    return [*(args.nginx_command or ["nginx"]), "-e", "stderr", "-c", f"{CONFIG}/{NGINX}"]


def digest(args: MtaStsHostArgs) -> str:
    """Digits that stand for what nginx reads at its start."""
    return hashlib.sha256(nginx(args).encode()).hexdigest()[:8]


def traefik_file(name: str, hostname: str, entry_point: str, server: str) -> str:
    """The file `<name>.yaml` of Traefik's directory; `server` is `host:port`."""
    router: dict[str, Any] = {
        "rule": f"Host(`{hostname}`)",
        "priority": _PRIORITY,
        "entryPoints": [entry_point],
        "service": name,
        "tls": {},
    }
    service = {"loadBalancer": {"servers": [{"url": f"http://{server}"}]}}
    return dump({"http": {"routers": {name: router}, "services": {name: service}}})
