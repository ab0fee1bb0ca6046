"""The images of a stack: which one each argument gets, and what `local:NAME:TAG` stands for on this machine."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from tierstack.core.errors import MISSING, ArgumentError, Diagnostic, declare
from tierstack.core.section import ImageKey
from tierstack.platform import PlatformKind
from tierstack.stack.instances import Instance

_LOCAL = re.compile(r"local:([a-z0-9][a-z0-9._-]*:[A-Za-z0-9_][A-Za-z0-9._-]*)")
_BUILD = "make it with `python3 images/build.py`"

declare("image-missing", "A local image must be on the Docker host.", wrong="images: {app: local:shop:1}", right=_BUILD)
declare("docker-unreachable", "The Docker daemon must answer.")
_STAND_IN = f"sha256:{'0' * 64}"

Lookup = Callable[[str], str | None]
"""From a reference such as `tierstack.local/shop:1` to the id of the image on the Docker host, or None."""


class Images:
    """The images that the settings give, by the places where they stand: `images.app`, `apps.shop.image`."""

    def __init__(self, settings: Any, kind: PlatformKind, all_of_them: Sequence[Instance], lookup: Lookup) -> None:
        """Raises ArgumentError naming each image that is missing, or that is not on the Docker host.

        Every `local:` reference is replaced by what the platform runs. On Docker that is the image's id, so that a
        rebuilt image is a change; on Kubernetes the name under which the image is loaded into the node.
        """
        self._kind = kind
        given = {f"images.{key}": value for key, value in settings.images.written().items()}
        for one in all_of_them:
            given |= {
                f"{one.path}.{argument}": getattr(one.settings, argument, None) for _, argument in arguments(one, kind)
            }
        self._images: dict[str, str] = {}
        problems: list[Diagnostic] = []
        for place, value in given.items():
            if value is not None:
                self._images[place], wrong = _settled(place, value, kind, lookup)
                problems += wrong
        for one in all_of_them:
            for key, argument in arguments(one, kind):
                if key.required and self.place(one, key, argument) is None:
                    wrong = Diagnostic(
                        f"images.{key.key}", MISSING, "is required", "write an image by digest", "missing-key"
                    )
                    problems += [wrong] if wrong not in problems else []
        if problems:
            raise ArgumentError("configuration", problems)

    def place(self, of: Instance, key: ImageKey, argument: str) -> str | None:
        """Where the image of an argument stands. None: nowhere."""
        places = (f"{of.path}.{argument}", f"images.{key.key}", f"images.{key.otherwise}")
        return next((place for place in places if place in self._images), None)

    def of(self, of: Instance) -> dict[str, str]:
        """The images of a component, by its arguments."""
        places = {argument: self.place(of, key, argument) for key, argument in arguments(of, self._kind)}
        return {argument: self._images[place] for argument, place in places.items() if place is not None}


def arguments(of: Instance, kind: PlatformKind) -> list[tuple[ImageKey, str]]:
    """The keys of `images` that give arguments of a component on a platform, with the arguments."""
    docker = kind is PlatformKind.DOCKER
    counting = (key for key in of.section.images if key.only is None or _value(of, key.only[0]) == key.only[1])
    both = ((key, key.docker if docker else key.kubernetes) for key in counting)
    return [(key, argument) for key, argument in both if argument is not None]


def _value(of: Instance, key: str) -> object:
    """The value of a key of the component's settings; of `database.engine`, of the database that it is for."""
    section, _, name = key.rpartition(".")
    return getattr(of.per.settings if section and of.per else of.settings, name)


def _settled(place: str, value: str, kind: PlatformKind, lookup: Lookup) -> tuple[str, list[Diagnostic]]:
    """What the platform runs for an image of the settings."""
    if not value.startswith("local:"):
        return value, []
    match = _LOCAL.fullmatch(value)
    if match is None:
        return value, [
            Diagnostic(
                place,
                value,
                "is not a local image",
                "write `local:NAME:TAG`, such as `local:shop:1`",
                "image-reference",
            )
        ]
    reference = f"tierstack.local/{match[1]}"
    found = lookup(reference) if kind is PlatformKind.DOCKER else reference
    if found is None:
        return value, [Diagnostic(place, value, "is not on the Docker host", _BUILD, "image-missing")]
    return found, []


def unasked(_reference: str) -> str:
    """A lookup that asks nobody and finds everything: for checks without a daemon."""
    return _STAND_IN


def on_host(docker_host: str | None) -> Lookup:
    """The lookup on a Docker host (None: the daemon of the environment)."""

    def lookup(reference: str) -> str | None:
        import docker
        from docker.errors import DockerException, ImageNotFound

        from tierstack.platform.claim import TO_REACH, unanswered

        try:
            daemon = docker.DockerClient(base_url=docker_host) if docker_host else docker.from_env()
            return daemon.images.get(reference).id
        except ImageNotFound:
            return None
        except DockerException as error:
            wrong = unanswered(docker_host, str(error)[:80])
            instead = f"{TO_REACH}, or write manifests with `tierstack render`"
            problem = Diagnostic("platform.docker_host", MISSING, wrong, instead, "docker-unreachable")
            raise ArgumentError("configuration", [problem]) from None

    return lookup
