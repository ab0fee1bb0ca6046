"""The rules of directories in the containers of an AppCluster (pure)."""

import re
from collections.abc import Sequence

from tierstack.app_cluster.application import Application
from tierstack.app_cluster.release import Release
from tierstack.core.errors import Diagnostic, rule

PATH = re.compile(r"/[A-Za-z0-9._~/-]*")
"""A path of plain characters."""
_TAKEN = ("/tmp", "/dev", "/")
_OURS_WHOLLY = ("/etc/tierstack", "/run/tierstack", "/proc", "/sys")
"""With everything below them: what is mounted there is read-only, or the kernel's."""

_Directories = Sequence[tuple[str, str]]
"""Each argument that names a directory, with its value."""


def path_problems(app: Application, release: Release) -> list[Diagnostic]:
    """Everything that is wrong with the directories."""
    root = [("php.document_root", release.php.document_root)] if release.php else []
    mounts = [("uploads.path", app.uploads.path)] if app.uploads else []
    mounts += [(f"writable_paths[{index}]", value) for index, value in enumerate(release.writable_paths)]
    found = [problem for path, value in root for problem in _directory(path, value)]
    for path, value in mounts:
        found += _directory(path, value) or _taken(path, value)
    for _, value in root:
        found += _hidden_code(value, mounts)
    return found + _twice(mounts)


@rule("directory", "A directory in a container is an absolute path in its shortest form.")
def _directory(path: str, value: str) -> list[Diagnostic]:
    if not PATH.fullmatch(value) or ".." in value.split("/") or value != value.rstrip("/"):
        wrong = "is not an absolute directory without `..` or a slash at the end"
        return [Diagnostic(path, value, wrong, "write one such as /srv/shop")]
    if {"", "."} & set(value.split("/")[1:]):
        return [Diagnostic(path, value, "has `//` or `/./` in it", "write each directory once, with one slash")]
    return []


@rule("directory-taken", "Directories of the system and of tierstack are not mounted over.")
def _taken(path: str, value: str) -> list[Diagnostic]:
    """Whether the component mounts something there itself, or nothing can be mounted there."""
    if value not in _TAKEN and not any(_is_inside(value, one) for one in _OURS_WHOLLY):
        return []
    return [Diagnostic(path, value, "is used for something else in the container", "write another")]


@rule(
    "hidden-code",
    "No mount hides the code of the application.",
    wrong="php: {document_root: /srv/shop/public}, uploads: {path: /srv/shop}",
    right="php: {document_root: /srv/shop/public}, uploads: {path: /srv/uploads}",
)
def _hidden_code(root: str, mounts: _Directories) -> list[Diagnostic]:
    """Directories with a mount of their own that would hide the application's code."""
    found: list[Diagnostic] = []
    if any(_is_inside(root, one) for one in ("/tmp", *_OURS_WHOLLY)):
        wrong = "is inside a directory that is mounted over in the container, which hides the application's code"
        found.append(Diagnostic("php.document_root", root, wrong, "write another, such as /srv/shop/public"))
    for path, value in mounts:
        if value and _is_inside(root, value):
            which = "is the same as" if value == root else "is a parent of"
            wrong = f"{which} `php.document_root`, and a mount there hides the application's code"
            found.append(Diagnostic(path, value, wrong, "write a directory of its own, such as /srv/uploads"))
    return found


@rule("directory-twice", "Each directory is mounted once.")
def _twice(mounts: _Directories) -> list[Diagnostic]:
    found: list[Diagnostic] = []
    seen: dict[str, str] = {}
    for path, value in mounts:
        if value in seen:
            found.append(Diagnostic(path, value, f"is the same as {seen[value]}", "remove one of them"))
        else:
            seen[value] = path
    return found


def _is_inside(path: str, directory: str) -> bool:
    return f"{path}/".startswith(f"{directory}/")
