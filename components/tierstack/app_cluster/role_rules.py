"""The rules of an AppCluster's roles, its migration and the connections that they use (pure)."""

import re
from collections.abc import Iterator, Mapping

from tierstack.app_cluster.application import Application
from tierstack.app_cluster.connections import connected
from tierstack.app_cluster.counts import RoleCounts
from tierstack.app_cluster.options import QueueScaling, RoleArgs, SecretDelivery
from tierstack.app_cluster.processes import secret_names
from tierstack.app_cluster.release import Release
from tierstack.core.errors import HIDDEN, MISSING, Diagnostic, rule
from tierstack.platform import PlatformKind, name_problems

LONGEST_ROLE = 18
"""Characters of a role's name: a label of KEDA has the name of the Deployment, of at most 63 characters, and a
component's name has 44."""
_LONGEST_REDIS = 40
"""Characters of a name in `more_redis`: a volume, whose name is a DNS label, is called after it."""
_TAKEN = re.compile(r"web|web-[0-9a-f]{12}|migration|migrate")
"""Names of what an application has beside its roles: `web-…` is a release beside another."""
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def role_problems(app: Application, release: Release) -> list[Diagnostic]:
    """Everything that is wrong with the roles and the migration."""
    found: list[Diagnostic] = []
    for name, role in release.roles.items():
        path, counts = f"roles.{name}", release.counts.roles[name]
        found += _name(path, name)
        found += command_problems(f"{path}.command", role.command, required=True)
        found += command_problems(f"{path}.health_command", role.health_command)
        found += _single(path, role) or _counts(path, counts)
        if role.queue:
            found += _queue(app, f"{path}.queue", role.queue, counts)
    if migration := release.migration:
        found += command_problems("migration.command", migration.command, required=True)
    return found


@rule("empty-command")
def command_problems(path: str, command: list[str] | None, *, required: bool = False) -> list[Diagnostic]:
    """A command that is given names a program."""
    if command is None or (command and command[0]):
        return []
    instead = "write program and arguments" if required else "write program and arguments, or leave it out"
    return [Diagnostic(path, command, "names no program", instead)]


@rule(
    "role-name",
    "A role has a name that the application does not use itself.",
    wrong="app: {roles: {web: {command: [php, mail]}}}",
    right="app: {roles: {mail: {command: [php, mail]}}}",
)
def _name(path: str, name: str) -> list[Diagnostic]:
    if _TAKEN.fullmatch(name):
        return [Diagnostic(path, MISSING, "has a name that the application itself uses", "write another name")]
    return name_problems(path, name, LONGEST_ROLE)


@rule(
    "single-role",
    "A role that never runs twice has a count of one.",
    wrong="app: {roles: {cron: {command: [php, cron], single: true, count: 2}}}",
    right="app: {roles: {cron: {command: [php, cron], single: true}}}",
)
def _single(path: str, role: RoleArgs) -> list[Diagnostic]:
    if not role.single or max(role.count or 0, role.max_count or 0) <= 1:
        return []
    wrong = "is true, but `count` or `max_count` asks for more than one process"
    return [Diagnostic(f"{path}.single", role.single, wrong, "write `single: false`, or remove the counts")]


@rule("count-bounds")
def _counts(path: str, counts: RoleCounts) -> list[Diagnostic]:
    if counts.max_count >= counts.count:
        return []
    wrong, instead = f"is less than count ({counts.count})", f"write at least {counts.count}, or leave it out"
    return [Diagnostic(f"{path}.max_count", counts.max_count, wrong, instead)]


def _queue(app: Application, path: str, queue: QueueScaling, counts: RoleCounts) -> list[Diagnostic]:
    found = [
        *name_problems(f"{path}.keda_namespace", queue.keda_namespace),
        *_queue_list(path, queue),
    ]
    if app.platform.kind is not PlatformKind.KUBERNETES:
        return found + _only_kubernetes(path, queue)
    return found + (_queue_redis(app, path, queue) or _queue_scale(path, queue, counts))


@rule("queue-list", "A queue that scales a role has a key in Redis.")
def _queue_list(path: str, queue: QueueScaling) -> list[Diagnostic]:
    if queue.list_name.strip():
        return []
    instead = "write the key of the list, such as `queues:default`"
    return [Diagnostic(f"{path}.list_name", queue.list_name, "is empty", instead)]


@rule("wrong-platform")
def _only_kubernetes(path: str, queue: QueueScaling) -> list[Diagnostic]:
    wrong, instead = "means something only on a Kubernetes platform", "a Docker host runs `count` of the role"
    return [Diagnostic(path, queue.list_name, wrong, f"remove it: {instead}")]


