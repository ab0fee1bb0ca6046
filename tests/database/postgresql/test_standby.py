"""What a promotion may do, by what servers say of themselves; and what the proxy asks them."""

import dataclasses
import re
from typing import Any

import pytest

from tests.database.test_args import args
from tests.database.test_graph import made
from tests.support import Secret, value_of
from tierstack.core.before import Before
from tierstack.core.tier import Tier
from tierstack.database import DatabaseWithReplicas, removed
from tierstack.database.postgresql import standby
from tierstack.database.postgresql.promotion import POSTGRESQL_STANDBY
from tierstack.database.standby import NOTHING, Lost, RefusedError, Seen, Server, Servers, judged, named, plan
from tierstack.platform.internal_ca import TLSMode

PROXY = "registry.example/haproxy@sha256:" + "c" * 64
SERVERS = [
    Server(name="primary", container="shop-db-primary", volume="shop-db-data"),
    Server(name="replica_1", container="shop-db-replica-1", volume="shop-db-replica-1-data"),
    Server(name="replica_2", container="shop-db-replica-2", volume="shop-db-replica-2-data"),
]
GOOD = Seen(server=SERVERS[0], running=True, answers=True, at=1000, replayed=1000, timeline=1)


def seen(*changes: dict[str, Any]) -> list[Seen]:
    """Servers in their order: the first the primary, the others standbys that stream, with changes."""
    roles = [{"primary": True}, {"streams": True}, {"streams": True}]
    together = zip(SERVERS, roles, [*changes, *[{}] * (3 - len(changes))], strict=True)
    return [dataclasses.replace(GOOD, server=server, **{**role, **change}) for server, role, change in together]


DEAD = {"running": False, "answers": False}
ALONE = {"streams": False}


@pytest.mark.pure
@pytest.mark.parametrize(
    ("servers", "to", "target", "planned", "finishing"),
    [
        (seen({}, {}, {"at": 1100}), None, 2, True, False),
        (seen({}, {}, {"at": 1100}), "replica-1", 1, True, False),
        (seen({}, {}), "shop-db-primary", 0, True, True),
        (seen(DEAD, ALONE, {**ALONE, "at": 1100}), None, 2, False, False),
        # Many bytes on an older timeline are not much.
        (seen(DEAD, {**ALONE, "timeline": 2}, {**ALONE, "at": 9999}), None, 1, False, False),
        # An interrupted one: begun for a standby, and after its promotion.
        (seen({**DEAD, "primary": False, "fenced_for": "replica_1"}, ALONE, ALONE), None, 1, False, False),
        (seen({**DEAD, "primary": False, "fenced_for": "replica_1"}, {"primary": True}), None, 1, True, True),
    ],
)
def test_who_is_promoted(servers: list[Seen], to: str | None, target: int, planned: bool, finishing: bool) -> None:
    found = plan(servers, to)
    assert (found.target.server, found.planned, found.finishing) == (SERVERS[target], planned, finishing)
    if not finishing:
        assert found.old
        assert found.old.server == SERVERS[0]


@pytest.mark.pure
@pytest.mark.parametrize(
    ("servers", "to", "said"),
    [
        (seen({}, {"primary": True, "timeline": 2}), None, "docker stop shop-db-primary"),
        (seen({}, ALONE), "replica-1", "does not stream"),
        (seen({}, DEAD), "replica-1", "docker start shop-db-replica-1"),
        (seen(DEAD, DEAD, DEAD), None, "docker start shop-db-replica-1 shop-db-replica-2"),
        (seen(DEAD, ALONE, {**ALONE, "at": 1100}), "replica-1", "--to shop-db-replica-2"),
        (seen(DEAD, {**ALONE, "at": 9999}, {**ALONE, "timeline": 2}), "replica-1", "--to shop-db-replica-2"),
        (seen(), "replica-9", "`shop-db-replica-2`"),
    ],
)
def test_what_is_refused(servers: list[Seen], to: str | None, said: str) -> None:
    with pytest.raises(RefusedError, match=re.escape(said)):
        plan(servers, to)


@pytest.mark.pure
def test_a_loss_must_be_accepted() -> None:
    found = plan(seen(DEAD, ALONE, ALONE), None)
    assert judged(found, NOTHING, accept_loss=False).lost == NOTHING
    for lost in (Lost(transactions=2), Lost(transactions=None)):
        with pytest.raises(RefusedError, match=r"docker start shop-db-primary.*--accept-loss"):
            judged(found, lost, accept_loss=False)
        assert judged(found, lost, accept_loss=True).lost == lost


@pytest.mark.pure
def test_a_server_has_several_names() -> None:
    assert {named(SERVERS, one) for one in ("replica-1", "replica_1", "shop-db-replica-1")} == {SERVERS[1]}


LOG = """\
rmgr: Transaction len (rec/tot):     46/    46, tx:        725, lsn: 0/03019108, prev 0/030190C8, desc: COMMIT 2026-11-27 04:06:44.298669 UTC
rmgr: Transaction len (rec/tot):     34/    34, tx:        726, lsn: 0/03019140, prev 0/03019138, desc: ABORT 2026-11-27 04:06:44.6 UTC
rmgr: Transaction len (rec/tot):     46/    46, tx:        727, lsn: 0/030191E8, prev 0/030191A8, desc: COMMIT 2026-11-27 04:06:44.860739 UTC; subxacts: 4
pg_waldump: error: error in WAL record at 0/30191E8: invalid record length at 0/3019218: wanted 24, got 0
end
"""


