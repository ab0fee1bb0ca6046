"""The vendors' files: from a directory, or downloaded once, checked, and kept."""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from tierstack.cluster_addons.catalog import CATALOG, Addon, Source
from tierstack.core.errors import MISSING, Diagnostic, declare

STALL_SECONDS = 20.0
"""A transfer that stands still this long has failed."""

Fetch = Callable[[str], bytes]

declare("addon-manifests", "A directory of manifests must have one file for each addon.")
declare(
    "addon-checksum",
    "A downloaded file must have a known SHA-256.",
    why="What is applied to a cluster with every right is compared with what somebody has looked at.",
)


def cache() -> Path:
    """Where downloaded files are kept: `TIERSTACK_CACHE`, else the user's cache directory."""
    if explicit := os.environ.get("TIERSTACK_CACHE"):
        return Path(explicit).expanduser() / "addons"
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser() / "tierstack" / "addons"


def file_name(addon: Addon) -> str:
    """Name of an addon's file in `manifests`."""
    return f"{addon.value}.yaml"


def checksum(addon: Addon, source: Source, given: Mapping[str, str]) -> str | None:
    """SHA-256 that the file must have; None where nobody has said."""
    return given.get(addon.value) or source.sha256


def problems(addons: list[Addon], directory: str | None, checksums: Mapping[str, str]) -> list[Diagnostic]:
    """What is missing before the files of `addons` can be read."""
    found: list[Diagnostic] = []
    if directory is not None:
        if not Path(directory).is_dir():
            wrong, instead = "is not a directory", "write one that holds NAME.yaml files"
            return [Diagnostic("manifests", directory, wrong, instead, "addon-manifests")]
        for addon in addons:
            if not (Path(directory) / file_name(addon)).is_file():
                wrong = f"has no {file_name(addon)}"
                instead = f"put the vendor's manifest of {addon.value} {CATALOG[addon].version} there, or leave it out"
                found.append(Diagnostic("manifests", directory, wrong, f"{instead} (`without`)", "addon-manifests"))
        return found
    for addon in addons:
        for source in CATALOG[addon].sources:
            if checksum(addon, source, checksums) is None:
                instead = (
                    f"write what `curl -fsSL {source.url} | sha256sum` shows, after comparing it, or give `manifests`"
                )
                wrong = "is required for a download"
                found.append(Diagnostic(f"checksums.{addon.value}", MISSING, wrong, instead, "addon-checksum"))
    return found


def read(addon: Addon, directory: str | None, checksums: Mapping[str, str], fetch: Fetch | None = None) -> str:
    """The vendor's documents of one addon as YAML. Raises OSError or ValueError with what is to be done."""
    if directory is not None:
        return (Path(directory) / file_name(addon)).read_text()
    texts = [
        _kept(source.url, checksum(addon, source, checksums), fetch or download) for source in CATALOG[addon].sources
    ]
    return "".join(f"---\n{text}\n" for text in texts)


def _kept(url: str, sha256: str | None, fetch: Fetch) -> str:
    if sha256 is None:
        raise ValueError(f"{url}: no checksum is known, so it is not downloaded")
    file = cache() / f"{sha256}.yaml"
    if file.is_file() and (content := file.read_bytes()) and hashlib.sha256(content).hexdigest() == sha256:
        return content.decode()
    content = fetch(url)
    actual = hashlib.sha256(content).hexdigest()
    if actual != sha256:
        raise ValueError(f"{url} has the SHA-256 {actual}, expected {sha256}; not used")
    import tempfile  # a check of a configuration keeps nothing

    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as scratch:
        scratch.write(content)
    Path(scratch.name).replace(file)
    return content.decode()


def download(url: str) -> bytes:
    """The content behind an https address. Raises OSError that names the address."""
    # Slow to import, and only an installation without a directory of its own downloads anything.
    import urllib.error
    import urllib.parse
    import urllib.request

    if urllib.parse.urlsplit(url).scheme != "https":
        raise ValueError(f"{url} is not an https address")
    try:
        with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response:  # noqa: S310 - https, checked above
            return response.read()
    except (urllib.error.URLError, OSError) as error:
        raise OSError(
            f"{url} cannot be downloaded ({error}); put the file into a directory and give `manifests`"
        ) from None
