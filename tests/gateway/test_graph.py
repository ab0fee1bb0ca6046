"""What Gateway registers on both platforms, and that nothing but the certificate's file knows the key."""

import json
from typing import Any

import pytest

from tests.gateway.samples import given
from tests.support import Recorder, Secret, golden, run_program
from tierstack.gateway import Gateway, GatewayArgs
from tierstack.platform.proxy import traefik

pytestmark = pytest.mark.graph


def made(on: str, **changes: Any) -> Recorder:
    return run_program(lambda: Gateway("gateway", GatewayArgs(**given(on, **changes))))


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_golden(on: str) -> None:
    golden(f"gateway-{on}.json", made(on).summary())


def test_the_key_is_secret_wherever_it_goes() -> None:
    recorder = made("docker")
    files = recorder.named("gateway-files").inputs["files"]
    assert isinstance(files, Secret)
    assert "the key" in str(files.value)
    clear = json.dumps([one.inputs for one in recorder.made], default=lambda value: f"({type(value).__name__})")
    assert "the key" not in clear


def test_what_is_read_at_the_start_replaces_the_container_and_nothing_else_does() -> None:
    def container(**changes: Any) -> dict[str, Any]:
        return made("docker", **changes).named("gateway", "Container").inputs

    renewed = given("docker")["certificate"]
    renewed.certificate_pem = "another chain"
    assert container(certificate=renewed) == container()
    assert container(trusted_proxies=["10.0.0.0/8"])["labels"] != container()["labels"]


def test_static_configuration() -> None:
    found = json.loads(traefik.static(18443, ["10.0.0.0/8"], 20))
    points = found["entryPoints"]
    assert points["http"]["http"]["redirections"]["entryPoint"]["to"] == ":18443", "the port that clients see"
    assert points["https"]["forwardedHeaders"] == {"trustedIPs": ["10.0.0.0/8"]}
    assert points["https"]["transport"]["lifeCycle"]["graceTimeOut"] == "20s"
    assert points["https"]["transport"]["respondingTimeouts"]["readTimeout"] == "300s"
    assert found["accessLog"]["fields"]["headers"] == {"defaultMode": "drop"}
    logged = found["accessLog"]["fields"]
    assert logged["defaultMode"] == "drop"
    assert not [name for name in logged["names"] if "Path" in name or "Line" in name or "Username" in name]
    for point in ("http", "https"):
        assert points[point]["transport"]["respondingTimeouts"]["idleTimeout"] == "60s"
        assert points[point]["http"]["encodedCharacters"]["allowEncodedNullCharacter"] is False
    assert found["providers"]["file"]["directory"].endswith("/dynamic")
    ports = [int(point["address"].removeprefix(":")) for point in points.values()]
    assert min(ports) > 1023, "nothing runs as root"


def test_certificate_and_key_are_in_one_file() -> None:
    found = json.loads(traefik.tls("chain", "key"))["tls"]
    assert found["certificates"] == [{"certFile": "chain", "keyFile": "key"}]
    assert found["options"]["default"]["minVersion"] == "VersionTLS12"
    assert all("ECDHE" in cipher for cipher in found["options"]["default"]["cipherSuites"])