@pytest.mark.pure
@pytest.mark.parametrize(
    ("printed", "at", "transactions"),
    [
        (LOG, 0x3019000, 2),
        # The first commit ends at 0/3019138: received as a whole, and one byte less.
        (LOG, 0x3019138, 1),
        (LOG, 0x3019137, 2),
        (LOG, 0x3019218, 0),
        ("pg_waldump: error: could not find a valid record after 0/3019218\nend\n", 0x3019218, 0),
        ('pg_waldump: error: could not find file "000000010000000000000009"\nend\n', 0x9000028, None),
        (LOG.removesuffix("end\n"), 0x3019000, None),
    ],
)
def test_what_a_standby_lacks_is_counted_in_the_log(printed: str, at: int, transactions: int | None) -> None:
    assert POSTGRESQL_STANDBY.lost(printed, dataclasses.replace(GOOD, at=at)).transactions == transactions


@pytest.mark.pure
def test_files_say_what_a_stopped_server_is() -> None:
    control = (
        "Database cluster state:               {}\nLatest checkpoint location:           1/2000028\n"
        "Latest checkpoint's TimeLineID:       3\n"
    )
    found = POSTGRESQL_STANDBY.found(control.format("in production"), GOOD)
    assert (found.primary, found.clean, found.at, found.timeline) == (True, False, (1 << 32) + 0x2000028, 3)
    # Promoted after its last checkpoint.
    assert POSTGRESQL_STANDBY.found("wal 0000000B\n" + control.format("in production"), GOOD).timeline == 11
    fenced = POSTGRESQL_STANDBY.found("standby\nfenced replica_1\n" + control.format("shut down"), GOOD)
    assert (fenced.primary, fenced.clean, fenced.fenced_for) == (False, True, "replica_1")
    assert not POSTGRESQL_STANDBY.found("absent\n", GOOD).holds_data


@pytest.mark.pure
def test_the_proxy_asks_in_the_server_s_own_protocol() -> None:
    servers = {"primary": "shop-db-primary", "replica_1": "shop-db-replica-1"}
    size = args("docker", tier=Tier.USERS_1M).size()
    text = standby.haproxy_cfg(servers, "db-rw", size, TLSMode.REQUIRE, "password-of-the-check", 7)
    startup, question = (bytes.fromhex(one) for one in re.findall(r"send-binary ([0-9a-f]+)", text)[:2])
    assert int.from_bytes(startup[:4]) == len(startup)
    assert startup[8:].split(b"\0")[:4] == [b"user", b"tierstack_check", b"database", b"postgres"]
    kinds = []
    while question:
        length = int.from_bytes(question[1:5])
        kinds.append((question[:1], question[5 : length + 1]))
        question = question[length + 1 :]
    assert [kind for kind, _ in kinds] == [b"p", b"Q", b"X"]
    assert kinds[0][1] == b"password-of-the-check\0"
    assert b"interval '7 s'" in kinds[1][1]
    assert "password-of-the-check" not in text
    assert text.count("verify required") == 4


def proxied(**changes: Any) -> dict[str, Any]:
    return {"tier": Tier.USERS_1M, "proxy_image": PROXY, **changes}


@pytest.mark.graph
def test_the_endpoint_is_the_proxy_s_and_every_volume_is_protected() -> None:
    recorder = made("docker", **proxied())
    named_rw = [one.name for one in recorder.of_type(":Container") if "db-rw" in str(one.inputs["networksAdvanced"])]
    assert named_rw == ["db-proxy"]
    for volume in ("db-data", "db-replica-1-data", "db-replica-2-data"):
        assert recorder.named(volume).options["protect"]
    read = value_of(lambda: DatabaseWithReplicas("db", args("docker", **proxied())).connection.read_host)
    assert read == "db-pooler-ro"
    # Which server is the primary is nowhere in what is registered: each has the same command but for its own name.
    commands = [recorder.named(one).inputs["command"] for one in ("db-primary", "db-replica-1", "db-replica-2")]
    assert {tuple(one[:1]) for one in commands} == {("/etc/tierstack/postgresql/server.sh",)}
    texts = {one.name: one.inputs["files"] for one in recorder.of_type(":VolumeFiles")}
    assert all(isinstance(one, Secret) for one in texts.values())
    for one in recorder.of_type(":Container"):
        assert "generated-db" not in str(one.inputs)


@pytest.mark.graph
def test_without_the_image_nothing_changes() -> None:
    assert "db-proxy" not in {one.name for one in made("docker", tier=Tier.USERS_1M).made}
    assert Servers.described("db", args("docker", tier=Tier.USERS_1M)) == ""


@pytest.mark.pure
@pytest.mark.parametrize(
    ("changes", "primary", "told"),
    [
        ({}, "shop-db-replica-2", False),
        ({"replicas": 1}, "shop-db-replica-2", True),
        ({"replicas": 1}, "shop-db-replica-1", False),
        ({"replicas": 1}, "nobody", True),
        ({"proxy_image": None}, "shop-db-replica-1", True),
        ({"proxy_image": None}, "shop-db-primary", False),
    ],
)
def test_an_update_does_not_remove_the_primary(
    changes: dict[str, Any], primary: str, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removed, "_is_primary", lambda _made, server: server.container == primary)
    before = args("docker", **proxied(replicas=2))
    outputs = {"servers": Servers.described("db", before), "user": "app_a", "owner": "app", "database": "app"}
    urn = "urn:pulumi:s::p::tierstack:index:DatabaseWithReplicas::db"
    state = {urn: {"urn": urn, "type": "tierstack:index:DatabaseWithReplicas", "outputs": outputs}}
    found = removed.problems_on_host(args("docker", **{**proxied(replicas=2), **changes}), "db", Before(state))
    assert ["database-primary-removed" in one.line for one in found] == [True] * told
