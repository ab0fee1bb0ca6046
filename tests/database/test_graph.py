"""What DatabaseWithReplicas registers on each platform and tier: golden files, names, waiting, protection."""

import hashlib
from types import SimpleNamespace
from typing import Any

import pytest

from tests.database.test_args import ARCHIVE, PLATFORMS, args
from tests.support import Recorder, Secret, golden, run_program, value_of
from tierstack import database
from tierstack.core.tier import Tier
from tierstack.database import DatabaseWithReplicas
from tierstack.database.postgresql import scram
from tierstack.platform import DataProtection, DockerHost, Kubernetes
from tierstack.platform.internal_ca import TLSMode

pytestmark = pytest.mark.graph


def made(on: str, **changes: Any) -> Recorder:
    return run_program(lambda: DatabaseWithReplicas("db", args(on, **changes)))


@pytest.mark.parametrize("on", PLATFORMS)
@pytest.mark.parametrize("tier", Tier, ids=lambda tier: tier.value)
def test_golden(on: str, tier: Tier) -> None:
    golden(f"database-{on}-{tier.value}.json", made(on, tier=tier).summary())


def test_golden_rendered() -> None:
    rendered = Kubernetes(name="shop", render_to="rendered", storage_class="fast")
    recorder = made("kubernetes", platform=rendered, tier=Tier.USERS_1M, archive=ARCHIVE)
    golden("database-rendered-1M.json", recorder.summary())


@pytest.mark.parametrize("on", PLATFORMS)
def test_a_larger_tier_keeps_every_name(on: str) -> None:
    """Names are what the engine knows resources by: what is in the small tier is the same resource in the large one."""
    small, large = (made(on, tier=tier).names() for tier in (Tier.USERS_100K, Tier.USERS_1M))
    assert small.items() <= large.items()


def test_a_larger_tier_changes_nothing_that_would_replace_the_data() -> None:
    small, large = (made("docker", tier=tier) for tier in (Tier.USERS_100K, Tier.USERS_1M))
    assert small.named("db-data").inputs == large.named("db-data").inputs
    small, large = (made("kubernetes", tier=tier) for tier in (Tier.USERS_100K, Tier.USERS_1M))
    before, after = (one.named("db", "Cluster").inputs["spec"] for one in (small, large))
    changed = {key for key in before.keys() | after.keys() if before.get(key) != after.get(key)}
    # None of these is immutable, and storage only grows (CloudNativePG refuses less).
    assert changed == {"instances", "enablePDB", "postgresql", "storage", "walStorage", "resources"}
    assert before["bootstrap"] == after["bootstrap"]


def test_replicas_leave_the_primary_and_the_pooler_as_they_are() -> None:
    none, two = (made("docker", tier=Tier.USERS_1M, replicas=replicas) for replicas in (0, 2))
    for name in ("db-primary", "db-pooler", "db-config-files", "db-secrets-files"):
        assert none.named(name).inputs == two.named(name).inputs


@pytest.mark.parametrize(
    ("protection", "options"),
    [
        (DataProtection.NONE, {}),
        (DataProtection.PROTECT, {"protect": True}),
        (DataProtection.RETAIN, {"protect": True, "retainOnDelete": True}),
    ],
)
def test_data_is_protected_as_the_platform_says(protection: DataProtection, options: dict[str, Any]) -> None:
    docker = made("docker", platform=DockerHost(name="shop", data_protection=protection), tier=Tier.USERS_1M)
    kubernetes = made("kubernetes", platform=Kubernetes(name="shop", data_protection=protection))
    for one in (docker.named("db-data"), kubernetes.named("db", "Cluster")):
        assert {key: one.options[key] for key in ("protect", "retainOnDelete") if key in one.options} == options
    # A copy can be made again; protecting it would only stand in the way of fewer replicas.
    assert "protect" not in docker.named("db-replica-1-data").options


