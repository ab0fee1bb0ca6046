"""What runs beside the web pods of a shop."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import CA_MOUNTS, CONNECTIONS, ORDER, ca_volumes, image

AGAIN = 'for pause in 1 2 4 8; do "$@" && exit 0; sleep $pause; done; exec "$@"'
WAIT = 'until pg_isready -q -t 3 -h "$DB_HOST" -p "$DB_PORT" -U app -d app; do sleep 2; done'


def jobs(number: str, opts: pulumi.ResourceOptions) -> None:
    """Queue workers, scheduler and migration."""
    resources = k8s.core.v1.ResourceRequirementsArgs(
        limits={"memory": "256Mi"}, requests={"cpu": "250m", "memory": "256Mi"}
    )
    volume_mounts = [
        k8s.core.v1.VolumeMountArgs(mount_path="/tmp", name="tmp"),
        k8s.core.v1.VolumeMountArgs(mount_path="/srv/uploads", name="uploads"),
        *CA_MOUNTS,
    ]
    security_context_2 = k8s.core.v1.SecurityContextArgs(
        read_only_root_filesystem=True,
        allow_privilege_escalation=False,
        capabilities=k8s.core.v1.CapabilitiesArgs(drop=["ALL"]),
    )
    security_context = k8s.core.v1.PodSecurityContextArgs(
        run_as_non_root=True,
        fs_group_change_policy="OnRootMismatch",
        run_as_group=10001,
        fs_group=10001,
        run_as_user=10001,
        seccomp_profile=k8s.core.v1.SeccompProfileArgs(type="RuntimeDefault"),
    )
    volumes = [
        k8s.core.v1.VolumeArgs(
            empty_dir=k8s.core.v1.EmptyDirVolumeSourceArgs(medium="Memory", size_limit="64Mi"), name="tmp"
        ),
        *ca_volumes(number),
        k8s.core.v1.VolumeArgs(
            name="uploads",
            persistent_volume_claim=k8s.core.v1.PersistentVolumeClaimVolumeSourceArgs(
                claim_name=f"web-{number}-uploads"
            ),
        ),
    ]
    metadata = k8s.meta.v1.ObjectMetaArgs(
        namespace="bench",
        annotations=ORDER["2"],
        name=f"web-{number}-worker",
        labels={
            "app.kubernetes.io/managed-by": "tierstack",
            "app.kubernetes.io/part-of": "bench",
            "app.kubernetes.io/name": f"web-{number}",
            "tierstack.dev/environment": "local",
            "app.kubernetes.io/component": "worker",
        },
    )
    env = [
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
                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(name=f"web-{number}-secrets", key="APP_KEY")
            ),
        ),
        k8s.core.v1.EnvVarArgs(
            name="DB_PASSWORD",
            value_from=k8s.core.v1.EnvVarSourceArgs(
                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(name=f"db-{number}-login-1", key="password")
            ),
        ),
        k8s.core.v1.EnvVarArgs(
            name="REDIS_PASSWORD",
            value_from=k8s.core.v1.EnvVarSourceArgs(
                secret_key_ref=k8s.core.v1.SecretKeySelectorArgs(name=f"redis-{number}-app", key="password")
            ),
        ),
    ]
    k8s.autoscaling.v2.HorizontalPodAutoscaler(
        f"web-{number}-worker-autoscaler",
        metadata=metadata,
        spec=k8s.autoscaling.v2.HorizontalPodAutoscalerSpecArgs(
            min_replicas=3,
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
                kind="Deployment", api_version="apps/v1", name=f"web-{number}-worker"
            ),
            max_replicas=5,
            behavior=k8s.autoscaling.v2.HorizontalPodAutoscalerBehaviorArgs(
                scale_down=k8s.autoscaling.v2.HPAScalingRulesArgs(stabilization_window_seconds=300)
            ),
        ),
        opts=opts,
    )
    k8s.batch.v1.Job(
        f"web-{number}-migrate",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            annotations={
                "argocd.argoproj.io/hook": "Sync",
                "argocd.argoproj.io/hook-delete-policy": "BeforeHookCreation,HookSucceeded",
                **ORDER["4"],
            },
            name=f"web-{number}-migrate-f81de3862f",
            labels={
                "app.kubernetes.io/managed-by": "tierstack",
                "app.kubernetes.io/part-of": "bench",
                "app.kubernetes.io/name": f"web-{number}",
                "tierstack.dev/environment": "local",
                "app.kubernetes.io/component": "migration",
            },
        ),
        spec=k8s.batch.v1.JobSpecArgs(
            backoff_limit=4,
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    annotations={"tierstack.dev/revision": "13715e"},
                    labels={
                        "app.kubernetes.io/part-of": "bench",
                        "tierstack.dev/release": "11877e542476",
                        f"tierstack.dev/pooler-client.db-{number}": "true",
                        "app.kubernetes.io/component": "migration",
                        "app.kubernetes.io/managed-by": "tierstack",
                        "tierstack.dev/environment": "local",
                        "app.kubernetes.io/name": f"web-{number}",
                        f"tierstack.dev/server-client.db-{number}": "true",
                        f"tierstack.dev/redis-client.redis-{number}": "true",
                    },
                ),
                spec=k8s.core.v1.PodSpecArgs(
                    init_containers=[
                        k8s.core.v1.ContainerArgs(
                            name="database",
                            image=image("postgresql:17.6"),
                            command=["/bin/sh", "-c", WAIT],
                            env=[
                                k8s.core.v1.EnvVarArgs(name="DB_HOST", value=f"db-{number}-rw"),
                                k8s.core.v1.EnvVarArgs(name="DB_PORT", value="5432"),
                            ],
                            resources=k8s.core.v1.ResourceRequirementsArgs(
                                limits={"memory": "32Mi"}, requests={"cpu": "10m", "memory": "32Mi"}
                            ),
                            security_context=security_context_2,
                        )
                    ],
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            command=["/bin/sh", "-c", AGAIN, "sh", "php", "bin/migrate.php"],
                            resources=resources,
                            security_context=security_context_2,
                            env=[
                                *CONNECTIONS,
                                k8s.core.v1.EnvVarArgs(name="DB_CONNECTION", value="pgsql"),
                                k8s.core.v1.EnvVarArgs(name="DB_DATABASE", value="app"),
                                k8s.core.v1.EnvVarArgs(name="DB_DIRECT_HOST", value=f"db-{number}-rw"),
                                k8s.core.v1.EnvVarArgs(name="DB_DIRECT_PORT", value="5432"),
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
                            volume_mounts=volume_mounts,
                            image=image("shop:1"),
                            name="migrate",
                        )
                    ],
                    service_account_name=f"web-{number}",
                    security_context=security_context,
                    restart_policy="Never",
                    volumes=volumes,
                    automount_service_account_token=False,
                    enable_service_links=False,
                ),
            ),
            active_deadline_seconds=1500,
        ),
        opts=opts,
    )
    k8s.apps.v1.Deployment(
        f"web-{number}-worker",
        metadata=metadata,
        spec=k8s.apps.v1.DeploymentSpecArgs(
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    annotations={"tierstack.dev/revision": "13715e"},
                    labels={
                        "app.kubernetes.io/part-of": "bench",
                        "tierstack.dev/release": "11877e542476",
                        f"tierstack.dev/pooler-client.db-{number}": "true",
                        "app.kubernetes.io/component": "worker",
                        "app.kubernetes.io/managed-by": "tierstack",
                        "tierstack.dev/environment": "local",
                        "app.kubernetes.io/name": f"web-{number}",
                        f"tierstack.dev/redis-client.redis-{number}": "true",
                    },
                ),
                spec=k8s.core.v1.PodSpecArgs(
                    volumes=volumes,
                    service_account_name=f"web-{number}",
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            command=["php", "bin/worker.php"],
                            resources=resources,
                            security_context=security_context_2,
                            env=env,
                            volume_mounts=volume_mounts,
                            image=image("shop:1"),
                            name="worker",
                        )
                    ],
                    security_context=security_context,
                    termination_grace_period_seconds=60,
                    automount_service_account_token=False,
                    enable_service_links=False,
                ),
            ),
            strategy=k8s.apps.v1.DeploymentStrategyArgs(
                type="RollingUpdate",
                rolling_update=k8s.apps.v1.RollingUpdateDeploymentArgs(max_unavailable=1, max_surge="25%"),
            ),
            progress_deadline_seconds=600,
            selector=k8s.meta.v1.LabelSelectorArgs(
                match_labels={"app.kubernetes.io/name": f"web-{number}", "app.kubernetes.io/component": "worker"}
            ),
            revision_history_limit=5,
        ),
        opts=opts,
    )
    k8s.apps.v1.Deployment(
        f"web-{number}-scheduler",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench",
            annotations=ORDER["2"],
            name=f"web-{number}-scheduler",
            labels={
                "app.kubernetes.io/managed-by": "tierstack",
                "app.kubernetes.io/part-of": "bench",
                "app.kubernetes.io/name": f"web-{number}",
                "tierstack.dev/environment": "local",
                "app.kubernetes.io/component": "scheduler",
            },
        ),
        spec=k8s.apps.v1.DeploymentSpecArgs(
            template=k8s.core.v1.PodTemplateSpecArgs(
                metadata=k8s.meta.v1.ObjectMetaArgs(
                    annotations={"tierstack.dev/revision": "13715e"},
                    labels={
                        "app.kubernetes.io/part-of": "bench",
                        "tierstack.dev/release": "11877e542476",
                        f"tierstack.dev/pooler-client.db-{number}": "true",
                        "app.kubernetes.io/component": "scheduler",
                        "app.kubernetes.io/managed-by": "tierstack",
                        "tierstack.dev/environment": "local",
                        "app.kubernetes.io/name": f"web-{number}",
                        f"tierstack.dev/redis-client.redis-{number}": "true",
                    },
                ),
                spec=k8s.core.v1.PodSpecArgs(
                    volumes=volumes,
                    service_account_name=f"web-{number}",
                    containers=[
                        k8s.core.v1.ContainerArgs(
                            command=["php", "bin/scheduler.php"],
                            resources=resources,
                            security_context=security_context_2,
                            env=env,
                            volume_mounts=volume_mounts,
                            image=image("shop:1"),
                            name="scheduler",
                        )
                    ],
                    security_context=security_context,
                    termination_grace_period_seconds=60,
                    automount_service_account_token=False,
                    enable_service_links=False,
                ),
            ),
            strategy=k8s.apps.v1.DeploymentStrategyArgs(type="Recreate"),
            replicas=1,
            progress_deadline_seconds=600,
            selector=k8s.meta.v1.LabelSelectorArgs(
                match_labels={"app.kubernetes.io/name": f"web-{number}", "app.kubernetes.io/component": "scheduler"}
            ),
            revision_history_limit=5,
        ),
        opts=opts,
    )
