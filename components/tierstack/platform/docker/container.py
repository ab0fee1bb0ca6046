"""A container as the daemon reads it back.

Every field that the daemon would fill in by itself is given, because the provider reads it back and would show it as a
change in the next preview.
"""

from collections.abc import Mapping
from typing import Any

import pulumi
import pulumi_docker as docker

from tierstack.platform.docker.service import Health, Service

_LOGS = {"max-size": "10m", "max-file": "3"}  # at most 30 MB of logs a container stays on the host


def fields(service: Service, labels: Mapping[str, pulumi.Input[str]]) -> dict[str, Any]:
    """The arguments of a `docker.Container`, but its name and image."""
    return {
        "entrypoints": service.command[:1],
        "command": service.command[1:],
        "user": service.user,
        **({"hostname": service.hostname} if service.hostname else {}),
        "envs": _environment(service.environment),
        "networks_advanced": [
            docker.ContainerNetworksAdvancedArgs(name=a.network, aliases=list(a.aliases)) for a in service.networks
        ],
        # What the daemon reports where networks are given: without it the next preview shows a change.
        "network_mode": "bridge",
        "mounts": [
            docker.ContainerMountArgs(target=m.path, source=m.volume, type="volume", read_only=m.read_only)
            for m in service.mounts
        ],
        "ports": [
            docker.ContainerPortArgs(internal=inside, external=outside, ip=service.host_ip, protocol="tcp")
            for outside, inside in service.ports
        ],
        "tmpfs": service.tmpfs,
        "healthcheck": _check(service.health) if service.health else None,
        "wait": False,
        "memory": service.memory_mb,
        "memory_swap": service.memory_mb,
        "shm_size": service.shm_mb,
        "cpu_shares": service.cpu_shares,
        "capabilities": docker.ContainerCapabilitiesArgs(
            drops=["ALL"], adds=[f"CAP_{capability}" for capability in service.capabilities]
        ),
        "security_opts": ["no-new-privileges:true"],
        "read_only": service.read_only,
        "init": True,
        "restart": "unless-stopped",
        "stop_signal": service.stop_signal,
        "stop_timeout": service.stop_seconds,
        "destroy_grace_seconds": service.stop_seconds,
        "log_driver": "json-file",
        "log_opts": _LOGS,
        "labels": [docker.ContainerLabelArgs(label=k, value=v) for k, v in sorted(labels.items())],
    }


def _check(health: Health) -> docker.ContainerHealthcheckArgs:
    return docker.ContainerHealthcheckArgs(
        tests=["CMD", *health.command],
        interval=_duration(health.interval),
        timeout=_duration(health.timeout),
        start_period=_duration(health.start_period),
        retries=health.retries,
    )


def _environment(values: dict[str, pulumi.Input[str]]) -> list[pulumi.Output[str]]:
    return [pulumi.Output.concat(key, "=", value) for key, value in sorted(values.items())]


def _duration(seconds: int) -> str:
    """As the daemon's language writes it, `10m0s`: `600s` read back would be a change in every preview."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes}m{rest}s" if hours else f"{minutes}m{rest}s" if minutes else f"{rest}s"
