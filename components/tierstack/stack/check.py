"""What can be said of a configuration without an engine: every problem, advice, and what it carries."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from tierstack.cluster_addons.required import Needs
from tierstack.core.arguments import load
from tierstack.core.diagnostics import Diagnostic, Ignored
from tierstack.core.errors import ArgumentError
from tierstack.core.tier import Limit
from tierstack.platform import Platform
from tierstack.stack import images, namespaces, rules
from tierstack.stack.instances import instances
from tierstack.stack.picture import Topology
from tierstack.stack.plan import Plan
from tierstack.stack.settings import names, read
from tierstack.stack.topology import topology
from tierstack.stack.wiring import ComponentArgs

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


@dataclass(frozen=True)
class StackReport:
    """What can be said of a configuration without an engine."""

    plan: Plan | None
    """The arguments of every component; None where the settings cannot be read."""
    problems: list[Diagnostic]
    """Everything that is wrong."""
    advice: list[str]
    """What is allowed, and rarely meant."""
    capacity: list[Limit]
    """What the configuration carries in requests/s, the bottleneck first."""
    notes: list[str] = field(default_factory=list[str])
    """What it holds beside that."""

    @property
    def platform(self) -> Platform | None:
        """Where the stack runs; None where the settings cannot be read."""
        return self.plan.platform if self.plan else None

    @property
    def needs(self) -> Needs | None:
        """What must be in the cluster before an update."""
        return self.plan.needs if self.plan else None

    def findings(self) -> tuple[list[Diagnostic], list[Ignored]]:
        """(Warnings about DNS records, those that the configuration accepts), each at the path of its setting."""
        return rules.dns_findings(self.plan) if self.plan else ([], [])

    def topology(self) -> Topology:
        """What runs, for a picture. Needs a configuration without problems."""
        assert self.plan
        return topology(self.plan)


def judge(
    config: Mapping[str, Any],
    secret_keys: frozenset[str],
    stack: str,
    project: str,
    root: Path = Path(),
    lookup: Callable[[str | None], images.Lookup] = lambda _: images.unasked,
    other_keys: Sequence[str] = (),
) -> StackReport:
    """All problems of a configuration, or the arguments that it gives. Registers nothing and raises nothing.

    `other_keys`: the keys of other namespaces, in full.
    """
    report = _judged(config, secret_keys, stack, project, root, lookup)
    stray = namespaces.problems(other_keys, project, names())
    if not stray:
        return report
    # What is there under a wrong namespace is not missing.
    meant = {namespaces.split(one.path)[1] for one in stray}
    rest = [one for one in report.problems if not (one.code == "missing-key" and meant & set(one.path.split(".")[:2]))]
    return StackReport(report.plan, stray + rest, [], [])


def _judged(
    config: Mapping[str, Any],
    secret_keys: frozenset[str],
    stack: str,
    project: str,
    root: Path,
    lookup: Callable[[str | None], images.Lookup],
) -> StackReport:
    try:
        settings = read(config)
        platform = _platform(settings, stack, project, root)
        found = instances(settings)
        settled = images.Images(settings, platform.kind, found, lookup(platform.docker_host))
    except ArgumentError as error:
        beside = _beside(config, error.problems, lambda rest: _judged(rest, secret_keys, stack, project, root, lookup))
        return StackReport(None, error.problems + beside, [], [])
    plan = Plan(ComponentArgs(settings, found, settled, platform, root))
    problems = rules.plaintext_secrets(settings, config, secret_keys) + plan.problems()
    if not problems:
        problems = rules.problems(plan)
    if problems:
        return StackReport(plan, problems, [], [])
    return StackReport(plan, [], rules.advice(plan), rules.capacity(plan), rules.notes(plan))


def _beside(
    config: Mapping[str, Any], shape: list[Diagnostic], judged: Callable[[Mapping[str, Any]], StackReport]
) -> list[Diagnostic]:
    """What the rules say of the configuration without its keys of wrong shape, so that a reader sees all in one round.
    What names such a key, or the one that it may have meant, cannot be judged."""
    rest = copy.deepcopy(dict(config))
    for problem in shape:
        *parents, last = [int(index) if index else key for key, index in _STEP.findall(problem.path)]
        inside: Any = rest
        try:
            for step in parents:
                inside = inside[step]
            del inside[last]
        except (KeyError, IndexError, TypeError):
            return []  # a key is missing: what depends on it cannot be judged
    doubtful = {re.split(r"[.\[]", problem.path)[-1] for problem in shape}
    doubtful |= {word for problem in shape for word in re.findall(r"`(\w+)`", problem.hint)}
    found = judged(rest).problems
    return [one for one in found if one not in shape and not doubtful & set(re.findall(r"\w+", str(one)))]


def _platform(settings: Any, stack: str, project: str, root: Path) -> Platform:
    given = settings.platform.written()
    given.pop("memory_mb", None)
    if given.get("render_to"):
        given["render_to"] = str(root / given["render_to"])  # the engine runs the program in its own directory
    platform, problems = load(Platform, {"name": f"{project}-{stack}", **given, "environment": stack}, "platform")
    if problems:
        raise ArgumentError("configuration", problems)
    return cast(Platform, platform)
