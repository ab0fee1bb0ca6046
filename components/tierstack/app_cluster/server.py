"""Configuration of nginx and PHP-FPM (pure): the same files on both platforms, whatever image they run in."""

from tierstack.app_cluster.args import AppClusterArgs

CONFIG = "/etc/tierstack/app"
"""Where the configuration is mounted."""
SOCKETS = "/run/tierstack/sockets"
"""Where nginx and PHP-FPM of one replica meet, and nginx keeps its pid."""
NGINX, FPM = "nginx.conf", "php-fpm.conf"

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
    "DOCUMENT_URI": "$document_uri",
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
    "SERVER_PORT": "$server_port",
    "SERVER_NAME": "$host",
    "HTTP_HOST": "$host",
    "REDIRECT_STATUS": "200",
}


_PROXY_NETWORKS = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
"""Where the proxy of the platform may be: it is the only one that reaches the port."""


def _real_ip(args: AppClusterArgs) -> str:
    """The client's address for the log and REMOTE_ADDR: the last one in X-Forwarded-For that no proxy has.

    Without load balancers in front it is the last one, which the platform's proxy wrote. Behind them the search goes on
    from right to left past their addresses; what the client itself wrote stands further left.
    """
    trusted = args.gateway.trusted_proxies or []
    lines = ["real_ip_header X-Forwarded-For;"]
    lines += [f"set_real_ip_from {network};" for network in dict.fromkeys([*_PROXY_NETWORKS, *trusted])]
    lines += ["real_ip_recursive on;"] if trusted else []
    return "\n".join(f"    {line}" for line in lines)


def nginx(args: AppClusterArgs) -> str:
    """nginx.conf: files of the document root, everything else to the front controller through the socket.

    Only the front controller runs, so a PHP file that someone uploads never does. The log has no query strings and no
    headers, which carry tokens. Idle connections outlive those of the proxy (60 s), so that the proxy closes first and
    no request meets a closing connection.
    """
    types = "\n".join(f"        {kind} {endings};" for kind, endings in _MIME.items())
    parameters = "\n".join(f"            fastcgi_param {key} {value};" for key, value in _PARAMETERS.items())
    script = f"{args.document_root}/{args.front_controller}"
    return f"""daemon off;
worker_processes 2;
worker_rlimit_nofile 8192;
worker_shutdown_timeout {args.stop_seconds}s;
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
    client_max_body_size {args.max_body_mb}m;
    client_body_timeout {args.request_timeout_seconds}s;
    client_body_temp_path /tmp/nginx-body;
    fastcgi_temp_path /tmp/nginx-fastcgi;
    proxy_temp_path /tmp/nginx-proxy;
    uwsgi_temp_path /tmp/nginx-uwsgi;
    scgi_temp_path /tmp/nginx-scgi;
{_real_ip(args)}
    map $http_x_forwarded_proto $client_scheme {{ default http; https https; }}
    map $http_x_forwarded_proto $client_https {{ default ""; https on; }}
    map $request_uri $path_only {{ default ""; "~^(?<path_part>[^?]*)" $path_part; }}
    log_format tierstack escape=json '{{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method",'
        '"path":"$path_only","status":$status,"bytes":$body_bytes_sent,"seconds":$request_time}}';
    access_log /dev/stdout tierstack;
    upstream php {{ server unix:{SOCKETS}/php-fpm.sock max_fails=0; }}
    server {{
        listen {args.port} default_server;
        root {args.document_root};
        location / {{
            try_files $uri /{args.front_controller}$is_args$args;
        }}
        location = {args.health_path} {{
            access_log off;
            try_files /.none /{args.front_controller}$is_args$args;
        }}
        location ~ /\\.(?!well-known/) {{ return 404; }}
        location = /{args.front_controller} {{
{parameters}
            fastcgi_param SCRIPT_FILENAME {script};
            fastcgi_param SCRIPT_NAME /{args.front_controller};
            # httpoxy (CVE-2016-5385): a request header must not become HTTP_PROXY.
            fastcgi_param HTTP_PROXY "";
            fastcgi_read_timeout {args.request_timeout_seconds}s;
            fastcgi_buffers 16 16k;
            fastcgi_buffer_size 32k;
            fastcgi_pass php;
        }}
        location ~ \\.php$ {{ try_files /.none /{args.front_controller}$is_args$args; }}
    }}
}}
"""


def fpm(args: AppClusterArgs) -> str:
    """php-fpm.conf: one pool with a fixed number of children, because the memory for them is reserved anyway."""
    counts = args.counts
    settings = {
        "memory_limit": f"{counts.child_memory_mb}M",
        "post_max_size": f"{args.max_body_mb}M",
        "upload_max_filesize": f"{args.max_body_mb}M",
        "max_execution_time": str(args.request_timeout_seconds),
        "expose_php": "off",
        "display_errors": "off",
        "log_errors": "on",
        "error_log": "/dev/stderr",
        "session.cookie_httponly": "on",
        "session.cookie_secure": "on",
        "upload_tmp_dir": "/tmp",
        "sys_temp_dir": "/tmp",
        **(args.php_settings or {}),
    }
    lines = "\n".join(f"php_value[{key}] = {value}" for key, value in settings.items())
    return f"""[global]
daemonize = no
error_log = /dev/stderr
log_limit = 8192
process_control_timeout = {args.stop_seconds}s
emergency_restart_threshold = 10
emergency_restart_interval = 1m
[www]
listen = {SOCKETS}/php-fpm.sock
listen.mode = 0660
listen.backlog = 1024
pm = static
pm.max_children = {counts.children}
pm.max_requests = 10000
request_terminate_timeout = {args.request_timeout_seconds + 5}s
clear_env = no
catch_workers_output = yes
decorate_workers_output = no
{lines}
"""
