"""A repository of restic, in a bucket or in a volume, as the containers of the backups use it.

It needs restic ≥ 0.18 (exit codes that name the cause, restores without attributes of the host) and the standard
library; boto3 where there is a bucket.
"""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Generator, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tierstack.backup_schedule import layout
from tierstack.backup_schedule.status import stamp

CONFIG = Path("/etc/tierstack")
CATALOG = Path("/var/lib/restic")
"""The volume of the backups: the ledger of drills, restic's cache, and the repository where there is no bucket."""
SOURCE = Path("/source")
"""Where the agent sees what it backs up. Snapshots have this path."""
FOLDER = "restic"
"""Folder of the repository: below that of the backups in the bucket, or in the volume."""
OURS = ".tierstack-"
"""What names of files begin with that a restore in place leaves beside; they are no part of a backup."""
PASSWORD = "repository-password"
"""File with the password of the repository."""
RETRY_LOCK = "30m"
"""How long a command waits for the lock of another one. Then restic itself calls a lock stale."""
ANSWER_SECONDS = 60
"""How long the store may take to answer before a job is given up: restic itself would try for 15 minutes."""
_INCOMPLETE, _ABSENT, _LOCKED, _WRONG_PASSWORD = 3, 10, 11, 12


class ResticError(Exception):
    """restic failed; the message is one line for people."""


class AbsentError(ResticError):
    """There is no repository yet."""


