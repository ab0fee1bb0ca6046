"""FileBackups on a Docker host: an agent beside the files, with a bucket what prunes it, and what restores read."""

from collections.abc import Mapping

import pulumi

from tierstack.backup_schedule import docker_store
from tierstack.backup_schedule.alerts import labels
from tierstack.backup_schedule.restic import config, repository
from tierstack.backup_schedule.restic.args import FileBackupsArgs, FilesDrillArgs
from tierstack.backup_schedule.restic.keeper import Keeper, password_of
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.links import StorePurpose
from tierstack.platform.docker import Mount, host

AGENT = ["python3", "-m", "tierstack.backup_schedule.restic.agent"]


def build(name: str, args: FileBackupsArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.image is not None  # by the arguments' rules
    assert args.files.volume is not None
    here, store = host(args.platform, parent), args.store
    password = password_of(name, args.password, args.platform, parent)
    settings = docker_store.settings_of(store, here.name(name)) if store else None
    keeper = Keeper(
        name=name,
        parent=parent,
        here=here,
        image=args.image,
        owner=args.owner,
        store=store,
        program=config.program(),
        common={
            "settings.json": config.settings(args, here.name(name), labels(name, args.platform), settings),
            repository.PASSWORD: password,
        },
        first_minutes=args.first_backup_minutes,
    )
    catalog, agent, network = keeper.catalog(), keeper.configured("config", StorePurpose.WRITE), keeper.network()
    made = here.container(
        f"{name}-restic",
        parent,
        keeper.service(
            AGENT,
            [
                Mount(volume=agent, path=str(repository.CONFIG), read_only=True),
                Mount(volume=args.files.volume, path=str(repository.SOURCE), read_only=True),
            ],
            f"{name}-restic",
            keeper.first_health(AGENT),
            args.container_memory_mb,
            networks=[network],
            catalog=catalog,
        ),
    )
    reading = agent
    if store:
        reading = keeper.configured("fetch-config", StorePurpose.DRILL)
        keeper.prune(network, catalog)
    drill = args.drill or FilesDrillArgs()
    known = pulumi.Output.all(
        docker_host=args.platform.docker_host,
        agent=made.name,
        catalog=catalog,
        config=reading,
        image=args.image,
        volume=args.files.volume,
        network=network if store else None,
        ca=keeper.ca,
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
        "location": folder or pulumi.Output.concat("volume:", catalog),
        "repository_password": password,
        "recovery": known.apply(described),
    }
