"""The vendor's downloads: used when they answer at once, given up without noise when they do not."""

import hashlib
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path, PurePosixPath

from toolchain import find, place
from toolchain.pins import Tool, os_arch

PROBE_SECONDS = 3.0
STALL_SECONDS = 20.0  # a transfer that stands still this long has failed


def url_of(tool: Tool, template: str) -> str:
    system, arch = os_arch()
    # The engine's archives say x64 where Go says amd64.
    return template.format(version=tool.version, os=system, arch={"amd64": "x64"}.get(arch, arch))


silent_hosts: set[str] = set()  # asked once in this run and did not answer


def answers(url: str) -> bool:
    """Whether `url` exists and its server answers within PROBE_SECONDS. Never raises, never takes longer."""
    host = urllib.parse.urlsplit(url).netloc
    if os.environ.get("TIERSTACK_NO_DOWNLOAD") or host in silent_hosts:
        return False
    status: list[int] = []

    def ask() -> None:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=PROBE_SECONDS) as response:
                status.append(response.status)
        except urllib.error.HTTPError as refusal:
            status.append(refusal.code)
        except (OSError, ValueError):
            pass

    # In a thread, because looking a name up has no timeout of its own.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PROBE_SECONDS)
    if not status:
        silent_hosts.add(host)
    return bool(status) and 200 <= status[0] < 300


def checksum_line(text: str, file_name: str) -> str:
    """SHA-256 of `file_name` in a list of `HEX  NAME` lines, or ""."""
    for line in text.splitlines():
        parts = line.split()
        if len(parts) == 2 and parts[1].lstrip("*") == file_name and len(parts[0]) == 64:
            return parts[0].lower()
    return ""


def fetch_archive(tool: Tool) -> str:
    """Install the vendor's archive into the cache. Returns "" or the reason why it was not done."""
    if not tool.archive:
        return "the vendor offers no archive"
    url, sums = url_of(tool, tool.archive), url_of(tool, tool.checksums)
    if not answers(url):
        return "the vendor's download does not answer"
    name = url.rsplit("/", 1)[1]
    try:
        with urllib.request.urlopen(sums, timeout=STALL_SECONDS) as response:
            expected = checksum_line(response.read().decode(), name)
        if not expected:
            return "the vendor's list of checksums does not name the archive"
        home = find.download_home(tool)
        home.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f"{home.name}.tmp-", dir=home.parent) as scratch:
            packed, unpacked = Path(scratch) / name, Path(scratch) / "bin"
            digest = hashlib.sha256()
            with urllib.request.urlopen(url, timeout=STALL_SECONDS) as response, packed.open("wb") as out:
                while chunk := response.read(1 << 20):
                    digest.update(chunk)
                    out.write(chunk)
            if digest.hexdigest() != expected:
                return f"checksum of {name} is {digest.hexdigest()}, the vendor's list says {expected}"
            unpack(packed, unpacked)
            missing = [n for n in (tool.name, *tool.archive_also_has) if not (unpacked / n).is_file()]
            if missing:
                return f"{name} does not contain {', '.join(missing)}"
            whole = Path(scratch) / "home"
            whole.mkdir()
            unpacked.rename(whole / "bin")
            shutil.rmtree(home, ignore_errors=True)
            whole.rename(home)
    except (OSError, ValueError, tarfile.TarError) as error:
        return f"the vendor's download failed: {error}"
    return ""


def unpack(packed: Path, into: Path) -> None:
    """Put the regular files of the archive flat into `into`, executable."""
    into.mkdir()
    with tarfile.open(packed) as archive:
        for member in archive:
            data = archive.extractfile(member) if member.isfile() else None
            if data is not None:
                target = into / PurePosixPath(member.name).name
                with target.open("wb") as out:
                    shutil.copyfileobj(data, out)
                target.chmod(0o755)


def install_plugin(tool: Tool, engine: Path) -> str:
    """Let the engine install its plugin. Returns "" or the reason why it was not done."""
    system, arch = os_arch()
    archive = f"https://get.pulumi.com/releases/plugins/{tool.name}-v{tool.version}-{system}-{arch}.tar.gz"
    if not answers(archive):
        return "the vendor's download does not answer"
    try:
        done = subprocess.run(
            [engine, "plugin", "install", "resource", tool.plugin, f"v{tool.version}"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "PULUMI_HOME": str(place.pulumi_home()), "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"`pulumi plugin install` failed: {error}"
    return "" if done.returncode == 0 else f"`pulumi plugin install` failed: {done.stderr.strip()[-300:]}"
