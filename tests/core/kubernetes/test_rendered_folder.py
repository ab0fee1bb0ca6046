"""A rendered folder that is gone while the state says that it was written."""

from pathlib import Path
from typing import Any

import pytest

from tierstack.platform.kubernetes.rendered_folder import lost


def state(directory: str | None, objects: int = 2) -> dict[str, Any]:
    given = {"renderYamlToDirectory": directory} if directory else {}
    provider = {"urn:provider": {"type": "pulumi:providers:kubernetes", "outputs": given}}
    kinds = {f"urn:{number}": {"type": "kubernetes:core/v1:Service", "outputs": {}} for number in range(objects)}
    return {**provider, **kinds}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("written", ["rendered", "rendered/", "./rendered"])
def test_it_is_told_with_the_ways_back(written: str) -> None:
    said = lost("rendered", state(written), "dev")
    assert said is not None
    assert "platform.render_to = 'rendered': the state has 2 manifests there, and the folder has none" in said
    assert "tierstack render -s dev" in said


def test_an_empty_folder_is_as_good_as_none(folder: Path) -> None:
    (folder / "rendered" / "1-manifest").mkdir(parents=True)
    assert lost("rendered", state("rendered"), "dev")


@pytest.mark.parametrize(
    "before",
    [{}, state(None), state("elsewhere"), state("rendered", objects=0)],
    ids=["no state", "applied", "another folder", "nothing written"],
)
def test_where_nothing_was_written_nothing_is_lost(before: dict[str, Any]) -> None:
    assert lost("rendered", before, "dev") is None


def test_a_folder_with_manifests_is_there(folder: Path) -> None:
    (folder / "rendered" / "1-manifest").mkdir(parents=True)
    (folder / "rendered" / "1-manifest" / "service.yaml").write_text("kind: Service")
    assert lost("rendered", state("rendered"), "dev") is None
