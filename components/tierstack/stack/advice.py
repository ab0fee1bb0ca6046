"""What is allowed in a stack, and rarely meant: warnings and advice, and which of them the settings accept. Pure."""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from tierstack.app_cluster import advice as of_application
from tierstack.app_cluster.plaintext import is_secret
from tierstack.core import ignores
from tierstack.core.diagnostics import HIDDEN, MISSING, Diagnostic, Ignored, Severity, declare
from tierstack.core.errors import ArgumentError
from tierstack.core.places import path_text, steps
from tierstack.dns_records.args import at_argument
from tierstack.platform import DataProtection, PlatformKind
from tierstack.stack import certificates
from tierstack.stack.derive import Settings
from tierstack.stack.memory import host_memory
from tierstack.stack.plan import Plan
from tierstack.stack.settings import MASKED, key_of

_IPV6 = "see docs/components/gateway.md, IPv6"

declare(
    "backups-absent",
    "Data that is protected should be backed up.",
    "",
    Severity.WARNING,
    why="Protection keeps the engine from deleting data. It does not bring back what a disk or a statement destroyed.",
    wrong="a stack without `backups`",
    right="backups: {}",
)
declare(
    "host-memory-unchecked",
    "`platform.memory_mb` should say how much memory the host has.",
    "",
    Severity.ADVICE,
    wrong="platform: {kind: docker}",
    right="platform: {memory_mb: 16384}",
)
declare(
    "single-web-container",
    "An application should have two web containers or more.",
    "",
    Severity.ADVICE,
    why="A single one is stopped before its successor answers, at every release.",
    wrong="app: {replicas: 1}",
    right="app: {replicas: 2}",
)
declare(
    "component-unused",
    "Each database and Redis should be used by an application.",
    "",
    Severity.WARNING,
    wrong="app: {redis: none}, redis: {}",
    right="redis: {}",
)
declare(
    "requests-cut",
    "A web container that stops should finish the longest request.",
    "",
    Severity.WARNING,
    why="At each release, requests that still run after `stop_seconds` are answered with 502.",
    wrong="http: {request_timeout_seconds: 60, stop_seconds: 30}",
    right="http: {request_timeout_seconds: 60}",
)
declare(
    "ipv6-one-client",
    "The proxy should tell IPv6 clients apart.",
    "",
    Severity.WARNING,
    why="Docker gives them all the address of its bridge, so they share one rate limit.",
)
declare("ipv6-unserved", "The gateway should listen at the IPv6 addresses that are published.", "", Severity.WARNING)
declare(
    "policy-untrusted", "Senders should trust the certificate of the MTA-STS policy.", "RFC 8461 §3.3", Severity.WARNING
)
declare(
    "no-effect",
    "A key should mean something on the platform of the stack.",
    "",
    Severity.ADVICE,
    why="Whoever reads the configuration believes that it holds.",
    wrong="platform: {kind: docker}, app: {max_replicas: 20}",
    right="platform: {kind: docker}, kubernetes: {app: {max_replicas: 20}}",
)
declare("policy-port", "The MTA-STS policy should be served at port 443.", "RFC 8461 §3.3", Severity.WARNING)
declare(
    "secret-in-environment",
    "A secret should be among `secrets`, not in `environment`.",
    "",
    Severity.WARNING,
    why="Whoever reads the repository has what stands in `environment`, and so has `docker inspect`.",
    wrong="app: {environment: {STRIPE_SECRET_KEY: sk_live_…}}",
    right="pulumi config set --secret --path 'app.secrets.STRIPE_SECRET_KEY'",
)


def advice(plan: Plan) -> list[Diagnostic]:
    """What is allowed, and rarely meant; not what is said of records."""
    found: list[Diagnostic] = []
    if plan.settings.backups is None and plan.platform.data_protection is not DataProtection.NONE:
        wrong, instead = "the data is protected, but not backed up", "add a `backups` section"
        found.append(_warning("backups-absent", "backups", wrong, instead))
    if plan.platform.kind is PlatformKind.DOCKER and plan.settings.platform.memory_mb is None:
        needed = host_memory(plan).most
        wrong = f"not given, so nothing checks that {needed} MiB of limits fit the host"
        found.append(_advice("host-memory-unchecked", "platform.memory_mb", wrong, "write the memory of the host"))
    found += certificates.advice(plan)
    found += addresses(plan)
    if plan.policy_hosts:
        found += _policy_advice(plan)
    wrong, instead = "a single web container is a pause at every release", "write 2 or more"
    found += [
        _advice("single-web-container", f"{one.path}.replicas", wrong, instead)
        for one, app in plan.apps
        if app.counts.replicas < 2
    ]
    for one, app in plan.apps:
        found += [replace(said, path=f"{one.path}.{said.path}") for said in of_application.advice(app)]
    return found + _cut_requests(plan) + _unused(plan) + [*_no_effect(plan.settings, plan.platform.kind.value)]


def secrets_in_environment(plan: Plan, config: Mapping[str, Any], secret_keys: frozenset[str]) -> list[Diagnostic]:
    """Environment variables that most likely hold a secret in plaintext."""
    found: list[Diagnostic] = []
    for one, app in plan.apps:
        for path, variables in of_application.environments(app):
            for name, value in variables.items():
                place = key_of(config, *steps(f"{one.path}.{path}"), name)
                # The engine hands encrypted values over as they are, and tells only below which key there are some.
                encrypted = value == MASKED or (place[0] in secret_keys and MASKED not in str(config[place[0]]))
                if encrypted or not is_secret(name, value):
                    continue
                right = path_text(key_of(config, *steps(one.path), "secrets", name))
                hint = (
                    f"write it with `pulumi config set --secret --path '{right}'`, remove it here, "
                    "and change the secret itself"
                )
                message = "looks like a secret, and whoever may read the configuration or the container sees it"
                found.append(
                    Diagnostic(path_text(place), HIDDEN, message, hint, "secret-in-environment", Severity.WARNING)
                )
    return found