def test_what_uses_the_host_waits_for_the_check_and_never_names_a_container() -> None:
    """A property taken from a container would replace every user of the database together with it."""
    recorder = made("docker")
    check = recorder.named("db-check")
    assert {"db-primary-ready", "db-pooler-ready"} <= set(check.depends_on)
    host = value_of(lambda: DatabaseWithReplicas("db", args("docker")).host)
    assert host == "db-pooler"


def test_only_verifiers_reach_the_server_and_the_pooler() -> None:
    recorder = made("docker", tier=Tier.USERS_1M)
    texts = {one.name: str(one.inputs["files"]) for one in recorder.of_type(":VolumeFiles")}
    assert all(isinstance(one.inputs["files"], Secret) for one in recorder.of_type(":VolumeFiles"))
    with_passwords = {name for name, text in texts.items() if "generated-db" in text}
    assert with_passwords == {"db-check-secrets-files", "db-replica-secrets-files"}
    assert "SCRAM-SHA-256$" in texts["db-secrets-files"]
    assert "SCRAM-SHA-256$" in texts["db-pooler-files-files"]
    # What a container shows to anyone who may inspect it.
    for one in recorder.of_type(":Container"):
        assert "generated-db" not in str(one.inputs)
        assert "SCRAM" not in str(one.inputs)


def test_a_rotation_replaces_no_container() -> None:
    """Servers and poolers read accounts again; what checks the login runs again, and what uses it waits for the check."""
    one, two = (made("docker", tier=Tier.USERS_1M, password_generation=generation) for generation in (1, 2))
    containers = {made.name: made.inputs for made in one.of_type(":Container")}
    assert containers.keys() == {"db-primary", "db-pooler", "db-replica-1", "db-replica-2"}
    assert {made.name: made.inputs for made in two.of_type(":Container")} == containers
    for name in ("db-primary-accounts", "db-pooler-accounts", "db-check"):
        assert one.named(name).inputs["triggers"] != two.named(name).inputs["triggers"]
    assert {"db-primary-accounts", "db-pooler-accounts"} <= set(two.named("db-check").depends_on)
    assert {"db-primary-accounts", "db-pooler-files-files"} <= set(two.named("db-pooler-accounts").depends_on)


@pytest.mark.parametrize("on", PLATFORMS)
def test_a_rotation_keeps_the_password_in_use(on: str) -> None:
    passwords = [
        {one.name for one in made(on, password_generation=generation).of_type(":RandomPassword") if "login" in one.name}
        for generation in range(4)
    ]
    suffix = "-password"
    assert passwords == [
        set(),
        {f"db-login-1{suffix}"},
        {f"db-login-1{suffix}", f"db-login-2{suffix}"},
        {f"db-login-2{suffix}", f"db-login-3{suffix}"},
    ]


def test_the_owner_of_a_database_that_it_logged_in_to_stays_a_login_for_one_generation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What its stack has made so far says that there are applications with the owner's password."""
    urn = "urn:pulumi:dev::shop::tierstack:index:DatabaseWithReplicas::db"
    state = {urn: {"type": "tierstack:index:DatabaseWithReplicas", "outputs": {"user": "app", "database": "app"}}}
    monkeypatch.setattr(database, "own_state", SimpleNamespace(resources=lambda: state))
    docker, kubernetes = made("docker"), made("kubernetes")
    assert 'ALTER ROLE "app" LOGIN' in docker.named("db-secrets-files").inputs["files"].value["roles.sql"]
    assert [one.named("db", "WithReplicas").outputs["owner_logs_in"] for one in (docker, kubernetes)] == [True, True]
    assert "db-role-owner" not in kubernetes.names()
    state.clear()
    assert 'ALTER ROLE "app" NOLOGIN' in made("docker").named("db-secrets-files").inputs["files"].value["roles.sql"]
    assert made("kubernetes").named("db-role-owner").inputs["spec"] == {
        "cluster": {"name": "db"},
        "name": "app",
    }


