"""The staging stack on a real cluster, from `up` to `down`: the short form of these tests.

The tests of this file are steps of one run, in their order.
"""

import json
import time
from typing import Any

import pytest

from tests.cluster.shop import Shop, kubectl, wait_until, without_backups

DENIED = "violates PodSecurity"


def test_every_workload_is_ready(shop: Shop) -> None:
    def unready() -> list[str]:
        template = "{range .items[*]}{.metadata.name} {.status.phase}\n{end}"
        lines = kubectl("-n", shop.namespace, "get", "pods", "-o", f"jsonpath={template}").splitlines()
        pods = dict(line.split() for line in lines)
        return [name for name in pods.keys() - shop.pods() if pods[name] != "Succeeded"]

    # An autoscaler may be adding one.
    wait_until("all pods are ready", lambda: not unready(), 60)
    assert {name.partition("-")[0] for name in shop.pods()} == {"web", "db", "redis"}


def test_it_answers_through_the_gateway_with_tls(shop: Shop) -> None:
    status, headers, body = shop.site().ask("GET", "/api/health")
    assert status == 200
    checks = {name: check["status"] for name, check in json.loads(body)["checks"].items()}
    assert checks == {"database": "ok", "redis": "ok"}
    assert headers["Strict-Transport-Security"]


def test_an_order_goes_through_the_queue(shop: Shop) -> None:
    site = shop.site()
    status, _, body = site.ask("POST", "/api/orders", {"sku": "tea", "quantity": 1}, **{"Idempotency-Key": "first"})
    assert status == 201, body
    order = json.loads(body)["id"]
    wait_until(
        "the order is processed",
        lambda: json.loads(site.ask("GET", f"/api/orders/{order}")[2])["status"] == "processed",
        60,
    )


def test_a_second_preview_has_nothing_to_do(shop: Shop) -> None:
    found = shop.checkout.json("preview", "-s", shop.stack)
    assert (found["steps"], set(found["changes"])) == ([], {"same"})


def test_a_refresh_finds_what_was_made(shop: Shop) -> None:
    arguments = ("preview", "--refresh", "--expect-no-changes", "--stack", shop.stack)

    def unchanged() -> bool:
        done = shop.checkout.pulumi(*arguments, code=None)
        # The engine proposes an (empty) update of any workload that waits for a pod, as it does while an autoscaler adds one.
        waits = "Refreshed resource is in an unhealthy state" in done.stdout + done.stderr
        assert done.returncode == 0 or waits, done.stdout
        return done.returncode == 0

    wait_until("a refresh finds no change", unchanged, 120)


def test_a_backup_is_in_the_bucket(shop: Shop) -> None:
    def phases() -> list[str]:
        return kubectl("-n", shop.namespace, "get", "backup", "-o", "jsonpath={.items[*].status.phase}").split()

    wait_until("the first base backup is complete", lambda: phases() == ["completed"], 180)


def test_pods_outside_of_the_restricted_standard_are_refused(shop: Shop) -> None:
    labels = json.loads(kubectl("get", "namespace", shop.namespace, "-o", "json"))["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    command = ("run", "root", "--image=tierstack.local/base:trixie", "--dry-run=server", "-o", "name")
    with pytest.raises(AssertionError, match=DENIED):
        kubectl("-n", shop.namespace, *command)


def reaches(namespace: str, name: str, labels: dict[str, str], host: str, port: int) -> bool:
    """Whether a pod with these labels opens a connection; asked for 10 s, since rules come a moment after the pod."""
    script = (
        f"for i in 1 2 3 4 5 6 7 8 9 10; do pg_isready -q -t 1 -h {host} -p {port}; code=$?; "
        "[ $code -eq 2 ] || exit 0; sleep 0.5; done; exit 2"
    )
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "ask",
        "image": "tierstack.local/postgres:17",
        "command": ["sh", "-c", script],
        "securityContext": security,
    }
    spec = {
        "restartPolicy": "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": 26, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": labels},
        "spec": spec,
    }
    kubectl("apply", "-f", "-", input=json.dumps(pod))
    phase: list[str] = []

    def ended() -> bool:
        phase[:] = [kubectl("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.phase}")]
        return phase[0] in ("Succeeded", "Failed")

    try:
        wait_until(f"{name} has asked", ended, 90)
    finally:
        kubectl("-n", namespace, "delete", "pod", name, "--wait=false")
    return phase[0] == "Succeeded"


