"""Traefik as controller of the Gateway API (pure): its objects, which are ours because the vendor has only a chart."""

from collections.abc import Iterator
from typing import cast

from tierstack.cluster_addons.args import ClusterAddonsArgs, ServiceType
from tierstack.cluster_addons.catalog import TRAEFIK_IMAGE
from tierstack.cluster_addons.tuning import tolerations
from tierstack.platform.kubernetes import placement, probes, workload
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.operators import TRAEFIK as NAMESPACE
from tierstack.platform.kubernetes.quantities import resources
from tierstack.platform.kubernetes.routes import GATEWAY_API
from tierstack.platform.kubernetes.services import service, service_port
from tierstack.platform.proxy import TRAEFIK_CLASS, traefik
from tierstack.platform.proxy.sizing import runtime

NAME = "traefik"
CONTROLLER = "traefik.io/gateway-controller"
INTERNAL = traefik.INTERNAL
LEAVE_SECONDS = 15
"""How long Traefik goes on accepting after it was told to stop: until every load balancer knows that it leaves, and
every client that keeps its connection has been told to open another."""
KEEP_SECONDS = 10
"""How long a connection is kept: its next response then says `Connection: close`. Shorter than LEAVE_SECONDS, so that
no request is sent into a connection that is being closed (RFC 9112 section 9.5); it costs a handshake every 10 s."""
_LABELS = {"app.kubernetes.io/name": NAME}
_META = {"name": NAME, "namespace": NAMESPACE}
_USER = 65532
_GATEWAY = ("gatewayclasses", "gateways", "httproutes", "grpcroutes", "tcproutes", "tlsroutes", "referencegrants")
_CRDS = (
    "ingressroutes",
    "ingressroutetcps",
    "ingressrouteudps",
    "middlewares",
    "middlewaretcps",
    "serverstransports",
    "serverstransporttcps",
    "tlsoptions",
    "tlsstores",
    "traefikservices",
)


def manifests(args: ClusterAddonsArgs) -> list[Manifest]:
    """Everything but the resource definitions, as Traefik's manual asks for the two providers.

    https://doc.traefik.io/traefik/reference/install-configuration/providers/kubernetes/kubernetes-gateway/
    """
    rights = "rbac.authorization.k8s.io"
    return [
        manifest("v1", "ServiceAccount", NAME, namespace=NAMESPACE),
        manifest(f"{rights}/v1", "ClusterRole", NAME, rules=_rules()),
        manifest(
            f"{rights}/v1",
            "ClusterRoleBinding",
            NAME,
            roleRef={"apiGroup": rights, "kind": "ClusterRole", "name": NAME},
            subjects=[{"kind": "ServiceAccount", **_META}],
        ),
        _service(args),
        manifest(GATEWAY_API, "GatewayClass", TRAEFIK_CLASS, {"controllerName": CONTROLLER}),
        # The provider of the Gateway API takes the TLS profile from here, in whatever namespace the Gateway is.
        manifest("traefik.io/v1alpha1", "TLSOption", "default", traefik.TLS_PROFILE, namespace=NAMESPACE),
        disruption_budget(NAME, _LABELS, namespace=NAMESPACE),
        _deployment(args),
    ]


def configuration(args: ClusterAddonsArgs) -> list[str]:
    """The static configuration as arguments, so that another one rolls the pods."""
    forwarded = {"trustedIPs": ",".join(args.trusted_proxies)} if args.trusted_proxies else {}
    leaving = {"requestAcceptGraceTimeout": f"{LEAVE_SECONDS}s", "graceTimeOut": f"{args.stop_seconds}s"}
    read = traefik.reading(args.read_timeout_seconds)
    kept = {"keepAliveMaxTime": f"{KEEP_SECONDS}s", "lifeCycle": leaving, **read}
    point = {"forwardedHeaders": forwarded, "transport": kept, "http": traefik.REQUESTS}
    options: Manifest = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        **traefik.OBSERVED,
        "ping": {"entryPoint": "internal"},
        # The Gateway's routes have no transport of their own, so this one is every application's.
        "serversTransport": {
            "maxIdleConnsPerHost": traefik.IDLE_TO_SERVER,
            "forwardingTimeouts": {
                "dialTimeout": f"{traefik.DIAL_SECONDS}s",
                "responseHeaderTimeout": f"{args.response_timeout_seconds}s",
                "idleConnTimeout": f"{traefik.IDLE_SERVER_SECONDS}s",
            },
        },
        "providers": {
            "providersThrottleDuration": "100ms",
            "kubernetesGateway": {"statusAddress": {"service": dict(_META)}},
            # A canary without pods, at weight 0, would otherwise take the whole TraefikService away.
            "kubernetesCRD": {"allowCrossNamespace": False, "allowEmptyServices": True},
        },
        "entryPoints": {
            # The provider joins a listener to the entry point of the same port.
            "http": {"address": f":{args.http_port}", **point},
            "https": {"address": f":{args.https_port}", **point},
            # It goes on answering while the others drain: with 503, which takes the pod out of the Service.
            "internal": {"address": f":{INTERNAL}", "transport": {"lifeCycle": leaving}},
        },
    }
    return [f"--{path}={value}" for path, value in sorted(_paths(options))]


