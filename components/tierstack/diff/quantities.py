"""Amounts as plans write them: `500m`, `8Gi`, `200Gi`, and the difference of two in a reader's words."""

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


def quantity(value: Any) -> float | None:
    """The amount in its base unit (cores, bytes) of a Kubernetes quantity or a number; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value)
    found = _QUANTITY.fullmatch(value.strip()) if isinstance(value, str) else None
    return float(found[1]) * _UNITS[found[2]] if found else None


def days(value: Any) -> float | None:
    """The days of a duration such as `30d`, `4w`, `720h`, or of a number of days; None for anything else."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = re.fullmatch(r"([0-9]+)([hdwmy]?)", value.strip()) if isinstance(value, str) else None
    return int(found[1]) * {"h": 1 / 24, "": 1, "d": 1, "w": 7, "m": 30, "y": 365}[found[2]] if found else None


def number(value: float) -> str:
    """`2`, `2.5`, `1,024`: at most two decimals, none that say nothing."""
    text = f"{value:,.2f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def gib(amount: float) -> str:
    """An amount of bytes as people compare them: `200 GiB`, `512 MiB`."""
    return f"{number(amount / GIB)} GiB" if abs(amount) >= GIB else f"{number(amount / 2**20)} MiB"
