"""What runs in the container of a database's dumps: each at its time, and a status for others.

    python3 -m tierstack.backup_schedule.dumps.agent run | prepare | check | health | record | drills | dump-NAME

It needs restic, the dump program of the engine and the standard library. Settings are read anew every minute, so that a
changed schedule needs no restart. A job is a process of its own, so that what it held of memory is free afterwards.
"""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from tierstack.backup_schedule import keeping, metrics
from tierstack.backup_schedule.dumps import dumping, figures, judgement
from tierstack.backup_schedule.dumps.dumper import DumpError
from tierstack.backup_schedule.dumps.dumpers import dumper_of
from tierstack.backup_schedule.keeping import HELD
from tierstack.backup_schedule.output import publish, say
from tierstack.backup_schedule.restic import pruning
from tierstack.backup_schedule.restic.agent import (
    DRILLS,
    JOBS,
    PROFILE,
    STATUS,
    alone,
    opened,
    read,
    settings,
    write,
)
from tierstack.backup_schedule.restic.judgement import check_due
from tierstack.backup_schedule.restic.repository import (
    CATALOG,
    RETRY_LOCK,
    IncompleteError,
    Repository,
    ResticError,
    Snapshot,
)
from tierstack.backup_schedule.status import stamp

VERB = "dump-"
"""What the verb begins with that makes the dump of a name."""
_CHUNK = 2**20


def repository_of(given: dict[str, Any], name: str, profile: str) -> Repository:
    """The repository, with the dumps of one name."""
    return Repository({**given, "tag": pruning.tag_of(name)}, profile)


def file_of(given: dict[str, Any]) -> str:
    """The one file in a snapshot."""
    return f"/{given['database']}.{dumper_of(given).extension}"


def complete(snapshots: list[Snapshot]) -> list[Snapshot]:
    """Those that hold a dump: restic keeps one without a file where a program ends well and writes nothing."""
    return [one for one in snapshots if one.files == 1 and one.size_bytes]


def dump(name: str) -> int:
    """Make the dump of a name, and what a volume as the repository no longer has to keep. The exit code."""
    given = settings()
    try:
        with alone() as busy:
            jobs = read(JOBS)
            every: dict[str, Any] = jobs.get("jobs") or {}
            noted: dict[str, Any] = every.get(name) or {}
            try:
                noted = _dump(given, name, busy)
            except Exception as error:  # whatever it is, it is told: an agent that is silent looks well
                known = isinstance(error, ResticError | DumpError)
                noted["error"] = str(error) if known else f"{type(error).__name__}: {error}"
                say(f"dump {name} failed: {noted['error']}")
            with contextlib.suppress(OSError):  # a full disk is told by itself
                write(JOBS, {**jobs, "jobs": {**every, name: noted}})
            return 1 if noted["error"] or noted.get("waiting") else 0
    except BlockingIOError:
        say(f"dump {name}: another job runs")
        return 1


def _dump(given: dict[str, Any], name: str, busy: int) -> dict[str, Any]:
    repository = repository_of(given, name, PROFILE)
    opened(repository)
    of_tables = given["jobs"][name]["tables"] is not None
    if of_tables and not dumper_of(given).tables(None) and not repository.snapshots():
        say(f"dump {name}: the database has no table yet")
        return {"error": None, "waiting": True}
    publish(dumping.FOUND, {"error": "it did not end"})
    tagged = ["--host", repository.host, "--tag", repository.tag, "--retry-lock", RETRY_LOCK]
    program = [sys.executable, "-m", dumping.__name__, name]
    try:
        repository.run(
            "backup", "--json", *tagged, "--stdin-filename", file_of(given), "--stdin-from-command", "--", *program,
            keep_open=[busy],
        )  # fmt: skip
    except IncompleteError:
        raise DumpError("the program wrote nothing") from None
    except ResticError as error:
        # What the program says of itself says more than that it ended.
        if why := read(dumping.FOUND).get("error"):
            raise DumpError(why if "command failed" in str(error) else str(error)) from None
        raise
    found, made = complete(repository.snapshots()), read(dumping.FOUND)
    if not found or found[-1].size_bytes != made["size_bytes"]:
        raise DumpError("the repository does not have the dump that was written")
    last = found[-1]
    say(f"dump {name} {last.id[:8]}: {made['tables']} tables, {last.size_bytes / 2**20:.1f} MiB, {made['seconds']} s")
    if not given.get("store"):
        pruning.record(lambda: pruning.forget(repository, given["jobs"][name]["keep"], keep_open=[busy]), say)
        found = complete(repository.snapshots())
    return {"snapshots": [one.as_entry() for one in found], "error": None, **made}


