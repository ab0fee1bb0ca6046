"""Where things run: one Docker host, or a namespace of a Kubernetes cluster (applied, or rendered to files).

A platform is plain data, known at preview. What it shares between components (the provider, the namespace) is made
once, when the first component asks for it: see `docker.host` and `kubernetes.cluster`.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from tierstack.core.errors import MISSING, Diagnostic, out_of_range, rule
from tierstack.core.keys import DOCKER_ONLY, KUBERNETES_ONLY, given_elsewhere

RENDER_TO = "TIERSTACK_RENDER_TO"
"""Environment variable by which `tierstack render` has any program write manifests: a directory, in place of the
cluster that its Kubernetes platforms name."""


class PlatformKind(Enum):
    """The two kinds of platform that every component can be built on."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"


class DataProtection(Enum):
    """What happens to volumes, databases and buckets when they leave the program or the stack is destroyed."""

    NONE = "none"
    """They are deleted like anything else."""
    PROTECT = "protect"
    """The engine refuses to delete or replace them until they are unprotected (`tierstack down --delete-data`)."""
    RETAIN = "retain"
    """As `protect`; and once unprotected and removed they are forgotten by the engine, never deleted."""


class TolerationOperator(Enum):
    """How a toleration is compared with a taint (Kubernetes API reference, Toleration)."""

    EQUAL = "Equal"
    """Key and value are those of the taint."""
    EXISTS = "Exists"
    """The key is that of the taint, whatever its value."""


