"""What TLS registers, as golden files, and what it promises of keys and lifetimes."""

from typing import Any

import pytest

from tests.support import Secret, golden, run_program
from tierstack.platform import DockerHost, Kubernetes
from tierstack.tls import TLS, Issuer, TLSArgs, kubernetes
from tierstack.tls.docker import common_name, renew_before_hours

pytestmark = pytest.mark.graph

DOCKER = DockerHost(name="shop")
CLUSTER = Kubernetes(name="shop")
HOSTS = ["shop.example.org", "www.example.org"]
ACME: dict[str, Any] = {"issuer": Issuer.ACME, "acme_email": "ops@example.org"}
DNS: dict[str, Any] = {"issuer": Issuer.ACME, "cluster_issuer": "letsencrypt-dns"}


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("tls-docker", TLSArgs(platform=DOCKER, hostnames=HOSTS)),
        ("tls-kubernetes-local-ca", TLSArgs(platform=CLUSTER, hostnames=HOSTS)),
        ("tls-kubernetes-acme", TLSArgs(platform=CLUSTER, hostnames=HOSTS, **ACME)),
        ("tls-kubernetes-cluster-issuer", TLSArgs(platform=CLUSTER, hostnames=["*.example.org"], **DNS)),
    ],
)
def test_what_is_registered(name: str, args: TLSArgs) -> None:
    golden(f"{name}.json", run_program(lambda: TLS("tls", args)).summary())


def test_private_keys_are_secret_wherever_they_go() -> None:
    made = run_program(lambda: TLS("tls", TLSArgs(platform=DOCKER, hostnames=HOSTS))).made
    keys = [(one.name, name, value) for one in made for name, value in one.inputs.items() if "rivateKeyPem" in name]
    assert sorted((one, name) for one, name, _ in keys) == [
        ("tls-ca", "privateKeyPem"),
        ("tls-certificate", "caPrivateKeyPem"),
        ("tls-request", "privateKeyPem"),
    ]
    assert all(isinstance(value, Secret) for _, _, value in keys)


def test_on_kubernetes_no_key_passes_through_the_engine() -> None:
    for extra in ({}, ACME):
        made = run_program(lambda extra=extra: TLS("tls", TLSArgs(platform=CLUSTER, hostnames=HOSTS, **extra))).made
        assert not [
            one.name for one in made if one.type.startswith(("tls:", "random:")) or one.type.endswith(":Secret")
        ]


@pytest.mark.parametrize(
    ("days", "percent", "hours"), [(90, 34, 734), (90, 50, 1080), (1, 5, 1), (825, 90, 17820), (None, 34, 734)]
)
def test_renewal_is_a_share_of_the_lifetime(days: int | None, percent: int, hours: int) -> None:
    args = TLSArgs(platform=DOCKER, hostnames=HOSTS, lifetime_days=days, renew_before_percent=percent)
    assert renew_before_hours(args) == hours
    certificate = kubernetes.manifests("tls", args)["tls-certificate"]["spec"]
    assert certificate["renewBeforePercentage"] == percent


def test_a_ca_outlives_what_it_signs() -> None:
    args = TLSArgs(platform=CLUSTER, hostnames=HOSTS, lifetime_days=30, ca_lifetime_days=365)
    ca = kubernetes.manifests("tls", args)["tls-ca-certificate"]["spec"]
    assert (ca["duration"], ca["renewBefore"]) == ("8760h0m0s", "720h0m0s")


def test_a_public_certificate_does_not_wait_for_the_gateway_that_answers_its_challenge() -> None:
    local = kubernetes.manifests("tls", TLSArgs(platform=CLUSTER, hostnames=HOSTS))["tls-certificate"]
    public = kubernetes.manifests("tls", TLSArgs(platform=CLUSTER, hostnames=HOSTS, **ACME))["tls-certificate"]
    assert "pulumi.com/waitFor" in local["metadata"]["annotations"]
    assert "annotations" not in public["metadata"]
    assert "duration" not in public["spec"]


def test_a_long_first_hostname_is_no_common_name() -> None:
    assert common_name(["a" * 52 + ".example.org"]) == "a" * 52 + ".example.org"
    assert common_name(["a" * 53 + ".example.org"]) is None
