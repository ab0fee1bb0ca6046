"""The settings of a stack: every key that `Pulumi.<stack>.yaml` may hold, and how a wrong one is reported.

Each component has one structured key in the project's namespace (`shop:app: {…}`). What holds only on one kind of
platform stands below `shop:docker` or `shop:kubernetes` and is laid over the rest: one configuration serves both.
"""

import json
from collections.abc import Mapping
from typing import Any, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model
from pydantic_core import ErrorDetails

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.backup_schedule.args import BackupScheduleArgs
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.required import AddonsMode
from tierstack.core.errors import HIDDEN, MISSING, ArgumentError, Problem, unknown_key
from tierstack.core.tier import Tier
from tierstack.database.archive import DatabaseArchiveArgs
from tierstack.database.args import OLDEST_VERSION, DatabaseWithReplicasArgs
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.gateway.args import GatewayArgs
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.object_storage.args import ObjectStorageArgs
from tierstack.platform import Platform, PlatformKind
from tierstack.redis_cluster.args import RedisClusterArgs
from tierstack.stack.derive import Section, section, type_name
from tierstack.tls.args import TLSArgs


class Images(Section):
    """Container images. Each is written by digest (`repository:tag@sha256:…`), on Docker also as the id of an image on
    the host (`sha256:…`), or as `local:NAME:TAG`: an image that `images/build.py` made. On Docker that becomes
    the id of `tierstack.local/NAME:TAG`; on Kubernetes the image must be loaded into the node (`kind load docker-image
    tierstack.local/NAME:TAG`), because no registry has it."""

    app: str = Field(description="The application: all its processes run from it.")
    postgres: str = Field(
        description=f"PostgreSQL {OLDEST_VERSION} or newer, without a convention of its own (CloudNativePG's has none)."
    )
    redis: str = Field(description="Valkey 8, or Redis 7 and newer.")
    pgbouncer: str | None = Field(
        default=None, description="PgBouncer 1.21 or newer. None: on Kubernetes the operator's own."
    )
    haproxy: str | None = Field(default=None, description="HAProxy 2.4 or newer; needed for three Redis nodes.")
    traefik: str | None = Field(
        default=None, description="Docker: Traefik 3.7.12 or newer. On Kubernetes the cluster runs its own."
    )
    nginx: str | None = Field(
        default=None, description="nginx, where the image of `app` has none. None: the one of `app`."
    )
    barman: str | None = Field(
        default=None, description="Docker: Barman 3.11 or newer with PostgreSQL's client programs."
    )
    tools: str | None = Field(
        default=None,
        description="Docker: what writes files into volumes, `tools_image` of Gateway. None: the one of `redis`.",
    )


class PlatformSettings(section(Platform, without={"environment", "name"})):
    """Where the stack runs."""

    name: str | None = Field(
        default=None,
        description="Prefix of every name on a Docker host; the namespace on Kubernetes. A DNS label of at most 40 "
        "characters. None: project and stack, `shop-local`.",
    )
    memory_mb: int | None = Field(
        default=None,
        description="MiB of memory of the Docker host that the stack may use; the limits of all containers must fit "
        "into it, also during a release, while web containers and workers run twice. None: not checked.",
    )


def _component(args: type[Any], *wired: str) -> type[Section]:
    """The section of a component without what the program gives: the platform, and what other components hand over."""
    return section(args, without={"platform", "tier", "physical_name", *wired})


class _TlsSettings(_component(TLSArgs, "hostnames", "gateway")):
    __doc__ = TLSArgs.__doc__
    hostnames: list[str] | None = Field(
        default=None,
        description="The names that the certificate is for. None: the hostnames of `app`, and that of the "
        "MTA-STS policy where one is served.",
    )


class _ArchiveSettings(section(DatabaseArchiveArgs, without={"store", "retention_days"})):
    """Kubernetes: the sidecar that ships the write-ahead log, where there are `backups`."""


class _DatabaseSettings(_component(DatabaseWithReplicasArgs, "image", "pooler_image", "archive")):
    __doc__ = DatabaseWithReplicasArgs.__doc__
    archive: _ArchiveSettings | None = Field(
        default=None,
        description="Kubernetes: the sidecar that ships the write-ahead log to `object_storage`, where there are "
        "`backups`. None: its defaults.",
    )


