"""The web tier of a shop, as people write it with the typed SDK; its pods are in `web_pods`."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import KEPT, ORDER, text
from bench.handwritten.web_pods import template


def web(number: str, opts: pulumi.ResourceOptions) -> None:
    """The web pods and the way to them."""
    selector = k8s.meta.v1.LabelSelectorArgs(
        match_labels={"app.kubernetes.io/name": f"web-{number}", "app.kubernetes.io/component": "web"}
    )
    labels = {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "bench",
        "app.kubernetes.io/name": f"web-{number}",
        "tierstack.dev/environment": "local",
        "app.kubernetes.io/component": "web",
    }

    metadata = k8s.meta.v1.ObjectMetaArgs(
        namespace="bench",
        annotations=ORDER["2"],
        name=f"web-{number}",
        labels={
            "app.kubernetes.io/managed-by": "tierstack",
            "app.kubernetes.io/part-of": "bench",
            "app.kubernetes.io/name": f"web-{number}",
            "tierstack.dev/environment": "local",
            "app.kubernetes.io/component": "web",
        },
    )
    k8s.apiextensions.CustomResource(
        f"web-{number}-secrets",
        api_version="external-secrets.io/v1",
        kind="ExternalSecret",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            annotations=ORDER["2"],
            name=f"web-{number}-secrets",
            labels={
                "app.kubernetes.io/managed-by": "tierstack",
                "app.kubernetes.io/part-of": "bench",
                "tierstack.dev/environment": "local",
            },
        ),
        spec={
            "target": {"name": f"web-{number}-secrets"},
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "refreshInterval": "1h",
            "data": [
                {"secretKey": "APP_KEY", "remoteRef": {"key": f"bench/web-{number}-secrets", "property": "APP_KEY"}}
            ],
        },
        opts=opts,
    )
    k8s.core.v1.ServiceAccount(f"web-{number}", metadata=metadata, automount_service_account_token=False, opts=opts)
    k8s.core.v1.ConfigMap(
        f"web-{number}-config",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"web-{number}-config", labels=labels, annotations=ORDER["2"]
        ),
        data={"php-fpm.conf": text("php-fpm.conf", number), "nginx.conf": text("nginx.conf", number)},
        immutable=True,
        opts=opts,
    )
    k8s.core.v1.PersistentVolumeClaim(
        f"web-{number}-uploads",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"web-{number}-uploads", annotations=KEPT, labels=labels
        ),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteMany"],
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": "20Gi"}),
        ),
        opts=opts,
    )
    k8s.networking.v1.NetworkPolicy(
        f"web-{number}-network",
        metadata=metadata,
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            ingress=[
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            namespace_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={"kubernetes.io/metadata.name": "traefik"}
                            )
                        )
                    ],
                    ports=[k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=8080)],
                )
            ],
            policy_types=["Ingress", "Egress"],
            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"app.kubernetes.io/name": f"web-{number}"}),
            egress=[
                k8s.networking.v1.NetworkPolicyEgressRuleArgs(
                    to=[k8s.networking.v1.NetworkPolicyPeerArgs(pod_selector=k8s.meta.v1.LabelSelectorArgs())]
                ),
                k8s.networking.v1.NetworkPolicyEgressRuleArgs(
                    to=[k8s.networking.v1.NetworkPolicyPeerArgs(namespace_selector=k8s.meta.v1.LabelSelectorArgs())],
                    ports=[
                        k8s.networking.v1.NetworkPolicyPortArgs(protocol="UDP", port=53),
                        k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=53),
                    ],
                ),
                k8s.networking.v1.NetworkPolicyEgressRuleArgs(
                    to=[
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            ip_block=k8s.networking.v1.IPBlockArgs(
                                cidr="0.0.0.0/0",
                                except_=[
                                    "10.0.0.0/8",
                                    "172.16.0.0/12",
                                    "192.168.0.0/16",
                                    "169.254.0.0/16",
                                    "100.64.0.0/10",
                                ],
                            )
                        ),
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            ip_block=k8s.networking.v1.IPBlockArgs(cidr="::/0", except_=["fc00::/7", "fe80::/10"])
                        ),
                    ],
                    ports=[
                        k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=443),
                        k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=587),
                    ],
                ),
            ],
        ),
        opts=opts,
    )
    k8s.core.v1.Service(
        f"web-{number}-service",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"web-{number}", annotations=ORDER["2"], labels=labels
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            selector={"app.kubernetes.io/name": f"web-{number}", "app.kubernetes.io/component": "web"},
            ports=[k8s.core.v1.ServicePortArgs(protocol="TCP", name="http", target_port="http", port=80)],
        ),
        opts=opts,
    )
    k8s.autoscaling.v2.HorizontalPodAutoscaler(
        f"web-{number}-autoscaler",
        metadata=metadata,
        spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
            min_replicas=2,
            metrics=[
                k8s.autoscaling.v2.MetricSpecArgs(
                    resource=k8s.autoscaling.v2.ResourceMetricSourceArgs(
                        target=k8s.autoscaling.v2.MetricTargetArgs(average_utilization=70, type="Utilization"),
                        name="cpu",
                    ),
                    type="Resource",
                )
            ],
            scale_target_ref=k8s.autoscaling.v2.CrossVersionObjectReferenceArgs(
                kind="Deployment", api_version="apps/v1", name=f"web-{number}"
            ),
            max_replicas=3,
            behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
                scale_down=k8s.autoscaling.v2.HPAScalingRulesArgs(stabilization_window_seconds=300)
            ),
        ),
        opts=opts,
    )
    k8s.policy.v1.PodDisruptionBudget(
        f"web-{number}-budget",
        metadata=metadata,
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1, unhealthy_pod_eviction_policy="AlwaysAllow", selector=selector
        ),
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"web-{number}-rate-limit",
        api_version="traefik.io/v1alpha1",
        kind="Middleware",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"web-{number}-rate-limit", labels=labels, annotations=ORDER["2"]
        ),
        spec={"rateLimit": {"period": "1s", "burst": 200, "average": 100}},
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"web-{number}-retry",
        api_version="traefik.io/v1alpha1",
        kind="Middleware",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"web-{number}-retry", labels=labels, annotations=ORDER["2"]
        ),
        spec={"retry": {"initialInterval": "50ms", "attempts": 4}},
        opts=opts,
    )
    k8s.apps.v1.Deployment(
        f"web-{number}",
        metadata=metadata,
        spec=k8s.apps.v1.DeploymentSpecArgs(
            template=template(number, selector),
            strategy=k8s.apps.v1.DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_unavailable=0, max_surge="25%"),
            ),
            progress_deadline_seconds=600,
            selector=selector,
            revision_history_limit=5,
        ),
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"web-{number}-route",
        api_version="gateway.networking.k8s.io/v1",
        kind="HTTPRoute",
        metadata=metadata,
        spec={
            "rules": [
                {
                    "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
                    "backendRefs": [{"name": f"web-{number}", "weight": 100, "port": 80}],
                    "filters": [
                        {
                            "responseHeaderModifier": {
                                "set": [
                                    {"name": "X-Content-Type-Options", "value": "nosniff"},
                                    {"name": "X-Frame-Options", "value": "SAMEORIGIN"},
                                    {"name": "Referrer-Policy", "value": "strict-origin-when-cross-origin"},
                                    {"name": "Strict-Transport-Security", "value": "max-age=31536000"},
                                ],
                                "remove": ["Server", "X-Powered-By"],
                            },
                            "type": "ResponseHeaderModifier",
                        },
                        {
                            "type": "ExtensionRef",
                            "extensionRef": {
                                "kind": "Middleware",
                                "group": "traefik.io",
                                "name": f"web-{number}-rate-limit",
                            },
                        },
                        {
                            "type": "ExtensionRef",
                            "extensionRef": {
                                "kind": "Middleware",
                                "group": "traefik.io",
                                "name": f"web-{number}-retry",
                            },
                        },
                    ],
                }
            ],
            "parentRefs": [{"sectionName": "https", "name": f"gateway-{number}"}],
            "hostnames": [f"shop-{number}.example.org"],
        },
        opts=opts,
    )
