"""`tierstack restore` and `tierstack drill` of a stack on Kubernetes: from its state to what is told and done."""

import json
from typing import Any

import pytest

from tests.cli.conftest import Command, Fake, project, pulumi, tierstack
from tests.recovery.kubernetes.conftest import AT, Played
from tierstack.engine.project import UsageError

pytestmark = pytest.mark.pure
__all__ = ["project", "pulumi", "tierstack"]

TYPE = "tierstack:index:BackupSchedule"
CLUSTER = "cluster.postgresql.cnpg.io"
STACK = {"type": "pulumi:pulumi:Stack", "urn": "urn:pulumi:staging::shop::pulumi:pulumi:Stack::shop-staging"}
BACKUPS = {"type": TYPE, "urn": f"urn:pulumi:staging::shop::{TYPE}::backups", "outputs": {"recovery": AT.text()}}


@pytest.fixture(autouse=True)
def up_on_kubernetes(pulumi: Fake, cluster: Played) -> None:
    """A stack with backups in its state, and the cluster that it is on."""
    state = {"version": 3, "deployment": {"resources": [STACK, BACKUPS]}}
    names = json.dumps([{"name": "staging"}])
    pulumi.say(stack_export={"out": json.dumps(state)}, stack_ls={"out": names})


def test_a_restore_says_what_it_will_do_and_where_it_is(tierstack: Command, cluster: Played) -> None:
    done = tierstack("restore", "-s", "staging", "--to", "2026-11-21T12:00:00Z", "--yes")
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "restore to 2026-11-21 12:00:00 UTC, 0 MiB, into the new Cluster db-aside of namespace shop"
    assert lines[3] == "  1/2 make Cluster db-aside and its NetworkPolicy"
    assert lines[-2].endswith("--namespace shop exec -it db-aside-1 -c postgres -- psql app")
    assert lines[-1].endswith(f"--namespace shop delete {CLUSTER}/db-aside networkpolicy/db-aside")
    assert cluster.names(CLUSTER) == {f"{CLUSTER}/db", f"{CLUSTER}/db-aside"}


def test_a_plan_changes_nothing(tierstack: Command, cluster: Played) -> None:
    done = tierstack("restore", "-s", "staging", "--plan", "--json")
    assert json.loads(done.stdout)["result"] == "planned"
    assert cluster.names(CLUSTER) == {f"{CLUSTER}/db"}


def test_a_moment_before_the_backups_is_refused(tierstack: Command, cluster: Played) -> None:
    done = tierstack("restore", "-s", "staging", "--to", "2026-11-19T12:00:00Z", "--yes")
    assert isinstance(done.exception, UsageError)
    assert "is before 2026-11-20T00:00:00+00:00, the earliest moment in the backups" in str(done.exception)
    assert cluster.names(CLUSTER) == {f"{CLUSTER}/db"}


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (("--in-place",), "To mean it, add --replace-data"),
        (("--in-place", "--replace-data", "--to", "2026-11-21T12:00:00Z"), "as `database.restore.to`"),
        (("--in-place", "--replace-data"), "the configuration of staging asks for no restore of db"),
    ],
)
def test_the_database_is_not_replaced_by_accident(
    tierstack: Command, cluster: Played, flags: tuple[str, ...], says: str
) -> None:
    done = tierstack("restore", "-s", "staging", *flags, "--yes")
    assert says in str(done.exception)
    assert cluster.names(CLUSTER) == {f"{CLUSTER}/db"}


def drilled(tierstack: Command, *flags: str) -> tuple[int, dict[str, Any]]:
    done = tierstack("drill", "-s", "staging", "--json", *flags)
    return done.exit_code, json.loads(done.stdout)


def test_a_drill_ends_well_only_where_it_was_good(tierstack: Command, cluster: Played) -> None:
    code, said = drilled(tierstack)
    assert (code, said["stack"], said["result"]) == (0, "staging", "good")
    cluster.say(restores="fails", logs="no target backup found")
    code, said = drilled(tierstack)
    assert (code, said["result"]) == (1, "not verified")
    done = tierstack("drill", "history", "-s", "staging")
    assert done.exit_code == 1
    good, bad = done.stdout.splitlines()
    assert "  good  " in good
    assert "there is no base backup of `db-2` in the bucket" in bad
