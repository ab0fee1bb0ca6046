"""What a test reads of a page."""

import pytest

from toolchain.docs.blocks import Block, blocks, matches

PAGE = """
<!-- file: a/b.yaml -->
```yaml
x: 1
```
Text.
<!-- run: docker -->
```sh
one
```

```sh
not for a test
```
<!-- output -->
````
```
````
"""


def test_marked_blocks_in_their_order() -> None:
    assert blocks(PAGE) == [
        Block("file", "a/b.yaml", "x: 1\n"),
        Block("run", "docker", "one\n"),
        Block("output", "", "```\n"),
    ]


def test_a_block_of_a_list_is_read_without_its_indentation() -> None:
    page = "1. Look.\n\n   <!-- fails -->\n   ```sh\n   one\n     two\n   ```\n"
    assert blocks(page) == [Block("fails", "", "one\n  two\n")]


def test_an_indented_mark_that_marks_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="1 marks, but 0 of them"):
        blocks("1. Look.\n\n   <!-- run -->\n\n   ```sh\n   one\n   ```\n")


def test_a_mark_that_marks_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="2 marks, but 1 of them stand directly above"):
        blocks("<!-- run -->\n\n```sh\none\n```\n<!-- run -->\n```sh\ntwo\n```\n")


@pytest.mark.parametrize(
    ("expected", "printed", "same"),
    [
        ("one\ntwo\n", "one  \ntwo\n\n", True),
        ("one\n…\nthree", "one\ntwo\nand a half\nthree", True),
        ("one\n…\ntwo\n  …", "one\ntwo", True),
        ("… to create", "54 to create", True),
        ("a …\nc", "a\nb\nc", False),
        ("one", "one\ntwo", False),
        ("a.c", "abc", False),
        ("…\nnever\n…", "one\ntwo", False),
    ],
)
def test_what_a_page_shows_is_what_is_seen(expected: str, printed: str, same: bool) -> None:
    assert matches(expected, printed) is same
