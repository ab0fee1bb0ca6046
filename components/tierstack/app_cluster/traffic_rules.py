"""The rules of the releases that run at the same time, and of who gets which (pure)."""

import re
from collections.abc import Sequence
from dataclasses import replace

from tierstack.app_cluster import identity
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.description import DescriptionError, release_of
from tierstack.app_cluster.release import Release
from tierstack.app_cluster.release_options import ReleaseBeside, TrafficArgs
from tierstack.app_cluster.release_rules import experiment_problems, mirror_problems
from tierstack.app_cluster.rules import problems_of
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.platform import PlatformKind

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")


def traffic_problems(traffic: TrafficArgs, app: Application, release: Release) -> list[Diagnostic]:
    """Everything that is wrong with the releases that run, and with who gets which. `release`: that of the
    arguments."""
    found = _current(traffic) + _weights(traffic) + _made(traffic) + _probe_token(traffic) + _only_docker(traffic, app)
    if traffic.mirror:
        found += mirror_problems("traffic.mirror", traffic.mirror) + _mirror_alone(traffic)
    if traffic.experiment:
        found += experiment_problems("traffic.experiment", traffic.experiment)
    own = problems_of(app, release)
    for at, other in enumerate(traffic.others or []):
        found += _drain(f"traffic.others[{at}]", other)
        found += _described(f"traffic.others[{at}].description", other, app, own)
    return found + _known(traffic, app, release)


def same_release_problems(traffic: TrafficArgs, app: Application, release: Release) -> list[Diagnostic]:
    """Whether a release is given twice. For arguments without another problem, because names are made of all of
    them."""
    others = [identity.known_name(app, release_of(one.description)) for one in traffic.others or []]
    if not others:
        return []
    return _twice(others, identity.known_name(app, release) if traffic.makes_own else None)


@rule(
    "traffic-current",
    "One release is current: its roles run.",
    why="With two there would be two schedulers; with none the jobs would wait.",
    wrong="app: {traffic: {current: false}}",
    right="app: {traffic: {current: true}}",
)
def _current(traffic: TrafficArgs) -> list[Diagnostic]:
    count = traffic.current + sum(one.current for one in traffic.others or [])
    if count == 1:
        return []
    wrong = f"is true of {count} releases, but the roles of one run"
    return [Diagnostic("traffic.current", traffic.current, wrong, "make it true of exactly one, this one or another")]


@rule(
    "traffic-weights",
    "Some release takes requests.",
    wrong="app: {traffic: {weight: 0}}",
    right="app: {traffic: {weight: 100}}",
)
def _weights(traffic: TrafficArgs) -> list[Diagnostic]:
    if traffic.weight or any(one.weight for one in traffic.others or []):
        return []
    return [Diagnostic("traffic.weight", 0, "is the weight of every release", "give one of them a weight")]


@rule(
    "traffic-absent",
    "A release that is not made takes no requests, copies or roles.",
    wrong="app: {traffic: {replicas: 0, weight: 5}}",
    right="app: {traffic: {replicas: 1, weight: 5}}",
)
def _made(traffic: TrafficArgs) -> list[Diagnostic]:
    if traffic.makes_own:
        return []
    asked = {
        "weight": traffic.weight,
        "current": traffic.current,
        "mirror": traffic.mirror is not None,
        "experiment": traffic.experiment is not None,
    }
    wrong, instead = (
        "needs the release of the arguments, which `replicas: 0` leaves out",
        "remove it, or write replicas",
    )
    return [Diagnostic(f"traffic.{key}", MISSING, wrong, instead) for key, value in asked.items() if value]


