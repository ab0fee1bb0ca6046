"""DNSRecords as a component: what it registers, what it outputs, and what it refuses before it registers
anything."""

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import pulumi
import pytest
from pulumi.runtime import rpc

from tests.dns_records.samples import CASES
from tierstack.core.errors import ArgumentError
from tierstack.dns_records import (
    BrevoArgs,
    DkimAlgorithm,
    DkimKeyArgs,
    DNSRecords,
    DNSRecordsArgs,
    MailArgs,
    OwnMailServerArgs,
    WebHostArgs,
)

pytestmark = pytest.mark.graph


class Recorder(pulumi.runtime.Mocks):
    """Keeps what is registered."""

    def __init__(self) -> None:
        self.made: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        self.made.append(args)
        if args.typ == "tls:index/privateKey:PrivateKey":
            kind = "rsa2048" if args.inputs["algorithm"] == "RSA" else "ed25519"
            made = {"publicKeyPem": (CASES / f"{kind}.pub.pem").read_text(), "privateKeyPemPkcs8": f"of {args.name}"}
            return f"{args.name}-id", {**args.inputs, **made}
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
    assert {"code", "severity", "path", "message", "hint", "source"} == set(outputs["findings"][0])


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


def own_server(**changes: Any) -> MailArgs:
    keys = [
        DkimKeyArgs(selector="A", generate=DkimAlgorithm.RSA),
        DkimKeyArgs(selector="e", generate=DkimAlgorithm.ED25519),
        DkimKeyArgs(selector="old", generate=DkimAlgorithm.RSA, withdrawn=True),
    ]
    return MailArgs(own_server=OwnMailServerArgs(**{"ipv4": ["198.51.100.20"], "dkim": keys, **changes}))


def test_generated_keys_are_published_and_those_that_sign_are_handed_on() -> None:
    recorder, outputs = run(lambda: DNSRecords("mail", args(mail=own_server(sign_with=["e", "a"]))))
    made = {one.name: (one.typ.rpartition(":")[2], one.inputs) for one in recorder.made}
    names = list(made)
    assert names[:2] == ["mail", "mail-dkim"], "the memory comes first"
    assert sorted(names[2:4]) == ["mail-dkim-a", "mail-dkim-e"], "neither key waits for the other"
    assert names[4:] == ["mail-zone"]
    assert made["mail-dkim-a"] == ("PrivateKey", {"algorithm": "RSA", "rsaBits": 2048})
    assert made["mail-dkim-e"] == ("PrivateKey", {"algorithm": "ED25519"})
    memory = dict(made["mail-dkim"][1])
    memory.pop("__provider")
    published = {"a": "generated rsa", "e": "generated ed25519", "old": "withdrawn"}
    assert memory == {"domain": "example.org", "published": published, "signing": ["e", "a"]}
    records = made["mail-zone"][1]["records"]
    assert records["a._domainkey.example.org TXT"][0].startswith("3600 v=DKIM1; k=rsa; p=MII")
    assert records["e._domainkey.example.org TXT"][0].startswith("3600 v=DKIM1; k=ed25519; p=")
    assert records["old._domainkey.example.org TXT"] == ["3600 v=DKIM1; p="]
    assert outputs["dkim_signing_keys"] == {"e": "of mail-dkim-e", "a": "of mail-dkim-a"}


def test_a_private_key_is_a_secret_and_a_domain_without_keys_has_none() -> None:
    async def secret() -> bool:
        return await DNSRecords("mail", args(mail=own_server())).dkim_signing_keys.is_secret()

    pulumi.runtime.set_mocks(Recorder())
    assert asyncio.get_event_loop().run_until_complete(secret())
    recorder, outputs = run(lambda: DNSRecords("mail", args()))
    assert outputs["dkim_signing_keys"] == {}
    assert [one.name for one in recorder.made] == ["mail", "mail-zone"]


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
        {"ttl": -1},
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
