"""Amounts in a reader's words, and durations as plans write them."""

import re
from typing import Any

from tierstack.core.quantities import GIB


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
