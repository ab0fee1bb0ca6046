"""Certificate and proxy of a shop, as people write them with the typed SDK."""

import pulumi
import pulumi_kubernetes as k8s


def tls(number: str, opts: pulumi.ResourceOptions) -> None:
    """A CA of its own and the certificate."""
    labels = {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "bench",
        "tierstack.dev/environment": "local",
    }
    k8s.apiextensions.CustomResource(
        f"tls-{number}-self-signed",
        api_version="cert-manager.io/v1",
        kind="Issuer",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"tls-{number}-self-signed", labels=labels),
        spec={"selfSigned": {}},
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"tls-{number}-ca-certificate",
        api_version="cert-manager.io/v1",
        kind="Certificate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"tls-{number}-ca",
            labels=labels,
            annotations={"pulumi.com/waitFor": "condition=Ready"},
        ),
        spec={
            "issuerRef": {"kind": "Issuer", "group": "cert-manager.io", "name": f"tls-{number}-self-signed"},
            "duration": "87600h0m0s",
            "isCA": True,
            "commonName": f"bench tls-{number} local CA",
            "secretName": f"tls-{number}-ca",
            "privateKey": {"rotationPolicy": "Never", "encoding": "PKCS8", "algorithm": "ECDSA", "size": 256},
            "subject": {"organizations": ["tierstack"]},
            "renewBefore": "2160h0m0s",
            "usages": ["cert sign", "crl sign"],
            "revisionHistoryLimit": 1,
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"tls-{number}-ca",
        api_version="cert-manager.io/v1",
        kind="Issuer",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"tls-{number}-ca", labels=labels),
        spec={"ca": {"secretName": f"tls-{number}-ca"}},
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"tls-{number}-certificate",
        api_version="cert-manager.io/v1",
        kind="Certificate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"tls-{number}-certificate",
            labels=labels,
            annotations={"pulumi.com/waitFor": "condition=Ready"},
        ),
        spec={
            "issuerRef": {"kind": "Issuer", "group": "cert-manager.io", "name": f"tls-{number}-ca"},
            "renewBeforePercentage": 34,
            "duration": "2160h0m0s",
            "secretName": f"tls-{number}-certificate",
            "privateKey": {"rotationPolicy": "Always", "encoding": "PKCS8", "algorithm": "ECDSA", "size": 256},
            "dnsNames": [f"shop-{number}.example.org"],
            "usages": ["digital signature", "server auth"],
            "revisionHistoryLimit": 1,
        },
        opts=opts,
    )


def gateway(number: str, opts: pulumi.ResourceOptions) -> None:
    """The listener and the redirect to TLS."""
    labels = {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "bench",
        "tierstack.dev/environment": "local",
    }
    k8s.apiextensions.CustomResource(
        f"gateway-{number}",
        api_version="gateway.networking.k8s.io/v1",
        kind="Gateway",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"gateway-{number}", labels=labels),
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
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"gateway-{number}-redirect", labels=labels),
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
