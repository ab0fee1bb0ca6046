"""PostgreSQL of a shop and its backups."""

import pulumi
import pulumi_kubernetes as k8s

from bench.handwritten.common import KEPT, ORDER, image, labels
from bench.handwritten.network import bucket, database
from bench.handwritten.roles import roles


def db(number: str, opts: pulumi.ResourceOptions) -> None:
    """PostgreSQL with its pooler."""
    marks = labels(f"db-{number}", "database-with-replicas")
    metadata = k8s.meta.v1.ObjectMetaArgs(
        namespace="bench",
        annotations=ORDER["2"],
        name=f"db-{number}-pooler",
        labels=labels(f"db-{number}", "database-with-replicas"),
    )
    k8s.apiextensions.CustomResource(
        f"db-{number}-app-generator",
        api_version="generators.external-secrets.io/v1alpha1",
        kind="Password",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"db-{number}-app", labels=marks, annotations=KEPT),
        spec={"symbols": 0, "noUpper": False, "digits": 8, "length": 32, "allowRepeat": True},
        opts=opts,
    )
    k8s.networking.v1.NetworkPolicy(
        f"db-{number}-server-policy",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"db-{number}-server", labels=marks, annotations=ORDER["2"]
        ),
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            ingress=[
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/cluster": f"db-{number}"})
                        ),
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            pod_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={"cnpg.io/poolerName": f"db-{number}-pooler"}
                            )
                        ),
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            pod_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={f"tierstack.dev/server-client.db-{number}": "true"}
                            )
                        ),
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            namespace_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={"kubernetes.io/metadata.name": "cnpg-system"}
                            )
                        ),
                    ],
                    ports=[k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=5432)],
                ),
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/cluster": f"db-{number}"})
                        ),
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            namespace_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={"kubernetes.io/metadata.name": "cnpg-system"}
                            )
                        ),
                    ],
                    ports=[k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=8000)],
                ),
            ],
            policy_types=["Ingress"],
            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/cluster": f"db-{number}"}),
        ),
        opts=opts,
    )
    k8s.networking.v1.NetworkPolicy(
        f"db-{number}-pooler-policy",
        metadata=metadata,
        spec=k8s.networking.v1.NetworkPolicySpecArgs(
            ingress=[
                k8s.networking.v1.NetworkPolicyIngressRuleArgs(
                    from_=[
                        k8s.networking.v1.NetworkPolicyPeerArgs(
                            pod_selector=k8s.meta.v1.LabelSelectorArgs(
                                match_labels={f"tierstack.dev/pooler-client.db-{number}": "true"}
                            )
                        )
                    ],
                    ports=[k8s.networking.v1.NetworkPolicyPortArgs(protocol="TCP", port=5432)],
                )
            ],
            policy_types=["Ingress"],
            pod_selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/poolerName": f"db-{number}-pooler"}),
        ),
        opts=opts,
    )
    k8s.policy.v1.PodDisruptionBudget(
        f"db-{number}-pooler-budget",
        metadata=metadata,
        spec=k8s.policy.v1.PodDisruptionBudgetSpecArgs(
            max_unavailable=1,
            selector=k8s.meta.v1.LabelSelectorArgs(match_labels={"cnpg.io/poolerName": f"db-{number}-pooler"}),
        ),
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"db-{number}-app",
        api_version="external-secrets.io/v1",
        kind="ExternalSecret",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"db-{number}-app", labels=marks, annotations=KEPT),
        spec={
            "target": {
                "name": f"db-{number}-app",
                "template": {
                    "type": "kubernetes.io/basic-auth",
                    "data": {"password": "{{ .password }}", "username": "app"},
                },
            },
            "dataFrom": [
                {
                    "sourceRef": {
                        "generatorRef": {
                            "kind": "Password",
                            "apiVersion": "generators.external-secrets.io/v1alpha1",
                            "name": f"db-{number}-app",
                        }
                    }
                }
            ],
            "refreshPolicy": "CreatedOnce",
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"db-{number}",
        api_version="postgresql.cnpg.io/v1",
        kind="Cluster",
        metadata=k8s.meta.v1.ObjectMetaArgs(namespace="bench", name=f"db-{number}", labels=marks, annotations=KEPT),
        spec={
            "certificates": {
                "serverAltDNSNames": [
                    f"db-{number}-pooler",
                    f"db-{number}-pooler.bench",
                    f"db-{number}-pooler.bench.svc",
                ]
            },
            "bootstrap": {
                "initdb": {
                    "localeProvider": "builtin",
                    "locale": "C",
                    "dataChecksums": True,
                    "secret": {"name": f"db-{number}-app"},
                    "owner": "app",
                    "encoding": "UTF8",
                    "database": "app",
                    "builtinLocale": "C.UTF-8",
                }
            },
            "instances": 1,
            "inheritedMetadata": {"labels": labels(f"db-{number}", "database-with-replicas")},
            "primaryUpdateMethod": "switchover",
            "resources": {
                "limits": {"cpu": "2000m", "memory": "2048Mi"},
                "requests": {"cpu": "2000m", "memory": "2048Mi"},
            },
            "enableSuperuserAccess": False,
            "smartShutdownTimeout": 10,
            "imageName": image("postgresql:17.6"),
            "primaryUpdateStrategy": "unsupervised",
            "plugins": [
                {
                    "parameters": {"barmanObjectName": f"db-{number}-archive"},
                    "isWALArchiver": True,
                    "name": "barman-cloud.cloudnative-pg.io",
                }
            ],
            "walStorage": {"resizeInUseVolumes": True, "size": "10Gi"},
            "stopDelay": 90,
            "topologySpreadConstraints": [
                {
                    "topologyKey": "topology.kubernetes.io/zone",
                    "labelSelector": {"matchLabels": {"cnpg.io/cluster": f"db-{number}"}},
                    "maxSkew": 1,
                    "whenUnsatisfiable": "ScheduleAnyway",
                }
            ],
            "affinity": {
                "topologyKey": "kubernetes.io/hostname",
                "enablePodAntiAffinity": True,
                "podAntiAffinityType": "required",
            },
            "postgresql": {
                "pg_hba": ["hostnossl all all all reject"],
                "parameters": {
                    "max_connections": "100",
                    "log_lock_waits": "on",
                    "max_wal_senders": "16",
                    "max_replication_slots": "16",
                    "shared_buffers": "512MB",
                    "maintenance_work_mem": "128MB",
                    "wal_compression": "on",
                    "max_slot_wal_keep_size": "5120MB",
                    "archive_timeout": "60s",
                    "effective_cache_size": "1536MB",
                    "max_parallel_workers_per_gather": "1",
                    "min_wal_size": "640MB",
                    "wal_level": "logical",
                    "max_parallel_workers": "2",
                    "random_page_cost": "1.1",
                    "work_mem": "9892kB",
                    "max_wal_size": "2560MB",
                    "max_worker_processes": "16",
                    "idle_in_transaction_session_timeout": "5min",
                },
            },
            "enablePDB": False,
            "storage": {"resizeInUseVolumes": True, "size": "50Gi"},
            "switchoverDelay": 60,
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"db-{number}-pooler",
        api_version="postgresql.cnpg.io/v1",
        kind="Pooler",
        metadata=metadata,
        spec={
            "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "instances": 1,
            "type": "rw",
            "cluster": {"name": f"db-{number}"},
            "template": {
                "metadata": {"labels": labels(f"db-{number}", "database-with-replicas")},
                "spec": {
                    "topologySpreadConstraints": [
                        {
                            "topologyKey": "kubernetes.io/hostname",
                            "labelSelector": {"matchLabels": {"cnpg.io/poolerName": f"db-{number}-pooler"}},
                            "maxSkew": 1,
                            "whenUnsatisfiable": "ScheduleAnyway",
                        },
                        {
                            "topologyKey": "topology.kubernetes.io/zone",
                            "labelSelector": {"matchLabels": {"cnpg.io/poolerName": f"db-{number}-pooler"}},
                            "maxSkew": 1,
                            "whenUnsatisfiable": "ScheduleAnyway",
                        },
                    ],
                    "containers": [
                        {
                            "resources": {
                                "limits": {"cpu": "500m", "memory": "159Mi"},
                                "requests": {"cpu": "500m", "memory": "159Mi"},
                            },
                            "name": "pgbouncer",
                            "image": image("pgbouncer:1.24"),
                        }
                    ],
                },
            },
            "pgbouncer": {
                "parameters": {
                    "client_tls_sslmode": "require",
                    "server_tls_sslmode": "verify-full",
                    "log_disconnections": "0",
                    "log_connections": "0",
                    "max_prepared_statements": "200",
                    "idle_transaction_timeout": "60",
                    "server_connect_timeout": "5",
                    "server_login_retry": "1",
                    "ignore_startup_parameters": "extra_float_digits",
                    "default_pool_size": "40",
                    "query_wait_timeout": "30",
                    "max_client_conn": "500",
                    "max_db_connections": "40",
                },
                "poolMode": "transaction",
            },
        },
        opts=opts,
    )
    database(number, opts)
    roles(number, opts)


def storage(number: str, opts: pulumi.ResourceOptions) -> None:
    """The credentials of a bucket."""
    marks = labels(f"storage-{number}", "object-storage")
    k8s.apiextensions.CustomResource(
        f"storage-{number}-credentials",
        api_version="external-secrets.io/v1",
        kind="ExternalSecret",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"storage-{number}-credentials", labels=marks, annotations=ORDER["2"]
        ),
        spec={
            "target": {"name": f"storage-{number}-credentials"},
            "secretStoreRef": {"kind": "ClusterSecretStore", "name": "vault"},
            "refreshInterval": "1h",
            "data": [
                {
                    "secretKey": "access-key-id",
                    "remoteRef": {"key": f"bench/storage-{number}-credentials", "property": "access-key-id"},
                },
                {
                    "secretKey": "secret-access-key",
                    "remoteRef": {"key": f"bench/storage-{number}-credentials", "property": "secret-access-key"},
                },
            ],
        },
        opts=opts,
    )


