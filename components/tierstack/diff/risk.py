"""What a change risks: rules as data, and how they are applied to a plan.

A rule looks at the plan, never at code, and at what changes, never at what was bad before. It names the types that it
knows, what must happen to them, what follows, and what to do instead. The property that it met is the reason.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import translate
from functools import cache
from typing import Any

from tierstack.core.fixed_fields import shrinks
from tierstack.core.quantities import quantity
from tierstack.diff.compare import properties
from tierstack.diff.likeness import is_renamed
from tierstack.diff.marks import ABSENT, UNKNOWN
from tierstack.diff.model import Change, Operation, Plan, Property, at
from tierstack.diff.texts import Text, fill, listed, plain_or_value, shown

_TELLING = frozenset({"image", "imageName", "resources", "parameters", "command", "env", "storage", "hostnames"})
"""Properties that say more than others of why something restarts."""


_NAMES_ONLY = frozenset({"labels", "annotations", "tags", "tagsAll", "matchLabels"})
"""Maps of names that users choose: a general rule knows its properties by name, and would be misled there."""


_PERHAPS = ", perhaps: the new value is known only during the update"


class Risk(StrEnum):
    """Classes of risk, the worst first."""

    DATA_LOSS = "data-loss"
    IRREVERSIBLE = "irreversible"
    REFUSED = "refused"
    DOWNTIME = "downtime"
    PUBLIC = "public"
    WEAKENS = "weakens"
    COST = "cost"
    INFORMATION = "information"

    @property
    def heading(self) -> str:
        """The heading above changes of this class."""
        return _TITLES[self]


_TITLES = {
    Risk.DATA_LOSS: "Data is lost",
    Risk.IRREVERSIBLE: "Cannot be undone",
    Risk.REFUSED: "Will be refused",
    Risk.DOWNTIME: "Stops, restarts or moves",
    Risk.PUBLIC: "Becomes public",
    Risk.WEAKENS: "Protects less",
    Risk.COST: "Costs more",
    Risk.INFORMATION: "Good to know",
}
WORST = tuple(Risk)

Test = Callable[[Any, Any], bool]
"""What a rule wants of the old and the new value of a property."""


@dataclass(frozen=True)
class Look:
    """One change, and the plan that it is a part of."""

    change: Change
    plan: Plan

    def old(self, pattern: str) -> Any:
        """The value at a path before; ABSENT where there was none."""
        return at(self.change.old, pattern)

    def new(self, pattern: str) -> Any:
        """The value at a path afterwards; ABSENT where there is none."""
        return at(self.change.new, pattern)

    def created_instead(self) -> Change | None:
        """What the plan creates in the place of what goes, as when something is renamed. None: nothing."""
        others = (
            one for one in self.plan.changes if one.operation is Operation.CREATE and one.type == self.change.type
        )
        return next((one for one in others if is_renamed(self.change, one)), None)

    def stays(self, type_: str) -> Iterator[Change]:
        """The resources of a type, a pattern, that are there afterwards, as far as the plan lists them."""
        for one in (*self.plan.unchanged, *self.plan.changes):
            if one.operation is not Operation.DELETE and _matches(one.type, type_):
                yield one


def always(_: Look) -> bool:
    """The condition of a rule that has none."""
    return True


def no_facts(_: Look, __: Sequence[Property]) -> Mapping[str, object]:
    """The further values of a rule whose sentence has none."""
    return {}


def every(_: Property) -> bool:
    """The choice of a rule that takes every property of its path."""
    return True


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One risk. Its sentences may have `{name}`, what `facts` give, and of the first property `{old}`, `{new}` and the
    last two steps of its path (`{within}`, `{key}`), of all properties `{olds}` and `{news}`."""

    id: str
    """What `--fail-on` users and readers of the JSON know it by: `volume-deleted`."""
    risk: Risk
    types: tuple[str, ...]
    """Patterns of type tokens, with `*`."""
    what: str
    """What happens, as a clause after the name of the resource."""
    instead: str
    """What to do, as a sentence. Empty: nothing is to be done."""
    whole: bool = False
    """Whether `what` is a whole sentence, so that the name of the resource need not stand before it."""
    operations: frozenset[Operation] = frozenset({Operation.UPDATE, Operation.REPLACE})
    """What must happen to the resource."""
    path: str | tuple[str, ...] = ()
    """Patterns of properties, of which one must change: keys with spaces between them, `*` for any one, `**` for any
    number, `~` for a space in a key. Empty: what happens to the resource is enough."""
    test: Test = lambda old, new: True
    """What must be true of the property."""
    condition: Callable[[Look], bool] = always
    """What must be true of the whole change."""
    only: Callable[[Property], bool] = every
    """What must be true of the property beyond its values, such as a word in its path."""
    each: bool = False
    """Whether each property is a finding of its own. False: all of one resource are one."""
    facts: Callable[[Look, Sequence[Property]], Mapping[str, object]] = no_facts
    """Further values for the sentences, from the change and the properties that were met."""

    @property
    def is_general(self) -> bool:
        """Whether it knows its types by a word in their names only, so that another rule may say it better."""
        return self.id.startswith("any-")


