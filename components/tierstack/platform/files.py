"""Files in a Docker volume, written through the Docker API.

`uploads` of a container would replace the container at every change, and knows neither owner nor mode. Here a change
is an update: the new files are put beside the old ones and renamed over them, so that a reader such as Traefik's
watcher never sees half a file, and no container restarts.
"""

import hashlib
import io
import posixpath
import shlex
import tarfile
from collections.abc import Iterable
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource, ResourceProvider, UpdateResult

_MOUNT = "/volume"
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

    def delete(self, _id: str, _props: dict[str, Any]) -> None:
        from docker.errors import NotFound

        try:
            _apply({**_props, "files": {}}, _props["files"])
        except NotFound:
            return  # the volume, or the image of the helper, is gone already


def state(props: dict[str, Any]) -> dict[str, Any]:
    """The properties of a dynamic resource as its outputs: without the engine's own (its pickled provider)."""
    return {key: value for key, value in props.items() if not key.startswith("__")}


def client(docker_host: str | None) -> Any:
    """A Docker client of the host, or of the environment's daemon."""
    import docker  # only the process that runs dynamic resources needs the SDK

    return docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()  # pyright: ignore


def _apply(props: dict[str, Any], before: dict[str, str]) -> None:
    files: dict[str, str] = props["files"]
    daemon = client(props.get("docker_host"))
    if not files and not any(volume.name == props["volume"] for volume in daemon.volumes.list()):
        return  # nothing to remove from a volume that is gone; starting the helper would make it anew
    uid, gid = int(props["uid"]), int(props["gid"])
    gone = [path for path in before if path not in files]
    helper = daemon.containers.create(
        props["image"],
        entrypoint=["/bin/sh", "-c", script(list(files), gone, uid, gid)],
        user="0:0",
        network_mode="none",
        cap_drop=["ALL"],
        cap_add=["DAC_OVERRIDE", "FOWNER", "CHOWN"],
        security_opt=["no-new-privileges:true"],
        volumes={props["volume"]: {"bind": _MOUNT, "mode": "rw"}},
        labels={"app.kubernetes.io/managed-by": "tierstack", WRITES: props["volume"]},
    )
    try:
        helper.put_archive(_MOUNT, archive(files, uid, gid, int(props["mode"])))
        helper.start()
        code = helper.wait(timeout=120)["StatusCode"]
        if code != 0:
            raise RuntimeError(f"writing files into volume {props['volume']} failed ({code}): {helper.logs().decode()}")
    finally:
        helper.remove(force=True)


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
        image: str,
        uid: int,
        gid: int,
        mode: int = 0o400,
        docker_host: str | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Write `files` (path inside the volume → content) owned by `uid`:`gid` with `mode`.

        `image` is any image on the host that has /bin/sh, mv and rm; it runs for an instant, without network.
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
