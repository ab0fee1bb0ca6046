"""`tierstack check`, and how a project is found."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command
from tests.dns_records.samples import rsa_key
from tests.projects import Checkout
from tierstack.cli import main
from tierstack.engine.project import UsageError, find


def test_a_right_configuration_says_what_it_carries(tierstack: Command) -> None:
    done = tierstack("check", "-s", "prod")
    assert done.exit_code == 0
    assert "prod: no problems (kubernetes)" in done.stdout
    bottleneck = "Bottleneck: CPU of the web containers, 7,000 requests/s (10 cores at 70%, 1 ms per request)"
    assert bottleneck in done.stdout
    assert "PHP-FPM children, 11,200 requests/s (240 children at 70%, 15 ms per request)" in done.stdout
    assert "1,533 requests/s if each request connects" in done.stdout


def test_for_machines(tierstack: Command) -> None:
    done = tierstack("check", "-s", "local", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["ok"], found["diagnostics"], found["platform"]) == (0, True, [], "docker")
    assert found["capacity"][0]["name"] == "CPU of the web containers"


def test_every_problem_with_exit_code_1(tierstack: Command, project: Checkout) -> None:
    project.config("local", lambda config: config.update(tier="2M", zzz=1))
    done = tierstack("check", "-s", "local")
    assert done.exit_code == 1
    assert "configuration of stack local: 2 problems" in done.stderr
    assert "tier = '2M': is not a choice" in done.stderr
    found = json.loads(tierstack("check", "-s", "local", "--json").stdout)
    assert [(one["path"], one["code"]) for one in found["diagnostics"]] == [
        ("zzz", "unknown-key"),
        ("tier", "not-a-choice"),
    ]
    assert not found["ok"]
    assert found["diagnostics"][0]["value"] is None


def test_advice_is_no_problem(tierstack: Command, project: Checkout) -> None:
    project.config("local", lambda config: (config.pop("backups"), config["kubernetes"].pop("object_storage")))
    done = tierstack("check", "-s", "local")
    assert done.exit_code == 0
    assert "warning  backups: the data is protected, but not backed up; add a `backups` section [backups-absent]" in (
        done.stdout
    )


def test_warnings_about_records_name_the_setting(tierstack: Command, project: Checkout) -> None:
    def warned(config: dict[str, Any]) -> None:
        config["dns"]["mail"]["brevo"] = {"dkim_key": rsa_key(1024)}
        config["dns"]["web"].append({"host": "vpn", "ipv4": ["10.0.0.1"]})
        config["ignore"] = {"address-private@vpn": "inside only"}

    project.config("prod", warned)
    done = tierstack("check", "-s", "prod")
    assert done.exit_code == 0
    assert (
        "warning  dns.mail.brevo.dkim_key: mail._domainkey.shop.example TXT: the RSA key has 1024 bits" in done.stdout
    )
    assert "1 finding is ignored: address-private" in done.stdout
    found = json.loads(tierstack("check", "-s", "prod", "--json").stdout)
    assert [(one["path"], one["code"]) for one in found["diagnostics"]] == [
        ("dns.mail.brevo.dkim_key", "dkim-key-short")
    ]
    assert [(one["path"], one["reason"]) for one in found["ignored"]] == [("dns.web[2].ipv4[0]", "inside only")]


def test_an_unknown_rule_is_a_problem(tierstack: Command, project: Checkout) -> None:
    project.config("prod", lambda config: config.update(ignore={"adress-private": "x"}))
    done = tierstack("check", "-s", "prod")
    assert done.exit_code == 1
    assert "ignore.adress-private: there is no rule `adress-private`; did you mean `address-private`?" in done.stderr


def test_another_platform(tierstack: Command) -> None:
    found = json.loads(tierstack("check", "-s", "local", "--platform", "render", "--json").stdout)
    assert (found["platform"], found["diagnostics"]) == ("kubernetes", [])
    applied = json.loads(tierstack("check", "-s", "prod", "--platform", "kubernetes", "--json").stdout)
    assert "object_storage.access_key_id" in [one["path"] for one in applied["diagnostics"]]


def test_encrypted_values_are_unknown_secrets(tierstack: Command, project: Checkout) -> None:
    project.config("local", lambda config: config["app"].update(secrets={"API_KEY": {"secure": "v1:abc"}}))
    assert tierstack("check", "-s", "local").exit_code == 0
    values = find(project.folder).config("local")
    assert values.values["app"]["secrets"] == {"API_KEY": "(secret)"}
    assert values.secret_keys == {"app"}
    project.config("local", lambda config: config["app"].update(secrets={"API_KEY": "plain"}))
    assert "stands in plaintext" in tierstack("check", "-s", "local").stderr


def test_an_unknown_stack_names_the_nearest(project: Checkout) -> None:
    with pytest.raises(
        UsageError, match=r"no stack `stagin`: Pulumi.stagin.yaml does not exist; did you mean `staging`"
    ):
        find(project.folder).config("stagin")
    with pytest.raises(UsageError, match="there are: local, prod, staging"):
        find(project.folder).config("zzz")


def test_usage_errors_end_with_2(
    project: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["tierstack", "check", "-s", "nothing", "-C", str(project.folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "tierstack: no stack `nothing`" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["config:\n\tshop:tier: 1M\n", "config: {a: 1, a: 2}\n", "shop:tier: 1M\n", "- a\n"])
@pytest.mark.parametrize("verb", ["check", "preview", "topology"])
def test_a_file_that_is_no_configuration_ends_with_1(
    project: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], text: str, verb: str
) -> None:
    (project.folder / "Pulumi.bad.yaml").write_text(text)
    monkeypatch.setattr(sys, "argv", ["tierstack", verb, "-s", "bad", "-C", str(project.folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err.startswith("tierstack: Pulumi.bad.yaml")


@pytest.mark.parametrize("verb", ["up", "preview", "status", "down", "render", "diff", "check"])
@pytest.mark.parametrize("stack", ["bad", "nothing"])
def test_who_reads_json_gets_it_where_a_verb_cannot_be_carried_out(
    tierstack: Command, project: Checkout, verb: str, stack: str
) -> None:
    (project.folder / "Pulumi.bad.yaml").write_text("config:\n\tshop:tier: 1M\n")
    done = tierstack(verb, "-s", stack, "--json")
    answer = json.loads(done.stdout)
    assert answer["stack"] == stack
    (said,) = answer["messages"] if verb != "check" else [answer["diagnostics"][0]["message"]]
    assert f"Pulumi.{stack}.yaml" in said
    assert verb == "check" or answer["result"] == "failed"


def test_who_reads_json_gets_it_where_the_configuration_is_wrong(tierstack: Command, project: Checkout) -> None:
    project.config("local", lambda config: config.update(tier="2M"))
    answer = json.loads(tierstack("preview", "-s", "local", "--json").stdout)
    assert answer == {
        "stack": "local",
        "result": "failed",
        "messages": ["tier = '2M': is not a choice; write one of `100k`, `1M` [not-a-choice]"],
    }


def test_wrong_configuration_ends_with_1(
    project: Checkout, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project.config("local", lambda config: config.update(tier="2M"))
    monkeypatch.setattr(sys, "argv", ["tierstack", "topology", "-s", "local", "-C", str(project.folder)])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert "configuration of stack local: 1 problem\n  tier = '2M'" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "message"), [("a: [", "is not YAML"), ("config: 3\n", "`config` is not a map")])
def test_a_file_that_is_none(project: Checkout, text: str, message: str) -> None:
    (project.folder / "Pulumi.bad.yaml").write_text(text)
    with pytest.raises(UsageError, match=message):
        find(project.folder).config("bad")


def test_a_project_is_found_from_below_and_missed_elsewhere(project: Checkout, tmp_path: Path) -> None:
    assert find(project.folder / "stacks").root == project.folder
    with pytest.raises(UsageError, match=r"no Pulumi\.yaml"):
        find(tmp_path / "bin")


def test_a_program_that_exports_no_stack_says_so(project: Checkout) -> None:
    (project.folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "other", "runtime": "python"}))
    found = find(project.folder)
    with pytest.raises(UsageError, match="exports no stack"):
        found.check("local", found.config("local"))


def test_help_shows_examples(tierstack: Command) -> None:
    for verb in ("check", "up", "preview", "render", "down", "topology"):
        assert f"tierstack {verb}" in tierstack(verb, "--help").stdout
