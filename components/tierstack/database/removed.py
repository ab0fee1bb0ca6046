"""Whether an update would remove the primary: a standby that was promoted is a server like any other, and only the host
knows. Asked where fewer servers are configured than were made, before anything is registered."""

import contextlib

from tierstack.core.before import Before
from tierstack.core.diagnostics import Diagnostic
from tierstack.core.errors import rule
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.changes import problems_of
from tierstack.database.standby import Seen, Server, Servers
from tierstack.database.standbys import STANDBY_ENGINES
from tierstack.platform.daemon import client


def problems_on_host(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change, by the state and by the host."""
    return [*problems_of(args, name, before), *_without_primary(args, name, before)]


@rule(
    "database-primary-removed",
    "An update must not remove the server that is the primary.",
    why="A standby that was promoted holds the data. The first server is a standby then.",
    wrong="database: {replicas: 1} where `tierstack database promote` made replica-2 the primary",
    right="tierstack database promote -s prod --to primary, then database: {replicas: 1}",
)
def _without_primary(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    text = (before.component("DatabaseWithReplicas", name) or {}).get("servers")
    if not isinstance(text, str) or not text:
        return []
    made = Servers.parsed(text)
    now = Servers.described(args.physical_name or name, args)
    # Without a proxy only the first can be the primary.
    left = {one.container for one in (Servers.parsed(now).servers if now else made.servers[:1])}
    gone = [one for one in made.servers if one.container not in left]
    if not gone or any(_is_primary(made, one) for one in made.servers if one.container in left):
        return []
    primary = next((one.container for one in gone if _is_primary(made, one)), None)
    removed = ", ".join(f"`{one.container}`" for one in gone)
    message = (
        f"would leave the database without its primary, `{primary}`"
        if primary
        else (f"would remove {removed}, and none of the other servers says that it is the primary")
    )
    hint = (
        f"first `tierstack database promote --to {made.servers[0].container}`"
        if primary
        else ("start the servers, and see `tierstack database status`")
    )
    return [Diagnostic("replicas", args.size().replicas, message, hint)]


def _is_primary(made: Servers, server: Server) -> bool:
    """Whether a server that runs says that it is the primary."""
    from docker.errors import DockerException

    engine = STANDBY_ENGINES[made.engine]
    with contextlib.suppress(DockerException, ValueError, OSError):
        done = client(made.docker_host).containers.get(server.container).exec_run(engine.question())
        return done.exit_code == 0 and engine.answer(done.output.decode(), Seen(server=server)).primary
    return False