@rule(
    "probe-token",
    "The password of probes cannot be guessed.",
    why="It leads around the weights to a release that is not yet tested.",
    wrong="app: {traffic: {probe_token: test}}",
    right="app: {traffic: {probe_token: 8c1f…}}",
)
def _probe_token(traffic: TrafficArgs) -> list[Diagnostic]:
    token = traffic.probe_token
    if token is None or not isinstance(token, str) or _TOKEN.fullmatch(token):
        return []  # what is known only during the update cannot be judged
    wrong, instead = "is not 32 to 128 letters, digits, `-` and `_`", "write what `openssl rand -hex 32` gives"
    return [Diagnostic("traffic.probe_token", HIDDEN, wrong, instead)]


@rule(
    "mirror-alone",
    "A release gets copies of requests, or requests of its own.",
    wrong="app: {traffic: {weight: 5, mirror: {percent: 10}}}",
    right="app: {traffic: {weight: 0, mirror: {percent: 10}}}",
)
def _mirror_alone(traffic: TrafficArgs) -> list[Diagnostic]:
    if traffic.weight == 0:
        return []
    wrong, instead = "goes to a release that takes requests itself", "write `weight: 0`, or remove `mirror`"
    return [Diagnostic("traffic.mirror", MISSING, wrong, instead)]


@rule(
    "drain-weight",
    "Only a release without a weight is drained.",
    wrong="others: [{weight: 50, drain: true}]",
    right="others: [{weight: 0, drain: true}]",
)
def _drain(path: str, other: ReleaseBeside) -> list[Diagnostic]:
    if not other.drain or other.weight == 0:
        return []
    return [Diagnostic(f"{path}.drain", True, "is of a release that takes requests", "write `weight: 0`")]


@rule("wrong-platform")
def _only_docker(traffic: TrafficArgs, app: Application) -> list[Diagnostic]:
    """On Kubernetes a release gets a share of the requests, by the weights of the HTTPRoute, and nothing else."""
    if app.platform.kind is not PlatformKind.KUBERNETES:
        return []
    asked = {
        "mirror": traffic.mirror is not None,
        "sticky": traffic.sticky,
        "experiment": traffic.experiment is not None,
        "probe_token": traffic.probe_token is not None,
    }
    asked |= {f"others[{at}].drain": one.drain for at, one in enumerate(traffic.others or [])}
    wrong = "works only on a Docker host; on Kubernetes releases have weights alone"
    return [Diagnostic(f"traffic.{key}", MISSING, wrong, "remove it") for key, value in asked.items() if value]


@rule(
    "release-description",
    "A release beside that of the arguments is described as the output `releases` describes it.",
    why="A release that is made from half a description would be another one.",
)
def _described(path: str, other: ReleaseBeside, app: Application, own: list[Diagnostic]) -> list[Diagnostic]:
    """`own`: the problems of the release of the arguments, which are not told again."""
    try:
        release = release_of(other.description)
    except DescriptionError as error:
        instead = "write a description of the output `releases`, of this version of tierstack"
        return [Diagnostic(path, MISSING, str(error), instead)]
    return [replace(one, path=f"{path}.{one.path}") for one in problems_of(app, release) if one not in own]


@rule("unknown-image")
def _known(traffic: TrafficArgs, app: Application, release: Release) -> list[Diagnostic]:
    """On Docker every image is judged so; on Kubernetes only one beside which another release runs."""
    if app.platform.kind is PlatformKind.DOCKER or not traffic.others or not traffic.makes_own:
        return []
    wrong = "is known only during the update, but names what runs beside other releases"
    instead = "write it by digest, or make the component in an async function that awaits the image"
    return [Diagnostic(path, HIDDEN, wrong, instead) for path in release.unknown_images]


@rule(
    "release-twice",
    "A release runs once.",
    why="The same content has the same name, so nothing would tell the two apart.",
)
def _twice(others: Sequence[str], own: str | None) -> list[Diagnostic]:
    return [
        Diagnostic(
            f"traffic.others[{at}].description",
            MISSING,
            f"is the release of {'the arguments' if name == own else f'traffic.others[{others.index(name)}]'} again",
            "remove it, and give its weight to the other",
        )
        for at, name in enumerate(others)
        if name == own or others.index(name) < at
    ]
