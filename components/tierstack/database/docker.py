"""What every data engine stands on when it is built on a Docker host.

Two networks: applications meet the pooler in one; the other is internal, for the pooler, migrations and backups, and
the only one in which the servers are. Configuration and secrets are files in volumes; because servers read most of
them only when they start, a container carries a hash of its files as a label, and a change of them replaces it. The
data volume stays. Certificates and accounts are the exception: they are read again without a restart.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.engine import CHECK_MB, PROXY_MB, SECRETS, Process
from tierstack.database.roles import BACKUP, MONITOR, READ, Logins
from tierstack.links import DatabaseConnection, SecretRef
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service, host
from tierstack.platform.internal_ca import SERVER_DIRECTORY, TLSMode, ca_directory
from tierstack.platform.internal_ca.docker import Authority, ServerCertificate, fingerprint
from tierstack.platform.revision import revision_of

RECOVERY_SECONDS = 600
"""How long a primary may recover after a crash before an update gives up."""
LOGIN_SECONDS = RECOVERY_SECONDS
"""How long the login that proves an update is tried while nobody answers: a server that is up may recover once more."""
_LAST_TRY_SECONDS = 60
"""What a try that is under way, and the start of the container, may take beyond that."""
_HASH = "tierstack.dev/files"

Texts = Mapping[str, pulumi.Input[str]]


@dataclass
class Files:
    """A volume with files in it, and their texts."""

    volume: pulumi.Input[str]
    texts: Texts
    written: pulumi.Resource
    """What has written them."""


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Who may log in to the servers."""

    logins: Logins
    passwords: Mapping[str, pulumi.Output[str]]
    """By user: the owner, whether or not it logs in; the logins; the users for backups, reading and monitoring."""

    def secret(self, user: str) -> SecretRef:
        """The password of a user, as a link hands it out."""
        known = self.passwords[user]
        return SecretRef(value=known, revision=revision_of({"password": known}))

    @property
    def of_clients(self) -> list[str]:
        """Users that come through the pooler."""
        return [user for user in self.valid if user not in (BACKUP, MONITOR)]

    @property
    def valid(self) -> list[str]:
        """All that may log in."""
        return [user for user in self.passwords if user != self.logins.owner or self.logins.owner_logs_in]


