"""The parts of a stack, found in its state: containers, workloads of clusters, and the public address."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from tierstack.engine.health import Health, Part, address_part, container_part, may_change, workload_part
from tierstack.engine.interrupted import Object, object_of, provider_inputs
from tierstack.engine.project import StackConfig, UnreachableError, UsageError
from tierstack.engine.resume import UnansweredError, kubectl
from tierstack.engine.run import Engine
from tierstack.platform import Platform, claim
from tierstack.platform.daemon import client

_KINDS = {
    "Deployment": "deployments.apps",
    "StatefulSet": "statefulsets.apps",
    "Job": "jobs.batch",
    "Cluster": "clusters.postgresql.cnpg.io",
    "Certificate": "certificates.cert-manager.io",
}
"""Kinds of Kubernetes objects that report their health."""
_CONTAINER = "docker:index/container:Container"
_DOCKER_SECONDS, _KUBERNETES_SECONDS = 60, 180
"""How long an update waits for what its own checks have not waited for. On a cluster that is what an autoscaler adds at
once: its pods may need a node, a volume and an image first."""

Resources = Sequence[Mapping[str, Any]]


def parts_of(held: Resources, outputs: Mapping[str, Any], platform: Platform | None, config: StackConfig) -> list[Part]:
    """Every part as it is now. Raises UnreachableError where it cannot be asked.

    `held`, `outputs`: the state. `platform`: that of the exported stack, whose namespace is the stack's own. None: of a
    namespace that the state does not have, only the objects of the state are parts.
    """
    present = [one for one in held if not one.get("delete")]
    providers = provider_inputs(present)
    parts = _containers(present, providers, platform) + _workloads(present, providers, platform)
    if is_rendered(held):
        return parts  # nobody answers at its address before something applies the files
    ca = outputs.get("ca")
    pem = ca if isinstance(ca, str) and ca.startswith("-----BEGIN ") else None
    return parts + [address_part(url, path, pem) for url, path in addresses(outputs, config).items()]


def addresses(outputs: Mapping[str, Any], config: StackConfig) -> dict[str, str | None]:
    """The public addresses of a stack, each with the page that says most about its application; None for no page.

    That of its one application is the output `url`; those of several are in `urls`, by their names.
    """
    several: Any = outputs.get("urls")
    if "url" in outputs or not isinstance(several, dict):
        found = {outputs.get("url"): _path(config.values.get("app"))}
    else:
        apps: Any = config.values.get("apps")
        given = cast(dict[str, Any], apps) if isinstance(apps, dict) else {}
        found = {url: _path(given.get(name)) for name, url in cast(dict[str, Any], several).items()}
    return {
        url: path for url, path in found.items() if isinstance(url, str) and url.startswith(("https://", "http://"))
    }


def after_update(pulumi: Engine, platform: Platform | None, config: StackConfig) -> list[Part]:
    """The parts some time after an update: what has just been started may need a moment.

    Where nobody answers any more that is one unhealthy part: what the update changed is still to be told.
    """
    held, outputs = pulumi.resources(), pulumi.outputs()
    on_cluster = bool(_objects(held, provider_inputs(held)))
    seconds = _KUBERNETES_SECONDS if on_cluster else _DOCKER_SECONDS if is_on_docker(held) else 0
    try:
        return waited(lambda: parts_of(held, outputs, platform, config), seconds)
    except UsageError as error:
        return [Part("stack", Health.UNHEALTHY, None, f"could not be asked: {error}")]


def waited(look: Callable[[], list[Part]], seconds: float) -> list[Part]:
    """The parts once none is starting and the public address answers, or as they are after `seconds`."""
    deadline = time.monotonic() + seconds
    while may_change(parts := look()) and time.monotonic() < deadline:
        time.sleep(1)
    return parts


def is_on_docker(held: Resources) -> bool:
    """Whether a stack has anything on a Docker host: what was changed there by hand is seen only by a refresh."""
    return any(str(one["type"]).startswith("docker:") for one in held)


def is_rendered(held: Resources) -> bool:
    """Whether all that the state holds of Kubernetes was written to files, and nothing of it is on a Docker host."""
    present = [one for one in held if not one.get("delete")]
    made = any(object_of(one) for one in present)
    return made and not _objects(present, provider_inputs(present)) and not is_on_docker(present)


def _containers(held: Resources, providers: Mapping[str, Mapping[str, Any]], platform: Platform | None) -> list[Part]:
    from docker.errors import DockerException

    wanted: dict[str | None, dict[str, str]] = {}
    for one in held:
        if one["type"] == _CONTAINER:
            provider = providers.get(str(one.get("provider")), {})
            host = provider.get("host") or (platform.docker_host if platform else None)
            shown = cast(dict[str, Any], one.get("outputs") or one.get("inputs") or {})
            wanted.setdefault(host, {})[str(one["id"])] = str(shown.get("name"))
    parts: list[Part] = []
    for host, names in wanted.items():
        try:
            there = {one.id: one.attrs for one in client(host).containers.list(all=True, ignore_removed=True)}
        except DockerException as error:
            raise UnreachableError(claim.unanswered(host, str(error))) from None
        parts += [container_part(name, there.get(id_)) for id_, name in sorted(names.items(), key=lambda one: one[1])]
    return parts


def _objects(held: Resources, providers: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str | None, str], set[Object]]:
    """The live Kubernetes objects of a state, by context and namespace; namespaces and the like below `""`."""
    found: dict[tuple[str | None, str], set[Object]] = {}
    for one in held:
        provider = providers.get(str(one.get("provider")), {})
        made = object_of(one)
        if made and "renderYamlToDirectory" not in provider:
            namespace = made.namespace or str(provider.get("namespace") or "")
            found.setdefault((provider.get("context"), namespace), set()).add(made)
    return found


def _workloads(held: Resources, providers: Mapping[str, Mapping[str, Any]], platform: Platform | None) -> list[Part]:
    found = _objects(held, providers)
    own = {(context, one.name) for (context, _), objects in found.items() for one in objects if one.kind == "Namespace"}
    if platform:
        own |= {(context, namespace) for context, namespace in found if namespace == platform.name}
    parts: list[Part] = []
    for (context, namespace), objects in sorted(found.items(), key=lambda one: (one[0][0] or "", one[0][1])):
        names = {(one.kind, one.name) for one in objects}
        whole = (context, namespace) in own
        kinds = [query for kind, query in _KINDS.items() if whole or any(kind == one for one, _ in names)]
        for one in _asked(context, namespace, kinds):
            is_part = whole or (one["kind"], one["metadata"]["name"]) in names
            if is_part and (part := workload_part(one)):
                parts.append(part)
    return parts


def _asked(context: str | None, namespace: str, kinds: Sequence[str]) -> list[dict[str, Any]]:
    provider = {"context": context} if context else {}
    where = ["-n", namespace] if namespace else []
    try:
        answers = [kubectl(provider, "get", kind, *where, "-o", "json") for kind in kinds]
    except UnansweredError as error:
        raise UnreachableError(f"the cluster does not answer: {error}") from None
    return [one for said in answers if said.strip() for one in cast(list[dict[str, Any]], json.loads(said)["items"])]


def _path(app: object) -> str | None:
    """The page that says most about an application, of those that its settings name; None for none."""
    inside: Any = app
    for key in ("health", "readiness_path"):
        inside = cast(dict[str, Any], inside).get(key) if isinstance(inside, Mapping) else None
    return str(inside) if inside else None
