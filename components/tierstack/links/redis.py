"""A Redis-compatible store that a component hands on: its endpoint and credentials."""

from dataclasses import dataclass

import pulumi

from tierstack.links.certificate import TrustedCA
from tierstack.links.secrets import SecretRef


@dataclass(kw_only=True)
class RedisConnection:
    """How to reach a RedisCluster."""

    source = "`connection` of a RedisCluster"

    host: pulumi.Input[str]
    """Host that always leads to the primary."""
    port: pulumi.Input[str]
    """Port, as text."""
    password: SecretRef
    """Password of `user`."""
    user: str | None = None
    """Name of the ACL user that clients log in as. None: the default user, who has no name to send."""
    network: pulumi.Input[str] | None = None
    """Docker: network in which it answers."""
    client_labels: dict[str, str] | None = None
    """Kubernetes: labels a pod must carry to be let through."""
    endpoint_labels: dict[str, str] | None = None
    """Kubernetes: labels of the pods that answer at the endpoint. None on Docker."""
    ca: TrustedCA | None = None
    """What clients verify the endpoint by (`rediss://`, TLS from the first byte). None: plaintext."""
    evicts: bool = False
    """Whether it drops what was least recently used when it is full, as one for a cache does: no place for queues and
    sessions. Default: false."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
