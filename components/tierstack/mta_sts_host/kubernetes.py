"""MtaStsHost on Kubernetes: nginx that serves a ConfigMap, and the route to it."""

import pulumi

from tierstack.dns_records.mail.mta_sts.fetch import PATH
from tierstack.links import KubernetesGateway
from tierstack.mta_sts_host import server
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform.kubernetes import network, probes, routes, volumes, workload
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.config import config_map, name_of
from tierstack.platform.kubernetes.manifest import SKIP_AWAIT, Manifest
from tierstack.platform.kubernetes.plan import Planned, in_order
from tierstack.platform.kubernetes.quantities import resources
from tierstack.platform.kubernetes.services import service, service_port

_DRAIN_SECONDS = 5  # how long proxies may take to learn that a pod leaves
_HTTP = 80


def plan(name: str, args: MtaStsHostArgs, gateway: KubernetesGateway) -> list[Planned]:
    """Everything, each after all before it: the route comes last, when nginx answers."""
    config = config_map(name, server.files(args), labels(name))
    return in_order(
        {
            f"{name}-config": config,
            f"{name}-network": _network_policy(name, args, gateway),
            name: _deployment(name, args, name_of(config)),
            f"{name}-service": _service(name),
            f"{name}-route": _route(name, args, gateway),
        }
    )


def labels(name: str) -> dict[str, str]:
    """What selects the pods; never changes, because a Deployment's selector cannot."""
    return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "mta-sts"}


def _network_policy(name: str, args: MtaStsHostArgs, gateway: KubernetesGateway) -> Manifest:
    """In: the proxy only. Out: nothing."""
    rules = [network.ingress([network.namespace(gateway.proxy_namespace)], args.port)]
    return network.policy(name, labels(name), ingress=rules, egress=[], labels=labels(name))


def _deployment(name: str, args: MtaStsHostArgs, config: str) -> Manifest:
    uid, gid = (int(part) for part in args.user.split(":"))
    ask = probes.http(PATH, "http")
    nginx = workload.container(
        "nginx",
        args.image,
        server.command(args),
        resources(args.memory_mb, 0.01),
        [volumes.mount("config", server.CONFIG, read_only=True), volumes.mount("tmp", "/tmp")],
        ports=[workload.port("http", args.port)],
        lifecycle=probes.quit_after(f"sleep {_DRAIN_SECONDS}"),
        readinessProbe=probes.probe(ask, 5, timeout=3),
        livenessProbe=probes.probe(ask, 10, timeout=3, failures=6),
    )
    pod = workload.pod(
        labels(name),
        [nginx],
        security=workload.user(uid, gid),
        volumes=[volumes.config("config", config), volumes.memory("tmp", 8)],
        stop_seconds=30,
        **workload.NO_TOKEN,
    )
    return workload.deployment(
        name,
        labels(name),
        pod,
        strategy=workload.rolling(unavailable=0, surge=1),
        replicas=1,  # while it is away, senders go by the policy that they have kept (RFC 8461 §3.3)
        labels=labels(name),
        revisionHistoryLimit=2,
    )


def _service(name: str) -> Manifest:
    # Its endpoints come with the pods, which the Deployment waits for.
    ports = [service_port("http", _HTTP, "http")]
    return service(name, labels(name), ports, labels=labels(name), annotations=SKIP_AWAIT)


def _route(name: str, args: MtaStsHostArgs, gateway: KubernetesGateway) -> Manifest:
    rule = {"matches": routes.path(PATH, "Exact"), "backendRefs": [routes.backend(name, _HTTP, weight=1)]}
    return routes.http_route(
        name, gateway.name, gateway.section_name, [rule], hostnames=[args.hostname], labels=labels(name)
    )


def build(name: str, parent: pulumi.Resource, args: MtaStsHostArgs) -> pulumi.Output[bool]:
    """Register everything; true once the proxy has the route."""
    assert args.gateway.kubernetes  # the rules ask for it
    made = cluster(args.platform, parent).apply(parent, plan(name, args, args.gateway.kubernetes))
    return made[f"{name}-route"].urn.apply(lambda _: True)
