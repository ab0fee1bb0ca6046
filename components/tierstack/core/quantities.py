"""Amounts as Kubernetes and PostgreSQL write them: `500m`, `8Gi`, `128MB`. Pure."""

import re
from typing import Any

_UNITS = {
    "": 1.0,
    "m": 1e-3,
    "k": 1e3,
    "M": 1e6,
    "G": 1e9,
    "T": 1e12,
    "P": 1e15,
    "Ki": 2.0**10,
    "Mi": 2.0**20,
    "Gi": 2.0**30,
    "Ti": 2.0**40,
    "Pi": 2.0**50,
    # PostgreSQL writes its settings so, in powers of two.
    "kB": 2.0**10,
    "MB": 2.0**20,
    "GB": 2.0**30,
    "TB": 2.0**40,
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)(m|k|M|G|T|P|Ki|Mi|Gi|Ti|Pi|kB|MB|GB|TB|)")
GIB = 2.0**30
"""Bytes of a GiB."""


def quantity(value: Any) -> float | None:
    """The amount in its base unit (cores, bytes) of a Kubernetes quantity or a number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else None
