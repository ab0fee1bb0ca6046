"""The commands of a restore of files, as data: for the `tierstack` command and for drills. Pure."""

from tierstack.backup_schedule.engine import CONFINED, WITHOUT_RIGHTS, Step, step_in, unprivileged, variables
from tierstack.backup_schedule.restic import agent, files, repository
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.platform.internal_ca import ca_directory

RESTORE = "restore the files"
"""The step that takes long; it prints how much is there."""
_ENVIRONMENT = variables({"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": f"{repository.CONFIG}/lib", "TZ": "UTC"})
_FILES = ["python3", "-m", files.__name__]
_AGENT = ["python3", "-m", agent.__name__]


def ledger_of(at: FilesOnDocker) -> list[str]:
    """The command that runs the agent on its ledger alone; its verb follows."""
    mounts = ["-v", f"{at.catalog}:{repository.CATALOG}"]
    return ["docker", "run", "--rm", "-i", *_unprivileged(at), *CONFINED, *_program(at), *mounts, at.image, *_AGENT]


def listing(at: FilesOnDocker) -> list[str]:
    """The command that prints the backups that there are."""
    return ["docker", "run", "--rm", *_unprivileged(at), *_reading(at), at.image, *_FILES, "list"]


def aside_commands(at: FilesOnDocker, *, aside: str, snapshot: str) -> list[Step]:
    """The commands that restore a backup into the new volume `aside`. The application's files are left as they are."""
    # A new volume belongs to root.
    owner = ["--user", "0:0", *CONFINED, "--cap-add", "CHOWN"]
    return [
        Step("make a new volume", ["docker", "volume", "create", aside]),
        Step(
            "give it to the application's user",
            [*step_in(aside), *owner, *_target(aside), at.image, "chown", at.user, str(files.TARGET)],
        ),
        _restored(at, aside, aside, str(files.TARGET), snapshot),
    ]


def reserve_in_place(at: FilesOnDocker, *, aside: str) -> list[str]:
    """The command before `in_place_commands`. It fails where an earlier restore left what it replaced."""
    return _in_volume(at, aside, "reserve")


def in_place_commands(at: FilesOnDocker, *, aside: str, snapshot: str) -> list[Step]:
    """The commands that put a backup in the place of the files, while the application goes on. They are restored beside
    them, in the same volume, so that the exchange is one of names. What was there stays in `.tierstack-before`."""
    return [
        _restored(at, aside, at.volume, f"{files.TARGET}/{files.INCOMING}", snapshot),
        Step("exchange the files", _in_volume(at, aside, "swap")),
    ]


def undo_in_place(at: FilesOnDocker, *, aside: str) -> list[list[str]]:
    """The commands after an `in_place_commands` that failed or was interrupted. The first one may fail."""
    return [["docker", "rm", "--force", aside], _in_volume(at, aside, "undo")]


def compare(at: FilesOnDocker, *, aside: str) -> list[str]:
    """The command of a drill that compares what was restored with what the application has."""
    both = ["-v", f"{aside}:{files.TARGET}:ro", "-v", f"{at.volume}:{repository.SOURCE}:ro"]
    sample = ["--sample", str(at.sample)]
    return [
        *step_in(aside), *_unprivileged(at), *CONFINED, *_program(at), *both, at.image, *_FILES, "compare", *sample,
    ]  # fmt: skip


def _restored(at: FilesOnDocker, aside: str, volume: str, to: str, snapshot: str) -> Step:
    verb = ["restore", "--snapshot", snapshot, "--to", to]
    return Step(
        RESTORE, [*step_in(aside), *_unprivileged(at), *_reading(at), *_target(volume), at.image, *_FILES, *verb]
    )


def _in_volume(at: FilesOnDocker, aside: str, verb: str) -> list[str]:
    return [
        *step_in(aside), *_unprivileged(at), *CONFINED, *_program(at), *_target(at.volume), at.image, *_FILES, verb,
    ]  # fmt: skip


def _unprivileged(at: FilesOnDocker) -> list[str]:
    return unprivileged(at.user)


def _program(at: FilesOnDocker) -> list[str]:
    return [*_ENVIRONMENT, "-v", f"{at.config}:{repository.CONFIG}:ro"]


def _target(volume: str) -> list[str]:
    return ["-v", f"{volume}:{files.TARGET}"]


def _reading(at: FilesOnDocker) -> list[str]:
    """A container that reads the repository: a bucket by its network, with a key that only reads, or the volume."""
    if at.network is None:
        return [*CONFINED, *_program(at), "-v", f"{at.catalog}:{repository.CATALOG}:ro"]
    ca = ["-v", f"{at.ca}:{ca_directory('store')}:ro"] if at.ca else []
    return ["--network", at.network, *WITHOUT_RIGHTS, *_program(at), *ca]
