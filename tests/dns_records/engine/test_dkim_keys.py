"""Key pairs by the real engine: a mail that they sign is verified against the zone, and no update breaks that."""

import base64
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dkim
import pytest

from tests.support import Stack
from tierstack.dns_records.records.zonefile import parse

PROGRAM = """
import pulumi
from tierstack.dns_records import DNSRecords

dns = DNSRecords("dns", {
    "domain": "example.org",
    "mail": {"own_server": {"ipv4": ["198.51.100.20"], "dkim": KEYS, "sign_with": SIGN_WITH}},
    "zone_file_path": "example.org.zone",
})
pulumi.export("zone", dns.zone_file)
pulumi.export("keys", dns.dkim_signing_keys)
"""
MAIL = b"From: Shop <shop@example.org>\r\nTo: buyer@example.net\r\nSubject: Receipt\r\n\r\nThank you.\r\n"
A, B, E = ({"selector": name, "generate": kind} for name, kind in (("a", "rsa"), ("b", "rsa"), ("e", "ed25519")))
GONE = {**A, "withdrawn": True}


def described(keys: list[dict[str, Any]], sign_with: list[str]) -> str:
    return PROGRAM.replace("KEYS", repr(keys)).replace("SIGN_WITH", repr(sign_with))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """A domain whose keys are published, two of which sign."""
    stack = Stack(tmp_path_factory.mktemp("dkim"), "t-dkim")
    stack.write(described([A, B, E], ["a", "e"]))
    stack.up()
    return stack


@pytest.fixture
def stack(made: Stack, tmp_path: Path) -> Stack:
    return made.copy(tmp_path / "stack")


def signed(outputs: dict[str, Any]) -> bytes:
    """The mail, signed by every key that signs now."""
    mail = MAIL
    for selector, pem in sorted(outputs["keys"].items()):
        key, algorithm = pem.encode(), b"rsa-sha256"
        if selector == "e":  # dkimpy takes the seed, which ends the PKCS#8 of RFC 8410 §7
            body = base64.b64decode("".join(pem.splitlines()[1:-1]))
            key, algorithm = base64.b64encode(body[-32:]), b"ed25519-sha256"
        mail = dkim.sign(mail, selector.encode(), b"example.org", key, signature_algorithm=algorithm) + mail
    return mail


def verified(mail: bytes, zone: str) -> list[bool]:
    """Whether each signature of a mail is good, by the keys of a zone file."""
    sets, problems = parse(zone, "example.org")
    assert not problems
    texts = {f"{one.name}.": one.values[0].encode() for one in sets if one.type == "TXT"}

    def dnsfunc(name: bytes | str, timeout: int = 5) -> bytes | None:
        return texts.get(name.decode() if isinstance(name, bytes) else name)

    checker = dkim.DKIM(mail)
    count = sum(name.lower() == b"dkim-signature" for name, _ in checker.headers)
    return [_verify(dkim.DKIM(mail), n, dnsfunc) for n in range(count)]


def _verify(one: dkim.DKIM, index: int, dnsfunc: Any) -> bool:
    try:
        return bool(one.verify(index, dnsfunc=dnsfunc))
    except dkim.DKIMException:
        return False


def test_a_mail_is_verified_against_the_zone_and_no_key_is_in_clear(stack: Stack) -> None:
    outputs = stack.outputs()
    assert sorted(outputs["keys"]) == ["a", "e"]
    mail = signed(outputs)
    assert verified(mail, outputs["zone"]) == [True, True]
    assert verified(mail.replace(b"Thank you", b"Pay again"), outputs["zone"]) == [False, False]
    assert (stack.folder / "example.org.zone").read_text() == outputs["zone"]
    for file in stack.folder.rglob("*"):
        if file.is_file():
            text = file.read_text(errors="replace")
            assert "PRIVATE KEY" not in text, file
            assert all(pem.splitlines()[1] not in text for pem in outputs["keys"].values()), file
    shown = stack.run("stack", "output", "--stack=t-dkim").stdout + stack.preview()
    assert "PRIVATE KEY" not in shown
    stack.unchanged()


def passed(stack: Stack, by: timedelta) -> None:
    """As if the last updates had been earlier: the times in the state are moved, because no clock can be."""
    exported = json.loads(stack.run("stack", "export", "--stack=t-dkim").stdout)
    (memory,) = [one for one in exported["deployment"]["resources"] if one["type"].endswith(":DkimRotation")]
    for properties in (memory["inputs"], memory["outputs"]):
        for times in (properties["since"], properties["signed"]):
            for name, when in times.items():
                times[name] = (datetime.fromisoformat(when) - by).isoformat() if when else ""
    (stack.folder / "moved.json").write_text(json.dumps(exported))
    stack.run("stack", "import", "--file=moved.json", "--stack=t-dkim")


def test_from_the_old_key_to_the_new_one(stack: Stack) -> None:
    passed(stack, timedelta(hours=4))
    before = stack.outputs()
    old_mail = signed(before)

    stack.write(described([A, B, E], ["b", "e"]))
    stack.up()
    switched = stack.outputs()
    assert sorted(switched["keys"]) == ["b", "e"]
    new_mail = signed(switched)
    for zone in (before["zone"], switched["zone"]):  # whatever a resolver still holds
        assert verified(old_mail, zone) == [True, True]
        assert verified(new_mail, zone) == [True, True]

    passed(stack, timedelta(days=6))
    stack.write(described([GONE, B, E], ["b", "e"]))
    stack.up()
    withdrawn = stack.outputs()
    assert 'a._domainkey IN TXT "v=DKIM1; p="' in withdrawn["zone"]
    assert verified(new_mail, withdrawn["zone"]) == [True, True]
    assert sorted(verified(old_mail, withdrawn["zone"])) == [False, True]
    assert "dns-dkim-a" not in stack.state(), "a withdrawn private key is deleted"

    stack.write(described([B, E], ["b", "e"]))
    stack.up()
    assert "a._domainkey" not in stack.outputs()["zone"]
    stack.unchanged()


def test_what_would_break_signatures_stops_preview_and_update(stack: Stack) -> None:
    """By a reason that needs the times in the state, and one that does not; all reasons: ../mail/test_dkim_rotation.py."""
    before = stack.outputs()
    stack.write(described([A, B, E], ["b", "e"]))
    preview = stack.run("preview", "--stack=t-dkim", check=False)
    assert preview.returncode != 0
    assert "`b` is published since " in preview.stdout + preview.stderr
    stack.write(described([A, B, E, {"selector": "c", "generate": "rsa"}], ["c", "e"]))
    assert "`c` would sign before its key is published" in stack.up(check=False), "without a preview too"
    stack.write(described([A, B, E], ["a", "e"]))
    stack.preview("--expect-no-changes")
    assert stack.outputs() == before
    assert (stack.folder / "example.org.zone").read_text() == before["zone"]
