"""PostgreSQL: the commands of a recovery onto a new host, as data. The volume of the database is there and empty, and
no server runs. Pure.

The restored directory is made beside and renamed when it is complete, so that a kill at any moment leaves either all of
it or nothing that a server would start on.
"""

from tierstack.backup_schedule.agent import CATALOG, CONFIG
from tierstack.backup_schedule.engine import CONFINED, Source, Step, from_store, step_in, unprivileged
from tierstack.backup_schedule.restore import ENVIRONMENT, TARGET, mounted, restored, shell

DATA, INCOMING, BEFORE = (f"{TARGET}/{name}" for name in ("pgdata", "pgdata.recovered", "pgdata.before"))
"""The server's files; those that are being restored; those that were replaced."""
MARK = "tierstack-recovered.json"
"""In the server's files: by which recovery they came."""
LOOK = ["python3", "-m", "tierstack.backup_schedule.look", "--disk", TARGET]
_OWNER = "26:26"


def look(source: Source, *, volume: str, aside: str, time: str | None) -> list[str]:
    """The command that prints what the bucket has (`look.py`)."""
    assert source.store is not None
    reading = [*unprivileged(_OWNER), *from_store(source.store, CONFIG, ENVIRONMENT), "-v", f"{volume}:{TARGET}:ro"]
    return [*step_in(aside), *reading, source.image, *LOOK, *(["--time", time] if time else [])]


def held(source: Source, *, volume: str, aside: str) -> list[str]:
    """The command that prints what a volume has: `pgdata` and `before`, each on its line, then the mark."""
    said = f"[ ! -e {DATA} ] || echo pgdata; [ ! -e {BEFORE} ] || echo before; cat {DATA}/{MARK} 2>/dev/null || true"
    return [*shell(source, volume, aside), "sh", "-c", said]


def restoring(source: Source, *, volume: str, aside: str, image: str, time: str | None) -> list[Step]:
    """The commands that restore beside, and start PostgreSQL there without a network, as the container `aside`."""
    as_root = [*step_in(aside), "--user", "0:0", *CONFINED, "--cap-add", "CHOWN", *mounted(volume), source.image]
    clear = f"rm -rf {INCOMING} {INCOMING}.open"
    return [
        # A new volume belongs to root.
        Step("give the volume to PostgreSQL", [*as_root, "chown", _OWNER, TARGET]),
        Step("remove what an interrupted recovery left", [*shell(source, volume, aside), "sh", "-c", clear]),
        *restored(source, volume=volume, data=INCOMING, aside=aside, image=image, time=time),
    ]


def putting(source: Source, *, volume: str, aside: str, mark: str) -> list[Step]:
    """The commands after the replay: stop PostgreSQL, and put the restored directory in its place, marked. What was
    there is kept as `pgdata.before`."""
    needless = " ".join(f"{INCOMING}/{name}" for name in ("barman_wal", "restore.conf", "restore_hba.conf"))
    # -T: into a directory of that name it would be moved, and nobody would find it.
    script = (
        f'set -e; rm -rf {needless}; printf %s "$1" > {INCOMING}/{MARK}; '
        f"[ ! -e {DATA} ] || mv -T {DATA} {BEFORE}; mv -T {INCOMING} {DATA}; sync -f {TARGET}"
    )
    return [
        Step("stop the restored PostgreSQL", ["docker", "stop", "--time", "600", aside]),
        Step("remove its container", ["docker", "rm", aside]),
        Step("put the data in its place", [*shell(source, volume, aside), "sh", "-c", script, "sh", mark]),
    ]


def setting_aside(source: Source, *, volume: str, aside: str) -> list[str]:
    """The command that takes a copy of a standby out of the way: it is made anew from the primary."""
    return [*shell(source, volume, aside), "sh", "-c", f"[ ! -e {DATA} ] || mv -T {DATA} {BEFORE}"]


def catalog(source: Source, *, aside: str) -> list[str]:
    """The command that brings the ledger of drills, from its standard input, into the catalog. What the catalog has of
    another database, which was never stored in the bucket, is put beside as `other`."""
    script = (
        f"set -e; cd {CATALOG}; cat > drills.recovered; [ ! -s drills.recovered ] || mv drills.recovered drills.jsonl; "
        "rm -f drills.recovered; if [ -e tierstack ]; then rm -rf other; mkdir other; mv tierstack other/; fi; "
        "rm -f unbroken-since"
    )
    name = ["docker", "run", "--rm", "-i", "--name", aside, *unprivileged(_OWNER), *CONFINED]
    return [*name, "-v", f"{source.catalog}:{CATALOG}", source.image, "sh", "-c", script]
