"""What a component must agree on with the rest of its program: its name, where other components are, its caller's
options, and what only one component can have. Judged before the component is registered.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import pulumi

from tierstack.core.before import Before
from tierstack.core.diagnostics import declared
from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Diagnostic, rule
from tierstack.platform import Platform, PlatformKind, is_elsewhere, name_problems, own_state
from tierstack.platform.claims import Claim
from tierstack.platform.shared import current_run, given_provider, is_hosted

T = TypeVar("T")
_PACKAGES = {PlatformKind.KUBERNETES: "kubernetes", PlatformKind.DOCKER: "docker"}


@dataclass(frozen=True)
class NameRule:
    """Which names a class of components may have, because names of objects are made from them."""

    docker: int = 0
    """Docker: characters that leave room for the longest suffix in a DNS label (63, RFC 1035 section 2.3.4)."""
    kubernetes: int = 0
    """Kubernetes: the same for the strictest kind of object. 0: no object is named by the component."""
    prefixed: bool = False
    """Docker: whether the platform's name and a hyphen stand before it in that label."""
    service: bool = False
    """Whether a Service has the name, which then starts with a letter (RFC 1035 section 2.3.1)."""

    def longest(self, platform: Platform) -> int:
        """Characters that a name may have on `platform`; 0 where any name is good."""
        if platform.kind is PlatformKind.KUBERNETES:
            return self.kubernetes
        return self.docker - (len(platform.name) + 1 if self.prefixed else 0)


def problems(name: str, args: object, opts: pulumi.ResourceOptions | None, rule: NameRule) -> list[Diagnostic]:
    """Everything that does not fit the rest of the program."""
    platform = getattr(args, "platform", None)
    found = _in_its_name(name, args)
    if isinstance(platform, Platform) and not platform.problems():
        found += [
            *_name(name, args, platform, rule),
            *_renamed(name, args, opts),
            *_provider(platform, opts),
            *_links(args, platform),
        ]
    return found + _claimed(args)


def physical_name(name: str, args: object) -> str:
    """What the names of a component's objects begin with."""
    return cast(str | None, getattr(args, "physical_name", None)) or name


def claim(args: object, owner: str) -> None:
    """Remember what the component has now, for those that come after it."""
    claims = current_run().claims
    for one in _claims(args):
        claims.setdefault(one.what, []).append((one, owner))


def read_state(args: object) -> None:
    """Read what the stack has made, which every platform needs: before the component waits to be registered, because
    asking may let what waits go on."""
    if isinstance(getattr(args, "platform", None), Platform):
        own_state.resources()


def judge_changes(args: object, subject: str, rules: Callable[[Before], list[Diagnostic]]) -> None:
    """Raise ArgumentError where what the component made cannot become what its arguments say.

    What somebody may have prepared by hand is a warning here, because a program has no place to accept it; a stack has
    judged it before (`Run.changes_judged`).
    """
    platform = getattr(args, "platform", None)
    if not isinstance(platform, Platform) or platform.renders or current_run().changes_judged:
        return
    found = rules(Before(own_state.resources() or {}))
    if refused := [one for one in found if not declared()[one.code].ignorable]:
        raise ArgumentError(subject, refused)
    for one in found:
        pulumi.log.warn(f"{subject}: {one.line}")


def with_judged_images(args: T, subject: str) -> T:
    """`args` with each image that comes from another resource or stack judged as soon as it is known: by the same rules
    as one that is known at preview. Raises ArgumentError then."""
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(cast(Any, args))}
    late = {
        name: pulumi.Output.from_input(value)
        for name, value in given.items()
        if name.endswith("image") and value is not None and not isinstance(value, str)
    }
    if not late:
        return args

    def judged(known: dict[str, Any]) -> dict[str, Any]:
        found = dataclasses.replace(cast(Any, args), **known).problems()
        if found:
            raise ArgumentError(subject, found)
        return known

    images = pulumi.Output.all(**late).apply(judged)
    if not is_hosted():
        # Beside the resources that take the image: an error inside them would come with the SDK's tracebacks.
        return args
    settled = {name: images.apply(lambda known, at=name: known[at]) for name in late}
    return dataclasses.replace(cast(Any, args), **settled)


def _claims(args: object) -> Sequence[Claim]:
    claims = cast(Callable[[], Sequence[Claim]] | None, getattr(args, "claims", None))
    return claims() if claims else []


def _claimed(args: object) -> list[Diagnostic]:
    held = current_run().claims
    return [
        dataclasses.replace(one.problem, message=one.problem.message.format(owner=owner))
        for one in _claims(args)
        for other, owner in held.get(one.what, [])
        if one.clashes(other)
    ]


