"""What is allowed in an application, and rarely meant (pure)."""

import re
from collections.abc import Iterator, Mapping

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.app_cluster.options import RoleArgs
from tierstack.core.diagnostics import MISSING, Diagnostic, Severity, declare
from tierstack.links import RedisConnection

declare(
    "scheduler-twice",
    "A scheduler should never run twice: `single: true`.",
    "",
    Severity.WARNING,
    why="A release starts the new one before it stops the old one, and both start the tasks of that minute.",
    wrong="app: {roles: {cron: {command: [php, artisan, schedule:work]}}}",
    right="app: {roles: {cron: {command: [php, artisan, schedule:work], single: true}}}",
)
declare(
    "queue-in-cache",
    "Queues and sessions should be in a Redis that keeps what it is given.",
    "Redis: key eviction",
    Severity.WARNING,
    why="A full cache drops what was least recently used: jobs are lost, and customers are logged out.",
    wrong="redis: {purpose: cache}, app: {environment: {QUEUE_CONNECTION: redis}}",
    right="redis: {purpose: queue}, app: {environment: {QUEUE_CONNECTION: redis}}",
)
_SCHEDULER = re.compile(r"(laravel-|symfony-|wp-|task-|job-)?(schedulers?|schedule|cron|crond)(-\d+)?")
"""Names of roles that are schedulers."""
_SCHEDULES = re.compile(
    r"schedule:(work|run|daemon)|(\S*/)?(crond|cron|supercronic|ofelia|go-cron|yacron)|cron:run|scheduler:(run|work)"
)
"""Words of commands that are schedulers: Laravel, cron daemons, Magento."""
_CONSUMES = re.compile(r"queue:(work|listen)|horizon(:\w+)?|messenger:consume|queue:consumers:start|\S*consumer\S*")
"""Words of commands that take jobs from a queue, whatever their role is called."""
_KEEPS = {
    "QUEUE_CONNECTION": "REDIS_QUEUE_CONNECTION",
    "QUEUE_DRIVER": "REDIS_QUEUE_CONNECTION",
    "SESSION_DRIVER": "SESSION_CONNECTION",
}
"""Variables of Laravel that put queues and sessions somewhere, with those that say into which Redis."""


def advice(args: AppClusterArgs) -> list[Diagnostic]:
    """What its owner probably did not mean. Needs arguments without problems."""
    return [*_schedulers(args), *_evicted(args)]


def _schedulers(args: AppClusterArgs) -> Iterator[Diagnostic]:
    for name, role in (args.roles or {}).items():
        if role.single or role.count == 0 or not is_scheduler(name, role):
            continue
        wrong = "is a scheduler, and two of them run for a while at every release"
        hint = "write `single: true`"
        yield Diagnostic(f"roles.{name}.single", MISSING, wrong, hint, "scheduler-twice", Severity.WARNING)


def is_scheduler(name: str, role: RoleArgs) -> bool:
    """Whether a role starts tasks by the clock: by its command, else by its name."""
    words = [word for argument in role.command for word in re.split(r"[\s;&|()]+", argument)]
    if any(_SCHEDULES.fullmatch(word) for word in words) or {"celery", "beat"} <= set(words):
        return True
    return bool(_SCHEDULER.fullmatch(name)) and not any(_CONSUMES.fullmatch(word) for word in words)


def _evicted(args: AppClusterArgs) -> Iterator[Diagnostic]:
    stores = {"": args.redis, **(args.more_redis or {})}

    def said(path: str, value: object, what: str, name: str) -> Diagnostic:
        where = f"more_redis.{name}" if name else "redis"
        wrong = f"puts {what} into `{where}`, a cache that drops what was least recently used when it is full"
        hint = "use a Redis with `purpose: queue`"
        return Diagnostic(path, value, wrong, hint, "queue-in-cache", Severity.WARNING)

    for name, role in (args.roles or {}).items():
        if role.queue and _evicts(stores.get(role.queue.redis or "")):
            path = f"roles.{name}.queue.list_name"
            yield said(path, role.queue.list_name, "jobs", role.queue.redis or "")
    for path, variables in environments(args):
        for key, which in _KEEPS.items():
            if variables.get(key, "").lower() != "redis":
                continue
            named = variables.get(which, (args.environment or {}).get(which, ""))
            stated = named == "default" or (named != "" and named in stores)
            name = named if named in stores else ""
            # Where it does not say which, the code may have chosen another one that keeps it.
            sure = stated or all(_evicts(one) for one in stores.values() if one)
            if sure and _evicts(stores.get(name)):
                what = "sessions" if key == "SESSION_DRIVER" else "jobs"
                yield said(f"{path}.{key}", variables[key], what, name)


def _evicts(link: RedisConnection | None) -> bool:
    return link is not None and link.evicts


def environments(args: AppClusterArgs) -> Iterator[tuple[str, Mapping[str, str]]]:
    """The variables of all processes, and those of single roles, with their places."""
    yield "environment", args.environment or {}
    yield from ((f"roles.{name}.environment", role.environment or {}) for name, role in (args.roles or {}).items())
