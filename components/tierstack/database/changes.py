"""What a database that exists cannot become: by what its stack has made, and what its arguments now say. Pure."""

from tierstack.core.before import Before, at, shrinks
from tierstack.core.diagnostics import Diagnostic, declare
from tierstack.core.errors import rule
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.platform import PlatformKind

declare(
    "database-renamed",
    "A database must keep its name and its user.",
    ignorable=True,
    why="The data stays where it is. The application would find an empty database, or could not log in.",
    wrong="database: {database: shop2} where it was made as shop",
    right="database: {database: shop}",
)


def problems_of(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change from what was made under the component's `name`."""
    physical = args.physical_name or name
    if args.platform.kind is PlatformKind.DOCKER:
        there = before.has_volume(f"{args.platform.name}-{physical}-data")
        return _renamed(args, name, before) if there else []
    cluster = before.manifest("Cluster", args.platform.name, physical)
    if cluster is None:
        return []
    size, another = args.size(), "make another DatabaseWithReplicas"
    return [
        *_renamed(args, name, before),
        *_older(args, at(cluster, "spec", "imageName")),
        *shrinks("storage_gb", size.storage_gb, at(cluster, "spec", "storage", "size"), another),
        *shrinks("wal_storage_gb", size.wal_storage_gb, at(cluster, "spec", "walStorage", "size"), another),
    ]


@rule("database-renamed")
def _renamed(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    made = before.component("DatabaseWithReplicas", name) or {}
    found: list[Diagnostic] = []
    for key in ("database", "user"):
        was, now = made.get(key), getattr(args, key)
        if isinstance(was, str) and was != now:
            message = f"was `{was}` when the database was made, and what is in it stays under that name"
            hint = f"write `{was}`; if it was renamed in the server, accept this with `ignore`"
            found.append(Diagnostic(key, now, message, hint))
    return found


@rule(
    "database-older-version",
    "A server cannot be replaced by an older major version.",
    "PostgreSQL: Upgrading a Cluster",
    why="An older server cannot read the files of a newer one.",
    wrong="images: {postgres: registry.example/postgresql:17.6@sha256:…} where 18.1 runs",
    right="images: {postgres: registry.example/postgresql:18.1@sha256:…}",
)
def _older(args: DatabaseWithReplicasArgs, image: object) -> list[Diagnostic]:
    now = args.image
    if not isinstance(image, str) or not isinstance(now, str):
        return []
    was, will_be = (args.data_engine.major_version(one) for one in (image, now))
    if was is None or will_be is None or will_be >= was:
        return []
    message = f"is version {will_be}, and the data was written by version {was}"
    return [Diagnostic("image", now, message, f"write an image of version {was}, or restore a backup into another")]
