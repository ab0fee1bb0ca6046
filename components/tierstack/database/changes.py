"""What a database that exists cannot become: by what its stack has made, and what its arguments now say. Pure."""

from collections.abc import Mapping
from typing import cast

from tierstack.core.before import Before, at, shrinks
from tierstack.core.diagnostics import Diagnostic, declare
from tierstack.core.errors import MISSING, rule
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.database.roles import last_generation
from tierstack.platform import PlatformKind

declare(
    "database-renamed",
    "A database must keep its name and its user.",
    ignorable=True,
    why="The data stays where it is. The application would find an empty database, or could not log in.",
    wrong="database: {database: shop2} where it was made as shop",
    right="database: {database: shop}",
)
declare(
    "database-password-generation",
    "The password generation of a database must grow by one at a time.",
    ignorable=True,
    why="Only the newest password and the one before are valid. Any other step takes away the one that the running "
    "application has.",
    wrong="database: {password_generation: 4} where generation 2 is in use",
    right="database: {password_generation: 3}",
)


def problems_of(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    """What is wrong with the change from what was made under the component's `name`."""
    physical = args.physical_name or name
    if args.platform.kind is PlatformKind.DOCKER:
        there = before.has_volume(f"{args.platform.name}-{physical}-data")
        return [*_renamed(args, name, before), *_generation(args, name, before)] if there else []
    cluster = before.manifest("Cluster", args.platform.name, physical)
    if cluster is None:
        return []
    size, another = args.size(), "make another DatabaseWithReplicas"
    return [
        *_renamed(args, name, before),
        *_generation(args, name, before),
        *_older(args, at(cluster, "spec", "imageName")),
        *_restored_again(args, cluster),
        *_archive_moved(args, physical, cluster),
        *shrinks("storage_gb", size.storage_gb, at(cluster, "spec", "storage", "size"), another),
        *shrinks("wal_storage_gb", size.wal_storage_gb, at(cluster, "spec", "walStorage", "size"), another),
    ]


@rule("database-renamed")
def _renamed(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    made = before.component("DatabaseWithReplicas", name) or {}
    found: list[Diagnostic] = []
    # The output `user` was the owner's name before there were login roles.
    for key, was in (("database", made.get("database")), ("user", made.get("owner", made.get("user")))):
        now = getattr(args, key)
        if isinstance(was, str) and was != now:
            message = f"was `{was}` when the database was made, and what is in it stays under that name"
            hint = f"write `{was}`; if it was renamed in the server, accept this with `ignore`"
            found.append(Diagnostic(key, now, message, hint))
    return found


@rule("database-password-generation")
def _generation(args: DatabaseWithReplicasArgs, name: str, before: Before) -> list[Diagnostic]:
    was = last_generation(before.component("DatabaseWithReplicas", name) or {})
    now = args.password_generation
    if was is None or now in (was, was + 1):
        return []
    message = f"follows generation {was}, whose password the running application has and would lose"
    hint = f"write {was + 1}, update, and go on from there; or {was} to rotate nothing"
    return [Diagnostic("password_generation", now, message, hint)]


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


@rule(
    "database-restored-once",
    "A database is restored when it is made, and never again.",
    "CloudNativePG: Bootstrap",
    why="The operator reads it before the first start only: an update would change no data, and look as if it had.",
    wrong="database: {restore: {server_name: db}} where db runs",
    right="tierstack restore -s prod --in-place --replace-data",
)
def _restored_again(args: DatabaseWithReplicasArgs, cluster: Mapping[str, object]) -> list[Diagnostic]:
    given = args.restore
    if given is None:
        return []
    path = ("spec", "bootstrap", "recovery")
    restored = at(cluster, *path) is not None
    if restored:
        origin = _first(at(cluster, "spec", "externalClusters"))
        folder, target = at(origin, "plugin", "parameters", "serverName"), at(cluster, *path, "recoveryTarget")
        if (folder, target or None) == (given.server_name, given.target() or None):
            return []
    was = "made from other backups, or to another moment" if restored else "made empty"
    message = f"comes too late: the database exists already, {was}, and an update restores nothing"
    hint = (
        "remove it; to replace the data by that of the backups: `tierstack restore --in-place --replace-data`; if the "
        "cluster has lost the database: `tierstack up --refresh`"
    )
    return [Diagnostic("restore.to", given.to, message, hint)]


@rule(
    "archive-moved",
    "A database must go on archiving into the folder that it began with.",
    why="A base backup and the log after it would be in two folders, and no moment in between could be restored.",
    wrong="database: {archive: {server_name: db-2}} where it archives as db",
    right="database: {archive: {server_name: db}}",
)
def _archive_moved(args: DatabaseWithReplicasArgs, physical: str, cluster: Mapping[str, object]) -> list[Diagnostic]:
    parameters = at(_first(at(cluster, "spec", "plugins")), "parameters")
    if args.archive is None or not isinstance(parameters, Mapping):
        return []
    was, now = cast(Mapping[str, object], parameters).get("serverName") or physical, args.archive.server_name
    if was == (now or physical):
        return []
    message = f"was `{was}` when the database was made, and its backups are there"
    return [Diagnostic("archive.server_name", now or MISSING, message, f"write `{was}`")]


def _first(listed: object) -> Mapping[str, object] | None:
    values = cast(list[object], listed) if isinstance(listed, list) else []
    return cast(Mapping[str, object], values[0]) if values and isinstance(values[0], Mapping) else None
