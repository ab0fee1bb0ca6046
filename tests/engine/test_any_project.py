"""Any Pulumi project can use the command: one without tierstack, one composed by hand, one of another language."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.projects import ROOT, Checkout

PLAIN = """
import pulumi
import pulumi_random as random

stack = pulumi.get_stack()  # a name that programs like to use
pet = random.RandomPet("pet", length=pulumi.Config().get_int("words") or 2)
pulumi.export("pet", pet.id)
pulumi.export("url", "https://plain.invalid/shop")
"""
MANIFESTS = """
import pulumi
import pulumi_random as random
import tierstack as ts
from pulumi_kubernetes.core.v1 import ConfigMap

salt = random.RandomPet("salt")
ConfigMap("settings", metadata={"name": "settings", "namespace": "shop"}, data={"salt": salt.id})
cluster = ts.Kubernetes(name="shop", context="nowhere", secret_store="vault")
redis = ts.RedisCluster("redis", ts.RedisClusterArgs(platform=cluster, tier=ts.Tier.USERS_100K,
                        image="registry.example/valkey@sha256:" + 64 * "0"))
ts.DNSRecords("dns", ts.DNSRecordsArgs(domain="shop.example", web=[ts.WebHostArgs(ipv4=["203.0.113.10"])]))
"""


def project(folder: Path, program: str, runtime: str = "python", **config: Any) -> Checkout:
    (folder / "state").mkdir(parents=True)
    (folder / "Pulumi.yaml").write_text(yaml.safe_dump({"name": "plain", "runtime": runtime}))
    (folder / "__main__.py").write_text(program)
    if config:
        (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": config}))
    return Checkout(folder)


def compose(folder: Path, program: str | None = None, example: str = "compose") -> Checkout:
    shutil.copytree(ROOT / "examples" / example, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "state").mkdir()
    if program:
        (folder / "__main__.py").write_text(program)
    names = ("app", "traefik", "valkey", "postgres", "pgbouncer", "barman")
    images = {f"image:{name}": f"registry.example/{name}:17.6@sha256:{64 * '0'}" for name in names}
    (folder / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": images}))
    return Checkout(folder)


def test_a_program_without_tierstack_goes_up_and_down(tmp_path: Path) -> None:
    checkout = project(tmp_path / "plain", PLAIN, **{"plain:words": 3})
    planned = checkout.json("preview", "-s", "dev")
    assert (planned["platform"], planned["changes"]) == ("program", {"create": 2})

    made = checkout.json("up", "-s", "dev")
    assert (made["platform"], made["result"]) == ("program", "succeeded")
    assert len(made["outputs"]["pet"].split("-")) == 3
    assert [one["health"] for one in made["parts"]] == ["unknown"]  # the address, which nothing resolves

    again = checkout.json("preview", "-s", "dev")
    assert (again["changes"], again["steps"]) == ({"same": 2}, [])
    assert checkout.json("status", "-s", "dev")["result"] == "healthy"
    assert checkout.json("down", "-s", "dev")["result"] == "succeeded"
    assert checkout.tierstack("status", "-s", "dev", code=2).stderr.count("was never brought up") == 1


def test_a_program_without_configuration_needs_no_file(tmp_path: Path) -> None:
    checkout = project(tmp_path / "plain", PLAIN)
    assert checkout.json("up", "-s", "dev")["result"] == "succeeded"
    checkout.tierstack("down", "-s", "dev", "--yes")


def test_a_slip_of_the_stacks_name_makes_no_stack(tmp_path: Path) -> None:
    checkout = project(tmp_path / "plain", PLAIN, **{"plain:words": 3})
    assert "did you mean `dev`?" in checkout.tierstack("up", "-s", "dec", code=2).stderr
    assert "dec" not in checkout.pulumi("stack", "ls").stdout


@pytest.mark.parametrize("verb", ["check", "topology"])
@pytest.mark.parametrize("make", [compose, lambda folder: project(folder, PLAIN)])
def test_what_needs_a_stack_says_how_to_export_one(tmp_path: Path, verb: str, make: Any) -> None:
    said = make(tmp_path / "plain").tierstack(verb, "-s", "dev", code=2).stderr
    assert "exports no stack" in said
    assert "from tierstack.stack import Stack" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("preview", "--platform", "kubernetes"), "--platform kubernetes needs a program that exports a stack"),
        (("up", "--adopt"), "--adopt needs a program that exports a stack"),
        (("render",), "makes no Kubernetes objects, so there is nothing to render"),
    ],
)
def test_what_a_plain_program_cannot_do_is_said(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    assert said in project(tmp_path / "plain", PLAIN).tierstack(*arguments, "-s", "dev", code=2).stderr


def test_a_program_of_kubernetes_objects_is_rendered(tmp_path: Path) -> None:
    checkout = project(tmp_path / "plain", MANIFESTS)
    made = checkout.json("render", "-s", "dev", "--output", "out")
    assert made["manifests"] > 5
    documents = [
        one
        for file in (tmp_path / "plain" / "out").rglob("*.yaml")
        for one in yaml.safe_load_all(file.read_text())
        if one and "metadata" in one
    ]
    names = {(one["kind"], one["metadata"]["name"]) for one in documents}
    assert {("ConfigMap", "settings"), ("Namespace", "shop")} <= names
    assert "StatefulSet" in {kind for kind, _ in names}
    assert not [kind for kind, _ in names if kind == "Secret"]
    assert checkout.pulumi("stack", "ls").stdout.count("dev") == 0  # nothing of it is in the user's backend


def test_a_program_that_would_make_real_things_is_not_rendered(tmp_path: Path) -> None:
    program = MANIFESTS.replace('context="nowhere"', 'context="nowhere", create_namespace=False') + (
        'import pulumi_kubernetes as k8s\nConfigMap("real", data={}, opts=pulumi.ResourceOptions('
        'provider=k8s.Provider("own", context="nowhere")))\n'
    )
    said = project(tmp_path / "plain", program).tierstack("render", "-s", "dev", code=2).stderr
    assert "kubernetes:core/v1:ConfigMap real" in said
    assert "settings" not in said
    assert not (tmp_path / "plain" / "rendered").exists()


def test_the_readmes_example_on_docker_is_no_set_of_manifests(tmp_path: Path) -> None:
    checkout = compose(tmp_path / "compose")
    said = checkout.tierstack("render", "-s", "dev", code=2, DOCKER_HOST="unix:///nowhere.sock").stderr
    assert "makes resources that are no manifests" in said
    assert "docker:Claim compose-claim" in said


def test_the_readmes_example_says_that_docker_is_away(tmp_path: Path) -> None:
    checkout = compose(tmp_path / "compose")
    said = checkout.json("preview", "-s", "dev", code=1, DOCKER_HOST="unix:///nowhere.sock")
    assert (said["platform"], said["result"]) == ("program", "failed")
    assert any("nowhere.sock" in one for one in said["messages"])


def test_the_example_for_kubernetes_is_rendered(tmp_path: Path) -> None:
    checkout = compose(tmp_path / "kubernetes", example="kubernetes")
    assert checkout.json("render", "-s", "dev")["manifests"] > 30


def test_a_program_in_another_language_is_the_engines_alone(tmp_path: Path) -> None:
    checkout = project(tmp_path / "plain", "from tierstack.stack import Stack\nstack = Stack()\n", "yaml")
    (tmp_path / "plain" / "Pulumi.yaml").write_text("name: plain\nruntime: yaml\nresources: {}\n")
    done = checkout.tierstack("preview", "-s", "dev", code=None)
    assert "exports" not in done.stderr
