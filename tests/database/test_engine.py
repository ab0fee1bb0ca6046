"""The seam between the component and a data engine: another engine, which only these tests know, goes through all of
it without a change in the package."""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pulumi import Resource

from tests.app_cluster import samples
from tests.database.test_args import DIGEST, PLATFORMS, good
from tests.stack.changes import put
from tests.support import Recorder, refused, run_program
from tierstack import database
from tierstack.app_cluster import AppCluster, MigrationArgs
from tierstack.backup_schedule import BackupScheduleArgs
from tierstack.core.errors import Diagnostic
from tierstack.core.section import ImageKey
from tierstack.core.tier import DatabaseSize, PoolerCost
from tierstack.database import DatabaseWithReplicas, DatabaseWithReplicasArgs
from tierstack.database.engine import DataEngine, NameRules, ParameterRules, Process, tag_of
from tierstack.database.engines import ENGINES
from tierstack.database.roles import Logins
from tierstack.database.section import SECTION, section
from tierstack.links import DatabaseConnection, DatabaseEngine, SecretRef, TrustedCA
from tierstack.platform import PlatformKind
from tierstack.stack.check import judge
from tierstack.stack.reference import markdown
from tierstack.stack.schema import schema
from tierstack.stack.sections import SECTIONS

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "cases/settings/base.yaml").read_text())

pytestmark = pytest.mark.graph


class Otter(DataEngine):
    """A server that answers every question otherwise than PostgreSQL does."""

    def version_problems(self, image: str, kind: PlatformKind) -> list[Diagnostic]:
        return (
            [] if (tag_of(image) or "").startswith("8.") else [Diagnostic("image", image, "is no Otter 8", "write one")]
        )

    def parameter_problems(self, path: str, name: str, value: str, size: DatabaseSize) -> list[Diagnostic]:
        return (
            [Diagnostic(path, value, f"is too much for {size.memory_mb} MiB", "write less")] if value == "all" else []
        )

    def least_memory(self, size: DatabaseSize) -> tuple[int, str]:
        return 1000, "is less than an otter needs"

    def shared_memory_mb(self, size: DatabaseSize) -> int:
        return 64

    def pooler_memory_mb(self, size: DatabaseSize) -> int:
        return 77

    def probe(self, process: Process, user: str, database: str) -> list[str]:
        return ["otter", "ping", process.title]

    def ready_command(self, user: str, database: str) -> str:
        return f'otter ping --user {user} "$DB_HOST:$DB_PORT"'

    def client_environment(self, *, verified: bool) -> dict[str, str]:
        return {"DB_CONNECTION": "otter", **({"OTTER_VERIFY": "yes"} if verified else {})}


def process(title: str, port: int) -> Process:
    return Process(
        title=title,
        image=f"{title} 8",
        uid=port,
        port=port,
        directory=f"/etc/{title}",
        stop_signal="SIGQUIT",
        reload=("otter", "reload"),
    )


OTTER = Otter(
    platforms=frozenset(PlatformKind),
    transaction_pooling=True,
    docker_replicas=2,
    needs_proxy=False,
    server=process("Otter", 4000),
    pooler=process("Raft", 4001),
    proxy=None,
    data_directory="/var/lib/otter",
    operators=("otter-operator",),
    archive_operators=(),
    operator_namespace="otters",
    names=NameRules(
        pattern=re.compile("[a-z]{1,8}(_[ab])?"),
        described="1 to 8 letters",
        databases=frozenset({"holt"}),
        users=frozenset({"pup"}),
        prefixes=("otter",),
    ),
    parameters=ParameterRules(
        pattern=re.compile("[a-z-]+"),
        examples=("fish-limit",),
        owned={"river": "leave it out: there is one"},
        may_be_empty=frozenset(),
    ),
    reserved_connections=50,
    pooler_cost=PoolerCost(kept_us=1000, new_us=2000, cores=4.0),
    images=(
        ImageKey(key="otter", text="Otter 8.", docker="image", kubernetes="image", required=True),
        ImageKey(key="haproxy", text="Any HAProxy, as Otter's pooler.", docker="pooler_image"),
    ),
)


@pytest.fixture
def otter(monkeypatch: pytest.MonkeyPatch) -> Iterator[DatabaseEngine]:
    """The value that a member of `DatabaseEngine`, a line of `ENGINES` and two entries of `BUILDERS` would make."""
    member = object.__new__(DatabaseEngine)
    member._name_, member._value_ = "OTTER", "otter"
    monkeypatch.setitem(DatabaseEngine._member_map_, "OTTER", member)
    monkeypatch.setattr(DatabaseEngine, "_member_names_", [*DatabaseEngine._member_names_, "OTTER"])
    monkeypatch.setitem(ENGINES, member, OTTER)
    for kind in PlatformKind:
        monkeypatch.setitem(database.BUILDERS, (member, kind), build)
    # A process that starts with two engines makes the section of both.
    index = SECTIONS.index(SECTION)
    SECTIONS[index] = section()
    yield member
    SECTIONS[index] = SECTION


