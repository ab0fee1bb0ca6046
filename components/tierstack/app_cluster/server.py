"""Configuration of nginx and PHP-FPM (pure): the same files on both platforms, whatever image they run in.

Sizes and time-outs are those of `limits`. Health has a port of its own in nginx (`PROBES`) and a listener of its own in
PHP-FPM, so that it never waits behind the work: a pool whose children all wait for a database is well.
"""

from tierstack.app_cluster import limits
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.release import Release

CONFIG = "/etc/tierstack/app"
"""Where the configuration is mounted."""
SOCKETS = "/run/tierstack/sockets"
"""Where nginx and PHP-FPM of one replica meet, and nginx keeps its pid."""
NGINX, FPM = "nginx.conf", "php-fpm.conf"
PROBES = 18080
"""Port of nginx that only probes ask: those of the daemon, the kubelet and the proxy."""
ALIVE, PING, READY = "/alive", "/ping", "/ready"
"""Paths on it. ALIVE: nginx answers. PING: PHP-FPM too, from its status listener. READY: `readiness_path` has answered
once since both were started, and PING: a database that goes away later takes no container away."""

# What an image might not have in the version that we rely on, so it is written out.
_MIME = {
    "text/html": "html htm",
    "text/css": "css",
    "text/javascript": "js mjs",
    "text/plain": "txt",
    "text/xml": "xml",
    "application/json": "json map webmanifest",
    "application/pdf": "pdf",
    "application/wasm": "wasm",
    "font/woff2": "woff2",
    "font/woff": "woff",
    "font/ttf": "ttf",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpg jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
    "image/avif": "avif",
    "image/x-icon": "ico",
    "video/mp4": "mp4",
    "video/webm": "webm",
}
_PARAMETERS = {
    "QUERY_STRING": "$query_string",
    "REQUEST_METHOD": "$request_method",
    "CONTENT_TYPE": "$content_type",
    "CONTENT_LENGTH": "$content_length",
    "REQUEST_URI": "$request_uri",
    "DOCUMENT_ROOT": "$document_root",
    "SERVER_PROTOCOL": "$server_protocol",
    "REQUEST_SCHEME": "$client_scheme",
    "HTTPS": "$client_https if_not_empty",
    "GATEWAY_INTERFACE": "CGI/1.1",
    "REMOTE_ADDR": "$remote_addr",
    "REMOTE_PORT": "$remote_port",
    # The proxy writes its peer's there, which is a load balancer where one is in front.
    "HTTP_X_REAL_IP": "$remote_addr",
    "SERVER_ADDR": "$server_addr",
    "SERVER_PORT": "$client_port",
    "SERVER_NAME": "$host",
    "HTTP_HOST": "$host$host_port",
    "REDIRECT_STATUS": "200",
}


