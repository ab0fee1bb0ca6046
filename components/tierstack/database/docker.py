"""PostgreSQL, its standbys and PgBouncer on a Docker host.

Two networks: applications meet the pooler in one; the other is internal, for the pooler, migrations and backups, and
the only one in which the servers are. Configuration and secrets are files in volumes; because servers read most of
them only at their start, a container carries a hash of its files as a label, and a change of them replaces it. The
data volume stays. Certificates are the exception: they are read again without a restart.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.core.tier import DatabaseSize
from tierstack.database import files, sizing
from tierstack.database.args import MOST_DOCKER_REPLICAS, DatabaseWithReplicasArgs
from tierstack.database.scram import salt_of, verifier
from tierstack.links import DatabaseConnection, SecretRef
from tierstack.platform.docker import Attachment, Health, Host, Mount, Service, host
from tierstack.platform.internal_ca import SERVER_DIRECTORY, TLSMode, ca_directory
from tierstack.platform.internal_ca.docker import Authority, ServerCertificate, fingerprint
from tierstack.platform.revision import revision_of

_SERVER = (26, 26)
_POOLER = (998, 998)
_HASH = "tierstack.dev/files"
# The pooler lets a client wait for 30 s (query_wait_timeout), which a server that has just started on a busy host may
# need for its first login. What the last try said is told.
_LOGIN = 'for _ in 1 2 3; do said=$(psql "$1" -Xqwtc "SELECT 1" 2>&1) && exit; done; echo "$said" >&2; exit 2'

Texts = Mapping[str, pulumi.Input[str]]


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> DatabaseConnection:
    """Everything of the database on the host of `args.platform`."""
    return _Database(name, args, parent).connection()


class _Database:
    def __init__(self, name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> None:
        self.name = name
        self.args = args
        self.parent = parent
        self.size: DatabaseSize = args.size()
        self.host: Host = host(args.platform, parent)
        self.pooler_host = f"{name}-pooler"
        self.direct_host = f"{name}-rw"
        roles = (args.user, files.BACKUP_ROLE, files.REPLICA_ROLE)
        self.passwords = {role: self._password(role) for role in roles}
        salt = random.RandomBytes(f"{name}-salt", length=16, opts=pulumi.ResourceOptions(parent=parent))
        self.verifiers = {role: self._verifier(role, salt.base64) for role in roles}
        self.network = self.host.network(name, parent)
        self.direct_network = self.host.network(f"{name}-direct", parent, internal=True)
        self.tls = None if args.tls is TLSMode.DISABLE else _Encryption(self.host, name, args, parent)

    def connection(self) -> DatabaseConnection:
        config = self._configuration()
        primary = self._primary(config)
        replicas = self._replicas(config, primary)
        pooler = self._pooler(primary)
        reloaded = self.tls.reloaded([primary, pooler, *replicas], self.size.replicas) if self.tls else []
        # Hosts come from the check, which is never replaced: a replaced server would replace all that names it.
        proven = self._check([primary, pooler, *replicas], reloaded).id
        return DatabaseConnection(
            host=proven.apply(lambda _: self.pooler_host),
            port="6432",
            direct_host=proven.apply(lambda _: self.direct_host),
            direct_port="5432",
            database=self.args.database,
            user=self.args.user,
            password=self._secret(self.args.user),
            network=self.network.name,
            direct_network=self.direct_network.name,
            backup_user=files.BACKUP_ROLE,
            backup_password=self._secret(files.BACKUP_ROLE),
            ca=self.tls.authority.trusted if self.tls else None,
            place=self.args.platform.place,
        )

    def _password(self, role: str) -> pulumi.Output[str]:
        suffix = {files.BACKUP_ROLE: "backup-", files.REPLICA_ROLE: "replica-"}.get(role, "")
        opts = pulumi.ResourceOptions(parent=self.parent)
        return random.RandomPassword(f"{self.name}-{suffix}password", length=32, special=False, opts=opts).result

    def _secret(self, role: str) -> SecretRef:
        password = self.passwords[role]
        return SecretRef(value=password, revision=revision_of({"password": password}))

    def _verifier(self, role: str, salt: pulumi.Output[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(self.passwords[role], salt)
        return known.apply(lambda pair: verifier(str(pair[0]), salt_of(str(pair[1]), role)))

    def _configuration(self) -> "_Files":
        return self._files(
            "config",
            {
                "postgresql.conf": files.postgresql_conf(self.size, self.args.parameters or {}, self.args.tls),
                "pg_hba.conf": files.pg_hba_conf(self.args.database, self.args.user, self.args.tls),
                "pg_ident.conf": files.PG_IDENT_CONF,
                "primary.sh": files.PRIMARY_SH,
                "replica.sh": files.replica_sh(self.args.tls),
            },
            _SERVER,
        )

    def _primary(self, config: "_Files") -> docker.Container:
        database, user = self.args.database, self.args.user
        roles = pulumi.Output.all(**self.verifiers).apply(lambda known: files.roles_sql(database, user, known))
        secrets = self._files("secrets", {"roles.sql": roles}, _SERVER)
        data = self.host.volume(f"{self.name}-data", self.parent, data=True)
        command = ["sh", f"{files.CONFIG}/primary.sh"]
        # A recovery after a crash may take minutes; a healthy answer ends the period at once.
        service = self._server(command, config, secrets, data.name, [self.direct_host], start_period=600)
        return self.host.container(f"{self.name}-primary", self.parent, service)

    def _replicas(self, config: "_Files", primary: docker.Container) -> list[docker.Container]:
        if self.size.replicas == 0:
            return []
        line = self.passwords[files.REPLICA_ROLE].apply(lambda known: files.pgpass({files.REPLICA_ROLE: known}))
        secrets = self._files("replica-secrets", {"pgpass": line}, _SERVER)
        return [self._replica(index + 1, config, secrets, primary) for index in range(self.size.replicas)]

    def _replica(self, number: int, config: "_Files", secrets: "_Files", primary: docker.Container) -> docker.Container:
        replica = f"{self.name}-replica-{number}"
        # A copy, which can be made again from the primary: not protected.
        data = self.host.volume(f"{replica}-data", self.parent, data=False)
        command = ["sh", f"{files.CONFIG}/replica.sh", self.direct_host, f"replica_{number}"]
        aliases = [replica, f"{self.name}-ro"]
        service = self._server(command, config, secrets, data.name, aliases, start_period=7200)
        return self.host.container(replica, self.parent, service, depends_on=[primary])

    def _server(
        self,
        command: list[str],
        config: "_Files",
        secrets: "_Files",
        data: pulumi.Input[str],
        aliases: list[str],
        *,
        start_period: int,
    ) -> Service:
        return Service(
            image=self.args.image,
            command=command,
            user=f"{_SERVER[0]}:{_SERVER[1]}",
            networks=[Attachment(network=self.direct_network.name, aliases=aliases)],
            memory_mb=self.size.memory_mb,
            mounts=[
                Mount(volume=data, path=files.DATA),
                Mount(volume=config.volume, path=files.CONFIG, read_only=True),
                Mount(volume=secrets.volume, path=files.SECRETS, read_only=True),
                *(self.tls.mounts(self.tls.server) if self.tls else []),
            ],
            # Over TCP, which is refused while roles are brought up to date; as a role that pg_hba.conf knows.
            health=Health(
                command=["pg_isready", "-q", "-h", "127.0.0.1", "-U", self.args.user, "-d", self.args.database],
                interval=2,
                retries=30,
                start_period=start_period,
            ),
            cpu_shares=int(self.size.cpu * 1024),
            # SIGINT is PostgreSQL's fast shutdown: transactions are rolled back, and nothing is to be recovered.
            stop_signal="SIGINT",
            stop_seconds=60,
            shm_mb=sizing.shared_memory_mb(self.size),
            wait_seconds=start_period + 60,
            labels={_HASH: _hash([*config.texts.values(), *secrets.texts.values()])},
        )

    def _pooler(self, primary: docker.Container) -> docker.Container:
        user, database = self.args.user, self.args.database
        given = self._files(
            "pooler-files",
            {
                "pgbouncer.ini": files.pgbouncer_ini(database, self.direct_host, self.size, self.args.tls),
                "userlist.txt": self.verifiers[user].apply(lambda known: files.userlist(user, known)),
            },
            _POOLER,
        )
        service = Service(
            image=self.args.pooler_image or "",
            command=["sh", "-c", files.POOLER_SH],
            user=f"{_POOLER[0]}:{_POOLER[1]}",
            networks=[
                Attachment(network=self.network.name, aliases=[self.pooler_host]),
                Attachment(network=self.direct_network.name),
            ],
            memory_mb=sizing.pooler_memory_mb(self.size),
            mounts=[
                Mount(volume=given.volume, path=files.POOLER, read_only=True),
                *(self.tls.mounts(self.tls.pooler) if self.tls else []),
            ],
            health=Health(
                command=["pg_isready", "-q", "-h", "127.0.0.1", "-p", "6432", "-U", user, "-d", database],
                interval=2,
                retries=30,
            ),
            # SIGINT lets running transactions end, where SIGTERM would wait for every client to leave.
            stop_signal="SIGINT",
            labels={_HASH: _hash(given.texts.values())},
        )
        return self.host.container(f"{self.name}-pooler", self.parent, service, depends_on=[primary])

    def _check(self, servers: list[docker.Container], reloaded: list[pulumi.Resource]) -> pulumi.CustomResource:
        """A client logs in through the pooler as an application does, again whenever a container or a certificate is
        another one.

        The update fails where it cannot.
        """
        user, database = self.args.user, self.args.database
        line = self.passwords[user].apply(lambda known: files.pgpass({user: known}))
        secrets = self._files("check-secrets", {"pgpass": line}, _SERVER)
        target = f"host={self.pooler_host} port=6432 dbname={database} user={user} connect_timeout=30 "
        target += files.verifying(self.args.tls)
        service = Service(
            image=self.args.image,
            command=["/bin/sh", "-c", _LOGIN, "login", f"{target} passfile={files.SECRETS}/pgpass"],
            user=f"{_SERVER[0]}:{_SERVER[1]}",
            networks=[Attachment(network=self.network.name)],
            memory_mb=sizing.CHECK_MB,
            mounts=[
                Mount(volume=secrets.volume, path=files.SECRETS, read_only=True),
                *(self.tls.mounts() if self.tls else []),
            ],
        )
        triggers: dict[str, pulumi.Input[str]] = {str(index): one.id for index, one in enumerate(servers)}
        if self.tls:
            triggers |= self.tls.fingerprints
        needs = [*servers, *reloaded]
        return self.host.run_once(f"{self.name}-check", self.parent, service, triggers=triggers, depends_on=needs)

    def _files(self, kind: str, texts: Texts, owner: tuple[int, int]) -> "_Files":
        volume = self.host.volume(f"{self.name}-{kind}", self.parent, data=False)
        image = self.args.image
        name = f"{self.name}-{kind}-files"
        written = self.host.files(name, self.parent, volume=volume, files=dict(texts), image=image, owner=owner)
        return _Files(written.volume, texts)


@dataclass
class _Files:
    """A volume with files in it, and their texts."""

    volume: pulumi.Input[str]
    texts: Texts


class _Encryption:
    """Certificates of the servers and the pooler, and how they are changed under traffic.

    A server with another certificate is believed by the pooler only when that has read what it trusts again, so this
    comes first; all of it is done to whichever containers run, and a new one starts with all of it.
    """

    def __init__(self, host: Host, name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource) -> None:
        self.host, self.name, self.parent = host, name, parent
        self.authority = Authority(name, parent, host, generation=args.ca_generation, image=args.image, owner=_SERVER)
        trusts = fingerprint(self.authority.bundle)
        told = self._reload("pooler", {"ca": trusts}, [self.authority.written], suffix="-trust")
        # The names of all standbys that there may be: one more is no reason for another certificate.
        standbys = [f"{name}-replica-{index + 1}" for index in range(MOST_DOCKER_REPLICAS)]
        self.server = self.authority.server(
            f"{name}-server-tls", [f"{name}-rw", f"{name}-ro", *standbys], _SERVER, after=[told]
        )
        self.pooler = self.authority.server(f"{name}-pooler-tls", [f"{name}-pooler"], _POOLER, after=[told])
        self.fingerprints: dict[str, pulumi.Input[str]] = {
            "ca": trusts,
            "server": self.server.fingerprint,
            "pooler": self.pooler.fingerprint,
        }

    def mounts(self, own: ServerCertificate | None = None) -> list[Mount]:
        """What a client sees, and a server beside it."""
        trusted = Mount(volume=self.authority.written.volume, path=ca_directory("database"), read_only=True)
        return [trusted, *([Mount(volume=own.volume, path=SERVER_DIRECTORY, read_only=True)] if own else [])]

    def reloaded(self, containers: list[docker.Container], replicas: int) -> list[pulumi.Resource]:
        """Let every server that runs read its new certificate."""
        servers = ["primary", *(f"replica-{index + 1}" for index in range(replicas))]
        shown = dict.fromkeys(servers, self.server.fingerprint) | {"pooler": self.pooler.fingerprint}
        return [self._reload(one, {"certificate": known}, containers) for one, known in shown.items()]

    def _reload(
        self, container: str, triggers: dict[str, pulumi.Input[str]], after: Sequence[pulumi.Resource], suffix: str = ""
    ) -> pulumi.Resource:
        return self.host.reload(
            f"{self.name}-{container}{suffix}-reload",
            self.parent,
            container=f"{self.name}-{container}",
            command=files.RELOAD,
            triggers=triggers,
            depends_on=after,
        )


def _hash(texts: Iterable[pulumi.Input[str]]) -> pulumi.Output[str]:
    """A hash of texts that may be seen: verifiers and random passwords cannot be guessed from it."""
    known = pulumi.Output.all(*texts).apply(lambda all_: hashlib.sha256("\0".join(map(str, all_)).encode()).hexdigest())
    return pulumi.Output.unsecret(known)
