"""What a MySQL registers on a Docker host, what its clients are given, and that nothing builds it elsewhere."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.app_cluster import samples
from tests.database.test_args import DIGEST, args, good
from tests.support import COMPUTED, Recorder, Secret, golden, refused, run_program, secret
from tierstack.app_cluster import AppCluster, MigrationArgs
from tierstack.core.errors import ArgumentError
from tierstack.core.tier import Tier
from tierstack.database import DatabaseWithReplicas
from tierstack.links import DatabaseConnection, DatabaseEngine
from tierstack.platform import DataProtection, DockerHost
from tierstack.platform.internal_ca import TLSMode

CASES = yaml.safe_load((Path(__file__).parents[2] / "cases/database/wrong_mysql_args.yaml").read_text())

pytestmark = pytest.mark.graph


def made(**changes: Any) -> Recorder:
    given = args("docker", engine=DatabaseEngine.MYSQL, **changes)
    return run_program(lambda: DatabaseWithReplicas("db", given))


def connection(**changes: Any) -> DatabaseConnection:
    found: list[DatabaseConnection] = []
    given = args("docker", engine=DatabaseEngine.MYSQL, **changes)
    run_program(lambda: found.append(DatabaseWithReplicas("db", given).connection))
    return found[0]


def error_of(case: dict[str, Any]) -> ArgumentError:
    given = {
        key: value.replace("${digest}", DIGEST) if isinstance(value, str) else value
        for key, value in case["given"].items()
    }
    return refused(lambda: DatabaseWithReplicas("db", good(case["where"], **{"engine": "mysql", **given})))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['where']} {case['given']}"[:70])
def test_wrong(case: dict[str, Any]) -> None:
    assert [str(problem) for problem in error_of(case).problems] == case["problems"]


def test_no_sql_mode_at_all_can_be_written() -> None:
    """As shops of another age have it."""
    assert made(parameters={"sql_mode": ""}).made


@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.value)
def test_golden(tier: Tier) -> None:
    golden(f"database-mysql-docker-{tier.value}.json", made(tier=tier).summary())


def test_a_larger_tier_keeps_every_name_and_the_data() -> None:
    small, large = (made(tier=tier) for tier in (Tier.USERS_100K, Tier.USERS_1M))
    assert small.names().items() <= large.names().items()
    assert small.named("db-data").inputs == large.named("db-data").inputs


def test_sizes_of_the_tier_are_those_of_a_single_server_with_a_pool_for_all_clients() -> None:
    size = args("docker", engine=DatabaseEngine.MYSQL, tier=Tier.USERS_1M).size()
    assert (size.replicas, size.poolers, size.pool_size) == (0, 1, 290)
    assert args("docker", engine=DatabaseEngine.MYSQL, max_connections=200).size().pool_size == 190
    assert args("docker", engine=DatabaseEngine.MYSQL, pool_size=5).size().pool_size == 5


@pytest.mark.parametrize(
    ("protection", "options"),
    [
        (DataProtection.NONE, {}),
        (DataProtection.PROTECT, {"protect": True}),
        (DataProtection.RETAIN, {"protect": True, "retainOnDelete": True}),
    ],
)
def test_data_is_protected_as_the_platform_says(protection: DataProtection, options: dict[str, Any]) -> None:
    data = made(platform=DockerHost(name="shop", data_protection=protection)).named("db-data")
    assert {key: data.options[key] for key in ("protect", "retainOnDelete") if key in data.options} == options


def test_only_verifiers_reach_the_server_and_nothing_the_proxy() -> None:
    recorder = made()
    texts = {one.name: str(one.inputs["files"]) for one in recorder.of_type(":VolumeFiles")}
    assert all(isinstance(one.inputs["files"], Secret) for one in recorder.of_type(":VolumeFiles"))
    assert {name for name, text in texts.items() if "generated-db" in text} == {"db-check-secrets-files"}
    assert {name for name, text in texts.items() if "$A$005$" in text} == {"db-secrets-files"}
    for one in recorder.of_type(":Container"):
        assert "generated-db" not in str(one.inputs)
        assert "$A$005$" not in str(one.inputs)


def test_another_password_is_taken_over_by_the_server_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed() -> dict[str, Any]:
        recorder = made()
        assert recorder.named("db-primary-accounts").inputs["command"][-1].endswith("</etc/tierstack/secrets/users.sql")
        return {one: recorder.named(one).inputs for one in ("db-primary", "db-pooler", "db-primary-accounts")}

    before = changed()
    monkeypatch.setitem(COMPUTED, "random:index/randomPassword:RandomPassword", lambda _: {"result": secret("new")})
    after = changed()
    assert [name for name in before if before[name] != after[name]] == ["db-primary-accounts"]


def test_the_certificate_of_the_server_carries_the_name_of_the_proxy() -> None:
    recorder = made()
    assert "db-pooler-tls-request" not in recorder.names()
    assert recorder.named("db-server-tls-request").inputs["dnsNames"] == ["db-rw", "db-ro", "db-pooler"]
    assert "db-pooler-reload" not in recorder.names()
    reload = recorder.named("db-primary-reload").inputs["command"]
    assert reload[-1] == "--execute=ALTER INSTANCE RELOAD TLS"


@pytest.mark.parametrize("tls", TLSMode)
def test_the_connection_is_complete(tls: TLSMode) -> None:
    found = connection(database="shop", user="web", tls=tls)
    assert (found.engine, found.database, found.user, found.port, found.direct_port) == (
        *("mysql", "shop", "web_a"),
        *("3306", "3306"),
    )
    assert found.backup_user == "tierstack_backup"
    assert found.transaction_pooling is False
    verified = tls is not TLSMode.DISABLE
    ca = {"MYSQL_ATTR_SSL_CA": "/run/tierstack/ca/database/ca.crt"} if verified else {}
    assert found.environment == {"DB_CONNECTION": "mysql", **ca}
    assert (found.ca is not None) is verified


@pytest.mark.parametrize(("given", "persistent"), [({}, "false"), ({"persistent_connections": True}, "true")])
def test_an_application_gets_the_words_of_its_client(given: dict[str, Any], persistent: str) -> None:
    def program() -> None:
        db = DatabaseWithReplicas("db", args("docker", engine=DatabaseEngine.MYSQL))
        migration = MigrationArgs(command=["migrate"])
        AppCluster("web", samples.args("docker", database=db.connection, migration=migration, **given))

    shown = str([one.inputs for one in run_program(program).of_type(":Container")])
    for word in ("DB_CONNECTION=mysql", "DB_PORT=3306", "MYSQL_ATTR_SSL_CA=/run/", f"DB_PERSISTENT={persistent}"):
        assert word in shown
    for word in ("pgsql", "PGSSL", "DB_SSLMODE"):
        assert word not in shown