class IncompleteError(ResticError):
    """A backup was saved, and some files could not be read."""

    def __init__(self, files: int) -> None:
        super().__init__(f"{files} files could not be read")
        self.files = files


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One backup in a repository."""

    id: str
    began: datetime
    size_bytes: int
    """Bytes of all its files, as they are restored."""
    files: int

    def as_entry(self) -> dict[str, Any]:
        """As a file or a command has it."""
        return {**asdict(self), "began": stamp(self.began)}


def snapshots(listed: Iterable[Mapping[str, Any]]) -> list[Snapshot]:
    """The answer of `restic snapshots --json`, the oldest first."""
    found = [_snapshot(one) for one in listed]
    return sorted(found, key=lambda one: one.began)


def entries(found: Iterable[Mapping[str, Any]]) -> list[Snapshot]:
    """Snapshots from what `as_entry` made of them."""
    return [
        Snapshot(
            id=one["id"],
            began=datetime.fromisoformat(one["began"]),
            size_bytes=one["size_bytes"],
            files=one["files"],
        )
        for one in found
    ]


def _snapshot(listed: Mapping[str, Any]) -> Snapshot:
    summary: dict[str, Any] = listed.get("summary") or {}
    size, files = summary.get("total_bytes_processed"), summary.get("total_files_processed")
    return Snapshot(id=listed["id"], began=_moment(listed["time"]), size_bytes=int(size or 0), files=int(files or 0))


def _moment(text: str) -> datetime:
    """restic writes nanoseconds, which Python does not read: to the second, rounded down."""
    return datetime.fromisoformat(re.sub(r"\.\d+", "", text)).astimezone(UTC)


class Repository:
    """The repository that the settings name, by the key of one purpose."""

    def __init__(self, settings: Mapping[str, Any], profile: str, config: Path = CONFIG) -> None:
        """`settings`: the settings file; `profile`: whose key is used of a bucket."""
        self.settings, self.profile, self.config = settings, profile, config
        self.host: str = settings["host"]
        self.tag: str = settings["tag"]
        self.store: Mapping[str, Any] | None = settings.get("store")

    @property
    def url(self) -> str:
        """What restic calls the repository."""
        return url_of(self.store)

    @property
    def environment(self) -> dict[str, str]:
        """What restic runs with. No secret is in it: they stand in files."""
        of_bucket: dict[str, str] = {}
        if self.store:
            of_bucket = {
                "AWS_SHARED_CREDENTIALS_FILE": str(self.config / "aws-credentials"),
                "AWS_PROFILE": self.profile,
                **({"AWS_DEFAULT_REGION": self.store["region"]} if self.store["region"] else {}),
                **({"RESTIC_CACERT": self.store["ca_path"]} if self.store["ca_path"] else {}),
            }
        work = CATALOG if os.access(CATALOG, os.W_OK) else Path("/tmp")
        scratch = work / "scratch"
        scratch.mkdir(exist_ok=True)
        return {
            **os.environ,
            **of_bucket,
            "RESTIC_REPOSITORY": self.url,
            "RESTIC_PASSWORD_FILE": str(self.config / PASSWORD),
            "RESTIC_CACHE_DIR": str(work / "cache"),
            "RESTIC_PROGRESS_FPS": "0.2",
            # Packs lie here before they are stored: /tmp is memory, and 64 MiB.
            "TMPDIR": str(scratch),
        }

    def run(self, *arguments: str, keep_open: Iterable[int] = (), seconds: float | None = None) -> str:
        """What restic prints. Raises ResticError, with what it said last. `keep_open`: files that it holds open until
        it ends, even where this process was killed. `seconds`: when it is given up."""
        command = ["restic", "--quiet", *arguments]
        try:
            done = subprocess.run(
                command,
                env=self.environment,
                capture_output=True,
                text=True,
                pass_fds=tuple(keep_open),
                timeout=seconds,
            )
        except subprocess.TimeoutExpired as error:
            said = (error.stderr or b"").decode(errors="replace")
            raise ResticError(f"{self.url} does not answer: {cause(said)}") from None
        if done.returncode:
            raise self.failure(arguments[0], done.returncode, done.stdout + done.stderr)
        return done.stdout

    def dumped(self, identifier: str, file: str) -> Generator[bytes]:
        """The content of one file of a snapshot, in parts. Raises ResticError at its end where it is not whole."""
        # No lock: a key that only reads cannot write one.
        command = ["restic", "--quiet", "dump", identifier, file, "--no-lock"]
        with tempfile.TemporaryFile() as errors:
            process = subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=errors)
            try:
                assert process.stdout
                while chunk := process.stdout.read(2**20):
                    yield chunk
                code = process.wait()
            finally:
                process.kill()  # where who reads wants no more
                process.wait()
            if code:
                errors.seek(0)
                raise self.failure("dump", code, errors.read().decode(errors="replace"))

    def failure(self, verb: str, code: int, said: str) -> ResticError:
        """What an exit code means (restic manual, "Scripting")."""
        if code == _INCOMPLETE and verb == "backup":
            return IncompleteError(sum('"message_type":"error"' in line for line in said.splitlines()))
        if code == _ABSENT:
            return AbsentError(f"{self.url}: there is no repository")
        if code == _WRONG_PASSWORD:
            return ResticError(
                f"{self.url} was made with another password: nothing is written. Give that one as `password`, or give "
                "another bucket, prefix or name"
            )
        if code == _LOCKED:
            by = next((line for line in said.splitlines() if "already locked" in line), said)
            return ResticError(f"{self.url} is in use: {cause(by)}")
        return ResticError(f"restic {verb} ended with exit code {code}: {cause(said)}")

    def open(self) -> None:
        """Make sure that there is a repository that opens with the password. Raises ResticError."""
        try:
            self.run("cat", "config", "--no-lock", seconds=ANSWER_SECONDS)
        except AbsentError:
            # Only where the store itself says so: what does not answer may hold backups.
            self.run("init", seconds=ANSWER_SECONDS)

    def snapshots(self) -> list[Snapshot]:
        """The backups, the oldest first."""
        answer = self.run("snapshots", "--json", "--no-lock", "--tag", self.tag, seconds=10 * ANSWER_SECONDS)
        return snapshots(json.loads(answer or "[]") or [])

    def remove_locks_of(self, host: str) -> list[str]:
        """Remove the locks that processes of `host` left; their ids. Only the caller knows that none of them runs."""
        removed: list[str] = []
        for identifier in self.run("list", "locks", "--no-lock", seconds=ANSWER_SECONDS).split():
            lock = json.loads(self.run("cat", "lock", identifier, "--no-lock", seconds=ANSWER_SECONDS))
            if lock["hostname"] == host:
                self._remove_lock(identifier)
                removed.append(identifier)
        return removed

    def _remove_lock(self, identifier: str) -> None:
        """One lock. `restic unlock` removes those of others too, or none of a host on which the number of the process
        is in use again, as it is in every container."""
        if not self.store:
            (CATALOG / FOLDER / "locks" / identifier).unlink(missing_ok=True)
            return
        from tierstack.backup_schedule.bucket import (
            Bucket,  # here, because health checks come often and need none of it
        )

        bucket = Bucket(self.store, self.config, self.profile)
        key = f"{bucket.folder}/{FOLDER}/locks/{identifier}"
        try:
            bucket.s3.delete_object(Bucket=bucket.name, Key=key)
        except Exception as error:
            raise ResticError(f"the lock {key} of a killed job cannot be removed: {error}") from None


def url_of(store: Mapping[str, Any] | None) -> str:
    """What restic calls the repository in a bucket, or in the volume."""
    if store is None:
        return str(CATALOG / FOLDER)
    endpoint = store["endpoint_url"] or f"https://s3.{store['region']}.amazonaws.com"
    return f"s3:{endpoint}/{store['bucket']}/{layout.folder(store['prefix'], store['server'])}/{FOLDER}"


def cause(said: str) -> str:
    """The line of restic's words that says most: its last one, without what it says of each retry."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    texts: list[str] = []
    for line in lines:
        texts += _message(line) if line.startswith("{") else [line]
    last = next(
        (one for one in reversed(texts) if "retrying after" in one or "Fatal" in one), texts[-1] if texts else ""
    )
    _, _, after = last.partition(": ") if "retrying after" in last else ("", "", last)
    return " ".join(after.removeprefix("Fatal: ").split())[-300:] or "it said nothing"


def _message(line: str) -> list[str]:
    """What a line of restic's JSON says went wrong."""
    try:
        document: dict[str, Any] = json.loads(line)
    except ValueError:
        return []
    error: dict[str, Any] = document.get("error") or {}
    message: str | None = document.get("message") or error.get("message")
    return [message] if message and document.get("message_type") in ("error", "exit_error") else []
