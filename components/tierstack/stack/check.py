"""What can be said of a configuration without an engine: every problem, advice, and what it carries."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from tierstack.cluster_addons.required import Needs
from tierstack.core import ignores
from tierstack.core.arguments import load
from tierstack.core.before import Before, is_about_change
from tierstack.core.diagnostics import Diagnostic, Ignored
from tierstack.core.errors import ArgumentError
from tierstack.core.places import steps
from tierstack.core.tier import Limit
from tierstack.core.written import Written, as_written
from tierstack.platform import Platform
from tierstack.stack import advice, images, namespaces, rules
from tierstack.stack.instances import instances
from tierstack.stack.mending import Place, beside
from tierstack.stack.picture import Topology
from tierstack.stack.plan import Plan
from tierstack.stack.settings import as_placed, names, read
from tierstack.stack.topology import topology
from tierstack.stack.wiring import ComponentArgs


@dataclass(frozen=True)
class StackReport:
    """What can be said of a configuration without an engine."""

    plan: Plan | None
    """The arguments of every component; None where the settings cannot be read."""
    problems: list[Diagnostic]
    """Everything that is wrong."""
    said: list[Diagnostic]
    """What is allowed, and rarely meant; not what is said of records. Empty where there are problems."""
    capacity: list[Limit]
    """What the configuration carries in requests/s, the bottleneck first."""
    notes: list[str] = field(default_factory=list[str])
    """What it holds beside that."""
    accepted: list[Ignored] = field(default_factory=list[Ignored])
    """The errors that the configuration accepts; not those about records."""
    compared: bool = False
    """Whether anybody knew what the stack has made."""

    @property
    def platform(self) -> Platform | None:
        """Where the stack runs; None where the settings cannot be read."""
        return self.plan.platform if self.plan else None

    @property
    def needs(self) -> Needs | None:
        """What must be in the cluster before an update."""
        return self.plan.needs if self.plan else None

    def findings(self) -> tuple[list[Diagnostic], list[Ignored]]:
        """(Warnings and advice, those that the configuration accepts), each at the path of its setting."""
        if self.plan is None:
            return [], []
        shown, ignored = advice.findings(self.plan, self.said)
        ignored = self.accepted + ignored
        return shown + ([] if self.problems else self._unused(self.plan, ignored)), ignored

    def _unused(self, plan: Plan, ignored: list[Ignored]) -> list[Diagnostic]:
        """What `ignore` accepts and nobody says; where something is wrong, not everything was judged."""
        given: dict[str, str] = plan.settings.ignore or {}
        if not self.compared:
            given = {key: reason for key, reason in given.items() if not is_about_change(ignores.code_of(key))}
        return ignores.unused(given, ignored)

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
    before: Callable[[], Before] = Before,
    written: Mapping[str, Written] | None = None,
    shared_names: Callable[[Plan], list[Diagnostic]] = lambda _: [],
) -> StackReport:
    """All problems of a configuration, or the arguments that it gives. Registers nothing and raises nothing.

    `other_keys`: the keys of other namespaces, in full. `before`: what the stack has made; asked where manifests are
    applied, and nothing else is wrong. `written`: values that are no text, as they stand in the file, by their paths.
    `shared_names`: what two components would both be called, asked where nothing else is wrong; a program tells that
    itself.
    """
    check = _Check(secret_keys, stack, project, root, lookup, functools.cache(before), shared_names)
    written = written or {}
    # A value that YAML reads otherwise than it is meant says little about what the stack has made.
    whole = not any(one.otherwise for one in written.values())
    report = check.report(config, whole=whole)
    if problems := as_written(report.problems, written):
        report = replace(report, problems=problems, said=[], capacity=[], notes=[])
    stray = namespaces.problems(other_keys, project, names())
    if not stray:
        return report
    # What is there under a wrong namespace is not missing.
    meant = {namespaces.split(one.path)[1] for one in stray}
    rest = [one for one in report.problems if not (one.code == "missing-key" and meant & set(one.path.split(".")[:2]))]
    return StackReport(report.plan, stray + rest, [], [])


_DEEPEST = 5
"""How often what is mended is judged and mended again: a section that is missing, and what it must have."""


@dataclass(frozen=True)
class _Check:
    """What a configuration is judged with."""

    secret_keys: frozenset[str]
    stack: str
    project: str
    root: Path
    lookup: Callable[[str | None], images.Lookup]
    before: Callable[[], Before]
    shared_names: Callable[[Plan], list[Diagnostic]]

    def report(self, config: Mapping[str, Any], *, whole: bool) -> StackReport:
        """All problems, or what else there is to say. `whole`: also what follows from what the stack has made."""
        plan: Plan | None = None
        for plan, problems in self._stages(config, whole=whole):
            if problems:
                beside = self._beside(config, problems, frozenset(), whole=whole, depth=0)
                accepted = [] if plan is None else advice.accepted(plan, problems)[1]
                return StackReport(plan, problems + beside, [], [], accepted=accepted)
        assert plan
        said = advice.advice(plan) + advice.secrets_in_environment(plan, config, self.secret_keys)
        report = StackReport(plan, [], said, rules.capacity(plan), rules.notes(plan))
        if not whole or plan.platform.renders:
            return report
        made = self.before()
        accepted = advice.accepted(plan, plan.changes(made))[1]
        return replace(report, accepted=accepted, compared=bool(made.resources))

    def _stages(self, config: Mapping[str, Any], *, whole: bool) -> Iterator[tuple[Plan | None, list[Diagnostic]]]:
        """The problems of shape, of each component, between components, of names and of changes: each may rely on
        there being none before it."""
        try:
            settings = read(config)
            platform = _platform(settings, self.stack, self.project, self.root)
            found = instances(settings)
            settled = images.Images(settings, platform.kind, found, self.lookup(platform.docker_host))
        except ArgumentError as error:
            yield None, error.problems
            return
        plan = Plan(ComponentArgs(settings, found, settled, platform, self.root))

        def placed(problems: list[Diagnostic]) -> tuple[Plan, list[Diagnostic]]:
            return plan, [as_placed(config, one) for one in problems]

        own = rules.plaintext_secrets(settings, config, self.secret_keys) + _ignore_problems(settings)
        yield placed(own + plan.problems())
        yield placed(plan.derived_problems())
        yield placed(rules.problems(plan))
        if not whole:
            return
        yield plan, self.shared_names(plan)
        if not platform.renders:
            yield plan, advice.accepted(plan, plan.changes(self.before()))[0]

    def _beside(
        self,
        config: Mapping[str, Any],
        found: list[Diagnostic],
        told: frozenset[Place],
        *,
        whole: bool,
        depth: int,
    ) -> list[Diagnostic]:
        """What is wrong beside what is `found`, so that a reader sees all in one round."""
        if depth == _DEEPEST:
            return []
        told = told | {steps(one.path) for one in found}
        mended = replace(self, lookup=_asking_nobody)  # a placeholder is no host

        def judged(rest: Mapping[str, Any]) -> list[Diagnostic]:
            for plan, problems in mended._stages(rest, whole=whole):
                new = [one for one in problems if steps(one.path) not in told]
                if new or (problems and plan is None):
                    return new + mended._beside(rest, problems, told, whole=whole, depth=depth + 1)
            return []

        return beside(config, found, judged)


def _asking_nobody(_: str | None) -> images.Lookup:
    return images.unasked


def _ignore_problems(settings: Any) -> list[Diagnostic]:
    if not settings.ignore:
        return []
    from tierstack.stack import rulebook  # whose modules take a while to import

    return ignores.problems(settings.ignore, rulebook.rules())


def _platform(settings: Any, stack: str, project: str, root: Path) -> Platform:
    given = settings.platform.written()
    given.pop("memory_mb", None)
    if given.get("render_to"):
        given["render_to"] = str(root / given["render_to"])  # the engine runs the program in its own directory
    platform, problems = load(Platform, {"name": f"{project}-{stack}", **given, "environment": stack}, "platform")
    if problems:
        raise ArgumentError("configuration", problems)
    return cast(Platform, platform)
