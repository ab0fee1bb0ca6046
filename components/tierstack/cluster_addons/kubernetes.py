"""ClusterAddons on Kubernetes: the prepared manifests, each after what it needs."""

import itertools

import pulumi

from tierstack.cluster_addons import manifests, traefik
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.catalog import CATALOG, Addon
from tierstack.cluster_addons.sources import Fetch, read
from tierstack.platform.kubernetes.cluster import Cluster, Object, cluster
from tierstack.platform.kubernetes.manifest import Manifest

TIMEOUT = "10m"


def documents(addon: Addon, args: ClusterAddonsArgs, fetch: Fetch | None = None) -> list[Manifest]:
    """What is installed for one addon, in the order of installing. Raises OSError or ValueError for unusable files."""
    found = manifests.parsed(read(addon, args.manifests, args.checksums or {}, fetch))
    if addon is Addon.TRAEFIK:
        found += traefik.manifests(args)
    return manifests.prepared(
        found,
        CATALOG[addon],
        images=args.images or {},
        replicas=args.replicas,
        lease_seconds=args.lease_seconds,
        labels={**args.platform.labels, "tierstack.dev/addon": addon.value},
        gateway_api=args.has_gateway_api,
        crds_only=args.bare(addon),
    )


def everything(args: ClusterAddonsArgs, fetch: Fetch | None = None) -> dict[Addon, list[Manifest]]:
    """The documents of all addons: read before anything is registered, so that a missing file changes nothing."""
    return {addon: documents(addon, args, fetch) for addon in args.chosen()}


def build(
    name: str, parent: pulumi.Resource, args: ClusterAddonsArgs, given: dict[Addon, list[Manifest]]
) -> dict[Addon, list[Object]]:
    """Register everything: within an addon by rank, an addon after those it needs."""
    on = cluster(args.platform, parent)
    made: dict[Addon, list[Object]] = {}
    for addon, found in given.items():
        before: list[pulumi.Resource] = [one for need in CATALOG[addon].needs for one in made.get(need, [])]
        made[addon] = []
        for _, stage in itertools.groupby(found, manifests.rank):
            objects = [_register(on, name, parent, addon, manifest, before) for manifest in stage]
            made[addon] += objects
            before = list(objects)
    return made


def _register(
    on: Cluster, name: str, parent: pulumi.Resource, addon: Addon, manifest: Manifest, before: list[pulumi.Resource]
) -> Object:
    # Deleting a resource definition deletes every object of it, and with a database cluster its volumes.
    data = manifest["kind"] == manifests.CRD
    return on.register_raw(
        resource_name(name, addon, manifest), parent, manifest, data=data, depends_on=before, timeout=TIMEOUT
    )


def resource_name(name: str, addon: Addon, manifest: Manifest) -> str:
    """Logical name of one object: unique, and the same as long as the vendor keeps the object's name."""
    metadata = manifest["metadata"]
    namespace = metadata.get("namespace")
    elsewhere = f"{namespace}-" if namespace not in (None, CATALOG[addon].namespace) else ""
    plain = str(metadata["name"]).replace(":", "-")
    return f"{name}-{addon.value}-{elsewhere}{manifest['kind'].lower()}-{plain}"
