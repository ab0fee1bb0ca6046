"""Places in a configuration, and the paths by which people write them. Pure."""

import re

_STEP = re.compile(r"([^.\[\]]+)|\[(\d+)\]")


def steps(path: str) -> tuple[str | int, ...]:
    """A place in the settings, from the path that people write: `dns.web[0].ipv4`."""
    return tuple(int(index) if index else key for key, index in _STEP.findall(path))


def path_text(where: tuple[str | int, ...]) -> str:
    """A place in the settings as people write it: `dns.web[0].ipv4`."""
    path = ""
    for step in where:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path
