"""AppCluster on a Docker host: containers named by their release, so that a new release starts beside the old one.

The order in which a new release comes: migration, its web containers, all healthy, the proxy's file, the processes of
its roles, and last the old containers stop, nginx before PHP-FPM, each letting requests in hand finish. So a release
that does not get healthy takes no job, and the old one keeps its workers and its scheduler.
"""

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pulumi

from tierstack.app_cluster import limits, processes, server, traffic
from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.connections import Connected, connected, trusted
from tierstack.app_cluster.options import RoleArgs
from tierstack.platform.docker import Attachment, Called, Health, Host, Mount, Service, host, hyphenated
from tierstack.platform.files import VolumeFiles
from tierstack.platform.internal_ca import ca_directory
from tierstack.platform.revision import revision


@dataclass
class Built:
    """What a platform gives back to the component."""

    release: pulumi.Input[str]
    ready: pulumi.Output[bool]
    """True once the release gets traffic."""


class _Release:
    """One release under construction."""

    def __init__(self, name: str, parent: pulumi.Resource, args: AppClusterArgs) -> None:
        assert args.gateway.docker  # the rules ask for it
        self.gateway = args.gateway.docker
        self.name, self.parent, self.args = name, parent, args
        self.on: Host = host(args.platform, parent)
        self.release = processes.release(args)
        self.prefix = f"{name}-{self.release}"
        self.tools = self.gateway.tools_image
        uid, gid = (int(part) for part in args.user.split(":"))
        self.owner = (uid, gid)
        self.connected = connected(args)
        self.secrets = _secrets(args, self.connected)
        self.late: dict[str, pulumi.Input[str]] = {key: one.late[key] for one in self.connected for key in one.late}
        known = pulumi.Output.all(**self.late, **self.secrets)
        # The digits are meant to be seen: they stand in names.
        self.revision = pulumi.Output.unsecret(known.apply(revision))
        self.mounts = self._mounts()
        self.network = self.on.network(name, parent)
        self.networks = [
            Attachment(network=network)
            for network in (self.network.name, *(one.link.network for one in self.connected))
            if network is not None
        ]

    def called(self, role: str) -> Called:
        """The name on the host, after the platform's: role and revision complete what the release says."""
        return [self.prefix, self.revision, role]

    def _mounts(self) -> list[Mount]:
        """What every process of the application sees: what it trusts, its secrets and the uploads."""
        found = [
            Mount(volume=ca.volume, path=ca_directory(of), read_only=True)
            for of, ca in trusted(self.args).items()
            if ca.volume is not None
        ]
        if self.secrets:
            name = f"{self.prefix}-secrets"
            volume = self.on.volume(name, self.parent, data=False, called=self.called("secrets"))
            files = self.on.files(
                name, self.parent, volume=volume, files=self.secrets, image=self.tools, owner=self.owner
            )
            found.append(Mount(volume=files.volume, path=processes.SECRETS, read_only=True))
        if self.args.uploads:
            name = f"{self.name}-uploads"
            volume = self.on.volume(name, self.parent, data=True)
            # One file of ours, so that the volume belongs to the application's user.
            owned = self.on.files(
                name, self.parent, volume=volume, files={".tierstack": ""}, image=self.tools, owner=self.owner
            )
            found.append(Mount(volume=owned.volume, path=self.args.uploads.path))
        return found

    def process(
        self,
        command: Sequence[str],
        memory_mb: int,
        scratch_mb: int = 64,
        environment: Mapping[str, pulumi.Input[str]] | None = None,
    ) -> Service:
        """A process of the application, with its environment and more of it, its secrets, and `scratch_mb` of /tmp."""
        args = self.args
        return Service(
            image=args.image,
            command=processes.with_secrets(args, command),
            user=args.user,
            networks=self.networks,
            memory_mb=memory_mb,
            environment={**self.late, **processes.plain_environment(args), **(environment or {})},
            mounts=self.mounts,
            tmpfs={**dict.fromkeys(args.writable_paths or [], _tmpfs(64)), "/tmp": _tmpfs(scratch_mb)},
            labels={"tierstack.dev/release": self.release},
        )

    def migration(self) -> list[pulumi.Resource]:
        """The migration, run to its end: what runs code of this release waits for it."""
        args, migration = self.args, self.args.migration
        if migration is None:
            return []
        direct = args.database.direct_network if args.database else None
        only_here = {key: one.direct[key] for one in self.connected for key in one.direct}
        service = self.process(migration.command, migration.memory_mb, environment=only_here)
        service = replace(service, networks=[*([Attachment(network=direct)] if direct else []), *self.networks])
        return [
            self.on.run_once(
                f"{self.name}-migrate",
                self.parent,
                service,
                triggers={"release": self.release},
                timeout_seconds=migration.timeout_seconds,
            )
        ]

    def web(self, after: Sequence[pulumi.Resource]) -> tuple[list[pulumi.Resource], list[pulumi.Output[str]]]:
        """The web containers, and `host:port` of each on the proxy's network."""
        configuration = self._configuration()
        made: list[pulumi.Resource] = []
        addresses: list[pulumi.Output[str]] = []
        for index in range(1, self.args.counts.replicas + 1):
            called = self.called(str(index))
            alias = hyphenated(called)
            service = self._http() if self.args.http_server else self._nginx(index, configuration, after)
            front = Attachment(network=self.gateway.network, aliases=[alias])  # pyright: ignore
            needs = [*after, *service.needs]
            # A server of the image's own is the application itself, so it needs database and Redis as well.
            others = self.networks if self.args.http_server else []
            container = self.on.container(
                f"{self.prefix}-{index}",
                self.parent,
                replace(service.service, networks=[front, *others]),
                depends_on=needs,
                single=False,
                called=called,
            )
            made.append(container)
            addresses.append(pulumi.Output.concat(alias, f":{self.args.web.port}"))
        return made, addresses

    def _configuration(self) -> Mount | None:
        files = processes.files(self.args)
        if not files:
            return None
        name = f"{self.prefix}-config"
        volume = self.on.volume(name, self.parent, data=False)
        written = self.on.files(
            name, self.parent, volume=volume, files={**files}, image=self.tools, owner=self.owner, mode=0o444
        )
        return Mount(volume=written.volume, path=server.CONFIG, read_only=True)

    def _http(self) -> "_Web":
        args = self.args
        assert args.http_server
        service = self.process(args.http_server.command, processes.web_memory_mb(args))
        return _Web(replace(service, health=self._web_health(), stop_seconds=limits.stop_seconds(args)), [])

    def _nginx(self, index: int, configuration: Mount | None, after: Sequence[pulumi.Resource]) -> "_Web":
        """PHP-FPM of one replica, and the nginx that needs it; they share a socket in memory."""
        args = self.args
        assert configuration
        assert args.php
        role = f"{index}-php"
        sockets = self.on.volume(
            f"{self.prefix}-{index}-sockets",
            self.parent,
            data=False,
            called=self.called(f"{index}-sockets"),
            memory_owner=self.owner,
        )
        shared = [configuration, Mount(volume=sockets.name, path=server.SOCKETS)]
        static: list[Mount] = []
        # Uploads may be reached from the document root, by a link such as Laravel's `public/storage`.
        uploads = [mount for mount in self.mounts if args.uploads and mount.path == args.uploads.path]
        if args.nginx_image:
            # Docker fills an empty volume with what the image has at that path.
            public = self.on.volume(
                f"{self.prefix}-{index}-public", self.parent, data=False, called=self.called(f"{index}-public")
            )
            static = [Mount(volume=public.name, path=args.php.document_root, read_only=False)]
        php = self.process(processes.fpm_command(args), processes.web_memory_mb(args), limits.php_scratch_mb(args))
        fpm = self.on.container(
            f"{self.prefix}-{role}",
            self.parent,
            replace(
                php,
                mounts=[*php.mounts, *shared, *static],
                health=Health(command=["/bin/sh", "-c", f"test -S {server.SOCKETS}/php-fpm.sock"], interval=2),
                stop_signal="SIGQUIT",  # lets children finish, as process_control_timeout says
                stop_seconds=limits.container_stop_seconds(args),
            ),
            depends_on=after,
            single=False,
            called=self.called(role),
        )
        nginx = Service(
            image=args.nginx_image or args.image,
            command=processes.nginx_command(args),
            user=args.user,
            networks=[],
            memory_mb=limits.nginx_memory_mb(args),
            mounts=[*shared, *(replace(mount, read_only=True) for mount in [*static, *uploads])],
            tmpfs={"/tmp": _tmpfs(limits.bodies_mb(args))},
            health=self._web_health(),
            stop_signal="SIGQUIT",  # lets requests in hand finish, as worker_shutdown_timeout says
            stop_seconds=limits.container_stop_seconds(args),
            labels={"tierstack.dev/release": self.release},
        )
        return _Web(nginx, [fpm])

    def _web_health(self) -> Health:
        return Health(command=processes.web_check(self.args), timeout=4, interval=3)

    def background(self, after: Sequence[pulumi.Resource]) -> None:
        """The processes of every role."""
        for name, role in (self.args.roles or {}).items():
            for index in range(1, self.args.counts.roles[name].count + 1):
                service = self._background(role)
                if role.single:
                    # Without the release in its name: the old one stops before the new one starts.
                    self.on.container(f"{self.name}-{name}", self.parent, service, depends_on=after)
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

    def route(self, servers: Sequence[pulumi.Output[str]], after: Sequence[pulumi.Resource]) -> VolumeFiles:
        """The proxy's file, written once every web container is healthy: with it the release takes the traffic."""
        args = self.args
        uid, gid = (int(part) for part in self.gateway.user.split(":"))

        def content(addresses: list[str]) -> str:
            release = traffic.Release(name=self.release, servers=addresses)
            return traffic.traefik_file(self.name, args, [release])

        return self.on.files(
            f"{self.name}-route",
            self.parent,
            volume=self.gateway.volume,
            files={
                posixpath.join(self.gateway.directory, f"{self.name}.yaml"): pulumi.Output.all(*servers).apply(content)
            },
            image=self.tools,
            owner=(uid, gid),
            depends_on=after,
        )


@dataclass
class _Web:
    service: Service
    needs: list[pulumi.Resource]


def build(name: str, parent: pulumi.Resource, args: AppClusterArgs) -> Built:
    """Register everything."""
    release = _Release(name, parent, args)
    migrated = release.migration()
    web, addresses = release.web(migrated)
    routed = release.route(addresses, web)
    release.background([routed])
    return Built(release.release, routed.volume.apply(lambda _: True))


def _tmpfs(size_mb: int) -> str:
    return f"rw,noexec,nosuid,size={size_mb}m"


def _secrets(args: AppClusterArgs, connections: Sequence[Connected]) -> dict[str, pulumi.Input[str]]:
    found = {one.password: one.secret.value for one in connections if one.secret.value is not None}
    return {key: pulumi.Output.secret(value) for key, value in (found | (args.secrets or {})).items()}
