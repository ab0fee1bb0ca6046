"""The arguments of every component of a stack without any component: what a check and a picture are made of. Pure."""

import functools
from typing import Any

from tierstack.app_cluster.args import AppClusterArgs
from tierstack.cluster_addons.args import ClusterAddonsArgs
from tierstack.cluster_addons.catalog import CATALOG
from tierstack.cluster_addons.required import AddonsMode, Needs
from tierstack.core.before import Before
from tierstack.core.bounds import bound_problems
from tierstack.core.checked import once
from tierstack.core.errors import MISSING, ArgumentError, Diagnostic, declare
from tierstack.database.args import DatabaseWithReplicasArgs
from tierstack.dns_records.args import DNSRecordsArgs
from tierstack.dns_records.zone.compose import Zone
from tierstack.gateway.args import GatewayArgs
from tierstack.mta_sts_host.args import MtaStsHostArgs
from tierstack.platform import Platform, PlatformKind
from tierstack.stack.instances import Instance, name_problems_of, use_problems
from tierstack.stack.wiring import ComponentArgs, is_masked
from tierstack.tls.args import TLSArgs

declare("store-unused", "`object_storage` on a Docker host needs `backups`.")
declare("archive-without-backups", "`archive` of a database needs `backups`.")


class Plan:
    """The arguments of every component, each made once and when it is first asked for, on placeholders for the links.

    Raises ArgumentError where the settings of the component that is asked for cannot be read.
    """

    def __init__(self, components: ComponentArgs) -> None:
        self.components = components
        self.settings: Any = components.settings
        self.platform: Platform = components.platform
        self._args: dict[Instance, Any] = {}
        self._links: dict[Instance, Any] = {}

    def args(self, of: Instance) -> Any:
        """The arguments of a component. None: the stack does without it."""
        if of not in self._args:
            self._args[of] = self.components.args(of, self)
        return self._args[of]

    def link(self, of: Instance) -> Any:
        """What stands for what a component hands to others. None: nothing does."""
        if of not in self._links:
            placeholder = of.section.placeholder
            self._links[of] = placeholder(self.args(of)) if placeholder else None
        return self._links[of]

    def made(self) -> list[tuple[Instance, Any]]:
        """Every component that the stack has, with its arguments."""
        return [(one, args) for one in self.components.instances if (args := self.args(one)) is not None]

    def users(self, of: Instance) -> list[tuple[Instance, AppClusterArgs]]:
        """The applications that use a component."""
        return [(one, app) for one, app in self.apps if of in self.components.used(one).values()]

    def _only(self, key: str) -> Any:
        """The arguments of the component of a section that has at most one."""
        return next((self.args(one) for one in self.components.of(key)), None)

    @property
    def tls(self) -> TLSArgs:
        return self._only("tls")

    @property
    def gateway(self) -> GatewayArgs:
        return self._only("gateway")

    @property
    def apps(self) -> list[tuple[Instance, AppClusterArgs]]:
        """Every application."""
        return [(one, self.args(one)) for one in self.components.of("app")]

    @property
    def databases(self) -> list[tuple[Instance, DatabaseWithReplicasArgs]]:
        """Every database."""
        return [(one, self.args(one)) for one in self.components.of("database")]

    @property
    def mta_sts(self) -> MtaStsHostArgs | None:
        return self._only("mta_sts")

    @property
    def dns(self) -> DNSRecordsArgs | None:
        return self._only("dns")

    @property
    def addons(self) -> ClusterAddonsArgs | None:
        return self._only("addons")

    @property
    def needs(self) -> Needs | None:
        """What must be in the cluster before an update; None where the stack applies nothing to one, or installs it."""
        applies = self.platform.kind is PlatformKind.KUBERNETES and not self.platform.renders
        if not applies or self.settings.addons.mode is AddonsMode.INSTALL:
            return None
        needed = {name for one, args in self.made() if one.section.needs for name in one.section.needs(args)}
        return Needs(tuple(addon for addon in CATALOG if addon.value in needed), self.gateway.gateway_class)

    @property
    def zone(self) -> Zone | None:
        """The records of the domain. None: no domain is configured, or an argument is wrong."""
        return self.components.zone.zone if self.components.zone else None

    @property
    def policy_hosts(self) -> list[str]:
        """The host of the MTA-STS policy, where this stack serves one."""
        return self.components.policy_hosts()

    def _storage_problems(self) -> list[Diagnostic]:
        """Whether there is a bucket exactly where one is used."""
        kubernetes, given = self.platform.kind is PlatformKind.KUBERNETES, self.settings.object_storage is not None
        users = (self.settings.backups, self.settings.file_backups, self.settings.dumps)
        if given and not kubernetes and all(one is None for one in users):
            wrong = "is used by nothing: on a Docker host `backups`, `file_backups` and `dumps` alone go there"
            instead = "add a `backups` section, remove it, or move it below `kubernetes`"
            return [Diagnostic("object_storage", MISSING, wrong, instead, "store-unused")]
        if kubernetes and self.settings.backups is not None and not given:
            wrong = "is required for `backups` on Kubernetes: a volume of the cluster would be lost with it"
            return [Diagnostic("object_storage", MISSING, wrong, "give a bucket", "required-on-platform")]
        databases: list[Any] = self.components.of("database")
        return [
            Diagnostic(
                f"{one.path}.archive",
                MISSING,
                "is given, but there are no `backups`, so the database archives nothing",
                "add a `backups` section, or remove it",
                "archive-without-backups",
            )
            for one in databases
            if one.settings.archive is not None and self.settings.backups is None
        ]

    def problems(self) -> list[Diagnostic]:
        """Every rule of every component about what its settings say."""
        every = self.components.instances
        # Also of sections that nothing is made from: an editor marks them as well.
        found = bound_problems(self.settings) + self._storage_problems() + name_problems_of(every)
        found += [problem for one in every for problem in use_problems(every, one)]
        return self._told_once(found + self._of_components[0])

    def derived_problems(self) -> list[Diagnostic]:
        """Every rule of every component about what other sections say. What is wrong with a setting is told there, and
        not of everything that is made from it: this is of use where there are no other problems."""
        return self._told_once(self._of_components[1])

    @functools.cached_property
    def _of_components(self) -> tuple[list[Diagnostic], list[Diagnostic]]:
        """The problems of the arguments of all components: about what its settings say, about what others say."""
        own: list[Diagnostic] = []
        derived: list[Diagnostic] = []
        for one in self.components.instances:
            try:
                for problem in once(self._problems_of(one)):
                    follows = self.components.is_derived(one, problem)
                    (derived if follows else own).append(self.components.at_setting(one, problem))
            except ArgumentError as error:
                own += error.problems
        return own, derived

    def _told_once(self, found: list[Diagnostic]) -> list[Diagnostic]:
        # Nothing can be said of a secret that nothing decrypts here; the update sees it.
        found = [one for one in found if not is_masked(self.settings, one.path)]
        # Each component judges the platform; a reader needs to hear of it once.
        return [one for index, one in enumerate(found) if one not in found[:index]]

    def changes(self, before: Before) -> list[Diagnostic]:
        """What components that exist cannot become."""
        return [
            self.components.at_setting(one, problem)
            for one, args in self.made()
            if one.section.changes
            for problem in one.section.changes(args, one.name, before)
        ]

    def _problems_of(self, of: Instance) -> list[Diagnostic]:
        args = self.args(of)
        if args is None:
            return []
        zone = self.components.zone if isinstance(args, DNSRecordsArgs) else None
        return zone.problems if zone else args.problems()  # the zone is composed once
