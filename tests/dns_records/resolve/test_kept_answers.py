"""Answers of the DNS, kept for a preview without a network."""

from pathlib import Path

import pytest

from tests.dns_records import world
from tests.dns_records.mail.test_spf import Fixed
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.mail.spf.lookups import LookupUnavailableError
from tierstack.dns_records.options import DmarcArgs, DmarcStage, MailArgs, OwnMailServerArgs
from tierstack.dns_records.resolve.kept_answers import KeptAnswers, KeptAnswersError, Recording
from tierstack.dns_records.zone.check import check_zone
from tierstack.dns_records.zone.summary import summarize

LIVE = Fixed(
    {
        ("_spf.sender.example", "TXT"): ["v=spf1 include:a.sender.example a:gone.sender.example -all"],
        ("a.sender.example", "TXT"): ["v=spf1 ip4:192.0.2.1 -all"],
        ("example.org._report._dmarc.reports.example", "TXT"): ["v=DMARC1"],
    }
)


def described(answers: Path | None) -> DNSRecordsArgs:
    key = {"selector": "a", "public_key": world.rsa_private(0)[1]}
    return DNSRecordsArgs(
        domain="example.org",
        mail=MailArgs(
            own_server=OwnMailServerArgs(ipv4=["198.51.100.20"], dkim=[key]),  # type: ignore[list-item]
            spf_terms=["include:_spf.sender.example"],
        ),
        dmarc=DmarcArgs(stage=DmarcStage.REJECT, reports=["dmarc@reports.example"]),
        dns_answers_path=str(answers) if answers else None,
    )


def loaded(answers: Path | None) -> DNSRecordsArgs:
    from tierstack.core.checked import checked

    return checked(DNSRecordsArgs, described(answers), "dns")


def codes(args: DNSRecordsArgs) -> set[str]:
    return {one.code for one in args.zone().findings}


def test_what_was_asked_is_known_without_a_network(tmp_path: Path) -> None:
    asked, file = Recording(LIVE), tmp_path / "dns.json"
    without = loaded(None)
    found = check_zone(without.zone().text, "example.org", asked)
    asked.write(file, "2026-11-21")
    # Offline, nobody knows the sender and the receiver of reports; with the file, both are known.
    assert {"spf-uncounted", "dmarc-external-unknown"} <= codes(without)
    assert not {"spf-uncounted", "dmarc-external-unknown"} & codes(loaded(file))
    assert check_zone(without.zone().text, "example.org", KeptAnswers.read(file)) == found
    assert "SPF takes 1 of 10 lookups" in summarize(without.zone())
    assert "SPF takes 3 of 10 lookups" in summarize(loaded(file).zone())


def test_what_was_refused_stays_refused(tmp_path: Path) -> None:
    file = tmp_path / "dns.json"
    asked = Recording(Fixed({}))
    check_zone(loaded(None).zone().text, "example.org", asked)
    asked.write(file, "2026-11-21")
    with pytest.raises(ArgumentError, match=r"_spf\.sender\.example has no SPF record"):
        loaded(file)


def test_what_was_not_asked_is_not_taken_for_absent(tmp_path: Path) -> None:
    asked = Recording(LIVE)
    assert asked.lookup("a.sender.example.", "TXT")
    assert asked.lookup("none.sender.example", "A") == []
    asked.write(tmp_path / "dns.json", "2026-11-21")
    kept = KeptAnswers.read(tmp_path / "dns.json")
    assert kept.lookup("A.sender.example", "TXT") == ["v=spf1 ip4:192.0.2.1 -all"]
    assert kept.lookup("none.sender.example.", "A") == []
    with pytest.raises(LookupUnavailableError, match="kept on 2026-11-21"):
        kept.lookup("a.sender.example", "A")


def test_the_same_answers_give_the_same_file(tmp_path: Path) -> None:
    texts = []
    for order in ("ab", "ba"):
        asked = Recording(LIVE)
        for one in order:
            asked.lookup(f"{one}.sender.example", "TXT")
        asked.write(tmp_path / order, "2026-11-21")
        texts.append((tmp_path / order).read_text())
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "cannot be read: No such file or directory"),
        ("", "is not a file of `tierstack dns snapshot`"),
        ("[]", "is not a file of `tierstack dns snapshot`"),
        ('{"taken": "x", "answers": {"a A": [1]}}', "is not a file of `tierstack dns snapshot`"),
    ],
)
def test_a_file_that_is_none(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "dns.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(KeptAnswersError, match=why):
        KeptAnswers.read(file)
    instead = f"write it with `tierstack dns snapshot example.org --out {file}`"
    assert Diagnostic("dns_answers_path", str(file), why, instead, "dns-answers") in described(file).problems()
