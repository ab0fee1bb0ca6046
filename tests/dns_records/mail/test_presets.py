"""Presets of mail providers: what a vendor shows can be pasted as it is shown, and no value is older than a year."""

import ast
import base64
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.dns_records.samples import CASES, rsa_key
from tierstack.core.arguments import load
from tierstack.core.diagnostics import Diagnostic, Severity
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.mail import providers, vendors
from tierstack.dns_records.mail.dkim import pasted
from tierstack.dns_records.mail.dkim import record as dkim
from tierstack.dns_records.rules import errors
from tierstack.dns_records.zone.compose import Zone

DATA = yaml.safe_load((CASES / "pasted.yaml").read_text())
PAIR = rsa.generate_private_key(65537, 2048)
KEY = base64.b64encode(
    PAIR.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
PEM = (
    PAIR.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()
)
PRIVATE = PAIR.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
WORDS = {
    "KEY_PEM_PRIVATE": PRIVATE,
    "KEY_PEM_ONE_LINE": PEM.replace("\n", " "),
    "KEY_PEM": PEM,
    "KEY_1": KEY[:200],
    "KEY_2": KEY[200:],
    "KEY": KEY,
}


def filled(text: str) -> str:
    return re.sub("|".join(WORDS), lambda word: WORDS[word[0]], text)


def zone(domain: str = "shop.example", **args: Any) -> Zone:
    value, problems = load(DNSRecordsArgs, {"domain": domain, "web": [{"ipv4": ["203.0.113.10"]}], **args})
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    return value.zone()


def codes(found: Zone) -> list[str]:
    return [one.code for one in errors(found.findings)]


def finding(found: Zone, code: str) -> Diagnostic:
    return next(one for one in found.findings if one.code == code)


def one_of(found: Zone, name: str, kind: str) -> str:
    records = found.get(f"{name}.shop.example" if name else "shop.example", kind)
    assert records
    (value,) = records.values
    return value


@pytest.mark.parametrize("case", DATA["keys"], ids=lambda case: case["name"])
def test_a_key_is_taken_as_it_is_shown(case: dict[str, str]) -> None:
    assert pasted.key_record(filled(case["text"])) == f"v=DKIM1; k=rsa; p={KEY}"


@pytest.mark.parametrize("case", DATA["not_keys"], ids=lambda case: case["name"])
def test_what_is_no_key_is_named_and_not_repeated(case: dict[str, str]) -> None:
    text = filled(case["text"])
    with pytest.raises(dkim.KeyFormatError, match=re.escape(case["says"])) as caught:
        pasted.key_record(text)
    assert not any(word in str(caught.value) for word in re.findall(r"[A-Za-z0-9+/]{40,}", text))


@pytest.mark.parametrize("selector", ["20260101pm", "20260101pm._domainkey", "20260101pm._domainkey.shop.example"])
def test_a_selector_is_taken_as_it_is_shown(selector: str) -> None:
    mail = {"postmark": {"selector": selector, "dkim_key": f"k=rsa; p={KEY}"}, "fastmail": {}}
    assert one_of(zone(mail=mail), "20260101pm._domainkey", "TXT") == f"v=DKIM1; k=rsa; p={KEY}"


@pytest.mark.parametrize("code", ["0123456789abcdef0123456789ABCDEF", '"brevo-code:0123456789abcdef0123456789ABCDEF"'])
def test_a_code_of_brevo_keeps_its_capitals(code: str) -> None:
    texts = zone(mail={"brevo": {"code": code}, "fastmail": {}}).get("shop.example", "TXT")
    assert texts
    assert "brevo-code:0123456789abcdef0123456789ABCDEF" in texts.values


@pytest.mark.parametrize("provider", ["brevo", "postmark"])
def test_a_key_of_1024_bits_that_the_provider_gives_is_used_with_a_warning(provider: str) -> None:
    """RFC 8301 §3.2: signers must use 1024 bits and should use 2048; the customer cannot choose."""
    options = {"dkim_key": f"k=rsa;p={rsa_key(1024)}", **({"selector": "pm"} if provider == "postmark" else {})}
    found = zone(mail={provider: options, "fastmail": {}})
    assert not codes(found)
    assert finding(found, "dkim-key-short").severity is Severity.WARNING


# --- Microsoft 365


MICROSOFT = {"tenant": "contoso", "dkim_targets": ["selector1.a.example", "selector2.a.example."]}


@pytest.mark.parametrize(
    "host",
    ["shop-example.o-v1.mx.microsoft", "shop-example.o-v1.mx.microsoft.", "0 shop-example.o-v1.mx.microsoft."],
)
def test_the_mail_exchanger_of_a_new_domain_is_given(host: str) -> None:
    found = zone(mail={"microsoft": {**MICROSOFT, "mx_host": host}})
    assert one_of(found, "", "MX") == "0 shop-example.o-v1.mx.microsoft."
    assert not codes(found)
    assert "microsoft-mx" not in [one.code for one in found.findings]


def test_the_mail_exchanger_of_an_older_domain_comes_with_advice() -> None:
    found = zone(mail={"microsoft": MICROSOFT})
    assert one_of(found, "", "MX") == "0 shop-example.mail.protection.outlook.com."
    assert "microsoft-mx" in [one.code for one in found.findings]
    elsewhere = zone(mail={"microsoft": MICROSOFT, "fastmail": {}, "receive": "fastmail"})
    assert "microsoft-mx" not in [one.code for one in elsewhere.findings], "it publishes none"


@pytest.mark.parametrize("value", ["0 shop-example.o-v1.mx.microsoft.", "10 other.mail.protection.outlook.com."])
def test_a_second_mail_exchanger_of_microsoft_is_refused(value: str) -> None:
    found = zone(mail={"microsoft": MICROSOFT}, records=[{"name": "@", "type": "MX", "values": [value]}])
    assert codes(found) == ["microsoft-mx"]
    problem = next(one for one in errors(found.findings))
    assert problem.path == "records[0]"
    assert problem.hint.startswith(f"write `mail.microsoft.mx_host: {value.split()[1]}`")
    backup = [{"name": "@", "type": "MX", "values": ["10 backup.example.net."]}]
    assert not codes(zone(mail={"microsoft": MICROSOFT}, records=backup)), "a backup of another is allowed"


@pytest.mark.parametrize("host", ["198.51.100.20", "https://admin.example", "mx", "a..b"])
def test_a_mail_exchanger_that_is_no_host(host: str) -> None:
    found = zone(mail={"microsoft": {**MICROSOFT, "mx_host": host}})
    assert finding(found, "option-value").path == "mail.microsoft.mx_host"


# --- Amazon SES


@pytest.mark.parametrize(
    ("region", "domain"),
    [
        ("eu-west-1", "dkim.amazonses.com"),
        ("us-gov-west-1", "dkim.amazonses.com"),
        ("eu-south-1", "dkim.eu-south-1.amazonses.com"),
        ("il-central-1", "dkim.il-central-1.amazonses.com"),
        ("us-gov-east-1", "dkim.us-gov-east-1.amazonses.com"),
        ("Eu-South-1 ", "dkim.eu-south-1.amazonses.com"),
    ],
)
def test_keys_of_ses_are_below_the_domain_of_the_region(region: str, domain: str) -> None:
    found = zone(mail={"ses": {"region": region, "dkim_tokens": ["a", "b", "c"]}, "fastmail": {}})
    assert not codes(found)
    assert [one_of(found, f"{token}._domainkey", "CNAME") for token in "abc"] == [f"{t}.{domain}." for t in "abc"]


def test_a_region_that_nobody_knows_needs_its_dkim_domain() -> None:
    options: dict[str, Any] = {"region": "mx-central-1", "dkim_tokens": ["a", "b", "c"]}
    refused = zone(mail={"ses": options, "fastmail": {}})
    assert codes(refused) == ["ses-region"]
    assert "`SigningHostedZone`" in finding(refused, "ses-region").hint
    given = zone(mail={"ses": {**options, "dkim_domain": "dkim.mx-central-1.amazonses.com."}, "fastmail": {}})
    assert not codes(given)
    assert one_of(given, "a._domainkey", "CNAME") == "a.dkim.mx-central-1.amazonses.com."


def test_no_region_stands_in_both_lists() -> None:
    every = [*vendors.SES_REGIONS, *vendors.SES_OWN_DKIM_DOMAIN]
    assert len(every) == len(set(every)) == 29


def test_tokens_of_ses_are_taken_as_they_are_shown() -> None:
    tokens = ["a._domainkey.shop.example", "b.dkim.eu-south-1.amazonses.com", "c.dkim.eu-south-1.amazonses.com."]
    options = {"region": "eu-south-1", "dkim_tokens": tokens, "mail_from": "bounce.shop.example"}
    found = zone(mail={"ses": options, "fastmail": {}})
    assert not codes(found)
    assert one_of(found, "b._domainkey", "CNAME") == "b.dkim.eu-south-1.amazonses.com."
    assert one_of(found, "bounce", "TXT") == "v=spf1 include:amazonses.com ~all"
    elsewhere = zone(mail={"ses": {**options, "region": "eu-west-1"}, "fastmail": {}})
    assert codes(elsewhere) == ["ses-dkim-domain", "ses-dkim-domain"]


# --- Mailgun, Brevo, Postmark


@pytest.mark.parametrize("turned", [False, True])
def test_mailgun_by_its_two_aliases(turned: bool) -> None:
    targets = [f"pdk{n}._domainkey.c0e6d9.dkim1.us.mgsend.org" for n in (1, 2)]
    found = zone(mail={"mailgun": {"dkim_targets": targets[::-1] if turned else targets}, "fastmail": {}})
    assert not codes(found)
    assert [one_of(found, f"pdk{n}._domainkey", "CNAME") for n in (1, 2)] == [f"{one}." for one in targets]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"selector": "pic"},
        {"dkim_key": KEY},
        {"selector": "pic", "dkim_key": KEY, "dkim_targets": ["a.example.net", "b.example.net"]},
        {"dkim_targets": ["a.example.net"]},
    ],
    ids=["nothing", "half", "the other half", "both ways", "one target"],
)
def test_mailgun_with_too_much_or_too_little(options: dict[str, Any]) -> None:
    assert codes(zone(mail={"mailgun": options, "fastmail": {}})) == ["mailgun-dkim"]


