"""Web pods of a shop, as people write them with the typed SDK."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import CA_MOUNTS, CONNECTIONS, KEPT, ORDER, ca_volumes, image, text


def web(number: str, opts: pulumi.ResourceOptions) -> None:
    """The web pods and the way to them."""
    selector = k8s.meta.v1.LabelSelectorArgs(
        match_labels={"app.kubernetes.io/name": f"web-{number}", "app.kubernetes.io/component": "web"}
    )
    security_context = k8s.core.v1.SecurityContextArgs(
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )
    labels = {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "bench",
        "app.kubernetes.io/name": f"web-{number}",
        "tierstack.dev/environment": "local",
        "app.kubernetes.io/component": "web",
    }

    def living(path: str) -> k8s.core.v1.ProbeArgs:
        return k8s.core.v1.ProbeArgs(
            http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=18080),
            failure_threshold=6,
            timeout_seconds=5,
            period_seconds=10,
        )

    def started(path: str) -> k8s.core.v1.ProbeArgs:
        return k8s.core.v1.ProbeArgs(
            http_get=k8s.core.v1.HTTPGetActionArgs(path=path, port=18080),
            failure_threshold=90,
            timeout_seconds=4,
            period_seconds=2,
        )

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
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    annotations={"tierstack.dev/revision": "13715e"},
                    labels={
                        "app.kubernetes.io/part-of": "bench",
                        "tierstack.dev/release": "11877e542476",
                        f"tierstack.dev/db-{number}-client": "true",
                        "app.kubernetes.io/component": "web",
                        "app.kubernetes.io/managed-by": "tierstack",
                        "tierstack.dev/environment": "local",
                        "app.kubernetes.io/name": f"web-{number}",
                        f"tierstack.dev/client-of-redis-{number}": "true",
                    },
                ),
                spec=k8s.core.v1.PodSpecArgs(
                    service_account_name=f"web-{number}",
                    security_context=k8s.core.v1.PodSecurityContextArgs(
                        run_as_non_root=True,
                        fs_group_change_policy="OnRootMismatch",
                        run_as_group=10001,
                        fs_group=10001,
                        run_as_user=10001,
                        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    volumes=[
                        k8s.core.v1.VolumeArgs(
                            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="128Mi"),
                            name="tmp",
                        ),
                        *ca_volumes(number),
                        k8s.core.v1.VolumeArgs(
                            name="uploads",
                            persistent_volume_claim=k8s.core.v1.PersistentVolumeClaimVolumeSourceArgs(
                                claim_name=f"web-{number}-uploads"
                            ),
                        ),
                        k8s.core.v1.VolumeArgs(
                            name="config", config_map=k8s.core.v1.ConfigMapVolumeSourceArgs(name=f"web-{number}-config")
                        ),
                        k8s.core.v1.VolumeArgs(
                            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="1Mi"),
                            name="sockets",
                        ),
                        k8s.core.v1.VolumeArgs(
                            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="64Mi"),
                            name="nginx-tmp",
                        ),
                    ],
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            command=[
                                "php-fpm",
                                "--nodaemonize",
                                "--fpm-config",
                                "/etc/tierstack/app/php-fpm.conf",
                                "-d",
                                "opcache.validate_timestamps=0",
                            ],
                            security_context=security_context,
                            env=[
                                *CONNECTIONS,
                                k8s.core.v1.EnvVarArgs(name="DB_CONNECTION", value="pgsql"),
                                k8s.core.v1.EnvVarArgs(name="DB_DATABASE", value="app"),
                                k8s.core.v1.EnvVarArgs(name="DB_HOST", value=f"db-{number}-pooler"),
                                k8s.core.v1.EnvVarArgs(name="DB_PORT", value="5432"),
                                k8s.core.v1.EnvVarArgs(name="DB_USERNAME", value="app"),
                                k8s.core.v1.EnvVarArgs(name="REDIS_HOST", value=f"redis-{number}"),
                                k8s.core.v1.EnvVarArgs(name="REDIS_PORT", value="6380"),
                                k8s.core.v1.EnvVarArgs(name="UPLOADS_DIR", value="/srv/uploads"),
                                k8s.core.v1.EnvVarArgs(
                                    name="APP_KEY",
                                    value_from=k8s.core.v1.EnvVarSourceArgs(
                                        secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(
                                            name=f"web-{number}-secrets", key="APP_KEY"
                                        )
                                    ),
                                ),
                                k8s.core.v1.EnvVarArgs(
                                    name="DB_PASSWORD",
                                    value_from=k8s.core.v1.EnvVarSourceArgs(
                                        secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(
                                            name=f"db-{number}-app", key="password"
                                        )
                                    ),
                                ),
                                k8s.core.v1.EnvVarArgs(
                                    name="REDIS_PASSWORD",
                                    value_from=k8s.core.v1.EnvVarSourceArgs(
                                        secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(
                                            name=f"redis-{number}-password", key="password"
                                        )
                                    ),
                                ),
                            ],
                            volume_mounts=[
                                k8s.core.v1.VolumeMountArgs(mount_path="/tmp", name="tmp"),
                                k8s.core.v1.VolumeMountArgs(mount_path="/srv/uploads", name="uploads"),
                                *CA_MOUNTS,
                                k8s.core.v1.VolumeMountArgs(
                                    read_only=True, mount_path="/etc/tierstack/app", name="config"
                                ),
                                k8s.core.v1.VolumeMountArgs(mount_path="/run/tierstack/sockets", name="sockets"),
                            ],
                            image=image("shop:1"),
                            resources=k8s.core.v1.ResourceRequirementsArgs(
                                limits={"memory": "1664Mi"}, requests={"cpu": "1000m", "memory": "1664Mi"}
                            ),
                            name="php",
                            startup_probe=started("/ping"),
                            liveness_probe=living("/ping"),
                            lifecycle=k8s.core.v1.LifecycleArgs(
                                pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                                    exec_=k8s.core.v1.ExecActionArgs(
                                        command=[
                                            "/bin/sh",
                                            "-c",
                                            "while [ -e /run/tierstack/sockets/nginx.pid ]; do sleep 0.2; done; kill -QUIT 1; while kill -0 1 2>/dev/null; do sleep 0.2; done",  # noqa: E501
                                        ]
                                    )
                                )
                            ),
                        ),
                        k8s.core.v1.ContainerArgs(
                            command=["nginx", "-e", "stderr", "-c", "/etc/tierstack/app/nginx.conf"],
                            startup_probe=started("/alive"),
                            security_context=security_context,
                            volume_mounts=[
                                k8s.core.v1.VolumeMountArgs(
                                    read_only=True, mount_path="/etc/tierstack/app", name="config"
                                ),
                                k8s.core.v1.VolumeMountArgs(mount_path="/run/tierstack/sockets", name="sockets"),
                                k8s.core.v1.VolumeMountArgs(mount_path="/tmp", name="nginx-tmp"),
                                k8s.core.v1.VolumeMountArgs(read_only=True, mount_path="/srv/uploads", name="uploads"),
                            ],
                            image=image("shop:1"),
                            ports=[k8s.core.v1.ContainerPortArgs(container_port=8080, name="http")],
                            readiness_probe=k8s.core.v1.ProbeArgs(
                                http_get=k8s.core.v1.HTTPGetActionArgs(path="/ready", port=18080),
                                timeout_seconds=4,
                                period_seconds=5,
                            ),
                            name="nginx",
                            liveness_probe=living("/alive"),
                            lifecycle=k8s.core.v1.LifecycleArgs(
                                pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                                    exec_=k8s.core.v1.ExecActionArgs(
                                        command=[
                                            "/bin/sh",
                                            "-c",
                                            "sleep 5; kill -QUIT 1; while kill -0 1 2>/dev/null; do sleep 0.2; done",
                                        ]
                                    )
                                )
                            ),
                            resources=k8s.core.v1.ResourceRequirementsArgs(
                                limits={"memory": "128Mi"}, requests={"cpu": "50m", "memory": "128Mi"}
                            ),
                        ),
                    ],
                    automount_service_account_token=False,
                    topology_spread_constraints=[
                        k8s.core.v1.TopologySpreadConstraintArgs(
                            topology_key="topology.kubernetes.io/zone",
                            match_label_keys=["pod-template-hash"],
                            max_skew=1,
                            label_selector=selector,
                            when_unsatisfiable="ScheduleAnyway",
                        ),
                        k8s.core.v1.TopologySpreadConstraintArgs(
                            topology_key="kubernetes.io/hostname",
                            match_label_keys=["pod-template-hash"],
                            max_skew=1,
                            label_selector=selector,
                            when_unsatisfiable="ScheduleAnyway",
                        ),
                    ],
                    termination_grace_period_seconds=70,
                    enable_service_links=False,
                ),
            ),
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
