"""The configuration of one update of a release (pure): what the stack's file says, and `traffic` below the
application."""

import copy
import dataclasses
import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from tierstack.app_cluster.release_options import ReleaseArgs
from tierstack.core.arguments import load
from tierstack.engine.project import StackConfig, UsageError
from tierstack.release.running import Progress, RunningRelease
from tierstack.release.strategy import State, replicas
from tierstack.stack.namespaces import split

Traffic = dict[str, Any]
"""The key `traffic` of an application: see TrafficArgs."""


def of_state(state: State, old: RunningRelease, args: ReleaseArgs, full: int, progress: Progress) -> Traffic:
    """Who gets which requests in a state. `full`: web containers of the new release where it takes all requests."""
    made: Traffic = {"weight": state.weight, "current": state.roles, "progress": progress.as_dict()}
    if (count := replicas(state, full)) is not None:
        made["replicas"] = count
    if state.old:
        beside = {"description": old.description, "weight": 100 - state.weight, "current": not state.roles}
        # Visitors who stick to it keep it until the last update.
        drained = {"drain": True} if state.weight == 100 and args.sticky else {}
        made["others"] = [{**beside, **drained}]
        made["sticky"] = args.sticky and state.weight > 0
    if state.mirror:
        made["mirror"] = _plain(args.mirror) if args.mirror else {}
    if args.experiment and state.weight > 0:
        made["experiment"] = _plain(args.experiment)
    return made


def with_old(old: RunningRelease, progress: Progress) -> Traffic:
    """The release of the configuration takes all requests, and the one before it runs on without any."""
    return {
        "weight": 100,
        "current": True,
        "others": [{"description": old.description, "weight": 0, "current": False}],
        "progress": progress.as_dict(),
    }


def of_old(old: RunningRelease, progress: Progress) -> Traffic:
    """Another release than that of the configuration takes all requests; that of the configuration is not made."""
    others = [{"description": old.description, "weight": 100, "current": True}]
    return {"weight": 0, "current": False, "replicas": 0, "others": others, "progress": progress.as_dict()}


def section_of(values: Mapping[str, Any], app: str) -> list[str]:
    """The path of an application's section in the values of a configuration. Raises UsageError where it has none."""
    found: Any = values
    path = ["app"] if "app" in values else ["apps", app]
    for key in path:
        found = cast(dict[str, Any], found).get(key) if isinstance(found, dict) else None
    if not isinstance(found, dict):
        raise UsageError(f"the configuration has no section of the application `{app}`: it needs `{'.'.join(path)}`")
    return path


def with_traffic(config: StackConfig, path: list[str], traffic: Traffic) -> StackConfig:
    """The configuration for one run, with `traffic` in the section at `path`.

    Both in the values and in the document: a section that holds a secret is written for the engine as it stands in the
    document, where the secret is encrypted.
    """
    values, document = copy.deepcopy(config.values), copy.deepcopy(config.document)
    section(values, path)["traffic"] = traffic
    given = cast(dict[str, Any], document.get("config") or {})
    for full in [key for key in given if split(key)[1] == path[0]]:
        if isinstance(given[full], dict):
            section({path[0]: given[full]}, path)["traffic"] = traffic
    return dataclasses.replace(config, values=values, document=document)


def release_args(config: StackConfig, path: list[str]) -> ReleaseArgs:
    """The arguments `release` of the section at `path`; its problems are told by the check of the whole
    configuration."""
    given = section(config.values, path).get("release")
    found, problems = load(ReleaseArgs, given or {}, ".".join([*path, "release"]))
    if problems:
        raise UsageError(*(one.line for one in problems))
    return found


def digest(config: StackConfig, path: list[str]) -> str:
    """Digits for what the configuration says of an application and of images: a taken back release is tried again only
    where they have changed, or somebody means it."""
    described = {key: value for key, value in section(config.values, path).items() if key not in ("release", "traffic")}
    shape = [described, config.values.get("images"), config.values.get("tier")]
    return hashlib.sha256(json.dumps(shape, sort_keys=True, default=str).encode()).hexdigest()[:12]


def section(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    """The section of an application at `path`."""
    for key in path:
        values = values[key]
    return values


def _plain(value: Any) -> dict[str, Any]:
    return {key: one for key, one in dataclasses.asdict(value).items() if one is not None}
