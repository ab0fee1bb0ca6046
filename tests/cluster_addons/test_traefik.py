"""Traefik's objects: a proxy that loses no request when a pod or a node goes, under `restricted`."""

from typing import Any

import pytest

from tests.cluster_addons.samples import given
from tests.cluster_addons.test_manifests import made, of, pod
from tierstack import Addon, ClusterAddonsArgs
from tierstack.cluster_addons import ServiceType, traefik
from tierstack.gateway.args import GatewayArgs


def flags(**changes: Any) -> dict[str, str]:
    found = traefik.configuration(ClusterAddonsArgs(**given(**changes)))
    assert all(one.startswith("--") for one in found)
    return dict(one.removeprefix("--").split("=", 1) for one in found)


def test_a_gateway_fits_without_configuration() -> None:
    found = made(Addon.TRAEFIK)
    assert of("GatewayClass", found)["metadata"]["name"] == GatewayArgs.gateway_class
    assert of("Namespace", found)["metadata"]["name"] == GatewayArgs.proxy_namespace
    assert flags()["entryPoints.http.address"] == f":{GatewayArgs.http_port}"
    assert flags()["entryPoints.https.address"] == f":{GatewayArgs.https_port}"
    ports = {one["port"]: one["targetPort"] for one in of("Service", found)["spec"]["ports"]}
    assert ports == {80: "http", 443: "https"}


def test_low_ports_need_no_capability_and_high_ones_no_sysctl() -> None:
    low, high = (
        pod(made(Addon.TRAEFIK, **ports), "traefik") for ports in ({}, {"http_port": 8000, "https_port": 8443})
    )
    assert low["securityContext"]["sysctls"] == [{"name": "net.ipv4.ip_unprivileged_port_start", "value": "0"}]
    assert "sysctls" not in high["securityContext"]
    for inner in (low, high):
        assert inner["containers"][0]["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {one["containerPort"] for one in high["containers"][0]["ports"]} == {8000, 8443, traefik.INTERNAL}


def test_it_leaves_before_it_stops() -> None:
    found = flags(stop_seconds=20)
    for point in ("http", "https", "internal"):
        assert found[f"entryPoints.{point}.transport.lifeCycle.requestAcceptGraceTimeout"] == "15s"
        assert found[f"entryPoints.{point}.transport.lifeCycle.graceTimeOut"] == "20s"
    inner = pod(made(Addon.TRAEFIK, stop_seconds=20), "traefik")
    assert inner["terminationGracePeriodSeconds"] > 15 + 20
    probe = inner["containers"][0]["readinessProbe"]
    # Out of the Service, and every kept connection told to close, before it stops accepting.
    out = probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"]
    assert out + traefik.KEEP_SECONDS < traefik.LEAVE_SECONDS
    assert found["entryPoints.https.transport.keepAliveMaxTime"] == "10s"
    strategy = of("Deployment", made(Addon.TRAEFIK))["spec"]["strategy"]["rollingUpdate"]
    assert strategy == {"maxUnavailable": 0, "maxSurge": 1}


@pytest.mark.parametrize(
    ("kind", "policy"),
    [(ServiceType.LOAD_BALANCER, "Local"), (ServiceType.NODE_PORT, "Local"), (ServiceType.CLUSTER_IP, None)],
)
def test_the_client_s_address_arrives(kind: ServiceType, policy: str | None) -> None:
    spec = of("Service", made(Addon.TRAEFIK, service_type=kind))["spec"]
    assert (spec["type"], spec.get("externalTrafficPolicy")) == (kind.value, policy)


def test_nobody_s_forwarded_address_is_believed_unless_named() -> None:
    assert not [name for name in flags() if "forwardedHeaders" in name]
    assert flags(trusted_proxies=["10.0.0.0/8"])["entryPoints.https.forwardedHeaders.trustedIPs"] == "10.0.0.0/8"


def test_no_session_and_no_token_is_logged() -> None:
    found = flags()
    assert found["accessLog.fields.headers.defaultMode"] == "drop"
    assert found["accessLog.fields.defaultMode"] == "drop"
    assert not [name for name in found if name.startswith("accessLog.fields.names.Request") and "Path" in name]


def test_a_lost_server_is_given_up_soon_and_an_answer_in_its_time() -> None:
    found = flags(response_timeout_seconds=95)
    assert found["serversTransport.forwardingTimeouts.dialTimeout"] == "2s"
    assert found["serversTransport.forwardingTimeouts.responseHeaderTimeout"] == "95s"


def test_a_release_without_pods_does_not_take_the_others_away() -> None:
    assert flags()["providers.kubernetesCRD.allowEmptyServices"] == "true"


def test_the_tls_profile_is_that_of_docker() -> None:
    assert of("TLSOption", made(Addon.TRAEFIK))["spec"]["minVersion"] == "VersionTLS12"


def test_the_image_can_be_another() -> None:
    inner = pod(made(Addon.TRAEFIK, images={"docker.io/library/traefik": "tierstack.local/traefik:3.7"}), "traefik")
    assert inner["containers"][0]["image"] == "tierstack.local/traefik:3.7"
