"""A stack whose database is MySQL, by one line of its settings: check, capacity, topology and schema."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tests.support import run_program
from tierstack.stack.check import StackReport, judge
from tierstack.stack.program import build
from tierstack.stack.schema import schema

BASE: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "cases/settings/base.yaml").read_text())
IMAGE = "registry.example/mysql:8.4@sha256:" + "8" * 64

pytestmark = pytest.mark.graph


def judged(**changes: Any) -> StackReport:
    config = copy.deepcopy(BASE)
    given = {"database__engine": "mysql", "backups": None, "images__mysql": IMAGE, "images__postgres": None}
    for path, value in {**given, "images__pgbouncer": None, **changes}.items():
        put(config, path.replace("__", "."), value)
    return judge(config, frozenset(), "test", "shop")


def problems(**changes: Any) -> list[str]:
    return [str(one) for one in judged(**changes).problems]


@pytest.mark.parametrize("tier", ["100k", "1M"])
def test_one_line_makes_a_stack_with_mysql(tier: str) -> None:
    report = judged(tier=tier, redis__nodes=1)
    assert [str(one) for one in report.problems] == []
    titles = {node.title for node in report.topology().nodes}
    assert {"HAProxy", "MySQL"} <= titles
    assert not titles & {"PgBouncer", "PostgreSQL"}
    assert report.plan
    plan = report.plan
    made = run_program(lambda: build(plan.components))
    assert "DB_CONNECTION=mysql" in str([one.inputs for one in made.of_type(":Container")])


def test_capacity_counts_a_connection_for_as_long_as_a_request_takes() -> None:
    limits = {one.name: one for one in judged().capacity}
    # 90 less a worker and a scheduler: two processes that hold theirs all the time.
    assert limits["database connections"].formula.endswith("connections at 70%, 15 ms per request")
    (persistent,) = (one for one in judged(app__persistent_connections=True).capacity if "poolers" in one.name)
    assert "on a persistent connection" in persistent.formula
    assert "each of which connects anew" in limits["CPU of the poolers"].formula


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"images__mysql": None}, ["images.mysql: is required; write an image by digest"]),
        (
            {"platform__kind": "kubernetes", "images__postgres": BASE["images"]["postgres"]},
            [
                "database.engine = 'mysql': MySQL is not available on kubernetes yet, only on `docker`; use `postgresql`, "
                "or `docker`"
            ],
        ),
        ({"database__pool_size": 5}, []),
        (
            {"database__pool_size": 4},
            [
                "database.pool_size = 4: is a pool of 4, and its applications hold 4 connections all the time; write at "
                "least 5"
            ],
        ),
        (
            {"database__pool_size": 51, "app__persistent_connections": True},
            [
                "database.pool_size = 51: is a pool of 51, and its applications hold 52 connections all the time; write "
                "at least 52, or remove `app.persistent_connections`"
            ],
        ),
        ({"database__pool_size": 52, "app__persistent_connections": True}, []),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_what_is_wrong(changes: dict[str, Any], found: list[str]) -> None:
    assert problems(**changes) == found


def test_backups_of_it_have_an_image_of_their_own() -> None:
    missing = (
        "images.mysql_backup: is required on a Docker host; give an image with MySQL of the server's version and Python, "
        "by digest"
    )
    assert problems(backups={}, images__barman=None) == [missing]
    assert missing in problems(backups={}, images__barman=IMAGE), "Barman is for PostgreSQL"
    assert problems(backups={}, images__barman=None, images__mysql_backup=IMAGE) == []


def test_a_bucket_takes_backups_of_it() -> None:
    bucket = {"bucket": "shop-backups", "region": "eu-central-1", "access_key_id": "id", "secret_access_key": "key"}
    found = problems(backups={}, images__mysql_backup=IMAGE, object_storage=bucket)
    assert all("is a secret that stands in plaintext" in one for one in found)


def test_editors_offer_it() -> None:
    definitions = schema("shop")["definitions"]
    assert "mysql" in definitions["DatabaseWithReplicasSettings"]["properties"]["engine"]["enum"]
    assert definitions["Images"]["properties"]["mysql"]["description"].startswith("`engine: mysql`: MySQL 8.4 or 9.7")
