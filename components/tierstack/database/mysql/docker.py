"""MySQL, its standbys and HAProxy on a Docker host: what goes into the containers of `Ground`."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pulumi
import pulumi_docker as docker
import pulumi_random as random

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.docker import LOGIN_SECONDS, RECOVERY_SECONDS, Files, Ground, server_part
from tierstack.database.login import command
from tierstack.database.mysql import files, proxy, scripts, standby
from tierstack.database.mysql.login import CLIENT_FILE, MYSQL_CLIENT
from tierstack.database.mysql.verifier import salt_of, verifier
from tierstack.database.roles import Logins
from tierstack.links import DatabaseConnection
from tierstack.platform.docker import Mount

_COPY_SECONDS = 7200
"""How long a standby may take to copy the primary before an update gives up."""


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource, logins: Logins) -> DatabaseConnection:
    """Everything of the database on the host of `args.platform`."""
    return _MySQL(Ground(name, args, parent), logins).connection()


class _MySQL:
    def __init__(self, ground: Ground, logins: Logins) -> None:
        self.ground, self.args, self.engine = ground, ground.args, ground.engine
        self.accounts = ground.accounts(logins)
        self.salt = random.RandomBytes(f"{ground.name}-salt", length=20, opts=self._opts).base64
        # Users whose statements follow those of a single server.
        self.replica = ground.password("replica") if self.args.proxied else None

    def connection(self) -> DatabaseConnection:
        config, secrets, ground = self._configuration(), self._secrets(), self.ground
        sockets = self._sockets()
        start = [] if not self.args.proxied else [self._proxy(sockets)]
        primary = ground.primary(
            self._start(0), config, secrets, start_seconds=RECOVERY_SECONDS, mounts=_own(sockets, 0)
        )
        servers = [primary, *self._replicas(config, secrets, [primary, *start], sockets)]
        # Of several servers one is the primary, and takes accounts over.
        reread = ["sh", f"{files.CONFIG}/accounts.sh"] if self.args.proxied else ["sh", "-c", files.USERS_SH]
        known = [ground.reread(server_part(number), reread, secrets, servers) for number in range(len(servers))]
        pooler = self._pooler("pooler", ground.direct_host, self.engine.server.port, [primary, *start])
        if self.args.proxied:
            self._pooler("pooler-ro", f"{ground.name}-ro", proxy.READ_PORT, [pooler])
        user = self.accounts.logins.active
        client = self.accounts.passwords[user].apply(
            lambda known: files.client_cnf(user, known, self.args.database, self.args.tls)
        )
        asked = [ground.host.name(f"{ground.name}-{part}") for part in ("pooler", "primary")]
        login = command(MYSQL_CLIENT, ground.pooler_host, asked, LOGIN_SECONDS)
        check = ground.files("check-secrets", {CLIENT_FILE.rpartition("/")[2]: client}, self.engine.server.owner)
        return ground.connection(servers, pooler, login, check, self.accounts, known)

    @property
    def _opts(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self.ground.parent)

    @property
    def _names(self) -> list[str]:
        """What each server is called as a standby."""
        return ["primary", *(f"replica_{number}" for number in range(1, self.ground.size.replicas + 1))]

    def _start(self, number: int) -> list[str]:
        if not self.args.proxied:
            return ["sh", f"{files.CONFIG}/primary.sh"]
        names, ground = self._names, self.ground
        others = [ground.server_host(other) for other in range(len(names)) if other != number]
        kind = "standby" if number else "first"
        return ["sh", f"{files.CONFIG}/server.sh", names[number], str(number + 1), kind, *others]

    def _configuration(self) -> Files:
        args, ground, size = self.args, self.ground, self.ground.size
        parameters, owner = args.parameters or {}, self.engine.server.owner
        if not args.proxied:
            texts = {"my.cnf": files.my_cnf(size, parameters, args.tls), "primary.sh": files.primary_sh(size)}
            return ground.files("config", texts, owner)
        host, waits = ground.direct_host, args.synchronous
        texts = {
            # Where no standby is left, both pools come to the primary.
            "my.cnf": files.my_cnf(
                replace(size, poolers=2), parameters, args.tls, standby.settings(size, synchronous=waits)
            ),
            "server.sh": scripts.server_sh(size, host, args.tls),
            "accounts.sh": scripts.ACCOUNTS_SH,
            "promote.sh": scripts.promote_sh(synchronous=waits, events=standby.runs_events(parameters)),
            "hold.sh": scripts.hold_sh(host, args.tls),
            "primary.sql": standby.primary_sql(synchronous=waits),
            "source.sql": standby.source_sql(host, args.tls),
        }
        return ground.files("config", texts, owner)

    def _secrets(self) -> Files:
        database, logins, waits = self.args.database, self.accounts.logins, self.args.synchronous
        verifiers = {one: self._verifier(one, self.accounts.passwords[one]) for one in self.accounts.valid}
        owner = self.engine.server.owner
        if self.replica is None:
            users = pulumi.Output.all(**verifiers).apply(lambda known: files.users_sql(database, logins, known))
            return self.ground.files("secrets", {"users.sql": users}, owner)
        user, host, tls = standby.REPLICA_USER, self.ground.direct_host, self.args.tls

        def sql(known: Mapping[str, str]) -> str:
            single = files.users_sql(database, logins, {one: known[one] for one in verifiers})
            return standby.users_sql(single, known[user], synchronous=waits)

        every = {**verifiers, user: self._verifier(user, self.replica)}
        texts = {
            "users.sql": pulumi.Output.all(**every).apply(sql),
            _name(standby.REPLICA_FILE): self.replica.apply(lambda known: standby.replica_cnf(known, tls)),
            _name(standby.FOLLOW_FILE): self.replica.apply(standby.follow_sql),
            _name(standby.CLONE_FILE): self.replica.apply(
                lambda known: standby.clone_sql(host, known, scripts.COPY, tls)
            ),
        }
        return self.ground.files("secrets", texts, owner)

    def _verifier(self, user: str, password: pulumi.Output[str]) -> pulumi.Output[str]:
        known = pulumi.Output.all(password, self.salt)
        return known.apply(lambda pair: verifier(str(pair[0]), salt_of(str(pair[1]), user)))

    def _sockets(self) -> list[pulumi.Output[str]]:
        """The volume of each server's socket, which the proxy sees too."""
        if not self.args.proxied or not self.engine.proxy:
            return []
        owner, ground = (self.engine.server.uid, self.engine.proxy.uid), self.ground
        return [
            ground.host.volume(
                f"{ground.name}-{server_part(number)}-socket", ground.parent, data=False, memory_owner=owner
            ).name
            for number in range(len(self._names))
        ]

    def _proxy(self, sockets: Sequence[pulumi.Output[str]]) -> docker.Container:
        args, ground, process = self.args, self.ground, self.engine.proxy
        assert process
        servers = {name: ground.server_host(number) for number, name in enumerate(self._names)}
        text = proxy.haproxy_cfg(servers, ground.size, args.read_lag_seconds)
        config = ground.files("proxy-files", {"haproxy.cfg": text}, process.owner)
        mounts = [
            Mount(volume=socket, path=f"{proxy.SOCKETS}/{name}", read_only=True)
            for name, socket in zip(self._names, sockets, strict=True)
        ]
        return ground.proxy(["haproxy", "-W", "-db", "-f", f"{proxy.PROXY}/haproxy.cfg"], config, mounts)

    def _replicas(
        self,
        config: Files,
        secrets: Files,
        after: Sequence[docker.Container],
        sockets: Sequence[pulumi.Output[str]],
    ) -> list[docker.Container]:
        return [
            self.ground.replica(
                number,
                self._start(number),
                config,
                secrets,
                after,
                start_seconds=_COPY_SECONDS,
                mounts=_own(sockets, number),
            )
            for number in range(1, self.ground.size.replicas + 1)
        ]

    def _pooler(self, part: str, host: str, port: int, after: Sequence[pulumi.Resource]) -> docker.Container:
        ground, owner = self.ground, self.engine.pooler.owner
        text = files.haproxy_cfg(host, ground.size, port)
        command = ["haproxy", "-db", "-f", f"{files.POOLER}/haproxy.cfg"]
        return ground.pooler(command, ground.files(f"{part}-files", {"haproxy.cfg": text}, owner), after, part=part)


def _own(sockets: Sequence[pulumi.Output[str]], number: int) -> list[Mount]:
    return [Mount(volume=sockets[number], path=files.SOCKET_DIRECTORY)] if sockets else []


def _name(path: str) -> str:
    return path.rpartition("/")[2]
