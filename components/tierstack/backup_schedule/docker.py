"""BackupSchedule on a Docker host: one container with an agent beside the primary, and a volume for its catalog."""

import pulumi

from tierstack.backup_schedule import alerts, docker_store, recovery
from tierstack.backup_schedule.args import BackupScheduleArgs, DrillArgs
from tierstack.backup_schedule.engine import Wanted, digest
from tierstack.backup_schedule.engines import ENGINES
from tierstack.backup_schedule.memory import PREPARE_MB
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.platform.internal_ca import ca_directory


def build(name: str, args: BackupScheduleArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.image is not None  # by the arguments' rules
    assert args.database.direct_network is not None
    here, engine = host(args.platform, parent), ENGINES[args.database.engine]
    settings = here.volume(f"{name}-config", parent, data=False)
    catalog = here.volume(f"{name}-catalog", parent, data=True)
    store = docker_store.build(name, args, args.store, here, parent, engine) if args.store else None
    program = engine.program(store=store is not None)
    wanted = Wanted(
        schedule=args.schedule,
        retention_days=args.window_days,
        least_copies=args.least_copies,
        labels=alerts.labels(name, args.platform),
        store=store.settings if store else None,
    )
    configured = here.files(
        f"{name}-files",
        parent,
        volume=settings,
        files={**engine.files(args.database, wanted), **(store.files if store else {}), **program},
        image=args.image,
        owner=engine.owner,
    )
    asking = [Mount(volume=configured.volume, path=str(engine.config), read_only=True)]
    if args.database.ca and args.database.ca.volume is not None:
        asking.append(Mount(volume=args.database.ca.volume, path=ca_directory("database"), read_only=True))
    service = Service(
        image=args.image,
        command=[*engine.python, "run"],
        user="{}:{}".format(*engine.owner),
        networks=[
            Attachment(network=args.database.direct_network),
            *([Attachment(network=store.network)] if store else []),
        ],
        memory_mb=args.container_memory_mb,
        environment=dict(engine.environment),
        mounts=[
            *asking,
            Mount(volume=catalog.name, path=str(engine.catalog)),
            *(store.mounts if store else []),
        ],
        # Until the first base backup is there it is starting; later its absence is a fault after three looks.
        health=Health(
            command=[*engine.python, "health"],
            interval=10,
            timeout=10,
            retries=3,
            start_period=args.first_backup_minutes * 60,
        ),
        wait_seconds=args.first_backup_minutes * 60 + 60,
        # Backups give way to the shop when the host is busy.
        cpu_shares=256,
        # New modules need a new process; new settings do not.
        labels={"tierstack.dev/agent": digest(program), **(store.labels if store else {})},
    )
    prepared = here.run_once(
        f"{name}-prepare",
        parent,
        _once(service, [*engine.python, "prepare"], asking),
        undo=[*engine.python, "forget"] if engine.forgets else None,
        timeout_seconds=engine.prepare_seconds + 60,
    )
    container = here.container(f"{name}-{engine.container}", parent, service, depends_on=[prepared])
    known = pulumi.Output.all(
        docker_host=args.platform.docker_host,
        agent=container.name,
        catalog=catalog.name,
        config=settings.name,
        image=args.image,
        store=store.at if store else None,
    )
    drill = args.drill or DrillArgs()
    return {
        "location": args.store.location if args.store else pulumi.Output.concat("volume:", catalog.name),
        "recovery": known.apply(
            lambda at: recovery.OnDocker(
                **at,
                engine=args.database.engine,
                server=args.database.container,
                database=args.database.database,
                checks=drill.checks or {},
                max_lost_seconds=drill.lost_seconds(args.platform.kind),
                max_minutes=drill.max_minutes,
            ).text()
        ),
    }


def _once(service: Service, command: list[str], mounts: list[Mount]) -> Service:
    """The same surroundings for a look at the primary, without the catalog."""
    return Service(
        image=service.image,
        command=command,
        user=service.user,
        networks=service.networks[:1],
        memory_mb=PREPARE_MB,
        environment=service.environment,
        mounts=mounts,
    )
