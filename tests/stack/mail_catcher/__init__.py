"""MailCatcher: the smallest component, as a stack sees one. Only tests have it."""

import pulumi

from tests.stack.mail_catcher.args import MailCatcherArgs
from tierstack.platform.component import Component


class MailCatcher(Component):
    """A mailbox for mail that must not leave."""

    address: pulumi.Output[str]
    """Where it answers."""

    def __init__(self, name: str, args: MailCatcherArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        args = self.begin(name, args, MailCatcherArgs, opts)
        self.finish({"address": f"{name}:{args.port}"})
