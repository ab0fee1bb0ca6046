"""Every wrong argument of the table is an error before anything is registered, with its path, message and
source."""

from typing import Any

import pytest
import yaml

from tests.dns_records.samples import CASES, substitute
from tierstack.core.arguments import load
from tierstack.core.checked import checked
from tierstack.core.errors import ArgumentError
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.rules import errors

DATA = yaml.safe_load((CASES / "wrong_args.yaml").read_text())


def args_of(case: dict[str, Any]) -> DNSRecordsArgs:
    value, problems = load(DNSRecordsArgs, substitute(case["args"], DATA["words"]))
    assert not problems
    assert isinstance(value, DNSRecordsArgs)
    return value


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_the_mistake_is_an_error(case: dict[str, Any]) -> None:
    found = errors(args_of(case).zone().findings)
    assert sorted(one.code for one in found) == sorted(case["errors"]), "\n".join(map(str, found))
    named = next(one for one in found if one.path == case["path"])
    assert case["message"] in named.message
    assert named.source == case["source"]


@pytest.mark.parametrize("case", DATA["cases"], ids=lambda case: case["name"])
def test_the_error_names_the_path_the_rule_and_the_remedy(case: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError) as caught:
        checked(DNSRecordsArgs, substitute(case["args"], DATA["words"]), 'DNSRecords "shop"')
    start = f"{case['argument']}: {case['path']}" if "argument" in case else case["path"]
    line = next(one for one in str(caught.value).splitlines() if one.startswith(f"  {start}: "))
    assert case["message"] in line
    assert case["source"] in line
    assert "; " in line.partition(case["message"])[2], "says what to do"


def test_all_problems_come_at_once() -> None:
    args = {
        "domain": "example.org",
        "web": [{"host": "www"}, {"ipv4": ["nowhere"]}],
        "mail": {"brevo": {"code": "x"}, "receive": "google"},
        "caa": {"issuers": ["digicert.com"]},
        "certificate": {"issuer": "letsencrypt.org"},
    }
    with pytest.raises(ArgumentError) as caught:
        checked(DNSRecordsArgs, args, 'DNSRecords "shop"')
    assert [one.path for one in caught.value.problems] == [
        "caa",
        "caa",
        "mail.brevo.code",
        "mail.receive",
        "web[0]",
        "web[1].ipv4[0]",
    ]


def test_a_private_key_is_never_shown() -> None:
    with pytest.raises(ArgumentError) as caught:
        checked(
            DNSRecordsArgs,
            substitute({"domain": "example.org", "mail": {"google": {"dkim_key": "PRIVATE_KEY"}}}, {}),
            "x",
        )
    assert "MIIEvQ" not in str(caught.value)


def test_unknown_keys_name_the_nearest() -> None:
    with pytest.raises(ArgumentError, match="did you mean `dkim_key`"):
        checked(DNSRecordsArgs, {"domain": "example.org", "mail": {"google": {"dkim_kee": "x"}}}, "x")


def test_the_table_is_long_and_names_each_case_once() -> None:
    names = [case["name"] for case in DATA["cases"]]
    assert len(names) == len(set(names))
    assert len(names) >= 60
