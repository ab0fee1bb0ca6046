"""The rules of an AppCluster's arguments (pure): each wrong one with what to write instead."""

import re
from collections.abc import Callable

from tierstack.app_cluster import limits
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.counts import AppCounts
from tierstack.app_cluster.options import HttpArgs, PhpFpmArgs, UploadsArgs
from tierstack.app_cluster.path_rules import PATH, path_problems
from tierstack.app_cluster.release import Release
from tierstack.app_cluster.role_rules import command_problems, role_problems, store_problems, variable_problems
from tierstack.app_cluster.server import PROBES
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.core.hostnames import hostname_problems, uncovered_problems
from tierstack.platform import PlatformKind, image_problems, user_problems
from tierstack.platform.claims import Claim

_FILE = re.compile(r"[A-Za-z0-9._-]+\.php")
_SETTING = re.compile(r"[a-z0-9_.]+", re.IGNORECASE)
_ACCESS_MODES = ("ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")


def problems_of(app: Application, release: Release) -> list[Diagnostic]:
    """Everything that is wrong with an application and the release that its arguments describe."""
    parts: list[Callable[[Application, Release], list[Diagnostic]]] = [
        lambda app, _: app.platform.problems(),
        _images,
        _hostnames,
        _server,
        _http,
        _health,
        _outbound,
        path_problems,
        _uploads,
        role_problems,
        store_problems,
        variable_problems,
        _links,
        _rendered_secrets,
    ]
    return [problem for part in parts for problem in part(app, release)]


def claims_of(app: Application) -> list[Claim]:
    """A hostname leads to one application behind each Gateway."""
    gateway = app.gateway
    if gateway.gateway is None:
        return []
    wrong, instead = "is a hostname of {owner} too, behind the same Gateway", "remove it from one of the two"
    return [
        Claim(
            ("hostname", gateway.place or "", gateway.gateway, name),
            Diagnostic(f"hostnames[{at}]", name, wrong, instead, "hostname-twice"),
        )
        for at, name in enumerate(app.hostnames)
    ]


# What runs, and where it answers ----------------------------------------------------------------------------------


def _images(app: Application, release: Release) -> list[Diagnostic]:
    found = user_problems("user", app.user)
    for path, image in (("image", release.image), ("nginx_image", release.nginx_image)):
        found += image_problems(path, image, app.platform.kind)
        if app.platform.kind is PlatformKind.DOCKER and path in release.unknown_images:
            found += _unknown_image(path)
    return found


@rule("unknown-image", "An image that names containers of a Docker host is known at preview.")
def _unknown_image(path: str) -> list[Diagnostic]:
    wrong = "is known only during the update, but names the containers of a release on a Docker host"
    instead = "write it by digest, or make the component in an async function that awaits the image"
    return [Diagnostic(path, HIDDEN, wrong, instead)]


@rule(
    "first-hostname",
    "The first hostname is a single name.",
    why="`url` and health checks use it.",
    wrong='hostnames: ["*.shop.example"]',
    right='hostnames: [shop.example, "*.shop.example"]',
)
def _hostnames(app: Application, _: Release) -> list[Diagnostic]:
    found = hostname_problems("hostnames", app.hostnames, public=False)
    if not found and app.hostnames[0].startswith("*."):
        wrong = "is a wildcard, but the first name is what `url` and health checks use"
        found.append(Diagnostic("hostnames[0]", app.hostnames[0], wrong, "write a single name before it"))
    return found or uncovered_problems("hostnames", app.hostnames, app.gateway.hostnames)


@rule(
    "web-server",
    "Exactly one of `php` and `http_server` answers requests.",
    wrong="app: {http_server: {command: [serve], memory_mb: 512}}",
    right="app: {http_server: {command: [serve], memory_mb: 512}, php: null}",
)
def _server(_: Application, release: Release) -> list[Diagnostic]:
    """One thing answers requests."""
    php, server = release.php, release.http_server
    if php is not None and server is not None:
        wrong = "is given beside `php`, and one of the two answers requests"
        return [Diagnostic("http_server", server.command, wrong, "remove one of them")]
    if server is not None:
        command = command_problems("http_server.command", server.command, required=True)
        return command + _only_php(release)
    if php is not None:
        return _php(release, php)
    instead = "give `php` with a `document_root`, or `http_server` with a `command`"
    return [Diagnostic("php", MISSING, "is required, or `http_server`", instead)]


@rule("wrong-server", "Only what has a meaning for what answers requests is given.")
def _only_php(release: Release) -> list[Diagnostic]:
    if release.nginx_image is None:
        return []
    return [Diagnostic("nginx_image", release.nginx_image, "means something only with `php`", "remove it")]


