"""An image of a registry on the Docker host, pulled before the first container needs it.

The provider pulls for containers, but without the credentials of `docker login`; and it reads an image back by its id,
so that a container with a reference would be replaced after every refresh. Here the image is pulled with the user's
own credentials, which never enter the state, and containers get its id.
"""

import hashlib
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, Resource, ResourceProvider

from tierstack.platform.daemon import client, pulled, state


class _Provider(ResourceProvider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        image_id = pulled(client(props.get("docker_host")), props["image"])
        return CreateResult(image_id, {**state(props), "image_id": image_id})

    def diff(self, _id: str, _olds: dict[str, Any], _news: dict[str, Any]) -> DiffResult:
        moved = [key for key in ("image", "docker_host") if _olds.get(key) != _news.get(key)]
        return DiffResult(changes=bool(moved), replaces=moved, delete_before_replace=False)

    def read(self, id_: str, props: dict[str, Any]) -> ReadResult:
        from docker.errors import ImageNotFound

        try:
            client(props.get("docker_host")).images.get(id_)
        except ImageNotFound:
            return ReadResult("", {})  # the next update pulls it again
        return ReadResult(id_, state(props))


class PulledImage(Resource, module="docker", name="PulledImage"):
    """An image that is on the host; it stays there when the resource is deleted, as `docker image prune` decides."""

    image_id: pulumi.Output[str]
    """Its id, `sha256:…`, as containers use it."""

    def __init__(
        self, name: str, *, image: str, docker_host: str | None = None, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Pull `image` (`repository[:tag]@sha256:…`) unless the host has it."""
        super().__init__(_Provider(), name, {"image": image, "docker_host": docker_host, "image_id": None}, opts)


def image_suffix(image: str) -> str:
    """The end of its logical name: another for another image, so that an old release keeps its own beside the new."""
    return f"image-{hashlib.sha256(image.encode()).hexdigest()[:12]}"
