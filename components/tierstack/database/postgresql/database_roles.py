"""The roles of a PostgreSQL on Kubernetes: `DatabaseRole` objects of CloudNativePG, and a Job for what they cannot say.

The operator makes the owner with the right to log in, and writes its password back from the `initdb` Secret at every
promotion (CloudNativePG: "Bootstrap"); a role object takes that right away. It knows no settings of a role and no
grants on tables, so a Job logs in as each new login and sets them, with that login's rights alone. Where the Job has
ended, the login works: what uses the database comes after it.
"""

from collections.abc import Mapping

import pulumi

from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.kubernetes import direct_client_labels
from tierstack.database.postgresql.cnpg import POSTGRESQL_API, server_labels
from tierstack.database.postgresql.engine import POSTGRESQL
from tierstack.database.postgresql.grants import grants_sql
from tierstack.database.roles import MONITOR, READ, Logins
from tierstack.platform.internal_ca import CA_FILE, TLSMode, ca_directory, ca_path
from tierstack.platform.kubernetes import jobs, network, volumes, workload
from tierstack.platform.kubernetes.manifest import Manifest, manifest
from tierstack.platform.kubernetes.plan import Planned
from tierstack.platform.kubernetes.quantities import resources

_APPLIED = {"pulumi.com/waitFor": "jsonpath={.status.applied}=true"}
_RETRIES = 3
_DEADLINE_SECONDS = 600
"""How long the Job tries. An instance asks again after 30 s for a role whose Secret it could not read yet, and a server
may fail over meanwhile."""
_SCRIPT = 'until printf "%s" "$SQL" | psql -Xqw -v ON_ERROR_STOP=1; do sleep 2; done'


def secret_name(name: str, generation: int) -> str:
    """The Secret with the password of a generation. Pods that still have the one before find it under its own name."""
    return f"{name}-login-{generation}"


def plan(
    name: str, args: DatabaseWithReplicasArgs, logins: Logins, secrets: Mapping[str, pulumi.Input[str]]
) -> list[Planned]:
    """The roles once the Cluster `name` is ready, and the Job that ends when the active one has logged in. `secrets`:
    the names of the Secrets with the passwords, by role."""
    owner = logins.owner
    roles = {
        role: (f"{name}-role-{role[-1]}", _role(name, role, [owner], secrets[role])) for role in logins.generations
    }
    roles[READ] = f"{name}-role-read", _role(name, READ, [], secrets[READ])
    roles[MONITOR] = f"{name}-role-monitor", _role(name, MONITOR, ["pg_monitor"], secrets[MONITOR])
    if not logins.owner_logs_in:
        roles[owner] = f"{name}-role-owner", _role(name, owner, [], None)
    found = [
        Planned(called, manifest(POSTGRESQL_API, "DatabaseRole", called, spec, annotations=_APPLIED), (name,))
        for called, spec in roles.values()
    ]
    if args.platform.default_deny:
        found.append(Planned(f"{name}-roles-policy", _policy(name)))
    job = _job(name, args, logins, secrets[logins.active])
    return [*found, Planned(job_name(name), job, tuple(one.name for one in found), timeout="15m")]


def job_name(name: str) -> str:
    """Logical name of the Job."""
    return f"{name}-roles"


def _role(name: str, role: str, member_of: list[str], secret: pulumi.Input[str] | None) -> Manifest:
    """A role with nothing but what is said here. `secret` None: it does not log in, and its password is nobody's."""
    return {
        "cluster": {"name": name},
        "name": role,
        **({"inRoles": member_of} if member_of else {}),
        # Not `login: false`, which is the default: the operator writes the object again without it, and every preview
        # would set it anew.
        **({"login": True, "passwordSecret": {"name": secret}} if secret is not None else {}),
    }


def login_sql(logins: Logins) -> str:
    """What the active login does at its first login: from then on, what it creates belongs to the owner, and so to the
    other login too."""
    owner, login = logins.owner, logins.active
    # A role changes its own settings as itself, not as the owner that it becomes when it logs in.
    own = f"SET ROLE NONE;\nALTER ROLE \"{login}\" SET role = '{owner}';\nSET ROLE '{owner}';\n"
    return (own if login in logins.generations else "") + grants_sql(owner)


def _labels(name: str) -> dict[str, str]:
    return network.client_of("roles", name)


def _policy(name: str) -> Manifest:
    """The Job reaches the servers, and looks up their name."""
    servers = network.egress([network.pods(server_labels(name))], POSTGRESQL.server.port)
    return network.policy(f"{name}-roles", _labels(name), egress=[servers, network.DNS])


def _job(name: str, args: DatabaseWithReplicasArgs, logins: Logins, secret: pulumi.Input[str]) -> Manifest:
    server = POSTGRESQL.server
    values = {
        "PGHOST": f"{name}-rw",
        "PGPORT": str(server.port),
        "PGDATABASE": args.database,
        "PGUSER": logins.active,
        "PGCONNECT_TIMEOUT": "5",
        "SQL": login_sql(logins),
    }
    mounted: list[Manifest] = []
    mounts: list[Manifest] = []
    if args.tls is not TLSMode.DISABLE:
        values |= {"PGSSLMODE": "verify-full", "PGSSLROOTCERT": ca_path("database")}
        mounted = [volumes.secret("ca", f"{name}-ca", [CA_FILE])]
        mounts = [volumes.mount("ca", ca_directory("database"), read_only=True)]
    env = [*workload.variables(values), workload.from_secret("PGPASSWORD", secret, "password")]
    container = workload.container(
        "roles", args.image, ["/bin/sh", "-c", _SCRIPT], resources(64, 0.01), mounts, env=env
    )
    pod = workload.pod(
        {**_labels(name), **direct_client_labels(name)},
        [container],
        security=workload.user(*server.owner),
        volumes=mounted,
        **workload.NO_TOKEN,
    )
    # Its digits leave no more letters for a name.
    return jobs.job(
        f"{name}-role", pod, args.platform, retries=_RETRIES, deadline_seconds=_DEADLINE_SECONDS, stores=True
    )
