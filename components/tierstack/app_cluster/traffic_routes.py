"""The routers and services of Traefik that lead around the weights (pure): copies for a release, an experiment,
visitors who keep a release that is drained, and probes.

All are there only while the arguments ask for them, so the file of an application with one release stays as it is."""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from tierstack.app_cluster.release_options import ExperimentArgs, MirrorArgs, TrafficArgs

RELEASE_HEADER = "X-Tierstack-Release"
"""Names the release that a probe is for."""
MIRROR_HEADER = "X-Tierstack-Mirror"
"""`1` in a copy of a request. The proxy removes it from what clients send while requests are copied."""
PROBE_USER = "tierstack"
"""User of a probe's HTTP Basic authentication (RFC 7617)."""

_MIRROR, _DRAIN, _EXPERIMENT, _PROBE = range(1, 5)
"""How much the routers come before that of the weights, and before each other."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What the proxy does beside giving each release its share."""

    to: str | None = None
    """Name of the release that copies and the experiment are for."""
    mirror: MirrorArgs | None = None
    experiment: ExperimentArgs | None = None
    sticky: bool = False
    probe_user: str | None = None
    """A line of htpasswd with the user and the hashed password of probes. None: there are no probes."""


PLAIN = Policy()
"""Weights alone."""


def policy(traffic: TrafficArgs, to: str | None, probe_user: str | None) -> Policy:
    """What the arguments ask for. `to`: the name of their release."""
    return Policy(
        to=to, mirror=traffic.mirror, experiment=traffic.experiment, sticky=traffic.sticky, probe_user=probe_user
    )


def probe_user(token: pulumi.Input[str] | None) -> pulumi.Output[str | None]:
    """The line of htpasswd for the password of probes: it may stand where the password may not."""
    return pulumi.Output.from_input(token).apply(lambda known: None if known is None else htpasswd(known))


def htpasswd(token: str) -> str:
    """The line of htpasswd for a password of at least 128 random bits, for which one round of SHA-1 is as good as any
    hash; of those that Traefik reads, it is the one without a salt, so that the file stays the same."""
    hashed = base64.b64encode(hashlib.sha1(token.encode(), usedforsecurity=False).digest()).decode()
    return f"{PROBE_USER}:{{SHA}}{hashed}"


@dataclass
class Routes:
    """What is added to a file."""

    routers: dict[str, Any] = field(default_factory=dict[str, Any])
    services: dict[str, Any] = field(default_factory=dict[str, Any])
    middlewares: dict[str, Any] = field(default_factory=dict[str, Any])


def cookie_name(name: str) -> str:
    """The cookie by which visitors of an application keep a release."""
    return f"{name}-release"


def sticky_cookie(name: str) -> dict[str, Any]:
    """Traefik's `sticky`: a cookie for as long as the browser is open, unseen by scripts and other sites."""
    return {"cookie": {"name": cookie_name(name), "secure": True, "httpOnly": True, "sameSite": "lax", "path": "/"}}


def sticky_value(service: str) -> str:
    """The cookie's value for a child of a weighted service (`loadbalancer.sha256Hash` of Traefik 3.7)."""
    return hashlib.sha256(service.encode()).hexdigest()[:16]


def routes(
    name: str, policy: Policy, releases: Sequence[str], drained: Sequence[str], bases: Mapping[str, dict[str, Any]]
) -> Routes:
    """What `policy` adds. `releases`: names of all that run; `drained`: of those whose visitors keep them. `bases`: the
    routers of the weights, whose rules the added ones narrow."""
    found = Routes()

    def add(kind: str, above: int, condition: str, service: str, middlewares: Sequence[str] = ()) -> None:
        for base, router in bases.items():
            suffix = base.removeprefix(name)  # of the wildcards
            passed: list[str] = router["middlewares"]
            at = passed.index(f"{name}-compress")  # after the rate limit
            found.routers[f"{name}_{kind}{suffix}"] = {
                **router,
                "rule": f"({router['rule']}) && {condition}",
                # Without a priority of its own, a rule has its length, and names come before all wildcards.
                "priority": router.get("priority", len(router["rule"])) + above,
                "middlewares": [*passed[:at], *middlewares, *passed[at:]],
                "service": service,
            }

    if policy.mirror and policy.to:
        _mirror(name, policy.mirror, policy.to, found)
        methods = " || ".join(f"Method(`{one}`)" for one in policy.mirror.methods)
        add("mirror", _MIRROR, f"({methods})", f"{name}-mirror", [f"{name}-no-mark"])
    for release in drained:
        # Its visitors get another release when it has no healthy server left.
        found.services[f"{name}-{release}-drain"] = {
            "failover": {"service": f"{name}-{release}", "fallback": name, "healthCheck": {}}
        }
        value = sticky_value(f"{name}-{release}")
        add(f"drain_{release}", _DRAIN, _cookie(cookie_name(name), value), f"{name}-{release}-drain")
    if policy.experiment and policy.to:
        add("experiment", _EXPERIMENT, _experiment(policy.experiment), f"{name}-{policy.to}")
    if policy.probe_user:
        found.middlewares[f"{name}-probe"] = {
            "basicAuth": {"users": [policy.probe_user], "realm": "release", "removeHeader": True}
        }
        for release in releases:
            condition = f"Header(`{RELEASE_HEADER}`, `{release}`)"
            add(f"probe_{release}", _PROBE, condition, f"{name}-{release}", [f"{name}-probe"])
    return found


def _mirror(name: str, mirror: MirrorArgs, to: str, found: Routes) -> None:
    found.services[f"{name}-mirror"] = {
        "mirroring": {
            "service": name,
            "mirrorBody": True,
            # A request with a larger body is not copied. Without a limit Traefik would hold any upload in memory.
            "maxBodySize": mirror.max_body_kb * 1024,
            "mirrors": [{"name": f"{name}-{to}-copies", "percent": mirror.percent}],
        }
    }
    found.services[f"{name}-{to}-copies"] = {
        "middlewares": [f"{name}-mark"],
        "weighted": {"services": [{"name": f"{name}-{to}", "weight": 1}]},
    }
    found.middlewares[f"{name}-mark"] = {"headers": {"customRequestHeaders": {MIRROR_HEADER: "1"}}}
    found.middlewares[f"{name}-no-mark"] = {"headers": {"customRequestHeaders": {MIRROR_HEADER: ""}}}


def _experiment(experiment: ExperimentArgs) -> str:
    if experiment.header:
        if experiment.value is None:
            return f"HeaderRegexp(`{experiment.header}`, `.`)"
        return f"Header(`{experiment.header}`, `{experiment.value}`)"
    return _cookie(str(experiment.cookie), experiment.value)


def _cookie(name: str, value: str | None) -> str:
    """The rule for requests with a cookie. `value` None: any that is not empty."""
    wanted = "[^;]+" if value is None else re.escape(value)
    return f"HeaderRegexp(`Cookie`, `(?:^|;\\s*){re.escape(name)}={wanted}(?:;|$)`)"
