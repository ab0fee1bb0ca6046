"""DNSRecords as a component: what it registers, what it outputs, and what it refuses before it registers
anything."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from tierstack.dns_records import BrevoArgs, DNSRecords, DNSRecordsArgs, MailArgs, WebHostArgs
from tierstack.errors import ArgumentError

pytestmark = pytest.mark.graph


class Recorder(pulumi.runtime.Mocks):
    """Keeps what is registered."""

    def __init__(self) -> None:
        self.made: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made.append(args)
        return f"{args.name}-id", args.inputs

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        raise AssertionError(f"asks for {args.token}")


def run(program: Callable[[], DNSRecords], *, preview: bool = False) -> tuple[Recorder, dict[str, Any]]:
    """What a program registers, and the outputs of its component (absent where unknown)."""
    recorder = Recorder()
    outputs: dict[str, Any] = {}
    pulumi.runtime.set_mocks(recorder, preview=preview)

    def body() -> pulumi.Output[None]:
        component = program()
        named = {name: getattr(component, name) for name in DNSRecords.__annotations__}
        return pulumi.Output.all(
            *(value.apply(functools.partial(outputs.__setitem__, name)) for name, value in named.items())
        )

    pulumi.runtime.test(body)()
    return recorder, outputs


def args(**changes: Any) -> DNSRecordsArgs:
    return DNSRecordsArgs(
        **{
            "domain": "example.org",
            "web": [WebHostArgs(ipv4=["198.51.100.1"]), WebHostArgs(host="www", alias="@")],
            "mail": MailArgs(brevo=BrevoArgs()),
            **changes,
        }
    )


RECORDS = {
    "_dmarc.example.org TXT": ["3600 v=DMARC1; p=none; rua=mailto:rua@dmarc.brevo.com"],
    "brevo1._domainkey.example.org CNAME": ["3600 b1.example-org.dkim.brevo.com."],
    "brevo2._domainkey.example.org CNAME": ["3600 b2.example-org.dkim.brevo.com."],
    "example.org A": ["3600 198.51.100.1"],
    "example.org TXT": ["3600 v=spf1 include:spf.brevo.com ~all"],
    "www.example.org CNAME": ["3600 example.org."],
}


def test_tokens_names_and_inputs_are_pinned() -> None:
    recorder, _ = run(lambda: DNSRecords("mail", args(zone_file_path="zones/example.org.zone")))
    assert [(one.typ, one.name) for one in recorder.made] == [
        ("tierstack:index:DNSRecords", "mail"),
        ("pulumi-python:dynamic/tierstack:ZoneRecords", "mail-zone"),
    ]
    inputs = dict(recorder.made[1].inputs)
    inputs.pop("__provider")
    assert inputs == {
        "domain": "example.org",
        "ttl": 3600,
        "records": RECORDS,
        "zone_file_path": "zones/example.org.zone",
    }


def test_outputs() -> None:
    _, outputs = run(lambda: DNSRecords("mail", args()))
    assert outputs["records"] == RECORDS
    assert outputs["zone_file"].startswith("$ORIGIN example.org.\n$TTL 3600\n@ IN A 198.51.100.1\n")
    assert "SPF takes 1 of 10 lookups" in outputs["summary"]
    assert outputs["mta_sts_policy"] == ""
    assert {"severity", "code", "subject", "message", "source", "fix"} == set(outputs["findings"][0])


def test_the_dict_of_the_component_host_gives_the_same() -> None:
    plain: Any = {
        "domain": "example.org",
        "ttl": 3600.0,
        "web": [{"ipv4": ["198.51.100.1"]}, {"host": "www", "alias": "@"}],
        "mail": {"brevo": {}, "spfPolicy": "softfail"},
    }
    recorder, _ = run(lambda: DNSRecords("mail", plain))
    assert recorder.made[1].inputs["records"] == RECORDS


def test_the_serialized_provider_never_changes() -> None:
    one, two = (run(lambda: DNSRecords("mail", args()))[0].made[1].inputs["__provider"] for _ in range(2))
    assert one == two


def unknown() -> pulumi.Output[str]:
    async def value(result: Any) -> Any:
        return result

    return pulumi.Output(set(), value(rpc.UNKNOWN), value(False))


def test_an_address_of_another_resource_is_filled_in() -> None:
    late = args(web=[WebHostArgs(ipv4=[pulumi.Output.from_input("198.51.100.7"), "198.51.100.8"])])
    recorder, outputs = run(lambda: DNSRecords("mail", late))
    wanted = ["3600 198.51.100.7", "3600 198.51.100.8"]
    assert recorder.made[1].inputs["records"]["example.org A"] == wanted
    assert outputs["records"]["example.org A"] == wanted
    assert "@ IN A 198.51.100.7\n" in outputs["zone_file"]


def test_only_the_late_record_is_unknown_at_preview() -> None:
    late = args(web=[WebHostArgs(ipv4=[unknown()]), WebHostArgs(host="www", alias="@")])
    recorder, outputs = run(lambda: DNSRecords("mail", late), preview=True)
    records = recorder.made[1].inputs["records"]
    assert records.pop("example.org A", None) in (None, rpc.UNKNOWN)
    assert records == {key: value for key, value in RECORDS.items() if key != "example.org A"}
    assert "zone_file" not in outputs


def test_a_bad_address_of_another_resource_fails_the_update() -> None:
    late = args(web=[WebHostArgs(ipv4=[pulumi.Output.from_input("lb.example.net")])])
    # The engine's own wrapping stands around the ArgumentError here, for it happens while inputs are serialized.
    with pytest.raises(ValueError, match=r"`lb\.example\.net` is not an IPv4 address"):
        run(lambda: DNSRecords("mail", late))


def test_the_rest_is_judged_although_an_address_is_unknown() -> None:
    late = args(web=[WebHostArgs(ipv4=[unknown()]), WebHostArgs(host="www")])
    with pytest.raises(ArgumentError, match="has neither an alias nor an address"):
        run(lambda: DNSRecords("mail", late), preview=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"domain": "localhost"},
        {"ttl": 0},
        {"web": [WebHostArgs(alias="shop.example.net.")]},
        {"mail": MailArgs()},
    ],
    ids=["domain", "ttl", "alias at the apex", "mail without a provider"],
)
def test_nothing_is_registered_when_something_is_wrong(changes: dict[str, Any]) -> None:
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder)
    with pytest.raises(ArgumentError, match='DNSRecords "mail": '):
        DNSRecords("mail", args(**changes))
    asyncio.get_event_loop().run_until_complete(pulumi.runtime.stack.wait_for_rpcs())
    assert not recorder.made
