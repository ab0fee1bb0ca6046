"""The resources of one Docker host: networks, volumes, files in them, containers, and what runs once.

All components of a program share what belongs to the host: the provider, the claim to the platform's name, and the
images that were pulled.
"""

import re
from collections.abc import Sequence

import pulumi
import pulumi_docker as docker

from tierstack.platform import DataProtection, Platform, hosted_python, own_state, revision
from tierstack.platform.asked import PhysicalName
from tierstack.platform.claim import OF_A_RELEASE, Claim, Claimed, claim, refuse_taken
from tierstack.platform.daemon import is_in_registry
from tierstack.platform.docker.container import fields
from tierstack.platform.docker.service import Service
from tierstack.platform.files import VolumeFiles
from tierstack.platform.pulled_image import PulledImage, image_suffix
from tierstack.platform.ready import Ready
from tierstack.platform.reload import Reload
from tierstack.platform.run_once import RunOnce
from tierstack.platform.shared import (
    current_run,
    once_per_run,
    place_key,
    platform_key,
    shared_options,
    subject,
    waiting,
)

Called = Sequence[pulumi.Input[str]]
"""A name in parts, between hyphens; an Output among them is a revision, which is known only during an update."""


class Host:
    """One Docker host during a run."""

    def __init__(self, platform: Platform, component: pulumi.Resource | None = None) -> None:
        """`component`: the first that asked for it, whose caller's options hold for the provider that all share."""
        self.platform = platform
        self._component = component
        key = platform_key(platform, None)
        self.provider = once_per_run(lambda _: self._provider(), ("provider", key))
        self._ready: dict[pulumi.Resource, Ready] = once_per_run(
            lambda _: dict[pulumi.Resource, Ready](), ("ready", key)
        )
        self._claim, claimed = once_per_run(lambda _: self._take(), ("claim", key))
        self._taken = claimed.taken() if claimed else {}
        if self._claim:
            self._ask("volume", "claim", None, None)

    def _provider(self) -> docker.Provider | None:
        address = self.platform.docker_host
        if not address:
            return None
        return docker.Provider(self._shared_name("docker"), host=address, opts=shared_options(self._component))

    def _take(self) -> tuple[Claim | None, Claimed | None]:
        hosted_python.require()
        opts = shared_options(self._component)
        resources, stack = own_state.resources(), own_state.stack_name()
        return claim(self._shared_name("claim"), self.platform, resources, stack, opts)

    def _shared_name(self, kind: str) -> str:
        """The logical name of what all components of the platform share."""
        platform = self.platform
        which = (platform.docker_host or "").rpartition("/")[2]
        return current_run().name(f"{platform.name}-{kind}", platform_key(platform, None), which)

    def options(
        self, parent: pulumi.Resource, depends_on: Sequence[pulumi.Resource] = (), **more: object
    ) -> pulumi.ResourceOptions:
        """Options of a resource on this host under `parent`: it comes after the claim to the platform's name."""
        before = [*depends_on, *([self._claim] if self._claim else [])]
        opts = pulumi.ResourceOptions(parent=parent, provider=self.provider, depends_on=before, **more)  # pyright: ignore
        return waiting(opts, parent)

    def image(self, reference: pulumi.Input[str]) -> pulumi.Input[str]:
        """What a container is made from: the id of an image that is pulled first, if it is one of a registry. One that
        comes from a build or another stack is left to the provider: its reference would name the pull."""
        if not isinstance(reference, str) or not is_in_registry(reference):
            return reference
        key = ("image", platform_key(self.platform, None), reference)
        return once_per_run(lambda _: self._pulled(reference), key).image_id

    def _pulled(self, reference: str) -> PulledImage:
        name, opts = self._shared_name(image_suffix(reference)), shared_options(self._component)
        return PulledImage(name, image=reference, docker_host=self.platform.docker_host, opts=opts)

    def _ask(self, kind: str, name: str, called: Called | None, parent: pulumi.Resource | None) -> None:
        """Ask for a name on the host: it must be nobody else's, neither in the program nor on the host."""
        owner, who = (parent, subject(parent)) if parent else (self.platform.name, f'platform "{self.platform.name}"')
        asked = current_run().asked
        parts = [self.platform.name, *(called or [name])]
        shown = "-".join(part if isinstance(part, str) else "*" for part in parts)
        asked.add(PhysicalName(place_key(self.platform, None), kind, shown), owner, who)
        # Of names with a revision all that look alike: at worst one is told that would not have been in the way.
        pattern = "-".join(re.escape(part) if isinstance(part, str) else revision.PATTERN for part in parts)
        asked.refused += [
            refuse_taken(one, who)
            for (other, name), one in sorted(self._taken.items())
            if other == kind and re.fullmatch(pattern, name)
        ]

    def after(self, resources: Sequence[pulumi.Resource]) -> list[pulumi.Resource]:
        """What to depend on to start after `resources`: after a container means once it is ready."""
        return [self._ready.get(resource, resource) for resource in resources]

    def name(self, suffix: str) -> str:
        """The name on the host of what a component calls `suffix`."""
        return f"{self.platform.name}-{suffix}"

    def container_name(self, name: str, parent: pulumi.Resource) -> str:
        """The name on the host of a container that is made by other means than `container` and `run_once`."""
        self._ask("container", name, None, parent)
        return self.name(name)

    def _called(self, name: str, called: Called | None) -> pulumi.Input[str]:
        return self.name(name) if called is None else hyphenated([self.platform.name, *called])

    def network(self, name: str, parent: pulumi.Resource, *, internal: bool = False) -> docker.Network:
        """A bridge network; `internal` has no way out of the host."""
        self._ask("network", name, None, parent)
        return docker.Network(
            name,
            name=self.name(name),
            driver="bridge",
            internal=internal,
            labels=[docker.NetworkLabelArgs(label=k, value=v) for k, v in sorted(self.platform.labels.items())],
            # The daemon lets two networks have one name, and then starts no container in either.
            opts=self.options(parent, delete_before_replace=True),
        )

    def volume(
        self,
        name: str,
        parent: pulumi.Resource,
        *,
        data: bool,
        called: Called | None = None,
        memory_owner: tuple[int, int] | None = None,
    ) -> docker.Volume:
        """A named volume. `data`: it holds what cannot be made again, and is protected as the platform says.

        `called`: its name on the host after the platform's, where that is not `name`. `memory_owner`: it lies in
        memory, for sockets, and belongs to this (uid, gid); it is empty again when no container uses it.
        """
        self._ask("volume", name, called, parent)
        protection = self.platform.data_protection if data else DataProtection.NONE
        memory = None
        if memory_owner:
            uid, gid = memory_owner
            memory = {"type": "tmpfs", "device": "tmpfs", "o": f"size=1m,mode=0750,uid={uid},gid={gid}"}
        labels = self.platform.labels | (OF_A_RELEASE if called else {})
        return docker.Volume(
            name,
            name=self._called(name, called),
            driver="local",
            driver_opts=memory,
            labels=[docker.VolumeLabelArgs(label=k, value=v) for k, v in sorted(labels.items())],
            opts=self.options(
                parent,
                # Where the platform does not ask for them, what the caller says of the component holds.
                protect=protection is not DataProtection.NONE or None,
                retain_on_delete=protection is DataProtection.RETAIN or None,
                # Another name is another volume: it is made beside the old one, which what still uses it keeps.
                delete_before_replace=called is None,
                # Another label is no reason to delete data, and a volume is replaced where any field changes.
                ignore_changes=["labels"],
            ),
        )

    def files(
        self,
        name: str,
        parent: pulumi.Resource,
        *,
        volume: docker.Volume | pulumi.Input[str],
        files: dict[str, pulumi.Input[str]],
        image: pulumi.Input[str],
        owner: tuple[int, int],
        mode: int = 0o400,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> VolumeFiles:
        """Files in a volume (see `VolumeFiles`), owned by (uid, gid)."""
        return VolumeFiles(
            name,
            volume=volume.name if isinstance(volume, docker.Volume) else volume,
            files=files,
            image=image,
            uid=owner[0],
            gid=owner[1],
            mode=mode,
            docker_host=self.platform.docker_host,
            opts=waiting(pulumi.ResourceOptions(parent=parent, depends_on=self.after(depends_on)), parent),
        )

    def run_once(
        self,
        name: str,
        parent: pulumi.Resource,
        service: Service,
        *,
        triggers: dict[str, pulumi.Input[str]] | None = None,
        timeout_seconds: int = 900,
        undo: list[str] | None = None,
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> RunOnce:
        """Run a container to its end (see `RunOnce`); its mounts are read-only."""
        self._ask("container", name, None, parent)
        return RunOnce(
            name,
            container_name=self.name(name),
            image=service.image,
            command=service.command,
            user=service.user,
            networks=[attachment.network for attachment in service.networks],
            environment=service.environment,
            mounts={mount.path: mount.volume for mount in service.mounts},
            triggers=triggers,
            memory_mb=service.memory_mb,
            timeout_seconds=timeout_seconds,
            docker_host=self.platform.docker_host,
            undo=undo,
            opts=waiting(pulumi.ResourceOptions(parent=parent, depends_on=self.after(depends_on)), parent),
        )

    def reload(
        self,
        name: str,
        parent: pulumi.Resource,
        *,
        container: str,
        command: list[str],
        triggers: dict[str, pulumi.Input[str]],
        depends_on: Sequence[pulumi.Resource] = (),
    ) -> Reload:
        """Let the container that a component calls `container` read its files again (see `Reload`)."""
        return Reload(
            name,
            container=self.name(container),
            command=command,
            triggers=triggers,
            docker_host=self.platform.docker_host,
            opts=waiting(pulumi.ResourceOptions(parent=parent, depends_on=self.after(depends_on)), parent),
        )

    def container(
        self,
        name: str,
        parent: pulumi.Resource,
        service: Service,
        *,
        depends_on: Sequence[pulumi.Resource] = (),
        single: bool = True,
        called: Called | None = None,
    ) -> docker.Container:
        """A running container, healthy before the engine goes on. `called`: see `volume`.

        `single`: there can be only one of it (it owns a volume, a port or its name), so a replace stops the old one
        first. False for containers whose names carry their release: the new one starts beside the old one.
        """
        self._ask("container", name, called, parent)
        container = docker.Container(
            name,
            name=self._called(name, called),
            image=self.image(service.image),
            **fields(service, {**self.platform.labels, **service.labels}),
            opts=self.options(
                parent,
                depends_on=self.after(depends_on),
                delete_before_replace=single,
                # The provider calls a change of these applied, and leaves the container as it was.
                replace_on_changes=["healthcheck", "mounts", "tmpfs"],
            ),
        )
        self._ready[container] = Ready(
            f"{name}-ready",
            container=container.id,
            container_name=self.name(name),
            wait_seconds=service.wait_seconds,
            cpu_limit=service.cpu_limit,
            docker_host=self.platform.docker_host,
            opts=pulumi.ResourceOptions(parent=container),
        )
        return container


def hyphenated(parts: Called) -> pulumi.Output[str]:
    """The parts of a name, between hyphens."""
    return pulumi.Output.concat(parts[0], *(text for part in parts[1:] for text in ("-", part)))


def host(platform: Platform, component: pulumi.Resource | None = None) -> Host:
    """The host of `platform` in this run, made at the first call."""
    return once_per_run(lambda _: Host(platform, component), ("host", platform))
