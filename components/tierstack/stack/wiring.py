"""From settings to the arguments of each component: what others hand to it, and what a section says of another.

The program passes the real links; a check without an engine passes placeholders (`plan.Plan`). What a component needs
no link for stands in its own `SECTION`.
"""

import dataclasses
import functools
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import pulumi

from tierstack.app_cluster.section import Demands, demands
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.required import AddonsMode
from tierstack.core.arguments import load
from tierstack.core.errors import ArgumentError, Diagnostic
from tierstack.core.keys import Secret
from tierstack.dns_records.args import DNSRecordsArgs, JudgedZone
from tierstack.dns_records.ignores import about_records
from tierstack.dns_records.mail.mta_sts.record import host_name
from tierstack.links import GatewayIdentity
from tierstack.links.database import RETENTION_DAYS
from tierstack.platform import Platform, PlatformKind
from tierstack.platform.proxy.traefik import read_seconds
from tierstack.stack.images import Images, arguments
from tierstack.stack.instances import Instance, used
from tierstack.stack.settings import MASKED


class Links(Protocol):
    """What the components of a stack hand to each other."""

    def link(self, of: Instance) -> Any:
        """What `of` hands out."""
        ...


@dataclasses.dataclass(frozen=True)
class ComponentArgs:
    """Makes the arguments of every component of a stack."""

    settings: Any
    instances: Sequence[Instance]
    """Every component that the settings have a section for."""
    images: Images
    platform: Platform
    root: Path = Path()
    """The project's directory: paths in the settings are relative to it, and the engine runs a program in its own."""
    protect: Callable[[str], pulumi.Input[str]] = str
    """What is made of a secret: an output that stays secret, in the program."""
    _derived: dict[Instance, frozenset[str]] = dataclasses.field(default_factory=dict[Instance, frozenset[str]])
    """The arguments of each component that were made from what other sections say."""

    def of(self, key: str) -> list[Instance]:
        """The components of a section."""
        return [one for one in self.instances if one.section.key == key]

    def used(self, of: Instance) -> dict[str, Instance]:
        """The components that an application uses, by where it says so: `database`, `redis`, `more_redis.cache`."""
        return used(self.instances, of)

    def args(self, of: Instance, links: Links) -> Any:
        """The arguments of a component. None: the stack does without it.

        Raises ArgumentError where its settings cannot be read.
        """
        return _WIRING.get(of.section.key, _unlinked)(self, of, links)

    def load(self, of: Instance, **wired: Any) -> Any:
        """The arguments of a component: its settings, its images, where it runs, and what is `wired`."""
        fields = {field.name for field in dataclasses.fields(of.section.args)}
        common = {"platform": self.platform, "tier": self.settings.tier}
        known = {name: value for name, value in common.items() if name in fields}
        self._derived[of] = frozenset(wired) - of.settings.keys_given
        made, problems = load(of.section.args, {**self.given(of), **self.images.of(of), **known, **wired})
        if problems:
            raise ArgumentError("configuration", [self.at_setting(of, one) for one in problems])
        return made

    def given(self, of: Instance) -> dict[str, Any]:
        """The arguments that the settings of a component give."""
        own = {field.name for field in dataclasses.fields(of.section.own)} if of.section.own else set[str]()
        return {name: value for name, value in of.settings.written(self.protect).items() if name not in own}

    def at_setting(self, of: Instance, problem: Diagnostic) -> Diagnostic:
        """The problem of an argument at the key of the settings that gave it."""
        if problem.path.partition(".")[0] in ("platform", "tier"):
            return problem
        keys = self._keys_of_arguments(of)
        path = keys.get(problem.path) or f"{of.path}.{problem.path}"
        if problem.path.startswith("hostnames[") and self.is_derived(of, problem):
            path = self._place_of_hostname(problem.value) or path

        def as_key(token: re.Match[str]) -> str:
            key = keys.get(token[1])
            return f"`{key}" if key else token[0]

        message, hint = (_TOKEN.sub(as_key, text) for text in (problem.message, problem.hint))
        return dataclasses.replace(problem, path=path, message=message, hint=hint)

    def _keys_of_arguments(self, of: Instance) -> dict[str, str]:
        """Where each argument stands that the settings spell otherwise: images, and what other sections give."""
        keys = dict(of.section.given_by)
        if of.per:  # the one that it is there for, of several
            head = f"{of.per.section.key}."
            keys = {name: key.replace(head, f"{of.per.path}.", 1) for name, key in keys.items()}
        for key, argument in arguments(of, self.platform.kind):
            keys[argument] = self.images.place(of, key, argument) or f"images.{key.key}"
        return keys

    def is_derived(self, of: Instance, problem: Diagnostic) -> bool:
        """Whether a problem of an argument is about what other sections say: their own problems come first."""
        return re.split(r"[.\[]", problem.path)[0] in self._derived.get(of, ())

    def _place_of_hostname(self, name: object) -> str | None:
        """Where an application has the name. None: nowhere."""
        places = (
            f"{one.path}.hostnames[{index}]"
            for one in self.of("app")
            for index, given in enumerate(cast(Any, one.settings).hostnames)
            if given == name
        )
        return next(places, None)

    @functools.cached_property
    def demands(self) -> list[Demands]:
        """What each application asks of what is in front of it."""
        return [demands(one.settings) for one in self.of("app")]

    @property
    def hostnames(self) -> list[str]:
        """The names of all applications."""
        return list(dict.fromkeys(name for one in self.demands for name in one.hostnames))

    def reading(self, of: Instance) -> dict[str, int]:
        """How long a proxy waits for a request, unless its settings say it: by the largest body of an application."""
        if "read_timeout_seconds" in of.settings.keys_given:
            return {}
        return {"read_timeout_seconds": read_seconds(max(one.max_body_mb for one in self.demands))}

    def trusted_proxies(self) -> list[str] | None:
        """What stands in front of the proxy: written at the gateway, or at the addons that install the proxy."""
        installed = self.settings.addons.trusted_proxies if self.installs_addons() else None
        given = self.settings.gateway.trusted_proxies
        return installed if given is None else given

    def installs_addons(self) -> bool:
        """Whether the stack installs the operators that it needs."""
        return self.platform.kind is PlatformKind.KUBERNETES and self.settings.addons.mode is AddonsMode.INSTALL

    def retention_days(self) -> int:
        """How long backups are kept, on either platform."""
        given = self.settings.backups.retention_days
        return RETENTION_DAYS if given is None else given

    def policy_hosts(self) -> list[str]:
        """The host of the MTA-STS policy, where this stack serves one."""
        return [host_name(self.settings.dns.domain)] if self.policy is not None else []

    @functools.cached_property
    def policy(self) -> str | None:
        """The MTA-STS policy that this stack serves. None: it serves none."""
        return self.zone.policy if self.zone and self.settings.mta_sts.served_here else None

    @functools.cached_property
    def zone(self) -> JudgedZone | None:
        """The records of the domain with what is wrong with them. None: the stack computes none."""
        return self.records.judged() if self.records else None

    @functools.cached_property
    def records(self) -> DNSRecordsArgs | None:
        """The arguments of the records, before another component gives the address of the MTA-STS policy."""
        return next((self.dns(one) for one in self.of("dns")), None)

    def dns(self, of: Instance, mta_sts_url: pulumi.Input[str] | None = None) -> DNSRecordsArgs:
        """The arguments of the records."""
        ignored = about_records(self.settings.ignore or {})
        given: dict[str, Any] = {"mta_sts_url": mta_sts_url, "platform": None, "ignore": ignored or None}
        if publish := self.given(of).get("publish"):
            publish.setdefault("data_protection", self.platform.data_protection)
            given["publish"] = publish
            if "external_dns" in publish:
                given["platform"] = self.platform
            elif self.platform.renders:
                given["publish"] = None  # what is rendered changes nothing anywhere
        return self.load(of, **given)