def _paths(value: Manifest, before: str = "") -> Iterator[tuple[str, str]]:
    for key, part in value.items():
        if isinstance(part, dict):
            yield from _paths(cast(Manifest, part), f"{before}{key}.")
        else:
            yield f"{before}{key}", str(part).lower() if isinstance(part, bool) else str(part)


def _rules() -> list[Manifest]:
    """What Traefik may read, and write."""

    def rule(group: str, resources: list[str], verbs: list[str]) -> Manifest:
        return {"apiGroups": [group], "resources": resources, "verbs": verbs}

    read = ["get", "list", "watch"]
    gateway = "gateway.networking.k8s.io"
    kinds = [*_GATEWAY, "backendtlspolicies"]
    return [
        rule("", ["namespaces", "services", "secrets", "configmaps", "nodes"], read),
        rule("discovery.k8s.io", ["endpointslices"], read),
        rule(gateway, kinds, read),
        rule(gateway, [f"{kind}/status" for kind in kinds], ["update"]),
        rule("traefik.io", list(_CRDS), read),
        # The provider of Traefik's own resources watches these too, and starts only when it may.
        rule("networking.k8s.io", ["ingresses", "ingressclasses"], read),
    ]


def _service(args: ClusterAddonsArgs) -> Manifest:
    # The client's address arrives (rate limits count by it), and no node forwards to another. A node whose only pod
    # leaves still sends to it until it is gone (KEP-1669).
    local: Manifest = {} if args.service_type is ServiceType.CLUSTER_IP else {"externalTrafficPolicy": "Local"}
    ports = [service_port("http", 80, "http"), service_port("https", 443, "https")]
    return service(NAME, _LABELS, ports, namespace=NAMESPACE, type=args.service_type.value, **local)


def _deployment(args: ClusterAddonsArgs) -> Manifest:
    ports = [("http", args.http_port), ("https", args.https_port), ("internal", INTERNAL)]
    low = min(args.http_port, args.https_port) < 1024
    # A port below 1024 without any capability; this sysctl is one that even `restricted` allows.
    sysctls = {"sysctls": [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]} if low else {}
    ping = probes.http("/ping", "internal")
    container = workload.container(
        NAME,
        (args.images or {}).get("docker.io/library/traefik", TRAEFIK_IMAGE),
        ["/usr/local/bin/traefik"],
        resources(args.traefik_memory_mb, args.traefik_cpu),
        imagePullPolicy="IfNotPresent",
        args=configuration(args),
        env=workload.variables(runtime(args.traefik_memory_mb)),
        ports=[workload.port(name, number) for name, number in ports],
        readinessProbe=probes.probe(ping, 2, timeout=2, failures=1),
        livenessProbe=probes.probe(ping, 10, timeout=2, failures=3, delay=5),
    )
    pod = workload.pod(
        _LABELS,
        [container],
        security={**workload.POD_SECURITY, "runAsUser": _USER, "runAsGroup": _USER, **sysctls},
        # Accepting, then draining, then a margin.
        stop_seconds=LEAVE_SECONDS + args.stop_seconds + 5,
        serviceAccountName=NAME,
        affinity=placement.apart(_LABELS),
        tolerations=tolerations(),
    )
    return workload.deployment(
        NAME,
        _LABELS,
        pod,
        strategy=workload.rolling(unavailable=0, surge=1),
        replicas=args.replicas,
        namespace=NAMESPACE,
        labels=_LABELS,
    )
