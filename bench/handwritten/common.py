"""What the groups share: labels, and the longer texts of their ConfigMaps."""

import functools
from pathlib import Path

LABELS = {
    "app.kubernetes.io/part-of": "bench",
    "app.kubernetes.io/managed-by": "tierstack",
    "tierstack.dev/environment": "local",
}


def image(name: str) -> str:
    """A reference by digest."""
    return f"registry.example/{name}@sha256:{'0' * 64}"


@functools.cache
def _read(name: str) -> str:
    return (Path(__file__).parent / "files" / name).read_text()


def text(name: str, number: str) -> str:
    """The file `name` for one shop."""
    return _read(name).replace("@NUMBER@", number)