def backups(number: str, opts: pulumi.ResourceOptions) -> None:
    """Base backups and WAL into a bucket."""
    marks = labels(f"backups-{number}", "backup-schedule")
    k8s.apiextensions.CustomResource(
        f"db-{number}-archive",
        api_version="barmancloud.cnpg.io/v1",
        kind="ObjectStore",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"db-{number}-archive", labels=marks, annotations=ORDER["2"]
        ),
        spec={
            "configuration": {
                "wal": {"maxParallel": 4, "compression": "gzip"},
                "s3Credentials": {
                    "accessKeyId": {"name": f"storage-{number}-credentials", "key": "access-key-id"},
                    "secretAccessKey": {"name": f"storage-{number}-credentials", "key": "secret-access-key"},
                },
                "data": {"compression": "gzip", "jobs": 2},
                "destinationPath": "s3://backups",
            },
            "instanceSidecarConfiguration": {
                "resources": {"limits": {"memory": "512Mi"}, "requests": {"cpu": "100m", "memory": "128Mi"}},
                "env": [{"name": "AWS_DEFAULT_REGION", "value": "eu-central-1"}],
            },
            "retentionPolicy": "14d",
        },
        opts=opts,
    )
    k8s.apiextensions.CustomResource(
        f"backups-{number}-schedule",
        api_version="postgresql.cnpg.io/v1",
        kind="ScheduledBackup",
        metadata=k8s.meta.v1.ObjectMetaArgs(
            namespace="bench", name=f"backups-{number}", labels=marks, annotations=ORDER["2"]
        ),
        spec={
            "target": "prefer-standby",
            "method": "plugin",
            "cluster": {"name": f"db-{number}"},
            "pluginConfiguration": {"name": "barman-cloud.cloudnative-pg.io"},
            "immediate": True,
            "backupOwnerReference": "self",
            "schedule": "0 30 3 * * *",
        },
        opts=opts,
    )
    bucket(number, opts)