_MORE_REDIS = "more_redis."
_TOKEN = re.compile(r"(?:\ba )?`([a-z_]+(?:\.[a-z_]+)*)(?=[`:])")
"""An argument in a message, with the article that the key of a stack has not."""


def _unlinked(make: ComponentArgs, of: Instance, _links: Links) -> Any:
    return make.load(of)


def _tls(make: ComponentArgs, of: Instance, _links: Links) -> Any:
    given: Any = of.settings
    hostnames = given.hostnames or list(dict.fromkeys([*make.hostnames, *make.policy_hosts()]))
    (gateway,) = make.of("gateway")
    wired: dict[str, Any] = {"gateway": GatewayIdentity(name=gateway.name, place=make.platform.place)}
    if pair := make.given(of).get("given"):
        files = {key: str(make.root / pair[key]) for key in ("certificate_path", "private_key_path") if pair.get(key)}
        wired["given"] = {**pair, **files}
    return make.load(of, hostnames=hostnames, **wired)


def _gateway(make: ComponentArgs, of: Instance, links: Links) -> Any:
    (tls,) = make.of("tls")
    certificate, trusted = links.link(tls), make.trusted_proxies()
    return make.load(of, certificate=certificate, trusted_proxies=trusted, **make.reading(of))


def _app(make: ComponentArgs, of: Instance, links: Links) -> Any:
    (gateway,) = make.of("gateway")
    wired = {path: links.link(one) for path, one in make.used(of).items()}
    more = {path.removeprefix(_MORE_REDIS): wired.pop(path) for path in [*wired] if path.startswith(_MORE_REDIS)}
    return make.load(of, gateway=links.link(gateway), more_redis=more or None, **wired)