def web_labels(shop: Shop) -> dict[str, str]:
    """Labels of the web pods themselves, but for those that a ReplicaSet would take them by."""
    pods = json.loads(
        kubectl("-n", shop.namespace, "get", "pods", "-l", "app.kubernetes.io/component=web", "-o", "json")
    )
    labels = pods["items"][0]["metadata"]["labels"]
    # Not the component: the Service must not send customers to a pod that only asks.
    return {
        key: value for key, value in labels.items() if key not in ("pod-template-hash", "app.kubernetes.io/component")
    }


def test_the_web_reaches_the_database_only_through_the_pooler(shop: Shop) -> None:
    labels = web_labels(shop)
    assert reaches(shop.namespace, "ask-pooler", labels, "db-pooler", 5432)
    assert not reaches(shop.namespace, "ask-server", labels, "db-rw", 5432)


def test_another_namespace_reaches_nothing(shop: Shop) -> None:
    other = f"{shop.namespace}-other"
    kubectl("create", "namespace", other)
    labels = web_labels(shop)
    try:
        for name, port in (("db-pooler", 5432), ("db-rw", 5432), ("redis-node", 6379), ("web", 80)):
            assert not reaches(other, f"ask-{name}", labels, f"{name}.{shop.namespace}", port), name
    finally:
        kubectl("delete", "namespace", other, "--wait=false")


@pytest.mark.parametrize("tier", ["100k", "1M"])
def test_the_api_server_accepts_every_rendered_manifest(shop: Shop, tier: str) -> None:
    stack = f"dry-{tier.lower()}"

    def render(config: dict[str, Any]) -> None:
        config["tier"] = tier
        config["platform"] = {**shop.platform, "render_to": f"rendered/{stack}", "secret_store": "vault"}
        without_backups(config)

    shop.checkout.config(stack, render, base=shop.stack)
    shop.checkout.tierstack("render", "-s", stack)
    files = sorted((shop.checkout.folder / "rendered" / stack).rglob("*.yaml"))
    accepted = 0
    for file in files:
        if file.name == "kustomization.yaml" or "kind: Namespace\n" in file.read_text():
            continue
        done = kubectl("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-o", "name", "-f", str(file))
        accepted += len(done.split())
    print(f"{accepted} manifests of the {tier} tier accepted with --dry-run=server")
    assert accepted >= 25


def test_down_keeps_data_unless_told(shop: Shop) -> None:
    kept = shop.checkout.json("down", "-s", shop.stack)["kept"]
    assert any("db" in line for line in kept), kept
    assert shop.pods("cnpg.io/cluster=db")
    assert not shop.pods("app.kubernetes.io/name=web")
    shop.up()
    status = shop.site().ask("GET", "/api/health")[0]
    assert status == 200


def test_down_with_the_flag_leaves_nothing(shop: Shop) -> None:
    begun = time.monotonic()
    shop.checkout.tierstack("down", "-s", shop.stack, "--delete-data", "--yes")
    print(f"taken down in {time.monotonic() - begun:.0f} s")
    names = kubectl("get", "namespaces", "-o", "name").split()
    assert f"namespace/{shop.namespace}" not in names
    claims = "{range .items[*]}{.spec.claimRef.namespace} {end}"
    wait_until(
        "volumes are gone",
        lambda: shop.namespace not in kubectl("get", "pv", "-o", f"jsonpath={claims}").split(),
        60,
    )
