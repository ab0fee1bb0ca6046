"""The tables of arguments in the pages of the components: made from the docstrings."""

import dataclasses
from pathlib import Path

import pytest

import tierstack
from tierstack.component_host import public_components
from toolchain import argument_tables

pytestmark = pytest.mark.pure

PAGES = sorted(argument_tables.PAGES.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_are_made_from_the_docstrings(page: Path) -> None:
    text = page.read_text()
    assert argument_tables.filled(text) == text, "run: python -m toolchain.argument_tables"


def test_every_component_has_its_table() -> None:
    text = "".join(page.read_text() for page in PAGES)
    names = [one.__name__ for one in public_components()]
    assert [name for name in names if f"<!-- arguments of {name}Args: made by" not in text] == []


@dataclasses.dataclass(kw_only=True)
class ExampleArgs:
    size: int | None = None
    """MiB | GiB."""
    name: str
    """What it is
    called."""
    names: list[str] = dataclasses.field(default_factory=list)
    """More."""
    on: bool = False
    """Whether."""


def test_a_table() -> None:
    assert argument_tables.table(ExampleArgs, without=("names",)) == (
        "| argument | default | meaning |\n|---|---|---|\n| `name` | required | What it is called. |\n"
        "| `size` | – | MiB \\| GiB. |\n| `on` | `false` | Whether. |\n"
    )


def test_sizes_of_the_tiers_are_defaults() -> None:
    sizes = {tier.value: size.redis.memory_mb for tier, size in tierstack.TIERS.items()}
    table = argument_tables.table(argument_tables.arguments("RedisClusterArgs"))
    assert f"| `memory_mb` | {', '.join(f'{tier}: {size}' for tier, size in sizes.items())} |" in table


def test_an_argument_without_a_docstring_is_refused() -> None:
    @dataclasses.dataclass(kw_only=True)
    class Args:
        told: int
        """A number."""
        untold: int = 1

    with pytest.raises(ValueError, match="Args: no docstring below untold"):
        argument_tables.table(Args)


def test_an_unknown_class_is_refused() -> None:
    with pytest.raises(ValueError, match="NoArgs: no class of arguments has this name"):
        argument_tables.arguments("NoArgs")


def test_new_marker_lines_are_filled() -> None:
    page = argument_tables.filled(argument_tables.marked("MtaStsHostArgs"))
    assert "| `domain` | required |" in page
    assert argument_tables.filled(page) == page
