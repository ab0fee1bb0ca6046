"""The rules of ClusterAddonsArgs: each wrong input with its whole message."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster_addons.samples import given
from tests.support import refused
from tierstack import Addon, ClusterAddons, ClusterAddonsArgs
from tierstack.core.errors import ArgumentError

CASES = yaml.safe_load((Path(__file__).parents[1] / "cases/cluster_addons/wrong_args.yaml").read_text())


def error_of(case: dict[str, Any]) -> ArgumentError:
    return refused(lambda: ClusterAddons("addons", given(**case["given"])))  # type: ignore[arg-type]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["given"])[:70])
def test_wrong(case: dict[str, Any]) -> None:
    error = error_of(case)
    assert error.subject == 'ClusterAddons "addons"'
    assert [str(problem) for problem in error.problems] == case["problems"]


def test_a_directory_without_a_file_names_the_addon(tmp_path: Path) -> None:
    (tmp_path / "gateway-api.yaml").touch()
    others = [addon for addon in Addon if addon not in (Addon.GATEWAY_API, Addon.KEDA)]
    args = ClusterAddonsArgs(**given(manifests=str(tmp_path), without=others, keda=True))
    (problem,) = args.problems()
    assert problem.message == "has no keda.yaml"
    assert problem.hint.startswith("put the vendor's manifest of keda 2.21.0 there, or leave it out")


def test_what_is_needed_comes_first() -> None:
    chosen = ClusterAddonsArgs(**given(metrics_server=True, keda=True, without=[Addon.KEDA])).chosen()
    assert Addon.KEDA not in chosen
    assert Addon.METRICS_SERVER in chosen
    assert chosen.index(Addon.CERT_MANAGER) < chosen.index(Addon.BARMAN_CLOUD)
    assert chosen.index(Addon.GATEWAY_API) < chosen.index(Addon.TRAEFIK)
    assert Addon.METRICS_SERVER not in ClusterAddonsArgs(**given()).chosen()


def test_nothing_is_installed_that_nothing_uses() -> None:
    optional = {Addon.ARGO_ROLLOUTS: "argo_rollouts", Addon.KEDA: "keda", Addon.METRICS_SERVER: "metrics_server"}
    assert not optional.keys() & set(ClusterAddonsArgs(**given()).chosen())
    for addon, name in optional.items():
        assert addon in ClusterAddonsArgs(**given(**{name: True})).chosen()
