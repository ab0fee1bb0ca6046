"""MySQL and HAProxy on a Docker host: what goes into the containers of `Ground`."""

import pulumi
import pulumi_random as random

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.docker import LOGIN_SECONDS, RECOVERY_SECONDS, Ground
from tierstack.database.login import command
from tierstack.database.mysql import files
from tierstack.database.mysql.login import CLIENT_FILE, MYSQL_CLIENT
from tierstack.database.mysql.verifier import salt_of, verifier
from tierstack.database.roles import Logins
from tierstack.links import DatabaseConnection


def build(name: str, args: DatabaseWithReplicasArgs, parent: pulumi.Resource, logins: Logins) -> DatabaseConnection:
    """Everything of the database on the host of `args.platform`."""
    ground = Ground(name, args, parent)
    database, tls, engine = args.database, args.tls, ground.engine
    accounts = ground.accounts(logins)
    salt = random.RandomBytes(f"{name}-salt", length=20, opts=pulumi.ResourceOptions(parent=parent)).base64
    verifiers = {one: _verifier(one, accounts.passwords[one], salt) for one in accounts.valid}
    users = pulumi.Output.all(**verifiers).apply(lambda known: files.users_sql(database, logins, known))
    config = {
        "my.cnf": files.my_cnf(ground.size, args.parameters or {}, tls),
        "primary.sh": files.primary_sh(ground.size),
    }
    secrets = ground.files("secrets", {"users.sql": users}, engine.server.owner)
    primary = ground.primary(
        ["sh", f"{files.CONFIG}/primary.sh"],
        ground.files("config", config, engine.server.owner),
        secrets,
        start_seconds=RECOVERY_SECONDS,
    )
    known = ground.reread("primary", ["sh", "-c", files.USERS_SH], secrets, [primary])
    proxy = {"haproxy.cfg": files.haproxy_cfg(ground.direct_host, ground.size)}
    pooler = ground.pooler(
        ["haproxy", "-db", "-f", f"{files.POOLER}/haproxy.cfg"],
        ground.files("pooler-files", proxy, engine.pooler.owner),
        [primary],
    )
    user = logins.active
    client = accounts.passwords[user].apply(lambda known: files.client_cnf(user, known, database, tls))
    asked = [ground.host.name(f"{name}-{part}") for part in ("pooler", "primary")]
    login = command(MYSQL_CLIENT, ground.pooler_host, asked, LOGIN_SECONDS)
    check = ground.files("check-secrets", {CLIENT_FILE.rpartition("/")[2]: client}, engine.server.owner)
    return ground.connection([primary], pooler, login, check, accounts, [known])


def _verifier(user: str, password: pulumi.Output[str], salt: pulumi.Output[str]) -> pulumi.Output[str]:
    known = pulumi.Output.all(password, salt)
    return known.apply(lambda pair: verifier(str(pair[0]), salt_of(str(pair[1]), user)))
