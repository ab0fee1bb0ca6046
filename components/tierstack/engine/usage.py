"""How a verb ends that cannot be carried out: one error, without a traceback."""


class UsageError(Exception):
    """The command cannot be carried out as it was given: one message for each thing that is wrong."""

    code = 2
    """Exit code."""

    @property
    def messages(self) -> list[str]:
        """What is wrong, each on its own."""
        return [str(one) for one in self.args]

    def __str__(self) -> str:
        return "\n".join(self.messages)


class ConfigurationError(UsageError):
    """A file of the project cannot be read as a configuration."""

    code = 1


class UnreachableError(UsageError):
    """What the stack runs on, or its backend, does not answer."""

    code = 1


class LockedError(UsageError):
    """Another run holds the stack."""

    code = 1
