"""PostgreSQL, its standbys and PgBouncer on a Docker host: what goes into the containers of `Ground`."""

from collections.abc import Sequence

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.docker import LOGIN_SECONDS, RECOVERY_SECONDS, Files, Ground
from tierstack.database.engine import SECRETS
from tierstack.database.login import command
from tierstack.database.postgresql import files, standby
from tierstack.database.postgresql.login import PSQL
from tierstack.database.postgresql.scram import salt_of, verifier
from tierstack.database.roles import Logins
from tierstack.links import DatabaseConnection

_COPY_SECONDS = 7200
"""How long a standby may take to copy the primary before an update gives up."""


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource, logins: Logins) -> DatabaseConnection:
    """Everything of the database on the host of `args.platform`."""
    return _PostgreSQL(Ground(name, args, parent), logins).connection()


class _PostgreSQL:
    def __init__(self, ground: Ground, logins: Logins) -> None:
        self.ground, self.args, self.engine = ground, ground.args, ground.engine
        self.accounts = ground.accounts(logins)
        self.passwords = {**self.accounts.passwords, files.REPLICA_ROLE: ground.password("replica")}
        self.valid = [*self.accounts.valid, files.REPLICA_ROLE]
        if self.args.proxied:
            self.passwords[standby.CHECK_ROLE] = ground.password("check")
            self.valid.append(standby.CHECK_ROLE)
        opts = pulumi.ResourceOptions(parent=ground.parent)
        salt = random.RandomBytes(f"{ground.name}-salt", length=16, opts=opts)
        self.verifiers = {role: self._verifier(role, salt.base64) for role in self.passwords}

    def connection(self) -> DatabaseConnection:
        config, secrets = self._configuration(), self._secrets()
        proxy = [self._proxy()] if self.args.proxied else []
        primary = self.ground.primary(self._start(0), config, secrets, start_seconds=RECOVERY_SECONDS)
        replicas = self._replicas(config, secrets, [primary, *proxy])
        servers = [primary, *replicas]
        reached = (self.ground.direct_host, self.engine.server.port)
        pooler, pooler_files = self._pooler("pooler", reached, {}, [primary, *proxy])
        # The pooler lets in whom the server knows. Of several servers one is the primary, and takes them over.
        parts = ["primary", *(f"replica-{number}" for number in range(1, len(servers)) if proxy)]
        reread = ["sh", f"{files.CONFIG}/roles.sh"]
        known = [self.ground.reread(part, reread, secrets, servers if proxy else [primary]) for part in parts]
        admitted = [self._admit("pooler", pooler_files, [*known, pooler])]
        if proxy:
            aside = (f"{self.ground.name}-ro", standby.READ_PORT)
            again = {"server_lifetime": str(standby.READ_LIFETIME)}
            reads, read_files = self._pooler("pooler-ro", aside, again, [pooler])
            admitted.append(self._admit("pooler-ro", read_files, [*known, reads]))
        user, database = self.accounts.logins.active, self.args.database
        target = f"host={self.ground.pooler_host} port={self.engine.pooler.port} dbname={database} user={user}"
        # As long as the pooler lets a client wait for a server (query_wait_timeout).
        target += f" connect_timeout=30 {files.verifying(self.args.tls)} passfile={SECRETS}/pgpass"
        asked = [self.ground.host.name(f"{self.ground.name}-{part}") for part in ("pooler", "primary")]
        proof = command(PSQL, target, asked, LOGIN_SECONDS)
        check = self._pgpass("check-secrets", user)
        return self.ground.connection(servers, pooler, proof, check, self.accounts, [*known, *admitted])

    def _admit(self, part: str, config: Files, after: Sequence[pulumi.Resource]) -> pulumi.Resource:
        return self.ground.reread(part, self.engine.pooler.reload or (), config, after)

    def _start(self, number: int) -> list[str]:
        """Command of a server with a proxy, or of the primary without one."""
        if not self.args.proxied:
            return ["sh", f"{files.CONFIG}/primary.sh"]
        names, ground = self._names(), self.ground
        others = [ground.server_host(other) for other in range(len(names)) if other != number]
        kind = "standby" if number else "first"
        return ["sh", f"{files.CONFIG}/server.sh", names[number], kind, ground.direct_host, *others]

    def _names(self) -> list[str]:
        """What each server is called as a standby, and its slot."""
        return ["primary", *(f"replica_{number}" for number in range(1, self.ground.size.replicas + 1))]

    def _proxy(self) -> docker.Container:
        args, ground = self.args, self.ground
        servers = {name: ground.server_host(number) for number, name in enumerate(self._names())}
        text = self.passwords[standby.CHECK_ROLE].apply(
            lambda password: standby.haproxy_cfg(
                servers, ground.direct_host, ground.size, args.tls, password, args.read_lag_seconds
            )
        )
        proxy = self.engine.proxy
        assert proxy
        config = ground.files("proxy-files", {"haproxy.cfg": text}, proxy.owner)
        return ground.proxy(["haproxy", "-W", "-db", "-f", f"{standby.PROXY}/haproxy.cfg"], config)

    def _verifier(self, role: str, salt: pulumi.Output[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(self.passwords[role], salt)
        return known.apply(lambda pair: verifier(str(pair[0]), salt_of(str(pair[1]), role)))

    def _pgpass(self, kind: str, role: str) -> Files:
        return self.ground.files(kind, {"pgpass": self._pgpass_text(role)}, self.engine.server.owner)

    def _pgpass_text(self, role: str) -> pulumi.Output[str]:
        return self.passwords[role].apply(lambda known: files.pgpass({role: known}))

    def _configuration(self) -> Files:
        args, proxied = self.args, self.args.proxied
        further = standby.settings(self._names(), synchronous=args.synchronous) if proxied else {}
        texts = {
            "postgresql.conf": files.postgresql_conf(self.ground.size, args.parameters or {}, args.tls, further),
            "pg_hba.conf": files.pg_hba_conf(args.database, args.user, args.tls, standby.HBA if proxied else ""),
            "pg_ident.conf": files.PG_IDENT_CONF,
        }
        if proxied:
            texts |= {"server.sh": standby.server_sh(args.tls), "roles.sh": standby.STANDBY_ROLES_SH}
        else:
            texts |= {
                "primary.sh": files.PRIMARY_SH,
                "roles.sh": files.ROLES_SH,
                "replica.sh": files.replica_sh(args.tls),
            }
        return self.ground.files("config", texts, self.engine.server.owner)

    def _secrets(self) -> Files:
        database, logins, proxied = self.args.database, self.accounts.logins, self.args.proxied
        valid, further = {role: self.verifiers[role] for role in self.valid}, standby.GRANTS if proxied else ()
        roles = pulumi.Output.all(**valid).apply(lambda known: files.roles_sql(database, logins, known, further))
        texts = {"roles.sql": roles}
        if proxied:  # each server may become a standby
            texts["pgpass"] = self._pgpass_text(files.REPLICA_ROLE)
        return self.ground.files("secrets", texts, self.engine.server.owner)

    def _replicas(self, config: Files, secrets: Files, after: Sequence[docker.Container]) -> list[docker.Container]:
        if self.ground.size.replicas == 0:
            return []
        if not self.args.proxied:
            secrets = self._pgpass("replica-secrets", files.REPLICA_ROLE)
        return [
            self.ground.replica(number, self._standby(number), config, secrets, after, start_seconds=_COPY_SECONDS)
            for number in range(1, self.ground.size.replicas + 1)
        ]

    def _standby(self, number: int) -> list[str]:
        if self.args.proxied:
            return self._start(number)
        return ["sh", f"{files.CONFIG}/replica.sh", self.ground.direct_host, f"replica_{number}"]

    def _pooler(
        self, part: str, server: tuple[str, int], further: dict[str, str], after: Sequence[pulumi.Resource]
    ) -> tuple[docker.Container, Files]:
        ini = files.pgbouncer_ini(self.args.database, server, self.ground.size, self.args.tls, further)
        # The owner too, although it does not log in: the health check asks in its name, and each question about a user
        # that PgBouncer does not know is a line in its log.
        users = dict.fromkeys([*self.accounts.of_clients, self.accounts.logins.owner])
        texts = {"pgbouncer.ini": ini, "userlist.txt": self._userlist(list(users))}
        config = self.ground.files(f"{part}-files", texts, self.engine.pooler.owner)
        # The list of users is read again. In the label of the container stands what it was before there were login
        # roles, so that an upgrade does not replace the pooler under its clients.
        read_at_start = {**texts, "userlist.txt": self._userlist([self.accounts.logins.owner])}
        start = ["sh", "-c", files.POOLER_SH]
        return self.ground.pooler(start, config, after, read_at_start, part=part), config

    def _userlist(self, users: list[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(**{user: self.verifiers[user] for user in users})
        return known.apply(lambda verifiers: files.userlist(verifiers))
