"""Sizes, verifiers and files, without Pulumi."""

import base64
import hmac
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tierstack.core.tier import TIERS, DatabaseSize, Tier
from tierstack.database.postgresql import database_roles, files, parameters, scram, sizing
from tierstack.database.roles import BACKUP, MONITOR, READ, logins
from tierstack.platform.internal_ca import TLSMode

SIZE = TIERS[Tier.USERS_100K].database


def sizes() -> st.SearchStrategy[DatabaseSize]:
    return st.builds(
        DatabaseSize,
        replicas=st.integers(0, 4),
        poolers=st.integers(1, 20),
        max_connections=st.integers(20, 5000),
        pool_size=st.integers(1, 5000),
        max_client_connections=st.integers(1, 20000),
        pooler_cpu=st.floats(0.05, 1),
        memory_mb=st.integers(256, 4194304),
        cpu=st.floats(0.1, 256),
        storage_gb=st.integers(1, 65536),
        wal_storage_gb=st.integers(2, 65536),
    )


@given(sizes())
def test_settings_fit_into_memory_and_disk(size: DatabaseSize) -> None:
    settings = sizing.server_settings(size)
    mb = {name: sizing.megabytes(value) for name, value in settings.items()}
    assert mb["shared_buffers"] <= size.memory_mb / 4
    # Every connection sorting at once stays within its quarter, unless there is less than 1 MiB for each.
    if size.memory_mb >= sizing.least_memory_mb(size):
        assert mb["work_mem"] * sizing.working_connections(size) <= size.memory_mb / 4
    assert mb["maintenance_work_mem"] <= max(32, size.memory_mb / 16)
    # Checkpoints and abandoned slots together leave a quarter of the log's room free.
    assert mb["max_wal_size"] + mb["max_slot_wal_keep_size"] <= size.wal_storage_gb * 1024 * 3 / 4
    assert mb["min_wal_size"] < mb["max_wal_size"]
    assert int(settings["max_parallel_workers"]) <= int(settings["max_worker_processes"])


def test_what_restarts_a_server_does_not_follow_from_the_number_of_replicas() -> None:
    one, two = (sizing.server_settings(DatabaseSize(**{**SIZE.__dict__, "replicas": replicas})) for replicas in (0, 4))
    assert one == two


def test_further_settings_are_laid_over() -> None:
    assert sizing.server_settings(SIZE, {"work_mem": "4MB", "jit": "off"}) == {
        **sizing.server_settings(SIZE),
        "work_mem": "4MB",
        "jit": "off",
    }


def test_what_is_computed_is_either_owned_or_may_be_overridden_only_by_name() -> None:
    computed = set(sizing.server_settings(SIZE))
    overridable = computed - set(parameters.RULES.owned)
    assert {"shared_buffers", "work_mem", "random_page_cost"} <= overridable
    assert {"max_connections", "wal_level", "max_wal_senders", "max_replication_slots"} <= computed - overridable