@rule("queue-redis", "The Redis that holds a queue is one that the application is connected to.")
def _queue_redis(app: Application, path: str, queue: QueueScaling) -> list[Diagnostic]:
    """The Redis that holds the list is one that the application is connected to."""
    stores = app.more_redis
    if queue.redis is not None and queue.redis not in stores:
        given = f"write one of {', '.join(f'`{one}`' for one in stores)}" if stores else "give `more_redis`"
        return [Diagnostic(f"{path}.redis", queue.redis, "is not a name in `more_redis`", f"{given}, or remove it")]
    if queue.redis is None and app.redis is None:
        instead = "give `redis`, name one of `more_redis` in `redis` here, or remove it"
        return [Diagnostic(path, queue.list_name, "needs a Redis", instead)]
    return []


@rule(
    "queue-scale",
    "A role that a queue scales has a `max_count` above its `count`.",
    wrong="worker: {count: 3, max_count: 3, queue: {list_name: queues:default}}",
    right="worker: {count: 3, max_count: 9, queue: {list_name: queues:default}}",
)
def _queue_scale(path: str, queue: QueueScaling, counts: RoleCounts) -> list[Diagnostic]:
    if counts.scaled:
        return []
    wrong = f"is set, but `count` = {counts.count} and `max_count` = {counts.max_count} leave nothing to scale"
    return [Diagnostic(path, queue.list_name, wrong, "raise `max_count`, with `count` of at least 1")]


def variable_problems(app: Application, release: Release) -> list[Diagnostic]:
    """Environment variables and secrets: their names, and what tierstack sets itself."""
    taken = {name: f"the variable of `{one.path}`" for one in connected(app) for name in one.variables}
    if app.uploads:
        taken["UPLOADS_DIR"] = "the variable of `uploads.path`"
    if release.secret_delivery is SecretDelivery.FILE:
        taken |= {f"{name}_FILE": f"the path of the secret {name}" for name in secret_names(app)}
    found: list[Diagnostic] = []
    for path, name, value in _variables(app, release):
        found += (
            _variable_name(path, name, value)
            or _taken_variable(path, value, taken.get(name))
            or _plaintext_variable(app, release, path, name, value)
        )
    for path, _, value in _variables(app, release):
        found += _variable_value(path, value)
    return found


@rule(
    "variable-name",
    "A variable has a name that POSIX shells take.",
    wrong="app: {environment: {MAIL-HOST: smtp.example.org}}",
    right="app: {environment: {MAIL_HOST: smtp.example.org}}",
)
def _variable_name(path: str, name: str, value: object) -> list[Diagnostic]:
    if _ENV_NAME.fullmatch(name):
        return []
    wrong, instead = "is not a name of a variable (POSIX)", "write letters, digits and _, no digit first"
    return [Diagnostic(path, value, wrong, instead)]


@rule(
    "variable-taken",
    "Variables that tierstack sets are left to it.",
    wrong="app: {environment: {DB_HOST: db.example.org}}",
    right="app: {environment: {MAIL_HOST: smtp.example.org}}",
)
def _taken_variable(path: str, value: object, owner: str | None) -> list[Diagnostic]:
    return [Diagnostic(path, value, f"is {owner}, set by tierstack", "remove it")] if owner else []


@rule("plaintext-secret")
def _plaintext_variable(app: Application, release: Release, path: str, name: str, value: object) -> list[Diagnostic]:
    """What is a secret in one place is in plaintext in another."""
    if value is HIDDEN and name in release.environment:
        wrong = "stands in `environment` too, where anyone can read it"
    elif path.startswith("roles.") and name in app.secrets:
        wrong = "stands in `secrets` too; here anyone can read it"
    else:
        return []
    return [Diagnostic(path, value, wrong, "keep it in `secrets` only")]


@rule(
    "variable-value",
    "The value of a variable that anyone may read is one line.",
    wrong='app: {environment: {MOTD: "one\\ntwo"}}',
    right="app: {environment: {MOTD: one line}}",
)
def _variable_value(path: str, value: object) -> list[Diagnostic]:
    if not isinstance(value, str) or ("\0" not in value and "\n" not in value):
        return []
    return [Diagnostic(path, value, "has more than one line", "write one line, or give it as a secret")]


def _variables(app: Application, release: Release) -> Iterator[tuple[str, str, object]]:
    """Path, name and value of every variable that the caller gives."""
    groups: dict[str, Mapping[str, object]] = {
        "environment": release.environment,
        "secrets": dict.fromkeys(app.secrets, HIDDEN),
    }
    groups |= {f"roles.{name}.environment": role.environment or {} for name, role in release.roles.items()}
    for path, values in groups.items():
        yield from ((f"{path}.{name}", name, value) for name, value in values.items())


def store_problems(app: Application, _: Release) -> list[Diagnostic]:
    """The names of further Redis stores."""
    return [problem for name in app.more_redis for problem in name_problems(f"more_redis.{name}", name, _LONGEST_REDIS)]
