"""The rules of an AppCluster's arguments (pure): each wrong one with what to write instead."""

import re
from collections.abc import Callable, Sequence

from tierstack.app_cluster import limits
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.options import HttpServerArgs, PhpFpmArgs
from tierstack.app_cluster.role_rules import command_problems, role_problems, store_problems, variable_problems
from tierstack.app_cluster.server import PROBES
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, out_of_range
from tierstack.core.hostnames import hostname_problems, uncovered_problems
from tierstack.platform import PlatformKind, image_problems, user_problems
from tierstack.platform.claims import Claim

_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_FILE = re.compile(r"[A-Za-z0-9._-]+\.php")
_SETTING = re.compile(r"[a-z0-9_.]+", re.IGNORECASE)
_TAKEN = ("/tmp", "/dev", "/")
_OURS_WHOLLY = ("/etc/tierstack", "/run/tierstack", "/proc", "/sys")
"""With everything below them: what is mounted there is read-only, or the kernel's."""
_ACCESS_MODES = ("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def problems_of(args: AppClusterArgs) -> list[Diagnostic]:
    """Everything that is wrong with the arguments."""
    parts: list[Callable[[AppClusterArgs], list[Diagnostic]]] = [
        lambda args: args.platform.problems(),
        _images,
        _hostnames,
        _server,
        _counts,
        _http,
        _health,
        _outbound,
        _paths,
        _uploads,
        role_problems,
        store_problems,
        variable_problems,
        _wiring,
    ]
    return [problem for part in parts for problem in part(args)]


def _images(args: AppClusterArgs) -> list[Diagnostic]:
    found = user_problems("user", args.user)
    for path, image in (("image", args.image), ("nginx_image", args.nginx_image)):
        found += image_problems(path, image, args.platform.kind)
        if args.platform.kind is PlatformKind.DOCKER and image is not None and not isinstance(image, str):
            wrong = "is known only during the update, but names the containers of a release on a Docker host"
            instead = "write it by digest, or make the component in an async function that awaits the image"
            found.append(Diagnostic(path, HIDDEN, wrong, instead))
    return found


def _hostnames(args: AppClusterArgs) -> list[Diagnostic]:
    found = hostname_problems("hostnames", args.hostnames, public=False)
    if not found and args.hostnames[0].startswith("*."):
        wrong = "is a wildcard, but the first name is what `url` and health checks use"
        found.append(Diagnostic("hostnames[0]", args.hostnames[0], wrong, "write a single name before it"))
    return found or uncovered_problems("hostnames", args.hostnames, args.gateway.hostnames)


def claims_of(args: AppClusterArgs) -> list[Claim]:
    """A hostname leads to one application behind each Gateway."""
    gateway = args.gateway
    if gateway.gateway is None:
        return []
    wrong, instead = "is a hostname of {owner} too, behind the same Gateway", "remove it from one of the two"
    return [
        Claim(
            ("hostname", gateway.place or "", gateway.gateway, name),
            Diagnostic(f"hostnames[{at}]", name, wrong, instead),
        )
        for at, name in enumerate(args.hostnames)
    ]


def _server(args: AppClusterArgs) -> list[Diagnostic]:
    """One thing answers requests."""
    php, server = args.php, args.http_server
    if php is not None and server is not None:
        wrong = "is given beside `php`, and one of the two answers requests"
        return [Diagnostic("http_server", server.command, wrong, "remove one of them")]
    if server is not None:
        return _http_server(args, server)
    if php is not None:
        return _php(args, php)
    instead = "give `php` with a `document_root`, or `http_server` with a `command`"
    return [Diagnostic("php", MISSING, "is required, or `http_server`", instead)]


def _http_server(args: AppClusterArgs, server: HttpServerArgs) -> list[Diagnostic]:
    found = [
        *command_problems("http_server.command", server.command),
        *out_of_range("http_server.memory_mb", server.memory_mb, 32, 262144, "MiB"),
        *out_of_range("http_server.concurrency", server.concurrency, 1, 1000),
        *out_of_range("http_server.cpu", server.cpu, 0.01, 128, "cores"),
        *out_of_range("http_server.port", server.port, 1024, 65535),
    ]
    if args.nginx_image is not None:
        found.append(Diagnostic("nginx_image", args.nginx_image, "means something only with `php`", "remove it"))
    return found


def _php(args: AppClusterArgs, php: PhpFpmArgs) -> list[Diagnostic]:
    found = [
        *command_problems("php.command", php.command),
        *command_problems("php.nginx_command", php.nginx_command),
        *out_of_range("php.children", php.children, 1, 1000),
        *out_of_range("php.child_memory_mb", php.child_memory_mb, 8, 16384, "MiB"),
        *out_of_range("php.memory_mb", php.memory_mb, 32, 262144, "MiB"),
        *out_of_range("php.cpu", php.cpu, 0.01, 128, "cores"),
        *out_of_range("php.port", php.port, 1024, 65535),
    ]
    if php.port == PROBES:
        wrong = "is the port of nginx that probes ask"
        found.append(Diagnostic("php.port", php.port, wrong, "write another, such as 8080"))
    if args.health.port is not None:
        wrong = "means something only with `http_server`"
        found.append(Diagnostic("health.port", args.health.port, wrong, "remove it"))
    if not _FILE.fullmatch(php.front_controller):
        wrong, instead = "is not the name of a PHP file", "write one in the document root, such as index.php"
        found.append(Diagnostic("php.front_controller", php.front_controller, wrong, instead))
    for key, value in (php.settings or {}).items():
        if not _SETTING.fullmatch(key) or "\n" in value:
            wrong, instead = "is not a setting of php.ini on one line", "write it as in `date.timezone: UTC`"
            found.append(Diagnostic(f"php.settings.{key}", value, wrong, instead))
    return found + _php_limits(args) + _php_memory(args, php)


def _php_memory(args: AppClusterArgs, php: PhpFpmArgs) -> list[Diagnostic]:
    """PHP-FPM manual, pm.max_children: the children must fit into the memory of their container."""
    counts, needed = args.counts, limits.web_memory_mb(args)
    if php.memory_mb is None or php.memory_mb >= needed:
        return []
    rest = needed - counts.children * counts.child_memory_mb
    wrong = (
        f"is less than {counts.children} children × {counts.child_memory_mb} MiB + {rest} MiB for PHP itself "
        f"and request bodies = {needed} MiB"
    )
    instead = f"write {needed} or more, or fewer `php.children` (PHP-FPM manual, pm.max_children)"
    return [Diagnostic("php.memory_mb", php.memory_mb, wrong, instead)]


def _php_limits(args: AppClusterArgs) -> list[Diagnostic]:
    """Settings of PHP that a limit of ours contradicts: PHP would never get what they admit, or drop what nginx admits
    (a body above `post_max_size` is empty for the application, with status 200)."""
    found: list[Diagnostic] = []
    for key, one in limits.php_limits(args).items():
        value = limits.php_settings(args).get(key)
        amount = None if value is None else limits.php_amount(value)
        if amount is None or amount == one.amount or (amount < one.amount and one.may_be_less):
            continue
        how, why = ("more", one.why_not_more) if amount > one.amount else ("less", one.why_not_less)
        wrong = f"is {how} than {one.shown}, by which {why}"
        found.append(Diagnostic(f"php.settings.{key}", value, wrong, f"remove it, and set `{one.argument}`"))
    return found


def _counts(args: AppClusterArgs) -> list[Diagnostic]:
    counts = args.counts
    found = [
        *out_of_range("replicas", args.replicas, 1, 500),
        *out_of_range("max_replicas", args.max_replicas, 1, 500),
        *out_of_range("service_time_ms", args.service_time_ms, 0.1, 3600000, "ms"),
        *out_of_range("cpu_time_ms", args.cpu_time_ms, 0.01, 3600000, "ms"),
    ]
    if counts.max_replicas < counts.replicas:
        wrong = f"is less than replicas ({counts.replicas})"
        instead = f"write at least {counts.replicas}, or leave it out"
        found.append(Diagnostic("max_replicas", counts.max_replicas, wrong, instead))
    return found


def _http(args: AppClusterArgs) -> list[Diagnostic]:
    http = args.http
    found = [
        *out_of_range("http.rate_limit", http.rate_limit, 0, 1000000, "requests/s"),
        *out_of_range("http.max_body_mb", http.max_body_mb, 1, 2048, "MiB"),
        *out_of_range("http.request_timeout_seconds", http.request_timeout_seconds, 1, 3600, "seconds"),
        *out_of_range("http.stop_seconds", http.stop_seconds, 1, 3600, "seconds"),
        *out_of_range("http.hsts_seconds", http.hsts_seconds, 0, 63072000, "seconds"),
    ]
    if http.rate_limit:
        found += out_of_range("http.rate_burst", http.rate_burst, 1, 1000000, "requests")
    if http.frame_options not in ("DENY", "SAMEORIGIN"):
        instead = (
            "write DENY or SAMEORIGIN (RFC 7034); for other sites use `content_security_policy: frame-ancestors …`"
        )
        found.append(Diagnostic("http.frame_options", http.frame_options, "is not known to browsers", instead))
    policy = http.content_security_policy
    if policy is not None and (not policy or not policy.isascii() or "\n" in policy):
        wrong, instead = "is not one line of ASCII", "write one such as default-src 'self'"
        found.append(Diagnostic("http.content_security_policy", policy, wrong, instead))
    return found


def _health(args: AppClusterArgs) -> list[Diagnostic]:
    health = args.health
    found = [
        *out_of_range("health.port", health.port, 1, 65535),
        *command_problems("health.client", health.client),
    ]
    for path, value in (("health.path", health.path), ("health.readiness_path", health.readiness_path)):
        if value is not None and not _PATH.fullmatch(value):
            wrong, instead = "is not a path of plain characters that starts with /", "write one such as /health"
            found.append(Diagnostic(path, value, wrong, instead))
    return found


def _outbound(args: AppClusterArgs) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    for index, port in enumerate(args.outbound.ports or []):
        found += out_of_range(f"outbound.ports[{index}]", port, 1, 65535)
    for index, network in enumerate(args.outbound.networks or []):
        found += network.problems(f"outbound.networks[{index}]")
    return found


def _paths(args: AppClusterArgs) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    root, uploads = args.php.document_root if args.php else None, args.uploads.path if args.uploads else None
    directories = [("php.document_root", root), ("uploads.path", uploads)]
    directories += [(f"writable_paths[{index}]", value) for index, value in enumerate(args.writable_paths or [])]
    for path, value in directories:
        if value is None:
            continue
        if not _PATH.fullmatch(value) or ".." in value.split("/") or value != value.rstrip("/"):
            wrong = "is not an absolute directory without `..` or a slash at the end"
            found.append(Diagnostic(path, value, wrong, "write one such as /srv/shop"))
        elif {"", "."} & set(value.split("/")[1:]):
            found.append(
                Diagnostic(path, value, "has `//` or `/./` in it", "write each directory once, with one slash")
            )
        elif path != "php.document_root" and _is_ours(value):
            found.append(Diagnostic(path, value, "is used for something else in the container", "write another"))
    found += _hidden_code(root, directories[1:])
    seen: dict[str, str] = {}
    for path, value in directories[1:]:
        if value is not None and value in seen:
            found.append(Diagnostic(path, value, f"is the same as {seen[value]}", "remove one of them"))
        elif value is not None:
            seen[value] = path
    return found


def _uploads(args: AppClusterArgs) -> list[Diagnostic]:
    """The volume of uploads; its directory is judged with the others."""
    uploads = args.uploads
    if uploads is None:
        return []
    found = out_of_range("uploads.storage_gb", uploads.storage_gb, 1, 65536, "GiB")
    if args.platform.kind is PlatformKind.KUBERNETES and uploads.access_mode not in _ACCESS_MODES:
        instead = f"write one of {', '.join(_ACCESS_MODES)}"
        found.append(Diagnostic("uploads.access_mode", uploads.access_mode, "is not an access mode", instead))
    if args.platform.kind is PlatformKind.DOCKER and uploads.storage_class is not None:
        wrong = "means something only on a Kubernetes platform"
        found.append(Diagnostic("uploads.storage_class", uploads.storage_class, wrong, "remove it"))
    return found


def _is_ours(path: str) -> bool:
    """Whether the component mounts something there itself, or nothing can be mounted there."""
    return path in _TAKEN or any(_is_inside(path, one) for one in _OURS_WHOLLY)


def _is_inside(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory}/")


def _hidden_code(root: str | None, directories: Sequence[tuple[str, str | None]]) -> list[Diagnostic]:
    """Directories with a mount of their own that would hide the application's code."""
    if root is None:
        return []
    found: list[Diagnostic] = []
    if any(_is_inside(root, one) for one in ("/tmp", *_OURS_WHOLLY)):
        wrong = "is inside a directory that is mounted over in the container, which hides the application's code"
        found.append(Diagnostic("php.document_root", root, wrong, "write another, such as /srv/shop/public"))
    for path, value in directories:
        if value and _is_inside(root, value):
            which = "is the same as" if value == root else "is a parent of"
            wrong = f"{which} `php.document_root`, and a mount there hides the application's code"
            found.append(Diagnostic(path, value, wrong, "write a directory of its own, such as /srv/uploads"))
    return found


def _wiring(args: AppClusterArgs) -> list[Diagnostic]:
    """The other components must be on the same platform, and secrets must have a place to be."""
    kind = args.platform.kind.value
    needed = {f"gateway.{kind}": getattr(args.gateway, kind)}
    part = "value" if args.platform.kind is PlatformKind.DOCKER else "secret_name"
    needed |= {f"{one.path}.password.{part}": getattr(one.secret, part) for one in connected(args)}
    found = [
        Diagnostic(
            path,
            MISSING,
            f"is required on {args.platform.kind.name.title()}",
            f"pass the {path.split('.')[0]} of a component on the same platform",
        )
        for path, value in needed.items()
        if value is None
    ]
    if args.secrets and args.platform.renders and not args.platform.secret_store:
        wrong = "would stand in plaintext in rendered files"
        instead = "write `platform.secret_store`, and put the secrets into that store"
        found.append(Diagnostic("secrets", HIDDEN, wrong, instead))
    return found
