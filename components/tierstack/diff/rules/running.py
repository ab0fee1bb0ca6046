"""Rules about what stops, restarts or can no longer be reached, and for how long."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tierstack.diff.marks import ABSENT, is_secret
from tierstack.diff.model import Operation, Property, at, elements
from tierstack.diff.risk import Look, Risk, Rule, becomes, removed, replaced, smaller
from tierstack.diff.rules.data import DATABASE, GOES, REPLACED
from tierstack.diff.texts import fill, listed

_DEPLOYMENT = ("kubernetes:apps/*:Deployment",)
_STATEFUL_SET = ("kubernetes:apps/*:StatefulSet",)
_ROUTES = ("kubernetes:gateway.networking.k8s.io/*:*Route", "kubernetes:networking.k8s.io/*:Ingress")
_CONTAINER = ("docker:index/container:Container",)
_UPDATED = frozenset({Operation.UPDATE})
# PostgreSQL 17, "Server Configuration": parameters of context postmaster that tierstack or a user may set.
_NEEDS_RESTART = (
    *("max_connections", "shared_buffers", "max_wal_senders", "max_replication_slots", "max_worker_processes"),
    *("wal_level", "wal_buffers", "huge_pages", "max_prepared_transactions", "max_locks_per_transaction"),
    *("archive_mode", "shared_preload_libraries", "track_commit_timestamp", "max_files_per_process"),
)
_RESTARTS_DATABASE = (
    *("spec imageName", "spec resources **", "spec affinity **", "spec plugins **", "spec env **"),
    *(f"spec postgresql parameters {one}" for one in _NEEDS_RESTART),
)
"""What CloudNativePG restarts the servers for: another pod, or a parameter that PostgreSQL reads at its start."""


def _servers(look: Look) -> int:
    """How many there will be: replicas that are new are there before the primary restarts."""
    after = look.new("spec instances")
    return after if isinstance(after, int) else 1


def _serves(look: Look) -> bool:
    """Whether anything connects to its pods: they name a port."""
    return any(one.get("ports") for one in elements(at(look.change.state, "spec template spec containers")))


def _may_serve(look: Look) -> bool:
    """Whether anything may connect to its pods: where its containers are secret as a whole, nobody can tell."""
    return _serves(look) or is_secret(at(look.change.state, "spec template spec containers"))


def _changes_pods(look: Look) -> bool:
    return any(one.path[:2] == ("spec", "template") for one in look.change.properties)


def _recreates(look: Look) -> bool:
    return at(look.change.state, "spec strategy type") == "Recreate" and _changes_pods(look)


def _one_pod_restarts(look: Look) -> bool:
    replicas = look.old("spec replicas")
    return replicas in (1, ABSENT) and _changes_pods(look)


def _stops(look: Look) -> bool:
    return look.change.stops_first is not False


def _is_published(look: Look) -> bool:
    """Whether a container is where requests from outside arrive."""
    return bool(look.change.state.get("ports"))


def _without_successor(look: Look) -> bool:
    return look.created_instead() is None


def _names(state: Any, paths: Sequence[str]) -> set[str]:
    """The names that a route or a certificate has, at any of the paths; `rules *` for those of an Ingress."""
    found: list[Any] = []
    for path in paths:
        lists, _, key = path.partition(" * ")
        given = elements(at(state, lists))
        found += [at(one, key) for one in given] if key else given
    return {str(one) for one in found}


def _leaves_names(*paths: str) -> Callable[[Look], bool]:
    """Whether no other resource of the type has all the names of the one that goes; one that has none is renamed."""

    def condition(look: Look) -> bool:
        names = _names(look.change.old, paths)
        kept = {name for one in look.stays(look.change.type) for name in _names(one.new, paths)}
        return not names <= kept if names else _without_successor(look)

    return condition


def _new_name(look: Look, _: Sequence[Property]) -> Mapping[str, object]:
    """The name of the Service that comes in its place: what uses the old one must use that."""
    other = look.created_instead()
    return {"then": fill("; {other} is created, for whatever is told that name", other=other.name) if other else ()}


def _old_hosts(look: Look, _: Sequence[Property]) -> Mapping[str, object]:
    hosts = [str(one) for one in elements(look.old("spec hostnames"))]
    return {"hosts": (" ", *listed(hosts)) if hosts else ()}


def _major(version: Any) -> str:
    """`6` of `6.12.0`; whatever else stands there, as it is."""
    return str(version).removeprefix("v").partition(".")[0]


RULES = (
    Rule(
        id="database-restarts",
        risk=Risk.DOWNTIME,
        types=DATABASE,
        operations=_UPDATED,
        path=_RESTARTS_DATABASE,
        condition=lambda look: _servers(look) == 1,
        what="restarts its only server: no queries until it is up again, usually some tens of seconds",
        instead="Apply it when few people use the shop. With `replicas: 1` or more, it would be a switchover.",
    ),
    Rule(
        id="database-switchover",
        risk=Risk.DOWNTIME,
        types=DATABASE,
        operations=_UPDATED,
        path=_RESTARTS_DATABASE,
        condition=lambda look: _servers(look) > 1,
        what="restarts server by server with a switchover: writes pause (measured: 12.5 s), reads go on",
        instead="Apply it when few people write.",
    ),
    Rule(
        id="database-hibernated",
        risk=Risk.DOWNTIME,
        types=DATABASE,
        path="metadata annotations cnpg.io/hibernation",
        test=becomes("on"),
        what="is put to sleep: all its servers stop",
        instead="Remove the annotation to wake it.",
    ),
    Rule(
        id="scaled-to-nothing",
        risk=Risk.DOWNTIME,
        types=(*_DEPLOYMENT, *_STATEFUL_SET),
        path="spec replicas",
        test=becomes(0),
        what="has no pods from now on (before: {old})",
        instead="Keep at least one, or remove it with what leads to it.",
    ),
    Rule(
        id="only-one-pod",
        risk=Risk.DOWNTIME,
        types=(*_DEPLOYMENT, *_STATEFUL_SET),
        path="spec replicas",
        test=lambda old, new: smaller(old, new) and new == 1,
        condition=_may_serve,
        what="has one pod instead of {old}: while it restarts or its node is away, nothing answers",
        instead="Keep at least two for what must stay up.",
    ),
    Rule(
        id="chart-removed",
        risk=Risk.DOWNTIME,
        types=("kubernetes:helm.sh/*:Release",),
        operations=GOES | REPLACED,
        what="is uninstalled: all that its chart made goes, and the plan does not list it",
        instead="Look what is in it (`helm get manifest`), and where its data is.",
    ),
    Rule(
        id="chart-changes",
        risk=Risk.INFORMATION,
        types=("kubernetes:helm.sh/*:Release",),
        path=("version", "chart", "values **", "valueYamlFiles **"),
        what="changes what its chart makes, which the plan does not list",
        instead="",
    ),
    Rule(
        id="workload-deleted",
        risk=Risk.DOWNTIME,
        types=(*_DEPLOYMENT, *_STATEFUL_SET, "kubernetes:apps/*:DaemonSet"),
        operations=GOES,
        condition=lambda look: _may_serve(look) and _without_successor(look),
        what="is deleted: nothing answers in its place",
        instead="Remove what leads to it first, or keep it.",
    ),
    Rule(
        id="workload-recreated",
        risk=Risk.DOWNTIME,
        types=_DEPLOYMENT,
        operations=_UPDATED,
        path="spec template **",
        condition=lambda look: _recreates(look) and _serves(look),
        what="stops all its pods before the new ones start: nothing answers until they are ready",
        instead="Use the strategy RollingUpdate, if two versions may run beside each other.",
    ),
    Rule(
        id="worker-recreated",
        risk=Risk.INFORMATION,
        types=_DEPLOYMENT,
        operations=_UPDATED,
        path="spec template **",
        condition=lambda look: _recreates(look) and not _serves(look),
        what="stops before the new one starts, so that two never run: its work pauses until then",
        instead="",
    ),
    Rule(
        id="only-pod-restarts",
        risk=Risk.DOWNTIME,
        types=_STATEFUL_SET,
        operations=_UPDATED,
        path="spec template **",
        condition=_one_pod_restarts,
        what="restarts its only pod: nothing answers until it is ready",
        instead="Apply it when few people use the shop, or run more than one.",
    ),
    Rule(
        id="workload-replaced",
        risk=Risk.DOWNTIME,
        types=(*_DEPLOYMENT, *_STATEFUL_SET),
        operations=REPLACED,
        condition=lambda look: _stops(look) and not look.change.previous and not look.plan.files,
        what="is deleted and made again: nothing answers until its pods are ready",
        instead="Take back what forces the replacement, or give the new one another name.",
    ),
    Rule(
        id="service-deleted",
        risk=Risk.DOWNTIME,
        types=("kubernetes:core/v1:Service",),
        operations=GOES,
        facts=_new_name,
        what="is deleted: its name has no address any more{then}",
        instead="Remove what uses the name first. If it was only renamed in the program, give it an alias.",
    ),
    Rule(
        id="service-replaced",
        risk=Risk.DOWNTIME,
        types=("kubernetes:core/v1:Service",),
        operations=REPLACED,
        condition=_stops,
        what="gets another address, and has none in between",
        instead="Take back what forces the replacement.",
    ),
    Rule(
        id="route-deleted",
        risk=Risk.DOWNTIME,
        types=_ROUTES,
        operations=GOES,
        condition=_leaves_names("spec hostnames", "spec rules * host"),
        facts=_old_hosts,
        what="is deleted: requests to its hosts{hosts} reach nothing",
        instead="Remove the DNS records first, or keep the route.",
    ),
    Rule(
        id="hostname-removed",
        risk=Risk.DOWNTIME,
        types=_ROUTES,
        path="spec hostnames *",
        test=removed,
        what="no longer answers for {olds}",
        instead="Redirect the name first, or remove its DNS record.",
    ),
    Rule(
        id="hostname-removed",
        risk=Risk.DOWNTIME,
        types=("kubernetes:networking.k8s.io/*:Ingress",),
        path="spec rules * host",
        test=removed,
        what="no longer answers for {olds}",
        instead="Redirect the name first, or remove its DNS record.",
    ),
    Rule(
        id="gateway-deleted",
        risk=Risk.DOWNTIME,
        types=("kubernetes:gateway.networking.k8s.io/*:Gateway",),
        operations=GOES | REPLACED,
        what="goes, with its public address: nothing behind it can be reached",
        instead="Make the new one first, and move the DNS records to it.",
    ),
    Rule(
        id="listener-removed",
        risk=Risk.DOWNTIME,
        types=("kubernetes:gateway.networking.k8s.io/*:Gateway",),
        path="spec listeners * port",
        test=removed,
        what="no longer listens on port {olds}",
        instead="Move its routes to another listener first.",
    ),
    Rule(
        id="certificate-deleted",
        risk=Risk.DOWNTIME,
        types=("kubernetes:cert-manager.io/*:Certificate",),
        operations=GOES,
        condition=_leaves_names("spec dnsNames"),
        what="is no longer renewed: browsers refuse it once it has expired",
        instead="Remove what shows it first.",
    ),
    Rule(
        id="certificate-name-removed",
        risk=Risk.DOWNTIME,
        types=("kubernetes:cert-manager.io/*:Certificate",),
        path="spec dnsNames *",
        test=removed,
        what="is no longer valid for {olds}: browsers refuse it there",
        instead="Stop serving the name first.",
    ),
    Rule(
        id="secret-deleted",
        risk=Risk.DOWNTIME,
        types=("kubernetes:core/v1:Secret", "kubernetes:external-secrets.io/*:ExternalSecret"),
        operations=GOES,
        condition=_without_successor,
        what="is deleted: pods that read it do not start any more",
        instead="Remove what reads it first.",
    ),
    Rule(
        id="replica-count-smaller",
        risk=Risk.DOWNTIME,
        types=DATABASE,
        path="spec instances",
        test=lambda old, new: smaller(old, new) and new == 1,
        what="has one server instead of {old}: when it fails, nothing takes over",
        instead="Keep at least one replica in production.",
    ),
    Rule(
        id="container-stops",
        risk=Risk.DOWNTIME,
        types=_CONTAINER,
        operations=REPLACED,
        condition=lambda look: _stops(look) and not look.change.previous,
        what="stops before its successor starts: nothing answers in its place for some seconds",
        instead="Apply it when few people use the shop.",
    ),
    Rule(
        id="container-removed",
        risk=Risk.DOWNTIME,
        types=_CONTAINER,
        operations=GOES,
        condition=_is_published,
        what="is removed: its ports on the host answer no more",
        instead="Remove what leads there first.",
    ),
    Rule(
        id="network-replaced",
        risk=Risk.DOWNTIME,
        types=("docker:index/network:Network",),
        operations=REPLACED,
        condition=_stops,
        what="is removed and made again: every container in it restarts",
        instead="Take back what forces the replacement.",
    ),
    Rule(
        id="provider-changed",
        risk=Risk.INFORMATION,
        types=("pulumi:providers:*",),
        path=("version", "pluginDownloadURL"),
        only=lambda found: _major(found.old) == _major(found.new),
        what="is another version of the provider ({old} → {new}): the plan is made by the new one; a value that is "
        "known only during the update may still make it replace something",
        instead="",
    ),
    Rule(
        id="provider-major-version",
        risk=Risk.INFORMATION,
        types=("pulumi:providers:*",),
        path="version",
        only=lambda found: _major(found.old) != _major(found.new),
        what="is another major version of the provider ({old} → {new}): it may see properties differently, and replace "
        "what this plan updates, where a value is known only during the update",
        instead="Read its upgrade guide, and move to it in a pull request of its own.",
    ),
    Rule(
        id="provider-moves",
        risk=Risk.DOWNTIME,
        types=("pulumi:providers:*",),
        path=("context", "cluster", "kubeconfig", "namespace", "host", "region", "project", "profile", "endpoint"),
        test=replaced,
        what="works somewhere else from now on: most of what it made is made anew there",
        instead="Make another provider beside it, and move resources one by one.",
    ),
    Rule(
        id="any-server-replaced",
        risk=Risk.DOWNTIME,
        types=("*nstance:*", "*erver:*", "*luster:*", "*oadBalancer*", "*ateway:*", "*address*", "*ervice:*"),
        operations=REPLACED,
        condition=lambda look: (
            _stops(look) and not look.change.type.startswith(("kubernetes:", "docker:", "tierstack:"))
        ),
        what="is replaced: it is away in between, unless the provider makes the new one first",
        instead="Take back what forces the replacement, or plan for the pause.",
    ),
    Rule(
        id="any-server-resized",
        risk=Risk.DOWNTIME,
        types=("*",),
        operations=_UPDATED,
        path="** instance[TC]*",
        test=replaced,
        what="changes its size: most providers restart it for that",
        instead="Apply it when few people use it.",
    ),
)
