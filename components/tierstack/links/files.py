"""Files of an application that can be backed up."""

from dataclasses import dataclass

import pulumi


@dataclass(kw_only=True)
class FileVolume:
    """A volume with files that cannot be made again."""

    source = "`uploads` of an AppCluster"

    volume: pulumi.Input[str] | None = None
    """Docker: name of the volume. None: the application has no uploads, or runs on Kubernetes."""
    user: str | None = None
    """Docker: `uid:gid` of the owner of the files, as whom they are read and restored. None where there is no
    volume."""
    place: str | None = None
    """Where it is, which tierstack fills in: a component elsewhere refuses it. None: not known, and not checked."""