def _in_its_name(name: str, args: object) -> list[Diagnostic]:
    """The rules of arguments that depend on the component's name."""
    rules = cast(Callable[[str], list[Diagnostic]] | None, getattr(args, "problems_as", None))
    return rules(physical_name(name, args)) if rules else []


@rule("object-name")
def _name(name: str, args: object, platform: Platform, rule: NameRule) -> list[Diagnostic]:
    longest = rule.longest(platform)
    if not longest:
        return []
    physical = physical_name(name, args)
    path = "name" if physical == name else "physical_name"
    found = name_problems(path, physical, longest)
    if len(physical) > longest:
        wrong = f"has {len(physical)} characters; with the suffixes of what is made from it, names would be too long"
        found = [Diagnostic(path, physical, wrong, f"write at most {longest} characters")]
    elif not found and rule.service and platform.kind is PlatformKind.KUBERNETES and not physical[0].isalpha():
        wrong = "starts with a digit, and a Kubernetes Service cannot (RFC 1035)"
        found = [Diagnostic(path, physical, wrong, f"write a letter first, such as `a{physical}`")]
    if found and path == "name":
        hint = f"{found[0].hint}; where the component must keep its name, give `physical_name`"
        found = [dataclasses.replace(found[0], hint=hint)]
    return found


@rule("renamed-component")
def _renamed(name: str, args: object, opts: pulumi.ResourceOptions | None) -> list[Diagnostic]:
    """An alias keeps the resources of a component, but not the names of its objects: another name replaces these."""
    aliases = cast(list[Any], opts.aliases or []) if opts and getattr(args, "physical_name", ...) is None else []
    names = [one.rpartition("::")[2] if isinstance(one, str) else getattr(one, "name", ...) for one in aliases]
    # Which of several aliases is the one in the state is not known here.
    before = [one for one in names if isinstance(one, str) and one != name]
    if not before:
        return []
    wrong = (
        f"is not set, and `aliases` calls this component {before[0]!r}: its objects would be replaced, with their data"
    )
    instead = f"write {before[0]!r} to keep them under that name, or {name!r} to replace them"
    return [Diagnostic("physical_name", MISSING, wrong, instead)]


@rule("two-targets")
def _provider(platform: Platform, opts: pulumi.ResourceOptions | None) -> list[Diagnostic]:
    """A provider that the caller gives beside a target that the platform names: one of the two would be ignored."""
    given = given_provider(_PACKAGES[platform.kind], opts)
    if given is None:
        return []
    if platform.kind is PlatformKind.DOCKER:
        return _docker_provider(platform)
    wrong = "cannot be combined with the kubernetes provider that the component's options give"
    return [
        Diagnostic(f"platform.{field}", value, wrong, "remove one of the two")
        for field in ("render_to", "context")
        if (value := getattr(platform, field)) is not None
    ]


def _docker_provider(platform: Platform) -> list[Diagnostic]:
    """Files, claims and checks go through the daemon itself, and nobody can ask a provider for its address: containers
    would be made on one host, and their files on another."""
    wrong = "give a docker provider, but files are written through the daemon of `platform.docker_host`"
    instead = "remove the provider from the options of this component and of those around it"
    if platform.docker_host is None:
        instead += (
            "; for another host than that of DOCKER_HOST set `platform.docker_host`, such as `ssh://deploy@shop1`"
        )
    return [Diagnostic("opts", MISSING, wrong, instead)]


@rule("other-platform")
def _links(args: object, platform: Platform, above: str = "") -> list[Diagnostic]:
    """What other components handed over must be where this one is, also inside a group of arguments."""
    found: list[Diagnostic] = []
    given = {f"{above}{field.name}": getattr(args, field.name) for field in dataclasses.fields(cast(Any, args))}
    maps = [(path, cast(dict[str, Any], value)) for path, value in given.items() if isinstance(value, dict)]
    given |= {f"{path}.{key}": one for path, value in maps for key, one in value.items()}
    for path, link in given.items():
        if not dataclasses.is_dataclass(link):
            continue  # an Output would give an Output for any attribute
        if not hasattr(link, "source"):
            found += _links(link, platform, f"{path}.")
            continue
        place, source = getattr(link, "place", None), getattr(link, "source", "another")
        if isinstance(place, str) and is_elsewhere(place, platform.place):
            wrong = f"is at {place}, and this component at {platform.place}"
            found.append(Diagnostic(path, HIDDEN, wrong, f"pass {source} on the same platform"))
    return found
