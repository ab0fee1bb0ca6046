"""The Docker daemon as dynamic resources use it: a client, and images that are pulled where they are not there."""

from typing import Any


def client(docker_host: str | None) -> Any:
    """A Docker client of the host, or of the environment's daemon."""
    import docker  # a slow import, and only what talks to a daemon needs the SDK

    return docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()  # pyright: ignore


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
