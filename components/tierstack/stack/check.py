"""What can be said of a configuration without an engine: every problem, advice, and what it carries."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from tierstack.cluster_addons.required import Needs
from tierstack.core import ignores
from tierstack.core.arguments import load
from tierstack.core.before import Before, is_about_change
from tierstack.core.diagnostics import Diagnostic, Ignored
from tierstack.core.errors import ArgumentError
from tierstack.core.places import path_text, steps
from tierstack.core.tier import Limit
from tierstack.core.written import Written, as_written
from tierstack.platform import Platform
from tierstack.stack import advice, images, namespaces, rules
from tierstack.stack.instances import instances
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
    report = _as_written(_judged(config, secret_keys, stack, project, root, lookup), written or {})
    report = _changed(_named(report, shared_names), before)
    stray = namespaces.problems(other_keys, project, names())
    if not stray:
        return report
    # What is there under a wrong namespace is not missing.
    meant = {namespaces.split(one.path)[1] for one in stray}
    rest = [one for one in report.problems if not (one.code == "missing-key" and meant & set(one.path.split(".")[:2]))]
    return StackReport(report.plan, stray + rest, [], [])


def _as_written(report: StackReport, written: Mapping[str, Written]) -> StackReport:
    """The report, with values as they stand in the file, and what YAML reads otherwise than it is meant."""
    problems = as_written(report.problems, written)
    return StackReport(report.plan, problems, [], []) if problems else report


def _named(report: StackReport, shared_names: Callable[[Plan], list[Diagnostic]]) -> StackReport:
    """The report, with names that components would share."""
    if report.plan is None or report.problems or not (found := shared_names(report.plan)):
        return report
    return StackReport(report.plan, found, [], [])


def _changed(report: StackReport, before: Callable[[], Before]) -> StackReport:
    """The report, with what components that exist cannot become."""
    if report.plan is None or report.problems or report.plan.platform.renders:
        return report
    made = before()
    problems, accepted = advice.accepted(report.plan, report.plan.changes(made))
    if problems:
        return StackReport(report.plan, problems, [], [], accepted=accepted)
    return replace(report, accepted=accepted, compared=bool(made.resources))


def _judged(
    config: Mapping[str, Any],
    secret_keys: frozenset[str],
    stack: str,
    project: str,
    root: Path,
    lookup: Callable[[str | None], images.Lookup],
    compared: bool = True,
) -> StackReport:
    """`compared`: whether values of several components are compared with each other."""
    try:
        settings = read(config)
        platform = _platform(settings, stack, project, root)
        found = instances(settings)
        settled = images.Images(settings, platform.kind, found, lookup(platform.docker_host))
    except ArgumentError as error:

        def judged(rest: Mapping[str, Any]) -> StackReport:
            # A default in the place of what is wrong changes every sum.
            return _judged(rest, secret_keys, stack, project, root, lookup, compared=False)

        beside = _beside(config, error.problems, judged)
        return StackReport(None, error.problems + beside, [], [])
    plan = Plan(ComponentArgs(settings, found, settled, platform, root))
    problems = rules.plaintext_secrets(settings, config, secret_keys) + _ignore_problems(settings) + plan.problems()
    if not problems and compared:
        problems = rules.problems(plan)
    if problems:
        return StackReport(plan, [as_placed(config, one) for one in problems], [], [])
    said = advice.advice(plan) + advice.secrets_in_environment(plan, config, secret_keys)
    return StackReport(plan, [], said, rules.capacity(plan), rules.notes(plan))


def _ignore_problems(settings: Any) -> list[Diagnostic]:
    if not settings.ignore:
        return []
    from tierstack.stack import rulebook  # whose modules take a while to import

    return ignores.problems(settings.ignore, rulebook.rules())


def _beside(
    config: Mapping[str, Any], shape: list[Diagnostic], judged: Callable[[Mapping[str, Any]], StackReport]
) -> list[Diagnostic]:
    """What the rules say of the configuration without its keys of wrong shape, so that a reader sees all in one round.
    What names such a key, or the one that it may have meant, cannot be judged."""
    rest = copy.deepcopy(dict(config))
    places = {steps(problem.path) for problem in shape}
    for *parents, last in sorted(places, reverse=True):  # within a list from its end, so that no place moves
        inside: Any = rest
        try:
            for step in parents:
                inside = inside[step]
            del inside[last]
        except (KeyError, IndexError, TypeError):
            return []  # a key is missing: what depends on it cannot be judged
    doubtful = {place[-1] for place in places}
    doubtful |= {
        word.rpartition(".")[2]
        for problem in shape
        if problem.code in ("unknown-key", "given-twice")
        for word in re.findall(r"`([\w.]+)[`:]", problem.hint)
    }
    shortened: dict[tuple[str | int, ...], list[int]] = {}
    for *parents, last in sorted(places):
        if isinstance(last, int):
            shortened.setdefault(tuple(parents), []).append(last)
    around = {place[:end] for place in places for end in range(len(place))}  # what lost a key may miss it
    found = [
        one
        for one in judged(rest).problems
        if steps(one.path) not in around and not doubtful & set(re.findall(r"\w+", str(one)))
    ]
    for place, removed in shortened.items():
        found = [placed for one in found if (placed := _renumbered(one, place, removed))]
    return [one for one in found if one not in shape]


def _renumbered(one: Diagnostic, place: tuple[str | int, ...], removed: Sequence[int]) -> Diagnostic | None:
    """The diagnostic with the numbers that the elements of the list at `place` have in the file, where the elements
    `removed` were left out. None: it is about the list as a whole, or about which one is the first."""
    at = steps(one.path)
    if at[: len(place)] != place:
        return one
    if len(at) == len(place) or (at[len(place)] == 0 and removed[0] == 0 and "first" in one.message):
        return None

    def number(found: re.Match[str]) -> str:
        index = int(found[2])
        for gone in removed:
            index += gone <= index
        return f"{found[1]}[{index}]"

    written = re.compile(rf"(\b{re.escape(str(place[-1]))})\[(\d+)\]")
    message, hint = (written.sub(number, text) for text in (one.message, one.hint))
    head = path_text(place)
    path = head + written.sub(number, str(place[-1]) + one.path[len(head) :]).removeprefix(str(place[-1]))
    return replace(one, path=path, message=message, hint=hint)


def _platform(settings: Any, stack: str, project: str, root: Path) -> Platform:
    given = settings.platform.written()
    given.pop("memory_mb", None)
    if given.get("render_to"):
        given["render_to"] = str(root / given["render_to"])  # the engine runs the program in its own directory
    platform, problems = load(Platform, {"name": f"{project}-{stack}", **given, "environment": stack}, "platform")
    if problems:
        raise ArgumentError("configuration", problems)
    return cast(Platform, platform)
