"""PostgreSQL on Kubernetes: a CloudNativePG Cluster and its Pooler, and who may reach them.

Field names are those of CloudNativePG 1.30. The operator makes the pods, their disruption budget and the Services
`<name>-rw` (the primary), `<name>-ro` (standbys) and `<name>-pooler`.

The operator keeps a CA for each Cluster, renews its certificates, and lets servers and poolers read them again; between
pooler and server, and between servers, it demands TLS by itself. Here clients are made to verify it.
"""

import pulumi

from tierstack.core.tier import poolers_in_rollout
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.kubernetes import (
    client_labels,
    direct_client_labels,
    pooler_resources,
    server_resources,
    spread,
)
from tierstack.database.postgresql import barman, sizing
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.links import DatabaseArchive, DatabaseConnection, TrustedCA
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes import network
from tierstack.platform.kubernetes.cluster import cluster
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import Manifest
from tierstack.platform.kubernetes.quantities import mebibytes

_POSTGRESQL = "postgresql.cnpg.io/v1"
_PORT = POSTGRESQL.server.port
_STATUS_PORT = 8000
"""Port of the instance manager, which the operator and the other instances ask."""
_STATISTICS = {"pg_stat_statements.max": "5000", "pg_stat_statements.track": "top"}
"""Statistics of statements: CloudNativePG loads the library, and makes the extension, where one of its parameters is
given (manual, "PostgreSQL Configuration": managed extensions)."""
QUORUM_FROM = 3
"""Instances from which a commit waits for a standby: with two, the loss of either would stop all writes."""


def _cluster_labels(name: str) -> dict[str, str]:
    """Labels of all pods of the Cluster: its servers, its poolers and the operator's jobs."""
    return {"cnpg.io/cluster": name}


def _servers(name: str) -> dict[str, str]:
    """Labels of its servers alone."""
    return {**_cluster_labels(name), "cnpg.io/podRole": "instance"}


def cluster_manifest(name: str, args: DatabaseWithReplicasArgs, secret: pulumi.Input[str]) -> Manifest:
    """The Cluster. Nothing in it that differs between tiers is immutable: a tier change updates it in place.

    The operator's defaults for stopping and switching over are an hour and half an hour, far more than a shop can
    stand still; these are the times after which a stop is forced (fast, then immediate: crash recovery, no loss).
    """
    size = args.size()
    instances = size.replicas + 1
    parameters = {**_STATISTICS, **sizing.server_settings(size, args.parameters)}
    postgresql: Manifest = {"parameters": parameters}
    if instances >= QUORUM_FROM:
        # A commit is acknowledged by any one standby besides the primary. While there is none (a database that grows,
        # both lost), `preferred` lets the shop write on, and the failover quorum then refuses to promote anything that
        # may lack such a commit: the primary's own volume has it. `required` would refuse all orders meanwhile.
        quorum = {"method": "any", "number": 1, "dataDurability": "preferred", "failoverQuorum": True}
        postgresql["synchronous"] = quorum
    if args.tls is TLSMode.REQUIRE:
        # Before the operator's own last rule, which admits clients in plaintext too.
        postgresql["pg_hba"] = ["hostnossl all all all reject"]
    spec: Manifest = {
        "instances": instances,
        "imageName": args.image,
        "enableSuperuserAccess": False,
        # A budget for a single instance would only keep its node from being drained.
        "enablePDB": instances > 1,
        "primaryUpdateStrategy": "unsupervised",
        "primaryUpdateMethod": "switchover",
        "switchoverDelay": 60,
        "smartShutdownTimeout": 10,
        "stopDelay": 90,
        # A standby may take over only when the primary's lease has stood still this long: most of the time that the
        # loss of a primary costs (15 s by default). It costs a write to the API server a second. An API server that
        # does not answer stops no primary: only another holder of the lease does (CloudNativePG manual, "Failover").
        "primaryLease": {"leaseDurationSeconds": 3, "renewDeadlineSeconds": 2, "retryPeriodSeconds": 1},
        "bootstrap": {
            "initdb": {
                "database": args.database,
                "owner": args.user,
                "secret": {"name": secret},
                "dataChecksums": True,
                "encoding": "UTF8",
                # The built-in locale sorts alike under every C library, as on Docker.
                "locale": "C",
                "localeProvider": "builtin",
                "builtinLocale": "C.UTF-8",
            }
        },
        "postgresql": postgresql,
        "storage": _volume(size.storage_gb, args),
        "walStorage": _volume(size.wal_storage_gb, args),
        "resources": server_resources(size),
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required",
            "topologyKey": "kubernetes.io/hostname",
        },
        "topologySpreadConstraints": [spread(_servers(name))],
    }
    if args.tls is not TLSMode.DISABLE:
        # The poolers show the servers' certificate, which must have their name too.
        pooler = f"{name}-pooler"
        hosts = [pooler, f"{pooler}.{args.platform.name}", f"{pooler}.{args.platform.name}.svc"]
        spec["certificates"] = {"serverAltDNSNames": hosts}
    if args.archive is not None:
        spec["plugins"] = [barman.plugin(name)]
    return _object(_POSTGRESQL, "Cluster", name, spec)


