"""What `--platform` may say, and a configuration for it."""

from enum import Enum

from tierstack.engine.project import StackConfig
from tierstack.platform import PlatformKind


class Target(Enum):
    """What `--platform` may say."""

    DOCKER = "docker"
    KUBERNETES = "kubernetes"
    RENDER = "render"
    """Kubernetes manifests, written to rendered/<stack>/."""


def on(config: StackConfig, target: Target, stack: str) -> StackConfig:
    """The configuration with the target in place of what it names."""
    kind = PlatformKind.DOCKER if target is Target.DOCKER else PlatformKind.KUBERNETES
    return config.on(kind, f"rendered/{stack}" if target is Target.RENDER else None)
