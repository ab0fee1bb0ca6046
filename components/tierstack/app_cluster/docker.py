"""AppCluster on a Docker host: containers named by their release, so that a new release starts beside the old one.

The order in which a new release comes: migration, its web containers, all healthy, the proxy's file, the processes of
its roles, and last the old containers stop, nginx before PHP-FPM, each letting requests in hand finish. So a release
that does not get healthy takes no job, and the old one keeps its workers and its scheduler.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pulumi

from tierstack.app_cluster import identity, limits, processes, server, traffic
from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import Connected, connected, trusted
from tierstack.app_cluster.options import RoleArgs
from tierstack.app_cluster.release import Release, checked
from tierstack.app_cluster.release_options import ALONE, TrafficArgs
from tierstack.app_cluster.traffic_routes import policy, probe_user
from tierstack.links import FileVolume
from tierstack.platform.docker import Attachment, Called, Health, Host, Mount, Service, host, hyphenated
from tierstack.platform.files import VolumeFiles
from tierstack.platform.internal_ca import ca_directory
from tierstack.platform.revision import revision


@dataclass
class Built:
    """What a platform gives back to the component."""

    release: pulumi.Input[str]
    """The name of the current release."""
    ready: pulumi.Output[bool]
    """True once the releases get their traffic."""
    uploads: FileVolume | None = None
    """The volume of the uploads. None: there is none, or on Kubernetes."""


class _Shared:
    """What the releases of an application share on the host."""

    def __init__(self, name: str, parent: pulumi.Resource, app: Application) -> None:
        assert app.gateway.docker  # the rules ask for it
        self.gateway = app.gateway.docker
        self.name, self.parent, self.app = name, parent, app
        self.on: Host = host(app.platform, parent)
        self.tools = self.gateway.tools_image
        uid, gid = (int(part) for part in app.user.split(":"))
        self.owner = (uid, gid)
        self.connected = connected(app)
        self.secrets = _secrets(app, self.connected)
        self.late: dict[str, pulumi.Input[str]] = {key: one.late[key] for one in self.connected for key in one.late}
        known = pulumi.Output.all(**self.late, **self.secrets)
        # The digits are meant to be seen: they stand in names.
        self.revision = pulumi.Output.unsecret(known.apply(revision))
        self.trusted = [
            Mount(volume=ca.volume, path=ca_directory(of), read_only=True)
            for of, ca in trusted(app).items()
            if ca.volume is not None
        ]
        self.files = self._files()
        self.uploads = (
            [Mount(volume=self.files.volume, path=app.uploads.path)]
            if app.uploads and self.files and self.files.volume is not None
            else []
        )
        self.network = self.on.network(name, parent)
        self.networks = [
            Attachment(network=network)
            for network in (self.network.name, *(one.link.network for one in self.connected))
            if network is not None
        ]

    def _files(self) -> FileVolume | None:
        """The volume of the uploads."""
        if not self.app.uploads:
            return None
        name = f"{self.name}-uploads"
        volume = self.on.volume(name, self.parent, data=True)
        # One file of ours, so that the volume belongs to the application's user.
        owned = self.on.files(
            name, self.parent, volume=volume, files={".tierstack": ""}, image=self.tools, owner=self.owner
        )
        return FileVolume(volume=owned.volume, user=self.app.user, place=self.app.platform.place)

    def route(
        self,
        releases: Sequence[tuple[str, Release, Sequence[pulumi.Output[str]]]],
        asked: TrafficArgs,
        after: Sequence[pulumi.Resource],
    ) -> VolumeFiles:
        """The proxy's file, written once every web container is healthy: with it a release takes its traffic.
        `releases`: their names, what they are, and the addresses of their web containers. `asked`: what the last of
        them gets beside its share."""
        uid, gid = (int(part) for part in self.gateway.user.split(":"))

        def content(known: list[Any]) -> str:
            user, *addresses = known
            backends = [
                traffic.Backend(name=name, release=release, servers=servers)
                for (name, release, _), servers in zip(releases, addresses, strict=True)
            ]
            return traffic.traefik_file(self.name, self.app, backends, policy(asked, backends[-1].name, user))

        known = pulumi.Output.all(
            probe_user(asked.probe_token), *(pulumi.Output.all(*servers) for _, _, servers in releases)
        )
        return self.on.files(
            f"{self.name}-route",
            self.parent,
            volume=self.gateway.volume,
            files={posixpath.join(self.gateway.directory, f"{self.name}.yaml"): known.apply(content)},
            image=self.tools,
            owner=(uid, gid),
            depends_on=after,
        )


class _Release:
    """One release under construction."""

    def __init__(self, shared: _Shared, name: str, release: Release) -> None:
        self.shared, self.app, self.release = shared, shared.app, release
        self.on, self.parent = shared.on, shared.parent
        self.name = name
        self.prefix = f"{shared.name}-{name}"
        self.mounts = [*shared.trusted, *self._secrets(), *shared.uploads]

    def called(self, role: str) -> Called:
        """The name on the host, after the platform's: role and revision complete what the release says."""
        return [self.prefix, self.shared.revision, role]

    def _secrets(self) -> list[Mount]:
        shared = self.shared
        if not shared.secrets:
            return []
        name = f"{self.prefix}-secrets"
        volume = self.on.volume(name, self.parent, data=False, called=self.called("secrets"))
        files = self.on.files(
            name, self.parent, volume=volume, files=shared.secrets, image=shared.tools, owner=shared.owner
        )
        return [Mount(volume=files.volume, path=processes.SECRETS, read_only=True)]

    def process(
        self,
        command: Sequence[str],
        memory_mb: int,
        scratch_mb: int = 64,
        environment: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> Service:
        """A process of the application, with its environment and more of it, its secrets, and `scratch_mb` of /tmp."""
        app, release = self.app, self.release
        return Service(
            image=release.image,
            command=processes.with_secrets(app, release, command),
            user=app.user,
            networks=self.shared.networks,
            memory_mb=memory_mb,
            environment={**self.shared.late, **processes.plain_environment(app, release), **(environment or {})},
            mounts=self.mounts,
            tmpfs={**dict.fromkeys(release.writable_paths, _tmpfs(64)), "/tmp": _tmpfs(scratch_mb)},
            labels={"tierstack.dev/release": self.name},
        )

    def migration(self) -> list[pulumi.Resource]:
        """The migration, run to its end: what runs code of this release waits for it."""
        shared, migration = self.shared, self.release.migration
        if migration is None:
            return []
        direct = self.app.database.direct_network if self.app.database else None
        only_here = {key: one.direct[key] for one in shared.connected for key in one.direct}
        service = self.process(migration.command, migration.memory_mb, environment=only_here)
        service = replace(service, networks=[*([Attachment(network=direct)] if direct else []), *shared.networks])
        return [
            self.on.run_once(
                f"{shared.name}-migrate",
                self.parent,
                service,
                # Another database or Redis of the same release has not been migrated.
                triggers={"release": self.name, **shared.late, **only_here},
                timeout_seconds=migration.timeout_seconds,
            )
        ]

    def web(self, after: Sequence[pulumi.Resource]) -> tuple[list[pulumi.Resource], list[pulumi.Output[str]]]:
        """The web containers, and `host:port` of each on the proxy's network."""
        configuration = self._configuration()
        made: list[pulumi.Resource] = []
        addresses: list[pulumi.Output[str]] = []
        for index in range(1, self.release.counts.replicas + 1):
            called = self.called(str(index))
            alias = hyphenated(called)
            service = self._http() if self.release.http_server else self._nginx(index, configuration, after)
            front = Attachment(network=self.shared.gateway.network, aliases=[alias])  # pyright: ignore
            needs = [*after, *service.needs]
            # A server of the image's own is the application itself, so it needs database and Redis as well.
            others = self.shared.networks if self.release.http_server else []
            container = self.on.container(
                f"{self.prefix}-{index}",
                self.parent,
                replace(service.service, networks=[front, *others]),
                depends_on=needs,
                single=False,
                called=called,
            )
            made.append(container)
            addresses.append(pulumi.Output.concat(alias, f":{self.release.web.port}"))
        return made, addresses

    def _configuration(self) -> Mount | None:
        shared, files = self.shared, processes.files(self.app, self.release)
        if not files:
            return None
        name = f"{self.prefix}-config"
        volume = self.on.volume(name, self.parent, data=False)
        written = self.on.files(
            name, self.parent, volume=volume, files={**files}, image=shared.tools, owner=shared.owner, mode=0o444
        )
        return Mount(volume=written.volume, path=server.CONFIG, read_only=True)

    def _http(self) -> "_Web":
        release = self.release
        assert release.http_server
        service = self.process(release.http_server.command, processes.web_memory_mb(release))
        return _Web(replace(service, health=self._web_health(), stop_seconds=limits.stop_seconds(release)), [])

    def _nginx(self, index: int, configuration: Mount | None, after: Sequence[pulumi.Resource]) -> "_Web":
        """PHP-FPM of one replica, and the nginx that needs it; they share a socket in memory."""
        release = self.release
        assert configuration
        assert release.php
        role = f"{index}-php"
        sockets = self.on.volume(
            f"{self.prefix}-{index}-sockets",
            self.parent,
            data=False,
            called=self.called(f"{index}-sockets"),
            memory_owner=self.shared.owner,
        )
        shared = [configuration, Mount(volume=sockets.name, path=server.SOCKETS)]
        static: list[Mount] = []
        # Uploads may be reached from the document root, by a link such as Laravel's `public/storage`.
        uploads = self.shared.uploads
        if release.nginx_image:
            # Docker fills an empty volume with what the image has at that path.
            public = self.on.volume(
                f"{self.prefix}-{index}-public", self.parent, data=False, called=self.called(f"{index}-public")
            )
            static = [Mount(volume=public.name, path=release.php.document_root, read_only=False)]
        php = self.process(
            processes.fpm_command(release), processes.web_memory_mb(release), limits.php_scratch_mb(release)
        )
        fpm = self.on.container(
            f"{self.prefix}-{role}",
            self.parent,
            replace(
                php,
                mounts=[*php.mounts, *shared, *static],
                health=Health(command=["/bin/sh", "-c", f"test -S {server.SOCKETS}/php-fpm.sock"]),
                stop_signal="SIGQUIT",  # lets children finish, as process_control_timeout says
                stop_seconds=limits.container_stop_seconds(release),
            ),
            depends_on=after,
            single=False,
            called=self.called(role),
        )
        nginx = Service(
            image=release.nginx_image or release.image,
            command=processes.nginx_command(release),
            user=self.app.user,
            networks=[],
            memory_mb=limits.nginx_memory_mb(release),
            mounts=[*shared, *(replace(mount, read_only=True) for mount in [*static, *uploads])],
            tmpfs={"/tmp": _tmpfs(limits.bodies_mb(release))},
            health=self._web_health(),
            stop_signal="SIGQUIT",  # lets requests in hand finish, as worker_shutdown_timeout says
            stop_seconds=limits.container_stop_seconds(release),
            labels={"tierstack.dev/release": self.name},
        )
        return _Web(nginx, [fpm])

    def _web_health(self) -> Health:
        return Health(command=processes.web_check(self.app, self.release), timeout=4)

    def background(self, after: Sequence[pulumi.Resource]) -> None:
        """The processes of every role."""
        for name, role in self.release.roles.items():
            for index in range(1, self.release.counts.roles[name].count + 1):
                service = self._background(role)
                if role.single:
                    # Without the release in its name: the old one stops before the new one starts.
                    self.on.container(f"{self.shared.name}-{name}", self.parent, service, depends_on=after)
                    continue
                self.on.container(
                    f"{self.prefix}-{name}-{index}",
                    self.parent,
                    service,
                    depends_on=after,
                    single=False,
                    called=self.called(f"{name}-{index}"),
                )

    def _background(self, role: RoleArgs) -> Service:
        return replace(
            self.process(role.command, role.memory_mb, environment=role.environment),
            health=Health(command=role.health_command) if role.health_command else None,
            cpu_shares=512,  # a busy host serves requests first
            stop_seconds=role.stop_seconds,
        )


@dataclass
class _Web:
    service: Service
    needs: list[pulumi.Resource]


def build(
    name: str,
    parent: pulumi.Resource,
    app: Application,
    releases: Sequence[Release],
    asked: TrafficArgs = ALONE,
) -> Built:
    """Register everything: what the releases share, the web containers of each, and the rest of the current one.
    `asked`: what the proxy does for the last of the releases, beside the weights, and whether that is the release of
    the arguments: its migration runs, before it is current or not."""
    names = identity.known_names(app, checked(releases))
    shared = _Shared(name, parent, app)
    made = [_Release(shared, *one) for one in zip(names, releases, strict=True)]
    (current,) = [one for one in made if one.release.current]
    migrated = made[-1].migration() if asked.makes_own else []
    web = [one.web(migrated) for one in made]
    served = [(one.name, one.release, addresses) for one, (_, addresses) in zip(made, web, strict=True)]
    containers = [container for made_of_one, _ in web for container in made_of_one]
    routed = shared.route(served, asked, containers)
    current.background([routed])
    return Built(current.name, routed.volume.apply(lambda _: True), shared.files)


def _tmpfs(size_mb: int) -> str:
    return f"rw,noexec,nosuid,size={size_mb}m"


def _secrets(app: Application, connections: Sequence[Connected]) -> dict[str, pulumi.Input[str]]:
    found = {one.password: one.secret.value for one in connections if one.secret.value is not None}
    return {key: pulumi.Output.secret(value) for key, value in {**found, **app.secrets}.items()}