class Ground:
    """Host, networks and certificates of one database, and its containers as far as they are alike for every engine."""

    def __init__(self, name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> None:
        self.name, self.args, self.parent = name, args, parent
        self.engine = args.data_engine
        self.size = args.size()
        self.host: Host = host(args.platform, parent)
        self.pooler_host = f"{name}-pooler"
        self.read_host = f"{name}-pooler-ro"
        self.direct_host = f"{name}-rw"
        self.network = self.host.network(name, parent)
        self.direct_network = self.host.network(f"{name}-direct", parent, internal=True)
        self.tls = None if args.tls is TLSMode.DISABLE else _Encryption(self.host, name, args, parent)

    def password(self, kind: str = "") -> pulumi.Output[str]:
        """A password of letters and digits. `kind`: whose, where it is not the application's."""
        name = f"{self.name}-{kind}-password" if kind else f"{self.name}-password"
        opts = pulumi.ResourceOptions(parent=self.parent)
        return random.RandomPassword(name, length=32, special=False, opts=opts).result

    def accounts(self, logins: Logins) -> Accounts:
        """A password for each user that every engine has."""
        turns = {role: self.password(f"login-{generation}") for role, generation in logins.generations.items()}
        kinds = {BACKUP: "backup", READ: "read", MONITOR: "monitor"}
        others = {user: self.password(kind) for user, kind in kinds.items()}
        return Accounts(logins=logins, passwords={logins.owner: self.password(), **turns, **others})

    def files(self, kind: str, texts: Texts, owner: tuple[int, int]) -> Files:
        """Files in a volume of their own."""
        volume = self.host.volume(f"{self.name}-{kind}", self.parent, data=False)
        image, name = self.args.image, f"{self.name}-{kind}-files"
        written = self.host.files(name, self.parent, volume=volume, files=dict(texts), image=image, owner=owner)
        return Files(written.volume, texts, written)

    def primary(
        self, command: list[str], config: Files, secrets: Files, *, start_seconds: int, mounts: Sequence[Mount] = ()
    ) -> docker.Container:
        """The server that takes writes; with a proxy the one that did at first. `secrets`: what it reads again without
        a restart (`reread`). `start_seconds`: how long a recovery after a crash may take. `mounts`: further ones."""
        data = self.host.volume(f"{self.name}-data", self.parent, data=True)
        aliases = [] if self.args.proxied else [self.direct_host]
        service = self._server(command, config, secrets, data.name, aliases, start_seconds, [config], mounts)
        return self.host.container(f"{self.name}-primary", self.parent, service)

    def reread(
        self, part: str, command: Sequence[str], files: Files, after: Sequence[pulumi.Resource]
    ) -> pulumi.Resource:
        """Let the running container of a `part`, such as `primary` or `pooler`, take other `files` over by a command in
        it. One that starts reads them anyway."""
        return self.host.reload(
            f"{self.name}-{part}-accounts",
            self.parent,
            container=f"{self.name}-{part}",
            command=list(command),
            triggers={"files": _hash(files)},
            depends_on=[files.written, *after],
        )

    def replica(
        self,
        number: int,
        command: list[str],
        config: Files,
        secrets: Files,
        after: Sequence[docker.Container],
        *,
        start_seconds: int,
        mounts: Sequence[Mount] = (),
    ) -> docker.Container:
        """A standby. `start_seconds`: how long it may take to copy the primary. `mounts`: further ones."""
        replica, proxied = f"{self.name}-replica-{number}", self.args.proxied
        # A copy, which can be made again from the primary, is not protected; one that may be the primary is.
        data = self.host.volume(f"{replica}-data", self.parent, data=proxied)
        aliases, read_at_start = [replica, f"{self.name}-ro"], [config, secrets]
        if proxied:  # secrets are read again
            aliases, read_at_start = [replica], [config]
        service = self._server(command, config, secrets, data.name, aliases, start_seconds, read_at_start, mounts)
        return self.host.container(replica, self.parent, service, depends_on=after)

    def server_host(self, number: int) -> str:
        """The host of a server on the internal network, whatever it is: 0 is the first."""
        return self.host.name(f"{self.name}-{server_part(number)}")

    def proxy(self, command: list[str], config: Files, mounts: Sequence[Mount] = ()) -> docker.Container:
        """What stands before the servers, under the name by which the primary is reached, and for reads. `mounts`:
        further ones."""
        process, tls = self.engine.proxy, self.tls
        assert process  # else `args.proxied` is false
        service = Service(
            image=self.args.proxy_image or "",
            command=command,
            user=_user(process),
            networks=[Attachment(network=self.direct_network.name, aliases=[self.direct_host, f"{self.name}-ro"])],
            memory_mb=PROXY_MB,
            mounts=[
                Mount(volume=config.volume, path=process.directory, read_only=True),
                *(tls.mounts() if tls else []),
                *mounts,
            ],
            health=self._health(process),
            stop_signal=process.stop_signal,
            labels={_HASH: _hash(config)},
        )
        return self.host.container(f"{self.name}-proxy", self.parent, service, depends_on=[config.written])

    def pooler(
        self,
        command: list[str],
        config: Files,
        after: Sequence[pulumi.Resource],
        read_at_start: Texts | None = None,
        *,
        part: str = "pooler",
    ) -> docker.Container:
        """What clients connect to. `read_at_start`: texts of which another one replaces it. None: all of `config`.
        `part`: its name; `pooler-ro` is that for reads."""
        process, tls = self.engine.pooler, self.tls
        service = Service(
            image=self.args.pooler_image or "",
            command=command,
            user=_user(process),
            networks=[
                Attachment(network=self.network.name, aliases=[f"{self.name}-{part}"]),
                Attachment(network=self.direct_network.name),
            ],
            memory_mb=self.engine.pooler_memory_mb(self.size),
            mounts=[
                Mount(volume=config.volume, path=process.directory, read_only=True),
                *(tls.mounts(tls.pooler) if tls and tls.pooler else []),
            ],
            health=self._health(process),
            stop_signal=process.stop_signal,
            labels={_HASH: _hash_of(config.texts if read_at_start is None else read_at_start)},
        )
        return self.host.container(f"{self.name}-{part}", self.parent, service, depends_on=after)

    def connection(
        self,
        servers: Sequence[docker.Container],
        pooler: docker.Container,
        login: list[str],
        secrets: Files,
        accounts: Accounts,
        taken_over: Sequence[pulumi.Resource],
    ) -> DatabaseConnection:
        """What consumers are given, once `login` has succeeded: a command in a container beside the pooler, with
        `secrets`, that tries for `LOGIN_SECONDS`.

        `servers`: the primary first. `taken_over`: after which the accounts hold.
        """
        containers = [servers[0], pooler, *servers[1:]]
        read = self.args.proxied
        # Hosts come from the check, which is never replaced: a replaced server would replace all that names it.
        proven = self._check(login, secrets, containers, taken_over).id
        return DatabaseConnection(
            engine=self.args.engine.value,
            environment=self.engine.client_environment(verified=self.tls is not None),
            host=proven.apply(lambda _: self.pooler_host),
            port=str(self.engine.pooler.port),
            direct_host=proven.apply(lambda _: self.direct_host),
            direct_port=str(self.engine.server.port),
            database=self.args.database,
            user=accounts.logins.active,
            password=accounts.secret(accounts.logins.active),
            read_host=proven.apply(lambda _: self.read_host) if read else None,
            network=self.network.name,
            direct_network=self.direct_network.name,
            container=self.host.name(f"{self.name}-primary"),
            transaction_pooling=self.engine.transaction_pooling,
            read_user=READ,
            read_password=accounts.secret(READ),
            monitor_user=MONITOR,
            monitor_password=accounts.secret(MONITOR),
            backup_user=BACKUP,
            backup_password=accounts.secret(BACKUP),
            ca=self.tls.authority.trusted if self.tls else None,
            place=self.args.platform.place,
        )

    def _server(
        self,
        command: list[str],
        config: Files,
        secrets: Files,
        data: pulumi.Input[str],
        aliases: list[str],
        start_seconds: int,
        read_at_start: list[Files],
        mounts: Sequence[Mount],
    ) -> Service:
        process = self.engine.server
        return Service(
            image=self.args.image,
            command=command,
            user=_user(process),
            networks=[Attachment(network=self.direct_network.name, aliases=aliases)],
            memory_mb=self.size.memory_mb,
            mounts=[
                Mount(volume=data, path=self.engine.data_directory),
                Mount(volume=config.volume, path=process.directory, read_only=True),
                Mount(volume=secrets.volume, path=SECRETS, read_only=True),
                *(self.tls.mounts(self.tls.server) if self.tls else []),
                *mounts,
            ],
            # A healthy answer ends the period at once.
            health=self._health(process, start_seconds),
            cpu_shares=int(self.size.cpu * 1024),
            stop_signal=process.stop_signal,
            stop_seconds=60,
            shm_mb=self.engine.shared_memory_mb(self.size),
            wait_seconds=start_seconds + 60,
            labels={_HASH: _hash(*read_at_start)},
        )

    def _health(self, process: Process, start_seconds: int = Health.start_period) -> Health:
        probe = self.engine.probe(process, self.args.user, self.args.database)
        return Health(command=probe, start_period=start_seconds)

    def _check(
        self,
        login: list[str],
        secrets: Files,
        containers: list[docker.Container],
        taken_over: Sequence[pulumi.Resource],
    ) -> pulumi.CustomResource:
        """A client logs in through the pooler as an application does, again whenever a container, a certificate or the
        password is another one.

        The update fails where it cannot.
        """
        service = Service(
            image=self.args.image,
            command=login,
            user=_user(self.engine.server),
            networks=[Attachment(network=self.network.name)],
            memory_mb=CHECK_MB,
            mounts=[
                Mount(volume=secrets.volume, path=SECRETS, read_only=True),
                *(self.tls.mounts() if self.tls else []),
            ],
        )
        reloaded = self.tls.reloaded(containers, self.size.replicas) if self.tls else []
        triggers: dict[str, pulumi.Input[str]] = {str(index): one.id for index, one in enumerate(containers)}
        triggers["login"] = _hash(secrets)
        if self.tls:
            triggers |= self.tls.fingerprints
        needs = [*containers, *taken_over, *reloaded]
        return self.host.run_once(
            f"{self.name}-check",
            self.parent,
            service,
            triggers=triggers,
            timeout_seconds=LOGIN_SECONDS + _LAST_TRY_SECONDS,
            depends_on=needs,
        )


class _Encryption:
    """Certificates of the servers and the pooler, and how they are changed under traffic.

    A server with another certificate is believed by the pooler only when that has read what it trusts again, so this
    comes first; all of it is done to whichever containers run, and a new one starts with all of it. A pooler that
    passes encrypted connections on has no certificate: that of the servers has its name too.
    """

    def __init__(self, host: Host, name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> None:
        self.host, self.name, self.parent = host, name, parent
        self.engine = args.data_engine
        server, pooler = self.engine.server.owner, self.engine.pooler.owner
        self.authority = Authority(name, parent, host, generation=args.ca_generation, image=args.image, owner=server)
        trusts = fingerprint(self.authority.bundle)
        poolers = ["pooler", "pooler-ro"] if args.proxied else ["pooler"]
        told = [
            reload
            for part in [*poolers, *(["proxy"] if args.proxied else [])]
            for reload in self._reload(part, {"ca": trusts}, [self.authority.written], suffix="-trust")
        ]
        # The names of all standbys that there may be: one more is no reason for another certificate.
        most = self.engine.docker_replicas if args.proxied or not self.engine.needs_proxy else 0
        standbys = [f"{name}-replica-{index + 1}" for index in range(most)]
        names, passed_on = [f"{name}-rw", f"{name}-ro", *standbys], self.engine.pooler.reload is None
        if passed_on:
            names += [f"{name}-{one}" for one in poolers]
        self.server = self.authority.server(f"{name}-server-tls", names, server, after=told)
        self.pooler = (
            None
            if passed_on
            else self.authority.server(f"{name}-pooler-tls", [f"{name}-{one}" for one in poolers], pooler, after=told)
        )
        self._poolers = poolers
        self.fingerprints: dict[str, pulumi.Input[str]] = {"ca": trusts, "server": self.server.fingerprint}
        if self.pooler:
            self.fingerprints["pooler"] = self.pooler.fingerprint

    def mounts(self, own: ServerCertificate | None = None) -> list[Mount]:
        """What a client sees, and a server beside it."""
        trusted = Mount(volume=self.authority.written.volume, path=ca_directory("database"), read_only=True)
        return [trusted, *([Mount(volume=own.volume, path=SERVER_DIRECTORY, read_only=True)] if own else [])]

    def reloaded(self, containers: list[docker.Container], replicas: int) -> list[pulumi.Resource]:
        """Let every server that runs read its new certificate."""
        servers = ["primary", *(f"replica-{index + 1}" for index in range(replicas))]
        shown = dict.fromkeys(servers, self.server.fingerprint)
        if self.pooler:
            shown |= dict.fromkeys(self._poolers, self.pooler.fingerprint)
        return [
            reload for one, known in shown.items() for reload in self._reload(one, {"certificate": known}, containers)
        ]

    def _reload(
        self, container: str, triggers: dict[str, pulumi.Input[str]], after: Sequence[pulumi.Resource], suffix: str = ""
    ) -> list[pulumi.Resource]:
        process = self._process(container)
        if process.reload is None:
            return []
        reload = self.host.reload(
            f"{self.name}-{container}{suffix}-reload",
            self.parent,
            container=f"{self.name}-{container}",
            command=list(process.reload),
            triggers=triggers,
            depends_on=after,
        )
        return [reload]

    def _process(self, container: str) -> Process:
        if container == "proxy" and self.engine.proxy:
            return self.engine.proxy
        return self.engine.pooler if container.startswith("pooler") else self.engine.server


def server_part(number: int) -> str:
    """What a server is called after the database: 0 is the first."""
    return f"replica-{number}" if number else "primary"


def _user(process: Process) -> str:
    return "{}:{}".format(*process.owner)


def _hash(*files: Files) -> pulumi.Output[str]:
    return _hash_of(*(one.texts for one in files))


def _hash_of(*files: Texts) -> pulumi.Output[str]:
    """A hash of texts that may be seen: verifiers and random passwords cannot be guessed from it."""
    texts = [text for one in files for text in one.values()]
    known = pulumi.Output.all(*texts).apply(lambda all_: hashlib.sha256("\0".join(map(str, all_)).encode()).hexdigest())
    return pulumi.Output.unsecret(known)
