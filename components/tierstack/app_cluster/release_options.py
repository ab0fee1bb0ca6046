"""The arguments of how a new release comes into production, and of the traffic between releases that run. Their rules
are in `release_rules.py`."""

from dataclasses import dataclass, field
from enum import Enum

import pulumi

from tierstack.core.keys import within

SMALLEST_STEP = 5
"""Percent. Traefik's balancers start again at each reload of its files, and give a release of 1 % its first request
after about 100 (`wrr.Balancer`), so smaller steps say little."""


class ReleaseStrategy(Enum):
    """How a new release gets the requests."""

    ROLLING = "rolling"
    """All at once, as soon as it is healthy: the order of a plain `up`, with smoke tests and a watch after it."""
    BLUE_GREEN = "blue_green"
    """All at once, after smoke tests through the public URL; the old release runs on while the new one is watched."""
    CANARY = "canary"
    """By steps: a share of the visitors first, then more."""
    SHADOW = "shadow"
    """Copies of requests first, whose answers nobody sees; then all at once."""


@dataclass(kw_only=True)
class ReleaseStep:
    """One step of a canary."""

    weight: int = field(metadata=within(SMALLEST_STEP, 99, "percent"))
    """Share of the requests that the new release gets, in percent, such as `25`. 5 to 99."""
    pause_seconds: int = field(default=120, metadata=within(0, 86400, "seconds"))
    """How long the step lasts, in seconds. 0 to 86400. Default: 120."""


@dataclass(kw_only=True)
class MirrorArgs:
    """Copies of requests for a release whose answers nobody sees."""

    percent: int = field(default=10, metadata=within(1, 100, "percent"))
    """Share of the requests that are copied, in percent. 1 to 100. Default: 10."""
    methods: list[str] = field(default_factory=lambda: ["GET", "HEAD"])
    """Methods whose requests are copied: `GET`, `HEAD` or `OPTIONS`, which change nothing (RFC 9110 section 9.2.1). A
    copy of any other would write an order twice. Default: `GET` and `HEAD`."""
    max_body_kb: int = field(default=64, metadata=within(0, 1024, "KiB"))
    """Largest body in KiB of a request that is copied; the proxy holds it in memory. 0 to 1024; 0: bodies are not
    copied. Default: 64."""


@dataclass(kw_only=True)
class ExperimentArgs:
    """Who gets the new release whatever the weights are: requests with a header, or visitors with a cookie."""

    header: str | None = None
    """Name of the header, such as `X-Beta`. None: `cookie` says who."""
    cookie: str | None = None
    """Name of the cookie, such as `beta`. None: `header` says who."""
    value: str | None = None
    """The value that it must have: letters, digits and `-._~`. None: any that is not empty."""


@dataclass(kw_only=True)
class AnalysisArgs:
    """By what a new release is judged while it takes requests."""

    max_error_rate: float = field(default=0.05, metadata=within(0, 1))
    """Largest share of its answers that are errors (status 500 and above). 0 to 1. Default: 0.05."""
    max_latency_ratio: float = field(default=3.0, metadata=within(1, 1000))
    """Largest mean time of its answers, as a multiple of that of the old release in the same window. 1 to 1000.
    Default: 3.0."""
    window_seconds: int = field(default=600, metadata=within(10, 86400, "seconds"))
    """Seconds over which both are taken. 10 to 86400. Default: 600."""
    min_requests: int = field(default=100, metadata=within(1, 1000000, "requests"))
    """Requests that it must have answered before it is judged by rates. 1 to 1000000. Default: 100."""


