"""Gateway on Kubernetes: a Gateway of the Gateway API, which the cluster's own proxy serves."""

import pulumi

from tierstack.gateway.args import GatewayArgs
from tierstack.links import GatewayEndpoint, KubernetesGateway
from tierstack.platform.kubernetes import network, routes
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.plan import Planned

HTTP, HTTPS = "http", "https"
"""Names of the listeners, which routes attach to."""
_SOLVER_PORT = 8089
"""Port of cert-manager's solver pods, which nothing changes (cert-manager, pkg/issuer/acme/http)."""


def plan(name: str, args: GatewayArgs) -> list[Planned]:
    """The Gateway, the route that sends HTTP to HTTPS, and who answers challenges."""
    return [
        Planned(name, _gateway(name, args)),
        Planned(f"{name}-redirect", _redirect(name), (name,)),
        Planned(f"{name}-acme-solver", solver_policy(name, args)),
    ]


def _gateway(name: str, args: GatewayArgs) -> Manifest:
    same = {"namespaces": {"from": "Same"}}
    http = {"name": HTTP, "protocol": "HTTP", "port": args.http_port, "allowedRoutes": same}
    certificate = {"kind": "Secret", "name": args.certificate.secret_name}
    https = {
        "name": HTTPS,
        "protocol": "HTTPS",
        "port": args.https_port,
        "allowedRoutes": same,
        "tls": {"mode": "Terminate", "certificateRefs": [certificate]},
    }
    spec = {"gatewayClassName": args.gateway_class, "listeners": [http, https]}
    return manifest(routes.GATEWAY_API, "Gateway", name, spec)


def _redirect(name: str) -> Manifest:
    to_https = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "port": 443, "statusCode": 301}}
    return routes.http_route(f"{name}-redirect", name, HTTP, [{"matches": routes.path("/"), "filters": [to_https]}])


def solver_policy(name: str, args: GatewayArgs) -> Manifest:
    """The proxy reaches the pods with which cert-manager answers the challenge HTTP-01 (RFC 8555 section 8.3)."""
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    rules = [network.ingress([network.namespace(args.proxy_namespace)], _SOLVER_PORT)]
    return network.policy(f"{name}-acme-solver", solver, ingress=rules)


def build(name: str, parent: pulumi.Resource, args: GatewayArgs) -> GatewayEndpoint:
    """Register everything and say where applications attach."""
    made = cluster(args.platform, parent).apply(parent, plan(name, args))
    return GatewayEndpoint(
        https_port=443,  # what the proxy's own Service listens on, whatever port its listener has
        kubernetes=KubernetesGateway(
            name=made[name].urn.apply(lambda _: name),
            section_name=HTTPS,
            gateway_class=args.gateway_class,
            proxy_namespace=args.proxy_namespace,
        ),
        trusted_proxies=args.trusted_proxies,
        hostnames=list(args.certificate.hostnames),
        gateway=name,
        place=args.platform.place,
    )
