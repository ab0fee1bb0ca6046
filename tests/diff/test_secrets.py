"""No secret is shown, on neither side, whatever happens to it."""

import base64
import json
from typing import Any

import pytest

from tests.diff import plans
from tierstack.diff.document import document
from tierstack.diff.html import page
from tierstack.diff.markdown import comment
from tierstack.diff.model import Plan
from tierstack.diff.report import report

PLAIN = "correct-horse-battery"
SIGNED = {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", "ciphertext": PLAIN}
CONTAINER = "docker:index/container:Container"
PEM = f"-----BEGIN PRIVATE KEY-----\n{PLAIN}\n-----END PRIVATE KEY-----\n"


def everything(plan: Plan) -> str:
    found = report(plan)
    return comment(found) + page(found) + json.dumps(document(found))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param({"v": PLAIN}, {"v": "[secret]"}, id="only now a secret"),
        pytest.param({"v": "[secret]"}, {"v": PLAIN}, id="a secret no more"),
        pytest.param({"v": PLAIN}, {"v": SIGNED}, id="by the engine's signature"),
        pytest.param({"v": {"a": {"b": PLAIN}}}, {"v": "[secret]"}, id="the whole map becomes one"),
        pytest.param({"v": ["x", PLAIN]}, {"v": ["x", "[secret]"]}, id="an element of a list"),
        pytest.param({"v": ["x", PLAIN, "y"]}, {"v": ["[secret]", "x"]}, id="an element that also moves"),
        pytest.param({"envs": ["A=1", f"PIN={PLAIN}"]}, {"envs": ["A=1", "[secret]"]}, id="a variable"),
        pytest.param({"envs": ["A=1", f"PIN={PLAIN}"]}, {"envs": "[secret]"}, id="all variables"),
        pytest.param({"v": PLAIN, "note": f"it is {PLAIN}."}, {"v": "[secret]", "note": "gone"}, id="again elsewhere"),
        pytest.param(
            {"v": PLAIN, "note": base64.b64encode(PLAIN.encode()).decode()},
            {"v": "[secret]", "note": ""},
            id="in base64",
        ),
        pytest.param({"password": PLAIN}, {"password": "another-one"}, id="never marked, but named so"),
        pytest.param({"kubeconfig": f"token: {PLAIN}"}, {"kubeconfig": "another-one"}, id="a kubeconfig"),
        pytest.param({"envs": [f"DB_PASSWORD={PLAIN}"]}, {"envs": ["DB_PASSWORD=x"]}, id="a variable named so"),
        pytest.param(
            {"env": [{"name": "API_TOKEN", "value": PLAIN}]},
            {"env": [{"name": "API_TOKEN", "value": "x"}]},
            id="a pod's variable",
        ),
        pytest.param({"envs": [f"SMTP_PASS={PLAIN}"]}, {"envs": ["SMTP_PASS=x"]}, id="a variable with a short word"),
        pytest.param({"smtpPass": PLAIN}, {"smtpPass": "another-one"}, id="a property with a short word"),
        pytest.param(
            {"c": f"Host=db;Password={PLAIN};A=1"}, {"c": "Password=another-one;A=2"}, id="a list of settings"
        ),
        pytest.param({"hook": f"https://x.example/a?token={PLAIN}&b=1"}, {"hook": "https://x.example/a"}, id="a query"),
        pytest.param({"header": f"Authorization: Bearer 1{PLAIN}"}, {"header": "[secret]"}, id="a header"),
        pytest.param({"key": PEM}, {"key": "none"}, id="a private key in a text"),
        pytest.param({"url": f"postgres://app:{PLAIN}@db/app"}, {"url": "postgres://db/app"}, id="in an address"),
        pytest.param(
            {"c": json.dumps({"password": PLAIN})}, {"c": json.dumps({"password": "x"})}, id="in JSON in a string"
        ),
    ],
)
def test_a_secret_is_masked_on_both_sides(old: dict[str, Any], new: dict[str, Any]) -> None:
    said = everything(plans.plan(plans.steps("aws:x/thing:Thing", old=old, new=new)))
    assert PLAIN not in said
    assert "another-one" not in said
    assert "[secret]" in said or "url" in said


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1" * 18,
        "glpat-" + "a1" * 10,
        "xoxb-" + "1" * 12 + "-abc",
        "sk_live_" + "a1" * 8,
        f"eyJ{'a' * 9}.eyJ{'b' * 9}.{'c' * 9}",
        "https://hooks.slack.com/services/T0/B0/" + "x" * 9,
    ],
)
def test_tokens_of_a_known_form_are_secrets_wherever_they_stand(token: str) -> None:
    said = everything(plans.plan(plans.steps("aws:x/thing:Thing", old={"v": f"a {token} b"}, new={"v": "none"})))
    assert token not in said
    assert "[secret]" in said


