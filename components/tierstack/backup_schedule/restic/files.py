"""What a restore and a drill of files run in containers: with the key that only reads, or without any network.

    python3 -m tierstack.backup_schedule.restic.files \\
        list | restore --snapshot … --to … | reserve | swap | undo | compare --snapshot … --sample …

It needs restic and the standard library.
"""

import argparse
import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any

from tierstack.backup_schedule.restic.repository import CONFIG, OURS, SOURCE, Repository, ResticError
from tierstack.backup_schedule.status import FULL_BYTES, stamp

TARGET = Path("/restore")
"""Where the volume is mounted that is restored into."""
INCOMING, BEFORE, SWAPPING = (f"{OURS}{name}" for name in ("incoming", "before", "swapping"))
"""In place: what is being restored; what was there before; a mark that all of that was moved away."""
PROFILE = "drill"
_MIB = 2**20


def reading() -> Repository:
    """The repository, by the key that only reads."""
    return Repository(json.loads((CONFIG / "settings.json").read_text()), PROFILE)


def show() -> int:
    """Print the backups that there are, and when that was."""
    now = datetime.now(UTC)
    print(json.dumps({"now": stamp(now), "snapshots": [one.as_entry() for one in reading().snapshots()]}))
    return 0


def restore(identifier: str, to: Path) -> int:
    """Bring the files of a backup into a directory, which is made, or empty; the share that is there, as it goes on."""
    if to.exists() and any(to.iterdir()):
        print(f"{to} is not empty: restore into a new volume")
        return 2
    repository = reading()
    wanted = next((one for one in repository.snapshots() if one.id == identifier), None)
    if wanted is None:
        print(f"backup {identifier} is not in {repository.url}")
        return 1
    above = next(one for one in (to, *to.parents) if one.exists())
    free = shutil.disk_usage(above).free
    if free < wanted.size_bytes + FULL_BYTES:
        needed = (wanted.size_bytes + FULL_BYTES) // _MIB
        print(f"{to} has {free // _MIB:,} MiB free, and the restore needs about {needed:,} MiB: add disk")
        return 2
    # No lock: the key cannot write one. What prunes removes nothing that a backup which is kept needs.
    command = ["restic", "restore", f"{identifier}:{SOURCE}", "--target", str(to), "--json", "--no-lock", "--no-cache"]
    # Labels of SELinux and the like are the host's: no user but root may set them, and restic fails where it cannot.
    foreign = [part for name in ("security.*", "trusted.*") for part in ("--exclude-xattr", name)]
    with subprocess.Popen(
        [*command, "--sparse", *foreign],
        env=repository.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        for line in process.stdout:
            _progress(line)
        said = process.stderr.read()
    if process.returncode:
        print(repository.failure("restore", process.returncode, said))
        return 1
    return 0


def _progress(line: str) -> None:
    try:
        document: dict[str, Any] = json.loads(line)
    except ValueError:
        return
    if document.get("message_type") == "status":
        done, every = document.get("bytes_restored", 0), document.get("total_bytes", 0)
        print(json.dumps({"restored_bytes": done, "total_bytes": every}), flush=True)


# In the place of the files ------------------------------------------------------------------------------------------


def reserve(root: Path = TARGET) -> int:
    """Make the directory that takes what is replaced. It fails where there is one: of an earlier restore, whose files
    somebody may still want."""
    (root / BEFORE).mkdir(mode=0o700)
    return 0


def swap(root: Path = TARGET) -> int:
    """Replace the current files by the restored ones. Files are renamed, and nothing is copied."""
    for one in _theirs(root):
        one.rename(root / BEFORE / one.name)
    (root / SWAPPING).touch()
    for one in sorted((root / INCOMING).iterdir()):
        if one.name == ".tierstack":
            one.unlink()  # the file by which the volume got its owner is still there
        else:
            one.rename(root / one.name)
    (root / INCOMING).rmdir()
    (root / SWAPPING).unlink()
    return 0


def undo(root: Path = TARGET) -> int:
    """Put back what was there before a restore that failed or was interrupted, wherever it stopped."""
    if (root / SWAPPING).exists():
        (root / INCOMING).mkdir(exist_ok=True)  # a kill between the last two steps of the exchange
        for one in _theirs(root):
            one.rename(root / INCOMING / one.name)
        (root / SWAPPING).unlink()
    before = root / BEFORE
    for one in sorted(before.iterdir()) if before.exists() else []:
        one.rename(root / one.name)
    shutil.rmtree(root / INCOMING, ignore_errors=True)
    if before.exists():
        before.rmdir()
    return 0


def _theirs(root: Path) -> list[Path]:
    """What an application has in its volume, without what is ours."""
    return sorted(one for one in root.iterdir() if one.name != ".tierstack" and not one.name.startswith(OURS))


# Drills -------------------------------------------------------------------------------------------------------------


def compare(sample: int, restored: Path = TARGET, live: Path = SOURCE) -> dict[str, Any]:
    """What was restored: its files and bytes, and of a sample whether they are byte by byte those of the application.

    Compared are files that have the same size and time of change there: others were changed since the backup.
    """
    files, size, candidates = 0, 0, list[Path]()
    for path in walk(restored):
        held = path.lstat()
        if not stat.S_ISREG(held.st_mode):  # restic counts no links and pipes, and a pipe is never read to its end
            continue
        files += 1
        size += held.st_size
        if _unchanged(held, live / path.relative_to(restored)):
            candidates.append(path)
    chosen = SystemRandom().sample(candidates, min(sample, len(candidates)))
    different = [
        str(one.relative_to(restored)) for one in chosen if digest(one) != digest(live / one.relative_to(restored))
    ]
    return {
        "files": files,
        "size_bytes": size,
        "comparable": len(candidates),
        "compared": len(chosen),
        "different": sorted(different)[:10],
    }


def walk(root: Path) -> Iterator[Path]:
    """Everything below a directory but directories."""
    for folder, _, names in os.walk(root):
        for name in names:
            yield Path(folder) / name


def _unchanged(held: os.stat_result, other: Path) -> bool:
    try:
        there = other.lstat()
    except OSError:
        return False
    return (there.st_size, there.st_mtime_ns, there.st_mode) == (held.st_size, held.st_mtime_ns, held.st_mode)


def digest(path: Path) -> str | None:
    """SHA-256 of a file. None: it is gone."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return None


def main() -> int:
    """One verb, its exit code."""
    parser = argparse.ArgumentParser(prog="files", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name in ("list", "reserve", "swap", "undo"):
        verbs.add_parser(name)
    restoring = verbs.add_parser("restore")
    restoring.add_argument("--snapshot", required=True)
    restoring.add_argument("--to", type=Path, required=True)
    verbs.add_parser("compare").add_argument("--sample", type=int, required=True)
    given = parser.parse_args()
    try:
        if given.verb == "list":
            return show()
        if given.verb == "restore":
            return restore(given.snapshot, given.to)
    except ResticError as error:
        print(error)
        return 1
    if given.verb == "compare":
        print(json.dumps(compare(given.sample)))
        return 0
    return {"reserve": reserve, "swap": swap, "undo": undo}[given.verb]()


if __name__ == "__main__":
    sys.exit(main())
