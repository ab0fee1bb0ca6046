"""Files in a Docker volume, written through the Docker API.

`uploads` of a container would replace the container at every change, and knows neither owner nor mode. Here a change
is an update: the new files are put beside the old ones and renamed over them, so that a reader such as Traefik's
watcher never sees half a file, and no container restarts.
"""

import contextlib
import hashlib
import io
import posixpath
import shlex
import tarfile
from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider, UpdateResult

from tierstack.platform.daemon import ImageError, client, pulled, state

_MOUNT = "/volume"
_WRITE_SECONDS = 600
"""How long writing may take: milliseconds once the container runs, which can take minutes to start on a busy host."""
PROGRAMS = ("chown", "mkdir", "mv", "rm")
"""What the shell of the image that writes files needs; `tools_image` of Gateway tells users."""
WRITES = "tierstack.dev/writes"
"""Label of a container that writes files: the volume that it writes to."""


def staging(paths: Iterable[str]) -> str:
    """The directory that files are put into first; another for other files, so that two writers of one volume never
    meet."""
    return f".tierstack-{hashlib.sha256(chr(10).join(sorted(paths)).encode()).hexdigest()[:8]}"


def archive(files: dict[str, str], uid: int, gid: int, mode: int) -> bytes:
    """A tar of the staging directory with the files in it, owned and permitted as asked; parent directories too."""
    staged = staging(files)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        directories = {staged}
        for path in files:
            parent = posixpath.dirname(posixpath.join(staged, path))
            while parent and parent not in directories:
                directories.add(parent)
                parent = posixpath.dirname(parent)
        for path in sorted(directories):
            directory = tarfile.TarInfo(path)
            directory.type, directory.mode, directory.uid, directory.gid = tarfile.DIRTYPE, 0o755, uid, gid
            tar.addfile(directory)
        for path, content in sorted(files.items()):
            data = content.encode()
            entry = tarfile.TarInfo(posixpath.join(staged, path))
            entry.size, entry.mode, entry.uid, entry.gid = len(data), mode, uid, gid
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def script(write: list[str], remove: list[str], uid: int, gid: int) -> str:
    """The shell lines that move staged files into place (rename is atomic within a volume) and remove others. The
    volume itself gets the same owner: the daemon makes it root's, and an archive does not change that."""
    staged = staging(write)
    lines = ["set -e", f"cd {_MOUNT}", f"chown {uid}:{gid} ."]
    lines += [f"mkdir -p -- {shlex.quote(parent)}" for parent in sorted({posixpath.dirname(p) for p in write} - {""})]
    lines += [f"mv -f -- {shlex.quote(posixpath.join(staged, path))} {shlex.quote(path)}" for path in sorted(write)]
    lines += [f"rm -f -- {shlex.quote(path)}" for path in sorted(remove)]
    return "\n".join([*lines, f"rm -rf {staged}"])


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        _apply(props, {})
        names = "\n".join(sorted(props["files"]))
        return CreateResult(f"{props['volume']}:{hashlib.sha256(names.encode()).hexdigest()[:8]}", state(props))

    def update(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> UpdateResult:
        _apply(_news, _olds.get("files") or {})
        return UpdateResult(state(_news))

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        # Another image for the helper changes nothing in the volume.
        changed = any(_olds.get(key) != _news.get(key) for key in ("files", "uid", "gid", "mode"))
        moved = [key for key in ("volume", "docker_host") if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=changed or bool(moved), replaces=moved, delete_before_replace=False)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        daemon = client(props.get("docker_host"))
        if not _has_volume(daemon, props["volume"]):
            return ReadResult("", {})
        try:
            as_written = _as_written(daemon, props)
        except ImageError:  # nothing can look into the volume; an update says so if it has to write
            return ReadResult(id_, state(props))
        # What the volume does not hold as it was written is missing from the state, and the next update writes it.
        return ReadResult(id_, {**state(props), "files": {path: props["files"][path] for path in as_written}})

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        daemon = client(_props.get("docker_host"))
        if not _has_volume(daemon, _props["volume"]):
            return
        with contextlib.suppress(ImageError):  # then the files go with their volume
            # A file that somebody else has written since is theirs.
            _apply({**_props, "files": {}}, dict.fromkeys(_as_written(daemon, _props), ""))


def _apply(props: dict[str, Any], before: dict[str, str]) -> None:
    from requests.exceptions import RequestException

    files: dict[str, str] = props["files"]
    daemon = client(props.get("docker_host"))
    uid, gid = int(props["uid"]), int(props["gid"])
    gone = [path for path in before if path not in files]
    helper = _helper(daemon, props, script(list(files), gone, uid, gid))
    try:
        helper.put_archive(_MOUNT, archive(files, uid, gid, int(props["mode"])))
        helper.start()
        try:
            code = helper.wait(timeout=_WRITE_SECONDS)["StatusCode"]
        except RequestException:  # the daemon's answer did not come in time
            wrong = f"writing files into volume {props['volume']} did not end within {_WRITE_SECONDS} s"
            raise RuntimeError(f"{wrong}: the host is too busy, or its disk hangs; then update again") from None
        if code != 0:
            raise RuntimeError(f"writing files into volume {props['volume']} failed ({code}): {helper.logs().decode()}")
    finally:
        helper.remove(force=True)


def _helper(daemon: Any, props: dict[str, Any], lines: str) -> Any:
    """A container, not started, that has the volume: files can be put into it and read from it as it is."""
    return daemon.containers.create(
        pulled(daemon, props["image"]),
        entrypoint=["/bin/sh", "-c", lines],
        user="0:0",
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE", "FOWNER", "CHOWN"],
        security_opt=["no-new-privileges:true"],
        volumes={props["volume"]: {"bind": _MOUNT, "mode": "rw"}},
        labels={"app.kubernetes.io/managed-by": "tierstack", WRITES: props["volume"]},
    )


def _has_volume(daemon: Any, name: str) -> bool:
    """Whether the volume is there; a helper would make it anew."""
    return any(volume.name == name for volume in daemon.volumes.list())


def _as_written(daemon: Any, props: dict[str, Any]) -> list[str]:
    """The paths whose content, owner and mode are what was written."""
    from docker.errors import NotFound

    owned = int(props["uid"]), int(props["gid"]), int(props["mode"])
    same: list[str] = []
    helper = _helper(daemon, props, "true")
    try:
        for path, content in props["files"].items():
            with contextlib.suppress(NotFound):
                chunks, _ = helper.get_archive(posixpath.join(_MOUNT, path))
                if entry_of(b"".join(chunks)) == (*owned, content.encode()):
                    same.append(path)
    finally:
        helper.remove(force=True)
    return same


def entry_of(archived: bytes) -> tuple[int, int, int, bytes] | None:
    """(uid, gid, mode, content) of the one file in a tar; None where it is no plain file."""
    with tarfile.open(fileobj=io.BytesIO(archived)) as tar:
        member = tar.next()
        content = tar.extractfile(member) if member and member.isfile() else None
        return (member.uid, member.gid, member.mode & 0o7777, content.read()) if member and content else None


class VolumeFiles(Resource, module="docker", name="VolumeFiles"):
    """Files in a Docker volume; a change of content is an update in place, atomic for each file."""

    volume: pulumi.Output[str]
    """Name of the volume, known once the files are in it: mount this one to start after them."""

    def __init__(
        self,
        name: str,
        *,
        volume: pulumi.Input[str],
        files: pulumi.Input[dict[str, pulumi.Input[str]]],
        image: pulumi.Input[str],
        uid: int,
        gid: int,
        mode: int = 0o400,
        docker_host: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Write `files` (path inside the volume → content) owned by `uid`:`gid` with `mode`.

        `image` is any image on the host that has /bin/sh and PROGRAMS; it runs for an instant, without network.
        """
        secret = pulumi.ResourceOptions(additional_secret_outputs=["files"])
        props = {
            "volume": volume,
            "files": pulumi.Output.secret(files),
            "image": image,
            "uid": uid,
            "gid": gid,
            "mode": mode,
            "docker_host": docker_host,
        }
        super().__init__(_Provider(), name, props, pulumi.ResourceOptions.merge(opts, secret))
