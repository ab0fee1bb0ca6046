"""Which releases of an application run, from its arguments (pure), and the output that says so."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from tierstack.app_cluster import identity
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.description import FORMAT, described, plain, release_of
from tierstack.app_cluster.release import Release, with_known_images
from tierstack.app_cluster.release_options import ALONE, TrafficArgs


@dataclass(frozen=True)
class Running:
    """The releases that run, and what the proxy does beside giving each its share."""

    described: Sequence[Release]
    """As they are described, in the order in which they came: that of the arguments last, where it runs."""
    traffic: TrafficArgs
    own: Release | None
    """The release of the arguments, among them. None: it does not run."""

    @property
    def releases(self) -> list[Release]:
        """The same, each with the number of web containers that it has at this moment."""
        replicas = [one.replicas for one in self.traffic.others or []] + ([self.traffic.replicas] if self.own else [])
        return [_with_replicas(one, count) for one, count in zip(self.described, replicas, strict=True)]


def running(own: Release, traffic: TrafficArgs | None) -> Running:
    """What runs by the arguments. `own`: the release that they describe. Raises DescriptionError for a description that
    cannot be read, which the rules refuse."""
    if traffic is None:
        return Running([own], ALONE, own)
    others = [
        replace(release_of(one.description), weight=one.weight, current=one.current, drain=one.drain)
        for one in traffic.others or []
    ]
    if not traffic.makes_own:
        return Running(others, traffic, None)
    own = replace(own, weight=traffic.weight, current=traffic.current)
    return Running([*others, own], traffic, own)


def _with_replicas(release: Release, count: int | None) -> Release:
    """`release` with so many web containers. On Kubernetes it is the least that an autoscaler keeps."""
    if count is None:
        return release
    most = max(count, release.counts.max_replicas)
    return replace(release, counts=replace(release.counts, replicas=count, max_replicas=most))


def state(app: Application, of: Running) -> pulumi.Input[str]:
    """The output `releases`: JSON text. An output where an image is known only during the update."""
    if of.own is None:
        return _state(app, of)
    return with_known_images(of.own, lambda known: _state(app, _with_own(of, known)))


def _with_own(of: Running, own: Release) -> Running:
    return Running([*of.described[:-1], own], of.traffic, own)


def _state(app: Application, of: Running) -> str:
    names = identity.known_names(app, of.described)
    traffic = of.traffic
    entries: list[dict[str, Any]] = [
        {
            "name": name,
            "weight": runs.weight,
            "current": runs.current,
            "drain": runs.drain,
            "replicas": runs.counts.replicas,
            "description": described(release),
        }
        for name, release, runs in zip(names, of.described, of.releases, strict=True)
    ]
    whole = {
        "format": FORMAT,
        "described": names[-1] if of.own else None,
        "releases": entries,
        "mirror": plain(traffic.mirror),
        "sticky": traffic.sticky,
        "experiment": plain(traffic.experiment),
        "progress": traffic.progress,
    }
    return json.dumps(whole, sort_keys=True, separators=(",", ":"))
