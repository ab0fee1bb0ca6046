"""Processes, interfaces and firewall rules of the machine that the cluster's nodes share."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

HOST = "10.95.0.1"
"""Address of everything that runs on the machine: on an interface of its own, so that nothing listens to the outside."""
NAMESPACES = Path("/run/netns")
"""Where network namespaces have names."""
INTERFACE = "tierstack0"
PODS = "10.244.0.0/16"
SERVICES = "10.96.0.0/16"
BALANCERS = "10.98.0.0/24"
_NO_ENDPOINTS = ("from", PODS, "to", SERVICES, "type", "unreachable")
_REFUSALS = "net.ipv4.icmp_ratelimit"
# What was refused follows the ICMP header, 28 bytes in: a packet to the pods' 10.244 and to Redis's port.
_NEW_NODES = (
    *("OUTPUT", "-p", "icmp", "--icmp-type", "port-unreachable"),
    *("-m", "u32", "--u32", "44>>16=0x0AF4&&48&0xFFFF=6379"),
    *("-j", "DROP", "-m", "comment", "--comment", "tierstack-cluster"),
)


class ClusterError(Exception):
    """The cluster could not be brought up; the message says what, and where to read more."""


def run(*command: str, check: bool = True, input: str | None = None) -> subprocess.CompletedProcess[str]:
    """A short command. Raises ClusterError with its last words."""
    done = subprocess.run(command, capture_output=True, text=True, input=input)
    if check and done.returncode:
        raise ClusterError(f"{' '.join(command[:6])} ended with {done.returncode}: {done.stderr.strip()[-800:]}")
    return done


def wait_for(what: str, ready: Callable[[], object], seconds: float = 120, log: Path | None = None) -> None:
    """Return once `ready()` is true. Raises ClusterError after `seconds`."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-12:]) if log and log.exists() else ""
            raise ClusterError(
                f"{what}: not ready after {seconds:.0f} s{f'; the end of {log}:' if log else ''}\n{tail}"
            )
        time.sleep(0.1)


