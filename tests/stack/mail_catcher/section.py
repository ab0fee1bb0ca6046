"""MailCatcher as a part of stacks."""

from tests.stack.mail_catcher.args import MailCatcherArgs
from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, ImageKey, Node, Presence, Section, Surroundings


def _drawing(args: MailCatcherArgs, around: Surroundings) -> Drawing:
    return Drawing([Node(around.box("mail"), "mail catcher", f"port {args.port}", "app", 2)])


SECTION = Section(
    key="mail_catcher",
    text="A mailbox for mail that must not leave.",
    args=MailCatcherArgs,
    component="tests.stack.mail_catcher:MailCatcher",
    name="mail",
    presence=Presence.OPTIONAL,
    images=(ImageKey(key="mailpit", text="Mailpit.", docker="image", kubernetes="image"),),
    reserved=lambda args: [Reserved(args.memory_mb)],
    needs=lambda _: ["external-secrets"],
    drawing=_drawing,
)