def _cut_requests(plan: Plan) -> list[Diagnostic]:
    """Applications whose releases cut off requests that they admit."""
    found: list[Diagnostic] = []
    for one, app in plan.apps:
        stop, longest = app.http.stop_seconds, app.http.request_timeout_seconds
        if stop is not None and stop < longest:
            message = f"{stop} s are less than `request_timeout_seconds` ({longest} s): a release cuts off what is left"
            hint = f"write at least {longest}, or leave it out"
            found.append(_warning("requests-cut", f"{one.path}.http.stop_seconds", message, hint))
    return found


def findings(plan: Plan, said: list[Diagnostic]) -> tuple[list[Diagnostic], list[Ignored]]:
    """(What the check shows of `said` and of the records, what `ignore` accepts), each at its setting."""
    about_records, ignored_records = _findings_about_records(plan)
    kept, ignored = accepted(plan, said)
    return about_records + kept, ignored_records + ignored


def accepted(plan: Plan, said: list[Diagnostic]) -> tuple[list[Diagnostic], list[Ignored]]:
    """(What stays of `said`, what `ignore` accepts of it)."""
    return ignores.set_aside(said, plan.settings.ignore or {}, _places)


def _places(one: Diagnostic) -> list[str]:
    """A setting, and what it is in: `apps.admin.replicas`, `apps.admin`, `apps`."""
    parts = one.path.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _findings_about_records(plan: Plan) -> tuple[list[Diagnostic], list[Ignored]]:
    try:
        zone = plan.zone
        if zone is None:
            return [], []
        ignored = [*zone.ignored, *certificates.accepted(plan)]
    except ArgumentError:
        return [], []  # what is wrong with a section is told among the problems

    def at_setting(finding: Diagnostic) -> Diagnostic:
        found = at_argument(zone, finding)
        return replace(found, path=f"dns.{found.path}")

    shown = [at_setting(one) for one in zone.findings if one.severity is Severity.WARNING]
    return shown, [replace(one, diagnostic=at_setting(one.diagnostic)) for one in ignored]


def addresses(plan: Plan) -> list[Diagnostic]:
    """Docker: what an IPv6 client of the published records meets."""
    dns = plan.dns
    if plan.platform.kind is not PlatformKind.DOCKER or plan.components.trusted_proxies():
        return []  # behind a load balancer, records and addresses are the balancer's
    bound = plan.gateway.bind_address
    if ipaddress.ip_address(bound).version == 6:
        wrong = (
            f"{bound} on Docker gives every IPv6 client the address of Docker's bridge, so all of them share one "
            "rate limit"
        )
        return [_warning("ipv6-one-client", "gateway.bind_address", wrong, _IPV6)]
    return [
        _warning(
            "ipv6-unserved",
            f"dns.web[{index}].ipv6",
            f"publishes {', '.join(map(str, one.ipv6))}, but the gateway listens on IPv4 only "
            f"(`gateway.bind_address` is {bound})",
            f"remove it, or {_IPV6}",
        )
        for index, one in enumerate((dns.web if dns else None) or [])
        if one.ipv6
    ]


def _policy_advice(plan: Plan) -> list[Diagnostic]:
    """What keeps senders from a policy that is served well."""
    found: list[Diagnostic] = []
    if plan.tls.signing_ca:
        wrong = "senders do not trust the local CA, so for them there is no policy"
        found.append(_warning("policy-untrusted", "mta_sts", wrong, "use `tls.acme`"))
    port = plan.gateway.https_port
    if plan.platform.kind is PlatformKind.DOCKER and port != 443:
        wrong = f"senders fetch the policy at port 443, and `gateway.https_port` is {port}"
        found.append(_warning("policy-port", "mta_sts", wrong, "write 443, or let something lead port 443 there"))
    return found


def _no_effect(part: Settings, kind: str, path: str = "") -> Iterator[Diagnostic]:
    """Keys that somebody wrote, and that are for the other kind of platform."""
    for name in sorted(part.keys_given, key=list(part.KEYS).index):
        key, value, place = part.KEYS[name], getattr(part, name), f"{path}.{name}" if path else name
        empty = value is None or (isinstance(value, Settings) and not value.keys_given)
        if key.only not in (None, kind) and not empty:
            where, hint = kind.title(), f"write it below `{key.only}`, or remove it"
            yield _advice("no-effect", place, f"means nothing on {where}", hint)
            continue
        for inside, one in _parts(place, value):
            yield from _no_effect(one, kind, inside)


def _parts(path: str, value: object) -> Iterator[tuple[str, Settings]]:
    """The parts of the settings that a key holds, with their places."""
    if isinstance(value, Settings):
        yield path, value
    elif isinstance(value, dict):
        for name, one in cast(dict[str, Any], value).items():
            yield from _parts(f"{path}.{name}", one)
    elif isinstance(value, list):
        for index, one in enumerate(cast(list[Any], value)):
            yield from _parts(f"{path}[{index}]", one)


def _unused(plan: Plan) -> list[Diagnostic]:
    """What runs for nobody."""
    return [
        _warning("component-unused", one.path, "no application uses it", f"remove it, or name it as `{key}` of one")
        for key in ("database", "redis")
        for one in plan.components.of(key)
        if not plan.users(one)
    ]


def _warning(code: str, path: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(path, MISSING, message, hint, code, Severity.WARNING)


def _advice(code: str, path: str, message: str, hint: str) -> Diagnostic:
    return Diagnostic(path, MISSING, message, hint, code, Severity.ADVICE)
