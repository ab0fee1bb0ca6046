"""What a stack needs in a cluster that others keep (pure): what is missing there, and how it gets there."""

from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum

from tierstack.cluster_addons.catalog import CATALOG, Addon
from tierstack.core.errors import Diagnostic, declare

PAGE = "docs/components/cluster-addons.md"

declare("operator-missing", "The cluster must have the operators that a stack needs.")
declare("gateway-class-missing", "The cluster must have the GatewayClass that a Gateway names.")


class AddonsMode(Enum):
    """Who installs the operators that a stack needs."""

    EXISTING = "existing"
    """Somebody else, before: another stack, a platform team. `tierstack up` looks whether they are there."""
    INSTALL = "install"
    """This stack. One stack of a cluster may, because the operators are the whole cluster's."""


@dataclass(frozen=True)
class Needs:
    """What a stack needs in its cluster."""

    addons: tuple[Addon, ...]
    gateway_class: str | None = None
    """GatewayClass that its Gateway names; None: it has no Gateway."""


def missing(needs: Needs, crds: Collection[str], gateway_classes: Collection[str]) -> list[Diagnostic]:
    """One problem for each addon that is not in the cluster, by the names of what the cluster has."""
    found: list[Diagnostic] = []
    instead = (
        f"install it: a stack of the operators alone ({PAGE}), `addons.mode: install` in this stack, "
        "or the vendor's manifest"
    )
    for addon in needs.addons:
        if absent := [name for name in CATALOG[addon].crds if name not in crds]:
            wrong = f"{addon.value} {CATALOG[addon].version} is not in the cluster (no {', '.join(absent)})"
            found.append(Diagnostic("addons.mode", AddonsMode.EXISTING.value, wrong, instead, "operator-missing"))
    wanted = needs.gateway_class
    if wanted is not None and wanted not in gateway_classes and "gatewayclasses.gateway.networking.k8s.io" in crds:
        has = f"it has {', '.join(sorted(gateway_classes))}" if gateway_classes else "it has none"
        found.append(
            Diagnostic(
                "gateway.gateway_class",
                wanted,
                f"is not a GatewayClass of the cluster; {has}",
                f"write one that it has, or install {Addon.TRAEFIK.value} ({PAGE})",
                "gateway-class-missing",
            )
        )
    return found
