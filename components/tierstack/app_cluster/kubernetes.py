"""AppCluster on Kubernetes: what it registers, in which order. The manifests themselves are in `manifests.py`."""

from collections.abc import Sequence

import pulumi

from tierstack.app_cluster import manifests
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.docker import Built
from tierstack.app_cluster.pods import DATABASE_WAIT_SECONDS
from tierstack.app_cluster.release import Release
from tierstack.app_cluster.release_options import ALONE, TrafficArgs
from tierstack.links import SecretRef
from tierstack.platform.kubernetes.cluster import Object, cluster
from tierstack.platform.kubernetes.config import name_of
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.revision import combined


def build(
    name: str,
    parent: pulumi.Resource,
    app: Application,
    releases: Sequence[Release],
    asked: TrafficArgs = ALONE,
) -> Built:
    """Register everything: what the releases share, the web pods of each, and the rest of the current one. `asked`:
    what the proxy does for the last of the releases, beside the weights, and whether that is the release of the
    arguments: its migration runs, before it is current or not."""
    on = cluster(app.platform, parent)
    given = on.given_secret(f"{name}-secrets", parent, app.secrets) if app.secrets else {}
    secrets = _secret_names(app, given)
    made = manifests.App(name, app, releases, secrets, combined(secrets.values()))
    current = made.current
    migrating = made.releases[-1] if asked.makes_own else None
    migration = migrating.release.migration if migrating else None
    base = [on.object(name_of(one), parent, one) for one in (made.service_account(), *made.config_maps())]
    if claim := made.uploads_claim():
        # In the step of the first pod that mounts it.
        first = Step.MIGRATION if migration else Step.APP
        base.append(on.object(name_of(claim), parent, claim, data=True, step=first))
    base.append(on.object(f"{name}-network", parent, made.network_policy()))

    migrated = list(base)
    if migrating and migration and (job := migrating.migration()):
        timeout = f"{migration.timeout_seconds + DATABASE_WAIT_SECONDS + 60}s"
        migrated.append(
            on.object(f"{name}-migrate", parent, job, step=Step.MIGRATION, depends_on=base, timeout=timeout)
        )
    web: list[Object] = []
    for release in made.releases:
        web.append(on.object(release.web_name, parent, release.web(), depends_on=migrated))
        around = (release.service(), *release.web_scaling())
        web += [on.object(_logical_name(one), parent, one) for one in around]
    web += [on.object(_logical_name(one), parent, one) for one in current.role_scaling()]
    route: list[Object] = [on.object(name_of(one), parent, one) for one in made.middlewares()]
    *wildcards, names = made.routes()
    # A wildcard that moves out of the route of the names is served by its own before.
    others = [on.object(f"{name_of(one)}-route", parent, one, depends_on=[*route, *web]) for one in wildcards]
    routed = on.object(f"{name}-route", parent, names, depends_on=[*route, *web, *others])
    # A release that does not get ready takes no job: the old one keeps its workers and its scheduler.
    for one in current.background():
        on.object(name_of(one), parent, one, depends_on=[routed])
    return Built(current.release_name, routed.urn.apply(lambda _: True))


def _logical_name(made: Manifest) -> str:
    """Kinds may share a name on Kubernetes; logical names of the engine tell them apart."""
    kind = made["kind"].lower()
    return f"{name_of(made)}-{_SHORT.get(kind, kind)}"


_SHORT = {"horizontalpodautoscaler": "autoscaler", "scaledobject": "autoscaler", "poddisruptionbudget": "budget"}


def _secret_names(app: Application, given: dict[str, SecretRef]) -> dict[str, SecretRef]:
    """The Secret behind each secret variable."""
    return dict(sorted((given | {one.password: one.secret for one in connected(app)}).items()))