def _started(pid: int) -> str:
    """When a process started, in clock ticks since boot: with its id, the process itself and no later one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


class Processes:
    """Programs started in the background, each with a file that names it, so that another run can end it."""

    def __init__(self, home: Path) -> None:
        self.home = home
        for name in ("log", "run"):
            (home / name).mkdir(parents=True, exist_ok=True)

    def log(self, name: str) -> Path:
        """What the program says."""
        return self.home / "log" / f"{name}.log"

    def start(self, name: str, command: Sequence[str | Path]) -> None:
        """Start it, unless it runs."""
        if self.runs(name):
            return
        with self.log(name).open("a") as out:
            process = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
                cwd=self.home,
            )
        entry = {"pid": process.pid, "started": _started(process.pid)}
        (self.home / "run" / f"{name}.json").write_text(json.dumps(entry))

    def pid(self, name: str) -> int | None:
        """Its process, if that still runs."""
        try:
            entry = json.loads((self.home / "run" / f"{name}.json").read_text())
        except (OSError, ValueError):
            return None
        running = entry["started"] and _started(entry["pid"]) == entry["started"]
        return entry["pid"] if running and not self._is_zombie(entry["pid"]) else None

    def runs(self, name: str) -> bool:
        """Whether it runs."""
        return self.pid(name) is not None

    def stop(self, name: str, patience: float = 15, how: signal.Signals = signal.SIGTERM) -> None:
        """End it: politely, then by force."""
        pid = self.pid(name)
        if pid is None:
            return
        os.kill(pid, how)
        deadline = time.monotonic() + patience
        while self.runs(name):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
                deadline += patience
            time.sleep(0.05)

    def names(self) -> list[str]:
        """All that were ever started here."""
        return sorted(file.stem for file in (self.home / "run").glob("*.json"))

    @staticmethod
    def _is_zombie(pid: int) -> bool:
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        except OSError:
            return True


def prepare_network() -> None:
    """The interface, forwarding, and rules that let pods through a firewall which drops what it does not know."""
    if run("ip", "link", "show", INTERFACE, check=False).returncode:
        # A bridge without ports: every kernel that runs containers has it, unlike `dummy`.
        run("ip", "link", "add", INTERFACE, "type", "bridge")
        run("ip", "addr", "add", f"{HOST}/32", "dev", INTERFACE)
        run("ip", "link", "set", INTERFACE, "up")
        # The service proxy rewrites these addresses, but only packets that have a route get to it; and what it does not
        # know yet must reach nobody, least of all the world behind the default route.
        for addresses in (SERVICES, BALANCERS):
            run("ip", "route", "replace", addresses, "dev", INTERFACE)
    # A pod is told at once that a Service has no endpoints, as the service proxy's own rules would if those of the
    # NetworkPolicies did not come first: asking for a neighbour that does not exist takes up to 3 s, and a connection
    # begun meanwhile times out. Rewritten packets have another destination by then.
    run("ip", "rule", "del", *_NO_ENDPOINTS, check=False)
    run("ip", "rule", "add", *_NO_ENDPOINTS)
    # One answer of that kind a second for each address would do for a node; here one kernel answers for all of them.
    run("sysctl", "-qw", f"{_REFUSALS}=0")
    # A node of Redis that the NetworkPolicies do not know yet is silent instead: a connection that was refused this way
    # before it was made keeps Sentinel's event loop turning on a whole core (redis/redis#15107), and there are two.
    # A kernel without this match goes on without it.
    if run("iptables", "-C", *_NEW_NODES, check=False).returncode:
        run("iptables", "-I", *_NEW_NODES, check=False)
    # The first `ip netns add` of anybody mounts this directory over itself, and containerd no longer finds the mounts of
    # its pods below: their sandboxes never end ("unlinkat …: device or resource busy"). So it is done before.
    NAMESPACES.mkdir(exist_ok=True)
    if run("mountpoint", "-q", str(NAMESPACES), check=False).returncode:
        run("mount", "--bind", str(NAMESPACES), str(NAMESPACES))
    run("mount", "--make-shared", str(NAMESPACES))
    run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    # Without it, packets between pods of one node pass by the rules that enforce NetworkPolicies.
    run("sysctl", "-qw", "net.bridge.bridge-nf-call-iptables=1", check=False)
    # The bridges of Docker too: kube-router reads the whole table and writes it again, and what Docker adds for a new
    # network between the two is lost. What Docker refuses is refused by rules before these.
    for of in (("-s", PODS), ("-d", PODS), ("-i", "br-+"), ("-o", "br-+")):
        rule = ("FORWARD", *of, "-j", "ACCEPT", "-m", "comment", "--comment", "tierstack-cluster")
        if run("iptables", "-C", *rule, check=False).returncode:
            # Last, because what NetworkPolicies refuse must be refused first.
            run("iptables", "-A", *rule)

    # Pods keep their addresses among themselves, as NetworkPolicies want it; outside they are this machine.
    outside = ("POSTROUTING", "-s", PODS, "!", "-d", PODS, "-j", "MASQUERADE")
    outside = (*outside, "-m", "comment", "--comment", "tierstack-cluster")
    if run("iptables", "-t", "nat", "-C", *outside, check=False).returncode:
        run("iptables", "-t", "nat", "-A", *outside)


def weigh_pods(nodes: int) -> None:
    """Give pods the share of the processor that real nodes would: 1,024 for each core of each (v1), which they have beside
    a control plane of their own. Else all pods together would count as much as one daemon, and a promotion would wait
    for the API server. Where another hierarchy of control groups rules, it is left as it is.
    """
    shares = 1024 * nodes * (os.cpu_count() or 1)
    v1, v2 = Path("/sys/fs/cgroup/cpu/k8s.io/cpu.shares"), Path("/sys/fs/cgroup/k8s.io/cpu.weight")
    if v1.exists():
        v1.write_text(str(shares))
    elif v2.exists():
        v2.write_text(str(min(10000, shares * 100 // 1024)))


def remove_network(nodes: int) -> None:
    """Take the interface, the bridges and every rule away."""
    for chain_table in ("filter", "nat", "mangle"):
        kept = [
            line
            for line in run("iptables-save", "-t", chain_table, check=False).stdout.splitlines()
            if not any(mark in line for mark in ("KUBE-", "CNI-", "tierstack-cluster"))
        ]
        if kept:
            run("iptables-restore", "-T", chain_table, input="\n".join(kept) + "\n", check=False)
    run("ip", "rule", "del", *_NO_ENDPOINTS, check=False)
    run("sysctl", "-qw", f"{_REFUSALS}=1000", check=False)  # the kernel's default
    for name in [f"cni{number}" for number in range(1, nodes + 1)] + [INTERFACE]:
        run("ip", "link", "del", name, check=False)
    sets = [
        name for name in run("ipset", "list", "-n", check=False).stdout.split() if name.startswith(("KUBE-", "kube-"))
    ]
    for name in sets:
        run("ipset", "flush", name, check=False)
    for name in [*sets, *sets]:  # twice: a set of sets goes before its members
        run("ipset", "destroy", name, check=False)
