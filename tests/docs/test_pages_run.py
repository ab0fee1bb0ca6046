"""The tutorial and the how-to pages are followed to the letter, on the real engine."""

import shutil
from pathlib import Path

import pytest

from tests.docs.reader import ROOT, Reader, page, wheel

pytestmark = [pytest.mark.engine, pytest.mark.long]

HOW_TO = sorted(
    path.relative_to(ROOT / "docs").as_posix()
    for path in (ROOT / "docs/how-to").glob("*.md")
    if page(path.relative_to(ROOT / "docs").as_posix())
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """A reader who has come to the end of the tutorial, without Docker."""
    folder = tmp_path_factory.mktemp("pages")
    reader = Reader(folder / "shop")
    shutil.copy(wheel(folder), reader.folder)
    (folder / "tierstack").symlink_to(ROOT)  # a checkout beside the project
    assert reader.follow(page("tutorial.md")) == 8
    return reader


def test_the_tutorial(shop: Reader) -> None:
    assert (shop.folder / "rendered/prod/kustomization.yaml").exists()
    assert "tier: 1M" in (shop.folder / "Pulumi.prod.yaml").read_text()


@pytest.mark.parametrize("name", HOW_TO, ids=lambda name: Path(name).stem)
def test_a_how_to_page(name: str, shop: Reader) -> None:
    assert shop.beside(Path(name).stem).follow(page(name))
