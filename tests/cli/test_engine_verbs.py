"""up, preview, render and down: what they ask of the engine, with one that only writes it down."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from tests.cli.conftest import Command, Fake
from tests.projects import Checkout
from tierstack.cli import up
from tierstack.core.errors import ArgumentError
from tierstack.engine import aim, target
from tierstack.engine.project import UnreachableError, UsageError
from tierstack.engine.run import Outcome
from tierstack.platform import claim
from tierstack.release import ledger_volume

NOT_ASKED = "was not asked: shop has no address here"
CREATED = [
    {"resourcePreEvent": {"metadata": {"op": "create", "urn": "urn:pulumi:local::shop::a:b:C::web"}}},
    {"summaryEvent": {"resourceChanges": {"create": 2, "same": 0}}},
]


@pytest.fixture(autouse=True)
def docker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, lambda _: None)


def config_of(call: dict[str, Any]) -> dict[str, Any]:
    return yaml.safe_load(call["config"])


def test_up_makes_the_stack_and_brings_it_up(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(up={"events": CREATED}, stack_output={"out": json.dumps({"url": "https://shop", "zone": None})})
    done = tierstack("up", "-s", "local", "--json")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout) == {
        "stack": "local",
        "platform": "docker",
        "result": "succeeded",
        "changes": {"create": 2},
        "outputs": {"url": "https://shop"},
        "parts": [{"name": "https://shop/api/monitoring/health", "health": "unknown", "since": None, "why": NOT_ASKED}],
    }
    assert pulumi.verbs() == ["stack init", "up", "stack output", "stack export", "stack output"]
    assert {"--yes", "--skip-preview"} <= set(pulumi.calls()[1]["arguments"])


def test_up_tells_where_it_answers(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(up={"out": "creating web"}, stack_output={"out": json.dumps({"url": "https://shop", "ca": "PEM"})})
    done = tierstack("up", "-s", "local", "--yes")
    assert "local is up: https://shop" in done.stdout
    assert "creating web" in done.stdout
    assert "curl --cacert ca.pem https://shop/api/monitoring/health" in done.stdout


CLAIM = "urn:pulumi:local::shop::tierstack:index:RedisCluster$kubernetes:core/v1:PersistentVolumeClaim::redis-data-1"
REFUSED = {
    "events": [
        {
            "diagnosticEvent": {
                "severity": "error",
                "message": f'resource "{CLAIM}" cannot be deleted\nbecause it is protected. To unprotect',
            }
        }
    ],
    "code": 255,
}


def test_data_that_the_configuration_does_without_is_kept_and_named(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(up=REFUSED)
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 1
    assert "  PersistentVolumeClaim redis-data-1\nThey are kept." in done.stderr
    assert "tierstack up --stack local --delete-data" in done.stderr
    told = json.loads(tierstack("up", "-s", "local", "--json").stdout)["messages"]
    assert "PersistentVolumeClaim redis-data-1" in told[-1]
    assert "state unprotect" not in pulumi.verbs()


def test_data_goes_when_that_is_asked_for(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(up=[REFUSED, {"events": CREATED}])
    assert tierstack("up", "-s", "local", "--delete-data", "--json").exit_code == 0
    (unprotect,) = (call["arguments"] for call in pulumi.calls() if "unprotect" in call["arguments"])
    assert CLAIM in unprotect
    assert "--all" not in unprotect
    assert pulumi.verbs().count("up") == 2


def test_data_that_would_be_replaced_is_not_let_go(tierstack: Command, pulumi: Fake) -> None:
    said = f'unable to replace resource "{CLAIM}" as part of replacing "urn:pulumi:local::shop::a:b:C::x" as it is'
    event = {"diagnosticEvent": {"severity": "error", "message": said}}
    pulumi.say(up={"events": [event], "code": 255})
    assert tierstack("up", "-s", "local", "--delete-data", "--json").exit_code == 1
    assert "state unprotect" not in pulumi.verbs()


def test_at_a_terminal_data_is_named_before_anything_changes(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierstack.cli.up._at_terminal", lambda: True)
    pulumi.say(preview=REFUSED, stack_init={"code": 255, "err": "already exists"})
    done = tierstack("up", "-s", "local")
    assert (done.exit_code, "They are kept." in done.stderr) == (1, True)
    done = tierstack("up", "-s", "local", "--delete-data", input="n\n")
    assert (done.exit_code, "redis-data-1" in done.stdout) == (1, True)
    assert "up" not in pulumi.verbs()


def test_a_failed_up_ends_with_1(tierstack: Command, pulumi: Fake) -> None:
    event = {"diagnosticEvent": {"severity": "error", "message": "no room\n"}}
    pulumi.say(up={"events": [event], "code": 255})
    done = tierstack("up", "-s", "local", "--json")
    assert (done.exit_code, json.loads(done.stdout)["messages"]) == (1, ["no room"])
    assert tierstack("up", "-s", "local").exit_code == 1


def test_up_asks_before_it_changes_what_exists(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tierstack.cli.up._at_terminal", lambda: True)
    replaced = [
        {"resourcePreEvent": {"metadata": {"op": "replace", "urn": "urn:pulumi:local::shop::a$docker:x:C::web"}}},
        {"summaryEvent": {"resourceChanges": {"replace": 1}}},
    ]
    pulumi.say(preview={"events": replaced})
    done = tierstack("up", "-s", "local", input="n\n")
    assert done.exit_code == 1
    assert "replace" in done.stdout
    assert "web" in done.stdout
    assert pulumi.verbs() == ["stack init", "preview"]
    assert tierstack("up", "-s", "local", input="y\n").exit_code == 0
    pulumi.say(preview={"events": CREATED})
    assert tierstack("up", "-s", "local", input="").exit_code == 0
    pulumi.say(preview={"code": 1, "out": "it fails"})
    assert "it fails" in tierstack("up", "-s", "local").stderr


def test_a_wrong_configuration_starts_no_engine(tierstack: Command, pulumi: Fake, project: Checkout) -> None:
    project.config("local", lambda config: config["app"].update(replicas="x"))
    done = tierstack("up", "-s", "local")
    assert "app.replicas = 'x'" in str(done.exception)
    assert pulumi.calls() == []


def test_the_configuration_of_a_run_keeps_what_is_encrypted(
    tierstack: Command, pulumi: Fake, project: Checkout
) -> None:
    project.config("local", lambda config: config["app"].update(secrets={"KEY": {"secure": "v1:abc"}}))
    file = project.folder / "Pulumi.local.yaml"
    file.write_text(file.read_text() + "encryptionsalt: v1:salt\n")
    before = file.read_text()
    tierstack("up", "-s", "local")
    config = config_of(pulumi.calls()[1])
    assert config["encryptionsalt"] == "v1:salt"
    assert config["config"]["shop:app"]["secrets"] == {"KEY": {"secure": "v1:abc"}}
    assert file.read_text() == before


def test_a_salt_that_encrypts_nothing_is_no_obstacle(tierstack: Command, pulumi: Fake, project: Checkout) -> None:
    """Committed by another clone, it would ask for that clone's passphrase."""
    file = project.folder / "Pulumi.local.yaml"
    file.write_text(file.read_text() + "encryptionsalt: v1:salt\n")
    tierstack("up", "-s", "local")
    assert "encryptionsalt" not in config_of(pulumi.calls()[1])
    file.write_text(file.read_text() + "secretsprovider: awskms://alias/shop\n")
    tierstack("up", "-s", "local")
    updates = [one for one in pulumi.calls() if "up" in one["arguments"]]
    assert config_of(updates[-1])["secretsprovider"] == "awskms://alias/shop"


