"""Before an update the cluster is asked for its operators; kubectl is a stand-in."""

import json
import os
import stat
from pathlib import Path

import pytest

from tierstack import Addon, Kubernetes
from tierstack.cluster_addons.required import Needs
from tierstack.core.errors import ArgumentError
from tierstack.engine import preflight

NEEDS = Needs((Addon.CERT_MANAGER,), "traefik")
HERE = Kubernetes(name="shop", context="staging")


@pytest.fixture
def kubectl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Answers from files named after what is asked for, and writes down how it was asked."""
    program = tmp_path / "kubectl"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        'for one in "$@"; do case $one in customresourcedefinitions|gatewayclasses|namespace) kind=$one;; esac; done\n'
        f"cat {tmp_path}/$kind\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def has(folder: Path, kind: str, *names: str) -> None:
    (folder / kind).write_text("".join(f"{kind}/{name}\n" for name in names))


def test_what_is_missing_stops_the_update(kubectl: Path) -> None:
    has(kubectl, "customresourcedefinitions", "certificates.cert-manager.io")
    with pytest.raises(ArgumentError, match=r"cluster of stack prod: 1 problem\n.*no issuers\.cert-manager\.io"):
        preflight.check(NEEDS, HERE, "prod")
    assert (kubectl / "calls").read_text() == (
        "--context staging get customresourcedefinitions -o name --request-timeout=10s\n"
    )


def test_what_is_there_lets_it_go_on(kubectl: Path) -> None:
    names = ("certificates.cert-manager.io", "issuers.cert-manager.io", "gatewayclasses.gateway.networking.k8s.io")
    has(kubectl, "customresourcedefinitions", *names)
    has(kubectl, "gatewayclasses", "traefik")
    assert preflight.check(NEEDS, HERE, "prod") is None
    has(kubectl, "gatewayclasses")
    with pytest.raises(ArgumentError, match="is not a GatewayClass of the cluster"):
        preflight.check(NEEDS, HERE, "prod")


def test_a_cluster_that_cannot_be_asked_is_no_reason_to_stop(kubectl: Path) -> None:
    reason = preflight.check(NEEDS, HERE, "prod")
    assert reason
    assert "No such file" in reason


def test_no_kubectl(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "kubectl" in str(preflight.check(NEEDS, HERE, "prod"))


@pytest.mark.parametrize("needs", [None, Needs(())])
def test_who_needs_nothing_asks_nothing(kubectl: Path, needs: Needs | None) -> None:
    assert preflight.check(needs, HERE, "prod") is None
    assert not (kubectl / "calls").exists()


NAMESPACE = {"metadata": {"name": "shop", "creationTimestamp": "2026-11-25T20:13:44Z", "labels": HERE.labels}}


def test_another_state_s_namespace_is_refused(kubectl: Path) -> None:
    (kubectl / "namespace").write_text(json.dumps(NAMESPACE))
    with pytest.raises(ArgumentError) as raised:
        preflight.refuse_foreign(HERE, has_namespace=False)
    said = str(raised.value)
    assert "platform.name = 'shop': is a namespace of another state (made 2026-11-25T20:13:44Z; labels" in said
    assert "tierstack.dev/environment=local" in said
    assert "tierstack up --adopt" in said
    preflight.refuse_foreign(HERE, has_namespace=True)
    preflight.refuse_foreign(Kubernetes(name="shop", adopt=True), has_namespace=False)
    preflight.refuse_foreign(Kubernetes(name="shop", create_namespace=False), has_namespace=False)


@pytest.mark.parametrize("answer", ["", '{"metadata": {"name": "shop", "labels": {"team": "a"}}}', "no JSON"])
def test_a_namespace_of_nobody_is_taken(kubectl: Path, answer: str) -> None:
    (kubectl / "namespace").write_text(answer)
    preflight.refuse_foreign(HERE, has_namespace=False)
