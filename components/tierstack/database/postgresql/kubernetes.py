"""PostgreSQL on Kubernetes: a CloudNativePG Cluster and its Pooler, and who may reach them.

Field names are those of CloudNativePG 1.30. The operator makes the pods, their disruption budget and the Services
`<name>-rw` (the primary), `<name>-ro` (standbys), `<name>-pooler` and `<name>-pooler-ro`.

The operator keeps a CA for each Cluster, renews its certificates, and lets servers and poolers read them again; between
pooler and server, and between servers, it demands TLS by itself. Here clients are made to verify it.
"""

from collections.abc import Mapping

import pulumi

from tierstack.core.tier import poolers_in_rollout
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.kubernetes import client_labels, direct_client_labels
from tierstack.database.postgresql import barman, database_roles, sizing
from tierstack.database.postgresql.cnpg import POSTGRESQL_API, cluster_labels, pooler_labels, server_labels
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.database.roles import MONITOR, READ, Logins
from tierstack.links import DatabaseArchive, DatabaseConnection, ObjectStore, SecretRef, TrustedCA
from tierstack.platform.internal_ca import TLSMode
from tierstack.platform.kubernetes import network, workload
from tierstack.platform.kubernetes.budget import disruption_budget
from tierstack.platform.kubernetes.cluster import Cluster, cluster
from tierstack.platform.kubernetes.gitops import Step
from tierstack.platform.kubernetes.manifest import BACKGROUND_DELETION, WAIT_READY, Manifest, manifest
from tierstack.platform.kubernetes.placement import NODE, ZONE, spread
from tierstack.platform.kubernetes.plan import Planned
from tierstack.platform.kubernetes.quantities import gibibytes, resources

_PORT = POSTGRESQL.server.port
_STATUS_PORT = 8000
"""Port of the instance manager, which the operator and the other instances ask."""
_STATISTICS = {"pg_stat_statements.max": "5000", "pg_stat_statements.track": "top"}
"""Statistics of statements: CloudNativePG loads the library, and makes the extension, where one of its parameters is
given (manual, "PostgreSQL Configuration": managed extensions)."""
QUORUM_FROM = 3
"""Instances from which a commit waits for a standby: with two, the loss of either would stop all writes."""


def poolers(name: str, args: DatabaseWithReplicasArgs) -> dict[str, str]:
    """The Poolers by name, each with the servers that it leads to, as CloudNativePG calls them."""
    return {f"{name}-pooler": "rw", **({f"{name}-pooler-ro": "ro"} if args.read_poolers else {})}


def _cluster(name: str, args: DatabaseWithReplicasArgs, secret: pulumi.Input[str]) -> Manifest:
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
        **_origin(name, args, secret),
        "postgresql": postgresql,
        "storage": _volume(size.storage_gb, args),
        "walStorage": _volume(size.wal_storage_gb, args),
        "resources": resources(size.memory_mb, size.cpu, guaranteed=True),
        "affinity": {
            "enablePodAntiAffinity": True,
            "podAntiAffinityType": "required",
            "topologyKey": NODE,
        },
        "topologySpreadConstraints": spread(server_labels(name), [ZONE]),
    }
    if args.tls is not TLSMode.DISABLE:
        # The poolers show the servers' certificate, which must have their name too.
        space = args.platform.name
        hosts = [host for one in poolers(name, args) for host in (one, f"{one}.{space}", f"{one}.{space}.svc")]
        spec["certificates"] = {"serverAltDNSNames": hosts}
    if args.archive is not None:
        spec["plugins"] = [barman.plugin(name, args.archive)]
    return manifest(POSTGRESQL_API, "Cluster", name, spec, annotations=WAIT_READY)


def _origin(name: str, args: DatabaseWithReplicasArgs, secret: pulumi.Input[str]) -> Manifest:
    """What the Cluster is made from. The operator reads it again only for the names and the Secret, which are the same
    in both cases: it gives the user the password of the Secret, after a recovery too."""
    application = {"database": args.database, "owner": args.user, "secret": {"name": secret}}
    if args.restore is not None:
        recovery, origin = barman.recovery(name, args.restore)
        return {"bootstrap": {"recovery": {**recovery, **application}}, "externalClusters": [origin]}
    settings = {
        "dataChecksums": True,
        "encoding": "UTF8",
        # The built-in locale sorts alike under every C library, as on Docker.
        "locale": "C",
        "localeProvider": "builtin",
        "builtinLocale": "C.UTF-8",
    }
    return {"bootstrap": {"initdb": {**application, **settings}}}