class _BackupsSettings(_component(BackupScheduleArgs, "database", "image", "retention_days")):
    __doc__ = BackupScheduleArgs.__doc__
    retention_days: int | None = Field(
        default=None,
        description="Length of the recovery window in days: every moment in it can be restored. 1 to 3650. None: 14.",
    )


class _MtaStsSettings(_component(MtaStsHostArgs, "gateway", "domain", "policy", "image")):
    __doc__ = MtaStsHostArgs.__doc__
    served_here: bool = Field(
        default=True,
        description="Whether this stack serves the policy. false: another host does, and `dns.web` names `mta-sts`.",
    )


class _AddonsSettings(_component(ClusterAddonsArgs)):
    __doc__ = ClusterAddonsArgs.__doc__
    mode: AddonsMode = Field(
        default=AddonsMode.EXISTING,
        description="`existing`: the cluster has them, and `tierstack up` looks whether it does; `install`: this stack "
        "installs them, for the whole cluster. Everything below is for `install`.",
    )


# In the order in which a reader thinks of them; the documentation keeps it.
_SECTIONS: dict[str, tuple[Any, Any, str]] = {
    "tls": (_TlsSettings, {}, "The certificate."),
    "gateway": (_component(GatewayArgs, "certificate", "image", "tools_image"), {}, "The way in, for HTTP and HTTPS."),
    "app": (
        _component(AppClusterArgs, "gateway", "database", "redis", "image", "nginx_image"),
        ...,
        "The application: web containers, queue workers, scheduler, migrations.",
    ),
    "database": (
        _DatabaseSettings,
        {},
        "PostgreSQL with PgBouncer before it.",
    ),
    "redis": (
        _component(RedisClusterArgs, "image", "proxy_image"),
        {},
        "The Redis-compatible store of queues and sessions.",
    ),
    "object_storage": (
        _component(ObjectStorageArgs) | None,
        None,
        "The bucket that backups on Kubernetes go to. Left out: there is none.",
    ),
    "backups": (
        _BackupsSettings | None,
        None,
        "Backups of the database. Left out: none are made.",
    ),
    "mta_sts": (_MtaStsSettings, {}, "The host of the MTA-STS policy, made where `dns.mail.mta_sts` is given."),
    "addons": (_AddonsSettings, {}, "Kubernetes: the operators that the stack needs."),
    "dns": (
        _component(DNSRecordsArgs, "mta_sts_url") | None,
        None,
        "The records of the domain. Left out: none are computed.",
    ),
}


def _fields() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, (model, default, text) in _SECTIONS.items():
        if isinstance(default, dict):
            found[name] = (model, Field(default_factory=model, description=text))
        else:
            found[name] = (model, Field(default=default, description=text))
    return found


