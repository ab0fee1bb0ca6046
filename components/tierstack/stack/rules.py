"""The rules between components: what no component can see by itself. Pure; the program and the check use the same."""

import dataclasses
import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.section import database_clients
from tierstack.core.diagnostics import Diagnostic, Ignored, Severity
from tierstack.core.errors import HIDDEN, ArgumentError
from tierstack.core.hostnames import covers
from tierstack.core.keys import Secret
from tierstack.core.tier import TIERS, AppSize, Assumptions, Limit, limits
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.dns_records.args import at_argument
from tierstack.platform import DataProtection, PlatformKind
from tierstack.platform.proxy.sizing import CONNECTION_KB, IDLE_SECONDS, connections
from tierstack.stack import certificates
from tierstack.stack.derive import Settings
from tierstack.stack.instances import Instance
from tierstack.stack.memory import HELPERS_MB, host_memory
from tierstack.stack.plan import Plan
from tierstack.stack.settings import MASKED, key_of, path_text


def problems(plan: Plan) -> list[Diagnostic]:
    """Everything that is wrong between components whose own arguments are right."""
    found = [problem for one, args in plan.databases for problem in _connections(plan, one, args)]
    found += _hostnames(plan)
    found += _records(plan)
    found += certificates.problems(plan)
    found += _policy_host(plan)
    found += _rendered_keys(plan)
    found += _memory(plan)
    found += _proxies(plan)
    return found


def plaintext_secrets(settings: Any, config: Mapping[str, Any], secret_keys: frozenset[str]) -> list[Diagnostic]:
    """Secrets that stand in the configuration file as anyone can read them."""
    found: list[Diagnostic] = []
    for path, value in _secrets(settings, ()):
        # The engine encrypts below a top-level key, which is that of a platform for what holds on one only.
        place = key_of(config, *path)
        if value.reveal() and place[0] not in secret_keys and value.reveal() != MASKED:
            key = path_text(place)
            instead = f"write it with `pulumi config set --secret --path '{key}'`, and change the secret itself"
            found.append(Diagnostic(key, HIDDEN, "is a secret that stands in plaintext in the configuration", instead))
    return found


def _secrets(value: object, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Secret]]:
    """Every secret within `value`, with its place."""
    if isinstance(value, Secret):
        yield path, value
    elif isinstance(value, Settings):
        for name in value.KEYS:
            yield from _secrets(getattr(value, name), (*path, name))
    elif isinstance(value, dict):
        for name, inner in cast(dict[str, object], value).items():
            yield from _secrets(inner, (*path, name))
    elif isinstance(value, list):
        for index, inner in enumerate(cast(list[object], value)):
            yield from _secrets(inner, (*path, index))


def advice(plan: Plan) -> list[str]:
    """What is allowed, and rarely meant."""
    found: list[str] = []
    if plan.settings.backups is None and plan.platform.data_protection is not DataProtection.NONE:
        found.append("backups: the data is protected, but not backed up; add a `backups` section")
    if plan.platform.kind is PlatformKind.DOCKER and plan.settings.platform.memory_mb is None:
        needed = host_memory(plan).most
        found.append(f"platform.memory_mb: not given, so nothing checks that {needed} MiB of limits fit the host")
    found += certificates.advice(plan)
    found += addresses(plan)
    if plan.policy_hosts:
        found += _policy_advice(plan)
    found += [
        f"{one.path}.replicas: a single web container is a pause at every release; write 2 or more"
        for one, app in plan.apps
        if app.counts.replicas < 2
    ]
    return found + _unused(plan)


def _unused(plan: Plan) -> list[str]:
    """What runs for nobody."""
    return [
        f"{one.path}: no application uses it; remove it, or name it as `{key}` of one"
        for key in ("database", "redis")
        for one in plan.components.of(key)
        if not plan.users(one)
    ]


def dns_findings(plan: Plan) -> tuple[list[Diagnostic], list[Ignored]]:
    """(What is allowed in the records and works otherwise than it looks, what `dns.ignore` accepts), each at its
    setting."""
    try:
        zone = plan.zone
    except ArgumentError:
        return [], []  # what is wrong with the section is told among the problems
    if zone is None:
        return [], []

    def at_setting(finding: Diagnostic) -> Diagnostic:
        found = at_argument(zone, finding)
        return replace(found, path=f"dns.{found.path}")

    shown = [at_setting(one) for one in zone.findings if one.severity is Severity.WARNING]
    return shown, [Ignored(at_setting(one.diagnostic), one.reason) for one in zone.ignored]


