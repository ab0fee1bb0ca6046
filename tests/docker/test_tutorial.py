"""The tutorial's section on Docker, with the images that the test machine builds."""

import shutil
from pathlib import Path

from tests.docs.reader import ROOT, Reader, page, wheel


def test_the_shop_of_the_tutorial_comes_up_and_goes(tmp_path: Path) -> None:
    (tmp_path / "tierstack").symlink_to(ROOT)  # the clone beside the reader's directory
    reader = Reader(tmp_path / "shop")
    shutil.copy(wheel(tmp_path), reader.folder)
    blocks = page("tutorial.md")
    install = next(index for index, block in enumerate(blocks) if block.kind == "run")
    read = [block for block in blocks if block.kind == "file" or block.argument == "docker"]
    try:
        assert reader.follow([blocks[install], *read], able=("", "docker")) == 4
    finally:
        reader.type("tierstack down -s dev --yes --delete-data")
