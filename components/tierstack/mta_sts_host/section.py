"""MtaStsHost as a part of stacks."""

from dataclasses import dataclass

from tierstack.core.memory import Reserved
from tierstack.core.section import Drawing, Edge, Node, Section, Surroundings
from tierstack.mta_sts_host.args import MtaStsHostArgs


@dataclass(kw_only=True)
class MtaStsKeys:
    """Keys that a stack has beside the arguments."""

    served_here: bool = True
    """Whether this stack serves the policy. false: another host does, and `dns.web` names `mta-sts`."""


def _drawing(args: MtaStsHostArgs, around: Surroundings) -> Drawing:
    box = around.box("mta-sts")
    edges = [Edge(front, box) for front in around.linked("gateway")]
    return Drawing([Node(box, "MTA-STS policy", args.hostname, "app", 2)], edges)


SECTION = Section(
    key="mta_sts",
    text="The host of the MTA-STS policy, made where `dns.mail.mta_sts` is given.",
    args=MtaStsHostArgs,
    component="tierstack.mta_sts_host:MtaStsHost",
    name="mta-sts",
    wired=("gateway", "domain", "policy", "image"),
    given_by={"domain": "dns.domain", "policy": "dns.mail.mta_sts", "image": "images.nginx"},
    own=MtaStsKeys,
    link="url",
    reserved=lambda args: [Reserved(args.memory_mb)],
    drawing=_drawing,
)
