"""How `up` and `down` go on after a run that was killed.

- An update or a deletion under way: the resource is looked up before anything is compared with it.
- A creation of one of our Kubernetes objects: if the object is there and the engine made it, the state takes it over.
  If it was to replace another one, the update finds it by its name, and what the update does not use is removed after.
- The same for objects that were replaced already, and only wait to be deleted: a change that is taken back needs them.
- A creation of one of our Docker volumes: if it is there, the state takes it over.
- A creation of one of our Docker containers or networks: what there is of it is removed, because the daemon refuses a
  second one of the same name. It holds no data, and nothing uses it yet. The same for containers that do one thing.
- What exists in the state only (passwords, keys), or can be made twice (files, DNS records), is made again.
- Anything else is told: only who made it knows how to ask whether it is there.
"""

import json
import re
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, cast

from tierstack.engine.interrupted import (
    Pending,
    Then,
    adopted_object,
    adopted_volume,
    known,
    objects,
    pending,
    resources,
    retired,
    settled,
    to_be_deleted,
)
from tierstack.engine.run import Engine, note
from tierstack.platform.daemon import client
from tierstack.platform.kubernetes.foreign_namespace import ANSWER_SECONDS

_MANAGER = "pulumi-kubernetes-"
_GONE = re.compile(r"No such container: ([0-9a-f]{64})")
"""What the daemon says of a container that somebody removed, or that the provider removed in a refresh which was killed
(it removes one that has ended) before the engine wrote that down."""


class UnansweredError(Exception):
    """What there is cannot be asked; nothing is decided without."""


@dataclass
class Resumed:
    """What was found and done. Empty where the last run ended by itself."""

    told: list[tuple[Pending, Then]] = field(default_factory=list[tuple[Pending, Then]])
    """Each operation, and what became of it."""
    waiting: list[Pending] = field(default_factory=list[Pending])
    """Objects that are deleted after the update, where nothing uses them."""
    error: list[str] = field(default_factory=list[str])
    """Why it is not possible to go on."""

    def as_json(self) -> dict[str, Any]:
        """For machines; nothing where the last run ended by itself."""
        told = [{"operation": one.doing, "urn": one.urn, "then": then.value} for one, then in self.told]
        return {"interrupted": told} if told else {}


def begin(pulumi: Engine, deployment: Mapping[str, Any] | None = None) -> Resumed:
    """Settle what the last run left under way, so far as that is possible before an update. `deployment`: the state,
    where the caller has just read it."""
    deployment = pulumi.deployment() if deployment is None else deployment
    found, done = pending(deployment), Resumed()
    if not found and not retired(deployment):
        return done
    if found:
        # First, because it takes the lock: the operations may be those of a run that is still under way.
        done.error = _refresh(pulumi, deployment, [one.urn for one in found if not one.creates])
        if done.error:
            return done
        deployment = pulumi.deployment()
    ids = {str(one.get("id")) for one in resources(deployment)}
    adopt: list[dict[str, Any]] = []
    try:
        for one in found:
            removed = _remove_leftovers(one, ids)
            then = _creation(one, deployment, removed, adopt) if one.creates else Then.LOOKED_UP
            done.told.append((one, then))
    except UnansweredError as error:
        done.error = [f"the last run was interrupted, and how it ended cannot be asked: {error}"]
        return done
    after = settled(deployment, adopt)
    pulumi.change_deployment(lambda now: settled(now, adopt))
    done.waiting = retired(after)
    if taken := [str(one["urn"]) for one in adopt if not one.get("delete")]:
        done.error = _refresh(pulumi, after, taken)
    return done


def finish(pulumi: Engine, resumed: Resumed) -> None:
    """After an update: delete the objects that were replaced, or were to replace others, and that nothing uses."""
    if not resumed.waiting:
        return
    held = objects(pulumi.deployment())
    for one in resumed.waiting:
        made = one.object
        if not made or made in held:
            continue
        try:
            if _manager(one, _live(one)):
                _kubectl(one, "delete", *made.address, "--ignore-not-found", "--wait=false")
                note(f"{made.kind} {made.name} is not used any more: removed")
        except UnansweredError as error:
            note(f"{made.kind} {made.name} is not used any more, but not removed: {error}")


def forget_gone(pulumi: Engine, messages: Sequence[str]) -> bool:
    """Take containers out of the state that a deletion did not find, by what it said. Whether there were any."""
    ids, deployment = set(_GONE.findall("\n".join(messages))), pulumi.deployment()
    gone = [str(one["urn"]) for one in resources(deployment) if one.get("id") in ids]
    if not gone or _refresh(pulumi, deployment, gone):
        return False
    note(f"{len(gone)} container{'s are' if len(gone) > 1 else ' is'} gone already: the rest follows")
    return True


