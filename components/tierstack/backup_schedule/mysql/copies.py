"""Base backups of the primary by CLONE: made, started once, checked, and removed when no moment needs them.

The agent in the container runs this very file. It imports the standard library only.

The copy is fetched by a server of the agent's own (`CLONE INSTANCE FROM … DATA DIRECTORY`): the primary gives it to a
user with BACKUP_ADMIN, and needs neither disk space for a second copy nor a volume that both can write.
"""

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule.mysql import server
from tierstack.backup_schedule.mysql.catalog import (
    ARRIVING,
    COPIES,
    ID,
    LOGS,
    SENT,
    UNTIL,
    WORK,
    Catalog,
    Copy,
    files,
    needed_from,
    number,
)
from tierstack.backup_schedule.mysql.catalog import superfluous as not_needed
from tierstack.backup_schedule.status import stamp
from tierstack.core.gtids import parse_set

_LEFT_OUT = ("#clone", "auto.cnf", "#innodb_temp", "ib_buffer_pool", "#ib_*.dblwr")
"""What a server makes anew: its remains of the copying, its UUID, temporary tables, and what it keeps for a crash."""
_CHUNK = 2**20


class CopyError(Exception):
    """A copy that cannot be used; the message says why."""


def make(catalog: Catalog, settings: Mapping[str, Any], arrived: Callable[[str, int], bool]) -> Copy:
    """Make a base backup and return it. `arrived`: waits until the binary logs have come to a name and length, and says
    whether they did.

    Raises ServerError and CopyError; what was begun is then removed by `tidy`.
    """
    began, history = datetime.now(UTC), catalog.history()
    if history is None:
        raise CopyError("no binary log has arrived yet")
    facts = server.primary_facts()
    first_log, _ = server.log_position()
    into, work = catalog.root / COPIES / began.strftime(ID), catalog.root / WORK
    into.mkdir(mode=0o700, parents=True)
    _clone(into / "data", work, facts, settings)
    ended = datetime.now(UTC)
    name, length = server.log_position()
    gtids = _started(into / "data", work, server.settings_of(facts))
    if wrong := server.checksums(into / "data"):
        raise CopyError(f"a page of the copy is damaged: {'; '.join(wrong)}")
    for left in (path for pattern in _LEFT_OUT for path in (into / "data").glob(pattern)):
        server.removed(left)
    if not arrived(name, length):
        raise CopyError(f"the binary logs until {name}, byte {length:,}, did not arrive")
    files = manifest(into / "data")
    made = Copy(
        id=into.name,
        begin=stamp(began),
        end=stamp(ended),
        size_bytes=sum(size for size, _ in files.values()),
        history=history,
        first_log=first_log,
        gtids=gtids,
        version=facts["version"],
        settings=server.settings_of(facts),
        folders=sorted(str(one.relative_to(into / "data")) for one in (into / "data").rglob("*") if one.is_dir()),
        files=files,
    )
    _write(into / "copy.json", made.text())
    return made


def _clone(data: Path, work: Path, facts: Mapping[str, str], settings: Mapping[str, Any]) -> None:
    """Let a server of our own fetch the primary's files into `data`."""
    recipient, host, port = work / "recipient", settings["host"], settings["port"]
    server.removed(recipient)
    given = server.settings_of(facts)
    server.initialize(recipient / "data", recipient / "tmp", given)
    secured = f"SET GLOBAL clone_ssl_ca = {server.literal(settings['ca'])};\n" if settings["ca"] else ""
    donor = f"{server.literal(settings['user'])}@{server.literal(host)}:{port}"
    statements = (
        f"SET GLOBAL clone_valid_donor_list = {server.literal(f'{host}:{port}')};\n{secured}"
        f"CLONE INSTANCE FROM {donor} IDENTIFIED BY {server.literal(server.password())}"
        f" DATA DIRECTORY = {server.literal(str(data))} REQUIRE {'SSL' if secured else 'NO SSL'};\n"
    )
    with server.Private(recipient / "data", recipient / "tmp", given) as own:
        own.ask(statements)
    server.removed(recipient)


def _started(data: Path, work: Path, settings: Mapping[str, str]) -> str:
    """Start a server on the copy, which finishes it, and shut it down; the transactions that are in it."""
    # Who may log in is the primary's affair; here nobody but this process comes near.
    with server.Private(data, work / "start", {**settings, "skip-grant-tables": "ON"}) as own:
        gtids = "".join(own.ask("SELECT @@GLOBAL.gtid_executed").split())
    server.removed(work / "start")
    return str(parse_set(gtids.replace("\\n", "")))


def manifest(data: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of each file, by its path; all of them are on the disk when this returns."""
    found: dict[str, tuple[int, str]] = {}
    for path in sorted(one for one in data.rglob("*") if one.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
            os.fsync(file.fileno())
            found[str(path.relative_to(data))] = (file.tell(), digest.hexdigest())
    return found


def fetch(copy: Copy, to: Path, read: Callable[[str], Iterable[bytes]], at_once: int = 1) -> None:
    """Bring the files of a copy into the directory `to`, so many at once, and compare each with what it was. `read`:
    gives the content of a file, in pieces; raises FileNotFoundError. Raises CopyError."""
    for name in copy.folders:
        (to / name).mkdir(mode=0o700, parents=True, exist_ok=True)

    def fetch_file(name: str) -> None:
        held, path = hashlib.sha256(), to / name
        try:
            with path.open("wb") as written:
                for chunk in read(name):
                    held.update(chunk)
                    written.write(chunk)
        except FileNotFoundError:
            raise CopyError(f"the base backup {copy.id} lacks the file {name}; {ANOTHER}") from None
        size, digest = copy.files[name]
        if (path.stat().st_size, held.hexdigest()) != (size, digest):
            raise CopyError(f"the file {name} of the base backup {copy.id} is not what was written; {ANOTHER}")

    with ThreadPoolExecutor(at_once) as pool:
        try:
            for _ in pool.map(fetch_file, copy.files):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def pieces(path: Path) -> Iterator[bytes]:
    """The content of a file."""
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk


ANOTHER = "restore to a moment that an older copy serves, with --to"


def tidy(catalog: Catalog, days: int, least: int, now: datetime) -> list[str]:
    """Remove what no moment of the window needs, and what attempts left behind; what was removed. Only while no copy is
    being made."""
    removed = [path.name for path in catalog.unfinished()]
    for path in catalog.unfinished():
        server.removed(path)
    copies = catalog.copies()
    for copy in not_needed(copies, now, days, least):
        removed.append(copy.id)
        # The document first: what lacks it is no copy.
        (catalog.root / COPIES / copy.id / "copy.json").unlink()
        server.removed(catalog.root / COPIES / copy.id)
    return removed + _tidy_logs(catalog)


def _tidy_logs(catalog: Catalog) -> list[str]:
    copies, current, removed = catalog.copies(), catalog.history(), list[str]()
    if not copies:
        return []
    for folder in sorted((catalog.root / LOGS).glob("*")):
        first = needed_from(copies, folder.name)
        if first is None and folder.name == current:
            continue  # its first copy is about to come
        for path in files(folder):
            if first is None or number(path.name) < number(first):
                path.unlink()
                removed.append(path.name)
        if first is None:
            for kind in (LOGS, ARRIVING, UNTIL, SENT):
                server.removed(catalog.root / kind / folder.name)
    return removed


def _write(path: Path, text: str) -> None:
    """Write a file at once, and have the disk keep it."""
    staged = path.with_suffix(".new")
    with staged.open("w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staged.replace(path)