class _Base(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    tier: Tier = Field(description="The size that counts are taken from where a section gives none.")
    platform: PlatformSettings = Field(description="Where the stack runs.")
    images: Images = Field(description="What its containers run.")


Settings: Any = create_model("Settings", __base__=_Base, **_fields())
"""All settings of a stack, for one kind of platform."""

MASKED = "(secret)"
"""What stands for an encrypted value where nothing decrypts it: in a check without an engine, and when rendering."""
OVERLAYS = {kind.value: kind for kind in PlatformKind}
"""The keys whose content holds on one kind of platform only."""
NAMES = frozenset({*Settings.model_fields, *OVERLAYS})
"""Every key of the project's namespace."""


def read(config: Mapping[str, Any]) -> Any:
    """The settings in `config` (the keys of the project's namespace) for the platform that it names.

    Raises ArgumentError with every problem of shape, also of the part for the other kind of platform.
    """
    problems = [
        Problem(name, config[name], "is not a section", "write a map of settings", "wrong-type")
        for name in OVERLAYS
        if not isinstance(config.get(name, {}), dict)
    ]
    if problems:
        raise ArgumentError("configuration", problems)
    chosen = _kind_of(config)
    for name in sorted(OVERLAYS, key=lambda name: name != chosen):
        problems += [one for one in _shape(_laid(config, name), config.get(name, {}), name) if one not in problems]
    if problems:
        raise ArgumentError("configuration", problems)
    return Settings.model_validate_json(json.dumps(_laid(config, chosen)))


def key_of(config: Mapping[str, Any], *path: str) -> tuple[str, ...]:
    """Where the value at `path` of the settings stands in `config`: below the key of the platform, or at its own."""
    kind = _kind_of(config)
    overlay = config.get(kind, {})
    return (kind, *path) if isinstance(overlay, dict) and _holds(cast(dict[str, Any], overlay), path) else path


def _kind_of(config: Mapping[str, Any]) -> str:
    platform = config.get("platform")
    kind = cast(dict[str, Any], platform).get("kind") if isinstance(platform, dict) else None
    return kind if isinstance(kind, str) and kind in OVERLAYS else PlatformKind.DOCKER.value


def _laid(config: Mapping[str, Any], kind: str) -> dict[str, Any]:
    """`config` with the part for `kind` laid over it."""
    base = {key: value for key, value in config.items() if key not in OVERLAYS}
    laid = _merge(base, cast(dict[str, Any], config.get(kind, {})))
    if isinstance(laid.get("platform"), dict) and _kind_of(config) != kind:
        laid["platform"] = {**laid["platform"], "kind": kind}
    return laid


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        merged[key] = _merge(cast(dict[str, Any], below), cast(dict[str, Any], value)) if both else value
    return merged


def _shape(config: dict[str, Any], overlay: Mapping[str, Any], kind: str) -> list[Problem]:
    try:
        # As JSON, because strict JSON reads `queue` as a choice but never "3" as a number.
        Settings.model_validate_json(json.dumps(config, default=str))
    except ValidationError as error:
        return [_problem(detail, overlay, kind) for detail in error.errors()]
    return []


def _problem(detail: ErrorDetails, overlay: Mapping[str, Any], kind: str) -> Problem:
    where = detail["loc"]
    path = _path((kind, *where) if _holds(overlay, where) else where)
    hint = _hint(where)
    if detail["type"] == "extra_forbidden":
        parent = _hint(where[:-1]) if len(where) > 1 else Settings
        known = {*parent.model_fields, *(OVERLAYS if parent is Settings else ())}
        parents, _, last = path.rpartition(".")
        inner = {name: _within(field.annotation) for name, field in parent.model_fields.items()}
        groups = {name: one.model_fields for name, one in inner.items() if hasattr(one, "model_fields")}
        return unknown_key(parents, last, known, groups, detail["input"])
    noun = type_name(hint)
    article = noun if noun[0] == "`" or noun == "true or false" else f"a {noun}"
    if detail["type"] == "missing":
        return Problem(path, MISSING, "is required", f"write {article}", "missing-key")
    shown = HIDDEN if "secret" in noun else detail["input"]
    if detail["type"] == "enum":
        return Problem(path, shown, "is not a choice", f"write {article}", "not-a-choice")
    return Problem(path, shown, f"is {_kind(detail['input'])}", f"write {article}", "wrong-type")


def _kind(value: object) -> str:
    nouns: dict[type[Any], str] = {
        str: "a text",
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        dict: "a section",
    }
    return "empty" if value is None else nouns.get(type(value)) or f"a {type(value).__name__}"


def _holds(overlay: Mapping[str, Any], where: tuple[str | int, ...]) -> bool:
    """Whether `where`, or what it is missing from, stands in the overlay."""
    inside: Any = overlay
    for step in where:
        if not isinstance(inside, dict) or step not in inside:
            return False
        inside = cast(dict[Any, Any], inside)[step]
    return True


def _path(where: tuple[str | int, ...]) -> str:
    path = ""
    for step in where:
        path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
    return path


def _hint(where: tuple[str | int, ...]) -> Any:
    """The type at a place of the settings: a model, or what a field is annotated with."""
    hint: Any = Settings
    for step in where:
        hint = _within(hint)
        if isinstance(hint, type) and issubclass(hint, BaseModel):
            field = hint.model_fields.get(str(step))
            hint = field.annotation if field else None
        else:
            inside = list(get_args(hint))  # a list holds its only argument, a map its last
            hint = inside[-1] if inside else None
    return _within(hint)


def _within(hint: Any) -> Any:
    """`X` of `X | None`."""
    options = list(get_args(hint))
    return next(one for one in options if one is not type(None)) if type(None) in options else hint
