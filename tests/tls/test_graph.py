"""What TLS registers, as golden files, and what it promises of keys and lifetimes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import Recorder, Secret, golden, run_program
from tests.tls.pairs import Pair
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.links import GatewayIdentity
from tierstack.platform import DockerHost, Kubernetes, Platform
from tierstack.tls import TLS, ACMEArgs, ExternalAccountArgs, GivenCertificateArgs, LocalCAArgs, TLSArgs, kubernetes
from tierstack.tls.docker import common_name, renew_before_hours

pytestmark = pytest.mark.graph

DOCKER = DockerHost(name="shop")
CLUSTER = Kubernetes(name="shop")
HOSTS = ["shop.example.org", "www.example.org"]
ACME: dict[str, Any] = {"acme": ACMEArgs(email="ops@shop.example"), "gateway": GatewayIdentity(name="edge")}
DNS_01 = ACMEArgs(
    email="ops@shop.example",
    dns=Rfc2136Args(server="192.0.2.53", key_name="acme", key_secret="dGhlIFRTSUcga2V5"),
    eab=ExternalAccountArgs(key_id="kid", hmac_key="dGhlIGFjY291bnQncyBrZXk"),
)
UPDATES: dict[str, Any] = {**ACME, "acme": DNS_01}
RENDERED = Kubernetes(name="shop", render_to="out", secret_store="vault")


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("tls-docker", TLSArgs(platform=DOCKER, hostnames=HOSTS)),
        ("tls-kubernetes-local-ca", TLSArgs(platform=CLUSTER, hostnames=HOSTS)),
        ("tls-kubernetes-acme", TLSArgs(platform=CLUSTER, hostnames=HOSTS, **ACME)),
        (
            "tls-kubernetes-cluster-issuer",
            TLSArgs(platform=CLUSTER, hostnames=["*.example.org"], cluster_issuer="letsencrypt-dns"),
        ),
        ("tls-kubernetes-dns-01", TLSArgs(platform=CLUSTER, hostnames=["*.example.org", "a.example.org"], **UPDATES)),
        ("tls-rendered-dns-01", TLSArgs(platform=RENDERED, hostnames=["*.example.org"], **UPDATES)),
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


@pytest.mark.parametrize(("days", "percent", "hours"), [(90, 34, 734), (90, 50, 1080), (1, 5, 1), (825, 90, 17820)])
def test_renewal_is_a_share_of_the_lifetime(days: int, percent: int, hours: int) -> None:
    ca = LocalCAArgs(lifetime_days=days)
    args = TLSArgs(platform=DOCKER, hostnames=HOSTS, local_ca=ca, renew_before_percent=percent)
    assert renew_before_hours(days, percent) == hours
    certificate = kubernetes.manifests("tls", args)["tls-certificate"]["spec"]
    assert certificate["renewBeforePercentage"] == percent


def test_a_ca_outlives_what_it_signs() -> None:
    own = LocalCAArgs(lifetime_days=30, ca_lifetime_days=365)
    args = TLSArgs(platform=CLUSTER, hostnames=HOSTS, local_ca=own)
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


def front(args: TLSArgs) -> Recorder:
    """A certificate on Docker, and the Gateway that shows it."""

    def program() -> None:
        tls = TLS("tls", args)
        image = f"sha256:{'0' * 64}"
        Gateway("gateway", GatewayArgs(platform=DOCKER, certificate=tls.certificate, image=image, tools_image=image))

    return run_program(program)


def test_acme_on_docker_is_the_gateway_s() -> None:
    made = front(TLSArgs(platform=DOCKER, hostnames=["*.example.org", "example.org", "a.example.org"], **UPDATES))
    golden("tls-docker-acme.json", made.summary())
    files = made.named("gateway-files").inputs["files"].value
    tls = json.loads(files["dynamic/tls.yaml"])["tls"]
    assert tls["stores"]["default"]["defaultGeneratedCert"]["domain"] == {
        "main": "*.example.org",
        "sans": ["example.org"],
    }, "without what the wildcard covers"


def test_secrets_of_acme_are_in_files_alone() -> None:
    for platform in (DOCKER, CLUSTER, RENDERED):
        args = TLSArgs(platform=platform, hostnames=["*.example.org"], **UPDATES)
        made = (front(args) if platform is DOCKER else run_program(lambda args=args: TLS("tls", args))).made
        clear = json.dumps([one.inputs for one in made], default=lambda value: f"({type(value).__name__})")
        assert "dGhlIFRTSUcga2V5" not in clear
        assert "dGhlIGFjY291bnQncyBrZXk" not in clear


def container(args: TLSArgs) -> dict[str, Any]:
    return front(args).named("gateway", "Container").inputs


def test_what_traefik_reads_at_the_start_only_replaces_its_container() -> None:
    first = container(TLSArgs(platform=DOCKER, hostnames=HOSTS, **UPDATES))
    dns = Rfc2136Args(server="192.0.2.53", key_name="acme", key_secret="YW5vdGhlciBUU0lHIGtleQ==")
    assert container(TLSArgs(platform=DOCKER, hostnames=HOSTS, acme=replace(DNS_01, dns=dns))) != first
    other = replace(DNS_01, server="https://ca.example.org/dir")
    assert container(TLSArgs(platform=DOCKER, hostnames=HOSTS, acme=other)) != first
    assert container(TLSArgs(platform=DOCKER, hostnames=[*HOSTS, "b.example.org"], **UPDATES)) == first


@pytest.mark.parametrize("platform", [DOCKER, CLUSTER, RENDERED], ids=["docker", "kubernetes", "rendered"])
def test_a_given_certificate(platform: Platform, tmp_path: Path) -> None:
    pair = Pair.make(HOSTS)
    (tmp_path / "chain.pem").write_text(pair.chain)
    args = TLSArgs(
        platform=platform,
        hostnames=HOSTS,
        given=GivenCertificateArgs(certificate_path=str(tmp_path / "chain.pem"), private_key_pem=pair.key),
    )
    made = front(args) if platform is DOCKER else run_program(lambda: TLS("tls", args))
    clear = json.dumps([one.inputs for one in made.made], default=lambda value: f"({type(value).__name__})")
    assert pair.key.splitlines()[1] not in clear
    if platform is DOCKER:
        files = made.named("gateway-files").inputs["files"].value
        assert json.loads(files["dynamic/tls.yaml"])["tls"]["certificates"] == [
            {"certFile": pair.chain, "keyFile": pair.key}
        ]
    elif platform is CLUSTER:
        secret = made.named("tls-certificate").inputs
        assert secret["type"] == "kubernetes.io/tls"
        assert secret["stringData"] == Secret({"tls.crt": pair.chain, "tls.key": pair.key})
    else:
        secret = made.named("tls-certificate").inputs
        assert secret["kind"] == "ExternalSecret"
        assert secret["spec"]["target"] == {"name": "tls-certificate", "template": {"type": "kubernetes.io/tls"}}


@pytest.mark.parametrize(
    ("platform", "extra", "expression"),
    [
        (DOCKER, {}, 'max(traefik_tls_certs_not_after{sans="shop.example.org,www.example.org"}) - time() < 1321920'),
        (DOCKER, ACME, 'max(traefik_tls_certs_not_after{sans="shop.example.org,www.example.org"}) - time() < 1321920'),
        (
            CLUSTER,
            ACME,
            '(certmanager_certificate_renewal_timestamp_seconds{namespace="shop",name="tls-certificate"} + '
            'certmanager_certificate_expiration_timestamp_seconds{namespace="shop",name="tls-certificate"}) / 2 < time()',
        ),
    ],
    ids=["docker", "docker-acme", "kubernetes"],
)
def test_an_alarm_is_raised_when_half_of_the_time_to_renew_is_over(
    platform: Platform, extra: dict[str, Any], expression: str
) -> None:
    """A third of 90 days is 30.6 days; half of that is 1321920 s."""
    made = run_program(lambda: TLS("tls", TLSArgs(platform=platform, hostnames=HOSTS, **extra)))
    (group,) = yaml.safe_load(made.named("tls").outputs["alert_rules"])["groups"]
    assert group["rules"][0]["expr"] == expression
    assert group["rules"][1]["expr"].startswith("absent(")