def test_another_passphrase_is_told(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(up={"code": 255, "err": "", "out": "error: getting secrets manager: incorrect passphrase"})
    done = tierstack("up", "-s", "local", "--yes")
    assert done.exit_code == 1
    assert "Pulumi.local.yaml, or the state of local, is encrypted with another passphrase" in done.stderr


def test_rendering_needs_neither_passphrase_nor_state(tierstack: Command, pulumi: Fake, project: Checkout) -> None:
    project.config("local", lambda config: config["app"].update(secrets={"KEY": {"secure": "v1:abc"}}))
    # The stand-in writes no manifests, so what comes is the run without any.
    tierstack("render", "-s", "local")
    call = next(one for one in pulumi.calls() if "up" in one["arguments"])
    config = config_of(call)
    assert "v1:abc" not in call["config"]
    assert config["config"]["shop:platform"]["kind"] == "kubernetes"
    assert config["config"]["shop:platform"]["render_to"].endswith("/rendered/.local.new")
    assert call["environment"]["PULUMI_SKIP_CHECKPOINTS"] == "true"
    assert call["environment"]["PULUMI_BACKEND_URL"].startswith("file:///")
    assert str(project.folder) not in call["environment"]["PULUMI_BACKEND_URL"]


def test_render_leaves_other_files_alone(tierstack: Command, pulumi: Fake, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    done = tierstack("render", "-s", "staging", "-o", str(mine))
    assert isinstance(done.exception, UsageError)
    assert "holds other files" in str(done.exception)
    assert (mine / "thesis.txt").exists()
    assert pulumi.calls() == []


APPLIED = {"out": json.dumps({"deployment": {"resources": [{"type": "docker:index/volume:Volume", "urn": "u"}]}})}


@pytest.mark.parametrize("verb", ["up", "preview"])
def test_without_docker_a_stack_that_runs_is_an_error(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, aim._no_docker)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    pulumi.say(stack_export=APPLIED)
    done = tierstack(verb, "-s", "local")
    assert isinstance(done.exception, UnreachableError)
    assert done.exception.code == 1
    said = str(done.exception)
    assert (
        "no Docker daemon answers at tcp://127.0.0.1:1, and local runs there. Nothing was changed. Start Docker" in said
    )
    assert "--platform render" in said
    assert verb not in pulumi.verbs()
    # Manifests can be written all the same, by those who ask for them.
    asked = tierstack(verb, "-s", "local", "--platform", "render")
    assert not isinstance(asked.exception, UsageError)
    assert verb in pulumi.verbs()


def test_without_the_docker_host_that_is_configured_nothing_is_rendered(
    tierstack: Command, pulumi: Fake, project: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, aim._no_docker)
    project.config("local", lambda config: config["platform"].update(docker_host="tcp://127.0.0.1:1"))
    done = tierstack("up", "-s", "local")
    assert isinstance(done.exception, UnreachableError)
    assert pulumi.calls() == []


def test_up_and_preview_look_at_what_is_there(tierstack: Command, pulumi: Fake) -> None:
    tierstack("up", "-s", "local", "--yes")
    assert "--refresh" not in pulumi.calls()[1]["arguments"]  # of a new stack nothing is there
    pulumi.say(stack_init={"code": 255, "err": "error: stack 'local' already exists"})
    for verb in ("up", "preview"):
        tierstack(verb, "-s", "local", "--json")
        assert "--refresh" in next(one for one in reversed(pulumi.calls()) if verb in one["arguments"])["arguments"]


def test_a_preview_of_a_stack_that_exists_is_one_run_of_the_engine(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(preview={"events": CREATED})
    assert tierstack("preview", "-s", "local").exit_code == 0
    assert pulumi.verbs() == ["preview"]


def test_a_preview_of_a_new_stack_makes_it(tierstack: Command, pulumi: Fake) -> None:
    missing = {"code": 255, "err": "error: no stack named 'local' found"}
    pulumi.say(preview=[missing, {"events": CREATED, "out": "creating web"}])
    done = tierstack("preview", "-s", "local")
    assert done.exit_code == 0, done.stderr
    assert pulumi.verbs() == ["preview", "stack init", "preview"]
    assert "--refresh" not in pulumi.calls()[-1]["arguments"]  # nothing is there
    assert "no stack named" not in done.output
    assert "creating web" in done.stdout


def _with_images_of_the_host(project: Checkout) -> None:
    """Right on a Docker host, and wrong as manifests."""
    path = project.folder / "Pulumi.local.yaml"
    config = yaml.safe_load(path.read_text())
    config["config"]["shop:images"] = dict.fromkeys(config["config"]["shop:images"], "sha256:" + "a" * 64)
    path.write_text(yaml.safe_dump(config))


@pytest.mark.parametrize("verb", ["up", "preview"])
def test_without_docker_what_manifests_would_need_comes_second(
    tierstack: Command, pulumi: Fake, project: Checkout, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, aim._no_docker)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    _with_images_of_the_host(project)
    first = tierstack(verb, "-s", "local")
    assert isinstance(first.exception, ArgumentError)
    missing = "no Docker daemon answers at tcp://127.0.0.1:1"
    assert str(first.exception).startswith(f"{missing}; as Kubernetes manifests, the configuration of stack local: ")
    pulumi.say(stack_export=APPLIED)
    runs = tierstack(verb, "-s", "local")
    assert isinstance(runs.exception, UnreachableError)
    assert f"{missing}, and local runs there." in str(runs.exception)


def test_another_stack_that_is_missing_is_the_program_s_matter(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(preview={"code": 255, "err": "error: no stack named 'network' found"})
    done = tierstack("preview", "-s", "local")
    assert (done.exit_code, pulumi.verbs()) == (1, ["preview"])
    assert "no stack named 'network' found" in done.stdout


def test_adopting_is_for_one_run(tierstack: Command, pulumi: Fake, project: Checkout) -> None:
    before = (project.folder / "Pulumi.local.yaml").read_text()
    tierstack("up", "-s", "local", "--yes", "--adopt")
    assert config_of(pulumi.calls()[1])["config"]["shop:platform"] == {"kind": "docker", "adopt": True}
    assert (project.folder / "Pulumi.local.yaml").read_text() == before


def test_without_docker_up_renders(tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(aim._ABSENT, target.Target.DOCKER, aim._no_docker)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    done = tierstack("up", "-s", "local")
    assert "no Docker daemon answers at tcp://127.0.0.1:1: Kubernetes manifests are written instead" in done.stderr
    assert config_of(pulumi.calls()[-1])["config"]["shop:platform"]["kind"] == "kubernetes"


def test_without_a_cluster_preview_is_that_of_the_manifests(
    tierstack: Command, pulumi: Fake, project: Checkout, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = {"secure": "v1:x"}

    def change(config: dict[str, Any]) -> None:
        config["platform"].pop("render_to")
        config["object_storage"] |= {"access_key_id": secret, "secret_access_key": secret}

    project.config("staging", change)
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    pulumi.say(preview={"events": CREATED})
    done = tierstack("preview", "-s", "staging", "--diff")
    assert done.exit_code == 0, done.exception
    assert "no cluster is configured (kubeconfig): this is the preview of the manifests" in done.stderr
    assert "--diff" in pulumi.calls()[-1]["arguments"]
    found = json.loads(tierstack("preview", "-s", "staging", "--json").stdout)
    assert found["steps"] == [{"operation": "create", "urn": "urn:pulumi:local::shop::a:b:C::web"}]


@pytest.mark.parametrize(
    ("urn", "is_shown"),
    [
        ("pulumi:providers:pulumi-python::default", False),
        ("pulumi:providers:docker::default_4_5_8", False),
        ("pulumi:providers:kubernetes::shop-default", True),
        ("docker:index/volume:Volume::default", True),
    ],
)
def test_providers_that_nobody_wrote_are_no_steps(urn: str, is_shown: bool) -> None:
    step = ("update", f"urn:pulumi:local::shop::{urn}")
    assert Outcome(True, steps=[step]).changing == ([step] if is_shown else [])


def resource(kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"type": f"docker:index/volume:{kind}", "urn": f"urn:pulumi:local::shop::x::{name}", "id": name, **more}


def state(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"out": json.dumps({"deployment": {"resources": list(resources)}})}


def test_down_keeps_protected_data_and_says_how_to_delete_it(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(stack_export=state(resource("Volume", "shop-db-data", protect=True), resource("Volume", "cache")))
    done = tierstack("down", "-s", "local")
    assert done.exit_code == 0
    assert "volume shop-db-data" in done.stdout
    assert "tierstack down -s local --delete-data" in done.stdout
    destroy = next(one for one in pulumi.calls() if "destroy" in one["arguments"])
    assert "--exclude-protected" in destroy["arguments"]
    assert "stack rm" not in pulumi.verbs()
    assert "state unprotect" not in pulumi.verbs()


def test_down_with_data_unprotects_destroys_and_forgets(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(stack_export=state())
    done = tierstack("down", "-s", "local", "--delete-data", "--json")
    assert json.loads(done.stdout) == {"stack": "local", "result": "succeeded", "kept": []}
    assert [one for one in pulumi.verbs() if one not in ("stack ls", "stack export")] == [
        "state unprotect",
        "destroy",
        "stack rm",
    ]
    assert "--preserve-config" in pulumi.calls()[-1]["arguments"]


class Daemon:
    """A Docker daemon with volumes, as Docker's client shows it."""

    def __init__(self, *names: str) -> None:
        self.volumes, self.names = self, list(names)

    def list(self, filters: dict[str, str]) -> "list[SimpleNamespace]":
        return [SimpleNamespace(name=one) for one in self.names if filters["name"] in one]

    def get(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(remove=lambda: self.names.remove(name))


OF_THE_NAME = {
    "type": claim.TYPE,
    "urn": "urn:pulumi:local::shop::x::shop-claim",
    "outputs": {"name": "shop", "owner": "us", "docker_host": None},
}


def test_the_ledger_of_releases_stays_and_goes_with_the_data(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No state has it."""
    daemon = Daemon("shop-releases", "shop-releases-2", "my-shop-releases")
    monkeypatch.setattr(ledger_volume, "client", lambda _: daemon)
    monkeypatch.setattr(claim, "is_taken_over", lambda _: False)
    pulumi.say(stack_export=state(OF_THE_NAME, resource("Volume", "shop-db-data", protect=True)))
    ledger = "volume shop-releases (the ledger of releases)"
    assert f"  {ledger}\n" in tierstack("down", "-s", "local").stdout
    assert json.loads(tierstack("down", "-s", "local", "--json").stdout)["kept"] == ["volume shop-db-data", ledger]
    assert len(daemon.names) == 3
    pulumi.say(stack_export=state(OF_THE_NAME))
    done = tierstack("down", "-s", "local", "--delete-data")
    assert f"deleted: {ledger}\n" in done.stdout
    assert daemon.names == ["shop-releases-2", "my-shop-releases"]
    daemon.names.append("shop-releases")
    told = json.loads(tierstack("down", "-s", "local", "--delete-data", "--json").stdout)
    assert (told["kept"], told["deleted"]) == ([], [ledger])


def test_retained_data_is_refused(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(stack_export=state(resource("Volume", "shop-db-data", protect=True, retainOnDelete=True)))
    done = tierstack("down", "-s", "local", "--delete-data", "--yes")
    assert done.exit_code == 1
    assert "`data_protection` is `retain`" in done.stderr
    assert "volume shop-db-data" in done.stderr
    assert not {"destroy", "state unprotect"} & set(pulumi.verbs())


def test_down_asks_at_a_terminal(tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tierstack.cli.down._at_terminal", lambda: True)
    assert tierstack("down", "-s", "local", input="n\n").exit_code == 1
    assert "destroy" not in pulumi.verbs()


def test_down_of_nothing_and_a_failed_down(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(stack_ls={"out": "[]"})
    assert "there is nothing to take down" in tierstack("down", "-s", "local").stdout
    pulumi.say(
        stack_ls={"out": json.dumps([{"name": "organization/shop/local"}])}, destroy={"code": 255, "out": "stuck"}
    )
    assert tierstack("down", "-s", "local").exit_code == 1
    assert json.loads(tierstack("down", "-s", "local", "--json").stdout)["messages"] == ["stuck"]


def test_a_backend_that_does_not_answer(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(stack_ls={"code": 1, "err": "no such bucket"}, stack_init={"code": 1, "err": "no such bucket"})
    for verb in ("down", "up"):
        done = tierstack(verb, "-s", "local")
        assert isinstance(done.exception, UsageError)
        assert "no such bucket" in str(done.exception)


def test_without_the_engine_the_set_up_is_named(tierstack: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert "make setup" in str(tierstack("up", "-s", "local").exception)


GONE = [
    {"resourcePreEvent": {"metadata": {"op": "delete", "urn": "urn:pulumi:local::shop::a:b:C::db"}}},
    {"summaryEvent": {"resourceChanges": {"delete": 1, "same": 3}}},
]


def test_up_with_refresh_looks_before_it_judges_what_changes(tierstack: Command, pulumi: Fake) -> None:
    pulumi.say(refresh={"events": GONE}, up={"events": CREATED}, stack_output={"out": "{}"})
    done = tierstack("up", "-s", "local", "--refresh", "--yes")
    assert done.exit_code == 0, done.stderr
    assert pulumi.verbs()[:4] == ["stack ls", "refresh", "refresh", "stack init"]
    looked, refreshed = pulumi.calls()[1:3]
    assert "--preview-only" in looked["arguments"]
    assert "--yes" in refreshed["arguments"]


def test_nothing_leaves_the_state_in_the_wrong_cluster(
    tierstack: Command, pulumi: Fake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(up, "_at_terminal", lambda: True)
    pulumi.say(refresh={"events": GONE})
    done = tierstack("up", "-s", "local", "--refresh", input="n\n")
    assert done.exit_code == 1
    assert "In the state, but not in the cluster (1): db" in done.stderr
    assert pulumi.verbs() == ["stack ls", "refresh"]


def test_a_refresh_that_fails_changes_nothing(tierstack: Command, pulumi: Fake) -> None:
    said = {"diagnosticEvent": {"severity": "error", "message": "connection refused"}}
    pulumi.say(refresh={"events": [said], "code": 255})
    done = tierstack("up", "-s", "local", "--refresh", "--json")
    assert (done.exit_code, json.loads(done.stdout)["messages"]) == (1, ["connection refused"])
    assert pulumi.verbs() == ["stack ls", "refresh"]


@pytest.mark.parametrize(
    ("rendered", "instead"),
    [
        (False, "runs on Kubernetes; .* `tierstack up -s staging` rolls the Deployment"),
        (True, "is rendered to manifests; .* `tierstack render -s staging`, and what applies the manifests rolls"),
    ],
)
@pytest.mark.parametrize("verb", [("release",), ("release", "status"), ("release", "history"), ("rollback",)])
def test_releases_are_refused_away_from_a_docker_host(
    verb: tuple[str, ...], rendered: bool, instead: str, tierstack: Command, pulumi: Fake, project: Checkout
) -> None:
    if not rendered:

        def applied(config: dict[str, Any]) -> None:
            del config["platform"]["render_to"]
            for one in ("backups", "object_storage"):  # whose secrets have no values here
                config.pop(one, None)

        project.config("staging", applied)
    done = tierstack(*verb, "-s", "staging")
    assert isinstance(done.exception, UsageError), done.exception
    (said,) = done.exception.messages
    assert re.match(f"staging {instead}", said)
    assert "go back, do the same with the image from before" in said
    assert pulumi.calls() == []