def test_an_upgrade_leaves_the_pooler_as_it_is() -> None:
    """Its label is what it was before there were login roles: of its settings and the line of the owner."""
    pooler = made("docker").named("db-pooler")
    files = made("docker").named("db-pooler-files-files").inputs["files"].value
    verifier = scram.verifier("generated-db-password", scram.salt_of("bytes db-salt", "app"))
    texts = f'{files["pgbouncer.ini"]}\0"app" "{verifier}"\n'
    assert label(pooler.inputs) == hashlib.sha256(texts.encode()).hexdigest()


def label(inputs: dict[str, Any]) -> str:
    return next(one["value"] for one in inputs["labels"] if one["label"] == "tierstack.dev/files")


def test_a_role_of_kubernetes_says_all_that_it_may() -> None:
    """CloudNativePG sets what is left out to its default: no right, no membership."""
    recorder = made("kubernetes", password_generation=2)
    roles = {one.inputs["spec"]["name"]: one.inputs["spec"] for one in recorder.of_type(":DatabaseRole")}
    assert {name: (one.get("login", False), one.get("inRoles")) for name, one in roles.items()} == {
        "app": (False, None),
        "app_a": (True, ["app"]),
        "app_b": (True, ["app"]),
        "tierstack_read": (True, None),
        "tierstack_monitor": (True, ["pg_monitor"]),
    }
    assert roles["app_b"]["passwordSecret"] == {"name": "db-login-2"}
    job = recorder.named("db-roles")
    assert {f"db-role-{one}" for one in ("a", "b", "read", "monitor", "owner")} <= set(job.depends_on)
    env = {one["name"]: one for one in job.inputs["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert env["PGUSER"]["value"] == "app_b"
    assert env["PGPASSWORD"]["valueFrom"]["secretKeyRef"] == {"name": "db-login-2", "key": "password"}


def test_a_second_pooler_leads_to_the_standbys() -> None:
    found: list[Any] = []
    given = args("kubernetes", tier=Tier.USERS_1M, read_poolers=2)
    recorder = run_program(lambda: found.append(DatabaseWithReplicas("db", given).connection))
    spec = recorder.named("db-pooler-ro", "Pooler").inputs["spec"]
    assert (spec["type"], spec["instances"], spec["cluster"]) == ("ro", 2, {"name": "db"})
    assert recorder.named("db-pooler-ro-policy").inputs["spec"]["podSelector"]["matchLabels"] == {
        "cnpg.io/poolerName": "db-pooler-ro"
    }
    names = recorder.named("db", "Cluster").inputs["spec"]["certificates"]["serverAltDNSNames"]
    assert "db-pooler-ro.shop.svc" in names
    server = recorder.named("db-server-policy").inputs["spec"]["ingress"][0]["from"]
    assert {"podSelector": {"matchLabels": {"cnpg.io/poolerName": "db-pooler-ro"}}} in server
    assert found[0].read_port == "5432"
    assert value_of(lambda: DatabaseWithReplicas("db", given).connection.read_host) == "db-pooler-ro"
    none: list[Any] = []
    run_program(lambda: none.append(DatabaseWithReplicas("db", args("kubernetes", tier=Tier.USERS_1M)).connection))
    assert none[0].read_host is None


def test_who_reaches_what_on_kubernetes() -> None:
    recorder = made("kubernetes", operator_namespace="operators")
    server = recorder.named("db-server-policy").inputs["spec"]
    pooler = recorder.named("db-pooler-policy").inputs["spec"]
    assert pooler["podSelector"]["matchLabels"] == {"cnpg.io/poolerName": "db-pooler"}
    assert pooler["ingress"] == [
        {
            "from": [{"podSelector": {"matchLabels": {"tierstack.dev/pooler-client.db": "true"}}}],
            "ports": [{"protocol": "TCP", "port": 5432}],
        }
    ]
    allowed = [peer for rule in server["ingress"] if rule["ports"][0]["port"] == 5432 for peer in rule["from"]]
    assert [list(peer) for peer in allowed] == [["podSelector"]] * 3 + [["namespaceSelector"]]
    assert allowed[3]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "operators"}
    assert allowed[2]["podSelector"]["matchLabels"] == {"tierstack.dev/server-client.db": "true"}


@pytest.mark.parametrize("tls", TLSMode)
def test_what_kubernetes_demands_of_clients(tls: TLSMode) -> None:
    """The operator encrypts between its own by itself; clients come in plaintext only where that is allowed."""
    found: list[Any] = []
    recorder = run_program(lambda: found.append(DatabaseWithReplicas("db", args("kubernetes", tls=tls)).connection))
    spec = recorder.named("db", "Cluster").inputs["spec"]
    pooler = recorder.named("db-pooler", "Pooler").inputs["spec"]["pgbouncer"]["parameters"]
    required, verified = tls is TLSMode.REQUIRE, tls is not TLSMode.DISABLE
    assert spec["postgresql"].get("pg_hba") == (["hostnossl all all all reject"] if required else None)
    assert pooler.get("client_tls_sslmode") == ("require" if required else None)
    assert pooler.get("server_tls_sslmode") == ("verify-full" if verified else None)
    # Clients verify the pooler by its own name, which the operator's certificate would not have.
    assert spec.get("certificates", {}).get("serverAltDNSNames", [])[:1] == (["db-pooler"] if verified else [])
    assert (found[0].ca.secret_name if verified else found[0].ca) == ("db-ca" if verified else None)


@pytest.mark.parametrize(("replicas", "quorum"), [(0, False), (1, False), (2, True), (4, True)])
def test_commits_wait_for_a_standby_from_three_instances_up(replicas: int, quorum: bool) -> None:
    spec = made("kubernetes", tier=Tier.USERS_1M, replicas=replicas).named("db", "Cluster").inputs["spec"]
    assert ("synchronous" in spec["postgresql"]) is quorum
    if quorum:
        # Commits without a standby are safe only because nothing that lacks them is promoted (decision 13).
        found = spec["postgresql"]["synchronous"]
        assert (found["dataDurability"], found["failoverQuorum"]) == ("preferred", True)
    assert spec["enablePDB"] is (replicas > 0)


def test_a_parameter_of_the_caller_reaches_both_platforms() -> None:
    parameters = {"work_mem": "64MB"}
    spec = made("kubernetes", parameters=parameters).named("db", "Cluster").inputs["spec"]
    assert spec["postgresql"]["parameters"]["work_mem"] == "64MB"
    text = made("docker", parameters=parameters).named("db-config-files").inputs["files"].value["postgresql.conf"]
    assert "work_mem = '64MB'\n" in text


@pytest.mark.parametrize("on", PLATFORMS)
def test_the_connection_is_complete(on: str) -> None:
    found: list[Any] = []
    run_program(lambda: found.append(DatabaseWithReplicas("db", args(on, database="shop", user="web")).connection))
    connection = found[0]
    assert (connection.database, connection.user) == ("shop", "web_a")
    if on == "docker":
        assert connection.backup_user == "tierstack_backup"
        assert connection.network is not None
        assert connection.direct_network is not None
        assert connection.client_labels is None
    else:
        assert connection.archive is None
        assert connection.password.key == "password"
        assert connection.client_labels == {"tierstack.dev/pooler-client.db": "true"}
        assert connection.backup_user is None


@pytest.mark.parametrize(("poolers", "rollout"), [(1, (1, 0)), (2, (0, 1)), (3, (0, 1))])
def test_an_update_of_the_poolers_opens_no_more_connections_than_are_counted(
    poolers: int, rollout: tuple[int, int]
) -> None:
    spec = made("kubernetes", poolers=poolers, pool_size=10).named("db-pooler", "Pooler").inputs["spec"]
    update = spec["deploymentStrategy"]["rollingUpdate"]
    assert (update["maxSurge"], update["maxUnavailable"]) == rollout


def test_a_pooler_is_not_throttled() -> None:
    spec = made("kubernetes", pooler_cpu=0.75).named("db-pooler", "Pooler").inputs["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["resources"]["requests"]["cpu"] == "750m"
    assert container["resources"]["limits"].keys() == {"memory"}