@dataclass(frozen=True)
class Finding:
    """A risk of a plan. Where several resources have the same one for the same reason, they are one finding."""

    rule: str
    risk: Risk
    changes: tuple[Change, ...]
    """Those that have it."""
    what: Text
    because: tuple[Property, ...]
    """The properties that force it. Empty: the resource as a whole comes or goes."""
    reasons: tuple[str, ...]
    """Properties that the provider names without showing them."""
    instead: Text
    whole: bool = False
    """Whether `what` stands without the names of the resources before it."""

    @property
    def names(self) -> tuple[str, ...]:
        """The resources."""
        return tuple(one.name for one in self.changes)

    @property
    def subject(self) -> Text:
        """The resources in words: `Cluster db`, `Volume a, b and 3 more: each`; empty where `what` is whole."""
        if self.whole:
            return ()
        kinds = {one.kind for one in self.changes}
        shown = [one.name if len(kinds) == 1 else f"{one.kind} {one.name}" for one in self.changes]
        kind: Text = (*plain_or_value(kinds.pop()), " ") if len(kinds) == 1 else ()
        return (*kind, *listed(shown), ": each " if len(shown) > 1 else " ")


def findings(plan: Plan, rules: Iterable[Rule]) -> list[Finding]:
    """The risks of a plan, the worst first, each once."""
    found: dict[tuple[Any, ...], list[Finding]] = {}
    by_rule = tuple(rules)
    for change in (*plan.changes, *plan.beside):
        for one in _of_change(Look(change, plan), by_rule):
            shape = tuple((repr(p.old), repr(p.new), p.path[-1:]) for p in one.because)
            found.setdefault((one.rule, one.what, shape), []).append(one)
    merged = [_merged(group) for group in found.values()]
    return sorted(merged, key=lambda one: WORST.index(one.risk))


def _of_change(look: Look, rules: Iterable[Rule]) -> Iterator[Finding]:
    change = look.change
    told: dict[Risk, list[tuple[Rule, tuple[Property, ...]]]] = {}
    for rule in rules:
        if change.operation not in rule.operations or not any(_matches(change.type, one) for one in rule.types):
            continue
        met = tuple(matching(change, rule)) if rule.path else ()
        if (rule.path and not met) or not rule.condition(look):
            continue
        if rule.is_general and any(_says_it(one, because, met) for one, because in told.get(rule.risk, ())):
            continue
        told.setdefault(rule.risk, []).append((rule, met))
        for because in [(one,) for one in met] if rule.each else [met]:
            yield _finding(look, rule, because)


def _says_it(rule: Rule, because: tuple[Property, ...], met: tuple[Property, ...]) -> bool:
    """Whether a rule has said what a general one would say again: it knows the type, or is about the same property."""
    return not rule.is_general or not because or not met or bool({one.path for one in because} & {p.path for p in met})


