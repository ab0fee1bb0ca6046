"""AppCluster on Kubernetes: what it registers, in which order. The manifests themselves are in `manifests.py`."""

import pulumi

from tierstack.app_cluster import manifests
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.docker import Built
from tierstack.app_cluster.pods import DATABASE_WAIT_SECONDS
from tierstack.links import SecretRef
from tierstack.platform.kubernetes.cluster import Object, cluster
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.revision import combined


def build(name: str, parent: pulumi.Resource, args: AppClusterArgs) -> Built:
    """Register everything."""
    on = cluster(args.platform, parent)
    given = on.given_secret(f"{name}-secrets", parent, args.secrets) if args.secrets else {}
    secrets = _secret_names(args, given)
    app = manifests.App(name, args, secrets, combined(secrets.values()))
    base = [on.object(one["metadata"]["name"], parent, one) for one in (app.service_account(), *app.config_maps())]
    if claim := app.uploads_claim():
        # In the step of the first pod that mounts it.
        first = Step.MIGRATION if args.migration else Step.APP
        base.append(on.object(claim["metadata"]["name"], parent, claim, data=True, step=first))
    base.append(on.object(f"{name}-network", parent, app.network_policy()))

    migrated = list(base)
    if args.migration and (job := app.migration()):
        timeout = f"{args.migration.timeout_seconds + DATABASE_WAIT_SECONDS + 60}s"
        migrated.append(
            on.object(f"{name}-migrate", parent, job, step=Step.MIGRATION, depends_on=base, timeout=timeout)
        )
    web = [on.object(name, parent, app.web(), depends_on=migrated)]
    for one in (app.service(), *app.scaling()):
        # Kinds may share a name on Kubernetes; logical names of the engine tell them apart.
        kind = one["kind"].lower()
        web.append(on.object(f"{one['metadata']['name']}-{_SHORT.get(kind, kind)}", parent, one))
    route: list[Object] = [on.object(one["metadata"]["name"], parent, one) for one in app.middlewares()]
    routed = on.object(f"{name}-route", parent, app.route(), depends_on=[*route, *web])
    # A release that does not get ready takes no job: the old one keeps its workers and its scheduler.
    for one in app.background():
        on.object(one["metadata"]["name"], parent, one, depends_on=[routed])
    return Built(app.release, routed.urn.apply(lambda _: True))


_SHORT = {"horizontalpodautoscaler": "autoscaler", "scaledobject": "autoscaler", "poddisruptionbudget": "budget"}


def _secret_names(args: AppClusterArgs, given: dict[str, SecretRef]) -> dict[str, SecretRef]:
    """The Secret behind each secret variable."""
    return dict(sorted((given | {one.password: one.secret for one in connected(args)}).items()))
