"""The rules between components: what no component can see by itself. Pure; the program and the check use the same."""

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, cast

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.section import database_clients
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import HIDDEN, declare, rule
from tierstack.core.hostnames import covers
from tierstack.core.keys import Secret
from tierstack.core.tier import TIERS, AppSize, Assumptions, Limit, limits
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.platform import PlatformKind
from tierstack.platform.proxy.sizing import CONNECTION_KB, IDLE_SECONDS, connections
from tierstack.platform.proxy.traefik import READ_SECONDS, SLOWEST_CLIENT_KB, read_seconds
from tierstack.stack import certificates
from tierstack.stack.derive import Settings
from tierstack.stack.instances import Instance
from tierstack.stack.memory import HELPERS_MB, host_memory
from tierstack.stack.plan import Plan
from tierstack.stack.settings import MASKED, key_of, path_text

declare(
    "hostname-twice",
    "A hostname can lead to one application only.",
    wrong="apps: {shop: {hostnames: [example.org]}, admin: {hostnames: [example.org]}}",
    right="apps: {shop: {hostnames: [example.org]}, admin: {hostnames: [admin.example.org]}}",
)


def problems(plan: Plan) -> list[Diagnostic]:
    """Everything that is wrong between components whose own arguments are right."""
    found = [problem for one, args in plan.databases for problem in _connections(plan, one, args)]
    found += [problem for one, args in plan.databases for problem in _held(plan, one, args)]
    found += _hostnames(plan)
    found += _records(plan)
    found += certificates.problems(plan)
    found += _policy_host(plan)
    found += _rendered_keys(plan)
    found += _memory(plan)
    found += _proxies(plan)
    return found


@rule("plaintext-secret")
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
        web_cpu=app.described.web.cpu,
        background=app.counts.background,
        persistent_connections=app.keeps_connections,
        # The cluster's own proxy, and the cores of a Docker host, are not known.
        gateway_cores=addons.replicas * addons.traefik_cpu if addons else None,
    )
    if database is None:
        return limits(sized, None, app.counts.replicas, None, assumed)
    args: DatabaseWithReplicasArgs = plan.args(database)
    assumed = replace(assumed, transaction_pooling=args.data_engine.transaction_pooling)
    return limits(sized, args.size(), app.counts.replicas, args.data_engine.pooler_cost, assumed)


def notes(plan: Plan) -> list[str]:
    """What the configuration holds, beside the requests that it carries."""
    shared = [
        f"{one.path}: the capacity of each application that uses it assumes that the others rest"
        for one, _ in plan.databases
        if len(plan.users(one)) > 1
    ]
    return shared + _connections_held(plan) + _long_requests(plan)


def _long_requests(plan: Plan) -> list[str]:
    """How long a proxy of others must let a client send, where somebody wants large bodies."""
    if plan.platform.kind is PlatformKind.DOCKER or plan.addons:
        return []
    largest = max((app.http.max_body_mb for _, app in plan.apps), default=0)
    seconds = read_seconds(largest)
    if seconds <= READ_SECONDS:
        return []
    return [
        f"Proxy of the cluster: must let a client send for {seconds:,} s, for a body of {largest} MiB at "
        f"{SLOWEST_CLIENT_KB} KiB/s (Traefik: `transport.respondingTimeouts.readTimeout`, by default 60 s)"
    ]


def _connections_held(plan: Plan) -> list[str]:
    if plan.platform.kind is not PlatformKind.DOCKER:
        addons = plan.addons
        return [_open_connections("Each proxy", addons.traefik_memory_mb)] if addons else []
    return [_open_connections("Gateway", plan.gateway.memory_mb)]


def _open_connections(name: str, memory_mb: int) -> str:
    held = connections(memory_mb)
    return (
        f"{name}: {held:,} open connections ({memory_mb} MiB, {CONNECTION_KB} KiB each), "
        f"{held // IDLE_SECONDS:,} new clients per second (an idle connection is closed after {IDLE_SECONDS} s)"
    )


