"""What ClusterAddons takes, and the rules of it."""

import re
from dataclasses import dataclass, field
from enum import Enum

from tierstack.cluster_addons.catalog import CATALOG, Addon
from tierstack.cluster_addons.sources import problems as source_problems
from tierstack.core.bounds import bound_problems
from tierstack.core.errors import Diagnostic, declare, nearest
from tierstack.core.keys import within
from tierstack.platform import Platform, PlatformKind, image_problems
from tierstack.platform.proxy.forwarded import network_problems
from tierstack.platform.proxy.traefik import READ_SECONDS

declare("addon-image", "A key of `images` must be a repository, without a tag.")
declare("addon-choice", "`crds_only` can name installed addons only.")
declare("addon-unknown", "Names of addons must be known ones.")


class ServiceType(Enum):
    """How Traefik is reached from outside of the cluster."""

    LOAD_BALANCER = "LoadBalancer"
    """By a load balancer of the cloud, or of MetalLB."""
    NODE_PORT = "NodePort"
    """By a port of every node, behind a load balancer of one's own."""
    CLUSTER_IP = "ClusterIP"
    """From inside only."""


@dataclass(kw_only=True)
class ClusterAddonsArgs:
    """Arguments of ClusterAddons: the operators that tierstack's components need in a cluster, in pinned versions."""

    platform: Platform
    """The cluster. Its namespace is not used: each addon has its own."""
    without: list[Addon] | None = None
    """Addons that are not installed, because the cluster has them or nothing uses them. None: all are installed but
    those that have to be asked for (`metrics_server`, `keda`, `argo_rollouts`)."""
    crds_only: list[Addon] | None = None
    """Addons of which only the resource definitions are installed, because something else runs the operator. None: of
    none (`prometheus-operator` is nothing but these)."""
    metrics_server: bool = False
    """Install `metrics-server` too. Most managed clusters bring it, and two of them clash."""
    keda: bool = False
    """Install `keda` too. It is needed where a role of an AppCluster has a `queue`."""
    argo_rollouts: bool = False
    """Install `argo-rollouts` too. No component of tierstack uses it."""
    manifests: str | None = None
    """Directory with the vendors' manifests as NAME.yaml (`cert-manager.yaml`), for clusters without the internet.
    They are taken as they are, without a checksum. None: downloaded once, checked, and kept in the user's cache."""
    checksums: dict[str, str] | None = None
    """SHA-256 of vendors' manifests, by name of the addon, for those whose checksum tierstack does not know.
    None: no further checksums; an addon without one is refused, with the command that shows it."""
    images: dict[str, str] | None = None
    """Images to run instead: repository of the vendor's image, without tag → image by digest. None: the vendors'."""
    replicas: int = field(default=2, metadata=within(1, 9))
    """Copies of each operator that may have several, and of Traefik; one leads, on another node than the next. 1 to
    9."""
    # Below 5 s two thirds are less than the retry period of 2 s allows.
    lease_seconds: int = field(default=8, metadata=within(5, 120, "seconds"))
    """How long an operator that leads may be silent before another one leads, in seconds. Shorter means a faster
    take-over and more writes to the API server; an API server that is silent for two thirds of it restarts the
    operators. 5 to 120."""
    service_type: ServiceType = ServiceType.LOAD_BALANCER
    """Type of Traefik's Service: `LoadBalancer`, `NodePort` or `ClusterIP`."""
    http_port: int = field(default=80, metadata=within(1, 65535))
    """Port that Traefik listens on in its pod, which the HTTP listener of a Gateway must name. The Service has 80. 1 to
    65535."""
    https_port: int = field(default=443, metadata=within(1, 65535))
    """Port that Traefik listens on in its pod, which the HTTPS listener of a Gateway must name. The Service has 443. 1
    to 65535."""
    trusted_proxies: list[str] | None = None
    """Networks (CIDR) of load balancers or a CDN in front of Traefik, whose X-Forwarded-For is believed. Each Gateway
    repeats them (`trusted_proxies`), so that its applications count clients by them. None: nobody's."""
    stop_seconds: int = field(default=30, metadata=within(1, 3600, "seconds"))
    """How long running requests may take when Traefik stops, in seconds. A stack that installs the addons raises it to
    what the application gives them (`app.http.stop_seconds`). 1 to 3600."""
    read_timeout_seconds: int = field(default=READ_SECONDS, metadata=within(1, 604800, "seconds"))
    """How long a client may take to send one request with its body to Traefik, in seconds; then it is cut off. 300 are
    enough for 16 MiB at 64 KiB/s. A stack raises it to what `app.http.max_body_mb` takes at that rate. 1 to
    604800."""
    traefik_cpu: float = field(default=1.0, metadata=within(0.05, 128, "cores"))
    """Cores that each Traefik is reserved; there is no limit. 0.05 to 128."""
    traefik_memory_mb: int = field(default=512, metadata=within(64, 65536, "MiB"))
    """Memory of each Traefik in MiB: request and hard limit. (MiB - 96) × 1024 ÷ 40 connections fit: 10,649. 64 to
    65536."""
    response_timeout_seconds: int = field(default=3605, metadata=within(6, 3605, "seconds"))
    """How long Traefik waits for an application to begin its answer, in seconds: at least
    `http.request_timeout_seconds` of every application and 5 more. A stack that installs the addons sets it to that
    of its application. 6 to 3605."""

    def chosen(self) -> list[Addon]:
        """The addons to install, what one needs before it."""
        asked = {Addon.METRICS_SERVER: self.metrics_server, Addon.KEDA: self.keda}
        asked[Addon.ARGO_ROLLOUTS] = self.argo_rollouts
        dropped = {*(self.without or []), *(addon for addon, wanted in asked.items() if not wanted)}
        return [addon for addon in CATALOG if addon not in dropped]

    @property
    def has_gateway_api(self) -> bool:
        """Whether the cluster has the Gateway API's resources: they are installed, or Traefik is, which needs them."""
        return not {Addon.GATEWAY_API, Addon.TRAEFIK}.isdisjoint(self.chosen())

    def bare(self, addon: Addon) -> bool:
        """Whether only the resource definitions of `addon` are installed."""
        return addon in (self.crds_only or [])

    def problems(self) -> list[Diagnostic]:
        """Everything that is wrong with the arguments."""
        found = self.platform.problems()
        if self.platform.kind is not PlatformKind.KUBERNETES:
            wrong = "has no operators"
            given, instead = self.platform.kind.value, "give a Kubernetes platform"
            return [*found, Diagnostic("platform.kind", given, wrong, instead, "wrong-platform")]
        found += self._choice_problems() + bound_problems(self)
        if self.http_port == self.https_port:
            wrong, instead = "is the port of HTTP too", "write two ports, such as 80 and 443"
            found.append(Diagnostic("https_port", self.https_port, wrong, instead, "port-twice"))
        found += network_problems("trusted_proxies", self.trusted_proxies)
        for name, image in (self.images or {}).items():
            if name != name.partition("@")[0] or ":" in name.rpartition("/")[2]:
                wrong, instead = "names a tag or a digest", "write the repository alone as the key"
                found.append(Diagnostic(f"images.{name}", image, wrong, instead, "addon-image"))
            found += image_problems(f"images.{name}", image, self.platform.kind)
        return found

    def _choice_problems(self) -> list[Diagnostic]:
        found: list[Diagnostic] = []
        chosen = self.chosen()
        for index, addon in enumerate(self.crds_only or []):
            if addon not in chosen:
                name = addon.value.replace("-", "_")
                dropped = addon in (self.without or [])
                instead = "remove it here, or from `without`" if dropped else f"remove it, or write `{name}: true`"
                wrong = "is not installed at all"
                found.append(Diagnostic(f"crds_only[{index}]", addon.value, wrong, instead, "addon-choice"))
        names = [addon.value for addon in Addon]
        for name, value in (self.checksums or {}).items():
            if name not in names:
                guess = nearest(name, names)
                instead = f"did you mean `{guess}`?" if guess else f"write one of {', '.join(names)}"
                found.append(Diagnostic(f"checksums.{name}", value, "is of no known addon", instead, "addon-unknown"))
            if not re.fullmatch(r"[0-9a-f]{64}", value):
                wrong, instead = "is not a SHA-256", "write 64 lower-case hexadecimal digits"
                found.append(Diagnostic(f"checksums.{name}", value, wrong, instead, "addon-checksum"))
        return found + source_problems(chosen, self.manifests, self.checksums or {})
