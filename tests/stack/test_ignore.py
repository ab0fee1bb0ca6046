"""`ignore` of a stack: one map for what is said of all its components."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.changes import put
from tierstack.core.diagnostics import Severity
from tierstack.stack.check import StackReport, judge

CASES = Path(__file__).parent.parent / "cases" / "settings"


@pytest.fixture
def config() -> dict[str, Any]:
    given = yaml.safe_load((CASES / "several.yaml").read_text())
    given["apps"]["admin"]["replicas"] = 1
    given["apps"]["reports"]["replicas"] = 1
    given["dns"]["web"].append({"host": "vpn", "ipv4": ["10.0.0.1"]})
    return given


def judged(config: dict[str, Any], ignore: dict[str, str] | None = None) -> StackReport:
    put(config, "ignore", ignore)
    return judge(config, frozenset(), "test", "shop")


def shown(report: StackReport) -> set[tuple[str, str]]:
    return {(one.code, one.path) for one in report.findings()[0]}


def test_without_it_everything_is_shown(config: dict[str, Any]) -> None:
    found = shown(judged(config))
    assert {
        ("single-web-container", "apps.admin.replicas"),
        ("single-web-container", "apps.reports.replicas"),
    } <= found
    assert "address-private" in {code for code, _ in found}


def test_advice_and_findings_about_records_are_accepted_alike(config: dict[str, Any]) -> None:
    report = judged(config, {"single-web-container@apps": "small", "address-private@vpn": "a tunnel"})
    assert report.problems == []
    assert not {code for code, _ in shown(report)} & {"single-web-container", "address-private", "ignore-unused"}
    assert sorted((one.diagnostic.code, one.reason) for one in report.findings()[1]) == [
        ("address-private", "a tunnel"),
        ("single-web-container", "small"),
        ("single-web-container", "small"),
    ]


def test_one_place_leaves_the_others(config: dict[str, Any]) -> None:
    found = shown(judged(config, {"single-web-container@apps.admin": "x"}))
    assert ("single-web-container", "apps.admin.replicas") not in found
    assert ("single-web-container", "apps.reports.replicas") in found
    assert "ignore-unused" not in {code for code, _ in found}


def test_what_matches_nothing_is_advice(config: dict[str, Any]) -> None:
    report = judged(config, {"backups-absent": "x", "spf-twice": "y"})
    assert report.problems == []
    unused = [one for one in report.findings()[0] if one.code == "ignore-unused"]
    assert [(one.path, one.severity) for one in unused] == [
        ("ignore.backups-absent", Severity.ADVICE),
        ("ignore.spf-twice", Severity.ADVICE),
    ]


@pytest.mark.parametrize(
    ("key", "code", "said"),
    [
        ("out-of-range", "ignore-refused", "is an error that cannot be ignored"),
        ("record-value", "ignore-refused", "is an error that cannot be ignored"),
        ("host-memory", "ignore-refused", "is an error that cannot be ignored"),
        ("backup-absent", "unknown-rule", "did you mean `backups-absent`?"),
    ],
)
def test_a_wrong_key_is_one_problem(config: dict[str, Any], key: str, code: str, said: str) -> None:
    (problem,) = judged(config, {key: "x"}).problems
    assert (problem.code, problem.path) == (code, f"ignore.{key}")
    assert said in str(problem)


def test_nothing_is_called_unused_while_something_is_wrong(config: dict[str, Any]) -> None:
    put(config, "databases.orders.replicas", 99)
    report = judged(config, {"backups-absent": "x"})
    assert report.problems
    assert "ignore-unused" not in {one.code for one in report.findings()[0]}


@pytest.mark.parametrize(
    ("stop", "longest", "told"), [(None, 60, False), (30, 60, True), (60, 60, False), (90, 60, False)]
)
def test_a_stop_that_cuts_requests_off_is_told(
    config: dict[str, Any], stop: int | None, longest: int, told: bool
) -> None:
    put(config, "apps.admin.http", {"request_timeout_seconds": longest})
    if stop is not None:
        put(config, "apps.admin.http.stop_seconds", stop)
    assert (("requests-cut", "apps.admin.http.stop_seconds") in shown(judged(config))) == told
    assert "requests-cut" not in {code for code, _ in shown(judged(config, {"requests-cut": "short releases"}))}