@pytest.mark.parametrize("text", ["basic authentication", "--token=/run/secrets/x", "token=${TOKEN}", "bypass=true"])
def test_words_about_secrets_are_none(text: str) -> None:
    said = everything(plans.plan(plans.steps("aws:x/thing:Thing", old={"bypass": text}, new={"bypass": "none"})))
    assert text in said


ADDRESS = "postgres://app:{}@db/app"


@pytest.mark.parametrize(
    ("old", "new", "more"),
    [
        pytest.param({"v": ADDRESS.format(PLAIN)}, {"v": ADDRESS.format("another-one")}, {}, id="in an address"),
        pytest.param({"v": ["PASSWORD=" + PLAIN]}, {"v": ["PASSWORD=another-one"]}, {}, id="by its name"),
        pytest.param({"v": "[secret]"}, {"v": "[secret]"}, {"diffReasons": ["v"]}, id="as the provider says"),
        pytest.param({"v": "[secret]"}, {"v": "[secret]"}, {}, id="where nobody says which"),
    ],
)
def test_a_change_that_is_only_in_a_secret_is_a_change(old: dict[str, Any], new: dict[str, Any], more: Any) -> None:
    plan = plans.plan(plans.steps("aws:x/thing:Thing", old=old, new=new, **more))
    (change,) = plan.changes
    assert [(str(p.old), str(p.new)) for p in change.properties] == [("[secret]", "[secret]")]
    said = everything(plan)
    assert PLAIN not in said
    assert "another-one" not in said


def test_what_changes_inside_of_a_secret_list_is_said_not_to_be_judged() -> None:
    """The provider of Kubernetes marks all containers where one variable is a secret."""
    state = {"spec": {"template": {"spec": {"containers": "[secret]"}}}}
    image = "spec.template.spec.containers[0].image"
    detailed = {image: {"kind": "update"}}
    one = plans.steps("kubernetes:apps/v1:Deployment", "web", old=state, new=state, detailedDiff=detailed)
    said = comment(report(plans.plan(one)))
    assert "`prod`: nothing that can be read here is lost" in said
    assert "1 change is inside a list or map that is secret as a whole" in said
    assert f"`{image} of web`" in said


def test_values_of_a_kubernetes_secret_are_secret_in_files_too() -> None:
    case = {
        "type": "kubernetes:core/v1:Secret",
        "files": True,
        "old": {"stringData": {"a": PLAIN}},
        "new": {"stringData": {"a": "new-value"}},
    }
    said = everything(plans.of_case(case))
    assert PLAIN not in said
    assert "new-value" not in said


def test_a_secret_is_removed_from_error_messages_and_other_resources() -> None:
    plan = plans.plan(
        plans.steps("aws:x/thing:Thing", "one", old={"v": PLAIN}, new={"v": "[secret]"}),
        plans.steps("aws:x/thing:Thing", "two", old={"text": f"with {PLAIN}"}, new={"text": f"with {PLAIN}!"}),
        diagnostics=[{"severity": "error", "message": f"cannot log in with {PLAIN}"}],
    )
    assert plan.errors == ("cannot log in with [secret]",)
    assert PLAIN not in everything(plan)


def test_a_secret_that_the_provider_compares_with_its_state() -> None:
    """After a refresh the old value is in the outputs; what the engine marks there stays hidden."""
    one = plans.steps(
        "aws:x/thing:Thing", old={"v": "[secret]"}, new={"v": "[secret]"}, detailedDiff={"v": {"kind": "update"}}
    )
    one[0]["oldState"]["outputs"] = {"v": PLAIN}
    plan = plans.plan(one)
    assert [(str(p.old), str(p.new)) for one in plan.changes for p in one.properties] == [("[secret]", "[secret]")]
    assert PLAIN not in everything(plan)


def test_names_and_references_are_no_secrets() -> None:
    old = {
        "secretName": "db-app",
        "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}},
        "path": {"password": "/run/secrets/x"},
    }
    new = {
        "secretName": "db-two",
        "valueFrom": {"secretKeyRef": {"name": "db", "key": "pass2"}},
        "path": {"password": "/run/secrets/y"},
    }
    said = everything(plans.plan(plans.steps("aws:x/thing:Thing", old=old, new=new)))
    assert all(word in said for word in ("db-two", "pass2", "/run/secrets/y"))


def test_a_short_value_is_hidden_where_it_stands_and_not_searched_for_in_words() -> None:
    said = everything(
        plans.plan(
            plans.steps("aws:x/thing:Thing", old={"v": "on", "name": "london"}, new={"v": "[secret]", "name": "bonn"})
        )
    )
    assert "london" in said
    assert "bonn" in said