def capacity(plan: Plan) -> list[Limit]:
    """What the configuration carries in requests/s at rest, the bottleneck first. What several applications share
    counts whole for each of them."""
    found = [
        replace(limit, name=f"{one.name}: {limit.name}") if one.named else limit
        for one, app in plan.apps
        for limit in _capacity(plan, one, app)
    ]
    return sorted(found, key=lambda limit: limit.requests_per_second)


def _capacity(plan: Plan, of: Instance, app: AppClusterArgs) -> list[Limit]:
    size = TIERS[plan.settings.tier].app
    known = {name: getattr(app.counts, name) for name in ("replicas", "max_replicas", "children", "child_memory_mb")}
    measured = {name: getattr(app, name) for name in ("service_time_ms", "cpu_time_ms") if getattr(app, name)}
    sized = AppSize(**{**dataclasses.asdict(size), **known, **measured})
    addons, database = plan.addons, plan.components.used(of).get("database")
    assumed = Assumptions(
        web_cpu=app.release.web.cpu,
        background=app.counts.background,
        persistent_connections=app.persistent_connections,
        # The cluster's own proxy, and the cores of a Docker host, are not known.
        gateway_cores=addons.replicas * addons.traefik_cpu if addons else None,
    )
    if database is None:
        return limits(sized, None, app.counts.replicas, None, assumed)
    args: DatabaseWithReplicasArgs = plan.args(database)
    return limits(sized, args.size(), app.counts.replicas, args.data_engine.pooler_cost, assumed)


def notes(plan: Plan) -> list[str]:
    """What the configuration holds, beside the requests that it carries."""
    shared = [
        f"{one.path}: the capacity of each application that uses it assumes that the others rest"
        for one, _ in plan.databases
        if len(plan.users(one)) > 1
    ]
    return shared + _connections_held(plan)


def _connections_held(plan: Plan) -> list[str]:
    if plan.platform.kind is not PlatformKind.DOCKER:
        addons = plan.addons
        return [_held("Each proxy", addons.traefik_memory_mb)] if addons else []
    return [_held("Gateway", plan.gateway.memory_mb)]


def _held(name: str, memory_mb: int) -> str:
    held = connections(memory_mb)
    return (
        f"{name}: {held:,} open connections ({memory_mb} MiB, {CONNECTION_KB} KiB each), "
        f"{held // IDLE_SECONDS:,} new clients per second (an idle connection is closed after {IDLE_SECONDS} s)"
    )


def addresses(plan: Plan) -> list[str]:
    """Docker: what an IPv6 client of the published records meets."""
    dns = plan.dns
    if plan.platform.kind is not PlatformKind.DOCKER or plan.components.trusted_proxies():
        return []  # behind a load balancer, records and addresses are the balancer's
    bound = plan.gateway.bind_address
    if ipaddress.ip_address(bound).version == 6:
        return [
            f"gateway.bind_address: {bound} on Docker gives every IPv6 client the address of Docker's bridge, so all "
            "of them share one rate limit; see docs/components/gateway.md, IPv6"
        ]
    return [
        f"dns.web[{index}].ipv6: publishes {', '.join(map(str, one.ipv6))}, but the gateway listens on IPv4 only "
        f"(`gateway.bind_address` is {bound}); remove it, or see docs/components/gateway.md, IPv6"
        for index, one in enumerate((dns.web if dns else None) or [])
        if one.ipv6
    ]


def _connections(plan: Plan, of: Instance, database: DatabaseWithReplicasArgs) -> list[Diagnostic]:
    """PgBouncer refuses clients above its limit."""
    clients = {one: database_clients(app) for one, app in plan.users(of)}
    size, opened = database.size(), sum(one.count for one in clients.values())
    admitted = size.poolers * size.max_client_connections
    if opened <= admitted:
        return []
    terms = " + ".join(f"{one.formula} ({app.name})" if app.named else one.formula for app, one in clients.items())
    who = "the application opens" if len(clients) == 1 else "its applications open"
    wrong = f"admits {size.poolers} × {size.max_client_connections} = {admitted} clients, but {who} {terms} = {opened}"
    children = ", ".join(f"`{app.path}.{one.key}`" for app, one in clients.items())
    instead = f"write at least {-(-opened // size.poolers)}, or fewer {children} or replicas"
    return [Diagnostic(f"{of.path}.max_client_connections", size.max_client_connections, wrong, instead)]


def _names(plan: Plan) -> list[tuple[str, str]]:
    """Every hostname of every application, after where it stands."""
    return [
        (f"{one.path}.hostnames[{index}]", name) for one, app in plan.apps for index, name in enumerate(app.hostnames)
    ]


