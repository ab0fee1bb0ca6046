"""BackupSchedule on a Docker host: one container with Barman beside the primary, and a volume for its catalog."""

import hashlib

import pulumi

from tierstack.backup_schedule import agent, alerts, config, recovery
from tierstack.backup_schedule.args import BackupScheduleArgs, DrillArgs
from tierstack.backup_schedule.memory import PREPARE_MB
from tierstack.backup_schedule.restore import ENVIRONMENT, PYTHON
from tierstack.links import SecretRef
from tierstack.platform.docker import Attachment, Health, Mount, Service, host
from tierstack.platform.internal_ca import ca_directory

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
    program = config.program()
    configured = here.files(
        f"{name}-files",
        parent,
        volume=settings,
        files={**_files(args, alerts.labels(name, args)), **program},
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
        networks=[Attachment(network=args.database.direct_network)],
        memory_mb=args.container_memory_mb,
        environment=dict(ENVIRONMENT),
        mounts=[*asking, Mount(volume=catalog.name, path=str(agent.CATALOG))],
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
        labels={"tierstack.dev/agent": hashlib.sha256("".join(program.values()).encode()).hexdigest()[:12]},
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
    )
    drill = args.drill or DrillArgs()
    return {
        "location": pulumi.Output.concat("volume:", catalog.name),
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
        networks=service.networks,
        memory_mb=PREPARE_MB,
        environment=service.environment,
        mounts=mounts,
    )


def _files(args: BackupScheduleArgs, labels: dict[str, str]) -> dict[str, pulumi.Input[str]]:
    database = args.database
    user, password = database.backup_user or "", database.backup_password or SecretRef()
    verified = database.ca is not None
    connection = pulumi.Output.all(database.direct_host, database.direct_port).apply(
        lambda at: config.conninfo(at[0], at[1], user, "postgres", verified=verified)
    )
    return {
        "barman.conf": connection.apply(lambda text: config.barman_conf(text, args.window_days)),
        "pgpass": pulumi.Output.secret(password.value).apply(lambda value: config.pgpass(user, value or "")),
        "settings.json": connection.apply(lambda text: config.settings_json(args.schedule, text, labels)),
    }
