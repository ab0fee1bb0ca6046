"""What a MailCatcher takes."""

from dataclasses import dataclass, field

import pulumi

from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic
from tierstack.core.keys import within
from tierstack.platform import Platform


@dataclass(kw_only=True)
class MailboxArgs:
    """One mailbox."""

    password: pulumi.Input[str] = field(metadata={"secret": True})
    """What opens it."""


@dataclass(kw_only=True)
class MailCatcherArgs:
    """A mailbox for mail that must not leave."""

    platform: Platform
    """Where it runs."""
    image: pulumi.Input[str]
    """Its image, by digest."""
    port: int = field(default=1025, metadata=within(1024, 65535))
    """Port for SMTP."""
    memory_mb: int = 48
    """Hard limit in MiB."""
    mailboxes: list[MailboxArgs] | None = None
    """Its mailboxes. None: one for everybody."""

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        return [
            *bound_problems(self),
            *([Diagnostic("image", self.image, "is refused", "write another")] if self.image == "wrong" else []),
        ]
