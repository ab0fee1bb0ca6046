"""`python -m tests.cluster.scale`: many environments of the 1M tier on simulated nodes, and how the engine grows.

Environments: stacks of their own, with production's settings, each brought up by `tierstack up` in its own namespace.
Sizes: one program with as many shops of the 1M tier as make about that many resources, each in its own namespace; what `up`,
a second `preview` and `destroy` of it take. Nothing else should run: the API server shares the machine.
"""

import argparse
import contextlib
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.__main__ import machine
from bench.measure import timed
from devcluster.cluster import Cluster, say
from tests.cluster.shop import ISSUER, S3, kubectl
from tests.cluster.simulated import STORAGE_CLASS, Simulation, flow_schema, requests_of, stand_ins
from tests.projects import ROOT, Checkout
from tests.waiting import until

USER = "tierstack-scale"
PER_SHOP = 59
"""Resources of one shop of the 1M tier, about: 51 objects, 6 components and 2 passwords."""
_NODES, _VOLUMES = 2, 10
"""What an environment takes, and some: 27 cores and 52 GiB of the 16 and 64 of a node, 10 volumes."""
_PROGRAM = """
import os

import tierstack as ts
from bench.ours import shop

for number in range(int(os.environ["SHOPS"])):
    place = ts.Kubernetes(name=f"scale-{number:02}", environment="scale", storage_class="simulated",
                          data_protection=ts.DataProtection.NONE)
    shop(f"{number:02}", place, ts.Tier.USERS_1M)
"""


@dataclass(frozen=True)
class Run:
    """What one `pulumi` command took on the cluster."""

    command: str
    resources: int
    """In the state afterwards, without the stack itself; for `destroy`, before."""
    wall_s: float
    cpu_s: float
    """Seconds of CPU (user and system) of the engine and its plugins."""
    peak_mb: float
    """Largest sum of resident memory of engine, language host and providers at one moment, in MiB."""
    requests: int
    """That the API server carried out for it."""


class Sizes:
    """A program with a number of shops, as a user who is counted by himself."""

    def __init__(self, folder: Path, shops: int) -> None:
        self.folder, self.shops = folder, shops
        (folder / "state").mkdir(parents=True)
        (folder / "Pulumi.yaml").write_text("name: scale\nruntime: python\n")
        (folder / "__main__.py").write_text(_PROGRAM)
        config = yaml.safe_load(Cluster().kubeconfig.read_text())
        config["users"][0]["user"]["as"] = USER
        (folder / "kubeconfig").write_text(yaml.safe_dump(config))
        (folder / "kubeconfig").chmod(0o600)
        subprocess.run(["pulumi", "stack", "init", "scale"], cwd=folder, env=self._environment(), check=True)

    def measured(self, command: str, *arguments: str, **more: str) -> Run:
        before, held = requests_of(USER), self._resources()
        line = ["pulumi", "--non-interactive", "--color=never", command, *arguments, "--stack=scale"]
        log = self.folder / f"{command}.log"
        taken = timed(line, self.folder, self._environment() | more, log)
        if taken.code:
            raise AssertionError(f"{command} of {self.shops} shops failed:\n{log.read_text()[-4000:]}")
        found = Run(
            command,
            max(held, self._resources()),
            round(taken.wall_s, 1),
            round(taken.cpu_s, 1),
            round(taken.peak_mb, 1),
            requests_of(USER) - before,
        )
        say(json.dumps(asdict(found)))
        return found

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "KUBECONFIG": str(self.folder / "kubeconfig"),
            "PULUMI_BACKEND_URL": f"file://{self.folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "scale",
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            "PYTHONPATH": f"{ROOT / 'components'}:{ROOT}",
            "SHOPS": str(self.shops),
        }

    def _resources(self) -> int:
        (file,) = (self.folder / "state" / ".pulumi" / "stacks" / "scale").glob("*.json")
        found = (json.loads(file.read_text())["checkpoint"].get("latest") or {}).get("resources") or []
        return max(0, len(found) - 1)


def sizes(folder: Path, wanted: Sequence[int], *, checkpoints: bool = True, parallel: int = 0) -> list[Run]:
    """`up`, a second `preview` and `destroy` at each size; `parallel` resources at a time (0: what the engine takes)."""
    found: list[Run] = []
    more = {} if checkpoints else {"PULUMI_SKIP_CHECKPOINTS": "true"}
    flags = ["--yes", "--skip-preview", *([f"--parallel={parallel}"] if parallel else [])]
    for size in wanted:
        shops = max(1, round(size / PER_SHOP))
        with Simulation(folder, ["scale"], _NODES * shops + 3, _VOLUMES * shops):
            flow_schema(USER)
            one = Sizes(folder / f"{size}", shops)
            found.append(one.measured("up", *flags, **more))
            found.append(one.measured("preview", "--expect-no-changes"))
            found.append(one.measured("destroy", *flags, **more))
    return found


def exponents(runs: Sequence[Run]) -> dict[str, dict[str, float]]:
    """How each figure grows with the number of resources: the slope of least squares in logarithms (1: in proportion)."""
    found: dict[str, dict[str, float]] = {}
    for command in dict.fromkeys(run.command for run in runs):
        of = [run for run in runs if run.command == command]
        if len({run.resources for run in of}) > 1:
            found[command] = {
                field: round(_slope([(run.resources, getattr(run, field)) for run in of]), 2)
                for field in ("wall_s", "cpu_s", "peak_mb", "requests")
            }
    return found