@rule("wrong-server")
def _only_http_server(release: Release) -> list[Diagnostic]:
    if release.health.port is None:
        return []
    return [Diagnostic("health.port", release.health.port, "means something only with `http_server`", "remove it")]


# PHP-FPM ----------------------------------------------------------------------------------------------------------


def _php(release: Release, php: PhpFpmArgs) -> list[Diagnostic]:
    return [
        *command_problems("php.command", php.command),
        *command_problems("php.nginx_command", php.nginx_command),
        *_probe_port(php.port),
        *_only_http_server(release),
        *_front_controller(php.front_controller),
        *_php_settings(php),
        *_php_limits(release),
        *_php_memory(release, php),
    ]


@rule(
    "probe-port",
    "Probes ask nginx at a port of their own.",
    wrong="app: {php: {port: 18080}}",
    right="app: {php: {port: 8080}}",
)
def _probe_port(port: int) -> list[Diagnostic]:
    if port != PROBES:
        return []
    return [Diagnostic("php.port", port, "is the port of nginx that probes ask", "write another, such as 8080")]


@rule(
    "front-controller",
    "The front controller is a PHP file in the document root.",
    wrong="app: {php: {front_controller: public/index.php}}",
    right="app: {php: {front_controller: index.php}}",
)
def _front_controller(name: str) -> list[Diagnostic]:
    if _FILE.fullmatch(name):
        return []
    wrong, instead = "is not the name of a PHP file", "write one in the document root, such as index.php"
    return [Diagnostic("php.front_controller", name, wrong, instead)]


@rule(
    "php-setting",
    "A setting of PHP is a name and a value on one line.",
    wrong='app: {php: {settings: {"date timezone": UTC}}}',
    right="app: {php: {settings: {date.timezone: UTC}}}",
)
def _php_settings(php: PhpFpmArgs) -> list[Diagnostic]:
    wrong, instead = "is not a setting of php.ini on one line", "write it as in `date.timezone: UTC`"
    return [
        Diagnostic(f"php.settings.{key}", value, wrong, instead)
        for key, value in (php.settings or {}).items()
        if not _SETTING.fullmatch(key) or "\n" in value
    ]


@rule(
    "php-memory",
    "The memory of a PHP-FPM container holds all its children.",
    why="Where it ends, the kernel kills a process in the middle of a request.",
    wrong="app: {php: {memory_mb: 128}}",
    right="app: {php: {children: 8, child_memory_mb: 64, memory_mb: 1024}}",
)
def _php_memory(release: Release, php: PhpFpmArgs) -> list[Diagnostic]:
    """PHP-FPM manual, pm.max_children: the children must fit into the memory of their container."""
    counts, needed = release.counts, limits.web_memory_mb(release)
    if php.memory_mb is None or php.memory_mb >= needed:
        return []
    rest = needed - counts.children * counts.child_memory_mb
    wrong = (
        f"is less than {counts.children} children × {counts.child_memory_mb} MiB + {rest} MiB for PHP itself "
        f"and request bodies = {needed} MiB"
    )
    instead = f"write {needed} or more, or fewer `php.children` (PHP-FPM manual, pm.max_children)"
    return [Diagnostic("php.memory_mb", php.memory_mb, wrong, instead)]


@rule(
    "php-limit",
    "Settings of PHP agree with the limits of nginx and of the container.",
    why="PHP drops a body above `post_max_size` without an error, and the application sees an empty one.",
    wrong="php: {settings: {post_max_size: 8M}}",
    right="http: {max_body_mb: 8}",
)
def _php_limits(release: Release) -> list[Diagnostic]:
    """Settings of PHP that a limit of ours contradicts: PHP would never get what they admit, or drop what nginx admits
    (a body above `post_max_size` is empty for the application, with status 200)."""
    found: list[Diagnostic] = []
    for key, one in limits.php_limits(release).items():
        value = limits.php_settings(release).get(key)
        amount = None if value is None else limits.php_amount(value)
        if amount is None or amount == one.amount or (amount < one.amount and one.may_be_less):
            continue
        how, why = ("more", one.why_not_more) if amount > one.amount else ("less", one.why_not_less)
        wrong = f"is {how} than {one.shown}, by which {why}"
        found.append(Diagnostic(f"php.settings.{key}", value, wrong, f"remove it, and set `{one.argument}`"))
    return found


# Requests ---------------------------------------------------------------------------------------------------------


def _http(app: Application, _: Release) -> list[Diagnostic]:
    return _frame_options(app.http) + _content_security_policy(app.http)