def _pooler(name: str, args: DatabaseWithReplicasArgs, pooler: str, kind: str) -> Manifest:
    """A Pooler. Its cluster is immutable, and never changes. `kind`: see `poolers`."""
    size = args.size()
    instances = size.poolers if kind == "rw" else args.read_poolers
    # The operator's defaults are `prefer` for clients and `verify-ca` for servers.
    verified = {} if args.tls is TLSMode.DISABLE else {"server_tls_sslmode": "verify-full"}
    demanded = {"client_tls_sslmode": "require"} if args.tls is TLSMode.REQUIRE else {}
    parameters = {**sizing.pooler_settings(size), **verified, **demanded}
    # The operator adds the security context of the `restricted` standard itself.
    reserved = resources(args.data_engine.pooler_memory_mb(size), size.pooler_cpu)
    container: Manifest = {"name": "pgbouncer", "resources": reserved}
    if args.pooler_image is not None:
        container["image"] = args.pooler_image
    spec: Manifest = {
        "cluster": {"name": name},
        "instances": instances,
        "type": kind,
        "pgbouncer": {"poolMode": "transaction", "parameters": parameters},
        "deploymentStrategy": _rollout(instances),
        "template": {
            "spec": {
                "containers": [container],
                "topologySpreadConstraints": spread(pooler_labels(pooler), [NODE, ZONE]),
            },
        },
    }
    # The operator makes the Deployment anew for as long as the Pooler exists, and a foreground deletion keeps the
    # Pooler for as long as the Deployment exists: it would never end.
    return manifest(POSTGRESQL_API, "Pooler", pooler, spec, annotations=BACKGROUND_DELETION)


def _pooler_policy(name: str, pooler: str) -> Manifest:
    """Only pods with the client labels reach a pooler."""
    rules = [network.ingress([network.pods(client_labels(name))], _PORT)]
    return network.policy(pooler, pooler_labels(pooler), ingress=rules)


def _server_policy(name: str, args: DatabaseWithReplicasArgs) -> Manifest:
    """Only the poolers, the operator, the servers themselves and pods with the direct labels reach a server."""
    own, operator = network.pods(cluster_labels(name)), network.namespace(args.namespace_of_operator)
    pooled = [network.pods(pooler_labels(one)) for one in poolers(name, args)]
    clients = [own, *pooled, network.pods(direct_client_labels(name)), operator]
    rules = [network.ingress(clients, _PORT), network.ingress([own, operator], _STATUS_PORT)]
    return network.policy(f"{name}-server", server_labels(name), ingress=rules)


def _egress_policy(name: str) -> Manifest:
    """Servers, poolers and the operator's jobs reach each other, DNS and the API server, which all of them ask."""
    own = network.egress([network.pods(cluster_labels(name))], _PORT, _STATUS_PORT)
    rules = [own, network.DNS, network.API_SERVER]
    return network.policy(f"{name}-egress", cluster_labels(name), egress=rules)


def plan(
    name: str, args: DatabaseWithReplicasArgs, logins: Logins, secrets: Mapping[str, pulumi.Input[str]]
) -> list[Planned]:
    """Everything, in order: who may reach it and where it archives, its servers, and what needs them: roles, poolers.
    `secrets`: the names of the Secrets with the passwords, by role."""
    before = _before(name, args)
    admitted = tuple(one.name for one in before)
    minutes = max(20, args.restore.wait_minutes) if args.restore else 20
    found = [
        *before,
        Planned(name, _cluster(name, args, secrets[logins.owner]), admitted, data=True, timeout=f"{minutes}m"),
        *database_roles.plan(name, args, logins, secrets),
    ]
    for pooler, kind in poolers(name, args).items():
        budget = disruption_budget(pooler, pooler_labels(pooler))
        found += [
            Planned(pooler, _pooler(name, args, pooler, kind), (name,)),
            Planned(f"{pooler}-budget", budget),
        ]
    return found


def _before(name: str, args: DatabaseWithReplicasArgs) -> list[Planned]:
    """What the first server needs from its first second."""
    closed, archive = args.platform.default_deny, args.archive
    found = [
        Planned(f"{name}-server-policy", _server_policy(name, args)),
        *(Planned(f"{one}-policy", _pooler_policy(name, one)) for one in poolers(name, args)),
    ]
    if closed:
        found.append(Planned(f"{name}-egress-policy", _egress_policy(name)))
    if archive:
        # It says where the backups are: without it a database that is kept can neither archive nor be restored.
        store = barman.object_store(name, archive, args.size().replicas)
        found.append(Planned(f"{name}-archive", store, data=True))
    read = _read_stores(name, args)
    for object_name, one in read.items():
        found.append(Planned(object_name, barman.source_store(object_name, one, archive, args.size().replicas)))
    ports = [one.port for one in [*([archive.store] if archive else []), *read.values()]]
    if ports and closed:
        policy = barman.bucket_policy(name, ports, cluster_labels(name))
        found.append(Planned(f"{name}-bucket-policy", policy))
    return found


