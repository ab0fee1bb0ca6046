"""What Traefik says of an application (pure): the weights that it serves, from its API, and what it has counted, from
its metrics.

A release is a service `<application>-<release>` of Traefik, and the application is a weighted service over them.
"""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, cast

from tierstack.release.analysis import Counters

_SAMPLE = re.compile(r"^(traefik_service_[a-z_]+)\{(.*)\} (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def served(services: Iterable[Mapping[str, Any]], app: str) -> dict[str, int] | None:
    """The weights of the releases of `app`, by their names, in percent; those above 0. `services`: all that the API
    lists. None: it does not serve the application."""
    for one in services:
        name = str(one.get("name", "")).partition("@")[0]
        if name != app or "weighted" not in one:
            continue
        shares = cast(list[dict[str, Any]], one["weighted"].get("services") or [])
        weights = {_release(str(share["name"]), app): int(share.get("weight", 1)) for share in shares}
        return in_percent({name: weight for name, weight in weights.items() if name is not None and weight > 0})
    return None


def known(services: Iterable[Mapping[str, Any]], app: str) -> frozenset[str]:
    """The releases of `app` that have a service."""
    return frozenset(name for one in services if (name := _release(str(one.get("name", "")), app)))


def in_percent(weights: Mapping[str, int]) -> dict[str, int]:
    """Weights as percent of their sum."""
    whole = sum(weights.values())
    return {name: round(100 * weight / whole) for name, weight in weights.items()} if whole else {}


def services(text: str) -> list[dict[str, Any]]:
    """The answer of the API at `/api/http/services`. Raises ValueError where it is none."""
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("is no list of services")
    return cast(list[dict[str, Any]], found)


def counted(metrics: str, app: str) -> dict[str, Counters]:
    """What was counted of each release of `app` since the proxy started, by its name. Answers of 500 and above are
    errors."""
    requests: dict[str, int] = {}
    errors: dict[str, int] = {}
    seconds: dict[str, float] = {}
    buckets: dict[str, dict[float, int]] = {}
    for line in metrics.splitlines():
        found = _SAMPLE.match(line)
        if not found:
            continue
        labels = dict(_LABEL.findall(found[2]))
        release = _release(labels.get("service", ""), app)
        if release is None:
            continue
        value, kind = float(found[3]), found[1].removeprefix("traefik_service_")
        if kind == "requests_total":
            requests[release] = requests.get(release, 0) + int(value)
            if labels.get("code", "").startswith("5"):
                errors[release] = errors.get(release, 0) + int(value)
        elif kind == "request_duration_seconds_sum":
            seconds[release] = seconds.get(release, 0.0) + value
        elif kind == "request_duration_seconds_bucket":
            of = buckets.setdefault(release, {})
            bound = float(labels["le"].replace("+Inf", "inf"))
            of[bound] = of.get(bound, 0) + int(value)
    return {
        name: Counters(count, errors.get(name, 0), seconds.get(name, 0.0), buckets.get(name, {}))
        for name, count in requests.items()
    }


def _release(service: str, app: str) -> str | None:
    """The release of a service; None where it is none of `app`: `web-3f2a9c0d1e5b@file`."""
    found = re.fullmatch(rf"{re.escape(app)}-([0-9a-f]{{12}})(?:@\w+)?", service)
    return found[1] if found else None
