"""What flows from one component to another: no name by convention, and a changed secret restarts what reads it."""

from typing import Any

import pytest

import tierstack as ts
from tests.names.whole import PLATFORMS, shop
from tests.support import COMPUTED, Recorder, Registered, run_program, secret
from tierstack.platform.revision import ANNOTATION, combined, revision

pytestmark = pytest.mark.graph
K = PLATFORMS["kubernetes"]
PASSWORD = "random:index/randomPassword:RandomPassword"


def front(named: str, made: str, **gateway: Any) -> str:
    """What is said of a Gateway `made` that shows a certificate proved through the Gateway `named`."""
    said: list[str] = []

    def program() -> None:
        try:
            identity = ts.GatewayIdentity(name=named)
            acme = ts.ACMEArgs(email="ops@shop.example")
            tls = ts.TLS("tls", ts.TLSArgs(platform=K, hostnames=["shop.example.com"], gateway=identity, acme=acme))
            ts.Gateway(made, ts.GatewayArgs(platform=K, certificate=tls.certificate, **gateway))
        except ts.ArgumentError as error:
            said.append(str(error))

    recorder = run_program(program)
    if not said:
        (issuer,) = recorder.of_type("Issuer")
        (parent,) = issuer.inputs["spec"]["acme"]["solvers"][0]["http01"]["gatewayHTTPRoute"]["parentRefs"]
        (object_,) = recorder.of_type("v1:Gateway")
        assert (parent["name"], parent["namespace"]) == (
            object_.inputs["metadata"]["name"],
            object_.inputs["metadata"]["namespace"],
        )
    return said[0] if said else ""


def test_challenges_go_to_the_gateway_that_shows_the_certificate() -> None:
    assert front("edge", "edge") == ""
    assert front("old", "edge", physical_name="old") == ""


def test_another_gateway_refuses_the_certificate() -> None:
    said = front("gateway", "edge")
    assert "certificate.challenge.name = 'gateway': is proved through the Gateway `gateway`" in said
    assert 'give TLS `gateway=GatewayIdentity(name="edge")`' in said


def test_a_challenge_without_a_gateway_is_refused() -> None:
    args = ts.TLSArgs(platform=K, hostnames=["shop.example.com"], acme=ts.ACMEArgs(email="ops@shop.example"))
    assert [one.path for one in args.problems()] == ["gateway"]


def with_passwords(on: str, changed: str) -> Recorder:
    """A whole shop, where the password of the resource `changed` is another one than before."""

    def password(one: Registered) -> dict[str, Any]:
        return {"result": secret(f"password of {one.name}{' again' if one.name == changed else ''}")}

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(COMPUTED, PASSWORD, password)
        return run_program(lambda: shop(PLATFORMS[on], ts.Tier.USERS_1M))


def readers(recorder: Recorder, secret_name: str) -> dict[str, Any]:
    """The pod templates that read the Secret, by the name of what runs them; a Job ends by itself."""
    found: dict[str, Any] = {}
    for one in recorder.made:
        template = one.inputs.get("spec", {}).get("template") if isinstance(one.inputs.get("spec"), dict) else None
        if template and one.inputs["kind"] in ("Deployment", "StatefulSet") and f"'{secret_name}'" in str(template):
            found[one.name] = template
    return found


@pytest.mark.parametrize(
    ("generated", "secret_name", "least"),
    [
        ("db-login-1-password", "db-login-1", {"web", "web-worker", "web-scheduler"}),
        ("redis-app-password", "redis-app", {"web", "web-worker", "web-scheduler", "redis-node"}),
        ("redis-password-password", "redis-password", {"redis-node", "redis-sentinel", "redis-proxy"}),
    ],
)
def test_a_changed_password_rolls_every_pod_that_reads_it(generated: str, secret_name: str, least: set[str]) -> None:
    before, after = (readers(with_passwords("kubernetes", changed), secret_name) for changed in ("", generated))
    assert set(before) == set(after) >= least
    unchanged = [name for name in before if before[name] == after[name]]
    assert not unchanged
    for template in before.values():
        assert ANNOTATION in template["metadata"]["annotations"]
        assert "password of" not in str(template)


def test_a_changed_password_replaces_the_redis_of_a_docker_host() -> None:
    def labels(changed: str) -> Any:
        return with_passwords("docker", changed).named("redis", "Container").inputs["labels"]

    assert labels("") == labels("")
    assert labels("") != labels("redis-password")


def test_a_revision_reveals_nothing_and_is_the_same_for_the_same_secrets() -> None:
    assert combined([]) == combined([ts.SecretRef(secret_name="given", key="by hand")]) == revision({})
    assert revision({"password": "hunter2"}) != revision({"password": "hunter3"})