class TaintEffect(Enum):
    """What a taint does to pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    """None is placed there."""
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    """None is placed there while another node has room."""
    NO_EXECUTE = "NoExecute"
    """Those that run there are evicted."""


@dataclass(frozen=True, kw_only=True)
class Toleration:
    """A taint of nodes that pods may run on all the same."""

    key: str | None = None
    """Key of the taint. None: every key, which `operator: Exists` needs."""
    operator: TolerationOperator = TolerationOperator.EQUAL
    """`Equal` or `Exists`. Default: `Equal`."""
    value: str | None = None
    """Value of the taint. None: an empty one."""
    effect: TaintEffect | None = None
    """`NoSchedule`, `PreferNoSchedule` or `NoExecute`. None: all of them."""

    def manifest(self) -> dict[str, str]:
        """As it stands in a pod."""
        found = {"key": self.key, "operator": self.operator.value, "value": self.value}
        given = {name: value for name, value in found.items() if value is not None}
        return {**given, "effect": self.effect.value} if self.effect else given

    @rule("toleration", "A toleration must be one that the API server accepts.", "Kubernetes: Taints and Tolerations")
    def problems(self, path: str) -> list[Diagnostic]:
        """The rules of the API server (Kubernetes: "Taints and Tolerations")."""
        if self.operator is TolerationOperator.EXISTS and self.value is not None:
            wrong = "is given, but `operator: Exists` compares no value"
            return [Diagnostic(f"{path}.value", self.value, wrong, "remove it, or write `operator: Equal`")]
        if self.operator is TolerationOperator.EQUAL and self.key is None:
            wrong = "is required with `operator: Equal`"
            return [Diagnostic(f"{path}.key", MISSING, wrong, "write the key of the taint, or `operator: Exists`")]
        return []


@dataclass(frozen=True, kw_only=True)
class Platform:
    """Where a component runs. Use `DockerHost(…)` or `Kubernetes(…)`."""

    source = "`Kubernetes(name=…)` or `DockerHost(name=…)`"

    kind: PlatformKind
    """`docker` or `kubernetes`."""
    name: str
    """Prefix of every name on a Docker host; the namespace on Kubernetes. A DNS label (RFC 1123), at most 40
    characters, so that names built from it stay under 63."""
    environment: str = "local"
    """Label of everything that is made: `local`, `staging`, `prod`. It decides nothing."""
    data_protection: DataProtection = DataProtection.PROTECT
    """What happens to data on a delete. Default: `protect`."""
    adopt: bool = False
    """Take the name over from another state: one that is lost, or that nobody uses any more. On a Docker host, volumes
    with data are kept; containers, networks, passwords and certificates are made anew. On Kubernetes, fields that the
    other state applied are overwritten. False: what belongs to another state is refused."""
    docker_host: str | None = field(default=None, metadata=DOCKER_ONLY)
    """Docker: the daemon's address (`unix:///var/run/docker.sock`, `ssh://deploy@shop1`, which needs the Python
    package paramiko). None: `DOCKER_HOST` of the environment, else the default socket."""
    context: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: the kubeconfig context to apply to. None: the current context, or the provider the caller passes."""
    render_to: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: a directory to write manifests into, instead of applying them. None: apply."""
    create_namespace: bool = field(default=True, metadata=KUBERNETES_ONLY)
    """Kubernetes: make the namespace (labelled for Pod Security `restricted`). False: it exists already."""
    secret_store: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: name of the ClusterSecretStore of External Secrets that holds secrets given by the user. Required
    when secrets are given to a rendered stack, because a rendered Secret would be in plaintext. None: no store."""
    storage_class: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: StorageClass of all volumes. None: the cluster's default."""
    default_deny: bool = field(default=True, metadata=KUBERNETES_ONLY)
    """Kubernetes: deny all traffic of the namespace's pods that no NetworkPolicy allows, and let databases and stores
    reach only what they need. Where `create_namespace` is false, pods of others in the namespace are left alone. False:
    policies decide only what comes in, and what the application may reach."""
    image_pull_secrets: list[str] | None = field(default=None, hash=False, metadata=KUBERNETES_ONLY)
    """Kubernetes: Secrets of type `kubernetes.io/dockerconfigjson` in the namespace that every pod pulls its images
    with. They are not made. None: images are pulled without a password."""
    node_selector: dict[str, str] | None = field(default=None, hash=False, metadata=KUBERNETES_ONLY)
    """Kubernetes: labels of the nodes that every pod runs on. None: any node."""
    tolerations: list[Toleration] | None = field(default=None, hash=False, metadata=KUBERNETES_ONLY)
    """Kubernetes: taints that every pod tolerates. None: it tolerates no taint."""
    priority_class: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: PriorityClass of every pod. It is not made. None: the cluster's default, usually priority 0."""
    data_priority_class: str | None = field(default=None, metadata=KUBERNETES_ONLY)
    """Kubernetes: PriorityClass of the database, its poolers and Redis, so that a full cluster evicts web pods before
    them. None: that of `priority_class`."""
    pod_annotations: dict[str, str] | None = field(default=None, hash=False, metadata=KUBERNETES_ONLY)
    """Kubernetes: annotations of every pod, such as those of a mesh. None: no further ones."""
    extra_labels: dict[str, str] | None = field(default=None, hash=False, metadata=KUBERNETES_ONLY)
    """Kubernetes: labels of every object and every pod, beside tierstack's own. None: only those."""

    def __post_init__(self) -> None:
        """Render where the command asks for it, whatever the program says."""
        if self.kind is PlatformKind.KUBERNETES and (folder := os.environ.get(RENDER_TO)):
            object.__setattr__(self, "render_to", folder)
            object.__setattr__(self, "context", None)

    @property
    def renders(self) -> bool:
        """Whether manifests are written instead of applied."""
        return self.render_to is not None

    @property
    def labels(self) -> dict[str, str]:
        """Labels that everything on the platform carries (the recommended labels of Kubernetes)."""
        return {
            **(self.extra_labels or {}),
            "app.kubernetes.io/part-of": self.name,
            "app.kubernetes.io/managed-by": "tierstack",
            "tierstack.dev/environment": self.environment,
        }

    @property
    def place(self) -> str:
        """Where it is, as components tell each other: `kubernetes/shop-prod`, `docker`; with `@` and the context or the
        daemon's address where the program names it. The same in another program."""
        kubernetes = self.kind is PlatformKind.KUBERNETES
        where = f"{self.kind.value}/{self.name}" if kubernetes else self.kind.value
        target = self.context if kubernetes else self.docker_host
        return f"{where}@{target}" if target else where

    def problems(self, path: str = "platform") -> list[Diagnostic]:
        """The rules that a platform must satisfy."""
        found = name_problems(f"{path}.name", self.name, 40) + name_problems(f"{path}.environment", self.environment)
        found += _other_kind(self, path) + _rendering(self, path) + _object_names(self, path)
        for one, with_value in (("node_selector", True), ("extra_labels", True), ("pod_annotations", False)):
            pairs: Mapping[str, str] = getattr(self, one) or {}
            found += [
                problem for pair in pairs.items() for problem in _pair_problems(f"{path}.{one}", pair, with_value)
            ]
        found += _own_labels(self.extra_labels or {}, f"{path}.extra_labels")
        for index, one in enumerate(self.tolerations or []):
            found += one.problems(f"{path}.tolerations[{index}]")
        return found