def pooler_manifest(name: str, args: DatabaseWithReplicasArgs) -> Manifest:
    """The Pooler. Its cluster is immutable, and never changes."""
    size = args.size()
    pooler = f"{name}-pooler"
    # The operator's defaults are `prefer` for clients and `verify-ca` for servers.
    verified = {} if args.tls is TLSMode.DISABLE else {"server_tls_sslmode": "verify-full"}
    demanded = {"client_tls_sslmode": "require"} if args.tls is TLSMode.REQUIRE else {}
    parameters = {**sizing.pooler_settings(size), **verified, **demanded}
    # The operator adds the security context of the `restricted` standard itself.
    container: Manifest = {"name": "pgbouncer", "resources": pooler_resources(args.data_engine, size)}
    if args.pooler_image is not None:
        container["image"] = args.pooler_image
    spec: Manifest = {
        "cluster": {"name": name},
        "instances": size.poolers,
        "type": "rw",
        "pgbouncer": {"poolMode": "transaction", "parameters": parameters},
        "deploymentStrategy": {"type": "RollingUpdate", "rollingUpdate": _rollout(size.poolers)},
        "template": {
            "spec": {
                "containers": [container],
                "topologySpreadConstraints": [
                    spread({"cnpg.io/poolerName": pooler}, "kubernetes.io/hostname"),
                    spread({"cnpg.io/poolerName": pooler}),
                ],
            },
        },
    }
    return _object(_POSTGRESQL, "Pooler", pooler, spec)


def pooler_budget(name: str) -> Manifest:
    """A drain takes one pooler at a time."""
    selector = {"matchLabels": {"cnpg.io/poolerName": f"{name}-pooler"}}
    return _object("policy/v1", "PodDisruptionBudget", f"{name}-pooler", {"maxUnavailable": 1, "selector": selector})


def pooler_policy(name: str) -> Manifest:
    """Only pods with the client labels reach the pooler."""
    rules = [network.ingress([network.pods(client_labels(name))], _PORT)]
    return network.policy(f"{name}-pooler", {"cnpg.io/poolerName": f"{name}-pooler"}, ingress=rules)


def server_policy(name: str, operator_namespace: str) -> Manifest:
    """Only the pooler, the operator, the servers themselves and pods with the direct labels reach a server."""
    own, operator = network.pods(_cluster_labels(name)), network.namespace(operator_namespace)
    pooler = network.pods({"cnpg.io/poolerName": f"{name}-pooler"})
    clients = [own, pooler, network.pods(direct_client_labels(name)), operator]
    rules = [network.ingress(clients, _PORT), network.ingress([own, operator], _STATUS_PORT)]
    return network.policy(f"{name}-server", _servers(name), ingress=rules)


