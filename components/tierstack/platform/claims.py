"""What only one component of a program can have: a port of a host, a hostname behind a Gateway (pure)."""

from dataclasses import dataclass

from tierstack.core.errors import Diagnostic

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - addresses to compare with, nothing listens


@dataclass(frozen=True)
class Claim:
    """One thing that a component needs for itself."""

    what: tuple[str, ...]
    """What it is: two claims of the same thing clash."""
    problem: Diagnostic
    """What a later component that claims it is told; `{owner}` in `wrong` becomes the component that has it."""
    address: str = ""
    """For a port, the address that it is bound to: two claims clash where the addresses are the same, or one of them is
    every address."""

    def clashes(self, other: "Claim") -> bool:
        """Whether only one of the two can be had."""
        addresses = {self.address, other.address}
        return self.what == other.what and (len(addresses) == 1 or bool(addresses & set(_EVERY_ADDRESS)))
