"""One direction: configuration → settings → tier → components. No name of an environment decides anything here."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pulumi

from tierstack import (
    TLS,
    AppCluster,
    BackupSchedule,
    ClusterAddons,
    DatabaseWithReplicas,
    DNSRecords,
    Gateway,
    MtaStsHost,
    ObjectStorage,
    RedisCluster,
)
from tierstack.core.errors import ArgumentError
from tierstack.links import GatewayIdentity
from tierstack.platform import PlatformKind, kubernetes
from tierstack.stack import images
from tierstack.stack.check import judge
from tierstack.stack.wiring import ComponentArgs


def program() -> None:
    """Build what the stack's configuration says. Raises RunError with every problem before anything is registered."""
    stack, project = pulumi.get_stack(), pulumi.get_project()
    config, secret_keys, others = _configuration(project)
    root = _root()
    report = judge(config, secret_keys, stack, project, root, lookup=images.on_host, other_keys=others)
    if report.problems or report.plan is None:
        # RunError ends the program without a traceback, which would hide the message.
        raise pulumi.RunError(str(ArgumentError(f"configuration of stack {stack}", report.problems)))
    for line in report.advice:
        pulumi.log.info(f"advice: {line}")
    build(dataclasses.replace(report.plan.components, protect=pulumi.Output.secret))


def build(make: ComponentArgs) -> None:
    """The components of a stack, each given what those before it made."""
    if addons := make.addons():
        kubernetes.cluster(make.platform).after(ClusterAddons("addons", addons))
    front = GatewayIdentity(name="gateway", place=make.platform.place)
    tls = TLS("tls", make.tls(front))
    gateway = Gateway(front.name, make.gateway(tls.certificate))
    bucket = make.object_storage()
    storage = ObjectStorage("storage", bucket) if bucket else None
    database = DatabaseWithReplicas("db", make.database(storage.store if storage else None))
    redis = RedisCluster("redis", make.redis())
    app = AppCluster("web", make.app(gateway.endpoint, database.connection, redis.connection))
    if backups := make.backups(database.connection):
        pulumi.export("backup_alert_rules", BackupSchedule("backups", backups).alert_rules)
    policy = make.mta_sts(gateway.endpoint)
    served = MtaStsHost("mta-sts", policy) if policy else None
    if dns := make.dns(served.url if served else None):
        records = DNSRecords("dns", dns)
        pulumi.export("zone", records.zone_file)
        if dns.generated_keys():
            pulumi.export("dkim_signing_keys", records.dkim_signing_keys)
    pulumi.export("url", app.url)
    pulumi.export("alert_rules", tls.alert_rules)
    if make.platform.kind is PlatformKind.DOCKER:
        pulumi.export("ca", tls.ca_pem)


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
