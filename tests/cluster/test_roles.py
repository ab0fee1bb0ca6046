"""A rotation with the loss of the primary right after it, on a real cluster: the owner never logs in, what CloudNativePG
writes back at a promotion locks nobody out, and a client that logs in without a pause is never refused.

The tests of this file are steps of one run, in their order. Figures are in docs/measurements.md.
"""

import base64
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.shop import SIZES, Shop, kubectl, wait_until

POD = "logins"
# A login for each row: it reads user and password each time, as processes of a new release have them.
LOOP = """\
while :; do
    [ -f /tmp/login ] || { sleep 0.1; continue; }
    read -r user password </tmp/login
    begun=$(date +%s%N)
    if said=$(PGPASSWORD=$password psql "host=db-pooler port=5432 dbname=app user=$user connect_timeout=60 \
sslmode=verify-full sslrootcert=/ca/ca.crt" -Xqtc "INSERT INTO logins VALUES (session_user)" 2>&1)
    then echo "ok $user $(( ($(date +%s%N) - begun) / 1000000 ))"; else echo "failed $user: $(echo "$said" | tr '\\n' ' ')"; fi
done
"""


def tier(config: dict[str, Any]) -> None:
    """The second tier, as small as its database allows."""
    config |= {"tier": "1M", **SIZES, "database": {**SIZES["database"], "read_poolers": 1}}
    config["app"] |= {"replicas": 1, "max_replicas": 2}
    config["app"]["roles"]["worker"] |= {"count": 1, "max_count": 1}


def generation(number: int) -> Any:
    """A change of the configuration to a generation of the password."""
    return lambda config: config["database"].update(password_generation=number)


class Logins:
    """A pod that logs in through the pooler, with the login that it is given."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        kubectl("apply", "-f", "-", input=json.dumps(self._pod()))
        wait_until("the client runs", lambda: POD in shop.pods("tierstack.dev/pooler-client.db=true"), 120)

    def _pod(self) -> dict[str, Any]:
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        container = {
            "name": "psql",
            "image": "tierstack.local/postgres:17",
            "command": ["sh", "-c", LOOP],
            "securityContext": restricted,
            "volumeMounts": [{"name": "ca", "mountPath": "/ca"}],
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            # The labels of an application, by which the network lets it reach the pooler.
            "metadata": {
                "name": POD,
                "namespace": self.shop.namespace,
                "labels": {
                    "tierstack.dev/pooler-client.db": "true",
                    "app.kubernetes.io/name": "web",
                    "app.kubernetes.io/component": "worker",
                },
            },
            "spec": {
                "containers": [container],
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 26,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "automountServiceAccountToken": False,
                "terminationGracePeriodSeconds": 1,
                "volumes": [
                    {"name": "ca", "secret": {"secretName": "db-ca", "items": [{"key": "ca.crt", "path": "ca.crt"}]}}
                ],
            },
        }

    def lines(self) -> list[str]:
        return kubectl("-n", self.shop.namespace, "logs", POD).splitlines()

    def of(self, user: str) -> int:
        return sum(line.startswith(f"ok {user} ") for line in self.lines())

    def use(self, number: int) -> str:
        """Log in with the password of a generation from now on; the user."""
        user, password = login(self.shop, f"db-login-{number}")
        script = "cat >/tmp/new && mv /tmp/new /tmp/login"
        kubectl("-n", self.shop.namespace, "exec", "-i", POD, "--", "sh", "-c", script, input=f"{user} {password}\n")
        return user

    def until_more(self, user: str, count: int = 20) -> None:
        enough = self.of(user) + count
        wait_until(f"{count} logins of {user}", lambda: self.of(user) >= enough, 180)


def login(shop: Shop, secret: str) -> tuple[str, str]:
    """User and password of a Secret."""
    found = json.loads(kubectl("-n", shop.namespace, "get", "secret", secret, "-o", "json"))["data"]
    user, password = (base64.b64decode(found[key]).decode() for key in ("username", "password"))
    return user, password


def primary(shop: Shop) -> str:
    """Name of the pod that takes writes."""
    path = "jsonpath={.status.currentPrimary}"
    return kubectl("-n", shop.namespace, "get", "cluster.postgresql.cnpg.io", "db", "-o", path)


def healthy(shop: Shop) -> bool:
    phase = "jsonpath={.status.phase}"
    return "healthy" in kubectl("-n", shop.namespace, "get", "cluster.postgresql.cnpg.io", "db", "-o", phase)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The stack without backups, up in generation 1."""
    one = Shop(tmp_path_factory.mktemp("roles"), "shop-roles")

    def change(config: dict[str, Any]) -> None:
        tier(config)
        config.pop("backups")
        config.pop("object_storage")
        config["database"].pop("archive", None)
        generation(1)(config)

    one.change(change)
    try:
        one.up()
        wait_until("the cluster is healthy", lambda: healthy(one), 300)
        yield one
    finally:
        one.down()