@rule("wrong-platform")
def _other_kind(platform: Platform, path: str) -> list[Diagnostic]:
    docker = platform.kind is PlatformKind.DOCKER
    wrong = f"means something only on {'a Kubernetes' if docker else 'a Docker'} platform"
    return [
        Diagnostic(f"{path}.{name}", value, wrong, "remove it")
        for name, value in given_elsewhere(platform, platform.kind.value).items()
    ]


@rule("render-to", "`render_to` must name a directory, and excludes `context`.")
def _rendering(platform: Platform, path: str) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    if platform.render_to is not None and platform.context is not None:
        wrong = "cannot be combined with `render_to`, which applies nothing"
        found.append(Diagnostic(f"{path}.context", platform.context, wrong, "give one of the two"))
    if platform.render_to == "":
        found.append(
            Diagnostic(f"{path}.render_to", MISSING, "is empty", "write a directory, or leave it out to apply")
        )
    return found


@rule(
    "object-name",
    "Names must be ones that Kubernetes and Docker accept, short enough for the suffixes of their objects.",
    "RFC 1123 §2.1, RFC 1035 §2.3.1",
    wrong="platform: {name: Shop_1}",
    right="platform: {name: shop-1}",
)
def _object_names(platform: Platform, path: str) -> list[Diagnostic]:
    named = {f"image_pull_secrets[{index}]": name for index, name in enumerate(platform.image_pull_secrets or [])}
    for one in ("priority_class", "data_priority_class"):
        if (name := getattr(platform, one)) is not None:
            named[one] = name
    wrong = "is not a name of a Kubernetes object (DNS subdomain, RFC 1123)"
    return [
        Diagnostic(f"{path}.{key}", name, wrong, "write lower-case letters, digits, hyphens and dots")
        for key, name in named.items()
        if len(name) > 253 or not _SUBDOMAIN.fullmatch(name)
    ]


@rule("own-label", "Labels that tierstack sets cannot be overridden.")
def _own_labels(labels: Mapping[str, str], path: str) -> list[Diagnostic]:
    wrong = "is a label that tierstack sets"
    return [
        Diagnostic(f"{path}.{key}", key, wrong, "choose another key") for key in labels if key.startswith(_OWN_LABELS)
    ]


_OWN_LABELS = ("app.kubernetes.io/", "tierstack.dev/", "cnpg.io/")
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_QUALIFIED = re.compile(rf"(?:(?:{_SUBDOMAIN.pattern})/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{{0,61}}[A-Za-z0-9])?")
_LABEL_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")


@rule(
    "label-syntax", "Labels and annotations must be ones that Kubernetes accepts.", "Kubernetes: Labels and Selectors"
)
def _pair_problems(path: str, pair: tuple[str, str], with_value: bool) -> list[Diagnostic]:
    """The rules of a label or annotation (Kubernetes: "Labels and Selectors", syntax and character set)."""
    key, value = pair
    if not _QUALIFIED.fullmatch(key):
        wrong = "is not a key of a label or annotation"
        return [Diagnostic(f"{path}.{key}", key, wrong, "write one such as `team` or `example.org/team`")]
    if with_value and not _LABEL_VALUE.fullmatch(value):
        wrong = "is not a value of a label"
        instead = "write at most 63 letters, digits, `-`, `_` and `.`, with a letter or digit at both ends"
        return [Diagnostic(f"{path}.{key}", value, wrong, instead)]
    return []


@dataclass(frozen=True, kw_only=True)
class DockerHost(Platform):
    """One Docker host."""

    kind: PlatformKind = PlatformKind.DOCKER


@dataclass(frozen=True, kw_only=True)
class Kubernetes(Platform):
    """A namespace of a Kubernetes cluster; with `render_to`, manifests of it in a directory."""

    kind: PlatformKind = PlatformKind.KUBERNETES


def is_elsewhere(place: str, other: str) -> bool:
    """Whether two places (see `Platform.place`) cannot be the same. A Secret, a Service and a Gateway are reached
    inside their namespace only; where one of two targets is not named, they may be the same."""
    where, _, target = place.partition("@")
    other_where, _, other_target = other.partition("@")
    return where != other_where or bool(target and other_target and target != other_target)


_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")