_PROXY_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where the proxy of the platform may be: it is the only one that reaches the port."""


def _real_ip(app: Application) -> str:
    """The client's address for the log and REMOTE_ADDR: the last one in X-Forwarded-For that no proxy has.

    Without load balancers in front it is the last one, which the platform's proxy wrote. Behind them the search goes on
    from right to left past their addresses; what the client itself wrote stands further left.
    """
    trusted = app.gateway.trusted_proxies or []
    lines = ["real_ip_header X-Forwarded-For;"]
    lines += [f"set_real_ip_from {network};" for network in dict.fromkeys([*_PROXY_NETWORKS, *trusted])]
    lines += ["real_ip_recursive on;"] if trusted else []
    return "\n".join(f"    {line}" for line in lines)


# Endings under which a program would be handed out as text: PHP's, also with whatever a copy, an editor or a version
# control system put behind them (`index.php~`, `config.inc.bak`, `#x.php#`, `x.php copy`, `x.php,v`, `x.phpold`), but
# not before the ending of a document or of what is meant for browsers (`form.php.js`, `Company.Inc.pdf`); and such
# copies of anything. The front controller answers for them, as for any other path that is no file.
_PROGRAM = r"\.(?:php\d*|phps|pht|phtml|phar|inc)"
_NO_PROGRAM = (
    "html?|css|m?js|map|json|png|jpe?g|gif|svg|webp|avif|ico|woff2?|pdf|docx?|xlsx?|pptx?|od[tsp]|zip|mp[34]|webm"
)
_COPY = r"~|\.(?:bak|old|orig|save|sw[a-p]|rej)"
_NOT_AT_THE_END = rf"(?![^/]*\.(?:{_NO_PROGRAM})$)"
_SOURCE = rf"{_PROGRAM}(?:$|{_NOT_AT_THE_END}[^a-z0-9/][^/]*$)|\.php{_NOT_AT_THE_END}[a-z][^/]*$|(?:{_COPY})$"


def nginx(app: Application, release: Release) -> str:
    """nginx.conf: files of the document root, everything else to the front controller through the socket.

    Only the front controller runs, so a PHP file that someone uploads never does, and no program is handed out as text.
    The log has no query strings and no headers, which carry tokens. Idle connections outlive those of the proxy (60 s),
    so that the proxy closes first and no request meets a closing connection. Answers to `Accept: text/event-stream`
    are passed on as they come (WHATWG HTML, section 9.2), all others in buffers, which frees the child sooner.
    """
    types = "\n".join(f"        {kind} {endings};" for kind, endings in _MIME.items())
    parameters = "\n".join(f"        fastcgi_param {key} {value};" for key, value in _PARAMETERS.items())
    php = release.php
    assert php  # who has a server of their own needs no configuration of ours
    front = f"/{php.front_controller}"
    unlogged = " ".join(f'"{path}" 0;' for path in sorted({release.health.path, _gate_path(release)}))
    return f"""daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
worker_shutdown_timeout {limits.stop_seconds(release)}s;
pid {SOCKETS}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 2048; }}
http {{
    types {{
{types}
    }}
    default_type application/octet-stream;
    charset utf-8;
    sendfile on;
    tcp_nopush on;
    server_tokens off;
    keepalive_timeout 90s;
    keepalive_requests 100000;
    large_client_header_buffers {limits.HEADER_BUFFERS};
    client_max_body_size {release.requests.max_body_mb}m;
    client_body_timeout {limits.STALL_SECONDS}s;
    client_body_temp_path /tmp/nginx-body;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    proxy_temp_path /tmp/nginx-proxy;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
{_real_ip(app)}
    map $http_x_forwarded_proto $client_scheme {{ default http; https https; }}
    map $http_x_forwarded_proto $client_https {{ default ""; https on; }}
    # What the client asked, not what nginx listens on: applications build URLs of it.
    map $http_host $host_port {{ default ""; "~(?<port_part>:[0-9]+)$" $port_part; }}
    map $client_scheme $scheme_port {{ default 80; https 443; }}
    map $http_host $asked_port {{ default $scheme_port; "~:(?<digits>[0-9]+)$" $digits; }}
    map $http_x_forwarded_port $client_port {{ default $asked_port; "~^[0-9]+$" $http_x_forwarded_port; }}
    map $request_uri $path_only {{ default ""; "~^(?<path_part>[^?]*)" $path_part; }}
    # Whoever watches from outside asks these all day.
    map $path_only $logged {{ default 1; {unlogged} }}
    map $http_accept $handler {{ default {front}; "~*text/event-stream" {_STREAM}; }}
    log_format tierstack escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"path":"$path_only","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time}}';
    access_log /dev/stdout tierstack if=$logged;
    upstream php {{ server unix:{SOCKETS}/php-fpm.sock max_fails=0; }}
    server {{
        listen {release.web.port} default_server;
        root {php.document_root};
        # nginx' own 500, not the application's: no room for a body, because other bodies take it.
        error_page 500 =503 @full;
{parameters}
        fastcgi_param DOCUMENT_URI {front};
        fastcgi_param SCRIPT_FILENAME {php.document_root}{front};
        fastcgi_param SCRIPT_NAME {front};
        # httpoxy (CVE-2016-5385): a request header must not become HTTP_PROXY.
        fastcgi_param HTTP_PROXY "";
        fastcgi_send_timeout {release.requests.request_timeout_seconds}s;
        fastcgi_read_timeout {release.requests.request_timeout_seconds}s;
        fastcgi_buffers 16 16k;
        fastcgi_buffer_size 32k;
        fastcgi_max_temp_file_size 0;
        location / {{ try_files $uri $handler$is_args$args; }}
        location ~ /\\.(?!well-known/) {{ return 404; }}
        location ~* "{_SOURCE}" {{ try_files /.none $handler$is_args$args; }}
        location = {front} {{ fastcgi_pass php; }}
        location = {_STREAM} {{ internal; fastcgi_buffering off; fastcgi_pass php; }}
        location @full {{
            default_type text/plain;
            add_header Retry-After 5 always;
            return 503 "This request does not fit in here now; try again.\\n";
        }}
    }}
{_probes(app, release)}}}
"""


_STREAM = "/.tierstack/stream"


def _gate_path(release: Release) -> str:
    return release.health.readiness_path or release.health.path


def _probes(app: Application, release: Release) -> str:
    """The server that probes ask. Any 2xx of the gate is noted as a file beside the sockets, which lie in memory: it is
    gone when nginx and PHP-FPM are both started anew."""
    noted = f"{SOCKETS}/ready"
    return f"""    server {{
        listen {PROBES};
        access_log off;
        location = {ALIVE} {{ return 200 "ok\\n"; }}
        location = {PING} {{
            fastcgi_param REQUEST_METHOD GET;
            fastcgi_param SCRIPT_FILENAME {PING};
            fastcgi_param SCRIPT_NAME {PING};
            fastcgi_read_timeout 2s;
            fastcgi_pass unix:{SOCKETS}/php-fpm-status.sock;
        }}
        location = {READY} {{
            if (-f {noted}) {{ rewrite ^ {PING} last; }}
            auth_request /gate;
            proxy_store {noted};
            proxy_pass http://127.0.0.1:{PROBES}{ALIVE};
        }}
        location = /gate {{
            internal;
            proxy_set_header Host {app.hostnames[0]};
            proxy_set_header X-Forwarded-Proto https;
            proxy_pass http://127.0.0.1:{release.web.port}{_gate_path(release)};
        }}
    }}
