"""What a promotion of MySQL may do, by what servers say of themselves; what the proxy asks them; and what is made."""

import dataclasses
import re
import shutil
import subprocess
from typing import Any

import pytest

from tests.database.mysql.test_pure import SIZE, settings
from tests.database.test_args import args
from tests.support import Recorder, Secret, golden, run_program, value_of
from tierstack.core.tier import DatabaseSize, Tier
from tierstack.database import DatabaseWithReplicas
from tierstack.database.mysql import files, proxy, scripts, standby
from tierstack.database.mysql.promotion import MYSQL_STANDBY
from tierstack.database.standby import RefusedError, Seen, Server, plan, state_lines
from tierstack.links import DatabaseEngine
from tierstack.platform.internal_ca import TLSMode

PROXY = "registry.example/haproxy@sha256:" + "c" * 64
A, B = "4dda9bf8-ea3d-11f1-a856-0242c0a82002", "713ca76c-ea3d-11f1-a6c0-0242c0a82003"
SERVERS = [
    Server(name="primary", container="shop-db-primary", volume="shop-db-data"),
    Server(name="replica_1", container="shop-db-replica-1", volume="shop-db-replica-1-data"),
]
ENGINE = {"engine": DatabaseEngine.MYSQL, "tier": Tier.USERS_1M, "proxy_image": PROXY}


def made(**changes: Any) -> Recorder:
    return run_program(lambda: DatabaseWithReplicas("db", args("docker", **ENGINE, **changes)))


def said(
    history: str, *, standby: bool = False, identity: str = B, promotions: str = "NULL", receives: str = "null"
) -> str:
    state = (
        f'{{"identity": "{identity}", "applied": "{history}", "history": "{history}", "receives": {receives}, '
        '"applies": "ON", "lag": 0.25}'
    )
    return "\n".join([*(["standby"] if standby else []), state, promotions, ""])


def answered(server: Server, printed: str) -> Seen:
    return MYSQL_STANDBY.answer(printed, Seen(server=server, running=True))


@pytest.mark.pure
def test_a_server_says_what_it_is() -> None:
    primary = answered(SERVERS[0], said(f"{A}:1-48:50", identity=A))
    assert (primary.primary, primary.at, primary.timeline, primary.answers) == (True, 49, 0, True)
    found = answered(SERVERS[1], said(f"{A}:1-40,{B}:1", standby=True, promotions="3", receives='"ON"'))
    assert (found.primary, found.at, found.timeline, found.streams) == (False, 41, 3, True)
    # A single server has no number of promotions, and one more line of its own.
    assert answered(SERVERS[0], said("").removesuffix("NULL\n")).primary


@pytest.mark.pure
@pytest.mark.parametrize(
    ("history", "own"),
    [
        (f"{A}:1-48", ""),
        # What the primary made, a standby may have a moment before the primary was asked.
        (f"{A}:1-49", ""),
        (f"{A}:1-48,{B}:7-9", f"{B}:7-9"),
    ],
)
def test_transactions_of_its_own_forbid_to_promote_a_standby(history: str, own: str) -> None:
    servers = [
        answered(SERVERS[0], said(f"{A}:1-48", identity=A)),
        answered(SERVERS[1], said(history, standby=True, receives='"ON"')),
    ]
    seen = MYSQL_STANDBY.compared(servers)
    assert [one.own for one in seen] == ["", own]
    assert ("lacks: " in state_lines(seen, "transactions")[1]) is bool(own)
    if not own:
        assert plan(seen, "replica-1").target.server == SERVERS[1]
        return
    with pytest.raises(RefusedError, match=re.escape(f"({own})") + ".*--replace-data"):
        plan(seen, "replica-1")


LOG = f"""\
# immediate_commit_timestamp=1795768581336205 (2026-11-27 08:36:21.336205 UTC)
SET @@SESSION.GTID_NEXT= '{A}:49'/*!*/;
# immediate_commit_timestamp=1795768583349291 (2026-11-27 08:36:23.349291 UTC)
SET @@SESSION.GTID_NEXT= '{A}:50'/*!*/;
SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /* added by mysqlbinlog */ /*!*/;

end
"""
TORN = "failed\nERROR: Could not read entry at offset 1234: Error in log format or read error.\nend\n"


