"""The runbooks, for tests that type their commands on a real stack whose part has failed as the page says."""

import subprocess
from pathlib import Path

from tests.projects import Checkout
from tests.waiting import until
from toolchain.docs.blocks import Block, blocks

PAGES = Path(__file__).resolve().parents[1] / "docs" / "runbooks"
PATIENCE = 420
"""Seconds that something may take to be well again on a machine that is busy with other work."""


class Reader:
    """Somebody who has the pages of `shop`, and a stack with another name on a platform with another prefix."""

    def __init__(self, checkout: Checkout, stack: str, prefix: str) -> None:
        self.checkout, self.stack, self.prefix = checkout, stack, prefix

    def blocks(self, name: str) -> list[Block]:
        """The commands of a page, with the names of this stack."""
        text = (PAGES / name).read_text().replace("shop-", f"{self.prefix}-").replace("-s prod", f"-s {self.stack}")
        return blocks(text)

    def follow(self, name: str, *able: str) -> list[str]:
        """Type the commands of a page in their order; what each block printed. `able`: marks of blocks that are meant
        for the failure at hand."""
        said: list[str] = []
        for block in self.blocks(name):
            words = set(block.argument.split())
            if not words - {"retried"} <= set(able):
                continue
            if "retried" in words:
                until(
                    lambda: said[-1] if said else "", lambda text=block.text: self.works(text, said), PATIENCE, every=3
                )
                continue
            code, printed = self.type(block.text)
            assert (code != 0) == (block.kind == "fails"), f"{block.text}\nexit code {code}\n{printed}"
            said.append(printed)
        assert said, f"{name} has no command for {able}"
        return said

    def works(self, commands: str, said: list[str]) -> bool:
        """Whether the commands end well this time."""
        code, printed = self.type(commands)
        said.append(printed)
        return code == 0

    def type(self, commands: str) -> tuple[int, str]:
        """Exit code and output of commands."""
        done = subprocess.run(
            ["bash", "-ec", commands],
            cwd=self.checkout.folder,
            env=self.checkout.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return done.returncode, done.stdout
