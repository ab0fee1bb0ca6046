"""ACME by cert-manager: Pebble issues and BIND takes the updates, both on this machine, beside the cluster."""

import base64
import json
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography import x509

from devcluster.cluster import Cluster
from devcluster.machine import HOST
from tests.cluster.shop import kubectl, wait_until
from tests.support import Stack
from tests.tls.servers import DOMAIN, EAB_ID, EAB_KEY, KEY_NAME, KEY_SECRET, Authority, authority

pytestmark = pytest.mark.needs("pebble", "named")

NAME = "t-tls"
PLAIN, WILD = f"plain.{DOMAIN}", f"*.{DOMAIN}"
PROGRAM = """\
import pulumi
from tierstack.dns_records.publish.args import Rfc2136Args
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform import DataProtection, Kubernetes
from tierstack.links import GatewayIdentity
from tierstack.tls import TLS, ACMEArgs, ExternalAccountArgs, TLSArgs

platform = Kubernetes(name="{name}", data_protection=DataProtection.NONE)
common = dict(platform=platform, gateway=GatewayIdentity(name="gateway"))
account = dict(
    email="ops@{domain}", server="{directory}", ca={ca!r},
    eab=ExternalAccountArgs(key_id="{eab_id}", hmac_key=pulumi.Output.secret("{eab_key}")),
)
dns = Rfc2136Args(
    server="{address}", port={dns_port}, key_name="{key}", key_secret=pulumi.Output.secret("{secret}"))
plain = TLS("plain", TLSArgs(**common, hostnames=["{plain}"], acme=ACMEArgs(**account)))
wild = TLS("wild", TLSArgs(**common, hostnames=["{wild}"], acme=ACMEArgs(**account, dns=dns)))
Gateway("gateway", GatewayArgs(platform=platform, certificate=plain.certificate))
Gateway("second", GatewayArgs(platform=platform, certificate=wild.certificate))
"""


def load_balancer() -> str:
    """The address that the cluster's Traefik has."""
    template = "go-template={{range .status.loadBalancer.ingress}}{{.ip}}{{end}}"
    return kubectl("-n", "traefik", "get", "service", "traefik", "-o", template).strip()


@contextmanager
def asking(ca: Authority) -> Iterator[None]:
    """cert-manager looks up names in our BIND alone, before it asks the CA to; afterwards where it did before."""
    where = ("get", "-n", "cert-manager", "deployment", "cert-manager", "-o", "json")
    before = json.loads(kubectl(*where))["spec"]["template"]["spec"]["containers"][0]["args"]
    flags = [
        f"--dns01-recursive-nameservers={ca.resolver}",
        "--dns01-recursive-nameservers-only",
        f"--acme-http01-solver-nameservers={ca.resolver}",
    ]

    def start(arguments: list[str]) -> None:
        path = "/spec/template/spec/containers/0/args"
        patch = json.dumps([{"op": "replace", "path": path, "value": arguments}])
        kubectl("-n", "cert-manager", "patch", "deployment", "cert-manager", "--type=json", "-p", patch)
        kubectl("-n", "cert-manager", "rollout", "status", "deployment/cert-manager", "--timeout=180s")

    start([*before, *flags])
    try:
        yield
    finally:
        start(before)


@pytest.fixture(scope="module")
def site(own: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Authority]]:
    folder = tmp_path_factory.mktemp("tls")
    (folder / "stack").mkdir()
    stack = Stack(folder / "stack", "tls")
    with (
        authority(folder / "ca", http_port=80, reject_percent=50, eab=True, address=HOST, web=load_balancer()) as ca,
        asking(ca),
    ):
        stack.write(
            PROGRAM.format(
                name=NAME,
                domain=DOMAIN,
                directory=ca.directory,
                ca=ca.server_ca,
                plain=PLAIN,
                wild=WILD,
                address=ca.address,
                dns_port=ca.dns_port,
                key=KEY_NAME,
                secret=KEY_SECRET,
                eab_id=EAB_ID,
                eab_key=EAB_KEY,
            )
        )
        try:
            stack.up()
            yield stack, ca
        finally:
            stack.destroy()


@pytest.mark.parametrize(("name", "host"), [("plain", PLAIN), ("wild", f"any.{DOMAIN}")])
def test_a_certificate_is_issued_and_shown(site: tuple[Stack, Authority], name: str, host: str) -> None:
    _, ca = site
    kubectl("-n", NAME, "wait", f"certificate/{name}-certificate", "--for=condition=Ready", "--timeout=300s")
    trust = ssl.create_default_context(cadata=ca.roots())

    def shown() -> bool:
        try:
            with (
                socket.create_connection((load_balancer(), 443), timeout=10) as plain,
                trust.wrap_socket(plain, server_hostname=host),
            ):
                return True
        except (ssl.SSLError, ConnectionError):
            return False

    wait_until(f"the gateway shows a certificate for {host}", shown, 60)
    secret = json.loads(kubectl("-n", NAME, "get", "secret", f"{name}-certificate", "-o", "json"))
    assert secret["type"] == "kubernetes.io/tls"
    leaf = x509.load_pem_x509_certificate(base64.b64decode(secret["data"]["tls.crt"]))
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == [PLAIN if name == "plain" else WILD]


def test_nothing_changes_and_nothing_is_told(site: tuple[Stack, Authority]) -> None:
    stack, _ = site
    stack.preview("--expect-no-changes")
    state = stack.state()
    assert KEY_SECRET not in state
    assert EAB_KEY not in state
