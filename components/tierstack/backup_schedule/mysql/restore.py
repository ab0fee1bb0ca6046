"""The commands of a restore of MySQL, as data: for the `tierstack` command, for drills and for the documentation."""

from tierstack.backup_schedule.engine import CONFINED, Goal, Source, Step, from_store, step_in, unprivileged, variables
from tierstack.backup_schedule.mysql import agent, restoring

PYTHON = ["python3", "-m", agent.__name__]
FETCH = ["python3", "-m", "tierstack.backup_schedule.mysql.fetch"]
ENVIRONMENT = {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{agent.CONFIG}/lib", "TZ": "UTC"}
"""What every run of the agent needs."""
TARGET = "/restore"
"""Where the volume is mounted: at the same place while it is filled and while MySQL answers from it."""
RESTORE = "copy base backup, replay binary logs"
"""The step in which the agent restores; it prints the moment as of which."""
BEFORE = "data.before"
"""What a restore in place calls what was there before."""
USER = "999:999"
_PARTS = ("data", "binlog")
"""Directories of a server's volume that belong together."""


def catalog_of(source: Source) -> list[str]:
    """The command that runs the agent on the catalog alone; its verb follows."""
    return ["docker", "run", "--rm", "-i", *_UNPRIVILEGED, *CONFINED, *_agent(source), source.image, *PYTHON]


def commands(source: Source, *, aside: str, server_image: str, goal: Goal) -> list[Step]:
    """The commands that restore in a new volume and start MySQL on it, as the container `aside`, without a network.

    The running database, its volume and the catalog are left as they are; `docker rm -f` and `docker volume rm` of
    `aside` remove the restored one.
    """
    as_root = [*step_in(aside), "--user", "0:0", *CONFINED, "--cap-add", "CHOWN", *_mounted(aside)]
    running = ["docker", "run", "--detach", "--name", aside, *_UNPRIVILEGED, *CONFINED, *_mounted(aside), server_image]
    return [
        Step("make a new volume", ["docker", "volume", "create", aside]),
        # A new volume belongs to root.
        Step("give it to MySQL", [*as_root, source.image, "chown", USER, TARGET]),
        _restored(source, volume=aside, aside=aside, goal=goal),
        Step(
            "start MySQL on it, without a network",
            [*running, "mysqld", f"--defaults-file={TARGET}/{restoring.RESTORED}"],
        ),
    ]


def in_place_commands(source: Source, *, volume: str, container: str, aside: str, goal: Goal) -> list[Step]:
    """The commands that put a restore in the place of the database `container` with the data volume `volume`.

    What it held, with its binary logs, stays beside it in `data.before`, until somebody removes it. The server begins
    new binary logs: it has another UUID, and the backups tell by it that a new history begins.
    """
    shell = _shell(source, volume, aside)
    moves = " && ".join(f"mv -T {TARGET}/{part} {TARGET}/{BEFORE}/{part}" for part in _PARTS)
    return [
        Step("stop the database", ["docker", "stop", container]),
        Step(f"put its data beside, as {BEFORE}", [*shell, "sh", "-c", moves]),
        _restored(source, volume=volume, aside=aside, goal=goal),
        Step(
            "remove what the restore needed",
            [*shell, "rm", "-r", f"{TARGET}/data.tmp", f"{TARGET}/{restoring.RESTORED}"],
        ),
        Step("start the database", ["docker", "start", container]),
    ]


def reserve_in_place(source: Source, *, volume: str, aside: str) -> list[str]:
    """The command before `in_place_commands`: an empty `data.before`. It fails where there is one, so that what
    `undo_in_place` puts back is never the data of an earlier restore."""
    return [*_shell(source, volume, aside), "mkdir", f"{TARGET}/{BEFORE}"]


def undo_in_place(source: Source, *, volume: str, container: str, aside: str) -> list[list[str]]:
    """The commands after an `in_place_commands` that failed or was interrupted: the old data back in its place, and the
    database started. Only after a `reserve_in_place` that succeeded."""
    lines = [
        f"if [ -d {TARGET}/{BEFORE}/{part} ]; then "
        f"rm -rf {TARGET}/{part} && mv -T {TARGET}/{BEFORE}/{part} {TARGET}/{part}; fi"
        for part in _PARTS
    ]
    needless = " ".join(f"{TARGET}/{one}" for one in ("data.restore", "data.tmp", "data.catalog", restoring.RESTORED))
    rest = f"rm -rf {needless} && rmdir {TARGET}/{BEFORE}"
    return [
        ["docker", "rm", "--force", aside],
        ["docker", "stop", container],
        [*_shell(source, volume, aside), "sh", "-c", " && ".join([*lines, rest])],
        ["docker", "start", container],
    ]


_UNPRIVILEGED = unprivileged(USER)


def _shell(source: Source, volume: str, aside: str) -> list[str]:
    return [*step_in(aside), *_UNPRIVILEGED, *CONFINED, *_mounted(volume), source.image]


def _mounted(volume: str) -> list[str]:
    return ["-v", f"{volume}:{TARGET}"]


def _restored(source: Source, *, volume: str, aside: str, goal: Goal) -> Step:
    store = source.store
    reading = from_store(store, agent.CONFIG, ENVIRONMENT) if store else [*CONFINED, *_agent(source)]
    program = FETCH if store else [*PYTHON, "restore"]
    command = [*step_in(aside), *_UNPRIVILEGED, *reading, *_mounted(volume), source.image, *program]
    return Step(RESTORE, [*command, "--to", f"{TARGET}/data", *goal.arguments])


def _agent(source: Source) -> list[str]:
    return [
        *variables(ENVIRONMENT),
        "-v",
        f"{source.catalog}:{agent.CATALOG}",
        "-v",
        f"{source.config}:{agent.CONFIG}:ro",
    ]


def query(aside: str, database: str, statement: str) -> list[str]:
    """The command that asks the restored MySQL one thing."""
    client = ["mysql", "--no-defaults", "--socket=/tmp/mysqld.sock", "--user=root", "--batch", "--skip-column-names"]
    return ["docker", "exec", aside, *client, database, f"--execute={statement}"]