def egress_policy(name: str) -> Manifest:
    """Servers, poolers and the operator's jobs reach each other, DNS and the API server, which all of them ask."""
    own = network.egress([network.pods(_cluster_labels(name))], _PORT, _STATUS_PORT)
    rules = [own, network.DNS, network.API_SERVER]
    return network.policy(f"{name}-egress", _cluster_labels(name), egress=rules)


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> DatabaseConnection:
    """Everything of the database in the namespace of `args.platform`."""
    namespace = cluster(args.platform, parent)
    password = namespace.generated_secret(
        f"{name}-app", parent, fixed={"username": args.user}, secret_type="kubernetes.io/basic-auth"
    )
    admitted = [
        namespace.object(f"{name}-server-policy", parent, server_policy(name, args.namespace_of_operator)),
        namespace.object(f"{name}-pooler-policy", parent, pooler_policy(name)),
    ]
    if args.platform.default_deny:
        admitted.append(namespace.object(f"{name}-egress-policy", parent, egress_policy(name)))
    if args.archive:
        # It says where the backups are: without it a database that is kept can neither archive nor be restored.
        store = barman.object_store(name, args.archive)
        admitted.append(namespace.object(f"{name}-archive", parent, store, data=True))
        if args.platform.default_deny:
            policy = barman.bucket_policy(name, args.archive.store, _cluster_labels(name))
            admitted.append(namespace.object(f"{name}-bucket-policy", parent, policy))
    manifest = cluster_manifest(name, args, password.secret_name or "")
    manifest["metadata"]["annotations"] = {"pulumi.com/waitFor": "condition=Ready"}
    data = Step.DATA
    server = namespace.object(name, parent, manifest, data=True, step=data, depends_on=admitted, timeout="20m")
    pooling = pooler_manifest(name, args)
    # The operator makes the Deployment anew for as long as the Pooler exists, and a foreground deletion keeps the
    # Pooler for as long as the Deployment exists: it would never end.
    pooling["metadata"]["annotations"] = {"pulumi.com/deletionPropagationPolicy": "background"}
    pooler = namespace.object(f"{name}-pooler", parent, pooling, step=data, depends_on=[server])
    namespace.object(f"{name}-pooler-budget", parent, pooler_budget(name), step=data)
    verified = args.tls is not TLSMode.DISABLE
    return DatabaseConnection(
        engine=args.engine.value,
        environment=args.data_engine.client_environment(verified=verified),
        # Names that are known once the object is there, so that what uses them waits for it.
        host=pooler.urn.apply(lambda _: f"{name}-pooler"),
        port=str(_PORT),
        direct_host=server.urn.apply(lambda _: f"{name}-rw"),
        direct_port=str(_PORT),
        database=args.database,
        user=args.user,
        password=password,
        client_labels=client_labels(name),
        direct_client_labels=direct_client_labels(name),
        archive=_archive(name, args),
        place=args.platform.place,
        client_image=args.image,
        ready_command=args.data_engine.ready_command(args.user, args.database),
        # Beside the key, which is not mounted. The operator makes it; pods wait for it.
        ca=TrustedCA(secret_name=f"{name}-ca") if verified else None,
    )


def _archive(name: str, args: DatabaseWithReplicasArgs) -> DatabaseArchive | None:
    if args.archive is None:
        return None
    return DatabaseArchive(
        cluster=name,
        object_store=barman.object_store_name(name),
        location=args.archive.store.location,
        retention_days=args.archive.retention_days,
    )


def _object(api_version: str, kind: str, name: str, spec: Manifest) -> Manifest:
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": spec}


def _volume(gigabytes: int, args: DatabaseWithReplicasArgs) -> Manifest:
    volume: Manifest = {"size": mebibytes(gigabytes * 1024), "resizeInUseVolumes": True}
    if args.platform.storage_class is not None:
        volume["storageClass"] = args.platform.storage_class
    return volume


def _rollout(poolers: int) -> Manifest:
    """Several: one leaves before the next comes, so that their pools never add up to more than the server admits. A
    single one starts beside the one that it replaces, which its connections are counted for."""
    beside = poolers_in_rollout(poolers) - poolers
    return {"maxSurge": beside, "maxUnavailable": 1 - beside}