def _read_stores(name: str, args: DatabaseWithReplicasArgs) -> dict[str, ObjectStore]:
    """The buckets that are only read, by the names of their ObjectStores."""
    found: dict[str, ObjectStore] = {}
    if args.restore and args.restore.store:
        found[barman.origin_store_name(name)] = args.restore.store
    if args.archive and args.archive.read_store:
        found[barman.reader_store_name(name)] = args.archive.read_store
    return found


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource, logins: Logins) -> DatabaseConnection:
    """Everything of the database in the namespace of `args.platform`."""
    on = cluster(args.platform, parent)
    passwords = _passwords(name, on, parent, logins)
    secrets = {role: one.secret_name or "" for role, one in passwords.items()}
    made = on.apply(parent, plan(name, args, logins, secrets), step=Step.DATA)
    verified = args.tls is not TLSMode.DISABLE
    pooled = [made[one].urn for one in poolers(name, args)]
    # Names that are known once the objects are there and the login works, so that what uses them waits for that.
    ready = pulumi.Output.all(made[name].urn, made[database_roles.job_name(name)].urn)
    return DatabaseConnection(
        engine=args.engine.value,
        environment=args.data_engine.client_environment(verified=verified),
        host=pulumi.Output.all(ready, *pooled).apply(lambda _: f"{name}-pooler"),
        port=str(_PORT),
        direct_host=ready.apply(lambda _: f"{name}-rw"),
        direct_port=str(_PORT),
        database=args.database,
        user=logins.active,
        password=passwords[logins.active],
        read_host=pulumi.Output.all(ready, *pooled).apply(lambda _: f"{name}-pooler-ro") if args.read_poolers else None,
        read_port=str(_PORT) if args.read_poolers else None,
        read_user=READ,
        read_password=passwords[READ],
        monitor_user=MONITOR,
        monitor_password=passwords[MONITOR],
        client_labels=client_labels(name),
        direct_client_labels=direct_client_labels(name),
        archive=_archive(name, args),
        place=args.platform.place,
        client_image=args.image,
        ready_command=args.data_engine.ready_command(args.user, args.database),
        # Beside the key, which is not mounted. The operator makes it; pods wait for it.
        ca=TrustedCA(secret_name=f"{name}-ca") if verified else None,
    )


def _passwords(name: str, on: Cluster, parent: pulumi.Resource, logins: Logins) -> dict[str, SecretRef]:
    """The Secret of each role. That of the owner is the operator's, which demands one; nobody is given it."""
    names = {role: database_roles.secret_name(name, generation) for role, generation in logins.generations.items()}
    kept = {logins.owner: f"{name}-app", READ: f"{name}-read", MONITOR: f"{name}-monitor"}
    kind = "kubernetes.io/basic-auth"
    return {
        role: on.generated_secret(
            secret, parent, fixed={"username": role}, secret_type=kind, outlives_file=role == logins.owner
        )
        for role, secret in (kept | names).items()
    }


def _archive(name: str, args: DatabaseWithReplicasArgs) -> DatabaseArchive | None:
    if args.archive is None:
        return None
    reader = barman.reader_store_name(name) if args.archive.read_store else None
    return DatabaseArchive(
        cluster=name,
        object_store=barman.object_store_name(name),
        server_name=args.archive.server_name,
        read_store=reader,
        port=args.archive.store.port,
        operator_namespace=args.namespace_of_operator,
        location=args.archive.store.location,
        retention_days=args.archive.retention_days,
    )


def _volume(gigabytes: int, args: DatabaseWithReplicasArgs) -> Manifest:
    volume: Manifest = {"size": gibibytes(gigabytes), "resizeInUseVolumes": True}
    if args.platform.storage_class is not None:
        volume["storageClass"] = args.platform.storage_class
    return volume


def _rollout(poolers: int) -> Manifest:
    """Several: one leaves before the next comes, so that their pools never add up to more than the server admits. A
    single one starts beside the one that it replaces, which its connections are counted for."""
    beside = poolers_in_rollout(poolers) - poolers
    return workload.rolling(unavailable=1 - beside, surge=beside)
