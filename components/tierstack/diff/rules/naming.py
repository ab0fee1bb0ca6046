"""Rules about what a thing is called in the program, and what in the cluster or on the host."""

from collections.abc import Mapping, Sequence

from tierstack.diff.likeness import identity
from tierstack.diff.model import Change, Operation, Property
from tierstack.diff.risk import Look, Risk, Rule, no_facts, replaced
from tierstack.diff.rules.data import DATABASE, GOES


def _made_as_the_same_object(look: Look) -> Change | None:
    """What the plan creates under the name in the cluster of what goes. The engine creates before it deletes."""
    made = (one for one in look.plan.changes if one.operation is Operation.CREATE and one.type == look.change.type)
    same = (one for one in made if identity(one) == identity(look.change) and one.name != look.change.name)
    return next(same, None)


def _maker(look: Look, because: Sequence[Property]) -> Mapping[str, object]:
    other = _made_as_the_same_object(look)
    return {"other": other.name} if other else no_facts(look, because)


RULES = (
    Rule(
        id="same-object-deleted",
        risk=Risk.DOWNTIME,
        types=("kubernetes:*",),
        operations=GOES,
        # https://github.com/pulumi/pulumi-kubernetes/issues/2948; a GitOps tool sees one file that changes.
        condition=lambda look: not look.plan.files and _made_as_the_same_object(look) is not None,
        facts=_maker,
        what="is deleted after {other} was made as the same object of the cluster: it is gone until the next update",
        instead="Give the new one an alias (`aliases`) with its name before.",
    ),
    Rule(
        id="database-renamed",
        risk=Risk.DOWNTIME,
        types=DATABASE,
        path=("spec bootstrap initdb database", "spec bootstrap initdb owner"),
        test=replaced,
        # CloudNativePG: `bootstrap.initdb` is read when the cluster is made, and never again.
        what="keeps the {key} {old}: {new} is not made in a server that exists, and applications look for it",
        instead="Keep the name. To rename it: rename it in the server first, while no application runs.",
    ),
    Rule(
        id="remote-image-moves",
        risk=Risk.INFORMATION,
        types=("docker:index/remoteImage:RemoteImage",),
        path="name",
        test=replaced,
        # https://github.com/pulumi/pulumi-docker/issues/293
        what="is another image: containers that use it are replaced during the update, and no plan says so",
        instead="",
    ),
)