@pytest.mark.pure
@pytest.mark.parametrize(
    ("printed", "described"),
    [
        (LOG, f"2 transactions, committed 08:36:21 to 08:36:23 UTC ({A}:49-50)"),
        ("SET @@SESSION.GTID_NEXT= 'AUTOMATIC' /*!*/;\n\nend\n", "nothing"),
        # A transaction that was being written, and that nobody was told of.
        (LOG.replace("\nend\n", TORN), f"2 transactions, committed 08:36:21 to 08:36:23 UTC ({A}:49-50)"),
        ("failed\nmysqlbinlog: File 'binlog.000002' not found\nend\n", "not known, because the log"),
        (LOG.removesuffix("end\n"), "not known, because the log"),
        ("", "not known, because the log"),
        (LOG.replace(f"{A}:50", f"{A}:tag:50"), f"({A}:49,{A}:tag:50)"),
    ],
)
def test_what_a_standby_lacks_is_told_by_name(printed: str, described: str) -> None:
    assert described in MYSQL_STANDBY.lost(printed, Seen(server=SERVERS[1])).described


@pytest.mark.pure
def test_files_say_what_a_stopped_server_is() -> None:
    seen = Seen(server=SERVERS[0])
    assert MYSQL_STANDBY.found("", seen).primary
    fenced = MYSQL_STANDBY.found("standby\nfenced replica_1\n", seen)
    assert (fenced.primary, fenced.fenced_for) == (False, "replica_1")
    assert not MYSQL_STANDBY.found("absent\n", seen).holds_data


@pytest.mark.pure
@pytest.mark.parametrize(
    ("known", "begins", "covered"),
    [
        (f"{A}:1-48", f"{A}:1-40", True),
        (f"{A}:1-48", "", True),
        (f"{A}:1-48", f"{A}:1-49", False),
        (f"{A}:1-48", f"{A}:1-40,{B}:1", False),
        (f"{A}:1-48:60-70,{B}:1-3", f"{A}:1-10:61-62,{B}:2", True),
        ("", f"{A}:1", False),
    ],
)
def test_only_logs_that_may_have_what_is_missing_are_read(known: str, begins: str, covered: bool) -> None:
    """The comparison of the script that looks at the volume of a server that does not run."""
    script = next(word for word in MYSQL_STANDBY.read_log("i", *[Seen(server=SERVERS[0])] * 2) if "covered()" in word)
    function = script[script.index("covered()") : script.index("\nlogs=")]
    done = subprocess.run(["sh", "-c", f'known=$1\n{function}\ncovered "$2"', "sh", known, begins])
    assert (done.returncode == 0) is covered


@pytest.mark.pure
def test_the_proxy_asks_in_the_server_s_own_protocol() -> None:
    servers = {"primary": "shop-db-primary", "replica_1": "shop-db-replica-1"}
    text = proxy.haproxy_cfg(servers, SIZE, 7)
    login, asked = (bytes.fromhex(one) for one in re.findall(r"send-binary ([0-9a-f]+)", text)[:2])
    assert int.from_bytes(login[:3], "little") == len(login) - 4
    assert login[4 + 32 :].split(b"\0")[0] == b"tierstack_check"
    packets = []
    while asked:
        length = int.from_bytes(asked[:3], "little")
        packets.append(asked[4 : 4 + length])
        asked = asked[4 + length :]
    assert [one[:1] for one in packets] == [b"\x03", b"\x01"]
    assert b"< 7 THEN 'standby'" in packets[0]
    # The question comes through the socket, which nobody else has; clients do not.
    assert text.count("check addr unix@/run/tierstack/mysql/replica_1/mysqld.sock") == 2
    assert text.count("    server replica_1 shop-db-replica-1:3306 ") == 3
    # Whoever follows is told no when there is no primary; a client waits.
    backends = {part.split(maxsplit=1)[0]: part for part in re.split(r"^backend ", text, flags=re.MULTILINE)[1:]}
    assert ["backup" in backends[name] for name in ("primary", "source", "standbys")] == [True, False, False]


@pytest.mark.pure
def test_a_standby_runs_no_statements_at_its_start() -> None:
    """Each would be a transaction that the primary lacks."""
    single = settings(files.my_cnf(SIZE, {}, TLSMode.REQUIRE))
    servers = settings(files.my_cnf(SIZE, {}, TLSMode.REQUIRE, standby.settings(SIZE, synchronous=False)))
    assert {"init_file", "server_id"} <= single.keys()
    assert not {"init_file", "server_id"} & servers.keys()
    assert servers["skip_replica_start"] == "ON"
    assert int(servers["max_user_connections"]) < int(servers["max_connections"])
    waits = settings(files.my_cnf(SIZE, {}, TLSMode.REQUIRE, standby.settings(SIZE, synchronous=True)))
    # Not before accounts are applied: until then nobody can connect and confirm.
    assert "rpl_semi_sync_source_enabled" not in waits
    assert waits["sync_relay_log"] == "1"
    sql = standby.users_sql("", "verifier", synchronous=True)
    assert sql.splitlines()[-1] == standby.WAIT_SQL.strip()


