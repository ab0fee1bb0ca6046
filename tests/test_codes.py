"""Every diagnostic names its rule, and every rule is declared: over all cases, and over the source itself."""

import ast
import re
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.app_cluster import test_args as app_cluster
from tests.backup_schedule import test_wrong_args as backup_schedule
from tests.cluster_addons import test_args as cluster_addons
from tests.core.test_arguments import CASES as SHAPES
from tests.core.test_platform import CASES as PLATFORMS
from tests.core.test_platform import platform_of
from tests.database import test_args as database
from tests.database.mysql import test_graph as mysql
from tests.dns_records import test_wrong_args as dns_args
from tests.dns_records.publish import test_publish_args as publish
from tests.dns_records.zone import test_judged_zones as judged_zones
from tests.dns_records.zone import test_wrong_zones as wrong_zones
from tests.gateway import test_args as gateway
from tests.migration import cases as migration
from tests.mta_sts_host import test_args as mta_sts_host
from tests.object_storage import test_object_storage as object_storage
from tests.redis_cluster import test_wrong_args as redis_cluster
from tests.stack import test_changes as changes
from tests.stack import test_settings as settings
from tests.stack import test_several as several
from tests.support import golden, refused
from tests.tls import test_wrong_args as tls
from tierstack.app_cluster import AppCluster
from tierstack.core.diagnostics import NO_RULE, Diagnostic, Severity
from tierstack.dns_records import DNSRecordsArgs
from tierstack.dns_records import rules as dns_rules
from tierstack.dns_records.publish import args as publish_args
from tierstack.dns_records.zone.check import check_zone
from tierstack.migration.lexer import Engine
from tierstack.stack import rulebook

pytestmark = pytest.mark.graph

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "components" / "tierstack"
Said = Iterator[Sequence[Diagnostic]]


def _app_cluster() -> Said:
    for case in app_cluster.CASES:
        changes = {key: app_cluster.real(value, case["where"]) for key, value in case["given"].items()}
        given: Any = app_cluster.given(case["where"], **changes)
        yield refused(lambda given=given: AppCluster("web", given)).problems


def _publish() -> Said:
    for case in publish.DATA["cases"]:
        args, _ = publish.load(DNSRecordsArgs, {"domain": "shop.example", **case["args"]})
        assert isinstance(args, DNSRecordsArgs)
        yield args.problems()


def _migration(engine: Engine) -> Said:
    for case in migration.cases(engine):
        yield [one.diagnostic for one in migration.judged(case).findings]


