"""What the system says of processes, where it has /proc."""

from pathlib import Path


def stat(pid: int) -> list[str]:
    """What follows the name of a process in proc_pid_stat(5), `state` and `ppid` first. Empty: there is none, or no
    such file system."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def descendants(ancestor: int) -> list[int]:
    """The processes that a process has started, and those that these have. Elsewhere than on Linux none is found."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        if known := stat(pid := int(folder.name)):
            children.setdefault(int(known[1]), []).append(pid)
    found = [ancestor]
    for pid in found:
        found.extend(children.get(pid, []))
    return found[1:]


def runs(pid: int) -> bool:
    """Whether a process has not ended: one that its parent has not waited for yet (Z) has."""
    return stat(pid)[:1] not in ([], ["Z"])
