"""Findings that somebody means are set aside, with a reason, and counted."""

from typing import Any

import pytest

from tierstack.core.arguments import load
from tierstack.dns_records import ignores
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.zone.summary import summarize


def args(**more: Any) -> DNSRecordsArgs:
    web = [{"ipv4": ["198.51.100.1"]}, {"host": "vpn", "ipv4": ["10.0.0.1"]}, {"host": "sink", "ipv4": ["0.0.0.0"]}]
    value, problems = load(DNSRecordsArgs, {"domain": "example.org", "web": web, **more})
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    return value


@pytest.mark.parametrize(
    "key", ["address-unusable", "address-unusable@sink", "address-unusable@sink.example.org", "address-unusable@sink.example.org."]
)  # fmt: skip
def test_an_error_that_is_meant_is_accepted(key: str) -> None:
    assert [one.path for one in args().problems()] == ["web[2].ipv4[0]"]
    accepted = args(ignore={key: "a sink for trackers"})
    assert not accepted.problems()
    zone = accepted.zone()
    assert [(one.diagnostic.code, one.reason) for one in zone.ignored] == [("address-unusable", "a sink for trackers")]
    assert "address-private" in {one.code for one in zone.findings}
    assert "1 finding is ignored" in summarize(zone)


def test_another_name_stays_an_error() -> None:
    assert args(ignore={"address-unusable@www": "x"}).problems()


@pytest.mark.parametrize(
    ("ignore", "message"),
    [
        ({"adress-unusable": "x"}, "there is no rule `adress-unusable`; did you mean `address-unusable`?"),
        ({"qqqq@www": "x"}, "there is no rule `qqqq`; write the code in brackets at the end of a finding"),
        ({"address-unusable": " "}, "has no reason; write why the finding is accepted"),
        ({"record-value": "x"}, "cannot be ignored"),
    ],
)
def test_a_key_that_means_nothing_is_an_error(ignore: dict[str, str], message: str) -> None:
    (problem,) = ignores.problems(ignore)
    assert problem.path == f"ignore.{next(iter(ignore))}"
    assert message in str(problem)
    assert str(problem) in [str(one) for one in args(ignore=ignore).problems()]
