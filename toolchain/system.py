"""Programs that the operating system provides: what is missing, and the one command that installs it."""

import importlib.util
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from toolchain import place
from toolchain.build import SetupError, go_program

SBIN = "/usr/sbin:/sbin"


@dataclass(frozen=True)
class Need:
    """`present` tells whether it is there; `package` is Debian's name for it, or several."""

    name: str
    package: str
    groups: tuple[str, ...]
    present: Callable[[], bool]
    why: str
    units: tuple[str, ...] = ()
    """Services that the package starts and that nobody asked for."""


def command(name: str) -> Callable[[], bool]:
    return lambda: shutil.which(name) is not None


def server(name: str) -> Callable[[], bool]:
    """A server's program, which only root has on PATH."""
    return lambda: shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SBIN}") is not None


def docker_version(environment: Mapping[str, str] | None = None) -> str:
    """Version of the Docker daemon that answers, or "". The client alone is no Docker."""
    if not shutil.which("docker"):
        return ""
    try:
        done = subprocess.run(
            ["docker", "version", "--format", "{{.Server.Version}}"],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=20,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def docker() -> bool:
    """Whether the client is here, and a daemon: its program, or one elsewhere that answers."""
    return command("docker")() and (server("dockerd")() or bool(docker_version()))


PUBLISHED = "tests publish records to it, on loopback"
NEEDS = (
    Need("git", "git", ("core",), command("git"), "the engine reads the commit that a stack was deployed from"),
    Need(
        "python venv",
        "python3-venv",
        ("core",),
        lambda: importlib.util.find_spec("ensurepip") is not None,
        "the Python environment",
    ),
    Need(
        "go",
        "golang-go",
        ("build",),
        lambda: go_program() is not None,
        "tools that cannot be downloaded are built",
    ),
    Need("curl", "curl", ("test",), command("curl"), "tests run the scripts of the example workflows"),
    Need("bind", "bind9", ("dns",), server("named"), PUBLISHED, units=("named",)),
    Need("knot", "knot", ("dns",), server("knotd"), PUBLISHED, units=("knot",)),
    Need("powerdns", "pdns-server pdns-backend-lmdb", ("dns",), server("pdns_server"), PUBLISHED, units=("pdns",)),
    Need(
        "docker",
        "docker.io",
        ("docker", "cluster"),
        docker,
        "client and daemon of the Docker platform, and every image",
    ),
    Need(
        "debootstrap",
        "debootstrap",
        ("docker", "cluster"),
        command("debootstrap"),
        "images where no registry answers",
    ),
    Need("kubectl", "kubernetes-client", ("cluster",), command("kubectl"), "the client of the test cluster"),
    Need("etcd", "etcd-server", ("cluster",), command("etcd"), "the test cluster's store"),
    Need("containerd", "containerd runc", ("cluster",), command("containerd"), "one for each node of the test cluster"),
    Need(
        "CNI plugins",
        "containernetworking-plugins",
        ("cluster",),
        lambda: any(Path(folder, "bridge").exists() for folder in ("/usr/lib/cni", "/opt/cni/bin")),
        "networks of the test cluster's pods",
    ),
    Need(
        "packet filter",
        "iptables ipset conntrack",
        ("cluster",),
        lambda: all(server(name)() for name in ("iptables", "ipset", "conntrack")),
        "services and NetworkPolicies of the test cluster",
    ),
    Need("openssl", "openssl", ("cluster",), command("openssl"), "certificates of the test cluster"),
)


def missing(groups: set[str]) -> list[Need]:
    return [need for need in NEEDS if groups & set(need.groups) and not need.present()]


def install_command(needs: list[Need]) -> str:
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install -y {' '.join(need.package for need in needs)}"


def may_install() -> bool:
    """Only root on a Debian-like system may; CI machines with sudo are asked through sudo -n."""
    return shutil.which("apt-get") is not None and (os.geteuid() == 0 or sudo_in_ci())


def sudo_in_ci() -> bool:
    return os.environ.get("CI") == "true" and shutil.which("sudo") is not None


def ensure(groups: set[str]) -> None:
    """Install what `groups` need and the system lacks, or raise SetupError naming it and the command."""
    needs = missing(groups)
    if not needs:
        return
    names = "\n".join(f"  {need.name}: {need.why}" for need in needs)
    hint = f"Missing system packages:\n{names}\nInstall them with:\n  {install_command(needs)}"
    if not may_install():
        raise SetupError(hint)
    packages = [package for need in needs for package in need.package.split()]
    place.say(f"Installing system packages: {' '.join(packages)} ...")
    # An update may fail for a foreign source and the installation still succeed, so only the second decides.
    _as_root("apt-get", "-qq", "update")
    done = _as_root("apt-get", "-qq", "install", "-y", *packages)
    if done.returncode or missing(groups):
        raise SetupError(f"{hint}\nInstalling them failed:\n{(done.stderr or done.stdout).strip()[-800:]}")
    # Tests start servers of their own, on ports of their own: nobody asked for one on port 53 of every address.
    if Path("/run/systemd/system").is_dir():
        for unit in (unit for need in needs for unit in need.units):
            _as_root("systemctl", "disable", "--now", unit)


def _as_root(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*([] if os.geteuid() == 0 else ["sudo", "-n"]), *command],
        env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
