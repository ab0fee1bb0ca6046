"""Rules about what can be reached from further away than before."""

import ipaddress
from typing import Any

from tierstack.diff.model import Operation, at, elements
from tierstack.diff.risk import Look, Risk, Rule, added, becomes
from tierstack.diff.rules.data import GOES

_NEW_OR_CHANGED = frozenset({Operation.CREATE, Operation.UPDATE, Operation.REPLACE})
_ROUTES = ("kubernetes:gateway.networking.k8s.io/*:*Route",)
_POLICY = ("kubernetes:networking.k8s.io/*:NetworkPolicy",)


def _everybody(old: Any, new: Any) -> bool:
    """Whether a value newly is, or holds, all addresses of the internet."""
    return _is_everybody(new) and not _is_everybody(old)


def _is_everybody(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    return any(_is_whole(one.strip().strip("\"'")) for one in value.replace(";", ",").split(","))


def _is_whole(text: str) -> bool:
    try:
        return "/" in text and ipaddress.ip_network(text, strict=False).prefixlen == 0
    except ValueError:
        return False


def _beyond_the_host(look: Look) -> bool:
    """Whether a new port of a container is bound to more than the host itself."""
    bound = [one for one in elements(at(look.change.new, "ports")) if one.get("external")]
    return any(not str(one.get("ip") or "every").startswith(("127.", "::1")) for one in bound)


def _is_no_rollout(look: Look) -> bool:
    return not look.change.previous


RULES = (
    Rule(
        id="service-public",
        risk=Risk.PUBLIC,
        types=("kubernetes:core/v1:Service",),
        operations=_NEW_OR_CHANGED,
        path="spec type",
        test=becomes("LoadBalancer", "NodePort"),
        what="gets an address outside the cluster ({new})",
        instead="Use `ClusterIP` and a route of the Gateway, unless it is meant to be reached directly.",
    ),
    Rule(
        id="hostname-public",
        risk=Risk.PUBLIC,
        types=_ROUTES,
        operations=_NEW_OR_CHANGED,
        path="spec hostnames *",
        test=added,
        what="answers for {news} from now on",
        instead="",
    ),
    Rule(
        id="hostname-public",
        risk=Risk.PUBLIC,
        types=("kubernetes:networking.k8s.io/*:Ingress",),
        operations=_NEW_OR_CHANGED,
        path="spec rules * host",
        test=added,
        what="answers for {news} from now on",
        instead="",
    ),
    Rule(
        id="listener-public",
        risk=Risk.PUBLIC,
        types=("kubernetes:gateway.networking.k8s.io/*:Gateway",),
        operations=_NEW_OR_CHANGED,
        path="spec listeners * port",
        test=added,
        what="listens on port {news} from now on",
        instead="",
    ),
    Rule(
        id="network-policy-deleted",
        risk=Risk.PUBLIC,
        types=_POLICY,
        operations=GOES,
        what="is deleted: its pods can be reached by whatever no other policy stops",
        instead="Keep it as long as its pods run.",
        condition=lambda look: look.created_instead() is None and _pods_stay(look) and not _still_closed(look),
    ),
    Rule(
        id="network-policy-open",
        risk=Risk.PUBLIC,
        types=_POLICY,
        path="spec ingress **",
        test=_everybody,
        what="lets everybody in ({new})",
        instead="Name the networks that need it.",
    ),
    Rule(
        id="container-port-public",
        risk=Risk.PUBLIC,
        types=("docker:index/container:Container",),
        operations=_NEW_OR_CHANGED,
        path=("ports * external", "ports * ip"),
        condition=lambda look: _beyond_the_host(look) and _is_no_rollout(look),
        what="publishes a port on all addresses of the host",
        instead="Bind it to 127.0.0.1, unless it is the way in.",
    ),
    Rule(
        id="network-opens",
        risk=Risk.PUBLIC,
        types=("docker:index/network:Network",),
        path="internal",
        test=becomes(False),
        what="gets a way out of the host, and in through published ports",
        instead="Keep `internal`, if its containers need no internet.",
    ),
    Rule(
        id="any-public",
        risk=Risk.PUBLIC,
        types=("*",),
        operations=_NEW_OR_CHANGED,
        path=(
            *("** publiclyAccessible", "** publicAccess", "** publicNetworkAccess", "** publicNetworkAccessEnabled"),
            *("** associatePublicIpAddress", "** mapPublicIpOnLaunch", "** hasPublicIp", "** public"),
        ),
        test=becomes(True, "Enabled"),
        what="can be reached from the internet",
        instead="Keep it private, and put something in front of it that checks who asks.",
    ),
    Rule(
        id="any-public-access-unblocked",
        risk=Risk.PUBLIC,
        types=("*",),
        path=(*("** blockPublicAcls", "** blockPublicPolicy", "** ignorePublicAcls", "** restrictPublicBuckets"),),
        test=becomes(False),
        what="no longer blocks public access",
        instead="Keep the block, and share single objects by signed addresses.",
    ),
    Rule(
        id="any-open-to-everybody",
        risk=Risk.PUBLIC,
        types=("*",),
        operations=_NEW_OR_CHANGED,
        path="**",
        test=_everybody,
        condition=lambda look: _is_way_in(look),
        what="is opened to every address of the internet ({new})",
        instead="Name the networks that need it.",
    ),
)


def _is_way_in(look: Look) -> bool:
    """Whether addresses in a resource are those of who may come in: routes and ways out name everybody, too."""
    change = look.change
    if change.type.startswith(("kubernetes:", "docker:", "pulumi-python:dynamic/tierstack:")):
        return False
    text = f"{change.kind} {change.state.get('type', '')} {change.state.get('direction', '')}".lower()
    return not any(word in text for word in ("route", "egress", "outbound"))


def _still_closed(look: Look) -> bool:
    """Whether another policy selects the same pods: they then accept only what policies allow (Kubernetes: "Network
    Policies"), so one that is gone allows less."""
    change = look.change
    types = set(elements(look.old("spec policyTypes")) or ["Ingress"])
    others = [*look.plan.unchanged, *(one for one in look.plan.changes if one.operation is not Operation.DELETE)]
    return any(
        one.type == change.type
        and at(one.state, "metadata namespace") == look.old("metadata namespace")
        and at(one.state, "spec podSelector") in ({}, look.old("spec podSelector"))
        and types <= set(elements(at(one.state, "spec policyTypes")) or ["Ingress"])
        for one in others
    )


def _pods_stay(look: Look) -> bool:
    """Whether something is left that a policy protects: not where its component goes as a whole."""
    change = look.change
    name = change.component.name
    others = [*look.plan.unchanged, *(one for one in look.plan.changes if one.operation is not Operation.DELETE)]
    return (
        not name
        or not look.plan.complete
        or any(one.component.name == name and one.type != change.type for one in others)
    )
