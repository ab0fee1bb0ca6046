"""Redis of a shop."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.authority import authority
from bench.handwritten.common import KEPT, ORDER, image, labels, text
from bench.handwritten.network import Peer, pods, store, tcp


def redis(number: str, opts: pulumi.ResourceOptions) -> None:
    """One node of Redis."""
    marks = {**labels("redis", "store"), "app.kubernetes.io/instance": f"redis-{number}"}
    metadata = k8s.meta.v1.ObjectMetaArgs(
        namespace="bench",
        annotations=ORDER["2"],
        name=f"redis-{number}-node",
        labels={**labels("redis", "store"), "app.kubernetes.io/instance": f"redis-{number}"},
    )
    node = {
        "app.kubernetes.io/managed-by": "tierstack",
        "app.kubernetes.io/part-of": "bench",
        "app.kubernetes.io/instance": f"redis-{number}",
        "app.kubernetes.io/name": "redis",
        "tierstack.dev/environment": "local",
        "app.kubernetes.io/component": "node",
    }

    def part_of(component: str) -> k8s.meta.v1.LabelSelectorArgs:
        return pods(
            **{
                "app.kubernetes.io/instance": f"redis-{number}",
                "app.kubernetes.io/name": "redis",
                "app.kubernetes.io/component": component,
            }
        )

    def peer(component: str) -> Peer:
        return Peer(pod_selector=part_of(component))

    nodes = part_of("node")
    clients = Peer(pod_selector=pods(**{f"tierstack.dev/redis-client.redis-{number}": "true"}))
    k8s.core.v1.ConfigMap(
        f"redis-{number}-node-config",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"redis-{number}-node-cd98d40360", labels=marks, annotations=ORDER["2"]
        ),
        data={
            "stop.sh": text("stop.sh", number),
            "alone.sh": text("alone.sh", number),
            "redis.conf": text("redis.conf", number),
            "start.sh": text("start.sh", number),
            "health.sh": text("health.sh", number),
        },
        immutable=True,
        opts=opts,
    )
    k8s.core.v1.PersistentVolumeClaim(
        f"redis-{number}-data-0",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"data-redis-{number}-node-0",
            annotations=KEPT,
            labels=node,
        ),
        spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
            access_modes=["ReadWriteOnce"],
            resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": "5Gi"}),
        ),
        opts=opts,
    )
    k8s.core.v1.Service(
        f"redis-{number}-node-service",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            name=f"redis-{number}-node",
            labels=marks,
            annotations=ORDER["2"],
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            publish_not_ready_addresses=True,
            cluster_ip="None",
            selector={
                "app.kubernetes.io/instance": f"redis-{number}",
                "app.kubernetes.io/name": "redis",
                "app.kubernetes.io/component": "node",
            },
            ports=[k8s.core.v1.ServicePortArgs(protocol="TCP", name="redis", port=6379)],
        ),
        opts=opts,
    )
    k8s.networking.v1.NetworkPolicy(
        f"redis-{number}-node-network-policy",
        metadata=metadata,
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            ingress=[
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[peer(part) for part in ("node", "sentinel", "proxy", "handover")], ports=tcp(6379)
                ),
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(from_=[clients, peer("proxy")], ports=tcp(6380)),
            ],
            policy_types=["Ingress"],
            pod_selector=k8s.meta.v1.LabelSelectorArgs(
                match_labels={
                    "app.kubernetes.io/instance": f"redis-{number}",
                    "app.kubernetes.io/name": "redis",
                    "app.kubernetes.io/component": "node",
                }
            ),
        ),
        opts=opts,
    )
    for user in ("password", "app"):
        k8s.apiextensions.CustomResource(
            f"redis-{number}-{user}-generator",
            api_version="generators.external-secrets.io/v1alpha1",
            kind="Password",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                namespace="bench", name=f"redis-{number}-{user}", labels=marks, annotations=KEPT
            ),
            spec={"symbols": 0, "noUpper": False, "digits": 8, "length": 32, "allowRepeat": True},
            opts=opts,
        )
        k8s.apiextensions.CustomResource(
            f"redis-{number}-{user}",
            api_version="external-secrets.io/v1",
            kind="ExternalSecret",
            metadata=k8s.meta.v1.ObjectMetaArgs(
                namespace="bench", name=f"redis-{number}-{user}", labels=marks, annotations=KEPT
            ),
            spec={
                "target": {
                    "name": f"redis-{number}-{user}",
                    "template": {"type": "Opaque", "data": {"password": "{{ .password }}"}},
                },
                "dataFrom": [
                    {
                        "sourceRef": {
                            "generatorRef": {
                                "kind": "Password",
                                "apiVersion": "generators.external-secrets.io/v1alpha1",
                                "name": f"redis-{number}-{user}",
                            }
                        }
                    }
                ],
                "refreshPolicy": "CreatedOnce",
            },
            opts=opts,
        )
    k8s.apps.v1.StatefulSet(
        f"redis-{number}-node",
        metadata=metadata,
        spec=k8s.apps.v1.StatefulSetSpecArgs(
            volume_claim_templates=[
                k8s.core.v1.PersistentVolumeClaimArgs(
                    metadata=k8s.meta.v1.ObjectMetaArgs(name="data"),
                    spec=k8s.core.v1.PersistentVolumeClaimSpecArgs(
                        access_modes=["ReadWriteOnce"],
                        resources=k8s.core.v1.VolumeResourceRequirementsArgs(requests={"storage": "5Gi"}),
                    ),
                )
            ],
            pod_management_policy="Parallel",
            service_name=f"redis-{number}-node",
            replicas=1,
            selector=k8s.meta.v1.LabelSelectorArgs(
                match_labels={
                    "app.kubernetes.io/instance": f"redis-{number}",
                    "app.kubernetes.io/name": "redis",
                    "app.kubernetes.io/component": "node",
                }
            ),
            min_ready_seconds=10,
            update_strategy=k8s.apps.v1.StatefulSetUpdateStrategyArgs(type="RollingUpdate"),
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(labels=node),
                spec=k8s.core.v1.PodSpecArgs(
                    security_context=k8s.core.v1.PodSecurityContextArgs(
                        run_as_non_root=True,
                        fs_group_change_policy="OnRootMismatch",
                        run_as_group=999,
                        fs_group=999,
                        run_as_user=999,
                        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
                    ),
                    volumes=[
                        k8s.core.v1.VolumeArgs(
                            projected=k8s.core.v1.ProjectedVolumeSourceArgs(
                                sources=[
                                    k8s.core.v1.VolumeProjectionArgs(
                                        config_map=k8s.core.v1.ConfigMapProjectionArgs(
                                            name=f"redis-{number}-node-cd98d40360"
                                        )
                                    ),
                                    k8s.core.v1.VolumeProjectionArgs(
                                        secret=k8s.core.v1.SecretProjectionArgs(
                                            name=f"redis-{number}-password",
                                            items=[k8s.core.v1.KeyToPathArgs(key="password", path="password")],
                                        )
                                    ),
                                    k8s.core.v1.VolumeProjectionArgs(
                                        secret=k8s.core.v1.SecretProjectionArgs(
                                            name=f"redis-{number}-app",
                                            items=[k8s.core.v1.KeyToPathArgs(key="password", path="app-password")],
                                        )
                                    ),
                                ],
                                default_mode=288,
                            ),
                            name="config",
                        ),
                        k8s.core.v1.VolumeArgs(
                            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="16Mi"),
                            name="tmp",
                        ),
                        k8s.core.v1.VolumeArgs(
                            name="certificate",
                            secret=k8s.core.v1.SecretVolumeSourceArgs(
                                secret_name=f"redis-{number}-server-tls",
                                items=[
                                    k8s.core.v1.KeyToPathArgs(key=name, path=name) for name in ("tls.crt", "tls.key")
                                ],
                                default_mode=288,
                            ),
                        ),
                    ],
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            command=["/bin/sh", "/etc/redis/start.sh"],
                            startup_probe=k8s.core.v1.ProbeArgs(
                                timeout_seconds=5,
                                failure_threshold=300,
                                period_seconds=2,
                                exec_=k8s.core.v1.ExecActionArgs(command=["/bin/sh", "/etc/redis/health.sh"]),
                            ),
                            security_context=k8s.core.v1.SecurityContextArgs(
                                read_only_root_filesystem=True,
                                allow_privilege_escalation=False,
                                capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
                            ),
                            volume_mounts=[
                                k8s.core.v1.VolumeMountArgs(mount_path="/data", name="data"),
                                k8s.core.v1.VolumeMountArgs(read_only=True, mount_path="/etc/redis", name="config"),
                                k8s.core.v1.VolumeMountArgs(mount_path="/tmp", name="tmp"),
                                k8s.core.v1.VolumeMountArgs(
                                    read_only=True, mount_path="/etc/tierstack/tls", name="certificate"
                                ),
                            ],
                            image=image("valkey:8.1"),
                            ports=[
                                k8s.core.v1.ContainerPortArgs(container_port=6379, protocol="TCP", name="redis"),
                                k8s.core.v1.ContainerPortArgs(container_port=6380, protocol="TCP", name="redis-tls"),
                            ],
                            readiness_probe=k8s.core.v1.ProbeArgs(
                                timeout_seconds=5,
                                failure_threshold=2,
                                period_seconds=5,
                                exec_=k8s.core.v1.ExecActionArgs(command=["/bin/sh", "/etc/redis/health.sh"]),
                            ),
                            name="redis",
                            liveness_probe=k8s.core.v1.ProbeArgs(
                                failure_threshold=3,
                                period_seconds=10,
                                tcp_socket=k8s.core.v1.TCPSocketActionArgs(port=6379),
                            ),
                            lifecycle=k8s.core.v1.LifecycleArgs(
                                pre_stop=k8s.core.v1.LifecycleHandlerArgs(
                                    exec_=k8s.core.v1.ExecActionArgs(command=["/bin/sh", "/etc/redis/stop.sh"])
                                )
                            ),
                            resources=k8s.core.v1.ResourceRequirementsArgs(
                                limits={"memory": "800Mi"}, requests={"cpu": "250m", "memory": "800Mi"}
                            ),
                        )
                    ],
                    automount_service_account_token=False,
                    affinity=k8s.core.v1.AffinityArgs(
                        pod_anti_affinity=k8s.core.v1.PodAntiAffinityArgs(
                            required_during_scheduling_ignored_during_execution=[
                                k8s.core.v1.PodAffinityTermArgs(
                                    label_selector=nodes, topology_key="kubernetes.io/hostname"
                                )
                            ]
                        )
                    ),
                    topology_spread_constraints=[
                        k8s.core.v1.TopologySpreadConstraintArgs(
                            topology_key=key, label_selector=nodes, max_skew=1, when_unsatisfiable="ScheduleAnyway"
                        )
                        for key in ("topology.kubernetes.io/zone", "kubernetes.io/hostname")
                    ],
                    dns_config=k8s.core.v1.PodDNSConfigArgs(
                        options=[
                            k8s.core.v1.PodDNSConfigOptionArgs(name="ndots", value="1"),
                            k8s.core.v1.PodDNSConfigOptionArgs(name="timeout", value="1"),
                            k8s.core.v1.PodDNSConfigOptionArgs(name="attempts", value="2"),
                        ]
                    ),
                    termination_grace_period_seconds=45,
                    enable_service_links=False,
                ),
            ),
            revision_history_limit=3,
        ),
        opts=opts,
    )
    k8s.core.v1.Service(
        f"redis-{number}",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"redis-{number}", labels=marks, annotations=ORDER["2"]
        ),
        spec=k8s.core.v1.ServiceSpecArgs(
            type="ClusterIP",
            selector={
                "app.kubernetes.io/instance": f"redis-{number}",
                "app.kubernetes.io/name": "redis",
                "statefulset.kubernetes.io/pod-name": f"redis-{number}-node-0",
                "app.kubernetes.io/component": "node",
            },
            ports=[k8s.core.v1.ServicePortArgs(protocol="TCP", name="redis-tls", target_port=6380, port=6380)],
        ),
        opts=opts,
    )
    host = f"redis-{number}"
    names = [host, f"{host}.bench", f"{host}.bench.svc", f"{host}.bench.svc.cluster.local"]
    authority(host, "server-tls", "internal", names, marks, opts)
    store(number, marks, opts)