@rule(
    "frame-options",
    "`frame_options` is DENY or SAMEORIGIN.",
    wrong="app: {http: {frame_options: ALLOWALL}}",
    right="app: {http: {frame_options: DENY}}",
)
def _frame_options(http: HttpArgs) -> list[Diagnostic]:
    if http.frame_options in ("DENY", "SAMEORIGIN"):
        return []
    instead = "write DENY or SAMEORIGIN (RFC 7034); for other sites use `content_security_policy: frame-ancestors …`"
    return [Diagnostic("http.frame_options", http.frame_options, "is not known to browsers", instead)]


@rule(
    "content-security-policy",
    "A Content-Security-Policy is one line of ASCII.",
    wrong='app: {http: {content_security_policy: ""}}',
    right="app: {http: {content_security_policy: default-src 'self'}}",
)
def _content_security_policy(http: HttpArgs) -> list[Diagnostic]:
    policy = http.content_security_policy
    if policy is None or (policy and policy.isascii() and "\n" not in policy):
        return []
    wrong, instead = "is not one line of ASCII", "write one such as default-src 'self'"
    return [Diagnostic("http.content_security_policy", policy, wrong, instead)]


@rule(
    "health-path",
    "Health is asked at a path of plain characters.",
    wrong="app: {health: {path: health}}",
    right="app: {health: {path: /health}}",
)
def _health(_: Application, release: Release) -> list[Diagnostic]:
    health = release.health
    found = command_problems("health.client", health.client)
    for path, value in (("health.path", health.path), ("health.readiness_path", health.readiness_path)):
        if value is not None and not PATH.fullmatch(value):
            wrong, instead = "is not a path of plain characters that starts with /", "write one such as /health"
            found.append(Diagnostic(path, value, wrong, instead))
    return found


@rule(
    "count-bounds",
    "A maximum is not below the count that runs at rest.",
    wrong="app: {replicas: 9, max_replicas: 4}",
    right="app: {replicas: 4, max_replicas: 9}",
)
def count_problems(counts: AppCounts) -> list[Diagnostic]:
    """Whether the numbers of web containers that hold fit together."""
    if counts.max_replicas >= counts.replicas:
        return []
    wrong = f"is less than replicas ({counts.replicas})"
    instead = f"write at least {counts.replicas}, or leave it out"
    return [Diagnostic("max_replicas", counts.max_replicas, wrong, instead)]


# What it reaches and keeps ----------------------------------------------------------------------------------------


def _outbound(app: Application, _: Release) -> list[Diagnostic]:
    networks = enumerate(app.outbound.networks or [])
    return [problem for index, network in networks for problem in network.problems(f"outbound.networks[{index}]")]


def _uploads(app: Application, _: Release) -> list[Diagnostic]:
    """The volume of uploads; its directory is judged with the others."""
    if app.uploads is None:
        return []
    return (_storage_class if app.platform.kind is PlatformKind.DOCKER else _access_mode)(app.uploads)


@rule("access-mode", "The access mode of uploads is one that Kubernetes has.")
def _access_mode(uploads: UploadsArgs) -> list[Diagnostic]:
    if uploads.access_mode in _ACCESS_MODES:
        return []
    instead = f"write one of {', '.join(_ACCESS_MODES)}"
    return [Diagnostic("uploads.access_mode", uploads.access_mode, "is not an access mode", instead)]


@rule("wrong-platform")
def _storage_class(uploads: UploadsArgs) -> list[Diagnostic]:
    if uploads.storage_class is None:
        return []
    wrong = "means something only on a Kubernetes platform"
    return [Diagnostic("uploads.storage_class", uploads.storage_class, wrong, "remove it")]


@rule("other-platform")
def _links(app: Application, _: Release) -> list[Diagnostic]:
    """What other components hand over must be for the same platform."""
    kind = app.platform.kind.value
    needed = {f"gateway.{kind}": getattr(app.gateway, kind)}
    part = "value" if app.platform.kind is PlatformKind.DOCKER else "secret_name"
    needed |= {f"{one.path}.password.{part}": getattr(one.secret, part) for one in connected(app)}
    return [
        Diagnostic(
            path,
            MISSING,
            f"is required on {app.platform.kind.name.title()}",
            f"pass the {path.split('.')[0]} of a component on the same platform",
        )
        for path, value in needed.items()
        if value is None
    ]


@rule("plaintext-secret")
def _rendered_secrets(app: Application, _: Release) -> list[Diagnostic]:
    if not app.secrets or not app.platform.renders or app.platform.secret_store:
        return []
    wrong = "would stand in plaintext in rendered files"
    instead = "write `platform.secret_store`, and put the secrets into that store"
    return [Diagnostic("secrets", HIDDEN, wrong, instead)]
