"""The components of a stack: which there are, what they are called, and where their settings stand."""

from dataclasses import dataclass
from typing import Any

from tierstack.core.section import Section
from tierstack.stack.derive import SettingsModel
from tierstack.stack.sections import SECTIONS


@dataclass(frozen=True, eq=False)
class Instance:
    """One component of a stack."""

    section: Section[Any]
    name: str
    """Its name in the program."""
    path: str
    """Where its settings stand: `app`."""
    settings: SettingsModel


def instances(settings: Any) -> list[Instance]:
    """Every component that the settings have a section for, in the order of the sections."""
    found: list[Instance] = []
    for section in SECTIONS:
        given: SettingsModel | None = getattr(settings, section.key)
        if given is not None:
            found.append(Instance(section, section.name, section.key, given))
    return found
