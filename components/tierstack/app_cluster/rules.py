"""The rules of an AppCluster's arguments (pure): each wrong one with what to write instead."""

import re
from collections.abc import Callable, Sequence

from tierstack.app_cluster import limits
from tierstack.app_cluster.args import AppClusterArgs, SecretDelivery, ServerKind
from tierstack.app_cluster.processes import secret_names, trusted
from tierstack.app_cluster.server import PROBES
from tierstack.core.errors import HIDDEN, MISSING, Problem, out_of_range
from tierstack.core.hostnames import hostname_problems, uncovered_problems
from tierstack.platform import PlatformKind, image_problems, name_problems, user_problems
from tierstack.platform.claims import Claim

_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
_FILE = re.compile(r"[A-Za-z0-9._-]+\.php")
_SETTING = re.compile(r"[a-z0-9_.]+", re.IGNORECASE)
_TAKEN = ("/tmp", "/dev", "/")
_OURS_WHOLLY = ("/etc/tierstack", "/run/tierstack", "/proc", "/sys")
"""With everything below them: what is mounted there is read-only, or the kernel's."""
_OURS = {
    "database": (
        *("DB_CONNECTION", "DB_HOST", "DB_PORT", "DB_DATABASE", "DB_USERNAME", "DB_PASSWORD"),
        *("DB_DIRECT_HOST", "DB_DIRECT_PORT"),
    ),
    "redis": ("REDIS_HOST", "REDIS_PORT", "REDIS_PASSWORD"),
}
_OURS_OF_CA = {
    "database": ("DB_SSLMODE", "PGSSLMODE", "PGSSLROOTCERT"),
    "redis": ("REDIS_SCHEME", "REDIS_CAFILE"),
}
_ACCESS_MODES = ("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def problems_of(args: AppClusterArgs) -> list[Problem]:
    """Everything that is wrong with the arguments."""
    parts: list[Callable[[AppClusterArgs], list[Problem]]] = [
        lambda args: args.platform.problems(),
        _images,
        _hostnames,
        _server,
        _counts,
        _numbers,
        _paths,
        _commands,
        _variables,
        _headers,
        _wiring,
    ]
    return [problem for part in parts for problem in part(args)]


def _queue(args: AppClusterArgs) -> list[Problem]:
    queue, counts = args.worker_queue, args.counts
    if queue is None:
        return []
    found = [
        *out_of_range("worker_queue.jobs_per_worker", queue.jobs_per_worker, 1, 1000000),
        *out_of_range("worker_queue.database_index", queue.database_index, 0, 15),
        *name_problems("worker_queue.keda_namespace", queue.keda_namespace),
    ]
    path, name = "worker_queue.list_name", queue.list_name
    if not name.strip():
        found.append(Problem(path, name, "is empty", "write the key of the list, such as `queues:default`"))
    if args.platform.kind is not PlatformKind.KUBERNETES:
        wrong = "means something only on a Kubernetes platform"
        found.append(Problem("worker_queue", name, wrong, "remove it: a Docker host runs `workers` of them"))
    elif args.redis is None:
        found.append(Problem("worker_queue", name, "needs a Redis", "give `redis`, or remove it"))
    elif not args.worker_command:
        found.append(Problem("worker_queue", name, "is set, but there is no worker", "set `worker_command`"))
    elif counts.max_workers <= counts.workers or not counts.workers:
        wrong = (
            f"is set, but `workers` = {counts.workers} and `max_workers` = {counts.max_workers} leave nothing to scale"
        )
        found.append(Problem("worker_queue", name, wrong, "raise `max_workers`, with `workers` of at least 1"))
    return found


def _images(args: AppClusterArgs) -> list[Problem]:
    found = user_problems("user", args.user)
    for path, image in (("image", args.image), ("nginx_image", args.nginx_image)):
        found += image_problems(path, image, args.platform.kind)
        if args.platform.kind is PlatformKind.DOCKER and image is not None and not isinstance(image, str):
            wrong = "is known only during the update, but names the containers of a release on a Docker host"
            instead = "write it by digest, or make the component in an async function that awaits the image"
            found.append(Problem(path, HIDDEN, wrong, instead))
    return found


def _hostnames(args: AppClusterArgs) -> list[Problem]:
    found = hostname_problems("hostnames", args.hostnames, public=False)
    if not found and args.hostnames[0].startswith("*."):
        wrong = "is a wildcard, but the first name is what `url` and health checks use"
        found.append(Problem("hostnames[0]", args.hostnames[0], wrong, "write a single name before it"))
    return found or uncovered_problems("hostnames", args.hostnames, args.gateway.hostnames)


def claims_of(args: AppClusterArgs) -> list[Claim]:
    """A hostname leads to one application behind each Gateway."""
    gateway = args.gateway
    if gateway.gateway is None:
        return []
    wrong, instead = "is a hostname of {owner} too, behind the same Gateway", "remove it from one of the two"
    return [
        Claim(
            ("hostname", gateway.place or "", gateway.gateway, name), Problem(f"hostnames[{at}]", name, wrong, instead)
        )
        for at, name in enumerate(args.hostnames)
    ]


_ONLY_FPM = ("document_root", "fpm_command", "nginx_command", "nginx_image", "php_settings", "children")


def _server(args: AppClusterArgs) -> list[Problem]:
    found: list[Problem] = []
    if args.server is ServerKind.HTTP:
        if not args.command:
            instead = 'write how the image\'s server starts, such as ["php", "artisan", "octane:start"]'
            found.append(Problem("command", MISSING, "is required with `server: http`", instead))
        if args.web_memory_mb is None:
            wrong = "is required with `server: http`, because only you know your server"
            found.append(Problem("web_memory_mb", MISSING, wrong, "write the MiB that one container may use"))
        for path in _ONLY_FPM:
            value = getattr(args, path)
            if value is not None:
                wrong = "means something only with `server: php-fpm`"
                found.append(Problem(path, value, wrong, "remove it, or change `server`"))
    else:
        if args.document_root is None:
            instead = "write the directory of the public files in the image, such as /srv/shop/public"
            found.append(Problem("document_root", MISSING, "is required with `server: php-fpm`", instead))
        for path in ("command", "health_port"):
            value = getattr(args, path)
            if value is not None:
                wrong = "means something only with `server: http`"
                found.append(Problem(path, value, wrong, "remove it, or write `server: http`"))
        if args.port == PROBES:
            found.append(
                Problem("port", args.port, "is the port of nginx that probes ask", "write another, such as 8080")
            )
        if not _FILE.fullmatch(args.front_controller):
            wrong, instead = "is not the name of a PHP file", "write one in the document root, such as index.php"
            found.append(Problem("front_controller", args.front_controller, wrong, instead))
        for key, value in (args.php_settings or {}).items():
            if not _SETTING.fullmatch(key) or "\n" in value:
                wrong, instead = "is not a setting of php.ini on one line", "write it as in `date.timezone: UTC`"
                found.append(Problem(f"php_settings.{key}", value, wrong, instead))
        found += _php_limits(args)
    return found


def _php_limits(args: AppClusterArgs) -> list[Problem]:
    """Settings of PHP that a limit of ours contradicts: PHP would never get what they admit, or drop what nginx admits
    (a body above `post_max_size` is empty for the application, with status 200)."""
    found: list[Problem] = []
    for key, one in limits.php_limits(args).items():
        value = (args.php_settings or {}).get(key)
        amount = None if value is None else limits.php_amount(value)
        if amount is None or amount == one.amount or (amount < one.amount and one.may_be_less):
            continue
        how, why = ("more", one.why_not_more) if amount > one.amount else ("less", one.why_not_less)
        wrong = f"is {how} than {one.shown}, by which {why}"
        found.append(Problem(f"php_settings.{key}", value, wrong, f"remove it, and set `{one.argument}`"))
    return found


def _counts(args: AppClusterArgs) -> list[Problem]:
    counts = args.counts
    found = [
        *out_of_range("replicas", args.replicas, 1, 500),
        *out_of_range("max_replicas", args.max_replicas, 1, 500),
        *out_of_range("workers", args.workers, 0, 500),
        *out_of_range("max_workers", args.max_workers, 0, 500),
        *out_of_range("children", args.children, 1, 1000),
        *out_of_range("child_memory_mb", args.child_memory_mb, 8, 16384, "MiB"),
        *out_of_range("web_memory_mb", args.web_memory_mb, 32, 262144, "MiB"),
        *out_of_range("worker_memory_mb", args.worker_memory_mb, 16, 262144, "MiB"),
        *out_of_range("web_cpu", args.web_cpu, 0.01, 128, "cores"),
        *out_of_range("worker_cpu", args.worker_cpu, 0.01, 128, "cores"),
        *out_of_range("service_time_ms", args.service_time_ms, 0.1, 3600000, "ms"),
        *out_of_range("cpu_time_ms", args.cpu_time_ms, 0.01, 3600000, "ms"),
    ]
    for most, least in (("max_replicas", "replicas"), ("max_workers", "workers")):
        low, high = getattr(counts, least), getattr(counts, most)
        if high < low:
            instead = f"write at least {low}, or leave it out"
            found.append(Problem(most, high, f"is less than {least} ({low})", instead))
    if args.workers and not args.worker_command:
        wrong = "are asked for, but nothing says how one starts"
        found.append(Problem("workers", args.workers, wrong, "write `worker_command`, or 0"))
    if args.server is ServerKind.PHP_FPM and args.web_memory_mb is not None:
        needed = limits.web_memory_mb(args)
        if args.web_memory_mb < needed:
            rest = needed - counts.children * counts.child_memory_mb
            wrong = (
                f"is less than {counts.children} children × {counts.child_memory_mb} MiB + {rest} MiB for PHP itself "
                f"and request bodies = {needed} MiB"
            )
            instead = f"write {needed} or more, or fewer `children` (PHP-FPM manual, pm.max_children)"
            found.append(Problem("web_memory_mb", args.web_memory_mb, wrong, instead))
    return found


def _numbers(args: AppClusterArgs) -> list[Problem]:
    found = [
        *out_of_range("port", args.port, 1024, 65535),
        *out_of_range("health_port", args.health_port, 1, 65535),
        *out_of_range("uploads_gb", args.uploads_gb, 1, 65536, "GiB"),
        *out_of_range("rate_limit", args.rate_limit, 0, 1000000, "requests/s"),
        *out_of_range("max_body_mb", args.max_body_mb, 1, 2048, "MiB"),
        *out_of_range("hsts_seconds", args.hsts_seconds, 0, 63072000, "seconds"),
        *out_of_range("request_timeout_seconds", args.request_timeout_seconds, 1, 3600, "seconds"),
        *out_of_range("stop_seconds", args.stop_seconds, 1, 3600, "seconds"),
        *out_of_range("worker_stop_seconds", args.worker_stop_seconds, 1, 86400, "seconds"),
        *out_of_range("migrate_timeout_seconds", args.migrate_timeout_seconds, 1, 86400, "seconds"),
    ]
    if args.rate_limit:
        found += out_of_range("rate_burst", args.rate_burst, 1, 1000000, "requests")
    for index, port in enumerate(args.outbound_ports or []):
        found += out_of_range(f"outbound_ports[{index}]", port, 1, 65535)
    found += _queue(args)
    for index, network in enumerate(args.outbound_networks or []):
        found += network.problems(f"outbound_networks[{index}]")
    return found


def _paths(args: AppClusterArgs) -> list[Problem]:
    found: list[Problem] = []
    for path, value in (("health_path", args.health_path), ("readiness_path", args.readiness_path)):
        if value is not None and not _PATH.fullmatch(value):
            wrong, instead = "is not a path of plain characters that starts with /", "write one such as /health"
            found.append(Problem(path, value, wrong, instead))
    directories = [("document_root", args.document_root), ("uploads_path", args.uploads_path)]
    directories += [(f"writable_paths[{index}]", value) for index, value in enumerate(args.writable_paths or [])]
    for path, value in directories:
        if value is None:
            continue
        if not _PATH.fullmatch(value) or ".." in value.split("/") or value != value.rstrip("/"):
            wrong = "is not an absolute directory without `..` or a slash at the end"
            found.append(Problem(path, value, wrong, "write one such as /srv/shop"))
        elif {"", "."} & set(value.split("/")[1:]):
            found.append(Problem(path, value, "has `//` or `/./` in it", "write each directory once, with one slash"))
        elif path != "document_root" and _is_ours(value):
            found.append(Problem(path, value, "is used for something else in the container", "write another"))
    found += _hidden_code(args.document_root, directories[1:])
    seen: dict[str, str] = {}
    for path, value in directories[1:]:
        if value is not None and value in seen:
            found.append(Problem(path, value, f"is the same as {seen[value]}", "remove one of them"))
        elif value is not None:
            seen[value] = path
    return found


def _is_ours(path: str) -> bool:
    """Whether the component mounts something there itself, or nothing can be mounted there."""
    return path in _TAKEN or any(_is_inside(path, one) for one in _OURS_WHOLLY)


def _is_inside(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory}/")


def _hidden_code(root: str | None, directories: Sequence[tuple[str, str | None]]) -> list[Problem]:
    """Directories with a mount of their own that would hide the application's code."""
    if root is None:
        return []
    found: list[Problem] = []
    if any(_is_inside(root, one) for one in ("/tmp", *_OURS_WHOLLY)):
        wrong = "is inside a directory that is mounted over in the container, which hides the application's code"
        found.append(Problem("document_root", root, wrong, "write another, such as /srv/shop/public"))
    for path, value in directories:
        if value and _is_inside(root, value):
            which = "is the same as" if value == root else "is a parent of"
            wrong = f"{which} document_root, and a mount there hides the application's code"
            found.append(Problem(path, value, wrong, "write a directory of its own, such as /srv/uploads"))
    return found


def _commands(args: AppClusterArgs) -> list[Problem]:
    found: list[Problem] = []
    fields = ["command", "fpm_command", "nginx_command", "worker_command", "worker_health_command", "health_client"]
    fields += ["scheduler_command", "scheduler_health_command", "migrate_command"]
    for path in fields:
        value = getattr(args, path)
        if value is not None and (not value or not value[0]):
            found.append(Problem(path, value, "names no program", "write program and arguments, or leave it out"))
    for role in ("worker", "scheduler"):
        if getattr(args, f"{role}_health_command") is not None and getattr(args, f"{role}_command") is None:
            path, wrong = f"{role}_health_command", f"checks a {role} that there is not"
            found.append(Problem(path, getattr(args, path), wrong, f"write `{role}_command`, or remove it"))
    return found


def _variables(args: AppClusterArgs) -> list[Problem]:
    environment, secrets = args.environment or {}, args.secrets or {}
    taken = {
        name: f"the variable of `{kind}`"
        for kind, names in _OURS.items()
        if getattr(args, kind) is not None
        for name in names
    }
    taken |= {name: f"the variable of `{of}`" for of in trusted(args) for name in _OURS_OF_CA[of]}
    if args.uploads_path:
        taken["UPLOADS_DIR"] = "the variable of `uploads_path`"
    if args.secret_delivery is SecretDelivery.FILE:
        taken |= {f"{name}_FILE": f"the path of the secret {name}" for name in secret_names(args)}
    found: list[Problem] = []
    for field, values in (("environment", environment), ("secrets", secrets)):
        for name in values:
            path, shown = f"{field}.{name}", environment[name] if field == "environment" else HIDDEN
            if not _ENV_NAME.fullmatch(name):
                wrong, instead = "is not a name of a variable (POSIX)", "write letters, digits and _, no digit first"
                found.append(Problem(path, shown, wrong, instead))
            elif name in taken:
                found.append(Problem(path, shown, f"is {taken[name]}, set by tierstack", "remove it"))
            elif field == "secrets" and name in environment:
                wrong = "stands in `environment` too, where anyone can read it"
                found.append(Problem(path, shown, wrong, "keep it in `secrets` only"))
    for name, value in environment.items():
        if "\0" in value or "\n" in value:
            wrong, instead = "has more than one line", "write one line, or give it as a secret"
            found.append(Problem(f"environment.{name}", value, wrong, instead))
    return found


def _headers(args: AppClusterArgs) -> list[Problem]:
    found: list[Problem] = []
    if args.frame_options not in ("DENY", "SAMEORIGIN"):
        instead = (
            "write DENY or SAMEORIGIN (RFC 7034); for other sites use `content_security_policy: frame-ancestors …`"
        )
        found.append(Problem("frame_options", args.frame_options, "is not known to browsers", instead))
    policy = args.content_security_policy
    if policy is not None and (not policy or not policy.isascii() or "\n" in policy):
        wrong, instead = "is not one line of ASCII", "write one such as default-src 'self'"
        found.append(Problem("content_security_policy", policy, wrong, instead))
    return found


def _wiring(args: AppClusterArgs) -> list[Problem]:
    """The other components must be on the same platform, and secrets must have a place to be."""
    if args.platform.kind is PlatformKind.DOCKER:
        needed = {"gateway.network": args.gateway.network, "gateway.volume": args.gateway.volume}
        needed |= {"gateway.tools_image": args.gateway.tools_image, "gateway.user": args.gateway.user}
    else:
        needed = {"gateway.name": args.gateway.name, "gateway.proxy_namespace": args.gateway.proxy_namespace}
    for kind in ("database", "redis"):
        connection = getattr(args, kind)
        if connection is not None:
            part = "value" if args.platform.kind is PlatformKind.DOCKER else "secret_name"
            needed[f"{kind}.password.{part}"] = getattr(connection.password, part)
    found = [
        Problem(
            path,
            MISSING,
            f"is required on {args.platform.kind.name.title()}",
            f"pass the {path.split('.')[0]} of a component on the same platform",
        )
        for path, value in needed.items()
        if value is None
    ]
    if args.platform.kind is PlatformKind.KUBERNETES and args.uploads_access_mode not in _ACCESS_MODES:
        instead = f"write one of {', '.join(_ACCESS_MODES)}"
        found.append(Problem("uploads_access_mode", args.uploads_access_mode, "is not an access mode", instead))
    if args.uploads_storage_class is not None:
        if args.platform.kind is PlatformKind.DOCKER:
            wrong = "means something only on a Kubernetes platform"
            found.append(Problem("uploads_storage_class", args.uploads_storage_class, wrong, "remove it"))
        elif not args.uploads_path:
            wrong = "is for a volume that `uploads_path` asks for"
            instead = "write `uploads_path`, or remove it"
            found.append(Problem("uploads_storage_class", args.uploads_storage_class, wrong, instead))
    if args.secrets and args.platform.renders and not args.platform.secret_store:
        wrong = "would stand in clear in rendered files"
        instead = "write `platform.secret_store`, and put the secrets into that store"
        found.append(Problem("secrets", HIDDEN, wrong, instead))
    return found
