"""What MtaStsHost registers on both platforms, and that the record follows the policy."""

import json
from typing import Any

import pytest

from tests.gateway.samples import endpoint
from tests.mta_sts_host.samples import POLICY, given
from tests.support import UNKNOWN, Recorder, Secret, golden, run_program
from tierstack.dns_records import DNSRecords, DNSRecordsArgs
from tierstack.mta_sts_host import MtaStsHost, MtaStsHostArgs, server

pytestmark = pytest.mark.graph


def made(on: str, **changes: Any) -> Recorder:
    return run_program(lambda: MtaStsHost("mta-sts", MtaStsHostArgs(**given(on, **changes))))


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_golden(on: str) -> None:
    golden(f"mta-sts-host-{on}.json", made(on).summary())


def test_another_policy_changes_files_and_no_container() -> None:
    other = POLICY.replace("enforce", "testing")
    one, two = made("docker"), made("docker", policy=other)
    assert one.named("mta-sts", "Container").inputs == two.named("mta-sts", "Container").inputs
    files = two.named("mta-sts-files").inputs["files"]
    assert isinstance(files, Secret)
    assert files.value["mta-sts.txt"] == other


def test_another_policy_rolls_the_pods() -> None:
    names = [
        made("kubernetes", policy=policy).named("mta-sts-config").inputs["metadata"]["name"]
        for policy in (POLICY, POLICY.replace("enforce", "testing"))
    ]
    assert len(set(names)) == 2


def test_the_route_goes_before_those_of_wildcards() -> None:
    found = json.loads(server.traefik_file("mta-sts", "mta-sts.example.org", "https", "shop-mta-sts:8080"))["http"]
    (router,) = found["routers"].values()
    assert router["rule"] == "Host(`mta-sts.example.org`)"
    assert router["priority"] > len("HostRegexp(`^[a-z0-9-]+.example.org$`)")
    assert "middlewares" not in router, "senders follow no redirect (RFC 8461 §3.3)"


def test_where_the_policy_is() -> None:
    args = [MtaStsHostArgs(**given("docker", gateway=endpoint("docker", https_port=port))) for port in (443, 8443)]
    assert [one.url for one in args] == [
        "https://mta-sts.example.org/.well-known/mta-sts.txt",
        "https://mta-sts.example.org:8443/.well-known/mta-sts.txt",
    ]


@pytest.mark.parametrize("on", ["docker", "kubernetes"])
def test_the_record_is_written_after_its_policy_is_served(on: str) -> None:
    """RFC 8461 §8.2: a sender that sees the new id must find the new policy."""

    def program() -> None:
        dns = DNSRecordsArgs(
            domain="example.org",
            web=[{"ipv4": ["198.51.100.1"]}],  # type: ignore[list-item]
            mail={"fastmail": {}, "mta_sts": {}},  # type: ignore[arg-type]
        )
        from tierstack.core.checked import checked

        loaded = checked(DNSRecordsArgs, dns, "dns")
        assert loaded.mta_sts_policy
        host = MtaStsHost("mta-sts", MtaStsHostArgs(**given(on, policy=loaded.mta_sts_policy)))
        loaded.mta_sts_url = host.url
        DNSRecords("dns", loaded)

    zone = run_program(program).named("dns-zone")
    assert ("mta-sts-route" in zone.depends_on) is True
    record = zone.inputs["records"]["_mta-sts.example.org TXT"]
    assert record != UNKNOWN
    assert record[0].startswith("3600 v=STSv1; id=")
