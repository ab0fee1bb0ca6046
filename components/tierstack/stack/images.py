"""Images of this machine: what `local:NAME:TAG` stands for."""

import re
from collections.abc import Callable

from tierstack.core.errors import ArgumentError, Problem
from tierstack.platform import PlatformKind
from tierstack.stack.derive import SettingsModel

_LOCAL = re.compile(r"local:([a-z0-9][a-z0-9._-]*:[A-Za-z0-9_][A-Za-z0-9._-]*)")
_BUILD = "make it with `python3 images/build.py`"
_STAND_IN = f"sha256:{'0' * 64}"

Lookup = Callable[[str], str | None]
"""From a reference such as `tierstack.local/shop:1` to the id of the image on the Docker host, or None."""


def settled(images: SettingsModel, kind: PlatformKind, lookup: Lookup) -> SettingsModel:
    """`images` with every `local:` reference replaced by what the platform runs.

    On Docker that is the image's id, so that a rebuilt image is a change; on Kubernetes the name under which the image
    is loaded into the node. Raises ArgumentError naming each image that is not there.
    """
    problems: list[Problem] = []
    found: dict[str, str | None] = {}
    for name, value in images.written().items():
        match = _LOCAL.fullmatch(value) if value else None
        if match is None:
            if value and value.startswith("local:"):
                wrong = "is not a local image"
                problems.append(
                    Problem(f"images.{name}", value, wrong, "write `local:NAME:TAG`, such as `local:shop:1`")
                )
            found[name] = value
            continue
        reference = f"tierstack.local/{match[1]}"
        found[name] = lookup(reference) if kind is PlatformKind.DOCKER else reference
        if found[name] is None:
            problems.append(Problem(f"images.{name}", value, "is not on the Docker host", _BUILD))
    if problems:
        raise ArgumentError("configuration", problems)
    return type(images).model_validate(found)


def unasked(_reference: str) -> str:
    """A lookup that asks nobody and finds everything: for checks without a daemon."""
    return _STAND_IN


def on_host(docker_host: str | None) -> Lookup:
    """The lookup on a Docker host (None: the daemon of the environment)."""

    def lookup(reference: str) -> str | None:
        import docker
        from docker.errors import DockerException, ImageNotFound

        try:
            daemon = docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()
            return daemon.images.get(reference).id
        except ImageNotFound:
            return None
        except DockerException as error:
            wrong = f"does not answer ({str(error)[:80]})"
            instead = "start Docker, or render manifests with `tierstack render`"
            raise ArgumentError(
                "configuration", [Problem("platform.docker_host", docker_host or "the default daemon", wrong, instead)]
            ) from None

    return lookup