def check() -> int:
    """Read the newest dump of each name back, look whether the repository is whole, and read a part of it besides."""
    given = settings()
    try:
        with alone() as busy:
            jobs, parts = read(JOBS), given["check_parts"]
            part = jobs.get("check_part", 0) % parts + 1
            noted = {**jobs, "checked": stamp(datetime.now(UTC)), "check_error": None, "check_part": part}
            try:
                _check(given, f"{part}/{parts}", busy)
            except (ResticError, DumpError) as error:
                # Not again in five minutes: what is damaged stays so.
                say(f"check failed: {error}")
                noted |= {"check_error": str(error), "check_part": jobs.get("check_part", 0)}
            write(JOBS, noted)
            return 1 if noted["check_error"] else 0
    except BlockingIOError:
        say("check: another job runs")
        return 1


def _check(given: dict[str, Any], subset: str, busy: int) -> None:
    repository = repository_of(given, "", PROFILE)
    opened(repository)
    for name in given["jobs"]:
        of = repository_of(given, name, PROFILE)
        for newest in complete(of.snapshots())[-1:]:
            try:
                dumper_of(given).whole(_stored(of, newest.id, file_of(given)))
            except DumpError as error:
                raise DumpError(f"dump {name} {newest.id[:8]}: {error}") from None
            say(f"check: dump {name} {newest.id[:8]} was read back whole")
    repository.run("check", "--read-data-subset", subset, "--retry-lock", RETRY_LOCK, keep_open=[busy])
    say(f"check: the repository is whole; read part {subset}")


def _stored(repository: Repository, identifier: str, file: str) -> Iterator[bytes]:
    """A dump as the repository has it."""
    with contextlib.closing(repository.dumped(identifier, file)) as stream:
        yield from stream


def prepare() -> int:
    """Wait until the primary answers, and has the version of the programs; what is wrong is printed."""

    def ask() -> str | None:
        try:
            dumper_of(settings()).check()
        except DumpError as error:
            if "of the image is" in str(error):  # which no wait changes
                return str(error)
            raise
        return None

    try:
        wrong = keeping.first_answer(ask, DumpError, keeping.PREPARE_SECONDS)
    except keeping.SilentError as error:
        wrong = str(error)
    except (OSError, subprocess.SubprocessError) as error:
        wrong = f"the image lacks a program: {error}"
    if wrong:
        print(wrong)
    return 1 if wrong else 0


class State(keeping.Backups):
    """What one minute has to know of the one before."""

    def __init__(self) -> None:
        super().__init__()
        self.doing: str | None = None
        """The dump that is being made, `check`, or nothing."""
        self.failed: dict[str, datetime] = {}
        """When the last attempt of each ended, where it failed."""

    def collect(self) -> None:
        if self.job and self.job_ended and self.doing is not None:
            self.failed.pop(self.doing, None)
            if self.job.returncode:
                self.failed[self.doing] = datetime.now(UTC)
        super().collect()

    def tick(self) -> list[str]:
        """One look at everything; the faults. Never raises: an agent that is gone could not say what is wrong."""
        self.collect()
        given, now = settings(), datetime.now(UTC)
        disk = None if given.get("store") else keeping.disk_of(CATALOG)
        state = judgement.state_of(given, read(JOBS), read(pruning.DONE), disk)
        if self.job is None and not (disk and disk.full):
            if names := judgement.due(state, now, self.failed):
                self._begin(names[0], f"{VERB}{names[0]}")
            elif check_due(state.check, state.repository, now, self.failed.get("check:")):
                self._begin("check:", "check")
        running = (self.doing, self.since) if self.job and self.doing and self.since else None
        state = judgement.state_of(given, read(JOBS), read(pruning.DONE), disk, running)
        wrong = judgement.faults(state, now)
        publish(HELD, judgement.report(state, wrong, now))
        return wrong

    def _begin(self, doing: str, verb: str) -> None:
        self.doing = doing
        self.begin(__spec__.name, verb)


def run() -> None:
    """Make dumps and checks when they are due, and say once a minute how things are."""
    keeping.link(STATUS, HELD)
    metrics.serve(lambda: keeping.page(HELD, DRILLS, settings()["labels"], figures.text))
    state = State()
    keeping.watch(state.tick, state)


def main() -> int:
    """One verb, its exit code."""
    verbs: keeping.Verbs = {
        "run": run,
        "prepare": prepare,
        "check": check,
        "health": lambda: keeping.health(HELD),
        **{f"{VERB}{name}": lambda name=name: dump(name) for name in settings()["jobs"]},
    }
    return keeping.command_line(__doc__, verbs, DRILLS)


if __name__ == "__main__":
    sys.exit(main())
