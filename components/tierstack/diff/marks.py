"""What stands for a value that a plan does not show."""

from typing import Final


class Mark:
    """A value that is no value: compared by identity, shown as its text."""

    def __init__(self, text: str, name: str = "") -> None:
        self._text, self._name = text, name or text

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return self._name

    def __deepcopy__(self, _memo: object) -> "Mark":
        return self


ABSENT: Final = Mark("(not set)")
"""There is no value."""
SECRET: Final = Mark("[secret]")
"""A secret: never shown, on neither side."""
FORMER: Final = Mark("[secret]", "[secret, before]")
"""The same on the old side, where it is, or may be, another one than on the new side."""
EXPOSED: Final = Mark("[secret, no longer marked]")
"""On the new side: what was a secret, and is given without that mark. It is still not shown."""
UNKNOWN: Final = Mark("(known after the update)")
"""It depends on what the update makes."""


def is_secret(value: object) -> bool:
    """Whether a value is one that is never shown."""
    return value is SECRET or value is FORMER or value is EXPOSED
