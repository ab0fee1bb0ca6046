"""Sizes, verifiers and files of MySQL, without Pulumi."""

import dataclasses
import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.database.postgresql.test_pure import sizes
from tierstack.core.tier import TIERS, DatabaseSize, Tier
from tierstack.database.login import command
from tierstack.database.mysql import files, parameters, sizing, verifier
from tierstack.database.mysql.engine import MYSQL, VERSIONS
from tierstack.database.mysql.login import MYSQL_CLIENT
from tierstack.database.roles import BACKUP, MONITOR, READ, Logins, logins
from tierstack.platform import PlatformKind
from tierstack.platform.internal_ca import TLSMode

pytestmark = pytest.mark.pure

SIZE = TIERS[Tier.USERS_100K].database
LOGINS = logins("web", 2, {})
VERIFIERS = {user: f"verifier-of-{user}" for user in (*LOGINS.generations, BACKUP, READ, MONITOR)}


def settings(text: str) -> dict[str, str]:
    lines = (line.partition(" = ") for line in text.splitlines() if " = " in line)
    return {name: value for name, _, value in lines}


@given(sizes())
def test_settings_fit_into_memory_and_disk(size: DatabaseSize) -> None:
    found = sizing.server_settings(size)
    mb = {name: sizing.megabytes(value) or 0 for name, value in found.items()}
    instances = int(found["innodb_buffer_pool_instances"])
    assert mb["innodb_buffer_pool_size"] % (sizing.CHUNK_MB * instances) == 0
    if size.memory_mb >= sizing.least_memory_mb(size):
        pool = mb["innodb_buffer_pool_size"] * 1.1 + sizing.SERVER_MB
        assert pool <= size.memory_mb * 3 / 4 + 1
        buffers = 4 * mb["sort_buffer_size"] + sizing.STACK_KB / 1024
        assert buffers * sizing.working_connections(size) <= size.memory_mb / 4 + 1
    # The redo log, binary logs and the one that is being written leave some of the log's room free.
    assert mb["innodb_redo_log_capacity"] + sizing.binary_log_mb(size) + mb["max_binlog_size"] <= (
        size.wal_storage_gb * 1024
    )


@pytest.mark.parametrize(("tier", "pool", "redo"), [(Tier.USERS_100K, 1024, 2560), (Tier.USERS_1M, 5120, 8192)])
def test_the_tiers(tier: Tier, pool: int, redo: int) -> None:
    found = sizing.server_settings(TIERS[tier].database)
    assert found["innodb_buffer_pool_size"] == f"{pool}M"
    assert found["innodb_redo_log_capacity"] == f"{redo}M"


@pytest.mark.parametrize(("memory_mb", "packet"), [(768, "16M"), (2048, "32M"), (4096, "64M"), (65536, "64M")])
def test_a_large_statement_fits_into_memory(memory_mb: int, packet: str) -> None:
    size = dataclasses.replace(SIZE, memory_mb=memory_mb)
    assert sizing.server_settings(size)["max_allowed_packet"] == packet


@given(sizes())
def test_the_pool_leaves_the_reserved_connections(size: DatabaseSize) -> None:
    pool = sizing.pool_size(size)
    assert pool == 1 or pool * size.poolers <= size.max_connections - sizing.RESERVED_CONNECTIONS


def test_what_a_caller_must_not_give_is_owned_under_every_spelling() -> None:
    for name in ("sync_binlog", "gtid_mode", "require_secure_transport", "max_connections", "skip_name_resolve"):
        assert name in parameters.RULES.owned
    pattern = parameters.RULES.pattern
    for name in ("loose_sync_binlog", "skip_ssl", "disable_log_bin", "maximum_x", "sync-binlog", "Sync_Binlog"):
        assert not pattern.fullmatch(name)
    for name in ("innodb_io_capacity", "skip_name_resolve", "mysqlx", "validate_password.length", "loosely"):
        assert pattern.fullmatch(name)