def _slope(points: Sequence[tuple[float, float]]) -> float:
    logs = [(math.log(x), math.log(y)) for x, y in points]
    mean_x, mean_y = (sum(values) / len(logs) for values in zip(*logs, strict=True))
    return sum((x - mean_x) * (y - mean_y) for x, y in logs) / sum((x - mean_x) ** 2 for x, _ in logs)


class Environments:
    """Stacks with production's settings on simulated nodes."""

    def __init__(self, folder: Path, count: int) -> None:
        self.names = [f"simulated-{number:02}" for number in range(count)]
        self.checkout = Checkout.make(folder / "project")
        self.selector = f"tierstack.dev/environment in ({','.join(self.names)})"
        first, *others = self.names
        self.checkout.config(first, lambda config: self._fit(config, first), base="prod")
        # Secrets as a user gives them, encrypted once: all stacks have one passphrase, and may have one salt.
        self.checkout.pulumi("stack", "init", first)
        for part in ("access_key_id", "secret_access_key"):
            path = f"object_storage.{part}"
            self.checkout.pulumi("config", "set", "--secret", "--path", path, "s3-for-tests", "--stack", first)
        text = (self.checkout.folder / f"Pulumi.{first}.yaml").read_text()
        for name in others:
            (self.checkout.folder / f"Pulumi.{name}.yaml").write_text(text.replace(first, name))

    @staticmethod
    def _fit(config: dict[str, Any], name: str) -> None:
        config["platform"] = {"kind": "kubernetes", "name": name, "storage_class": STORAGE_CLASS}
        config["tls"] = {"cluster_issuer": ISSUER}
        config["app"]["hostnames"] = [f"{name}.example", f"www.{name}.example"]
        config["dns"] = {**config["dns"], "domain": f"{name}.example"}
        config["object_storage"] = {**S3, "bucket": name}

    def up(self, jobs: int) -> list[float]:
        """Bring all up, `jobs` at a time. Seconds that each took, in the order of their ends."""
        seconds: list[float] = []

        def one(name: str) -> None:
            started = time.monotonic()
            self.checkout.json("up", "-s", name)
            seconds.append(round(time.monotonic() - started, 1))
            say(f"{len(seconds)} of {len(self.names)}: {name} in {seconds[-1]} s")

        with ThreadPoolExecutor(jobs) as pool:
            list(pool.map(one, self.names))
        return seconds

    def pods(self) -> dict[str, int]:
        """Pods of all environments by phase, and how many are Ready."""
        found = {"Ready": 0, "Pending": 0}
        for namespace in self.names:
            for pod in json.loads(kubectl("-n", namespace, "get", "pods", "-o", "json"))["items"]:
                phase = pod["status"]["phase"]
                found[phase] = found.get(phase, 0) + 1
                conditions = pod["status"].get("conditions", [])
                found["Ready"] += any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)
        return found

    def settle(self, seconds: float = 300) -> dict[str, int]:
        """Pods once none is Pending, or after `seconds`."""
        stand_ins(self.selector)
        with contextlib.suppress(AssertionError):  # what is there then is the result
            until("every pod is Ready", lambda: self.pods()["Ready"] >= self._wanted(), seconds, every=1)
        return {**self.pods(), "wanted": self._wanted()}

    def _wanted(self) -> int:
        """Pods that Deployments and StatefulSets want, whose sizes autoscalers have set."""
        items = json.loads(kubectl("get", "deployments,statefulsets", "-A", "-o", "json"))["items"]
        return sum(item["spec"]["replicas"] for item in items if item["metadata"]["namespace"] in self.names)


def environments(folder: Path, count: int, jobs: int = 2) -> dict[str, Any]:
    """Bring `count` environments up, `jobs` at a time, and look whether everything runs."""
    stacks = Environments(folder, count)
    with Simulation(folder, stacks.names, _NODES * count + 3, _VOLUMES * count):
        started = time.monotonic()
        seconds = stacks.up(jobs)
        took = time.monotonic() - started
        pods = stacks.settle()
        changes = stacks.checkout.json("preview", "-s", stacks.names[-1])["changes"]
    return {
        "environments": count,
        "at_a_time": jobs,
        "all_s": round(took, 1),
        "first_s": seconds[0],
        "last_s": seconds[-1],
        "median_s": sorted(seconds)[len(seconds) // 2],
        "pods": pods,
        "second_preview": changes,
    }


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser("python -m tests.cluster.scale", description=__doc__)
    parser.add_argument("--environments", type=int, default=0, help="how many to bring up; default none")
    parser.add_argument("--jobs", type=int, default=2, help="how many of them at a time; each takes 0.5 GB of memory")
    parser.add_argument("--sizes", default="", help="resources, such as 50,500,2000; default none")
    parser.add_argument("--parallel", type=int, default=0, help="resources at a time; default: what the engine takes")
    parser.add_argument("--no-checkpoints", action="store_true", help="write the state at the end only")
    given = parser.parse_args()
    os.environ["KUBECONFIG"] = str(Cluster().kubeconfig)
    report: dict[str, Any] = {"machine": machine()}
    with tempfile.TemporaryDirectory(prefix="tierstack-scale-") as folder:
        if given.sizes:
            wanted = [int(size) for size in given.sizes.split(",")]
            runs = sizes(Path(folder), wanted, checkpoints=not given.no_checkpoints, parallel=given.parallel)
            report |= {"checkpoints": not given.no_checkpoints, "parallel": given.parallel}
            report |= {"runs": [asdict(run) for run in runs], "exponents": exponents(runs)}
        if given.environments:
            report |= {"environments": environments(Path(folder), given.environments, given.jobs)}
    json.dump(report, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    main()