@rule(
    "database-clients",
    "The pooler must admit the connections that its applications open.",
    "PgBouncer: max_client_conn; HAProxy: maxconn",
    why="Above the limit PgBouncer refuses clients and HAProxy lets them wait: the database seems to be down.",
)
def _connections(plan: Plan, of: Instance, database: DatabaseWithReplicasArgs) -> list[Diagnostic]:
    """The pooler admits no more clients than its limit."""
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


@rule(
    "database-pool-held",
    "Where each client holds a connection of the server, the pool must be larger than what is held all the time.",
    "HAProxy: maxconn; PHP: persistent connections",
    why="Whoever finds no free connection waits for one, and nobody gives one back.",
    wrong="database: {engine: mysql, pool_size: 40}, app: {persistent_connections: true}",
    right="database: {engine: mysql, pool_size: 40}",
)
def _held(plan: Plan, of: Instance, database: DatabaseWithReplicasArgs) -> list[Diagnostic]:
    """A pooler without transaction mode ties a client to a connection until it leaves."""
    if database.data_engine.transaction_pooling:
        return []
    users = list(plan.users(of))
    keeping = [app for app, args in users if args.keeps_connections]
    held = sum(database_clients(args).count if app in keeping else args.counts.background for app, args in users)
    # Requests that come and go share what is left.
    least, size = held + (len(keeping) < len(users)), database.size()
    pool = size.poolers * size.pool_size
    if not users or pool >= least:
        return []
    wrong = f"is a pool of {pool}, and its applications hold {held} connections all the time"
    instead = f"write at least {least}" + "".join(f", or remove `{app.path}.persistent_connections`" for app in keeping)
    return [Diagnostic(f"{of.path}.pool_size", size.pool_size, wrong, instead)]


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
        Diagnostic(path, name, wrong, instead, "hostname-uncovered")
        for path, name in _names(plan)
        if not any(covers(pattern, name) for pattern in plan.tls.hostnames)
    ]
    owners: dict[str, str] = {}
    for path, name in _names(plan):
        first = owners.setdefault(name, path)
        if first.partition(".hostnames")[0] != path.partition(".hostnames")[0]:
            wrong, instead = f"is `{first}` too", "remove it from one of the two"
            found.append(Diagnostic(path, name, wrong, instead, "hostname-twice"))
    return found


@rule("policy-host", "The host of the MTA-STS policy needs a certificate, and serves nothing else.", "RFC 8461 §3.3")
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


@rule(
    "dkim-rendered",
    "A rendered stack must be given its DKIM keys.",
    "RFC 6376 §3.1",
    why="Rendering keeps no state, so each run would make another key, and mail that was signed before would fail.",
)
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


@rule(
    "hostname-without-record",
    "Every hostname of an application below the domain needs a record.",
    wrong="app: {hostnames: [shop.example.org]}, dns: {domain: example.org}",
    right="app: {hostnames: [shop.example.org]}, dns: {domain: example.org, web: [{host: shop, ipv4: […]}]}",
)
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


@rule("trusted-proxies-differ", "The proxy and the applications must trust the same networks.")
def _proxies(plan: Plan) -> list[Diagnostic]:
    """The proxy that believes a header and the applications that count by it must mean the same networks."""
    addons, given = plan.settings.addons.trusted_proxies, plan.settings.gateway.trusted_proxies
    if plan.addons is None or None in (addons, given) or set(addons) == set(given):
        return []
    wrong = f"differs from `gateway.trusted_proxies` ({', '.join(given) or 'none'})"
    return [
        Diagnostic("addons.trusted_proxies", addons, wrong, "write the networks once, at `gateway.trusted_proxies`")
    ]


@rule(
    "host-memory",
    "The containers must fit into the memory of their host, also during a release.",
    why="Where they do not, the kernel kills one of them, usually the database.",
    wrong="platform: {memory_mb: 2048}",
    right="platform: {memory_mb: 16384}",
)
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