"""


def fpm(release: Release) -> str:
    """php-fpm.conf: one pool with a fixed number of children, because the memory for them is reserved anyway.

    Status and ping have a listener whose children are not those of the pool (PHP 8.0).
    """
    counts = release.counts
    settings = {
        "memory_limit": f"{counts.child_memory_mb}M",
        "post_max_size": f"{release.requests.max_body_mb}M",
        "upload_max_filesize": f"{release.requests.max_body_mb}M",
        "max_execution_time": str(release.requests.request_timeout_seconds),
        "expose_php": "off",
        "display_errors": "off",
        "log_errors": "on",
        "error_log": "/dev/stderr",
        "session.cookie_httponly": "on",
        "session.cookie_samesite": "Lax",
        "session.cookie_secure": "on",
        "session.use_strict_mode": "on",
        "upload_tmp_dir": "/tmp",
        "sys_temp_dir": "/tmp",
    }
    lines = "\n".join(
        f"php_value[{key}] = {value}" for key, value in settings.items() if key not in limits.php_settings(release)
    )
    return f"""[global]
daemonize = no
error_log = /dev/stderr
log_limit = 8192
process_control_timeout = {limits.stop_seconds(release)}s
emergency_restart_threshold = 10
emergency_restart_interval = 1m
[www]
listen = {SOCKETS}/php-fpm.sock
listen.mode = 0660
listen.backlog = 1024
pm = static
pm.max_children = {counts.children}
pm.max_requests = 10000
pm.status_listen = {SOCKETS}/php-fpm-status.sock
pm.status_path = /status
ping.path = {PING}
request_terminate_timeout = {limits.answer_seconds(release)}s
clear_env = no
catch_workers_output = yes
decorate_workers_output = no
{lines}
"""


def php_options(release: Release) -> dict[str, str]:
    """Settings that PHP-FPM takes at its start, as `-d` options: a pool is too late for the sizes of opcache, which it
    reserves once. The code of an image does not change, so nothing looks whether it did."""
    return {"opcache.validate_timestamps": "0", **limits.php_settings(release)}