@pytest.mark.pure
def test_the_user_of_standbys_has_what_it_needs_and_no_more() -> None:
    lines = standby.users_sql("", "verifier", synchronous=False).splitlines()
    assert all(line.endswith(";") for line in lines)  # the server reads one statement from each line
    grants = [line for line in lines if line.startswith("GRANT")]
    assert "GRANT REPLICATION SLAVE, BACKUP_ADMIN ON *.* TO 'tierstack_replica'@'%';" in grants
    assert len(grants) == 3
    assert all("SELECT ON `performance_schema`.`replication_" in line for line in grants if "check" in line)
    assert all("'@'localhost'" in line for line in lines if "check" in line)  # who has no password comes by the socket
    revision = subprocess.run(
        ["sed", "-n", standby.REVISION_SED], input="\n".join(lines), capture_output=True, text=True
    ).stdout.strip()
    assert re.fullmatch("[0-9a-f]{64}", revision)
    assert revision not in standby.users_sql("CREATE USER other;\n", "verifier", synchronous=False)


@pytest.mark.pure
@pytest.mark.parametrize("tls", TLSMode)
def test_scripts_are_plain_shell_and_know_no_password(tls: TLSMode) -> None:
    texts = [
        scripts.server_sh(SIZE, "db-rw", tls),
        scripts.ACCOUNTS_SH,
        scripts.promote_sh(synchronous=True, events=True),
        scripts.hold_sh("db-rw", tls),
    ]
    for script in texts:
        done = subprocess.run([shutil.which("dash") or "sh", "-n"], input=script, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "--password" not in script
    encrypted = tls is not TLSMode.DISABLE
    assert ("SOURCE_SSL_VERIFY_SERVER_CERT = 1" in standby.source_sql("db-rw", tls)) is encrypted
    assert ("REQUIRE SSL" in standby.clone_sql("db-rw", "password", "/x", tls)) is encrypted
    assert ("VERIFY_IDENTITY" in standby.replica_cnf("password", tls)) is encrypted


@pytest.mark.graph
def test_golden() -> None:
    golden("database-mysql-docker-1M-standbys.json", made().summary())


@pytest.mark.graph
def test_the_endpoint_is_the_proxy_s_and_every_volume_is_protected() -> None:
    recorder = made()
    named_rw = [one.name for one in recorder.of_type(":Container") if "db-rw" in str(one.inputs["networksAdvanced"])]
    assert named_rw == ["db-proxy"]
    for volume in ("db-data", "db-replica-1-data", "db-replica-2-data"):
        assert recorder.named(volume).options["protect"]
    for volume in ("db-primary-socket", "db-replica-1-socket"):
        assert "protect" not in recorder.named(volume).options
    read = value_of(lambda: DatabaseWithReplicas("db", args("docker", **ENGINE)).connection.read_host)
    assert read == "db-pooler-ro"
    # Which server is the primary is nowhere in what is registered: each has the same script.
    commands = [recorder.named(one).inputs["command"] for one in ("db-primary", "db-replica-1", "db-replica-2")]
    assert {one[0] for one in commands} == {"/etc/tierstack/mysql/server.sh"}
    secrets = {one.name: one.inputs["files"] for one in recorder.of_type(":VolumeFiles")}
    assert all(isinstance(one, Secret) for one in secrets.values())
    for one in recorder.of_type(":Container"):
        assert "generated-db" not in str(one.inputs)


@pytest.mark.graph
def test_without_the_image_nothing_changes_and_nobody_can_be_promoted() -> None:
    given = args("docker", engine=DatabaseEngine.MYSQL, tier=Tier.USERS_1M)
    assert given.size().replicas == 0
    assert not given.proxied
    assert given.size().pool_size == 290


@pytest.mark.graph
def test_both_pools_fit_into_the_primary() -> None:
    def given(**sizes: int) -> DatabaseSize:
        return args("docker", **ENGINE, **sizes).size()

    size = given()
    assert (size.replicas, size.max_connections, size.pool_size) == (2, 590, 290)
    # What a stack has given stays, and so do the tier's connections on a small server.
    assert (given(max_connections=300).pool_size, given(memory_mb=1024).pool_size) == (145, 145)
    # A pool that is given is not changed.
    assert (given(pool_size=100).max_connections, given(pool_size=100).pool_size) == (300, 100)
    assert (given(memory_mb=4096).max_connections, given(memory_mb=4096).pool_size) == (512, 251)
    text = made().named("db-config-files").inputs["files"].value["my.cnf"]
    assert settings(text)["max_connections"] == str(size.max_connections + standby.FURTHER_CONNECTIONS)
    assert dataclasses.replace(size, poolers=2).pool_size * 2 <= size.max_connections - 10