def _database(make: ComponentArgs, of: Instance, links: Links) -> Any:
    archive: dict[str, Any] | None = None
    stores = make.of("object_storage")
    if stores and make.settings.backups and make.platform.kind is PlatformKind.KUBERNETES:
        given: dict[str, Any] = make.given(of).get("archive") or {}
        archive = {**given, "store": links.link(stores[0]), "retention_days": make.retention_days()}
    return make.load(of, archive=archive)


def _backups(make: ComponentArgs, of: Instance, links: Links) -> Any:
    assert of.per
    # On Kubernetes the archive of the database has it.
    docker = make.platform.kind is PlatformKind.DOCKER
    stores = make.of("object_storage") if docker else []
    return make.load(
        of,
        database=links.link(of.per),
        retention_days=make.retention_days() if docker else None,
        store=links.link(stores[0]) if stores else None,
    )


def _file_backups(make: ComponentArgs, of: Instance, links: Links) -> Any:
    """None: an application without uploads, where another one has some."""
    assert of.per
    given: list[Any] = [one.settings for one in make.of("app")]
    if cast(Any, of.per.settings).uploads is None and any(one.uploads is not None for one in given):
        return None
    stores = make.of("object_storage") if make.platform.kind is PlatformKind.DOCKER else []
    return make.load(of, files=links.link(of.per), store=links.link(stores[0]) if stores else None)


def _dumps(make: ComponentArgs, of: Instance, links: Links) -> Any:
    assert of.per
    stores = make.of("object_storage") if make.platform.kind is PlatformKind.DOCKER else []
    return make.load(of, database=links.link(of.per), store=links.link(stores[0]) if stores else None)


def _mta_sts(make: ComponentArgs, of: Instance, links: Links) -> Any:
    if make.policy is None:
        return None
    (gateway,), app = make.of("gateway"), make.of("app")[0]
    images = make.images.of(app)
    given: dict[str, Any] = {"image": images.get("nginx_image") or images["image"]}
    if "nginx_command" not in of.settings.keys_given and "nginx_image" not in images:
        given["nginx_command"] = make.demands[0].nginx_command
    domain = make.settings.dns.domain
    return make.load(of, gateway=links.link(gateway), domain=domain, policy=make.policy, **given)


def _addons(make: ComponentArgs, of: Instance, _links: Links) -> Any:
    if not make.installs_addons():
        return None
    given = make.given(of)
    # The proxy is the same one, so what stands in front of it is written once.
    wired: dict[str, Any] = {"trusted_proxies": make.trusted_proxies(), **make.reading(of)}
    if given.get("manifests"):
        wired["manifests"] = str(make.root / given["manifests"])
    if "keda" not in given:
        wired["keda"] = any(one.queues for one in make.demands)
    # As long as any application may take: later answers come from nobody.
    if "response_timeout_seconds" not in given:
        wired["response_timeout_seconds"] = max(one.request_timeout_seconds for one in make.demands) + 5
    stop_seconds = max(one.stop_seconds for one in make.demands)
    if "stop_seconds" not in given and stop_seconds > ClusterAddonsArgs.stop_seconds:
        wired["stop_seconds"] = stop_seconds
    return make.load(of, **wired)


def _dns(make: ComponentArgs, of: Instance, links: Links) -> Any:
    urls = [url for one in make.of("mta_sts") if (url := links.link(one)) is not None]
    return make.dns(of, urls[0]) if urls else make.records


_WIRING: dict[str, Callable[[ComponentArgs, Instance, Links], Any]] = {
    "tls": _tls,
    "gateway": _gateway,
    "app": _app,
    "database": _database,
    "backups": _backups,
    "file_backups": _file_backups,
    "dumps": _dumps,
    "mta_sts": _mta_sts,
    "addons": _addons,
    "dns": _dns,
}
"""How the arguments of a section's components are made. Those of other sections need nothing but their settings."""


def is_masked(settings: Any, path: str) -> bool:
    """Whether the setting at `path` is a secret that stands encrypted in the file."""
    value = functools.reduce(_inside, path.split("."), settings)
    return isinstance(value, Secret) and value.reveal() == MASKED


def _inside(value: Any, key: str) -> Any:
    return cast(dict[str, Any], value).get(key) if isinstance(value, dict) else getattr(value, key, None)