def _refresh(pulumi: Engine, deployment: Mapping[str, Any], urns: Sequence[str]) -> list[str]:
    """Look resources up, as far as the state holds them. Returns why that failed; empty where it did not."""
    held = resources(deployment)
    # Where there is nothing to look up, the stack itself: all that counts is then that nobody else holds it.
    targets = sorted({*urns} & known(deployment)) or [str(one["urn"]) for one in held[:1]]
    flags = ["--yes", "--skip-preview", "--suppress-outputs", "--suppress-progress"]
    outcome = pulumi.run("refresh", *flags, *(f"--target={urn}" for urn in targets), quiet=True)
    return [] if outcome.ok else outcome.messages


def _creation(one: Pending, deployment: Mapping[str, Any], removed: bool, adopt: list[dict[str, Any]]) -> Then:
    """What becomes of a creation. What the state shall take over is added to `adopt`."""
    if removed:
        return Then.REMOVED
    if one.is_repeatable:
        return Then.REPEATED
    if not one.is_ours or "kubeconfig" in one.provider:  # a kubeconfig may be a secret of the state
        return Then.UNKNOWN
    if one.volume:
        there, resource = _has_volume(one), adopted_volume(one)
    elif one.object:
        live = _live(one)
        there, manager = live is not None, _manager(one, live)
        resource = adopted_object(one, manager) if manager else None
    else:
        there, resource = False, None
    if not there:
        return Then.NOT_MADE
    if not resource:
        return Then.NOT_OURS
    if one.urn in known(deployment) | {other["urn"] for other in adopt}:
        if not one.is_protected:
            adopt.append(to_be_deleted(resource))
        return Then.KEPT_IF_WANTED
    adopt.append(resource)
    return Then.ADOPTED


def _live(one: Pending) -> dict[str, Any] | None:
    assert one.object
    options = ["-o", "json", "--show-managed-fields", "--ignore-not-found"]
    said = _kubectl(one, "get", *one.object.address, *options)
    return json.loads(said) if said.strip() else None


def _manager(one: Pending, live: Mapping[str, Any] | None) -> str | None:
    """The name under which the engine applied the object; None where it did not, or not for this stack."""
    metadata = cast(dict[str, Any], (live or {}).get("metadata") or {})
    if not one.labels.items() <= (metadata.get("labels") or {}).items():
        return None
    entries = cast(list[dict[str, Any]], metadata.get("managedFields") or [])
    managers = [str(entry.get("manager")) for entry in entries]
    return next((name for name in managers if name.startswith(_MANAGER)), None)


def _kubectl(one: Pending, *arguments: str) -> str:
    return kubectl(one.provider, *arguments)


def kubectl(provider: Mapping[str, Any], *arguments: str) -> str:
    """What kubectl says. Raises UnansweredError; a kind that the cluster does not know counts as no object."""
    context = ["--context", str(provider["context"])] if "context" in provider else []
    command = ["kubectl", *context, *arguments, f"--request-timeout={ANSWER_SECONDS}s"]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    except OSError as error:
        raise UnansweredError(str(error)) from None
    if done.returncode and "the server doesn't have a resource type" not in done.stderr:
        raise UnansweredError((done.stderr.strip().splitlines() or ["kubectl failed"])[-1])
    return done.stdout


def _remove_leftovers(one: Pending, ids: set[str]) -> bool:
    """Remove what a Docker daemon holds of a half-done operation, and the state does not. Whether there was any."""
    from docker.errors import APIError, DockerException

    if not one.leftovers:
        return False
    kind, filters = one.leftovers
    every, force = ({"all": True}, {"force": True}) if kind == "containers" else ({}, {})
    removed = False
    try:
        for found in getattr(client(one.docker_host), kind).list(**every, filters=filters):
            if found.id not in ids:
                with suppress(APIError):  # then the update says what is in its way
                    found.remove(**force)
                    removed = True
    except DockerException as error:
        raise UnansweredError(str(error)) from None
    return removed


def _has_volume(one: Pending) -> bool:
    from docker.errors import DockerException

    try:
        there: Any = client(one.docker_host).volumes.list(
            filters={"label": [f"{k}={v}" for k, v in one.labels.items()]}
        )
    except DockerException as error:
        raise UnansweredError(str(error)) from None
    return any(volume.name == one.volume for volume in there)
