"""`tierstack dns check` and `tierstack dns snapshot`."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.cli.conftest import Command
from tierstack.cli import dns, options
from tierstack.dns_records.mail.spf.lookups import LookupUnavailableError
from tierstack.dns_records.rules import error
from tierstack.engine.project import UsageError

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
    assert "dmarc-absent" in {one["code"] for one in found["diagnostics"]}


def test_standard_input(tierstack: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    # The runner of the tests has a standard input of its own.
    monkeypatch.setattr(options, "sys", SimpleNamespace(stdin=io.TextIOWrapper(io.BytesIO(WRONG.encode()))))
    assert "spf-pass-all" in tierstack("dns", "check", "example.org", "--zone", "-").stdout


def test_a_finding_that_is_meant(tierstack: Command, tmp_path: Path) -> None:
    zone = tmp_path / "zone"
    zone.write_text(WRONG)
    command = ("dns", "check", "example.org", "--zone", str(zone))
    accepted = ("--ignore", "spf-pass-all=a test", "--ignore", "dmarc-absent@example.org")
    done = tierstack(*command, *accepted)
    assert (done.exit_code, "2 findings are ignored: " in done.stdout) == (0, True)
    told = json.loads(tierstack(*command, *accepted, "--json").stdout)
    assert told["ok"]
    assert {one["code"]: one["reason"] for one in told["ignored"]} == {
        "spf-pass-all": "a test",
        "dmarc-absent": "given on the command line",
    }
    wrong = tierstack(*command, "--ignore", "spf-pas-all").exception
    assert isinstance(wrong, UsageError)
    assert "--ignore spf-pas-all: there is no rule `spf-pas-all`; did you mean `spf-pass-all`?" in str(wrong)


def test_a_file_that_is_none(tierstack: Command) -> None:
    assert isinstance(tierstack("dns", "check", "example.org", "--zone", "nothing").exception, UsageError)


@pytest.mark.parametrize("clean", [True, False])
def test_live(tierstack: Command, monkeypatch: pytest.MonkeyPatch, clean: bool) -> None:
    asked: list[tuple[str, list[str]]] = []

    def live(domain: str, _resolver: object, selectors: list[str], _policy: object) -> list[object]:
        asked.append((domain, selectors))
        return [] if clean else [error("spf-absent", "example.org", "is wrong", "mend it")]

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
        return {one["code"] for one in json.loads(done.stdout)["diagnostics"]}

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
