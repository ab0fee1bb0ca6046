"""From configuration to components: settings, wiring, the rules between components, capacity, picture, reference."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tierstack.stack.protocol import CheckReport, Configuration

__all__ = ["Stack"]


class Stack:
    """The stack that the settings in a project's `Pulumi.<stack>.yaml` describe (docs/configuration.md).

    A program binds it to the name `stack`, so that the `tierstack` command finds it (`tierstack.stack.protocol`).
    """

    def check(self, configuration: "Configuration") -> "CheckReport":
        """What can be said of a configuration without an engine. Registers nothing and raises nothing."""
        from tierstack.stack import clashes
        from tierstack.stack.check import judge

        return judge(
            configuration.values,
            configuration.secret_keys,
            configuration.stack,
            configuration.project,
            configuration.root,
            other_keys=configuration.other_keys,
            written=configuration.written,
            before=lambda: configuration.before,
            shared_names=clashes.problems,
        )

    def build(self) -> None:
        """Make the components that the configuration of the running program describes.

        Raises pulumi.RunError with every problem, before anything is registered.
        """
        from tierstack.stack.program import program  # imports the components, which a check does not need

        program()