@pytest.fixture(scope="module")
def logins(shop: Shop) -> Logins:
    shop.sql("CREATE TABLE logins (who text)")
    shop.sql("ALTER TABLE logins OWNER TO app")
    return Logins(shop)


def test_only_login_roles_log_in(shop: Shop) -> None:
    roles = "SELECT string_agg(rolname, ' ' ORDER BY rolname) FROM pg_roles WHERE rolcanlogin AND rolname ~ '^app'"
    assert shop.sql(roles) == "app_a"
    owners = "SELECT string_agg(DISTINCT tableowner, ' ') FROM pg_tables WHERE schemaname = 'public'"
    assert shop.sql(owners) == "app"


def test_a_second_preview_has_nothing_to_do(shop: Shop) -> None:
    assert not [
        step for step in shop.checkout.json("preview", "-s", shop.stack)["steps"] if step["operation"] != "same"
    ]


def test_rotate_and_lose_the_primary_at_once(shop: Shop, logins: Logins) -> None:
    first = logins.use(1)
    logins.until_more(first)
    for number in (2, 3):
        shop.change(generation(number))
        shop.up()
        before = first
        first = logins.use(number)
        old, moment = primary(shop), time.monotonic()
        kubectl("-n", shop.namespace, "delete", "pod", old, "--force", "--grace-period=0")
        wait_until("another is primary", lambda old=old: primary(shop) not in (old, "pending"), 120)
        logins.until_more(first)
        print(
            f"\ngeneration {number}: {before} → {first}, primary lost, logins go on after {time.monotonic() - moment:.1f} s"
        )
        wait_until("the cluster is healthy", lambda: healthy(shop), 300)
    lines = logins.lines()
    # One statement at most runs at the moment that a primary is killed, long after its login.
    cut = [line for line in lines if "server conn crashed" in line]
    failed = [line for line in lines if not line.startswith("ok ") and line not in cut]
    longest = max(int(line.split()[2]) for line in lines if line.startswith("ok "))
    print(
        f"{len(lines)} logins, {len(cut)} statements cut, {len(failed)} failed {failed[:3]}; the longest took {longest / 1000:.1f} s"
    )
    assert failed == []
    assert len(cut) <= 2
    assert {line.split()[1] for line in lines} == {"app_a", "app_b"}
    assert int(shop.sql("SELECT count(*) FROM logins")) >= len(lines) - len(cut)


def test_a_promotion_gives_the_owner_no_login(shop: Shop) -> None:
    """The operator writes its password back, and nobody can use it."""
    assert shop.sql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app'") == "f"
    assert shop.site().ask("GET", "/api/health")[0] == 200


def test_reads_go_to_a_standby(shop: Shop, logins: Logins) -> None:
    user, password = login(shop, "db-read")
    target = f"host=db-pooler-ro port=5432 dbname=app user={user} sslmode=verify-full sslrootcert=/ca/ca.crt"
    script = 'read -r PGPASSWORD; export PGPASSWORD; exec psql "$0" -Xqtc "$1"'

    def asked(sql: str, check: bool = True) -> str:
        command = ("exec", "-i", POD, "--", "sh", "-c", f"{{ {script}; }} 2>&1", target, sql)
        return kubectl("-n", shop.namespace, *command, input=f"{password}\n", check=check).strip()

    assert asked("SELECT pg_is_in_recovery()") == "t"
    assert int(asked("SELECT count(*) FROM logins")) > 0
    assert "read-only" in asked("DELETE FROM logins", check=False) + asked("CREATE TABLE x (n int)", check=False)
