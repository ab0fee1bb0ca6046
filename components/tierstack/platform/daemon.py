"""The Docker daemon as dynamic resources use it: a client, and images that are pulled where they are not there."""

import os
import socket
from contextlib import suppress
from typing import Any

SOCKET = "unix:///var/run/docker.sock"
"""Where the daemon answers unless somebody says otherwise."""
_ANSWER_SECONDS = 60
"""As long as the SDK waits."""


def client(docker_host: str | None) -> Any:
    """A Docker client of the host, or of the environment's daemon."""
    import docker  # a slow import, and only what talks to a daemon needs the SDK

    return docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()  # pyright: ignore


def answers(docker_host: str | None) -> bool:
    """Whether the daemon of a host, or of the environment, is there.

    One at a socket is asked directly: importing the SDK would take longer than all the rest of the command.
    """
    address = docker_host or os.environ.get("DOCKER_HOST") or SOCKET
    if address.startswith("unix://"):
        return _pinged(f"/{address.removeprefix('unix://').lstrip('/')}")
    from docker.errors import DockerException

    with suppress(DockerException):
        return bool(client(docker_host).ping())
    return False


def _pinged(path: str) -> bool:
    """Whether an HTTP server at a socket says OK to a ping (Docker Engine API, `GET /_ping`)."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_ANSWER_SECONDS)
            connection.connect(path)
            connection.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            with connection.makefile("rb") as answer:
                return answer.readline().split()[1:2] == [b"200"]
    except OSError:
        return False


def state(props: dict[str, Any]) -> dict[str, Any]:
    """The properties of a dynamic resource as its outputs: without the engine's own (its pickled provider)."""
    return {key: value for key, value in props.items() if not key.startswith("__")}


class ImageError(RuntimeError):
    """An image cannot be had."""


def is_in_registry(image: str) -> bool:
    """Whether a registry can have the image: it is named `repository[:tag]@sha256:…`. An image id is the host's."""
    return "@" in image


def without_tag(image: str) -> tuple[str, str]:
    """(repository, digest) of `repository[:tag]@sha256:…`: where a digest is given, a tag says nothing."""
    repository, _, digest = image.partition("@")
    host, slash, path = repository.rpartition("/")  # a port is no tag
    return f"{host}{slash}{path.partition(':')[0]}", digest


def pulled(daemon: Any, image: str) -> str:
    """The id of `image` on the host, pulled first where it is not there.

    Credentials are those of the machine that runs the update, as `docker login` keeps them: `config.json` of
    `DOCKER_CONFIG` or `~/.docker`, or a credential helper named there. They go to the daemon with the request, and are
    kept nowhere. Raises ImageError where the image cannot be had.
    """
    from docker.errors import DockerException, ImageNotFound

    try:
        return str(daemon.images.get(image).id)
    except ImageNotFound:
        if not is_in_registry(image):
            raise ImageError(
                f"image {image} is not on the Docker host; build or load it there, "
                "or name an image of a registry by digest (repository@sha256:…)"
            ) from None
    repository, digest = without_tag(image)
    try:
        for line in daemon.api.pull(repository, tag=digest, stream=True, decode=True):
            if "error" in line:
                raise ImageError(_unpulled(image, str(line["error"])))
    except DockerException as error:
        raise ImageError(_unpulled(image, str(getattr(error, "explanation", None) or error))) from None
    return str(daemon.images.get(f"{repository}@{digest}").id)


def _unpulled(image: str, said: str) -> str:
    registry = image.partition("/")[0]
    refused = any(word in said.lower() for word in ("unauthorized", "denied", "no basic auth", "authentication"))
    instead = f"run `docker login {registry}` on the machine that runs the update" if refused else "check its name"
    return f"image {image} cannot be pulled: {said.strip()}; {instead}"