# --- names


@pytest.mark.parametrize("name", ["www", "www.shop.example", "www.shop.example.", "WWW.Shop.Example"])
def test_an_owner_that_ends_with_the_domain_is_absolute(name: str) -> None:
    found = zone(web=[{"ipv4": ["203.0.113.10"]}, {"host": name, "ipv4": ["203.0.113.11"]}])
    assert one_of(found, "www", "A") == "203.0.113.11"


@pytest.mark.parametrize(
    ("alias", "target"),
    [
        ("@", "shop.example."),
        ("static", "static.shop.example."),
        ("shop.example", "shop.example."),
        ("static.shop.example", "static.shop.example."),
        ("shops.myshopify.com.", "shops.myshopify.com."),
        ("a.static", "a.static.shop.example."),
    ],
)
def test_a_target_that_means_one_name(alias: str, target: str) -> None:
    records = [{"name": name, "type": "A", "values": ["203.0.113.12"]} for name in ("static", "a.static")]
    found = zone(web=[{"ipv4": ["203.0.113.10"]}, {"host": "www", "alias": alias}], records=records)
    assert not codes(found)
    assert one_of(found, "www", "CNAME") == target


@pytest.mark.parametrize("wild", [[], [{"host": "*", "ipv4": ["203.0.113.10"]}]], ids=["plain", "with a wildcard"])
@pytest.mark.parametrize(
    ("kind", "value", "written"),
    [
        ("CNAME", "shops.myshopify.com", "shops.myshopify.com"),
        ("CNAME", "b.static", "b.static"),
        ("MX", "10 mail.data.example", "mail.data.example"),
        ("NS", "ns1.data.example", "ns1.data.example"),
        ("SRV", "0 5 443 sip.data.example", "sip.data.example"),
        ("PTR", "host.data.example", "host.data.example"),
        ("HTTPS", "1 cdn.data.example alpn=h2", "cdn.data.example"),
    ],
)
def test_a_target_that_could_mean_two_names_is_refused(
    kind: str, value: str, written: str, wild: list[dict[str, Any]]
) -> None:
    web = [{"ipv4": ["203.0.113.10"]}, *wild]
    found = zone(web=web, records=[{"name": "extra", "type": kind, "values": [value]}])
    assert codes(found) == ["target-no-dot"]
    problem = finding(found, "target-no-dot")
    assert problem.path == "records[0]"
    assert problem.hint == f"write `{written}.` with a final dot"
    assert found.get("extra.shop.example", kind) is None
    dotted = value.replace(written, f"{written}.")
    assert not codes(zone(web=web, records=[{"name": "extra", "type": kind, "values": [dotted]}]))