def build(name: str, args: DatabaseWithReplicasArgs, parent: Resource, logins: Logins) -> DatabaseConnection:
    docker = args.platform.kind is PlatformKind.DOCKER
    password = SecretRef(value="secret") if docker else SecretRef(secret_name=name, key="password")
    return DatabaseConnection(
        engine=args.engine.value,
        environment=args.data_engine.client_environment(verified=True),
        host=f"{name}-raft",
        port=str(args.data_engine.pooler.port),
        direct_host=name,
        direct_port=str(args.data_engine.server.port),
        database=args.database,
        user=logins.active,
        password=password,
        network="net" if docker else None,
        direct_network="net" if docker else None,
        client_image=None if docker else args.image,
        ready_command=None if docker else args.data_engine.ready_command(args.user, args.database),
        ca=TrustedCA(volume="ca") if docker else TrustedCA(secret_name="ca"),
        place=args.platform.place,
    )


def arguments(on: str, **changes: Any) -> dict[str, Any]:
    image = f"otter:8.4@sha256:{DIGEST}"
    given = {"engine": "otter", "image": image, "pooler_image": image, "max_connections": 200}
    return {**good(on), **given, **changes}


def connected(on: str, **changes: Any) -> DatabaseConnection:
    found: list[DatabaseConnection] = []
    run_program(lambda: found.append(DatabaseWithReplicas("db", arguments(on, **changes)).connection))  # type: ignore[arg-type]
    return found[0]


def application(on: str) -> Recorder:
    """What an application registers that is given the database."""

    def program() -> None:
        db = DatabaseWithReplicas("db", arguments(on))  # type: ignore[arg-type]
        AppCluster("web", samples.args(on, database=db.connection, migration=MigrationArgs(command=["migrate"])))

    return run_program(program)


@pytest.mark.parametrize("on", PLATFORMS)
def test_the_component_builds_it_and_the_connection_names_it(otter: DatabaseEngine, on: str) -> None:
    connection = connected(on, user="shop")
    assert (connection.engine, connection.port, connection.user) == (otter.value, "4001", "shop_a")


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"image": f"otter:7@sha256:{DIGEST}"}, ["is no Otter 8; write one"]),
        ({"pooler_image": None}, ["pooler_image: is required on a Docker platform; give an image of Raft 8 by digest"]),
        ({"database": "my_shop"}, ["database = 'my_shop': is not a plain Otter name; write 1 to 8 letters"]),
        ({"database": "holt"}, ["database = 'holt': is a name that Otter, its pooler or tierstack use themselves"]),
        ({"user": "pup"}, ["user = 'pup': is a name that Otter, its pooler or tierstack use themselves"]),
        ({"user": "otterly"}, ["user = 'otterly': is a name that Otter, its pooler or tierstack use themselves"]),
        ({"database": "postgres", "user": "pgbounce"}, []),
        ({"parameters": {"river": "2"}}, ["is decided by the component; leave it out: there is one"]),
        (
            {"parameters": {"Fish": "2"}},
            ["is not a name of a Otter setting; write it as the manual does: `fish-limit`"],
        ),
        ({"parameters": {"fish-limit": "all"}}, ["is too much for 2048 MiB; write less"]),
        ({"parameters": {"max_connections": "2"}}, ["is not a name of a Otter setting"]),
        ({"max_connections": 89}, ["more than the 39 that max_connections = 89 leaves beside 50 reserved ones"]),
        ({"memory_mb": 999}, ["memory_mb = 999: is less than an otter needs; write at least 1000"]),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, dict) else "",
)
def test_its_rules_are_asked_and_no_others(otter: DatabaseEngine, changes: dict[str, Any], problems: list[str]) -> None:
    given = arguments("docker", **changes)
    if not problems:
        assert connected("docker", **changes).engine == otter.value
        return
    found = refused(lambda: DatabaseWithReplicas("db", given)).problems  # type: ignore[arg-type]
    assert len(found) == len(problems)
    for told, wanted in zip(found, problems, strict=True):
        assert wanted in str(told)


@pytest.mark.parametrize("on", PLATFORMS)
def test_an_application_gets_the_words_of_its_client(otter: DatabaseEngine, on: str) -> None:
    recorder = application(on)
    shown = str([one.inputs for kind in (":Container", ":Deployment") for one in recorder.of_type(kind)])
    assert "otter" in shown
    assert "OTTER_VERIFY" in shown
    for word in ("pgsql", "PGSSL", "DB_SSLMODE"):
        assert word not in shown