def _hostnames(plan: Plan) -> list[Diagnostic]:
    """A name leads to one application, by the one certificate that there is."""
    wrong = "is not a name of the certificate, so browsers would refuse it"
    instead = "add it to `tls.hostnames`, or leave `tls.hostnames` out"
    found = [
        Diagnostic(path, name, wrong, instead)
        for path, name in _names(plan)
        if not any(covers(pattern, name) for pattern in plan.tls.hostnames)
    ]
    owners: dict[str, str] = {}
    for path, name in _names(plan):
        first = owners.setdefault(name, path)
        if first.partition(".hostnames")[0] != path.partition(".hostnames")[0]:
            found.append(Diagnostic(path, name, f"is `{first}` too", "remove it from one of the two"))
    return found


def _policy_host(plan: Plan) -> list[Diagnostic]:
    """Senders fetch the MTA-STS policy over HTTPS with a certificate for its host (RFC 8461 §3.3)."""
    found: list[Diagnostic] = []
    for host in plan.policy_hosts:
        if not any(covers(pattern, host) for pattern in plan.tls.hostnames):
            wrong = f"does not cover {host}, where senders fetch the MTA-STS policy (RFC 8461 §3.3)"
            instead = f"add `{host}`, leave `tls.hostnames` out, or write `served_here: false` in `mta_sts`"
            found.append(Diagnostic("tls.hostnames", plan.tls.hostnames, wrong, instead))
        instead = "remove it, or write `served_here: false` in `mta_sts`"
        found += [
            Diagnostic(path, name, "is the host of the MTA-STS policy", instead)
            for path, name in _names(plan)
            if name == host
        ]
    return found


def _rendered_keys(plan: Plan) -> list[Diagnostic]:
    """Rendering keeps no state, so a key that the engine makes would be another one each time."""
    dns = plan.dns
    if dns is None or not plan.platform.renders:
        return []
    wrong = "makes a new key at every rendering, and mail that was signed before would fail (RFC 6376 §3.1)"
    instead = "give `public_key` of a key that the signer keeps, or `target`"
    return [
        Diagnostic(f"dns.mail.own_server.dkim[{n}].generate", key.generate.value, wrong, instead)
        for n, key in enumerate(dns.own_keys())
        if key.generate is not None and key.live
    ]


def _policy_advice(plan: Plan) -> list[str]:
    """What keeps senders from a policy that is served well."""
    found: list[str] = []
    if plan.tls.signing_ca:
        found.append("mta_sts: senders do not trust the local CA, so for them there is no policy; use `tls.acme`")
    port = plan.gateway.https_port
    if plan.platform.kind is PlatformKind.DOCKER and port != 443:
        found.append(f"mta_sts: senders fetch the policy at port 443, and `gateway.https_port` is {port}")
    return found


def _records(plan: Plan) -> list[Diagnostic]:
    dns = plan.dns
    if dns is None:
        return []
    hosts = [dns.domain if one.host == "@" else f"{one.host}.{dns.domain}" for one in dns.web or []]
    wrong = f"has no record, though `dns` makes those of {dns.domain}"
    return [
        Diagnostic(path, name, wrong, "add it to `dns.web`")
        for path, name in _names(plan)
        if (name == dns.domain or name.endswith(f".{dns.domain}")) and not any(covers(host, name) for host in hosts)
    ]


def _proxies(plan: Plan) -> list[Diagnostic]:
    """The proxy that believes a header and the applications that count by it must mean the same networks."""
    addons, given = plan.settings.addons.trusted_proxies, plan.settings.gateway.trusted_proxies
    if plan.addons is None or None in (addons, given) or set(addons) == set(given):
        return []
    wrong = f"differs from `gateway.trusted_proxies` ({', '.join(given) or 'none'})"
    return [
        Diagnostic("addons.trusted_proxies", addons, wrong, "write the networks once, at `gateway.trusted_proxies`")
    ]


def _memory(plan: Plan) -> list[Diagnostic]:
    host = plan.settings.platform.memory_mb
    if host is None or plan.platform.kind is not PlatformKind.DOCKER:
        return []
    needed = host_memory(plan)
    if needed.most <= host:
        return []
    twice = needed.release >= needed.once
    added = "the new release beside the old one" if twice else "the migration and checks of an update"
    wrong = (
        f"is less than the {needed.most} MiB that the containers may use together during a release: {needed.rest} at "
        f"rest, {needed.update} for {added}, {HELPERS_MB} for helpers"
    )
    largest = [(one, one.section.largest(args)) for one, args in plan.made() if one.section.largest]
    keys = " or ".join(f"`{one.path}.{key}` ({now})" for one, (key, now) in largest)
    return [Diagnostic("platform.memory_mb", host, wrong, f"write at least {needed.most}, or lower {keys}")]
