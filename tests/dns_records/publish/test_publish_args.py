"""Where records are published: wrong arguments with their whole messages, and what the resource is given."""

import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.dns_records.samples import CASES
from tests.support import Recorder, Secret, golden, refused, run_program
from tierstack.core.arguments import load
from tierstack.dns_records import (
    CloudflareArgs,
    DNSRecords,
    DNSRecordsArgs,
    ExternalDnsArgs,
    PowerDnsArgs,
    PublishArgs,
    Rfc2136Args,
    Route53Args,
    WebHostArgs,
    WebSwitchArgs,
    WebTargetArgs,
)
from tierstack.dns_records.options import CaaArgs, DnsRecordArgs
from tierstack.dns_records.publish import args as publish_args
from tierstack.dns_records.publish.hosts import Host
from tierstack.platform import DataProtection, Kubernetes

DATA = yaml.safe_load((CASES / "wrong_publish.yaml").read_text())
RFC2136 = Rfc2136Args(server="ns1.example.net", key_name="tierstack", key_secret="c2VjcmV0")


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_wrong_arguments_name_the_path_and_the_remedy(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_args, "installed", lambda _: True)
    args, problems = load(DNSRecordsArgs, {"domain": "shop.example", **case["args"]})
    assert not problems
    assert isinstance(args, DNSRecordsArgs)
    assert [str(one) for one in args.problems()] == case["messages"]


def test_a_host_whose_package_is_absent_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish_args, "installed", lambda host: host != "route53")
    (problem,) = PublishArgs(route53=Route53Args()).problems("shop.example")
    assert str(problem) == (
        "publish.route53: needs a package that is not installed; pip install 'tierstack[dns-route53]'"
    )


def args(publish: PublishArgs | None, **changes: Any) -> DNSRecordsArgs:
    web = [WebHostArgs(ipv4=["198.51.100.1"]), WebHostArgs(host="www", alias="@")]
    return DNSRecordsArgs(**{"domain": "shop.example", "web": web, "publish": publish, **changes})


def zone_of(made: Recorder) -> Any:
    return made.named("dns-zone")


def test_the_package_needs_no_octodns_unless_it_publishes() -> None:
    absent = "import sys; sys.modules.update(dict.fromkeys(('octodns', 'octodns_bind')))"
    subprocess.run([sys.executable, "-c", f"{absent}; import tierstack.dns_records"], check=True)


@pytest.mark.graph
def test_a_published_zone_holds_where_it_goes_and_its_secret_as_one() -> None:
    one = zone_of(run_program(lambda: DNSRecords("dns", args(PublishArgs(rfc2136=RFC2136)))))
    assert one.inputs["publish"] == {
        "host": "rfc2136",
        "zone": "shop.example",
        "settings": {
            "host": "ns1.example.net",
            "port": 53,
            "key_name": "tierstack",
            "key_algorithm": "hmac-sha256",
            "timeout": 15,
        },
    }
    assert one.inputs["credentials"] == Secret({"key_secret": "c2VjcmV0"})
    assert set(one.inputs) == {"__provider", "credentials", "domain", "publish", "records", "ttl"}
    assert one.options == {"protect": True}


@pytest.mark.graph
@pytest.mark.parametrize(
    ("protection", "options"),
    [
        (DataProtection.NONE, {}),
        (DataProtection.PROTECT, {"protect": True}),
        (DataProtection.RETAIN, {"protect": True, "retainOnDelete": True}),
    ],
)
def test_protection_is_that_of_the_platform(protection: DataProtection, options: dict[str, bool]) -> None:
    publish = PublishArgs(rfc2136=RFC2136, data_protection=protection)
    assert zone_of(run_program(lambda: DNSRecords("dns", args(publish)))).options == options


@pytest.mark.graph
def test_flags_stand_in_the_inputs_only_when_they_are_raised() -> None:
    publish = PublishArgs(rfc2136=RFC2136, adopt=["*"], max_delete_percent=80, allow_ns_changes=True)
    inputs = zone_of(run_program(lambda: DNSRecords("dns", args(publish)))).inputs
    assert (inputs["adopt"], inputs["max_delete_percent"], inputs["allow_ns_changes"]) == (["*"], 80, True)


@pytest.mark.graph
def test_a_switch_leads_to_its_active_place_with_a_low_ttl_while_it_is_planned() -> None:
    targets = {"blue": WebTargetArgs(ipv4=["192.0.2.1"]), "green": WebTargetArgs(ipv4=["192.0.2.2"])}
    for plan, wanted in (
        ({"active": "blue"}, ["3600 192.0.2.1"]),
        ({"active": "blue", "next": "green"}, ["60 192.0.2.1"]),
        ({"active": "green", "next": "blue"}, ["60 192.0.2.2"]),
        ({"active": "green"}, ["3600 192.0.2.2"]),
    ):
        web = [WebHostArgs(switch=WebSwitchArgs(targets=targets, **plan))]
        made = run_program(lambda web=web: DNSRecords("dns", args(PublishArgs(rfc2136=RFC2136), web=web)))
        assert zone_of(made).inputs["records"]["shop.example A"] == wanted
        assert zone_of(made).inputs["switches"] == {"shop.example": {"low_ttl": 60, "at_once": False}}


@pytest.mark.graph
def test_external_dns_gets_a_dnsendpoint_and_the_zone_no_host() -> None:
    publish = PublishArgs(external_dns=ExternalDnsArgs(labels={"dns": "public"}))
    given = args(
        publish,
        platform=Kubernetes(name="shop", context="prod"),
        caa=CaaArgs(issuers=["letsencrypt.org"]),
        records=[DnsRecordArgs(name="_sip._tcp", type="SRV", values=["0 1 5060 sip.example.net."])],
    )
    made = run_program(lambda: DNSRecords("dns", given))
    assert not {"publish", "credentials"} & set(zone_of(made).inputs)
    golden("dns-endpoint.json", made.named("dns-endpoint").inputs)


@pytest.mark.graph
def test_nothing_is_registered_when_the_host_is_wrong() -> None:
    problem = refused(lambda: DNSRecords("dns", args(PublishArgs())))
    assert str(problem).startswith('DNSRecords "dns": 1 problem\n  publish: names no host')


@pytest.mark.parametrize(
    ("publish", "wanted"),
    [
        (PublishArgs(cloudflare=CloudflareArgs(token="t")), {"min_ttl": 60, "pagerules": False}),
        (
            PublishArgs(powerdns=PowerDnsArgs(url="https://dns.example.net", api_key="k")),
            {"scheme": "https", "host": "dns.example.net", "port": 443, "server_id": "localhost"},
        ),
        (PublishArgs(rfc2136=RFC2136), {"host": "192.0.2.53", "port": 53, "timeout": 15.0}),
    ],
    ids=["cloudflare", "powerdns", "rfc2136"],
)
def test_the_octodns_provider_takes_what_it_is_given(publish: PublishArgs, wanted: dict[str, Any]) -> None:
    inputs = publish.inputs("shop.example")["publish"]
    if "host" in inputs["settings"] and publish.rfc2136:
        inputs["settings"]["host"] = "192.0.2.53"  # a name would be looked up
    credentials = {"cloudflare": {"token": "t"}, "powerdns": {"api_key": "k"}, "rfc2136": {"key_secret": "c2VjcmV0"}}
    provider = Host(inputs, credentials[inputs["host"]])._open()
    assert {key: getattr(provider, key) for key in wanted} == wanted