def _finding(look: Look, rule: Rule, because: tuple[Property, ...]) -> Finding:
    change = look.change
    values: dict[str, object] = {"name": change.name, **rule.facts(look, because)}
    if because:
        first = because[0]
        values = {"old": first.old, "new": first.new, "key": first.path[-1], "within": first.path[-2:][0], **values}
        values |= {
            "olds": listed([shown(one.old) for one in because]),
            "news": listed([shown(one.new) for one in because]),
        }
    uncertain = bool(because) and all(one.new is UNKNOWN for one in because)
    forcing = because or tuple(one for one in change.properties if one.replaces)
    return Finding(
        rule=rule.id,
        risk=rule.risk,
        changes=(change,),
        what=(*fill(rule.what, **values), *((_PERHAPS,) if uncertain else ())),
        because=forcing,
        reasons=() if forcing else change.reasons,
        instead=fill(rule.instead, **values),
        whole=rule.whole,
    )


def matching(change: Change, rule: Rule) -> Iterator[Property]:
    """The properties of a change that a rule is about."""
    patterns = [_steps(one) for one in ((rule.path,) if isinstance(rule.path, str) else rule.path)]
    given = sorted(change.properties, key=_tells_more)
    if change.operation in (Operation.CREATE, Operation.IMPORT):
        given = list(properties({}, change.new))
    for one in given:
        in_place = any(path_matches(one.path, pattern) for pattern in patterns)
        if rule.is_general and _NAMES_ONLY & set(one.path):
            continue  # `tier: backend` on an object is no size
        if in_place and rule.test(one.old, one.new) and rule.only(one):
            yield one


def _tells_more(found: Property) -> tuple[bool, bool]:
    """The order in which properties are named as the reason of something: what only follows from others comes last."""
    return found.derived, not any(step in _TELLING for step in found.path)


def _matches(text: str, pattern: str) -> bool:
    if pattern in ("*", text):
        return True
    return ("*" in pattern or "[" in pattern) and _compiled(pattern).match(text) is not None


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    # `fnmatch` keeps fewer patterns than there are rules, and would compile them anew each time.
    return re.compile(translate(pattern))


@cache
def _steps(pattern: str) -> list[str]:
    return [step.replace("~", " ") for step in pattern.split()]


def path_matches(path: tuple[str, ...], pattern: list[str]) -> bool:
    """Whether a path is of a pattern: step by step, `**` at the end or in the middle for any number of steps."""
    if "**" in pattern:
        index = pattern.index("**")
        before, after = pattern[:index], pattern[index + 1 :]
        if len(path) < len(before) + len(after):
            return False
        return path_matches(path[: len(before)], before) and path_matches(path[len(path) - len(after) :], after)
    return len(path) == len(pattern) and all(_matches(a, b) for a, b in zip(path, pattern, strict=True))


def _merged(group: Sequence[Finding]) -> Finding:
    return replace(group[0], changes=tuple(change for one in group for change in one.changes))


# Tests of the values of a property.


def smaller(old: Any, new: Any) -> bool:
    """A smaller amount than before; one that is gone is smaller than any."""
    return shrinks(old, None if new is ABSENT else new)


def larger(old: Any, new: Any) -> bool:
    """A larger amount than before."""
    before, after = quantity(old), quantity(new)
    return before is not None and after is not None and after > before


def removed(old: Any, new: Any) -> bool:
    """A value that is gone."""
    return old is not ABSENT and new is ABSENT


def added(old: Any, new: Any) -> bool:
    """A value where there was none."""
    return old is ABSENT and new is not ABSENT


def replaced(old: Any, new: Any) -> bool:
    """Another value in place of one."""
    return old is not ABSENT and new is not ABSENT


def becomes(*values: Any) -> Test:
    """The new value is one of these, and the old one was none of them."""
    return lambda old, new: any(new == one for one in values) and not any(old == one for one in values)


def leaves(*values: Any) -> Test:
    """The old value was one of these, and the new one is none of them."""
    return lambda old, new: any(old == one for one in values) and not any(new == one for one in values)


def may_be(*tests: Test) -> Test:
    """One of the tests is met."""
    return lambda old, new: any(test(old, new) for test in tests)


def is_unknown(_: Any, new: Any) -> bool:
    """The new value is known only during the update."""
    return new is UNKNOWN