@pytest.mark.parametrize(
    ("alias", "message"),
    [
        ("198.51.100.20", "is an IP address"),
        ("198.51.100.20.", "is an IP address"),
        ("2001:db8::1", "is an IP address"),
        ("https://shops.myshopify.com/", "is a URL"),
        ("shops.myshopify.com:443", "has a port"),
        ("my shop.example.net.", "is not a host name"),
        ("*.example.net.", "is not a host name"),
    ],
)
def test_an_alias_that_is_no_host(alias: str, message: str) -> None:
    found = zone(web=[{"ipv4": ["203.0.113.10"]}, {"host": "www", "alias": alias}])
    assert codes(found) == ["record-value"]
    assert message in finding(found, "record-value").message
    assert finding(found, "record-value").path == "web[1].alias"


def test_an_address_is_no_mail_exchanger() -> None:
    own: dict[str, Any] = {"host": "198.51.100.20", "dkim": [{"selector": "a", "public_key": KEY}]}
    assert "option-value" in codes(zone(mail={"own_server": own}))
    found = zone(records=[{"name": "lists", "type": "MX", "values": ["10 198.51.100.20"]}])
    assert codes(found) == ["record-value"]


def test_report_addresses_are_ascii() -> None:
    dmarc = {"stage": "reject", "reports": ["d@münchen.example", "mailto:e@münchen.example"]}
    found = zone("xn--mnchen-3ya.example", dmarc=dmarc)
    texts = found.get("_dmarc.xn--mnchen-3ya.example", "TXT")
    assert texts
    assert "rua=mailto:d@xn--mnchen-3ya.example,mailto:e@xn--mnchen-3ya.example" in texts.values[0]


