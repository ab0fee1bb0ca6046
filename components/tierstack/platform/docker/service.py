"""What runs in a container of a Docker host, as components describe it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi


@dataclass(kw_only=True)
class Attachment:
    """A network that a container joins, and the names it answers to there."""

    network: pulumi.Input[str]
    aliases: Sequence[str] = ()


@dataclass(kw_only=True)
class Mount:
    """A volume that a container sees at `path`."""

    volume: pulumi.Input[str]
    path: str
    read_only: bool = False


@dataclass(kw_only=True)
class Health:
    """How the daemon knows that a container is well. Times in seconds."""

    command: list[str]
    interval: int = 10
    """Between two checks. Each starts a process in the container, which costs the host about as much as a request: at
    two to five seconds the checks of a stack took a third of a small host."""
    timeout: int = 3
    retries: int = 5
    """Checks in a row that fail until the container is called unhealthy."""
    start_period: int = 15
    """Failures count for nothing meanwhile, and until the first good one Docker 25 and newer check every 5 s (Docker
    Engine API 1.44, `StartInterval`)."""


@dataclass(kw_only=True)
class Service:
    """A long-running container."""

    image: pulumi.Input[str]
    """Image id (`sha256:…`) or reference by digest."""
    command: list[str]
    """The whole command line: the image's own entry point is not used."""
    user: str
    """`uid:gid`, never root."""
    networks: Sequence[Attachment]
    memory_mb: int
    """Hard limit in MiB; no swap beyond it."""
    environment: dict[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
    """Values that anyone may read in `docker inspect`: no secrets."""
    mounts: Sequence[Mount] = ()
    ports: Sequence[tuple[int, int]] = ()
    """(port on the host, port in the container), TCP."""
    host_ip: str = "127.0.0.1"
    """Address of the host that `ports` are bound to: by default nobody beyond the host reaches them."""
    tmpfs: dict[str, str] = field(default_factory=lambda: {"/tmp": "rw,noexec,nosuid,size=64m"})
    health: Health | None = None
    cpu_shares: int = 1024
    """Weight against other containers when the host is busy (1024 is Docker's unit for one)."""
    capabilities: Sequence[str] = ()
    """Capabilities to keep, without `CAP_`; each needs a reason in a comment."""
    cpu_limit: float | None = None
    """Cores that it may use at most, set once it runs (`Ready`): the provider has no field for it. None: all."""
    hostname: str | None = None
    """The name that it has for itself, where that must outlive it. None: its id."""
    local_names: bool = False
    """Whether a name without a dot is one of its networks or nobody's. True: one that is not there is unknown at once.
    False: the daemon asks the host's name servers, and in an internal network, where none can be reached, Docker before
    23 gives no answer (10 s)."""
    stop_signal: str = "SIGTERM"
    stop_seconds: int = 30
    """How long a stop may take before the daemon kills the container."""
    read_only: bool = True
    shm_mb: int = 64
    wait_seconds: int = 120
    """How long an update waits until it runs, and is healthy where `health` is given."""
    labels: Mapping[str, pulumi.Input[str]] = field(default_factory=dict[str, pulumi.Input[str]])
