"""Changes of a configuration in tests."""

from typing import Any


def put(config: dict[str, Any], path: str, value: Any) -> None:
    """Set the key at a dotted path of a configuration; None takes it away."""
    *parents, last = path.split(".")
    for key in parents:
        config = config.setdefault(key, {})
    if value is None:
        config.pop(last, None)
    else:
        config[last] = value
