"""From the name of a stack to its backups."""

from dataclasses import replace
from pathlib import Path

from tierstack.backup_schedule.dumps.recovery import DumpsOnDocker
from tierstack.backup_schedule.recovery import OnKubernetes
from tierstack.backup_schedule.restic.recovery import FilesOnDocker
from tierstack.engine.project import find
from tierstack.engine.run import engine
from tierstack.recovery.dumps import StoredDumps
from tierstack.recovery.files import StoredFiles
from tierstack.recovery.found import Backups, backups, primary_of
from tierstack.recovery.host import Host
from tierstack.recovery.kubernetes.found import ClusterBackups
from tierstack.recovery.kubernetes.kubectl import Kubectl

Found = Backups | ClusterBackups | StoredFiles | StoredDumps


def backups_of(cwd: Path, stack: str, name: str | None, *, dumps: bool = False) -> tuple[str, Found]:
    """Name and place of the backups of a stack. `dumps`: dumps are meant, where none are named. Raises UsageError where
    there are none that a command can restore."""
    project = find(cwd)
    config = project.config(stack)
    with engine(project, stack, config) as pulumi:
        chosen, at = backups(pulumi.held(), stack, name, dumps=dumps)
    if isinstance(at, OnKubernetes):
        kubectl = Kubectl(at.context, at.namespace)
        kubectl.check()
        return chosen, ClusterBackups(at, kubectl)
    host = Host(at.docker_host)
    host.check()
    if isinstance(at, FilesOnDocker):
        return chosen, StoredFiles(at, host)
    if isinstance(at, DumpsOnDocker):
        return chosen, StoredDumps(at, host)
    if at.server:
        at = replace(at, server=primary_of(at.server, at.engine, host))
    return chosen, Backups(at, host)
