"""What all releases of an application share (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from tierstack.app_cluster.options import HttpArgs, OutboundArgs, UploadsArgs
from tierstack.links import DatabaseConnection, GatewayEndpoint, RedisConnection
from tierstack.platform import Platform


@dataclass(frozen=True, kw_only=True)
class Application:
    """An application without its releases: where it answers, what it is connected to, and what it keeps."""

    platform: Platform
    gateway: GatewayEndpoint
    hostnames: Sequence[str]
    http: HttpArgs
    """Rate limit and security headers of all releases. The limits in it are those of the release that the arguments
    describe; each release has its own in `Release.requests`."""
    user: str
    """`uid:gid` of all processes, and the owner of the uploads."""
    uploads: UploadsArgs | None
    outbound: OutboundArgs
    secrets: Mapping[str, pulumi.Input[str]]
    """Secret variables by name, without the passwords of the connections."""
    database: DatabaseConnection | None
    persistent_connections: bool
    redis: RedisConnection | None
    more_redis: Mapping[str, RedisConnection]
