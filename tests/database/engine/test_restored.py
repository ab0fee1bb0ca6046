"""The real engine on the render target: a database that is made from backups, and what later updates say of it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Stack

PROGRAM = """\
import tierstack as ts

key = ts.SecretRef(secret_name="storage-credentials", key="key")
store = ts.ObjectStore(bucket="shop-backups", region="eu-central-1", access_key_id=key, secret_access_key=key)
ts.DatabaseWithReplicas("db", ts.DatabaseWithReplicasArgs(
    platform=ts.Kubernetes(name="shop", render_to="rendered"), tier=ts.Tier.USERS_100K,
    image="registry.example/postgresql:17.6@sha256:{digest}",
    restore={restore}, archive=ts.DatabaseArchiveArgs(store=store, server_name="db-2"),
))
"""
GIVEN = 'ts.DatabaseRestoreArgs(server_name="db", to="xid:1234", backup="20260131T033000", exclusive=True)'


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    stack = Stack(tmp_path_factory.mktemp("restored"), "render")
    stack.write(program(GIVEN))
    stack.up()
    return stack


def program(restore: str) -> str:
    return PROGRAM.format(digest="0" * 64, restore=restore)


def test_the_operator_s_schemas_accept_it(stack: Stack) -> None:
    files = [str(file) for file in Path(stack.folder / "rendered").rglob("*.yaml")]
    command = ["kubeconform", "-strict", "-ignore-filename-pattern", "kustomization.yaml$"]
    done = subprocess.run(
        [*command, "-schema-location", os.environ["TIERSTACK_SCHEMAS"], *files], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout
    (cluster,) = (text for file in files if "kind: Cluster\n" in (text := Path(file).read_text()))
    for line in ("backupID: 20260131T033000", 'targetXID: "1234"', "exclusive: true", "serverName: db-2"):
        assert line in cluster


def test_a_second_update_changes_nothing(stack: Stack) -> None:
    stack.preview("--expect-no-changes")
    stack.preview("--expect-no-changes")


def test_without_the_restore_one_object_is_updated_and_none_replaced(stack: Stack) -> None:
    stack.write(program("None"))
    preview = stack.preview()
    stack.write(program(GIVEN))
    assert "(replace)" not in preview
    assert "(delete)" not in preview
    assert "1 to update" in preview, preview
