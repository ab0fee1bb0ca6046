"""The Docker host as components use it: networks, volumes, files and containers with safe defaults.

Defaults that a container gets here: non-root user, read-only root, all capabilities dropped, no new privileges, an
init process, rotated logs, a memory limit without swap.
"""

from tierstack.platform.docker.resources import Called, Host, host, hyphenated
from tierstack.platform.docker.service import Attachment, Health, Mount, Service

__all__ = ["Attachment", "Called", "Health", "Host", "Mount", "Service", "host", "hyphenated"]
