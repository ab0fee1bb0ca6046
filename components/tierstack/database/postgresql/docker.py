"""PostgreSQL, its standbys and PgBouncer on a Docker host: what goes into the containers of `Ground`."""

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.docker import LOGIN_SECONDS, RECOVERY_SECONDS, Files, Ground
from tierstack.database.engine import SECRETS
from tierstack.database.login import command
from tierstack.database.postgresql import files
from tierstack.database.postgresql.login import PSQL
from tierstack.database.postgresql.scram import salt_of, verifier
from tierstack.database.roles import Logins
from tierstack.links import DatabaseConnection


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource, logins: Logins) -> DatabaseConnection:
    """Everything of the database on the host of `args.platform`."""
    return _PostgreSQL(Ground(name, args, parent), logins).connection()


class _PostgreSQL:
    def __init__(self, ground: Ground, logins: Logins) -> None:
        self.ground, self.args, self.engine = ground, ground.args, ground.engine
        self.accounts = ground.accounts(logins)
        self.passwords = {**self.accounts.passwords, files.REPLICA_ROLE: ground.password("replica")}
        self.valid = [*self.accounts.valid, files.REPLICA_ROLE]
        opts = pulumi.ResourceOptions(parent=ground.parent)
        salt = random.RandomBytes(f"{ground.name}-salt", length=16, opts=opts)
        self.verifiers = {role: self._verifier(role, salt.base64) for role in self.passwords}

    def connection(self) -> DatabaseConnection:
        config, secrets = self._configuration(), self._roles()
        primary = self.ground.primary(
            ["sh", f"{files.CONFIG}/primary.sh"], config, secrets, start_seconds=RECOVERY_SECONDS
        )
        replicas = self._replicas(config, primary)
        pooler, pooler_files = self._pooler(primary)
        # The pooler lets in whom the server knows.
        known = self.ground.reread("primary", ["sh", f"{files.CONFIG}/roles.sh"], secrets, [primary])
        admitted = self.ground.reread("pooler", self.engine.pooler.reload or (), pooler_files, [known, pooler])
        user, database = self.accounts.logins.active, self.args.database
        target = f"host={self.ground.pooler_host} port={self.engine.pooler.port} dbname={database} user={user}"
        # As long as the pooler lets a client wait for a server (query_wait_timeout).
        target += f" connect_timeout=30 {files.verifying(self.args.tls)} passfile={SECRETS}/pgpass"
        asked = [self.ground.host.name(f"{self.ground.name}-{part}") for part in ("pooler", "primary")]
        proof = command(PSQL, target, asked, LOGIN_SECONDS)
        check = self._pgpass("check-secrets", user)
        servers = [primary, *replicas]
        return self.ground.connection(servers, pooler, proof, check, self.accounts, [known, admitted])

    def _verifier(self, role: str, salt: pulumi.Output[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(self.passwords[role], salt)
        return known.apply(lambda pair: verifier(str(pair[0]), salt_of(str(pair[1]), role)))

    def _pgpass(self, kind: str, role: str) -> Files:
        line = self.passwords[role].apply(lambda known: files.pgpass({role: known}))
        return self.ground.files(kind, {"pgpass": line}, self.engine.server.owner)

    def _configuration(self) -> Files:
        args = self.args
        texts = {
            "postgresql.conf": files.postgresql_conf(self.ground.size, args.parameters or {}, args.tls),
            "pg_hba.conf": files.pg_hba_conf(args.database, args.user, args.tls),
            "pg_ident.conf": files.PG_IDENT_CONF,
            "primary.sh": files.PRIMARY_SH,
            "roles.sh": files.ROLES_SH,
            "replica.sh": files.replica_sh(args.tls),
        }
        return self.ground.files("config", texts, self.engine.server.owner)

    def _roles(self) -> Files:
        database, logins = self.args.database, self.accounts.logins
        valid = {role: self.verifiers[role] for role in self.valid}
        roles = pulumi.Output.all(**valid).apply(lambda known: files.roles_sql(database, logins, known))
        return self.ground.files("secrets", {"roles.sql": roles}, self.engine.server.owner)

    def _replicas(self, config: Files, primary: docker.Container) -> list[docker.Container]:
        if self.ground.size.replicas == 0:
            return []
        secrets = self._pgpass("replica-secrets", files.REPLICA_ROLE)
        command = ["sh", f"{files.CONFIG}/replica.sh", self.ground.direct_host]
        return [
            self.ground.replica(number, [*command, f"replica_{number}"], config, secrets, primary, start_seconds=7200)
            for number in range(1, self.ground.size.replicas + 1)
        ]

    def _pooler(self, primary: docker.Container) -> tuple[docker.Container, Files]:
        ini = files.pgbouncer_ini(self.args.database, self.ground.direct_host, self.ground.size, self.args.tls)
        # The owner too, although it does not log in: the health check asks in its name, and each question about a user
        # that PgBouncer does not know is a line in its log.
        users = dict.fromkeys([*self.accounts.of_clients, self.accounts.logins.owner])
        texts = {"pgbouncer.ini": ini, "userlist.txt": self._userlist(list(users))}
        config = self.ground.files("pooler-files", texts, self.engine.pooler.owner)
        # The list of users is read again. In the label of the container stands what it was before there were login
        # roles, so that an upgrade does not replace the pooler under its clients.
        read_at_start = {**texts, "userlist.txt": self._userlist([self.accounts.logins.owner])}
        start = ["sh", "-c", files.POOLER_SH]
        return self.ground.pooler(start, config, primary, read_at_start), config

    def _userlist(self, users: list[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(**{user: self.verifiers[user] for user in users})
        return known.apply(lambda verifiers: files.userlist(verifiers))
