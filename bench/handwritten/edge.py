"""Certificate and proxy of a shop, as people write them with the typed SDK."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.authority import authority
from bench.handwritten.common import ORDER, labels
from bench.handwritten.network import acme_solver


def tls(number: str, opts: pulumi.ResourceOptions) -> None:
    """A CA of its own and the certificate."""
    marks = labels(f"tls-{number}", "tls")
    authority(f"tls-{number}", "certificate", "local", [f"shop-{number}.example.org"], marks, opts)


def gateway(number: str, opts: pulumi.ResourceOptions) -> None:
    """The listener and the redirect to TLS."""
    marks = labels(f"gateway-{number}", "gateway")
    k8s.apiextensions.CustomResource(
        f"gateway-{number}",
        api_version="gateway.networking.k8s.io/v1",
        kind="Gateway",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"gateway-{number}", labels=marks, annotations=ORDER["2"]
        ),
        spec={
            "listeners": [
                {"protocol": "HTTP", "name": "http", "port": 80, "allowedRoutes": {"namespaces": {"from": "Same"}}},
                {
                    "tls": {
                        "certificateRefs": [{"kind": "Secret", "name": f"tls-{number}-certificate"}],
                        "mode": "Terminate",
                    },
                    "protocol": "HTTPS",
                    "port": 443,
                    "allowedRoutes": {"namespaces": {"from": "Same"}},
                    "name": "https",
                },
            ],
            "gatewayClassName": "traefik",
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"gateway-{number}-redirect",
        api_version="gateway.networking.k8s.io/v1",
        kind="HTTPRoute",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"gateway-{number}-redirect", labels=marks, annotations=ORDER["2"]
        ),
        spec={
            "parentRefs": [{"sectionName": "http", "name": f"gateway-{number}"}],
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "filters": [
                        {
                            "type": "RequestRedirect",
                            "requestRedirect": {"statusCode": 301, "scheme": "https", "port": 443},
                        }
                    ],
                }
            ],
        },
        opts=opts,
    )
    acme_solver(number, opts)
