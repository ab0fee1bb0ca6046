"""`tierstack dns check` and `tierstack dns snapshot`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tierstack.cli import dns
from tierstack.cli.project import UsageError
from tierstack.dns_records.findings import error
from tierstack.dns_records.spf_lookups import LookupUnavailableError

WRONG = """$ORIGIN example.org.
@ 3600 IN TXT "v=spf1 +all"
@ 3600 IN A 203.0.113.10
"""


def test_a_zone_file(tierstack: Command, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text(WRONG)
    done = tierstack("dns", "check", "example.org", "--zone", str(zone))
    assert done.exit_code == 1
    assert "RFC 9989" in done.stdout
    found = json.loads(tierstack("dns", "check", "example.org", "--zone", str(zone), "--json").stdout)
    assert not found["ok"]
    assert "dmarc-absent" in {one["code"] for one in found["findings"]}


def test_a_file_that_is_none(tierstack: Command) -> None:
    assert isinstance(tierstack("dns", "check", "example.org", "--zone", "nothing").exception, UsageError)


@pytest.mark.parametrize("clean", [True, False])
def test_live(tierstack: Command, monkeypatch: pytest.MonkeyPatch, clean: bool) -> None:
    asked: list[tuple[str, list[str]]] = []

    def live(domain: str, _resolver: object, selectors: list[str], _policy: object) -> list[object]:
        asked.append((domain, selectors))
        return [] if clean else [error("x", "example.org", "is wrong", "RFC 1", "mend it")]

    monkeypatch.setattr(dns, "check_live", live)
    done = tierstack("dns", "check", "example.org", "--selector", "s1")
    assert asked == [("example.org", ["s1"])]
    assert (done.exit_code, "no errors" in done.stdout) == ((0, True) if clean else (1, False))


def test_answers_are_kept_and_used(tierstack: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Resolver:
        def lookup(self, name: str, type: str) -> list[str]:
            return ["v=spf1 ip4:192.0.2.1 -all"] if (name, type) == ("_spf.example.net", "TXT") else []

    monkeypatch.setattr(dns, "DnsResolver", Resolver)
    zone, kept = tmp_path / "zone", tmp_path / "dns.json"
    zone.write_text(WRONG.replace("+all", "include:_spf.example.net -all"))

    def codes(*options: str) -> set[str]:
        done = tierstack("dns", "check", "example.org", "--zone", str(zone), "--json", *options)
        return {one["code"] for one in json.loads(done.stdout)["findings"]}

    assert "spf-uncounted" in codes()
    done = tierstack("dns", "snapshot", "example.org", "--zone", str(zone), "--out", str(kept))
    assert done.exit_code == 0
    assert json.loads(kept.read_text())["answers"]["_spf.example.net TXT"] == ["v=spf1 ip4:192.0.2.1 -all"]
    assert "spf-uncounted" not in codes("--answers", str(kept))


def test_no_answers_are_no_snapshot(tierstack: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Silent:
        def lookup(self, name: str, type: str) -> list[str]:
            raise LookupUnavailableError(f"{name} {type}")

    monkeypatch.setattr(dns, "DnsResolver", Silent)
    done = tierstack("dns", "snapshot", "example.org", "--out", str(tmp_path / "dns.json"))
    assert isinstance(done.exception, UsageError)
    assert not (tmp_path / "dns.json").exists()
    assert isinstance(tierstack("dns", "check", "example.org", "--answers", "dns.json").exception, UsageError)
