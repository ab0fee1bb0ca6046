"""FileBackups on a Docker host: an agent beside the files, with a bucket what prunes it, and what restores read."""

from collections.abc import Mapping

import pulumi
import pulumi_random as random

from tierstack.backup_schedule import bucket, docker_store
from tierstack.backup_schedule.alerts import labels
from tierstack.backup_schedule.engine import digest
from tierstack.backup_schedule.restic import config, repository
from tierstack.backup_schedule.restic.args import FileBackupsArgs, FilesDrillArgs
from tierstack.backup_schedule.restic.memory import PRUNE_MB
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.links import StorePurpose
from tierstack.platform import DataProtection
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service, host
from tierstack.platform.internal_ca import ca_directory

_MODULES = "tierstack.backup_schedule.restic"
AGENT = ["python3", "-m", f"{_MODULES}.agent"]
PRUNE = ["python3", "-m", f"{_MODULES}.pruning"]


def build(name: str, args: FileBackupsArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.image is not None  # by the arguments' rules
    assert args.files.volume is not None
    here, store = host(args.platform, parent), args.store
    own = _password(name, args, parent)  # also where one is given, so that leaving that out again makes no other one
    password = pulumi.Output.secret(own if args.password is None else args.password)
    settings = docker_store.settings_of(store, here.name(name)) if store else None
    program = config.program()
    common: dict[str, pulumi.Input[str]] = {
        **program,
        "settings.json": config.settings(args, here.name(name), labels(name, args.platform), settings),
        repository.PASSWORD: password,
    }

    def configured(kind: str, purpose: StorePurpose) -> pulumi.Output[str]:
        """A volume with the key of one purpose."""
        keys = {bucket.CREDENTIALS: docker_store.credentials(store, purpose)} if store else {}
        volume = here.volume(f"{name}-{kind}", parent, data=False)
        return here.files(
            f"{name}-{kind}-files",
            parent,
            volume=volume,
            files={**common, **keys},
            image=args.image or "",
            owner=args.owner,
        ).volume

    catalog = here.volume(f"{name}-catalog", parent, data=True)
    # One file of ours, so that the volume belongs to the application's user.
    owned = here.files(
        f"{name}-catalog-files", parent, volume=catalog, files={".tierstack": ""}, image=args.image, owner=args.owner
    ).volume
    agent = configured("config", StorePurpose.WRITE)
    network = _network(name, args, here, parent)
    ca = store.ca.volume if store and store.ca else None
    of_store = [Mount(volume=ca, path=ca_directory("store"), read_only=True)] if ca is not None else []

    def service(command: list[str], mounts: list[Mount], called: str, health: Health, memory_mb: int) -> Service:
        return Service(
            image=args.image or "",
            command=[*command, "run"],
            user="{}:{}".format(*args.owner),
            networks=[Attachment(network=network)],
            memory_mb=memory_mb,
            environment={"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{repository.CONFIG}/lib", "TZ": "UTC"},
            mounts=[*mounts, Mount(volume=owned, path=str(repository.CATALOG)), *of_store],
            health=health,
            # By it a lock is known as one of a container that is gone: its id changes, this does not.
            hostname=here.name(called),
            # Backups give way to the shop when the host is busy.
            cpu_shares=256,
            # New modules need a new process; settings and keys are read anew.
            labels={"tierstack.dev/agent": digest(program)},
            wait_seconds=args.first_backup_minutes * 60 + 60,
        )

    made = here.container(
        f"{name}-restic",
        parent,
        service(
            AGENT,
            [
                Mount(volume=agent, path=str(repository.CONFIG), read_only=True),
                Mount(volume=args.files.volume, path=str(repository.SOURCE), read_only=True),
            ],
            f"{name}-restic",
            # Until the first backup is there it is starting; later its absence is a fault after three looks.
            Health(
                command=[*AGENT, "health"],
                interval=10,
                timeout=10,
                retries=3,
                start_period=args.first_backup_minutes * 60,
            ),
            args.container_memory_mb,
        ),
    )
    reading = agent
    if store:
        reading = configured("fetch-config", StorePurpose.DRILL)
        pruning = configured("prune-config", StorePurpose.PRUNE)
        here.container(
            f"{name}-prune",
            parent,
            service(
                PRUNE,
                [Mount(volume=pruning, path=str(repository.CONFIG), read_only=True)],
                f"{name}-prune",
                Health(command=[*PRUNE, "health"], interval=30, timeout=10, retries=3, start_period=300),
                PRUNE_MB,
            ),
        )
    drill = args.drill or FilesDrillArgs()
    known = pulumi.Output.all(
        docker_host=args.platform.docker_host,
        agent=made.name,
        catalog=owned,
        config=reading,
        image=args.image,
        volume=args.files.volume,
        network=network if store else None,
        ca=ca,
    )

    def described(at: Mapping[str, str | None]) -> str:
        return FilesOnDocker(
            **at,  # pyright: ignore[reportArgumentType]  # None where it may be
            user="{}:{}".format(*args.owner),
            max_minutes=drill.max_minutes,
            sample=drill.sample,
            bucket=store is not None,
        ).text()

    folder = f"{store.location}/{here.name(name)}" if store else None
    return {
        "location": folder or pulumi.Output.concat("volume:", owned),
        "repository_password": password,
        "recovery": known.apply(described),
    }


def _password(name: str, args: FileBackupsArgs, parent: pulumi.Resource) -> pulumi.Output[str]:
    """Letters and digits, made once. It is protected as the backups are: without it they are lost."""
    protection = args.platform.data_protection
    opts = pulumi.ResourceOptions(parent=parent, protect=protection is not DataProtection.NONE or None)
    return random.RandomPassword(f"{name}-password", length=40, special=False, opts=opts).result


def _network(name: str, args: FileBackupsArgs, here: Host, parent: pulumi.Resource) -> pulumi.Input[str]:
    """Where the bucket answers, and Prometheus asks: that of a self-hosted store, or one of its own, which has no way
    out where there is no bucket."""
    if args.store and args.store.network:
        return args.store.network
    return here.network(name, parent, internal=args.store is None).name
