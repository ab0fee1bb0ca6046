"""Two applications of one stack on a real cluster, behind one gateway: from `up` to `down`, with roles of their own.

The tests of this file are steps of one run, in their order.
"""

import json
from collections.abc import Iterator

import pytest

from tests.cluster.shop import ADMIN_HOST, HOST, Shop, kubectl, two_applications, wait_until

ROLES = {"shop": {"web", "worker", "scheduler"}, "admin": {"web", "worker", "reports"}}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The stack, up."""
    one = Shop(tmp_path_factory.mktemp("apps"), "shop-apps")
    one.change(two_applications)
    try:
        one.up()
        yield one
    finally:
        one.down()


def of_component(shop: Shop, app: str, component: str) -> list[str]:
    """Ready pods of one role of an application."""
    return shop.pods(f"app.kubernetes.io/name={app},app.kubernetes.io/component={component}")


@pytest.mark.parametrize("app", ROLES)
def test_each_application_has_its_own_pods(shop: Shop, app: str) -> None:
    for component in ROLES[app]:
        wait_until(f"{component} of {app} is ready", lambda at=component: of_component(shop, app, at), 60)
    ready = sum(len(of_component(shop, app, component)) for component in ROLES[app])
    assert ready == len(shop.pods(f"app.kubernetes.io/name={app},app.kubernetes.io/component!=migration"))


@pytest.mark.parametrize("host", [HOST, ADMIN_HOST])
def test_both_answer_through_one_gateway_with_tls(shop: Shop, host: str) -> None:
    assert kubectl("-n", shop.namespace, "get", "gateways", "-o", "name").split() == [
        "gateway.gateway.networking.k8s.io/gateway"
    ]
    status, headers, body = shop.site(host).ask("GET", "/api/health")
    assert status == 200
    checks = {name: check["status"] for name, check in json.loads(body)["checks"].items()}
    assert checks == {"database": "ok", "redis": "ok"}
    assert headers["Strict-Transport-Security"]


def test_the_addresses_of_both_are_outputs(shop: Shop) -> None:
    outputs = json.loads(shop.checkout.pulumi("stack", "output", "--json", "--stack", shop.stack).stdout)
    assert outputs["urls"] == {"shop": f"https://{HOST}", "admin": f"https://{ADMIN_HOST}"}
    assert "url" not in outputs


def test_a_second_preview_has_nothing_to_do(shop: Shop) -> None:
    found = shop.checkout.json("preview", "-s", shop.stack)
    assert (found["steps"], set(found["changes"])) == ([], {"same"})


def test_another_image_of_one_leaves_the_other_alone(shop: Shop) -> None:
    before = set(of_component(shop, "shop", "web"))
    shop.change(lambda config: config["apps"]["admin"].update(image="local:shop:2"))
    shop.up()
    _, headers, _ = shop.site(ADMIN_HOST).ask("GET", "/health")
    assert headers["X-App-Version"] == "2"
    assert set(of_component(shop, "shop", "web")) == before


def test_down_leaves_nothing(shop: Shop) -> None:
    shop.checkout.tierstack("down", "-s", shop.stack, "--delete-data", "--yes")
    assert f"namespace/{shop.namespace}" not in kubectl("get", "namespaces", "-o", "name").split()