def test_verifier_is_that_of_the_rfc() -> None:
    """RFC 7677 section 3: the exchange of user `user` with password `pencil`."""
    salt = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    first = f"r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,{first},c=biws,r={nonce}"
    found = scram.verifier("pencil", salt)
    kind, parameters, keys = found.split("$")
    assert (kind, parameters) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    signature = hmac.digest(server, exchange.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    masked = hmac.digest(stored, exchange.encode(), "sha256")
    client_key = bytes(a ^ b for a, b in zip(proof, masked, strict=True))
    assert scram.hashlib.sha256(client_key).digest() == stored


def test_each_role_has_a_salt_of_its_own() -> None:
    assert scram.salt_of("seed", "app") != scram.salt_of("seed", "other")
    assert scram.salt_of("seed", "app") == scram.salt_of("seed", "app")


def test_a_quote_in_a_setting_stays_in_its_value() -> None:
    text = files.postgresql_conf(SIZE, {"search_path": "'a', public", "application_name": "a\\b"}, TLSMode.REQUIRE)
    assert "search_path = '''a'', public'\n" in text
    assert "application_name = 'a\\\\b'\n" in text


def test_the_superuser_has_no_way_in_over_the_network() -> None:
    rules = [
        line.split()
        for line in files.pg_hba_conf("shop", "web", TLSMode.ALLOW).splitlines()
        if not line.startswith("#")
    ]
    assert rules[1] == ["host", "all", "postgres", "all", "reject"]
    assert ["host", "shop", "+web", "samenet", "scram-sha-256"] in rules
    assert all(rule[-1] == "scram-sha-256" for rule in rules[2:])


def test_what_each_mode_demands() -> None:
    """`require` leaves no line in plaintext, `allow` differs from it only there, `disable` names no certificate."""
    texts = {
        mode: [
            files.pg_hba_conf("shop", "web", mode),
            files.pgbouncer_ini("shop", "db-rw", SIZE, mode),
            files.postgresql_conf(SIZE, {}, mode),
            files.verifying(mode),
        ]
        for mode in TLSMode
    }
    required, allowed, disabled = (texts[mode] for mode in (TLSMode.REQUIRE, TLSMode.ALLOW, TLSMode.DISABLE))
    assert [line.split()[0] for line in required[0].splitlines()[1:]] == ["local", "host", *["hostssl"] * 6]
    assert required[0].replace("hostssl", "host") == allowed[0] == disabled[0]
    assert "client_tls_sslmode = require\n" in required[1]
    assert "client_tls_sslmode = allow\n" in allowed[1]
    assert "server_tls_sslmode = verify-full\n" in allowed[1]
    assert "ssl = 'on'\n" in allowed[2]
    assert required[3] == "sslmode=verify-full sslrootcert=/run/tierstack/ca/database/ca.crt"
    assert not any("/tls.crt" in text or "ca.crt" in text or "ssl = 'on'" in text for text in disabled)


def test_no_plain_password_reaches_the_primary() -> None:
    known = logins("web", 2, {})
    roles = (*known.generations, BACKUP, READ, MONITOR, files.REPLICA_ROLE)
    sql = files.roles_sql("shop", known, {role: scram.verifier("plain", b"salt") for role in roles})
    assert "plain" not in sql
    assert sql.count("PASSWORD 'SCRAM-SHA-256$") == 6
    for role, rights in {"web": "NOLOGIN", "web_a": "LOGIN", "web_b": "LOGIN", READ: "LOGIN"}.items():
        attributes = f'"{role}" {rights} NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS NOREPLICATION PASSWORD '
        assert attributes in sql
    assert "NOREPLICATION PASSWORD NULL;" in sql
    # Before anything that has a verifier in it.
    assert sql.index("log_min_duration_statement = -1") < sql.index("track_activities = off") < sql.index("SCRAM")


def test_what_a_login_makes_belongs_to_the_owner() -> None:
    verifiers = dict.fromkeys(("web_a", BACKUP, READ, MONITOR, files.REPLICA_ROLE), "v")
    lines = files.roles_sql("shop", logins("web", 1, {}), verifiers).splitlines()
    assert lines.index('GRANT "web" TO "web_a";') < lines.index("ALTER ROLE \"web_a\" SET role = 'web';")
    # Default rights are those of the role that makes the table, and in the database that it is in.
    begun = lines.index('\\connect "shop"')
    assert lines[begun + 1] == "SET ROLE 'web';"
    assert begun < lines.index(f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {READ};")


def test_a_login_changes_its_own_setting_as_itself() -> None:
    """On Kubernetes nobody else does: as the owner, which it becomes when it logs in, it has no right to."""
    sql = database_roles.login_sql(logins("web", 4, {}))
    own = "SET ROLE NONE;\nALTER ROLE \"web_b\" SET role = 'web';\nSET ROLE 'web';\n"
    assert sql.startswith(own)
    assert not database_roles.login_sql(logins("web", 0, {})).startswith("SET ROLE")


@pytest.mark.parametrize(
    "script", [files.PRIMARY_SH, files.ROLES_SH, files.replica_sh(TLSMode.REQUIRE), files.POOLER_SH]
)
def test_scripts_are_plain_shell(script: str) -> None:
    shell = shutil.which("dash") or "sh"
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
