"""What the components of one platform share during a run, and what their caller's options say about it.

The provider and the namespace are made once, by the first component that needs them. They hang below that component's
own parent, with its transforms, its protection and what it depends on: they belong to the caller's part of the tree as
much as the component does, and a second component of the platform finds them there.
"""

import contextlib
import contextvars
import copy
import re
import weakref
from collections.abc import Callable, Generator, Hashable
from typing import Any, TypeVar, cast

import pulumi
from pulumi.runtime.mocks import MockMonitor
from pulumi.runtime.settings import get_monitor

from tierstack.platform import Platform
from tierstack.platform.asked import Asked

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)


class Run:
    """One run of one program: what its components made once, and what they have claimed."""

    def __init__(self, *, mocked: bool = False) -> None:
        self.made: dict[Hashable, Any] = {}
        self._claims: dict[Hashable, Any] = {}
        self.asked = Asked(many_programs=mocked)
        self._targets: dict[str, list[Hashable]] = {}
        self.changes_judged = False
        """Whether the program has compared all that its components would change with what they made."""
        self.settled: set[str] = set()
        """Codes of what the program has told itself, or accepts: components need not say it again."""

    @property
    def claims(self) -> dict[Hashable, Any]:
        """What the components of the program have claimed. The mocks of a module of tests are set once, and run one
        program after another: the claims of one are none of the next."""
        if self.asked.many_programs and self.asked.judged:
            self._claims.clear()
        return self._claims

    def name(self, name: str, target: Hashable, suffix: str) -> str:
        """The logical name of what is shared on `target`: `name`, and with `suffix` where another target has it.

        One platform name may stand for two namespaces: in two clusters, or in two directories.
        """
        targets = self._targets.setdefault(name, [])
        if target not in targets:
            targets.append(target)
        plain = re.sub(r"[^A-Za-z0-9.-]+", "-", suffix).strip("-")
        return name if targets[0] == target else f"{name}-{plain or targets.index(target) + 1}"


# Keyed by the engine connection of the run: tests, and programs that run one after another, start afresh.
_runs: "weakref.WeakKeyDictionary[Any, Run]" = weakref.WeakKeyDictionary()
_hosted: contextvars.ContextVar[Run | None] = contextvars.ContextVar("tierstack_hosted_run", default=None)


def current_run() -> Run:
    """The run that the caller is part of."""
    if (hosted := _hosted.get()) is not None:
        return hosted
    monitor = get_monitor()
    return Run() if monitor is None else _runs.setdefault(monitor, Run(mocked=not has_engine()))


@contextlib.contextmanager
def hosted(run: Run) -> Generator[None]:
    """Let what is constructed inside share `run`: a component host gets another engine connection for each component
    of the same program."""
    token = _hosted.set(run)
    try:
        yield
    finally:
        _hosted.reset(token)


def is_hosted() -> bool:
    """Whether a component host constructs the component."""
    return _hosted.get() is not None


def once_per_run(make: Callable[[K], T], key: K) -> T:
    """`make(key)`, or what was made for an equal key earlier in this run."""
    made = current_run().made
    if key not in made:
        made[key] = make(key)
    return cast(T, made[key])


def caller_options(resource: pulumi.Resource | None) -> pulumi.ResourceOptions:
    """The options that the caller gave to a component; empty for any other resource."""
    return getattr(resource, "_caller_options", None) or pulumi.ResourceOptions()


def waiting(opts: pulumi.ResourceOptions, component: pulumi.Resource | None) -> pulumi.ResourceOptions:
    """`opts`, waiting also for what the caller lets the component wait for."""
    given = caller_options(component).depends_on
    if given is None:
        return opts
    return pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=given))


def held(opts: pulumi.ResourceOptions | None) -> pulumi.ResourceOptions:
    """`opts`, waiting until the program has asked for everything: nothing is registered where something is wrong.

    The SDK sends no registration before the program's own code has ended, or calls a function of a provider. What is
    constructed later, as in an `apply`, waits for its own names alone.
    """
    # As an option it leaves no trace in the state.
    waiting = pulumi.ResourceOptions(depends_on=[cast(Any, _Verdict(current_run()))])
    return pulumi.ResourceOptions.merge(copy.copy(opts or pulumi.ResourceOptions()), waiting)


class _Verdict:
    """Nothing to depend on, or an error. Not a coroutine: Python complains of one that nobody came to await, as where
    the program has failed before."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def __await__(self) -> Generator[None, None, None]:
        raise_verdict(self._run)
        yield from ()


def raise_verdict(run: Run) -> None:
    """Raise RunError with everything that cannot be had of what was asked for."""
    if found := run.asked.verdict():
        raise pulumi.RunError(found)


def has_engine() -> bool:
    """Whether an engine runs the program, and not the mocks of a test."""
    return not isinstance(get_monitor(), MockMonitor)


def subject(resource: pulumi.Resource) -> str:
    """How errors name a component: `RedisCluster "db"`."""
    return f'{resource.pulumi_resource_type.rpartition(":")[2]} "{resource.pulumi_resource_name}"'


def shared_options(component: pulumi.Resource | None, *, protect: bool = False) -> pulumi.ResourceOptions:
    """Options of what a component makes for its whole platform; `protect` is raised to what the caller asks for."""
    given = caller_options(component)
    opts = pulumi.ResourceOptions(
        parent=given.parent,
        # It was the stack's own child before it hung below the caller's component. A parent in another language has no
        # name here, which the SDK needs for an alias.
        aliases=[pulumi.Alias(parent=pulumi.ROOT_STACK_RESOURCE)] if hasattr(given.parent, "_name") else None,
        transforms=given.transforms,
        transformations=given.transformations,
        protect=protect or bool(getattr(component, "_protect", False)),
        retain_on_delete=given.retain_on_delete or None,
    )
    return held(waiting(opts, component))


def given_provider(package: str, opts: pulumi.ResourceOptions | None) -> pulumi.ProviderResource | None:
    """The provider of `package` that the caller, or a component around it, gives to a component; None for none."""
    if opts is None:
        return None
    given: Any = opts.providers or []
    several = list(given.values()) if hasattr(given, "values") else list(given)
    for one in [*([opts.provider] if opts.provider else []), *several]:
        if one.package == package:
            return cast(pulumi.ProviderResource, one)
    return opts.parent.get_provider(f"{package}:index:Any") if opts.parent else None


def provider_name(provider: pulumi.ProviderResource | None) -> str:
    """The logical name of a provider. In a component host it may be known by its URN alone, which ends with it."""
    if provider is None:
        return ""
    if name := getattr(provider, "_name", ""):
        return str(name)
    data = provider.urn.__dict__["_data"]
    return str(data.result().value).rpartition("::")[2] if data.done() else ""


def _identity(provider: pulumi.ProviderResource | None) -> Hashable:
    """What tells one provider from another: itself, or its name in a host, which gets it anew with each component."""
    return provider if provider is None or _hosted.get() is None else provider_name(provider)


def place_key(platform: Platform, provider: pulumi.ProviderResource | None) -> tuple[Hashable, ...]:
    """What tells one host or cluster of a program from another."""
    return (platform.kind, platform.context, platform.render_to, platform.docker_host, _identity(provider))


def platform_key(platform: Platform, provider: pulumi.ProviderResource | None) -> Hashable:
    """What tells one target of a program from another: the same key means the same namespace, or the same host and
    name."""
    return (platform.name, *place_key(platform, provider))
