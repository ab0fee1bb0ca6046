"""DatabaseDumps on a Docker host: an agent beside the primary, with a bucket what prunes, and what restores read."""

from collections.abc import Mapping
from typing import Any

import pulumi

from tierstack.backup_schedule import docker_store, keeping
from tierstack.backup_schedule.alerts import labels
from tierstack.backup_schedule.args import DrillArgs
from tierstack.backup_schedule.dumps import config
from tierstack.backup_schedule.dumps.args import DatabaseDumpsArgs
from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.memory import PREPARE_MB
from tierstack.backup_schedule.restic import repository
from tierstack.backup_schedule.restic.keeper import Keeper, password_of
from tierstack.links import StorePurpose
from tierstack.platform.docker import Attachment, Mount, Service, host
from tierstack.platform.internal_ca import ca_directory

AGENT = ["python3", "-m", "tierstack.backup_schedule.dumps.agent"]


def build(name: str, args: DatabaseDumpsArgs, parent: pulumi.Resource) -> dict[str, pulumi.Input[str]]:
    """Register everything; what the component gives as its outputs."""
    assert args.image is not None  # by the arguments' rules
    assert args.facts is not None
    here, store, database = host(args.platform, parent), args.store, args.database
    assert database.direct_network is not None
    of_store = docker_store.settings_of(store, here.name(name)) if store else None
    password = password_of(name, args.password, args.platform, parent)
    settings = pulumi.Output.all(database.direct_host, database.direct_port).apply(
        lambda at: config.settings(
            args, here.name(name), labels(name, args.platform), of_store, (str(at[0]), str(at[1]))
        )
    )
    keeper = Keeper(
        name=name,
        parent=parent,
        here=here,
        image=args.image,
        owner=args.facts.owner,
        store=store,
        program=config.program(),
        common={"settings.json": settings, repository.PASSWORD: password},
        first_minutes=args.first_dump_minutes,
    )
    catalog = keeper.catalog()
    agent = keeper.configured("config", StorePurpose.WRITE, config.login(args))
    asking = [Mount(volume=agent, path=str(repository.CONFIG), read_only=True)]
    if database.ca and database.ca.volume is not None:
        asking.append(Mount(volume=database.ca.volume, path=ca_directory("database"), read_only=True))
    networks: list[pulumi.Input[str]] = [keeper.network()] if store else []
    service = keeper.service(
        AGENT,
        asking,
        f"{name}-dumps",
        keeper.first_health(AGENT),
        args.container_memory_mb,
        networks=[database.direct_network, *networks],
        catalog=catalog,
    )
    once = Service(
        image=args.image,
        command=[*AGENT, "prepare"],
        user=service.user,
        networks=[Attachment(network=database.direct_network)],
        memory_mb=PREPARE_MB,
        environment=service.environment,
        mounts=asking,
    )
    prepared = here.run_once(f"{name}-prepare", parent, once, timeout_seconds=keeping.PREPARE_SECONDS + 60)
    made = here.container(f"{name}-dumps", parent, service, depends_on=[prepared])
    # A restore needs no login to the database.
    reading = keeper.configured("fetch-config", StorePurpose.DRILL)
    for network in networks:
        keeper.prune(network, catalog)
    drill = args.drill or DrillArgs()
    known = pulumi.Output.all(
        docker_host=args.platform.docker_host,
        agent=made.name,
        catalog=catalog,
        config=reading,
        image=args.image,
        network=networks[0] if networks else None,
        ca=keeper.ca,
    )

    def described(at: Mapping[str, Any]) -> str:
        return DumpsOnDocker(
            **at,
            user=service.user,
            engine=database.engine,
            server=database.container,
            database=database.database,
            jobs={job: one.tables for job, one in args.all_jobs.items()},
            checks=drill.checks or {},
            max_minutes=drill.max_minutes,
        ).text()

    folder = f"{store.location}/{here.name(name)}" if store else None
    return {
        "location": folder or pulumi.Output.concat("volume:", catalog),
        "repository_password": password,
        "recovery": known.apply(described),
    }