def test_capitals_of_an_issuer_mean_nothing() -> None:
    found = zone(certificate={"issuer": "LetsEncrypt.org"})
    assert not codes(found)
    assert one_of(found, "", "CAA") == '0 issue "letsencrypt.org"'


def test_an_error_names_the_argument_to_change() -> None:
    value, _ = load(DNSRecordsArgs, {"domain": "shop.example", "mail": {"brevo": {"dkim_key": rsa_key(512)}}})
    assert isinstance(value, DNSRecordsArgs)
    problem = next(one for one in value.problems() if "RSA" in one.message)
    assert problem.path == "mail.brevo.dkim_key"
    assert problem.message.startswith("mail._domainkey.shop.example TXT: ")


# --- the values themselves


def test_every_value_was_compared_within_a_year() -> None:
    """Fails on purpose when nobody has looked: open each page, compare, and set the date in `vendors.py`."""
    oldest = datetime.now(UTC).date() - timedelta(days=365)
    stale = [name for name, one in vendors.VALUES.items() if one.compared < oldest]
    assert not stale, f"not compared with the vendor's page for a year: {', '.join(stale)}"


def test_every_value_names_its_page_and_every_preset_has_values() -> None:
    assert all(re.fullmatch(r"https://[^\s]+", one.page) for one in vendors.VALUES.values())
    today = datetime.now(UTC).date()
    assert all(one.compared <= today for one in vendors.VALUES.values())
    presets = set(providers._PRESETS) - {"own_server"}  # pyright: ignore[reportPrivateUsage]
    assert {name.partition(".")[0] for name in vendors.VALUES} == presets


def test_no_value_of_a_vendor_stands_beside_the_table() -> None:
    hosts = re.compile(r"\.(com|net|org|microsoft)\.?$")
    tree = ast.parse(Path(providers.__file__).read_text())
    texts = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert [text for text in texts if hosts.search(text) and " " not in text] == [".onmicrosoft.com"]


def test_the_page_shows_the_table() -> None:
    page = (Path(__file__).parents[3] / "docs/components/dns-records.md").read_text()
    for name, one in vendors.VALUES.items():
        assert f"| `{name}` | `{one.value}` | [page]({one.page}) | {one.compared} | {one.evidence.value} |" in page


def test_values_that_were_compared_with_nothing_are_few_and_named() -> None:
    unverified = {name for name, one in vendors.VALUES.items() if one.evidence is vendors.Evidence.NONE}
    assert unverified == {"brevo.spf"}
