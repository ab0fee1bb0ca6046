"""BackupSchedule on a Docker host: one container with Barman beside the primary, and a volume for its catalog."""

import pulumi

from tierstack.backup_schedule import agent, alerts, bucket, config, docker_store, recovery
from tierstack.backup_schedule.args import BackupScheduleArgs, DrillArgs
from tierstack.backup_schedule.memory import PREPARE_MB
from tierstack.backup_schedule.restore import ENVIRONMENT, PYTHON, StoreAt
from tierstack.links import ObjectStore, SecretRef, StorePurpose
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.platform.internal_ca import ca_directory
from tierstack.platform.revision import ANNOTATION, revision_of

OWNER = (26, 26)
"""User and group of the container, as PostgreSQL's: what it restores then belongs to the server. The image's
/var/lib/barman belongs to them, and a new volume takes that over."""


def build(name: str, args: BackupScheduleArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.image is not None  # by the arguments' rules
    assert args.database.direct_network is not None
    here = host(args.platform, parent)
    settings = here.volume(f"{name}-config", parent, data=False)
    catalog = here.volume(f"{name}-catalog", parent, data=True)
    store = docker_store.build(name, args, args.store, here, parent, OWNER) if args.store else None
    program = config.program(store=store is not None)
    written = _files(args, alerts.labels(name, args), store)
    configured = here.files(
        f"{name}-files",
        parent,
        volume=settings,
        files={**written, **program},
        image=args.image,
        owner=OWNER,
    )
    asking = [Mount(volume=configured.volume, path=str(agent.CONFIG), read_only=True)]
    if args.database.ca and args.database.ca.volume is not None:
        asking.append(Mount(volume=args.database.ca.volume, path=ca_directory("database"), read_only=True))
    service = Service(
        image=args.image,
        command=[*PYTHON, "run"],
        user=f"{OWNER[0]}:{OWNER[1]}",
        networks=[
            Attachment(network=args.database.direct_network),
            *([Attachment(network=store.network)] if store else []),
        ],
        memory_mb=args.container_memory_mb,
        environment=dict(ENVIRONMENT),
        mounts=[
            *asking,
            Mount(volume=catalog.name, path=str(agent.CATALOG)),
            *(store.mounts if store else []),
        ],
        # Until the first base backup is there it is starting; later its absence is a fault after three looks.
        health=Health(
            command=[*PYTHON, "health"],
            interval=10,
            timeout=10,
            retries=3,
            start_period=args.first_backup_minutes * 60,
        ),
        wait_seconds=args.first_backup_minutes * 60 + 60,
        # Backups give way to the shop when the host is busy.
        cpu_shares=256,
        # New modules need a new process; new settings do not.
        labels={"tierstack.dev/agent": config.digest(program), **(_store_label(args.store) if args.store else {})},
    )
    prepared = here.run_once(
        f"{name}-prepare",
        parent,
        _once(service, asking),
        undo=[*PYTHON, "forget"],
        timeout_seconds=agent.PREPARE_SECONDS + 60,
    )
    container = here.container(f"{name}-barman", parent, service, depends_on=[prepared])
    known = pulumi.Output.all(
        docker_host=args.platform.docker_host,
        agent=container.name,
        catalog=catalog.name,
        config=settings.name,
        image=args.image,
        store=_recovered(store) if store else None,
    )
    drill = args.drill or DrillArgs()
    return {
        "location": args.store.location if args.store else pulumi.Output.concat("volume:", catalog.name),
        "recovery": known.apply(
            lambda at: recovery.OnDocker(
                **at,
                server=args.database.container,
                database=args.database.database,
                checks=drill.checks or {},
                max_lost_seconds=drill.lost_seconds(args.platform.kind),
                max_minutes=drill.max_minutes,
            ).text()
        ),
    }


def _once(service: Service, mounts: list[Mount]) -> Service:
    """The same surroundings for a look at the primary, without the catalog."""
    return Service(
        image=service.image,
        command=[*PYTHON, "prepare"],
        user=service.user,
        networks=service.networks[:1],
        memory_mb=PREPARE_MB,
        environment=service.environment,
        mounts=mounts,
    )


def _recovered(store: docker_store.StoreOnHost) -> pulumi.Output[StoreAt]:
    """What a restore from the bucket is started with."""
    known = pulumi.Output.all(config=store.fetch, network=store.network, ca=store.ca)
    return known.apply(lambda at: StoreAt(**at))


def _store_label(store: ObjectStore) -> dict[str, pulumi.Input[str]]:
    """The agent reads the bucket's settings and key when it starts."""
    key = store.key(StorePurpose.WRITE)
    return {
        ANNOTATION: revision_of(
            {"key": key.secret_access_key.value or "", "where": str(docker_store.settings_of(store, ""))}
        )
    }


def _files(
    args: BackupScheduleArgs, labels: dict[str, str], store: docker_store.StoreOnHost | None
) -> dict[str, pulumi.Input[str]]:
    database = args.database
    user, password = database.backup_user or "", database.backup_password or SecretRef()
    verified = database.ca is not None
    connection = pulumi.Output.all(database.direct_host, database.direct_port).apply(
        lambda at: config.conninfo(at[0], at[1], user, "postgres", verified=verified)
    )
    return {
        "barman.conf": connection.apply(lambda text: config.barman_conf(text, args.window_days)),
        "pgpass": pulumi.Output.secret(password.value).apply(lambda value: config.pgpass(user, value or "")),
        "settings.json": connection.apply(
            lambda text: config.settings_json(args.schedule, text, labels, store.settings if store else None)
        ),
        **({bucket.CREDENTIALS: docker_store.credentials(args.store, StorePurpose.WRITE)} if args.store else {}),
    }