def test_a_migration_waits_for_it_by_its_own_client(otter: DatabaseEngine) -> None:
    recorder = application("kubernetes")
    (wait,) = [
        container
        for one in recorder.of_type(":Job")
        for container in one.inputs["spec"]["template"]["spec"]["initContainers"]
        if container["name"] == "database"
    ]
    assert 'until otter ping --user app "$DB_HOST:$DB_PORT"' in wait["command"][-1]


def test_the_variables_of_its_client_are_taken_and_no_others(otter: DatabaseEngine) -> None:
    environment = {"PGSSLMODE": "prefer", "OTTER_VERIFY": "no"}
    found = samples.args("docker", database=connected("docker"), environment=environment).problems()
    assert [str(one) for one in found] == [
        "environment.OTTER_VERIFY = 'no': is the variable of `database`, set by tierstack; remove it"
    ]


@pytest.mark.parametrize("on", PLATFORMS)
def test_backups_refuse_an_engine_that_they_do_not_know(otter: DatabaseEngine, on: str) -> None:
    args = BackupScheduleArgs(platform=PLATFORMS[on], database=connected(on))
    found = [str(one) for one in args.problems() if one.path == "database.engine"]
    where, known = ("", "`postgresql` or `mysql`") if on == "docker" else (" on Kubernetes", "`postgresql`")
    assert found == [
        f"database.engine = 'otter': is an engine that BackupSchedule does not back up{where}; back it up by other "
        f"means, or use {known}"
    ]


def judged(kind: str, databases: dict[str, Any], **images: str | None) -> list[str]:
    """What a check says of a stack with these databases, and with changed `images`."""
    config = copy.deepcopy(BASE)
    put(config, "platform.kind", kind)
    for key, value in {"backups": None, "app.database": next(iter(databases)), "databases": databases}.items():
        put(config, key, value)
    for key, value in images.items():
        put(config, f"images.{key}", value)
    return [str(one) for one in judge(config, frozenset(), "test", "shop").problems]


def test_settings_schema_and_reference_have_its_images(otter: DatabaseEngine) -> None:
    page, keys = markdown(), schema("shop")["definitions"]["Images"]["properties"]
    assert "| `otter` | text | – | `engine: otter`: Otter 8. |" in page
    assert "| `postgres` | text | – | `engine: postgresql`: PostgreSQL" in page
    assert "Overrides `images.postgres` or `images.mysql` or `images.otter`." in page
    assert keys["otter"]["description"] == "`engine: otter`: Otter 8."
    ours = (
        "`engine: postgresql`: HAProxy 2.4 or newer, with `wget` or `bash`, before PostgreSQL with standbys on Docker. None: "
        "no standby can be promoted, and reads go to the primary. "
        "`engine: mysql`: HAProxy 2.4 or newer, with `wget` or `bash`, before MySQL on Docker. "
        "`engine: mysql`: The same before primary and standbys at the tier 1M."
    )
    redis = "HAProxy 2.4 or newer, on Docker with `wget` or `bash`; needed for three Redis nodes."
    shared = f"{ours} `engine: otter`: Any HAProxy, as Otter's pooler. {redis}"
    assert keys["haproxy"]["description"] == shared
    assert "otter" in schema("shop")["definitions"]["DatabaseWithReplicasSettings"]["properties"]["engine"]["enum"]


@pytest.mark.parametrize("kind", PLATFORMS)
def test_a_database_asks_for_the_images_of_its_engine_alone(otter: DatabaseEngine, kind: str) -> None:
    image = f"registry.example/otter:8.4@sha256:{DIGEST}"
    ours, theirs = {"cats": {"engine": "otter", "max_connections": 200}}, {"db": {}}
    missing = "is required; write an image by digest"
    assert judged(kind, ours) == [f"images.otter: {missing}"]
    assert judged(kind, ours, otter=image, postgres=None, pgbouncer=None) == []
    assert judged(kind, theirs, postgres=None) == [f"images.postgres: {missing}"]
    assert judged(kind, ours | theirs, postgres=None) == [f"images.otter: {missing}", f"images.postgres: {missing}"]
    assert judged(kind, ours | theirs, otter=image) == []
    (old,) = judged(kind, ours, otter=image.replace("8.4", "7"))
    assert old.startswith("images.otter = ")
    assert old.endswith("is no Otter 8; write one")


def test_every_engine_is_known_and_can_be_built() -> None:
    assert set(ENGINES) == set(DatabaseEngine)
    assert set(database.BUILDERS) == {(engine, kind) for engine, facts in ENGINES.items() for kind in facts.platforms}
