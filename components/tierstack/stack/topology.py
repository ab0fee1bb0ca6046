"""What a stack runs, as boxes and arrows: those of its components, each of which draws itself."""

from tierstack.core.section import Edge, Node, Surroundings
from tierstack.platform import PlatformKind
from tierstack.stack.instances import Instance
from tierstack.stack.picture import Topology
from tierstack.stack.plan import Plan


def topology(plan: Plan) -> Topology:
    """The boxes of a stack's components, with the counts and sizes that its arguments give."""
    made = dict(plan.made())
    nodes: list[Node] = []
    edges: list[Edge] = []
    for one, args in made.items():
        if one.section.drawing:
            drawn = one.section.drawing(args, _surroundings(plan, one))
            nodes += drawn.nodes
            edges += drawn.edges
    nodes.sort(key=lambda node: node.column)
    kind = "one Docker host" if plan.platform.kind is PlatformKind.DOCKER else "Kubernetes"
    return Topology(f"{plan.platform.name}: {plan.settings.tier.value} users on {kind}", tuple(nodes), tuple(edges))


def _surroundings(plan: Plan, of: Instance) -> Surroundings:
    def linked(link: str) -> list[str]:
        key, _, part = link.partition(".")
        return [one.section.ends[part] for one in plan.components.of(key)]

    return Surroundings(plan.components.demands.hostnames, lambda box: box, linked)
