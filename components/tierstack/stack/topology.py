"""What a stack runs, as boxes and arrows: those of its components, each of which draws itself."""

from dataclasses import replace

from tierstack.core.section import Edge, Node, Surroundings
from tierstack.platform import PlatformKind
from tierstack.stack.instances import Instance, uses
from tierstack.stack.picture import Topology
from tierstack.stack.plan import Plan


def topology(plan: Plan) -> Topology:
    """The boxes of a stack's components, with the counts and sizes that its arguments give."""
    made = dict(plan.made())
    nodes: list[Node] = []
    edges: list[Edge] = []
    for one, args in made.items():
        if one.section.drawing:
            named = _name(one)
            drawn = one.section.drawing(args, _surroundings(plan, one))
            nodes += [replace(node, title=f"{named}: {node.title}") for node in drawn.nodes] if named else drawn.nodes
            edges += drawn.edges
    nodes.sort(key=lambda node: node.column)
    kind = "one Docker host" if plan.platform.kind is PlatformKind.DOCKER else "Kubernetes"
    return Topology(f"{plan.platform.name}: {plan.settings.tier.value} users on {kind}", tuple(nodes), tuple(edges))


def _surroundings(plan: Plan, of: Instance) -> Surroundings:
    def linked(link: str) -> list[str]:
        key, _, part = link.partition(".")
        return [_box(one, one.section.ends[part]) for one in _linked(plan, of, key)]

    hostnames = [one.hostnames[0] for one in plan.components.demands]
    return Surroundings(hostnames, lambda box: _box(of, box), linked)


def _linked(plan: Plan, of: Instance, key: str) -> list[Instance]:
    """The components of section `key` that `of` is given."""
    if of.per and of.per.section.key == key:
        return [of.per]
    if any(use.key == key for use in uses(of)):
        return list(dict.fromkeys(one for one in plan.components.used(of).values() if one.section.key == key))
    return plan.components.of(key)


def _box(of: Instance, box: str) -> str:
    """The id of a box."""
    named = _name(of)
    return f"{named}-{box}" if named else box


def _name(of: Instance) -> str | None:
    """By which the boxes of one of several components are told apart. None: there is one."""
    of = of.per or of
    return of.name if of.named else None
