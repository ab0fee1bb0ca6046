"""The rules, each by a change that it must see, and by changes beside it that it must not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.diff import plans
from tierstack.diff.risk import Risk, findings, path_matches
from tierstack.diff.rules import RULES
from tierstack.diff.texts import plain

CASES = Path(__file__).parents[1] / "cases" / "diff"


def cases(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((CASES / f"{name}.yaml").read_text())


@pytest.mark.parametrize("case", cases("rules"), ids=lambda case: f"{case['rule']} {case['type'].rpartition(':')[2]}")
def test_a_rule_sees_its_change(case: dict[str, Any]) -> None:
    found = {one.rule: one for one in findings(plans.of_case(case), RULES)}
    assert case["rule"] in found, list(found)
    said = plain(found[case["rule"]].what)
    assert case["says"] in said
    assert "{" not in said + plain(found[case["rule"]].instead)


@pytest.mark.parametrize("case", cases("silent"), ids=lambda case: case["why"])
def test_a_rule_is_silent_beside_its_change(case: dict[str, Any]) -> None:
    plan = plans.of_case(case)
    assert plan.changes or plan.beside, "nothing changes, so nothing is proved"
    found = [one for one in findings(plan, RULES) if one.risk.value in case["silent"]]
    assert [(one.rule, plain(one.what)) for one in found] == []


def test_every_rule_has_a_case() -> None:
    assert {one.id for one in RULES} == {case["rule"] for case in cases("rules")}


def test_one_id_is_one_class_and_says_what_to_do() -> None:
    classes: dict[str, set[Risk]] = {}
    for one in RULES:
        classes.setdefault(one.id, set()).add(one.risk)
        calm = one.risk in (Risk.COST, Risk.INFORMATION) or one.id.endswith("-public")
        assert one.instead or calm, f"{one.id} says nothing to do"
        assert one.what[-1] not in ".!", one.id
    assert all(len(found) == 1 for found in classes.values())


def test_a_new_stack_is_no_risk_to_what_was() -> None:
    """Rules look at what changes: everything is new, so nothing is lost, stopped or weakened."""
    bad_from_the_start = ("pod-less-confined", "host-path-mounted", "docker-socket-mounted")
    rights = ("rights-of-an-administrator", "rights-to-everything")
    groups = [
        plans.steps(case["type"], f"it-{index}", "create", new=case["new"])
        for index, case in enumerate(cases("rules"))
        if case.get("new") and case["rule"] not in (*bad_from_the_start, *rights)
    ]
    found = {one.rule for one in findings(plans.plan(*groups), RULES)}
    assert {one for one in found if not one.endswith("-public")} <= {
        "any-public",
        "any-open-to-everybody",
        "container-less-confined",
    }


def test_what_several_resources_share_is_one_finding() -> None:
    claims = [
        plans.steps("kubernetes:core/v1:PersistentVolumeClaim", f"data-{n}", "delete", {"spec": {}}) for n in range(5)
    ]
    (found,) = findings(plans.plan(*claims), RULES)
    assert found.names == tuple(f"data-{n}" for n in range(5))


def test_a_general_rule_is_silent_where_another_one_has_said_it() -> None:
    """A database by Percona is known by its type; `*luster:*` would say it again, in other words."""
    type_ = "kubernetes:pxc.percona.com/v1:PerconaXtraDBCluster"
    general = [one.id for one in RULES if one.is_general]
    found = findings(plans.plan(plans.steps(type_, operation="delete", old={"spec": {}})), RULES)
    assert [one.rule for one in found] == ["database-deleted"]
    both = [
        replace(one, types=("*",), condition=lambda _: True)
        for one in RULES
        if one.id in ("database-deleted", "any-store-deleted")
    ]
    found = findings(plans.plan(plans.steps(type_, operation="delete", old={"spec": {}})), both)
    assert [one.rule for one in found] == ["database-deleted"]
    assert "any-store-deleted" in general


def test_two_general_rules_about_one_resource_both_speak() -> None:
    old, new = ({"backupRetentionPeriod": n, "deletionProtection": n > 9, "storageEncrypted": True} for n in (30, 1))
    found = findings(plans.plan(plans.steps("aws:rds/instance:Instance", old=old, new=new)), RULES)
    assert {p.path[0] for one in found for p in one.because} == {"backupRetentionPeriod", "deletionProtection"}


def test_what_follows_from_an_unknown_value_is_said_as_uncertain() -> None:
    known_later = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
    (found,) = findings(plans.plan(plans.steps("a:b/c:C", old={"kmsKeyId": "a"}, new={"kmsKeyId": known_later})), RULES)
    assert plain(found.what).endswith("another key, perhaps: the new value is known only during the update")


def test_a_renamed_database_names_the_empty_one() -> None:
    cluster = "kubernetes:postgresql.cnpg.io/v1:Cluster"
    gone = plans.steps(cluster, "db", "delete", {"spec": {"instances": 3}})
    made = plans.steps(cluster, "maindb", "create", new={"spec": {"instances": 3}})
    (found,) = findings(plans.plan(gone, made), RULES)
    assert plain(found.what) == "is deleted with all its data, and maindb is created, empty"


SERVICE, SCHEDULE = "kubernetes:core/v1:Service", "kubernetes:postgresql.cnpg.io/v1:ScheduledBackup"
ROUTE, PASSWORD = "kubernetes:gateway.networking.k8s.io/v1:HTTPRoute", "random:index/randomPassword:RandomPassword"
DEPLOYMENT = "kubernetes:apps/v1:Deployment"


def deployment(image: str, name: str) -> dict[str, Any]:
    """A Deployment with its name in its labels, as most have it."""
    container = {"name": "app", "image": image, "ports": [{"containerPort": 80}], "env": [{"name": "A", "value": "1"}]}
    pod = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [container]}}
    selector = {"matchLabels": {"app": name}}
    return {"metadata": {"name": name}, "spec": {"replicas": 2, "selector": selector, "template": pod}}


def backups(database: str, hour: int) -> dict[str, Any]:
    return {"spec": {"schedule": f"0 0 {hour} * * *", "cluster": {"name": database}}}


def route(*hosts: str) -> dict[str, Any]:
    return {"spec": {"hostnames": [*hosts], "rules": [{"backendRefs": [{"port": 80}]}]}}


OTHER = {**deployment("reports:7", "reports"), "spec": {"template": {"spec": {"containers": [{"image": "reports"}]}}}}


@pytest.mark.parametrize(
    ("type_", "old", "new", "told"),
    [
        pytest.param(SCHEDULE, backups("db", 0), backups("reports", 0), ["backups-end"], id="of another database"),
        pytest.param(SCHEDULE, backups("db", 0), backups("db", 6), [], id="of the same database"),
        pytest.param(DEPLOYMENT, deployment("shop:1", "web"), OTHER, ["workload-deleted"], id="another application"),
        pytest.param(DEPLOYMENT, deployment("shop:1", "web"), deployment("shop:1", "front"), [], id="renamed"),
        pytest.param(
            DEPLOYMENT,
            deployment("shop:1", "web"),
            deployment("shop:1", "web"),
            ["workload-deleted", "same-object-deleted"],
            id="one object under two names of the program: it is made, and deleted right afterwards",
        ),
        pytest.param(
            SERVICE, {"spec": {}}, {"spec": {"ports": [{"port": 81}]}}, ["service-deleted"], id="another name"
        ),
        pytest.param(ROUTE, route("shop.example"), route("admin.example"), ["route-deleted"], id="another host"),
        pytest.param(ROUTE, route("shop.example"), route("www.shop.example", "shop.example"), [], id="the same host"),
        pytest.param(PASSWORD, {"length": 20}, {"length": 20}, ["generated-value-deleted"], id="another password"),
    ],
)
def test_what_comes_takes_the_place_of_what_goes_only_if_it_does_the_same(
    type_: str, old: dict[str, Any], new: dict[str, Any], told: list[str]
) -> None:
    plan = plans.plan(plans.steps(type_, "before", "delete", old), plans.steps(type_, "after", "create", new=new))
    found = [one.rule for one in findings(plan, RULES) if not one.rule.endswith("-public")]
    assert found == told


@pytest.mark.parametrize(
    ("path", "pattern", "matches"),
    [
        (("a", "b"), "a b", True),
        (("a", "b"), "a *", True),
        (("a", "b"), "a", False),
        (("a", "b", "c"), "a **", True),
        (("a",), "a **", True),
        (("a", "b", "c"), "** c", True),
        (("c",), "** c", True),
        (("a", "b", "c"), "a ** c", True),
        (("b", "c"), "a ** c", False),
        (("records", "shop.example A"), "records *~A", True),
        (("records", "shop.example AAAA"), "records *~A", False),
    ],
)
def test_patterns_of_paths(path: tuple[str, ...], pattern: str, matches: bool) -> None:
    assert path_matches(path, [step.replace("~", " ") for step in pattern.split()]) is matches
