"""Gateway on Kubernetes: a Gateway of the Gateway API, which the cluster's own proxy serves."""

import pulumi

from tierstack.gateway.args import GatewayArgs
from tierstack.links import GatewayEndpoint
from tierstack.platform import policies
from tierstack.platform.kubernetes import Manifest, cluster
from tierstack.platform.proxy import GATEWAY_API

_SOLVER_PORT = 8089
"""Port of cert-manager's solver pods, which nothing changes (cert-manager, pkg/issuer/acme/http)."""


def manifests(name: str, args: GatewayArgs) -> list[Manifest]:
    """The Gateway with its two listeners, and the route that sends HTTP to HTTPS."""
    same = {"namespaces": {"from": "Same"}}
    http = {"name": "http", "protocol": "HTTP", "port": args.http_port, "allowedRoutes": same}
    certificate = {"kind": "Secret", "name": args.certificate.secret_name}
    https = {
        "name": "https",
        "protocol": "HTTPS",
        "port": args.https_port,
        "allowedRoutes": same,
        "tls": {"mode": "Terminate", "certificateRefs": [certificate]},
    }
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "port": 443, "statusCode": 301}}
    return [
        {
            "apiVersion": GATEWAY_API,
            "kind": "Gateway",
            "metadata": {"name": name},
            "spec": {"gatewayClassName": args.gateway_class, "listeners": [http, https]},
        },
        {
            "apiVersion": GATEWAY_API,
            "kind": "HTTPRoute",
            "metadata": {"name": f"{name}-redirect"},
            "spec": {
                "parentRefs": [{"name": name, "sectionName": "http"}],
                "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "filters": [redirect]}],
            },
        },
    ]


def solver_policy(name: str, args: GatewayArgs) -> Manifest:
    """The proxy reaches the pods with which cert-manager answers the challenge HTTP-01 (RFC 8555 section 8.3)."""
    solver = {"acme.cert-manager.io/http01-solver": "true"}
    rules = [policies.ingress([policies.namespace(args.proxy_namespace)], _SOLVER_PORT)]
    return policies.policy(f"{name}-acme-solver", solver, ingress=rules)


def build(name: str, parent: pulumi.Resource, args: GatewayArgs) -> GatewayEndpoint:
    """Register everything and say where applications attach."""
    on = cluster(args.platform, parent)
    gateway, redirect = manifests(name, args)
    made = on.object(name, parent, gateway)
    on.object(f"{name}-redirect", parent, redirect, depends_on=[made])
    on.object(f"{name}-acme-solver", parent, solver_policy(name, args))
    return GatewayEndpoint(
        https_port=443,  # what the proxy's own Service listens on, whatever port its listener has
        name=made.urn.apply(lambda _: name),
        gateway_class=args.gateway_class,
        proxy_namespace=args.proxy_namespace,
        trusted_proxies=args.trusted_proxies,
        hostnames=list(args.certificate.hostnames),
        gateway=name,
        place=args.platform.place,
    )
