"""Web pods of a shop, as people write them with the typed SDK."""

import pulumi_kubernetes as k8s

from bench.handwritten.common import CA_MOUNTS, CONNECTIONS, ca_volumes, image


def template(number: str, selector: k8s.meta.v1.LabelSelectorArgs) -> k8s.core.v1.PodTemplateSpecArgs:
    """PHP-FPM and nginx beside each other."""
    security_context = k8s.core.v1.SecurityContextArgs(
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )

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

    return k8s.core.v1.PodTemplateSpecArgs(
        metadata=k8s.meta.v1.ObjectMetaArgs(
            annotations={"tierstack.dev/revision": "13715e"},
            labels={
                "app.kubernetes.io/part-of": "bench",
                "tierstack.dev/release": "11877e542476",
                f"tierstack.dev/pooler-client.db-{number}": "true",
                "app.kubernetes.io/component": "web",
                "app.kubernetes.io/managed-by": "tierstack",
                "tierstack.dev/environment": "local",
                "app.kubernetes.io/name": f"web-{number}",
                f"tierstack.dev/redis-client.redis-{number}": "true",
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
                        k8s.core.v1.EnvVarArgs(name="DB_USERNAME", value="app_a"),
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
                                    name=f"db-{number}-login-1", key="password"
                                )
                            ),
                        ),
                        k8s.core.v1.EnvVarArgs(
                            name="REDIS_PASSWORD",
                            value_from=k8s.core.v1.EnvVarSourceArgs(
                                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(
                                    name=f"redis-{number}-app", key="password"
                                )
                            ),
                        ),
                    ],
                    volume_mounts=[
                        k8s.core.v1.VolumeMountArgs(mount_path="/tmp", name="tmp"),
                        k8s.core.v1.VolumeMountArgs(mount_path="/srv/uploads", name="uploads"),
                        *CA_MOUNTS,
                        k8s.core.v1.VolumeMountArgs(read_only=True, mount_path="/etc/tierstack/app", name="config"),
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
                        k8s.core.v1.VolumeMountArgs(read_only=True, mount_path="/etc/tierstack/app", name="config"),
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
    )
