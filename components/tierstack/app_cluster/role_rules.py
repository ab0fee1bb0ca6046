"""The rules of an AppCluster's roles, its migration and the connections that they use (pure)."""

import re
from collections.abc import Iterator, Mapping

from tierstack.app_cluster.args import AppClusterArgs, SecretDelivery
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.options import QueueScaling, RoleArgs
from tierstack.app_cluster.processes import secret_names
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, out_of_range
from tierstack.platform import PlatformKind, name_problems

LONGEST_ROLE = 18
"""Characters of a role's name: a label of KEDA has the name of the Deployment, of at most 63 characters, and a
component's name has 44."""
_LONGEST_REDIS = 40
"""Characters of a name in `more_redis`: a volume, whose name is a DNS label, is called after it."""
_TAKEN = ("web", "migration", "migrate")
"""Names of what an application has beside its roles."""
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def role_problems(args: AppClusterArgs) -> list[Diagnostic]:
    """Everything that is wrong with the roles and the migration."""
    found: list[Diagnostic] = []
    for name, role in (args.roles or {}).items():
        path = f"roles.{name}"
        found += _name(path, name)
        found += command_problems(f"{path}.command", role.command)
        found += command_problems(f"{path}.health_command", role.health_command)
        found += [
            *out_of_range(f"{path}.count", role.count, 0, 500),
            *out_of_range(f"{path}.max_count", role.max_count, 0, 500),
            *out_of_range(f"{path}.memory_mb", role.memory_mb, 16, 262144, "MiB"),
            *out_of_range(f"{path}.cpu", role.cpu, 0.01, 128, "cores"),
            *out_of_range(f"{path}.stop_seconds", role.stop_seconds, 1, 86400, "seconds"),
        ]
        found += _counts(args, path, name, role)
        found += _queue(args, f"{path}.queue", name, role.queue)
    if migration := args.migration:
        found += command_problems("migration.command", migration.command)
        found += out_of_range("migration.timeout_seconds", migration.timeout_seconds, 1, 86400, "seconds")
        found += out_of_range("migration.memory_mb", migration.memory_mb, 16, 262144, "MiB")
        found += out_of_range("migration.cpu", migration.cpu, 0.01, 128, "cores")
    return found


def command_problems(path: str, command: list[str] | None) -> list[Diagnostic]:
    """A command that is given names a program."""
    if command is None or (command and command[0]):
        return []
    return [Diagnostic(path, command, "names no program", "write program and arguments, or leave it out")]


def _name(path: str, name: str) -> list[Diagnostic]:
    if name in _TAKEN:
        return [Diagnostic(path, MISSING, "has a name that the application itself uses", "write another name")]
    return name_problems(path, name, LONGEST_ROLE)


def _counts(args: AppClusterArgs, path: str, name: str, role: RoleArgs) -> list[Diagnostic]:
    counts = args.counts.roles[name]
    if role.single and max(role.count or 0, role.max_count or 0) > 1:
        wrong = "is true, but `count` or `max_count` asks for more than one process"
        return [Diagnostic(f"{path}.single", role.single, wrong, "write `single: false`, or remove the counts")]
    if counts.max_count < counts.count:
        wrong = f"is less than count ({counts.count})"
        return [
            Diagnostic(f"{path}.max_count", counts.max_count, wrong, f"write at least {counts.count}, or leave it out")
        ]
    return []


def _queue(args: AppClusterArgs, path: str, name: str, queue: QueueScaling | None) -> list[Diagnostic]:
    if queue is None:
        return []
    counts, stores = args.counts.roles[name], args.more_redis or {}
    found = [
        *out_of_range(f"{path}.jobs_per_worker", queue.jobs_per_worker, 1, 1000000),
        *out_of_range(f"{path}.database_index", queue.database_index, 0, 15),
        *name_problems(f"{path}.keda_namespace", queue.keda_namespace),
    ]
    if not queue.list_name.strip():
        instead = "write the key of the list, such as `queues:default`"
        found.append(Diagnostic(f"{path}.list_name", queue.list_name, "is empty", instead))
    if args.platform.kind is not PlatformKind.KUBERNETES:
        wrong = "means something only on a Kubernetes platform"
        found.append(Diagnostic(path, queue.list_name, wrong, "remove it: a Docker host runs `count` of the role"))
    elif queue.redis is not None and queue.redis not in stores:
        given = f"write one of {', '.join(f'`{one}`' for one in stores)}" if stores else "give `more_redis`"
        found.append(
            Diagnostic(f"{path}.redis", queue.redis, "is not a name in `more_redis`", f"{given}, or remove it")
        )
    elif queue.redis is None and args.redis is None:
        instead = "give `redis`, name one of `more_redis` in `redis` here, or remove it"
        found.append(Diagnostic(path, queue.list_name, "needs a Redis", instead))
    elif not counts.scaled:
        wrong = f"is set, but `count` = {counts.count} and `max_count` = {counts.max_count} leave nothing to scale"
        found.append(Diagnostic(path, queue.list_name, wrong, "raise `max_count`, with `count` of at least 1"))
    return found


def variable_problems(args: AppClusterArgs) -> list[Diagnostic]:
    """Environment variables and secrets: their names, and what tierstack sets itself."""
    environment, secrets = args.environment or {}, args.secrets or {}
    taken = {name: f"the variable of `{one.path}`" for one in connected(args) for name in one.variables}
    if args.uploads:
        taken["UPLOADS_DIR"] = "the variable of `uploads.path`"
    if args.secret_delivery is SecretDelivery.FILE:
        taken |= {f"{name}_FILE": f"the path of the secret {name}" for name in secret_names(args)}
    found: list[Diagnostic] = []
    for path, name, value in _variables(args):
        if not _ENV_NAME.fullmatch(name):
            wrong, instead = "is not a name of a variable (POSIX)", "write letters, digits and _, no digit first"
            found.append(Diagnostic(path, value, wrong, instead))
        elif name in taken:
            found.append(Diagnostic(path, value, f"is {taken[name]}, set by tierstack", "remove it"))
        elif value is HIDDEN and name in environment:
            wrong = "stands in `environment` too, where anyone can read it"
            found.append(Diagnostic(path, value, wrong, "keep it in `secrets` only"))
        elif path.startswith("roles.") and name in secrets:
            wrong = "stands in `secrets` too; here anyone can read it"
            found.append(Diagnostic(path, value, wrong, "keep it in `secrets` only"))
    for path, _, value in _variables(args):
        if isinstance(value, str) and ("\0" in value or "\n" in value):
            wrong, instead = "has more than one line", "write one line, or give it as a secret"
            found.append(Diagnostic(path, value, wrong, instead))
    return found


def _variables(args: AppClusterArgs) -> Iterator[tuple[str, str, object]]:
    """Path, name and value of every variable that the caller gives."""
    groups: dict[str, Mapping[str, object]] = {
        "environment": args.environment or {},
        "secrets": dict.fromkeys(args.secrets or {}, HIDDEN),
    }
    groups |= {f"roles.{name}.environment": role.environment or {} for name, role in (args.roles or {}).items()}
    for path, values in groups.items():
        yield from ((f"{path}.{name}", name, value) for name, value in values.items())


def store_problems(args: AppClusterArgs) -> list[Diagnostic]:
    """The names of further Redis stores."""
    return [
        problem
        for name in args.more_redis or {}
        for problem in name_problems(f"more_redis.{name}", name, _LONGEST_REDIS)
    ]