RUNS: dict[str, Callable[[], Said]] = {
    "app_cluster/wrong_args.yaml": _app_cluster,
    "backup_schedule/wrong.yaml": lambda: map(backup_schedule.problems_of, backup_schedule.TABLE["cases"]),
    "cluster_addons/wrong_args.yaml": lambda: (cluster_addons.error_of(one).problems for one in cluster_addons.CASES),
    "core/platforms.yaml": lambda: (platform_of(one["args"]).problems() for one in PLATFORMS["wrong"]),
    "database/wrong_mysql_args.yaml": lambda: (mysql.error_of(one).problems for one in mysql.CASES),
    "database/wrong_args.yaml": lambda: (database.error_of(one).problems for one in database.CASES),
    "dns/judged_zones.yaml": lambda: map(judged_zones.findings_of, judged_zones.DATA["cases"]),
    "dns/sibling_zones.yaml": lambda: map(judged_zones.findings_of, judged_zones.SIBLINGS["cases"]),
    "dns/wrong_args.yaml": lambda: (dns_args.args_of(one).zone().findings for one in dns_args.DATA["cases"]),
    "dns/wrong_publish.yaml": _publish,
    "dns/wrong_zones.yaml": lambda: (
        check_zone(wrong_zones.zone_of(one), wrong_zones.DOMAIN) for one in wrong_zones.DATA["cases"]
    ),
    "gateway/wrong_args.yaml": lambda: (gateway.error_of(one).problems for one in gateway.CASES),
    **{f"migration/{one}.yaml": partial(_migration, one) for one in Engine},
    "mta_sts_host/wrong_args.yaml": lambda: (mta_sts_host.error_of(one).problems for one in mta_sts_host.CASES),
    "object_storage/wrong.yaml": lambda: map(object_storage.problems_of, object_storage.TABLE["cases"]),
    "redis_cluster/wrong.yaml": lambda: map(redis_cluster.problems_of, redis_cluster.TABLE["cases"]),
    "settings/changes.yaml": lambda: map(changes.problems_of, changes.CASES),
    "settings/wrong.yaml": lambda: map(settings.problems_of, settings.WRONG),
    "settings/wrong_several.yaml": lambda: map(several.problems_of, several.WRONG),
    "tls/wrong.yaml": lambda: map(tls.problems_of, tls.TABLE["cases"]),
}
"""What is said of each case, by its file."""


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """The codes that are seen in the cases of each file."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(publish_args, "installed", lambda _: True)
        return {file: {one.code for found in run() for one in found} for file, run in RUNS.items()}


def test_no_file_of_wrong_cases_is_left_out() -> None:
    files = {str(file.relative_to(ROOT / "tests/cases")) for file in (ROOT / "tests/cases").rglob("wrong*.yaml")}
    assert files <= set(RUNS)
    assert SHAPES["wrong"], "said by the loader, which names its rules itself"


def test_the_rules_that_cases_are_seen_to_break(seen: dict[str, set[str]]) -> None:
    """A new rule has a case, or stands in the diff of the list below as one without."""
    every = set().union(*seen.values())
    without = sorted(code for code, rule in rulebook.rules().items() if code not in every and code != NO_RULE)
    golden("codes.json", {"seen": {file: sorted(codes) for file, codes in seen.items()}, "in no case": without})


def test_every_case_names_a_rule_of_the_rulebook(seen: dict[str, set[str]]) -> None:
    unnamed = {file: sorted(codes - {*rulebook.rules()} | codes & {NO_RULE}) for file, codes in seen.items()}
    assert {file: codes for file, codes in unnamed.items() if codes} == {}


# --- The same of the source: also of what no case shows.

SOURCES = {file.relative_to(PACKAGE): ast.parse(file.read_text()) for file in sorted(PACKAGE.rglob("*.py"))}
Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(called: ast.expr) -> str:
    return called.attr if isinstance(called, ast.Attribute) else called.id if isinstance(called, ast.Name) else ""


def calls(tree: ast.AST, *names: str) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) in names:
            yield node


def text(node: ast.expr | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def code_of(made: ast.Call) -> ast.expr | None:
    """The code that a `Diagnostic(…)` is given."""
    by_name = next((one.value for one in made.keywords if one.arg == "code"), None)
    return made.args[4] if len(made.args) > 4 else by_name


def functions_of(tree: ast.AST) -> list[Function]:
    return [one for one in ast.walk(tree) if isinstance(one, Function)]


def rules_of(function: Function) -> Iterator[ast.Call]:
    """The decorators `@rule(…)` of a function."""
    found = (one for one in function.decorator_list if isinstance(one, ast.Call))
    yield from (one for one in found if name_of(one.func) == "rule")


def declarations() -> list[str]:
    made = [one for tree in SOURCES.values() for one in calls(tree, "declare")]
    made += [
        one
        for tree in SOURCES.values()
        for function in functions_of(tree)
        for one in rules_of(function)
        if len(one.args) > 1
    ]
    return [code for one in made if one.args and (code := text(one.args[0]))]


SAYING = ("error", "warning", "advice", "say", "_Kind", "_warning", "_advice")
"""Functions that are given a code first."""


def named_by(tree: ast.AST) -> Iterator[str]:
    """The codes that a module says of what it finds."""
    codes = [code_of(one) for one in calls(tree, "Diagnostic")]
    codes += [one.args[0] for function in functions_of(tree) for one in rules_of(function)]
    codes += [one.args[0] for one in calls(tree, *SAYING) if one.args]
    yield from (code for one in codes if (code := text(one)) and re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", code))


def unnamed_in(tree: ast.AST) -> list[int]:
    """The lines that make a diagnostic without a code in a function that neither is a rule nor is called by rules
    alone."""
    functions = functions_of(tree)

    def is_named(function: Function, above: tuple[Function, ...] = ()) -> bool:
        if any(rules_of(function)):
            return True
        others = [one for one in functions if one is not function and one not in above]
        callers = [one for one in others if any(calls(one, function.name))]
        return bool(callers) and all(is_named(one, (*above, function)) for one in callers)

    def around(line: int) -> Function | None:
        found = [one for one in functions if one.lineno <= line <= (one.end_lineno or 0)]
        return max(found, key=lambda one: one.lineno, default=None)

    made = [one.lineno for one in calls(tree, "Diagnostic") if code_of(one) is None]
    return [line for line in made if (function := around(line)) is None or not is_named(function)]


def test_every_rule_is_declared_once_and_in_the_rulebook() -> None:
    found = declarations()
    assert len(found) == len(set(found))
    assert {*found, NO_RULE} == set(rulebook.rules())


def test_every_code_that_is_said_is_declared_and_every_declared_one_is_said() -> None:
    said = {code for tree in SOURCES.values() for code in named_by(tree)}
    assert said - set(rulebook.rules()) == set()
    assert set(rulebook.rules()) - said - {NO_RULE} == set()


def test_no_diagnostic_of_the_package_is_without_a_rule() -> None:
    found = {str(file): lines for file, tree in SOURCES.items() if (lines := unnamed_in(tree))}
    assert found == {}


@pytest.mark.parametrize("code", sorted(rulebook.rules()))
def test_what_a_rule_guards_is_one_sentence(code: str) -> None:
    rule = rulebook.rules()[code]
    for sentence in filter(None, (rule.guards, rule.why)):
        assert sentence[0].isupper() or sentence[0] == "`"
        assert sentence.endswith(".")
        assert len(sentence.split()) <= 25
    assert bool(rule.wrong) == bool(rule.right)


def test_a_rule_says_only_what_it_is_declared_to_say() -> None:
    with pytest.raises(ValueError, match="the rule `spf-twice` is declared twice"):
        dns_rules.declare("spf-twice", "A name has one SPF record.", "RFC 7208 §4.5", Severity.ERROR)
    with pytest.raises(AssertionError, match="the rule `spf-twice` is declared as error"):
        dns_rules.warning("spf-twice", "example.org TXT", "x", "y")
    with pytest.raises(KeyError):
        dns_rules.error("no-such-rule", "example.org TXT", "x", "y")


def test_rules_about_records_are_those_of_the_component() -> None:
    found = dns_rules.declared()
    assert {rulebook.rules()[code].module.split(".")[1] for code in found} == {"dns_records"}
    assert "spf-twice" in found
    assert "image-reference" not in found


def test_the_page_lists_every_rule() -> None:
    again = "python -m tierstack.stack.rulebook > docs/rules.md"
    assert (ROOT / "docs/rules.md").read_text() == rulebook.markdown(), f"write it with: {again}"
