"""One direction: configuration → settings → tier → components. No name of an environment decides anything here."""

import dataclasses
import json
import os
import weakref
from pathlib import Path
from typing import Any

import pulumi

from tierstack.core.before import Before
from tierstack.core.diagnostics import Severity
from tierstack.core.errors import ArgumentError
from tierstack.dns_records.rules import declared as about_records
from tierstack.platform import Platform, PlatformKind, daemon, own_state
from tierstack.platform.shared import current_run
from tierstack.stack import clashes, images
from tierstack.stack.check import judge
from tierstack.stack.making import Components
from tierstack.stack.wiring import ComponentArgs


def program() -> None:
    """Build what the stack's configuration says. Raises RunError with every problem before anything is registered."""
    stack, project = pulumi.get_stack(), pulumi.get_project()
    config, secret_keys, others = _configuration(project)
    root = _root()
    report = judge(config, secret_keys, stack, project, root, images.on_host, others, _before)
    if report.problems or report.plan is None:
        # RunError ends the program without a traceback, which would hide the message.
        raise pulumi.RunError(str(ArgumentError(f"configuration of stack {stack}", report.problems)))
    _ask_daemon(report.plan.platform)
    shown, ignored = report.findings()
    for one in shown:
        if one.code not in about_records():  # DNSRecords says those itself
            if one.severity is Severity.ADVICE:
                pulumi.log.info(f"advice: {one.line}")
            else:
                pulumi.log.warn(one.line)
    current_run().changes_judged = True
    current_run().settled |= {one.code for one in (*shown, *(one.diagnostic for one in ignored))}
    build(dataclasses.replace(report.plan.components, protect=pulumi.Output.secret))


def _ask_daemon(platform: Platform) -> None:
    """Raise RunError where no Docker daemon answers an update, before anything is made: certificates and passwords come
    first, and the error of the first container names neither the daemon nor what to do. A preview is only told."""
    if platform.kind is not PlatformKind.DOCKER or daemon.answers(platform.docker_host):
        return
    from tierstack.platform.claim import TO_REACH, unanswered, unreachable

    if not pulumi.runtime.is_dry_run():
        raise pulumi.RunError(unreachable(platform.docker_host))
    pulumi.log.warn(f"{unanswered(platform.docker_host)}: an update needs one. {TO_REACH}")


def _before() -> Before:
    """What the stack has made."""
    return Before(own_state.resources() or {})


def build(make: ComponentArgs) -> None:
    """The components of a stack, and its outputs. Raises RunError, before anything is registered, where two components
    would have the same names."""
    made = Components(make)
    made.all()
    asked = current_run().asked
    if problems := clashes.told(asked, make.instances):
        error = pulumi.RunError(str(ArgumentError(f"configuration of stack {pulumi.get_stack()}", problems)))
        asked.wrong = weakref.ref(error)  # what waits to be registered says the same, and not once more in other words
        raise error
    _export(make, made)


def _export(make: ComponentArgs, made: Components) -> None:
    """The outputs of the stack."""
    kept = ("file_backups", "dumps")
    by_restic = [one for key in kept for one in made.of(key)]
    if backups := [*made.of("backups"), *by_restic]:
        rules = pulumi.Output.all(*(one.alert_rules for one in backups)).apply(_one_rule_file)
        pulumi.export("backup_alert_rules", rules)
    if by_restic:
        # To be kept where the backups are not: without them these cannot be read.
        named = {
            one.name: made.component(one).repository_password
            for key in kept
            for one in make.of(key)
            if made.component(one)
        }
        pulumi.export("repository_passwords", pulumi.Output.all(**named))
    for records in made.of("dns"):
        pulumi.export("zone", records.zone_file)
        if make.records and make.records.generated_keys():
            pulumi.export("dkim_signing_keys", records.dkim_signing_keys)
    urls = {one.name: made.component(one).url for one in make.of("app")}
    pulumi.export("urls", urls)
    if len(urls) == 1:
        pulumi.export("url", *urls.values())
    for tls in made.of("tls"):
        pulumi.export("alert_rules", tls.alert_rules)
        if make.platform.kind is PlatformKind.DOCKER:
            pulumi.export("ca", tls.ca_pem)


def _one_rule_file(files: list[str]) -> str:
    """Rule files of Prometheus as one: each is a list of groups below the same key."""
    first, *others = files
    return first + "".join(one.removeprefix("groups:\n") for one in others)


def _root() -> Path:
    """The project's directory. Older language hosts do not tell it; all run a program in the directory of `main`."""
    here = Path.cwd()
    told: str | None = pulumi.get_root_directory()
    return Path(told) if told else next((one for one in (here, *here.parents) if (one / "Pulumi.yaml").is_file()), here)


def _configuration(project: str) -> tuple[dict[str, Any], frozenset[str], list[str]]:
    """The keys of the project's namespace as the engine hands them over, those that hold a secret, and all others."""
    prefix = f"{project}:"
    given: dict[str, str] = json.loads(os.environ.get("PULUMI_CONFIG", "{}"))
    secret: list[str] = json.loads(os.environ.get("PULUMI_CONFIG_SECRET_KEYS", "[]"))
    config = {key.removeprefix(prefix): _value(value) for key, value in given.items() if key.startswith(prefix)}
    others = [key for key in given if not key.startswith(prefix)]
    return config, frozenset(key.removeprefix(prefix) for key in secret), others


def _value(text: str) -> Any:
    """A structured value; plain ones come as they stand."""
    return json.loads(text) if text.startswith(("{", "[")) else text
