"""What ClusterAddons registers: every object once, after what it needs, and what holds data protected."""

from pathlib import Path
from typing import Any

import pulumi
import pytest

from tests.cluster_addons.samples import given
from tests.support import Recorder, golden, run_program
from tierstack import Addon, ClusterAddons, DataProtection, Kubernetes

pytestmark = pytest.mark.graph


def made(**changes: Any) -> Recorder:
    return run_program(lambda: ClusterAddons("addons", given(**changes)))  # type: ignore[arg-type]


def test_golden() -> None:
    golden("cluster-addons.json", made(metrics_server=True).summary())


def test_names_are_the_same_in_every_run() -> None:
    assert made().names() == made().names()


def test_an_operator_waits_for_what_it_needs() -> None:
    found = made()
    needed = found.named("addons-barman-cloud-customresourcedefinition-objectstores.barmancloud.cnpg.io").depends_on
    assert "addons-cert-manager-validatingwebhookconfiguration-cert-manager-webhook" in needed
    assert "addons-cloudnative-pg-deployment-cnpg-controller-manager" in needed
    operator = found.named("addons-cloudnative-pg-deployment-cnpg-controller-manager")
    # It writes the CA into its webhooks before it is ready: neither may wait for the other.
    assert not [one for one in operator.depends_on if "webhookconfiguration" in one]


@pytest.mark.parametrize("protection", DataProtection)
def test_what_deletes_data_when_deleted_is_protected(protection: DataProtection) -> None:
    found = made(platform=Kubernetes(name="cluster", data_protection=protection)).made
    held = {one.type.rpartition(":")[2] for one in found if one.options.get("protect")}
    assert held == (set() if protection is DataProtection.NONE else {"CustomResourceDefinition"})
    for one in found:
        retained = protection is DataProtection.RETAIN and one.type.endswith(":CustomResourceDefinition")
        assert bool(one.options.get("retainOnDelete")) == retained, one.name


def test_the_platform_s_own_namespace_is_not_made() -> None:
    assert not [one.name for one in made().made if one.name == "cluster-namespace"]


def test_what_is_left_out_is_not_registered() -> None:
    found = made(keda=True, without=[Addon.KEDA], crds_only=[Addon.EXTERNAL_SECRETS]).made
    assert not [one.name for one in found if "-keda-" in one.name]
    (one,) = [one for one in found if one.name.startswith("addons-external-secrets-")]
    assert one.type.endswith(":CustomResourceDefinition")


def test_an_unusable_file_ends_the_program_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "keda.yaml").write_text("- no object")
    others = [addon.value for addon in Addon if addon is not Addon.KEDA]
    with pytest.raises(pulumi.RunError, match='ClusterAddons "addons": a document is no Kubernetes object'):
        made(manifests=str(tmp_path), without=others, keda=True)


def test_outputs() -> None:
    outputs = made(without=[Addon.KEDA]).named("addons", "ClusterAddons").outputs
    assert outputs["gateway_class"] == "traefik"
    assert outputs["versions"]["cloudnative-pg"] == "1.30.1"
    assert "keda" not in outputs["versions"]
