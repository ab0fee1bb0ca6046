"""`tierstack dns check`."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tierstack.cli import dns
from tierstack.cli.project import UsageError
from tierstack.dns_records.findings import error

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

    def live(domain: str, _resolver: object, selectors: list[str]) -> list[object]:
        asked.append((domain, selectors))
        return [] if clean else [error("x", "example.org", "is wrong", "RFC 1", "mend it")]

    monkeypatch.setattr(dns, "check_live", live)
    done = tierstack("dns", "check", "example.org", "--selector", "s1")
    assert asked == [("example.org", ["s1"])]
    assert (done.exit_code, "no errors" in done.stdout) == ((0, True) if clean else (1, False))