@pytest.mark.parametrize(
    ("password", "salt", "digest"),
    [
        # `openssl passwd -5 -salt SALT PASSWORD`
        ("Hello world!", "saltstring", "5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
        ("a", "saltstring", "7cz4bTeQ7MnNssphNhFVrITtuJYY/1tdvLL2uzLvOk8"),
        ("x" * 100, "0123456789abcdef", "aKdz8fxxSEF2.sRL0xIqHdch3EAvPX6eVmzomlrlwFC"),
    ],
    ids=["short", "one byte", "longer than a block"],
)
def test_verifier_is_sha256_crypt(password: str, salt: str, digest: str) -> None:
    assert verifier.sha256_crypt(password.encode(), salt.encode()) == digest


def test_verifier_has_the_form_that_the_server_takes() -> None:
    salt = verifier.salt_of("seed", "app")
    found = verifier.verifier("secret", salt)
    assert re.fullmatch(r"\$A\$005\$[./0-9A-Za-z]{63}", found)
    assert found[7:27] == salt == verifier.salt_of("seed", "app") != verifier.salt_of("seed", "other")


def test_the_password_of_a_user_reaches_no_file_of_the_server() -> None:
    sql = files.users_sql("shop", LOGINS, {user: verifier.verifier("plain", "s" * 20) for user in VERIFIERS})
    assert "plain" not in sql
    assert sql.count("caching_sha2_password AS '$A$005$") == 10


def test_users_have_what_they_need_and_no_more() -> None:
    lines = files.users_sql("my_shop", LOGINS, VERIFIERS).splitlines()
    assert all(line.endswith(";") for line in lines)  # the server reads one statement from each line
    grants = [line for line in lines if line.startswith("GRANT")]
    assert not any("GRANT OPTION" in line or "SUPER" in line for line in grants)
    # In a grant an underscore stands for any character.
    assert "GRANT ALL ON `my\\_shop`.* TO 'web'@'%';" in grants
    of_logins = [line for line in grants if "'web" in line]
    assert of_logins == [
        "GRANT ALL ON `my\\_shop`.* TO 'web'@'%';",
        "GRANT 'web'@'%' TO 'web_b'@'%';",
        "GRANT 'web'@'%' TO 'web_a'@'%';",
    ]
    assert "ALTER USER 'web_a'@'%' DEFAULT ROLE 'web'@'%';" in lines
    assert "CREATE DATABASE IF NOT EXISTS `my_shop`;" in lines
    # Nobody without a password comes over the network.
    assert all("'@'localhost'" in line for line in lines if "auth_socket" in line)


@pytest.mark.parametrize(("owner_logs_in", "locked"), [(True, "UNLOCK"), (False, "LOCK")])
def test_the_owner_is_locked_unless_it_is_still_a_login(owner_logs_in: bool, locked: str) -> None:
    known = Logins(owner="web", generation=1, owner_logs_in=owner_logs_in)
    verifiers = {**VERIFIERS, **({"web": "its own"} if owner_logs_in else {})}
    lines = files.users_sql("shop", known, verifiers).splitlines()
    assert f"ALTER USER 'web'@'%' ACCOUNT {locked};" in lines
    assert ("ALTER USER 'web'@'%' IDENTIFIED WITH caching_sha2_password AS 'its own';" in lines) is owner_logs_in


def test_what_each_mode_demands() -> None:
    required, allowed, disabled = (
        settings(files.my_cnf(SIZE, {}, mode)) for mode in (TLSMode.REQUIRE, TLSMode.ALLOW, TLSMode.DISABLE)
    )
    assert required.pop("require_secure_transport") == "ON"
    assert allowed.pop("require_secure_transport") == "OFF"
    assert required == allowed
    assert not disabled.keys() & {"ssl_cert", "ssl_key", "require_secure_transport"}
    assert disabled["tls_version"] == ""
    client = {mode: settings(files.client_cnf("web", "secret", "shop", mode)) for mode in TLSMode}
    assert client[TLSMode.REQUIRE]["ssl-mode"] == client[TLSMode.ALLOW]["ssl-mode"] == "VERIFY_IDENTITY"
    assert client[TLSMode.DISABLE]["ssl-mode"] == "DISABLED"


def test_settings_of_a_caller_stay_in_their_line() -> None:
    text = files.my_cnf(
        SIZE, {"sql_mode": "A,B", "init_connect": "SET x = 1 # y", "ft_stopword_file": "a\\b"}, TLSMode.ALLOW
    )
    assert 'init_connect = "SET x = 1 # y"\n' in text
    assert "sql_mode = A,B\n" in text
    assert 'ft_stopword_file = "a\\\\b"\n' in text


def test_the_proxy_lets_the_pool_through_and_the_rest_wait() -> None:
    size = dataclasses.replace(SIZE, pool_size=7, max_client_connections=50)
    text = files.haproxy_cfg("db-rw", size)
    assert "    server primary db-rw:3306 maxconn 7 resolvers docker" in text
    assert "    bind :3306\n    maxconn 50\n" in text
    assert "timeout queue 30s" in text
    # A server that is marked as down would lose the clients that wait.
    assert not re.search(r"^\s+server .*\bcheck\b", text, re.MULTILINE)


@pytest.mark.parametrize(
    "script",
    [files.primary_sh(SIZE), MYSQL.probe(MYSQL.pooler, "web", "shop")[-1], command(MYSQL_CLIENT, "db", ["a"], 60)[2]],
    ids=["start", "health", "login"],
)
def test_scripts_are_plain_shell(script: str) -> None:
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("image", "accepted"),
    [
        *((f"mysql:{version}@sha256:0", True) for version in (*VERSIONS, "8.4.5", "9.7.4-2", "8", "9", "lts")),
        ("mysql@sha256:0", True),
        ("sha256:0", True),
        *((f"mysql:{version}@sha256:0", False) for version in ("5.7", "8.0", "8.0.36", "9.0", "9.6.1", "10.11")),
    ],
)
def test_versions(image: str, accepted: bool) -> None:
    assert (MYSQL.version_problems(image, PlatformKind.DOCKER) == []) is accepted


@given(st.text(min_size=1, max_size=20), st.text(alphabet=verifier.ALPHABET, min_size=20, max_size=20))
def test_every_password_has_a_verifier(password: str, salt: str) -> None:
    assert len(verifier.verifier(password, salt)) == 70