@dataclass(kw_only=True)
class ReleaseArgs:
    """How `tierstack release` brings a new release into production. A plain `up` does not read it."""

    strategy: ReleaseStrategy = ReleaseStrategy.CANARY
    """`rolling`, `blue_green`, `canary` or `shadow`. Default: `canary`."""
    steps: list[ReleaseStep] | None = None
    """`canary`: shares that the new release gets before it gets all, in rising order. None: 5, 25 and 50 percent for
    120 s each."""
    mirror: MirrorArgs | None = None
    """`shadow`: which requests are copied. None: 10 percent of GET and HEAD."""
    watch_seconds: int = field(default=120, metadata=within(0, 86400, "seconds"))
    """How long the new release is watched with all requests, while the old one still runs; `shadow`: and before, with
    the copies. In seconds. 0 to 86400. Default: 120."""
    sticky: bool = True
    """Whether visitors keep the release that they met first, by a cookie, while two take requests. Default: true."""
    experiment: ExperimentArgs | None = None
    """Who gets the new release from the first step on, whatever its share is. None: nobody."""
    analysis: AnalysisArgs = field(default_factory=AnalysisArgs)
    """By what the new release is judged; one that fails is taken back."""
    smoke_paths: list[str] | None = None
    """Paths that must answer below 400 from the new release, through the public URL, before it gets a visitor; at most
    10. None: `/`, `health.path` and `health.readiness_path`."""
    drain_seconds: int = field(default=60, metadata=within(0, 86400, "seconds"))
    """How long visitors who stick to the old release keep it after the new one has got all others, in seconds. 0 to
    86400. Default: 60."""
    keep: int = field(default=5, metadata=within(1, 100))
    """Releases before the present one that `tierstack rollback` can go back to. 1 to 100. Default: 5."""
    keep_running: bool = False
    """Whether the release before the present one goes on running without requests, so that going back to it starts
    nothing. It takes memory. Default: false."""
    approval: bool = False
    """Whether somebody must approve a release before visitors get it. Default: false."""
    windows: list[str] | None = None
    """When releases may begin, as days and times, such as `Mon-Thu 09:00-16:00`. None: always."""
    timezone: str = "UTC"
    """Time zone of `windows`, such as `Europe/Zurich` (IANA). Default: `UTC`."""


@dataclass(kw_only=True)
class ReleaseBeside:
    """A release that runs beside the one that the arguments describe."""

    description: str
    """What it is made of, as in the output `releases` of the component."""
    weight: int = field(default=0, metadata=within(0, 100, "percent"))
    """Its share of the requests among the sum of all weights. 0 to 100. Default: 0."""
    current: bool = False
    """Whether it is the release whose roles run. Default: false."""
    replicas: int | None = field(default=None, metadata=within(1, 500))
    """Its web containers; on Kubernetes the least that its autoscaler keeps. 1 to 500. None: as it is described."""
    drain: bool = False
    """Whether visitors who stick to it keep it although its weight is 0. False: with weight 0 they get another release
    at once. Default: false."""


@dataclass(kw_only=True)
class TrafficArgs:
    """The releases that run at this moment, and who gets which. `tierstack release` and `tierstack rollback` write it
    for each of their steps; nobody else needs it. On Kubernetes releases have weights alone: no copies, cookies,
    experiments, drains or probes."""

    weight: int = field(default=100, metadata=within(0, 100, "percent"))
    """Share of the requests of the release that the arguments describe, among the sum of all weights. 0 to 100.
    Default: 100."""
    current: bool = True
    """Whether that release is the one whose roles run. Its migration runs before its first container starts, current
    or not. Default: true."""
    replicas: int | None = field(default=None, metadata=within(0, 500))
    """Its web containers; on Kubernetes the least that its autoscaler keeps. 0 to 500; 0: it is not made at all, and
    its migration does not run. None: `replicas` of the application."""
    others: list[ReleaseBeside] | None = None
    """The releases beside it, in the order in which they came. None: it runs alone."""
    mirror: MirrorArgs | None = None
    """Copies of requests for the release that the arguments describe. None: no copies."""
    sticky: bool = False
    """Whether visitors keep the release that they met first, by a cookie. Default: false."""
    experiment: ExperimentArgs | None = None
    """Who gets the release that the arguments describe, whatever the weights are. None: nobody."""
    probe_token: pulumi.Input[str] | None = field(default=None, metadata={"secret": True})
    """The password with which a request with the header `X-Tierstack-Release: <name>` reaches that release through the
    public URL (HTTP Basic, user `tierstack`): 32 or more letters, digits, `-` and `_`. The proxy is given a hash of it.
    None: no release can be reached by its name."""
    progress: dict[str, str] | None = None
    """What the release driver notes of the step; it comes back in the output `releases`. None: nothing."""

    @property
    def makes_own(self) -> bool:
        """Whether the release that the arguments describe runs."""
        return self.replicas != 0


ALONE = TrafficArgs()
"""All requests go to the release that the arguments describe."""
