"""The components of a stack: which there are, what they are called, where their settings stand, and which one uses
which. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tierstack.core.errors import MISSING, Diagnostic, declare, nearest, rule
from tierstack.core.section import Section
from tierstack.platform import name_problems
from tierstack.stack.derive import Settings
from tierstack.stack.sections import SECTIONS

NONE = "none"
"""What a component says that uses none of several."""
declare(
    "unknown-name",
    "A component that another names must exist.",
    wrong="app: {database: order}, databases: {orders: {}}",
    right="app: {database: orders}, databases: {orders: {}}",
)
_WITH_LETTER = re.compile(r"[a-z].*")


@dataclass(frozen=True, eq=False)
class Instance:
    """One component of a stack."""

    section: Section[Any]
    name: str
    """Its name in the program."""
    path: str
    """Where its settings stand: `app`, or `apps.shop`."""
    settings: Settings
    named: bool = False
    """Whether it is one of several, and its name was chosen."""
    per: "Instance | None" = None
    """The component that it is there for. None: for the stack."""

    @property
    def subject(self) -> str:
        """How errors of a program name it: `RedisCluster "queue"`."""
        return f'{self.section.component.rpartition(":")[2]} "{self.name}"'


def instances(settings: Any) -> list[Instance]:
    """Every component that the settings have a section for, in the order of the sections."""
    found: list[Instance] = []
    for section in SECTIONS:
        many = cast(Mapping[str, Settings] | None, getattr(settings, section.several) if section.several else None)
        given: Settings | None = getattr(settings, section.key)
        if many is not None:
            found += [Instance(section, name, f"{section.several}.{name}", one, True) for name, one in many.items()]
        elif given is not None and section.per:
            found += [_one_for(section, given, one) for one in found if one.section.key == section.per]
        elif given is not None:
            found.append(Instance(section, section.name, section.key, given))
    return found


def _one_for(section: Section[Any], settings: Settings, of: Instance) -> Instance:
    """The component that is there for `of`. One that is there for the only one has the same name as if it had been
    there for one of several, so that several can come later."""
    name = section.name if of.name == of.section.name else f"{of.name}-{section.name}"
    return Instance(section, name, section.key, settings, per=of)


@rule("component-name", "Names of components must begin with a letter, and differ from each other.")
def name_problems_of(all_of_them: Sequence[Instance]) -> list[Diagnostic]:
    """What is wrong with the names that the settings give to components, of which names of resources are made."""
    found: list[Diagnostic] = []
    taken: dict[str, str] = {}
    for one in sorted(all_of_them, key=lambda one: one.named):
        if one.named:
            wrong = name_problems(one.path, one.name, one.section.longest_name)
            if not wrong and not _WITH_LETTER.fullmatch(one.name):
                wrong = [Diagnostic(one.path, MISSING, "does not start with a letter", "write a name such as `shop`")]
            if not wrong and one.name == NONE:
                wrong = [Diagnostic(one.path, MISSING, "is the word for using none of them", "write another name")]
            if not wrong and one.name in taken:
                message = f"is also the name of {taken[one.name]}, and names of resources are made of it"
                wrong = [Diagnostic(one.path, MISSING, message, "write another name for one of the two")]
            found += wrong
        taken.setdefault(one.name, f"`{one.path}`")
    return found


@dataclass(frozen=True)
class Use:
    """What an application says of another component that it uses."""

    path: str
    """Where it says so, within its settings: `database`, `more_redis.cache`."""
    key: str
    """The section of the other component."""
    name: str | None
    """The other component's name. None: it does not say."""


def uses(of: Instance) -> list[Use]:
    """What an application says of each component that it uses. Other components say nothing."""
    if of.section.key != "app":
        return []
    given: Any = of.settings
    more = cast(Mapping[str, str], given.more_redis or {})
    return [
        Use("database", "database", given.database),
        Use("redis", "redis", given.redis),
        *(Use(f"more_redis.{name}", "redis", redis) for name, redis in more.items()),
    ]


def used(all_of_them: Sequence[Instance], of: Instance) -> dict[str, Instance]:
    """The components that `of` uses, by where it says so. Where it names none that there is, the first."""
    found: dict[str, Instance] = {}
    for use in uses(of):
        there = [one for one in all_of_them if one.section.key == use.key]
        if there and use.name != NONE:
            found[use.path] = next((one for one in there if one.name == use.name), there[0])
    return found


def use_problems(all_of_them: Sequence[Instance], of: Instance) -> list[Diagnostic]:
    """What is wrong with what `of` says of the components that it uses."""
    return [problem for use in uses(of) for problem in _use_problems(all_of_them, of, use)]


def _use_problems(all_of_them: Sequence[Instance], of: Instance, use: Use) -> list[Diagnostic]:
    names = [one.name for one in all_of_them if one.section.key == use.key]
    several = next(one.several for one in SECTIONS if one.key == use.key)
    path, choices = f"{of.path}.{use.path}", ", ".join(f"`{one}`" for one in names)
    if use.name is None:
        if len(names) < 2:
            return []
        wrong = f"is required, because `{several}` has {len(names)}"
        return [Diagnostic(path, MISSING, wrong, f"write one of {choices}", "missing-key")]
    if use.name in names or (use.name == NONE and use.path == use.key):
        return []
    guess = nearest(use.name, names)
    instead = f"did you mean `{guess}`?" if guess else f"write one of {choices}" if names else "leave it out"
    return [Diagnostic(path, use.name, f"is not a name in `{several}`", instead, "unknown-name")]