@rule("object-name")
def name_problems(path: str, value: str, longest: int = 63) -> list[Diagnostic]:
    """The rules of a name used on a platform: a DNS label (RFC 1123 section 2.1), at most `longest` characters."""
    if len(value) > longest:
        return [Diagnostic(path, value, f"has {len(value)} characters", f"write at most {longest}")]
    if not _DNS_LABEL.fullmatch(value):
        wrong, meant = "is not a DNS label (RFC 1123)", re.sub(r"[^a-z0-9]+", "-", value.lower()).strip("-")
        return [
            Diagnostic(path, value, wrong, f"write lower-case letters, digits and hyphens, such as `{meant or 'shop'}`")
        ]
    return []


# The grammar of the OCI distribution reference: lower-case path components, an optional registry with port, a tag.
_PATH_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = rf"(?:[A-Za-z0-9.-]+(?::[0-9]+)?/)?{_PATH_COMPONENT}(?:/{_PATH_COMPONENT})*"
_BY_DIGEST = re.compile(rf"{_REPOSITORY}(?::[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}})?@sha256:[0-9a-f]{{64}}")
# `.local` names no registry (RFC 6762 section 22.1), so this can only be an image loaded into the node.
_ON_THE_NODE = re.compile(rf"tierstack\.local/{_PATH_COMPONENT}:[A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}")
_IMAGE_ID = re.compile(r"sha256:[0-9a-f]{64}")
_EXAMPLE = "registry.example/shop:1@sha256:…"


@rule(
    "image-reference",
    "An image must be named by its digest.",
    "OCI distribution specification",
    why="A tag can be moved to other bytes, so the same program would run something else tomorrow.",
    wrong="images: {app: registry.example/shop:1}",
    right="images: {app: registry.example/shop:1@sha256:…}",
)
def image_problems(path: str, value: object, kind: PlatformKind) -> list[Diagnostic]:
    """The rules of an image: named by digest, so that the same program always runs the same bytes.

    Accepted is `repository[:tag]@sha256:<64 hex digits>` (OCI distribution specification), and on Docker also the id
    of an image on the host, `sha256:<64 hex digits>`; on Kubernetes also `tierstack.local/name:tag`, an image that was
    loaded into the nodes and that no registry has. A tag alone can be moved to other bytes, and is refused. An image
    that comes from another resource or stack is judged once it is known.
    """
    if not isinstance(value, str):
        return []
    on_host = _IMAGE_ID if kind is PlatformKind.DOCKER else _ON_THE_NODE
    if _BY_DIGEST.fullmatch(value) or on_host.fullmatch(value):
        return []
    if value == "":
        return [Diagnostic(path, value, "is empty", f"write an image by digest, such as `{_EXAMPLE}`")]
    if _IMAGE_ID.fullmatch(value):
        wrong = "is an image id, which only the Docker host that has the image knows"
        return [Diagnostic(path, value, wrong, f"push the image and write it by digest, such as `{_EXAMPLE}`")]
    if "sha256:" in value:
        wrong = "is not an image by digest"
        return [Diagnostic(path, value, wrong, f"write `{_EXAMPLE}`, in lower case with 64 hexadecimal digits")]
    wrong = "names no digest, and a tag can be moved to another image"
    return [Diagnostic(path, value, wrong, _how_to_find_the_digest(value, kind))]


def _how_to_find_the_digest(value: str, kind: PlatformKind) -> str:
    remote = f"append the digest that `docker buildx imagetools inspect {value}` shows, as `{value}@sha256:…`"
    if kind is PlatformKind.KUBERNETES:
        return remote
    return f"{remote}; for an image of this host write the id from `docker image inspect -f '{{{{.Id}}}}' {value}`"


@rule(
    "container-user",
    "Containers must run as a user in numbers, and not as root.",
    wrong='user: "0:0"',
    right='user: "10001:10001"',
)
def user_problems(path: str, value: str) -> list[Diagnostic]:
    """The rules of `uid:gid`: two numbers, and no root, so that an orchestrator can check them."""
    parts = value.split(":")
    if len(parts) != 2 or not all(part.isascii() and part.isdigit() for part in parts):
        return [Diagnostic(path, value, "is not `uid:gid` in numbers", "write one such as 10001:10001")]
    if any(int(part) == 0 for part in parts):
        return [Diagnostic(path, value, "is root", "write another user, such as 10001:10001")]
    return out_of_range(path, max(int(part) for part in parts), 1, 2**31 - 1)
