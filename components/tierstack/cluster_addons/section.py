"""ClusterAddons as a part of stacks."""

from dataclasses import dataclass

from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.required import AddonsMode
from tierstack.core.section import Section


@dataclass(kw_only=True)
class AddonKeys:
    """Keys that a stack has beside the arguments."""

    mode: AddonsMode = AddonsMode.EXISTING
    """`existing`: the cluster has them, and `tierstack up` looks whether it does; `install`: this stack installs them,
    for the whole cluster. Everything below is for `install`."""


SECTION = Section(
    key="addons",
    text="Kubernetes: the operators that the stack needs.",
    args=ClusterAddonsArgs,
    component="tierstack.cluster_addons:ClusterAddons",
    name="addons",
    own=AddonKeys,
    only="kubernetes",
)
